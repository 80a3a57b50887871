// The environment in, a checked configuration or every fault of it out, by name. main is the only reader of process.env.
import { fail, ok, type Result } from '@doorstep/shared/result'
import { z } from 'zod'

export interface Config {
  readonly port: number
  readonly host: string
  /** Folder of the embedded database, the admin key and the lock. */
  readonly dataDir: string
  readonly cacheDir: string
  /** null: one is made and kept in DATA_DIR/admin.key. */
  readonly adminKey: string | null
  readonly redisUrl: string | null
  readonly databaseUrl: string | null
  readonly durability: 'strict' | 'relaxed'
  readonly mapboxToken: string | null
  readonly osrmUrl: string | null
  readonly valhallaUrl: string | null
  /** Path of a built city; null is the embedded one. */
  readonly city: string | null
  /** 0 asks the system for a free port; loopback only. */
  readonly metricsPort: number
  /** Without a slash at its end. null: what the server listens on, known only when PORT=0 has been answered. */
  readonly publicUrl: string | null
  /** Exact origins. null: PUBLIC_URL's, and the same port on localhost and 127.0.0.1. */
  readonly allowedOrigins: readonly string[] | null
  readonly logLevel: LogLevel
  /** null: a random one is made. */
  readonly nodeId: string | null
  /** How many proxies stand before us, or which addresses they have, as Express takes it. */
  readonly trustProxy: number | boolean | string
  readonly linkDays: number
  readonly retentionDays: number
}

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const
type LogLevel = (typeof LOG_LEVELS)[number]

const whole = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d{1,9}$/, `must be a whole number from ${least} to ${most}`)
    .transform(Number)
    .refine((n) => n >= least && n <= most, `must be a whole number from ${least} to ${most}`)

const url = (schemes: readonly string[]) =>
  z
    .string()
    .refine(
      (text) => URL.canParse(text) && schemes.includes(new URL(text).protocol.slice(0, -1)) && new URL(text).host !== '',
      `must be a URL that begins with ${schemes.map((scheme) => `${scheme}://`).join(' or ')}`,
    )
const web = url(['http', 'https'])
const isOrigin = (text: string) => URL.canParse(text) && new URL(text).origin === text && /^https?:/.test(text)
const list = (text: string) =>
  text
    .split(',')
    .map((one) => one.trim())
    .filter(Boolean)

const SCHEMA = z.object({
  PORT: whole(0, 65_535).default(8080),
  HOST: z
    .string()
    .regex(/^[A-Za-z0-9.:_-]{1,255}$/, 'must be a host name or an address')
    .default('127.0.0.1'),
  DATA_DIR: z.string().max(4_096).default('./data'),
  CACHE_DIR: z.string().max(4_096).default('./.cache'),
  ADMIN_KEY: z
    .string()
    .min(32, 'must have 32 characters or more')
    .max(512, 'must have at most 512 characters')
    .regex(/^[\x21-\x7e]+$/, 'must be printable ASCII without spaces')
    .optional(),
  REDIS_URL: z
    .string()
    .refine(
      (text) => list(text).length > 0 && list(text).every((one) => url(['redis', 'rediss']).safeParse(one).success),
      'must be a URL that begins with redis:// or rediss://, or several of a cluster separated by commas',
    )
    .optional(),
  DATABASE_URL: url(['postgres', 'postgresql']).optional(),
  DURABILITY: z.enum(['strict', 'relaxed'], 'must be strict or relaxed').default('strict'),
  MAPBOX_TOKEN: z
    .string()
    .regex(/^(pk|tk)\.[A-Za-z0-9._-]{10,2000}$/, 'must be a public token (pk.…): it is handed to every page')
    .optional(),
  OSRM_URL: web.optional(),
  VALHALLA_URL: web.optional(),
  CITY: z.string().max(4_096).optional(),
  METRICS_PORT: whole(0, 65_535).optional(),
  PUBLIC_URL: web
    .refine((text) => !URL.canParse(text) || (new URL(text).search === '' && new URL(text).hash === ''), 'must have no ? or #')
    .optional(),
  ALLOWED_ORIGINS: z
    .string()
    .refine(
      (text) => list(text).every(isOrigin),
      'must be origins separated by commas, each like https://shop.example: scheme, host and port alone',
    )
    .optional(),
  LOG_LEVEL: z.enum(LOG_LEVELS, `must be one of ${LOG_LEVELS.join(', ')}`).default('info'),
  NODE_ID: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,64}$/, 'must be 1 to 64 letters, digits, dots, dashes or underscores')
    .optional(),
  TRUST_PROXY: z
    .string()
    .regex(/^(\d{1,2}|true|false|[0-9A-Za-z.:/, ]{1,400})$/, 'must be true, false, a number of proxies, or their addresses')
    .default('false'),
  LINK_DAYS: whole(1, 365).default(14),
  RETENTION_DAYS: whole(1, 3_650).default(60),
})

/**
 * Reads what the environment says. An empty value counts as absent, so that `REDIS_URL= npm start` switches off. Keys that begin with
 * DOORSTEP_ are refused: a misspelt setting must not be ignored. Faults are whole sentences that begin with the name and never
 * repeat a value, since values may be secrets.
 */
export function parseConfig(env: Readonly<Record<string, string | undefined>>): Result<Config, string[]> {
  const known = Object.keys(SCHEMA.shape)
  const given = Object.fromEntries(known.filter((name) => env[name]?.trim()).map((name) => [name, env[name]?.trim()]))
  const faults = Object.keys(env)
    .filter((name) => name.startsWith('DOORSTEP_'))
    .sort()
    .map((name) => {
      const meant = known.find((one) => `DOORSTEP_${one}` === name.toUpperCase())
      return meant ? `${name}: did you mean ${meant}?` : `${name}: unknown`
    })
  const parsed = SCHEMA.safeParse(given)
  if (!parsed.success) {
    const told = new Set(faults)
    for (const issue of parsed.error.issues) told.add(`${String(issue.path[0])}: ${issue.message}`)
    return fail([...told])
  }
  if (faults.length > 0) return fail(faults)
  const v = parsed.data
  return ok({
    port: v.PORT,
    host: v.HOST,
    dataDir: v.DATA_DIR,
    cacheDir: v.CACHE_DIR,
    adminKey: v.ADMIN_KEY ?? null,
    redisUrl: v.REDIS_URL ?? null,
    databaseUrl: v.DATABASE_URL ?? null,
    durability: v.DURABILITY,
    mapboxToken: v.MAPBOX_TOKEN ?? null,
    osrmUrl: v.OSRM_URL?.replace(/\/+$/, '') ?? null,
    valhallaUrl: v.VALHALLA_URL?.replace(/\/+$/, '') ?? null,
    city: v.CITY ?? null,
    metricsPort: v.METRICS_PORT ?? (v.PORT === 0 || v.PORT === 65_535 ? 0 : v.PORT + 1),
    publicUrl: v.PUBLIC_URL?.replace(/\/+$/, '') ?? null,
    allowedOrigins: v.ALLOWED_ORIGINS === undefined ? null : list(v.ALLOWED_ORIGINS),
    logLevel: v.LOG_LEVEL,
    nodeId: v.NODE_ID ?? null,
    trustProxy: /^\d+$/.test(v.TRUST_PROXY)
      ? Number(v.TRUST_PROXY)
      : v.TRUST_PROXY === 'true' || v.TRUST_PROXY === 'false'
        ? v.TRUST_PROXY === 'true'
        : v.TRUST_PROXY,
    linkDays: v.LINK_DAYS,
    retentionDays: v.RETENTION_DAYS,
  })
}
