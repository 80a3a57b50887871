// Where the database is in, the Sql port over it out, with the tables as this version of the server needs them.
// The bundle needs `migrations/` and `pglite-worker.mjs` beside it: they are read from where this code stands.
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { StartFault } from '../start-fault.ts'
import { openPglite } from './pglite.ts'
import type { Sql } from './port.ts'
import { openPostgres } from './postgres.ts'

export interface SqlOptions {
  /** postgres://…; null opens the embedded database. */
  readonly databaseUrl: string | null
  /** Folder of the embedded database, made when missing. */
  readonly dataDir: string
  readonly durability: 'strict' | 'relaxed'
  /** Told what takes long, and what the operator chose to risk. */
  readonly onProgress?: (text: string) => void
}

/** Opens the database and brings its tables up to date. Throws StartFault when it isn't there, in use, unsafe, or newer than we are. */
export async function openSql(options: SqlOptions): Promise<Sql> {
  const { databaseUrl, dataDir, durability, onProgress = () => {} } = options
  const sql = databaseUrl
    ? await openPostgres(databaseUrl, durability, onProgress)
    : await openPglite(dataDir, durability, onProgress)
  try {
    await migrate(sql, readMigrations(), onProgress)
  } catch (error) {
    await sql.close()
    throw error
  }
  return sql
}

export interface Migration {
  readonly number: number
  readonly name: string
  readonly text: string
  readonly sha256: string
}

/** `NNN-name.sql`, in order of number. */
export function readMigrations(folder: URL = new URL('./migrations/', import.meta.url)): Migration[] {
  const found = readdirSync(folder)
    .filter((name) => /^\d{3}-.+\.sql$/.test(name))
    .sort()
    .map((name) => {
      const text = readFileSync(new URL(name, folder), 'utf8').replaceAll('\r\n', '\n')
      return { number: Number(name.slice(0, 3)), name, text, sha256: createHash('sha256').update(text).digest('hex') }
    })
  const twice = found.find((one, i) => found[i - 1]?.number === one.number)
  if (twice) throw new Error(`two migrations have the number of ${twice.name}`)
  return found
}

/** Only for us: the first eight letters of the project's name, as advisory lock. */
const LOCK = '7237123446850545264'

/**
 * Applies what is missing, each migration in a transaction of its own under one advisory lock, so that nodes that start together wait
 * for each other. A lower number that came late (from another branch) is applied too. Applied text that was changed afterwards is refused.
 */
export async function migrate(sql: Sql, migrations: readonly Migration[], onProgress: (text: string) => void): Promise<void> {
  const guard = `select pg_advisory_xact_lock(${LOCK})`
  const table =
    'create table if not exists migration (number int primary key, name text not null, sha256 text not null, applied_at timestamptz not null default now())'
  const applied = await sql.tx(async (q) => {
    await q.query(guard)
    await q.query(table)
    return (await q.query<{ number: number; name: string; sha256: string }>('select number, name, sha256 from migration')).rows
  }, 'slow')
  const known = new Map(migrations.map((one) => [one.number, one]))
  for (const one of applied) {
    const ours = known.get(one.number)
    if (!ours)
      throw new StartFault(`the database has migration ${one.name}, which this version does not know: run the newer server`)
    if (ours.sha256 !== one.sha256)
      throw new StartFault(`migration ${one.name} was changed after it had been applied to this database`)
  }
  const done = new Set(applied.map((one) => one.number))
  for (const one of migrations) {
    if (done.has(one.number)) continue
    await sql.tx(async (q) => {
      await q.query(guard)
      if ((await q.query('select from migration where number = $1', [one.number])).count > 0) return // another node was faster
      onProgress(`migration ${one.name}`)
      await q.query(one.text)
      await q.query('insert into migration (number, name, sha256) values ($1, $2, $3)', [one.number, one.name, one.sha256])
    }, 'slow')
  }
}
