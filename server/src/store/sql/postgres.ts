// A connection URL in, the Sql port over PostgreSQL out: one pool a lane, so that neither a report nor a burst of pings starves an order.
import pg from 'pg'
import { StartFault } from '../start-fault.ts'
import { IDLE_IN_TX_MS, isUnavailable, type Lane, type Query, type Sql, SqlError } from './port.ts'
import { transaction } from './transaction.ts'

/** Connections and the limit of one statement (ms; 0 is none). The client waits a second longer than the server, then drops a hung line. */
const LANES: Record<Lane, { most: number; statement: number }> = {
  ingest: { most: 4, statement: 2_000 },
  orders: { most: 6, statement: 5_000 },
  reports: { most: 2, statement: 10_000 },
  slow: { most: 1, statement: 0 },
}
const CONNECT_MS = 3_000

/**
 * Connects and checks. Throws StartFault when the server isn't there, is older than 15, or would forget what it has committed
 * (P3: fsync, full_page_writes or synchronous_commit off) unless `durability` is relaxed, which is told by `onProgress`.
 */
export async function openPostgres(
  url: string,
  durability: 'strict' | 'relaxed',
  onProgress: (text: string) => void,
): Promise<Sql> {
  const pools = Object.fromEntries((Object.keys(LANES) as Lane[]).map((lane) => [lane, pool(url, lane)])) as unknown as Record<
    Lane,
    pg.Pool
  >
  let answered = 0
  let closed = false

  const on = async <T>(lane: Lane, work: (ask: Query['query'], lost: () => boolean) => Promise<T>): Promise<T> => {
    if (closed) throw new SqlError('the database is closed', '57P01', true)
    const client = await pools[lane].connect().catch((error) => {
      throw toSqlError(error)
    })
    const limit = LANES[lane].statement
    let broken: Error | undefined
    async function ask<R>(text: string, params?: readonly unknown[]): Promise<{ rows: R[]; count: number }> {
      const values = params?.map(bound)
      try {
        const asked = client.query({
          text,
          ...(values ? { values } : {}),
          ...(limit ? { query_timeout: limit + 1_000 } : {}),
        } as pg.QueryConfig)
        const answer = (await asked) as unknown as pg.QueryResult | pg.QueryResult[]
        const last = Array.isArray(answer) ? answer.at(-1) : answer
        answered = performance.now()
        return { rows: (last?.rows ?? []) as R[], count: last?.rowCount ?? 0 }
      } catch (error) {
        const told = toSqlError(error)
        // What a lost or hung line still carries belongs to the query that was given up: it must not serve the next one.
        if (/^(08|57P)/.test(told.state) || told.state === '25P03') broken = told
        throw told
      }
    }
    try {
      return await work(ask, () => broken !== undefined)
    } finally {
      client.release(broken)
    }
  }

  const sql: Sql = {
    kind: 'postgres',
    query: (text, params) => on('orders', (ask) => ask(text, params)),
    tx: (work, lane = 'orders') => on(lane, (ask, lost) => transaction(ask, lost, work)),
    async exec(text) {
      await on('slow', (ask) => ask(text))
    },
    async health() {
      if (closed) return 'closed'
      if (answered && performance.now() - answered < 2_000) return true
      const late = new Promise<string>((resolve) => setTimeout(resolve, 2_000, 'no answer within 2 s').unref())
      const asked = on('reports', (ask) => ask('select 1')).then(
        () => true as const,
        (error: Error) => error.message,
      )
      return Promise.race([asked, late])
    },
    async close() {
      if (closed) return
      closed = true
      // A server that hangs doesn't say goodbye.
      const late = new Promise((resolve) => setTimeout(resolve, CONNECT_MS).unref())
      await Promise.race([Promise.all(Object.values(pools).map((one) => one.end())), late])
    },
  }
  try {
    await check(sql, url, durability, onProgress)
  } catch (error) {
    await sql.close()
    throw error
  }
  return sql
}

async function check(sql: Sql, url: string, durability: 'strict' | 'relaxed', onProgress: (text: string) => void): Promise<void> {
  let settings: Record<string, string>
  const ready = async (attempt: number): Promise<void> => {
    const fault = await sql.query('select 1').then(
      () => null,
      (error: SqlError) => error,
    )
    if (fault === null) return
    // A line that was not made in time may be this machine's fault, busy as it is while it starts: asked three times.
    const starting = fault.state === '57P03'
    if (starting ? attempt >= 20 : attempt >= 2 || !fault.unavailable) throw fault
    if (attempt === 0 && starting) onProgress(`the database at ${place(url)} is starting up`)
    await new Promise((resolve) => setTimeout(resolve, 500))
    await ready(attempt + 1)
  }
  try {
    await ready(0)
    const names = ['fsync', 'full_page_writes', 'synchronous_commit', 'server_version_num']
    const { rows } = await sql.query<{ name: string; value: string }>(
      'select name, current_setting(name) as value from unnest($1::text[]) as name',
      [names],
    )
    settings = Object.fromEntries(rows.map((row) => [row.name, row.value]))
  } catch (error) {
    throw new StartFault(`DATABASE_URL: no database at ${place(url)}: ${(error as Error).message}`)
  }
  if (Number(settings.server_version_num) < 150_000) {
    throw new StartFault(`DATABASE_URL: PostgreSQL 15 or newer is needed, ${place(url)} has ${settings.server_version_num}`)
  }
  const off = ['fsync', 'full_page_writes', 'synchronous_commit'].filter((name) => settings[name] === 'off')
  if (off.length === 0) return
  const text = `${off.join(', ')} off on ${place(url)}: a crash of the database can lose pings that were acknowledged`
  if (durability === 'strict') throw new StartFault(`${text}; switch on, or set DURABILITY=relaxed`)
  onProgress(`DURABILITY=relaxed: ${text}`)
}

function pool(url: string, lane: Lane): pg.Pool {
  const { most, statement } = LANES[lane]
  const made = new pg.Pool({
    connectionString: url,
    max: most,
    connectionTimeoutMillis: CONNECT_MS,
    idleTimeoutMillis: 30_000,
    keepAlive: true,
    statement_timeout: statement,
    idle_in_transaction_session_timeout: 2 * IDLE_IN_TX_MS, // ours comes first; this is for a node that hangs
    application_name: `doorstep ${lane}`,
    types: { getTypeParser: parserOf } as pg.CustomTypesConfig,
  })
  // A line that breaks is replaced by the pool; whoever asks next learns what is the matter. The pool listens only to idle ones.
  made.on('error', () => {})
  made.on('connect', (client) => client.on('error', () => {}))
  return made
}

const TEXT_ARRAY = 1009 as Parameters<typeof pg.types.getTypeParser>[0]
type Parser = (text: string) => unknown
const text: Parser = (value) => value
const time: Parser = (value) => Date.parse(value.replace(' ', 'T').replace(/([+-]\d\d)$/, '$1:00'))
const bytes: Parser = (value) => Uint8Array.from(Buffer.from(value.slice(2), 'hex'))
const listOf =
  (one: Parser): Parser =>
  (value) =>
    (pg.types.getTypeParser(TEXT_ARRAY)(value) as (string | null)[]).map((item) => (item === null ? null : one(item)))
const PARSERS: Record<number, Parser> = {
  17: bytes,
  20: Number,
  1700: Number,
  1082: text,
  1114: text,
  1184: time,
  1001: listOf(bytes),
  1016: listOf(Number),
  1231: listOf(Number),
  1182: listOf(text),
  1115: listOf(text),
  1185: listOf(time),
}

/** The driver's own parsers read a date in the process's zone and leave int8 as text. */
function parserOf(oid: number, format?: string): Parser {
  return (
    (format === 'text' || format === undefined ? PARSERS[oid] : undefined) ??
    (pg.types.getTypeParser(oid as typeof TEXT_ARRAY) as Parser)
  )
}

function bound(value: unknown): unknown {
  if (value === undefined) return null
  if (value instanceof Date) return value.toISOString()
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  if (Array.isArray(value)) return arrayText(value)
  if (typeof value === 'object' && value !== null) return JSON.stringify(value)
  return value
}

/** A flat array as PostgreSQL writes one. The driver's own way, element by element through its escapes, costs several times as much a ping. */
function arrayText(values: readonly unknown[]): string {
  let out = '{'
  for (let i = 0; i < values.length; i++) {
    const value = values[i]
    if (i > 0) out += ','
    if (typeof value === 'number' || typeof value === 'boolean') out += value
    else if (value === null || value === undefined) out += 'NULL'
    else if (typeof value === 'string') out += PLAIN.test(value) ? value : quoted(value)
    else if (value instanceof Date) out += quoted(value.toISOString())
    else if (value instanceof Uint8Array) out += quoted(`\\x${Buffer.from(value).toString('hex')}`)
    else out += quoted(JSON.stringify(value))
  }
  return `${out}}`
}
/** What needs no quotes: nothing that means something in an array, and never the word NULL. */
const PLAIN = /^[0-9a-f][0-9a-f-]*$/
const quoted = (text: string) => `"${text.replace(/[\\"]/g, '\\$&')}"`

/** The driver's errors are of many makes: those with a SQLSTATE are the server's, all others the line's. */
function toSqlError(error: unknown): SqlError {
  if (error instanceof SqlError) return error
  const { code, message } = error as { code?: unknown; message: string }
  if (error instanceof pg.DatabaseError && typeof code === 'string') {
    return new SqlError(message, code, isUnavailable(code), { cause: error })
  }
  const first = error instanceof AggregateError ? (error.errors[0] as Error | undefined)?.message : undefined
  return new SqlError(first || message || String(code ?? error), '08006', true, { cause: error })
}

/** Where a URL points, without its password. */
function place(url: string): string {
  try {
    const { host, pathname } = new URL(url)
    return `${host}${pathname}`
  } catch {
    return 'an address that is no URL'
  }
}
