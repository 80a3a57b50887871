// Checked batches in; committed rows out, many batches a transaction (group commit), and how far each device's queue is kept.
import type { Fault } from '@doorstep/shared/codes'
import { LIMITS, type Rejected } from '@doorstep/shared/ping'
import type { Kept } from '@doorstep/shared/protocol'
import { fail, ok, type Result } from '@doorstep/shared/result'
import type { Millis } from '@doorstep/shared/units'
import type { Crumb, Journal } from './journal.port.ts'
import { type Flush, type Queued, type Verdict, write } from './journal-write.ts'
import { type Sql, SqlError } from './sql/port.ts'

export interface JournalOptions {
  /** A row waits at most this long before its flush begins, ms; under load as long as flushes are apart. */
  readonly flushMs?: number
  /** A flush begins at once when so many rows wait. */
  readonly flushRows?: number
  /** Rows that may wait; then BUSY. */
  readonly most?: number
  /** Told of an error that is no fault of the sender or the line: a bug to be logged. */
  readonly onBug?: (error: unknown) => void
}

/** Plain counts since the start. */
export interface JournalStats {
  readonly kept: number
  readonly quarantined: number
  /** Fixes that had been stored before. */
  readonly repeated: number
  readonly skipped: number
  readonly gaps: number
  readonly busy: number
  readonly retried: number
  readonly flushes: number
  readonly waiting: number
}

/** While the database is away it is asked again after so long, ms; until then senders are told RETRY without waiting. */
const PROBE_MS = 500
/** A flush of so many rows is load: the next begins so long after it at the earliest, ms. The statements cost the same for 40 rows as for 240. */
const LOAD_ROWS = 16
const LOAD_MS = 60
/** Most rows of one flush: a bigger one would hold the acknowledgements of the small ones back. */
const FLUSH_MOST = 2_000

/** Queues whose end is remembered. */
const KNOWN_MOST = 50_000

interface Waiting {
  readonly one: Queued
  readonly rows: number
  readonly resolve: (answer: Result<Kept, Fault>) => void
}

export function openJournal(sql: Sql, options: JournalOptions = {}): Journal & { stats(): JournalStats } {
  const { flushMs = 10, flushRows = 500, most = 20_000, onBug = () => {} } = options
  const count = { kept: 0, quarantined: 0, repeated: 0, skipped: 0, gaps: 0, busy: 0, retried: 0, flushes: 0 }
  /** How far queues are kept as of this node's last write; the database is asked whether it is still so. */
  const known = new Map<string, number>()
  let queue: Waiting[] = []
  let rowsWaiting = 0
  let timer: NodeJS.Timeout | undefined
  /** Before this no flush begins by itself. */
  let notBefore = 0
  let draining = false
  let drained: Promise<void> = Promise.resolve()
  let healthy = true
  let closed = false
  let probe: NodeJS.Timeout | undefined

  const retry = (): Result<Kept, Fault> => {
    count.retried++
    return fail({ code: 'RETRY', retryAfterMs: 1_000 })
  }

  const join = (one: Queued, rows: number): Promise<Result<Kept, Fault>> => {
    if (closed || !healthy) return Promise.resolve(retry())
    if (rowsWaiting + rows > most) {
      count.busy++
      return Promise.resolve(fail({ code: 'BUSY', retryAfterMs: 1_000 }))
    }
    rowsWaiting += rows
    return new Promise((resolve) => {
      queue.push({ one, rows, resolve })
      if (rowsWaiting >= flushRows) void flush()
      else if (!draining) flushSoon()
    })
  }
  const flushSoon = () => {
    timer ??= setTimeout(flush, Math.max(flushMs, notBefore - performance.now()))
  }

  const settle = (one: Waiting, told: Result<Kept, Fault>) => {
    rowsWaiting -= one.rows
    one.resolve(told)
  }

  /** One flush at a time: batches of one device are written in the order in which they came. */
  const flush = (): Promise<void> => {
    clearTimeout(timer)
    timer = undefined
    if (!draining && queue.length > 0) drained = drain()
    return drained
  }

  const drain = async (): Promise<void> => {
    draining = true
    do {
      let rows = 0
      let n = 0
      while (n < queue.length && (n === 0 || rows + queue[n]!.rows <= FLUSH_MOST)) rows += queue[n++]!.rows
      const taken = queue.slice(0, n)
      queue = queue.slice(n)
      if (rows >= LOAD_ROWS) notBefore = performance.now() + LOAD_MS
      await commit(taken)
    } while (queue.length > 0 && (closed || rowsWaiting >= flushRows))
    draining = false // in the same turn as the check above: nobody can join in between
    if (queue.length > 0) flushSoon()
  }

  const commit = async (taken: readonly Waiting[]): Promise<void> => {
    try {
      const batches = taken.map((waiting) => waiting.one)
      const done = await sql.tx((q) => write(q, batches, known), 'ingest')
      count.flushes++
      if (known.size > KNOWN_MOST) known.clear()
      for (const [key, hi] of done.upto) known.set(key, hi)
      tally(done)
      taken.forEach((one, i) => {
        settle(one, answer(one.one, done.verdicts[i]!))
      })
    } catch (error) {
      if (error instanceof SqlError && error.unavailable) {
        away()
        for (const one of taken) settle(one, retry())
      } else if (taken.length > 1) {
        // One batch that the database can't take must not cost its neighbours their acknowledgement.
        for (const one of taken) await commit([one])
      } else {
        onBug(error)
        for (const one of taken) settle(one, fail({ code: 'INTERNAL' }))
      }
    }
  }

  const tally = (done: Flush) => {
    count.kept += done.kept
    count.quarantined += done.quarantined
    count.repeated += done.repeated
    count.skipped += done.skipped
    count.gaps += done.verdicts.filter((v) => v.kind === 'gap').length
  }

  /** Until the database answers again nobody waits for it; those who wait already are told now. */
  const away = () => {
    healthy = false
    const told = queue
    queue = []
    for (const one of told) settle(one, retry())
    const ask = async () => {
      if (closed) return
      // A write, since a standby and a full disk answer reads all the same. The row is everybody's and says nothing.
      const writable = await sql.query('update system set one = true').then(
        () => true,
        () => false,
      )
      if (writable) healthy = true
      else if (!closed) probe = setTimeout(ask, PROBE_MS)
    }
    clearTimeout(probe)
    probe = setTimeout(ask, PROBE_MS)
  }

  const reading = async <T>(work: () => Promise<T>): Promise<Result<T, Fault>> => {
    try {
      return ok(await work())
    } catch (error) {
      if (!(error instanceof SqlError && error.unavailable)) onBug(error)
      return fail({ code: 'RETRY', retryAfterMs: 1_000 })
    }
  }

  return {
    keep(device, driver, batch, receivedAt) {
      if (batch.fixes.length + batch.rejected.length === 0) return this.upto(device, batch.qid)
      return join({ kind: 'batch', device, driver, batch, at: receivedAt }, batch.fixes.length + batch.rejected.length)
    },
    skip(device, qid, from, to, at) {
      if (!(Number.isSafeInteger(from) && Number.isSafeInteger(to) && from >= 1 && to >= from)) {
        return Promise.resolve(fail({ code: 'BAD_BATCH', field: 'from' }))
      }
      return join({ kind: 'skip', device, qid, from, to, at }, 1)
    },
    upto: (device, qid) =>
      reading(async () => {
        const { rows } = await sql.query<{ hi: number }>('select hi from device_queue where device_id = $1 and qid = $2', [
          device,
          qid,
        ])
        return { qid, upto: rows[0]?.hi ?? 0, rejected: [] }
      }),
    async trail(driver, from, to, limit) {
      const { rows } = await sql.tx(
        // A fix is received after it was made, but for the clock's error that is let pass: older partitions can't hold it.
        (q) =>
          q.query<Crumb>(
            `select (extract(epoch from fix_time) * 1000)::float8 as t, seq, lng, lat, speed, heading, accuracy from fixes
             where driver_no = $1 and fix_time >= to_timestamp($2::float8 / 1000) and fix_time < to_timestamp($3::float8 / 1000)
               and day >= (to_timestamp(($2::float8 - ${LIMITS.future}) / 1000) at time zone 'UTC')::date
             order by fix_time, seq limit $4`,
            [driver, from, to, limit],
          ),
        'reports',
      )
      return rows
    },
    async last() {
      const { rows } = await sql.query<Awaited<ReturnType<Journal['last']>>[number]>(
        `select distinct on (driver_no) driver_no as no, fix_time as t, seq, lng, lat, speed, heading, accuracy
         from device_last order by driver_no, fix_time desc, seq desc`,
      )
      return rows
    },
    get healthy() {
      return healthy
    },
    get waiting() {
      return rowsWaiting
    },
    stats: () => ({ ...count, waiting: rowsWaiting }),
    async close() {
      closed = true
      clearTimeout(probe)
      await flush()
    },
  }
}

function answer(one: Queued, verdict: Verdict): Result<Kept, Fault> {
  if (verdict.kind === 'gap') return fail({ code: 'GAP', expect: verdict.expect })
  if (verdict.kind === 'far') return fail({ code: 'BAD_BATCH', field: 'seq', expect: verdict.expect })
  const rejected: readonly Rejected[] = one.kind === 'batch' ? one.batch.rejected : []
  return ok({ qid: one.kind === 'batch' ? one.batch.qid : one.qid, upto: verdict.upto, rejected })
}

/** What a retention run did. */
export interface Retained {
  readonly partitionsMade: number
  readonly partitionsDropped: number
  readonly forgotten: number
}

/**
 * Makes the partitions of the coming week and forgets what is older than `days` days: run at boot and once a day, on any number of
 * nodes. Quarantined fixes go after 7 days, the marks of fixes stored beyond a gap when the gap is closed or after 31 days (an older
 * fix is quarantined anyway).
 */
export async function retain(sql: Sql, now: Millis, days: number): Promise<Retained> {
  const day = (ms: number) => new Date(ms).toISOString().slice(0, 10)
  const DAY = 86_400_000
  return sql.tx(async (q) => {
    const made = await q.query<{ n: number }>('select ensure_fix_partitions($1::date, 9) as n', [day(now - DAY)])
    const dropped = await q.query<{ n: number }>('select drop_fix_partitions($1::date) as n', [day(now - days * DAY)])
    const quarantine = await q.query('delete from fix_quarantine where received_at < $1', [new Date(now - 7 * DAY)])
    const recent = await q.query(
      `delete from fix_recent r where r.received_at < $1
         or exists (select from device_queue d where d.device_id = r.device_id and d.qid = r.qid and d.hi >= r.seq)`,
      [new Date(now - 31 * DAY)],
    )
    await q.query(
      `update device_queue d set ahead = false
       where ahead and not exists (select from fix_recent r where r.device_id = d.device_id and r.qid = d.qid)`,
    )
    return {
      partitionsMade: made.rows[0]!.n,
      partitionsDropped: dropped.rows[0]!.n,
      forgotten: quarantine.count + recent.count,
    }
  }, 'slow')
}
