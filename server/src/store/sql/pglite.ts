// A folder in, the Sql port over an embedded PostgreSQL (PGlite in a worker thread) out. One session: transactions take turns.
// The bundle needs `pglite-worker.mjs` beside it; @electric-sql/pglite stays external. Every acknowledged row survives the death of
// the process, kill -9 too, and a power cut as far as the disk keeps what it has flushed (the worker gives the engine an fsync).
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { StartFault } from '../start-fault.ts'
import { lock } from './lock.ts'
import { isUnavailable, type Sql, SqlError } from './port.ts'
import { transaction } from './transaction.ts'

type Answer = { id: number; rows: unknown[]; count: number } | { id: number; error: { message: string; state: string } }
type Rows<R> = { rows: R[]; count: number }

/** Opens (first start: makes) the database in `dataDir`/pglite. Throws StartFault when another process has it open. */
export async function openPglite(
  dataDir: string,
  durability: 'strict' | 'relaxed',
  onProgress: (text: string) => void,
): Promise<Sql> {
  const dir = join(dataDir, 'pglite')
  try {
    mkdirSync(dataDir, { recursive: true })
  } catch (error) {
    throw new StartFault(`DATA_DIR ${dataDir} can't be made: ${(error as Error).message}`)
  }
  const unlock = lock(`${dir}.lock`)
  try {
    if (!existsSync(join(dir, 'PG_VERSION'))) onProgress('preparing the embedded database (first start, up to 20 s)')
    let engine = await start(dir, durability).catch((error: Error) => {
      throw new StartFault(`the embedded database in ${dir} can't be opened: ${error.message}`)
    })
    if (!engine.durable) {
      const why = durability === 'relaxed' ? 'DURABILITY=relaxed' : 'the embedded database can not flush its files here'
      onProgress(`${why}: a power cut can lose the last seconds of pings that were acknowledged`)
    }
    let queue: Promise<unknown> = Promise.resolve()
    let waiting = 0
    let closed = false
    let answered = performance.now()

    /** One at a time, first come first served. A dead engine is started again by whoever comes next. */
    const turn = <T>(work: (engine: Engine) => Promise<T>): Promise<T> => {
      if (closed) return Promise.reject(new SqlError('the database is closed', '57P01', true))
      if (waiting >= 10_000) return Promise.reject(new SqlError('too many wait for the embedded database', '53300', true))
      waiting++
      const mine = queue.then(async () => {
        if (engine.dead) engine = await start(dir, durability)
        return work(engine)
      })
      queue = mine.then(
        () => waiting--,
        () => waiting--,
      )
      return mine.then((value) => {
        answered = performance.now()
        return value
      })
    }

    const sql: Sql = {
      kind: 'pglite',
      query: <R>(text: string, params?: readonly unknown[]) => turn((e) => e.ask(text, params) as Promise<Rows<R>>),
      tx: (work) =>
        turn((e) =>
          transaction(
            (text, params) => e.ask(text, params) as never,
            () => e.dead,
            work,
          ),
        ),
      async exec(text) {
        await turn((e) => e.ask(text))
      },
      async health() {
        if (closed) return 'closed'
        if (performance.now() - answered < 2_000) return true
        const late = new Promise<string>((resolve) => setTimeout(resolve, 2_000, 'the embedded database is busy').unref())
        const asked = turn((e) => e.ask('select 1')).then(
          () => true as const,
          (error: Error) => error.message,
        )
        return Promise.race([asked, late])
      },
      async close() {
        if (closed) return
        const last = turn((e) => e.close())
        closed = true
        await last.catch(() => {})
        unlock()
      },
    }
    return sql
  } catch (error) {
    unlock()
    throw error
  }
}

interface Engine {
  readonly dead: boolean
  /** Whether a commit is flushed to the disk. */
  readonly durable: boolean
  ask(text: string | null, params?: readonly unknown[]): Promise<Rows<unknown>>
  close(): Promise<void>
}

async function start(dir: string, durability: 'strict' | 'relaxed'): Promise<Engine> {
  const worker = new Worker(new URL('./pglite-worker.mjs', import.meta.url), {
    workerData: { dir, durable: durability === 'strict' },
    name: 'pglite',
  })
  const asked = new Map<number, { resolve: (rows: Rows<unknown>) => void; reject: (error: Error) => void }>()
  let next = 1
  let dead = false
  const died = (why: string) => {
    dead = true
    for (const one of asked.values()) one.reject(new SqlError(`the embedded database stopped: ${why}`, '57P02', true))
    asked.clear()
    void worker.terminate()
  }
  const ready = new Promise<Rows<unknown>>((resolve, reject) => asked.set(0, { resolve, reject }))
  worker.on('error', (error) => died(error instanceof Error ? error.message : String(error)))
  worker.on('exit', (code) => died(`exit ${code}`))
  worker.on('message', (answer: Answer) => {
    const one = asked.get(answer.id)
    asked.delete(answer.id)
    if (!one) return
    if (!('error' in answer)) return one.resolve({ rows: answer.rows, count: answer.count })
    const { message, state } = answer.error
    one.reject(new SqlError(message, state, isUnavailable(state)))
    if (state === 'XX001') died(message)
  })
  const ask = (text: string | null, params?: readonly unknown[]): Promise<Rows<unknown>> => {
    if (dead) return Promise.reject(new SqlError('the embedded database stopped', '57P02', true))
    const id = next++
    return new Promise((resolve, reject) => {
      asked.set(id, { resolve, reject })
      worker.postMessage({ id, text, params: params?.map(bound) })
    })
  }
  const [first] = (await ready).rows as { durable: boolean }[]
  return {
    durable: first?.durable === true,
    get dead() {
      return dead
    },
    ask,
    async close() {
      await ask(null)
      worker.removeAllListeners('exit')
      dead = true
      await worker.terminate()
    },
  }
}

/** Parameters as both drivers take them. A Buffer would arrive as a view on a whole pool, a Date would take the session's zone. */
function bound(value: unknown): unknown {
  if (value === undefined || value === null) return null
  if (value instanceof Date) return value.toISOString()
  if (value instanceof Uint8Array) return Uint8Array.from(value)
  if (Array.isArray(value)) return value.map(bound)
  if (typeof value === 'object') return JSON.stringify(value)
  return value
}
