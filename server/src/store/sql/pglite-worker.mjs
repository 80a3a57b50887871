// Messages {id, text, params} in, {id, rows, count} or {id, error} out: the embedded PostgreSQL, in a thread of its own so that the
// server's loop never waits for it. Plain JavaScript, since a worker thread of Node 20 can't load TypeScript.
import { parentPort, workerData } from 'node:worker_threads'
import { PGlite } from '@electric-sql/pglite'

const [BOOL, INT8, DATE, TIMESTAMP, TIMESTAMPTZ, NUMERIC] = [16, 20, 1082, 1114, 1184, 1700]
const text = (/** @type {string} */ value) => value

const db = await PGlite.create({
  dataDir: workerData.dir,
  parsers: {
    [INT8]: Number,
    [NUMERIC]: Number,
    [DATE]: text,
    [TIMESTAMP]: text,
    [TIMESTAMPTZ]: (/** @type {string} */ value) => Date.parse(value.replace(' ', 'T').replace(/([+-]\d\d)$/, '$1:00')),
  },
  serializers: { [BOOL]: String },
})
const version = await db.query('select version()')
parentPort?.postMessage({ id: 0, rows: version.rows, count: 1 })

parentPort?.on('message', async ({ id, text, params }) => {
  try {
    if (text === null) {
      await db.close()
      parentPort?.postMessage({ id, rows: [], count: 0 })
      return
    }
    const result = params ? await db.query(text, params) : ((await db.exec(text)).at(-1) ?? { rows: [], affectedRows: 0 })
    parentPort?.postMessage({ id, rows: result.rows, count: Math.max(result.affectedRows ?? 0, result.rows.length) })
  } catch (error) {
    // A SQLSTATE marks an error of the statement; without one the engine itself is broken (out of memory, disk full).
    parentPort?.postMessage({ id, error: { message: String(error?.message ?? error), state: error?.code ?? 'XX001' } })
  }
})
