// The environment, the clock and signals in; a running server out. The only reader of all three.
import { randomBytes, randomUUID } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createShardedAdapter } from '@socket.io/redis-adapter'
import { pino } from 'pino'
import { type App, openApp } from './app.ts'
import { openCity } from './city.ts'
import { type Config, parseConfig } from './config.ts'
import { openRouter } from './routing/open.ts'
import { openJournal } from './store/journal.ts'
import { openPositions } from './store/positions/open.ts'
import { adapterClients } from './store/positions/redis-clients.ts'
import { openSql } from './store/sql/open.ts'
import { StartFault } from './store/start-fault.ts'

/** EX_CONFIG of sysexits.h: nothing will be better after a restart. */
const EX_CONFIG = 78
const PATIENCE_MS = 15_000
const say = (line: string) => void process.stderr.write(`${line}\n`)

async function start(config: Config): Promise<App> {
  const log = pino(
    { level: config.logLevel, base: null, redact: ['token', '*.token', 'authorization', 'at', 'lat', 'lng', 'lon'] },
    pino.destination({ dest: 2, sync: false }),
  )
  const nodeId = config.nodeId ?? randomUUID()
  const now = () => Date.now()
  const began = performance.now()
  const [sql, positions, city, adminKey] = await all([
    openSql({ databaseUrl: config.databaseUrl, dataDir: config.dataDir, durability: config.durability, onProgress: say }),
    openPositions({ redisUrl: config.redisUrl, nodeId }),
    openCity(config.cacheDir, { ...(config.city === null ? {} : { file: config.city }), say }).catch((error: Error) => {
      throw config.city === null ? error : new StartFault(`CITY: ${error.message}`)
    }),
    adminKeyOf(config),
  ])
  const adapterLine = config.redisUrl ? await adapterClients(config.redisUrl) : null
  const app = await openApp({
    config,
    adminKey,
    nodeId,
    sql,
    positions,
    journal: openJournal(sql, { onBug: (error) => log.error({ err: error, what: 'journal' }, 'failed') }),
    router: openRouter({
      city: city.router,
      osrmUrl: config.osrmUrl ?? undefined,
      valhallaUrl: config.valhallaUrl ?? undefined,
      mapboxToken: config.mapboxToken ?? undefined,
      now,
    }),
    city: city.info,
    places: city.places,
    tiles: city.tiles,
    ...(adapterLine ? { adapter: createShardedAdapter(adapterLine.pub, adapterLine.sub, { subscriptionMode: 'dynamic' }) } : {}),
    webDist: process.env.WEB_DIST ?? fileURLToPath(new URL('../../web/dist', import.meta.url)),
    log,
    now,
    random: Math.random,
  })
  log.info({ url: app.url, metricsPort: app.metricsPort, node: nodeId, ms: Math.round(performance.now() - began) }, 'ready')
  return {
    ...app,
    async close() {
      await app.close()
      adapterLine?.close()
    },
  }
}

/** All of them, or the first refusal once every other has settled: nothing that was opened is left half open by an exit. */
async function all<T extends readonly unknown[]>(parts: { [K in keyof T]: Promise<T[K]> }): Promise<T> {
  const settled = await Promise.allSettled(parts)
  for (const one of settled) if (one.status === 'rejected') throw one.reason
  return settled.map((one) => (one as PromiseFulfilledResult<unknown>).value) as unknown as T
}

/** The configured key, or one that is made once and kept where only its owner can read it. */
async function adminKeyOf({ adminKey, dataDir }: Config): Promise<string> {
  if (adminKey !== null) return adminKey
  const path = join(dataDir, 'admin.key')
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  const made = randomBytes(32).toString('base64url')
  // Two processes that start at once agree on the key of the first.
  await writeFile(path, `${made}\n`, { mode: 0o600, flag: 'wx' }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
  const key = (await readFile(path, 'utf8')).trim()
  if (key.length < 32) throw new StartFault(`${path}: holds no key of 32 characters or more; delete it to have one made`)
  return key
}

/** A bug that nobody caught: what the process holds in memory can't be trusted any more. */
for (const event of ['uncaughtException', 'unhandledRejection'] as const)
  process.on(event, (error: unknown) => {
    say(`fatal ${event}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
    process.exit(1)
  })

const parsed = parseConfig(process.env)
if (!parsed.ok) {
  for (const fault of parsed.fault) say(fault)
  process.exit(EX_CONFIG)
}
let app: App | null = null
let ending = false
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const)
  process.on(signal, () => {
    if (ending) return
    ending = true
    setTimeout(() => process.exit(1), PATIENCE_MS).unref()
    // Before it serves there is nothing to keep.
    if (app === null) process.exit(0)
    app.close().then(
      () => process.exit(0),
      (error) => {
        say(`could not end in order: ${error instanceof Error ? error.message : error}`)
        process.exit(1)
      },
    )
  })
try {
  app = await start(parsed.value)
  process.stdout.write(
    `${JSON.stringify({ event: 'ready', url: app.url, port: app.port, metricsPort: app.metricsPort, pid: process.pid })}\n`,
  )
} catch (error) {
  const expected = error instanceof StartFault
  say(expected ? (error as Error).message : String((error as Error).stack ?? error))
  process.exit(expected ? EX_CONFIG : 1)
}
