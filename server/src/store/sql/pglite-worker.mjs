// Messages {id, text, params} in, {id, rows, count} or {id, error} out: the embedded PostgreSQL, in a thread of its own so that the
// server's loop never waits for it. Plain JavaScript, since a worker thread of Node 20 can't load TypeScript.
import { closeSync, fsyncSync, openSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { PGlite } from '@electric-sql/pglite'

const { dir, durable } = workerData
const [BOOL, INT8, DATE, TIMESTAMP, TIMESTAMPTZ, NUMERIC] = [16, 20, 1082, 1114, 1184, 1700]
const text = (/** @type {string} */ value) => value

const db = await PGlite.create({
  dataDir: dir,
  parsers: {
    [INT8]: Number,
    [NUMERIC]: Number,
    [DATE]: text,
    [TIMESTAMP]: text,
    [TIMESTAMPTZ]: (/** @type {string} */ value) => Date.parse(value.replace(' ', 'T').replace(/([+-]\d\d)$/, '$1:00')),
  },
  serializers: { [BOOL]: String },
  // Its own default is -F, fsync off. Only this method of the engine's reaches the file system's own.
  ...(durable
    ? { startParams: [...PGlite.defaultStartParams.filter((one) => one !== '-F'), '-c', 'fsync=on', '-c', 'wal_sync_method=fsync'] }
    : {}),
})
parentPort?.postMessage({ id: 0, rows: [{ durable: durable && (await flushes()) }], count: 1 })

/** Gives the engine's file system the fsync that it lacks (it answers "done" and does nothing). False when that has no effect. */
async function flushes() {
  const { FS } = db.Module
  let flushed = 0
  const stream = FS.open(`${PGlite.paths.PGDATA}/PG_VERSION`, 'r')
  stream.stream_ops.fsync = (/** @type {{ nfd: number }} */ file) => {
    try {
      fsyncSync(file.nfd)
    } catch {
      throw new FS.ErrnoError(29) // EIO: the engine stops rather than believe it
    }
    flushed++
    return 0
  }
  FS.close(stream)
  await db.query("select pg_logical_emit_message(true, 'doorstep', 'start')")
  if (flushed === 0) return false
  // What was written before this: the first start, or the recovery after a crash. PostgreSQL does the same.
  await db.exec('checkpoint')
  flushFolder(dir)
  return true
}

function flushFolder(/** @type {string} */ folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) flushFolder(path)
    else if (entry.isFile()) flush(path)
  }
  if (process.platform !== 'win32') flush(folder)
}

function flush(/** @type {string} */ path) {
  const file = openSync(path, 'r')
  fsyncSync(file)
  closeSync(file)
}

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
    // A SQLSTATE marks an error of the statement. Without one it is a parameter of the wrong kind, or the engine itself is broken.
    const state = error?.code ?? ((await answers()) ? '22023' : 'XX001')
    parentPort?.postMessage({ id, error: { message: String(error?.message ?? error), state } })
  }
})

/** An aborted transaction answers too: with a SQLSTATE. */
async function answers() {
  try {
    await db.query('select 1')
    return true
  } catch (error) {
    return Boolean(error?.code)
  }
}
