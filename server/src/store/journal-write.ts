// A handful of batches in, one transaction's worth of statements and a verdict for each batch out.
import { type Batch, type Fix, type FixFlag, LIMITS } from '@doorstep/shared/ping'
import type { DeviceId, DriverNo, Millis } from '@doorstep/shared/units'
import type { Query } from './sql/port.ts'

export type Queued =
  | { readonly kind: 'batch'; readonly device: DeviceId; readonly driver: DriverNo; readonly batch: Batch; readonly at: Millis }
  | {
      readonly kind: 'skip'
      readonly device: DeviceId
      readonly qid: string
      readonly from: number
      readonly to: number
      readonly at: Millis
    }

/** kept: all of 1..upto are committed · gap: stored, but `expect` is missing · far: beyond any honest queue, nothing stored. */
export type Verdict =
  | { readonly kind: 'kept'; readonly upto: number }
  | { readonly kind: 'gap'; readonly expect: number }
  | { readonly kind: 'far'; readonly expect: number }

export interface Flush {
  readonly verdicts: readonly Verdict[]
  readonly kept: number
  readonly quarantined: number
  readonly repeated: number
  readonly skipped: number
  /** How far each queue is kept now, by its key: to be handed to the next `write` as `known`. */
  readonly upto: readonly (readonly [key: string, hi: number])[]
}

interface Row {
  readonly device: DeviceId
  readonly driver: DriverNo
  readonly qid: string
  readonly at: Millis
  readonly fix: Fix
}
interface Queue {
  readonly device: DeviceId
  readonly qid: string
  /** As the database had it. */
  readonly before: number
  hi: number
  ahead: boolean
  /** Seqs beyond a gap that are stored already, on whatever day. */
  readonly stored: Set<number>
}

/**
 * Writes what the batches bring: fixes, quarantine, skips, how far each queue is kept (only without a gap), and the newest fix of each
 * device (only forward). `known` is how far queues were kept when this node last wrote: the database tells only where that is no longer so. Queue rows are locked first, in one order everywhere, so that nodes that flush at once wait and don't deadlock.
 */
export async function write(q: Query, batches: readonly Queued[], known: ReadonlyMap<string, number> = new Map()): Promise<Flush> {
  const queues = await lockQueues(q, batches, known)
  const rows: Row[] = []
  const beyond: Row[] = []
  const quarantine: { device: DeviceId; qid: string; seq: number; code: string; at: Millis }[] = []
  const skips: Extract<Queued, { kind: 'skip' }>[] = []
  let repeated = 0
  const verdicts = batches.map((one): Verdict => {
    const queue = queues.get(keyOf(one))!
    const from = one.kind === 'skip' ? one.from : firstSeq(one.batch)
    if (from > queue.hi + LIMITS.seqAhead) return { kind: 'far', expect: queue.hi + 1 }
    if (one.kind === 'skip') {
      if (one.from > queue.hi + 1) return { kind: 'gap', expect: queue.hi + 1 }
      if (one.to > queue.hi) skips.push(one)
      queue.hi = Math.max(queue.hi, one.to)
      return { kind: 'kept', upto: queue.hi }
    }
    const { batch, device, driver, at } = one
    const known = queue.hi
    queue.hi = advance(queue.hi, batch)
    for (const fix of batch.fixes) {
      // All of 1..hi are kept, and `stored` remembers across midnight what came before its turn.
      if (fix.seq <= known || queue.stored.has(fix.seq)) {
        repeated++
        continue
      }
      const row = { device, driver, qid: batch.qid, at, fix }
      rows.push(row)
      if (fix.seq > queue.hi) {
        beyond.push(row)
        queue.stored.add(fix.seq)
        queue.ahead = true
      }
    }
    for (const { seq, code } of batch.rejected) if (seq > known) quarantine.push({ device, qid: batch.qid, seq, code, at })
    return queue.hi >= lastSeq(batch) ? { kind: 'kept', upto: queue.hi } : { kind: 'gap', expect: queue.hi + 1 }
  })
  if (beyond.length > 0) {
    await q.query(
      `insert into fix_recent (device_id, qid, seq, received_at)
       select * from unnest($1::uuid[], $2::text[], $3::int8[], $4::timestamptz[]) on conflict do nothing`,
      [beyond.map((r) => r.device), beyond.map((r) => r.qid), beyond.map((r) => r.fix.seq), beyond.map((r) => new Date(r.at))],
    )
  }
  if (quarantine.length > 0) {
    await q.query(
      `insert into fix_quarantine (device_id, qid, seq, code, received_at)
       select * from unnest($1::uuid[], $2::text[], $3::int8[], $4::text[], $5::timestamptz[]) on conflict do nothing`,
      [
        quarantine.map((r) => r.device),
        quarantine.map((r) => r.qid),
        quarantine.map((r) => r.seq),
        quarantine.map((r) => r.code),
        quarantine.map((r) => new Date(r.at)),
      ],
    )
  }
  if (skips.length > 0) {
    await q.query(
      `insert into fix_skips (device_id, qid, from_seq, to_seq, received_at)
       select * from unnest($1::uuid[], $2::text[], $3::int8[], $4::int8[], $5::timestamptz[]) on conflict do nothing`,
      [
        skips.map((s) => s.device),
        skips.map((s) => s.qid),
        skips.map((s) => s.from),
        skips.map((s) => s.to),
        skips.map((s) => new Date(s.at)),
      ],
    )
  }
  const moved = [...queues.values()].filter((one) => one.hi > one.before || one.ahead)
  const kept = await keep(q, rows, moved)
  const skipped = skips.reduce((sum, one) => sum + one.to - one.from + 1, 0)
  return {
    verdicts,
    kept,
    quarantined: quarantine.length,
    repeated: repeated + rows.length - kept,
    skipped,
    upto: [...queues].map(([key, { hi }]) => [key, hi] as const),
  }
}

/** The end of the run without a hole that begins at hi + 1: a batch that leaves a seq out can't claim it. */
function advance(hi: number, batch: Batch): number {
  // Nearly always one or more fixes that go on where the last ones ended.
  if (batch.rejected.length === 0 && batch.from === hi + 1 && batch.to - batch.from + 1 === batch.fixes.length) return batch.to
  const seqs = [...batch.fixes.map((f) => f.seq), ...batch.rejected.map((r) => r.seq)].sort((a, b) => a - b)
  for (const seq of seqs) {
    if (seq > hi + 1) break
    if (seq === hi + 1) hi = seq
  }
  return hi
}
const firstSeq = (batch: Batch) => Math.min(batch.fixes[0]?.seq ?? Infinity, batch.rejected[0]?.seq ?? Infinity)
const lastSeq = (batch: Batch) => Math.max(batch.fixes.at(-1)?.seq ?? 0, batch.rejected.at(-1)?.seq ?? 0)
const qidOf = (one: Queued) => (one.kind === 'skip' ? one.qid : one.batch.qid)
const keyOf = (one: Queued) => `${one.device} ${qidOf(one)}`

async function lockQueues(q: Query, batches: readonly Queued[], known: ReadonlyMap<string, number>): Promise<Map<string, Queue>> {
  const wanted = new Map(batches.map((one) => [keyOf(one), one]))
  const all = [...wanted]
  const { rows } = await q.query<{ device_id: DeviceId; qid: string; hi: number; ahead: boolean }>(
    `with locked as (
       insert into device_queue (device_id, qid, seen_at)
       select device_id, qid, seen_at from unnest($1::uuid[], $2::text[], $3::timestamptz[]) as n (device_id, qid, seen_at) order by 1, 2
       on conflict (device_id, qid) do update set seen_at = excluded.seen_at
       returning device_id, qid, hi, ahead)
     select l.device_id, l.qid, l.hi, l.ahead from locked l
     join unnest($1::uuid[], $2::text[], $4::int8[]) as e (device_id, qid, hi) on l.device_id = e.device_id and l.qid = e.qid
     where l.ahead or l.hi is distinct from e.hi`,
    [
      all.map(([, one]) => one.device),
      all.map(([, one]) => qidOf(one)),
      all.map(([, one]) => new Date(one.at)),
      all.map(([key]) => known.get(key) ?? null),
    ],
  )
  const told = new Map(rows.map((row) => [`${row.device_id} ${row.qid}`, row.hi]))
  const queues = new Map(
    all.map(([key, one]): [string, Queue] => {
      const hi = told.get(key) ?? known.get(key) ?? 0
      return [key, { device: one.device, qid: qidOf(one), before: hi, hi, ahead: false, stored: new Set() }]
    }),
  )
  const ahead = rows.filter((row) => row.ahead)
  if (ahead.length === 0) return queues
  const stored = await q.query<{ device_id: DeviceId; qid: string; seq: number }>(
    `select r.device_id, r.qid, r.seq from fix_recent r
     join unnest($1::uuid[], $2::text[], $3::int8[]) as n (device_id, qid, hi)
       on r.device_id = n.device_id and r.qid = n.qid and r.seq > n.hi`,
    [ahead.map((r) => r.device_id), ahead.map((r) => r.qid), ahead.map((r) => r.hi)],
  )
  for (const row of stored.rows) queues.get(`${row.device_id} ${row.qid}`)?.stored.add(row.seq)
  return queues
}

const FLAG_BITS: Record<FixFlag, number> = { mock: 1, speed: 2, heading: 4, altitude: 8, battery: 16, rollover: 32 }

/**
 * The fixes, how far their queues are kept, and each device's newest fix (only forward): one statement, since each costs this process as much as a
 * hundred rows. Answers how many fixes were new.
 */
async function keep(q: Query, rows: readonly Row[], moved: readonly Queue[]): Promise<number> {
  if (rows.length + moved.length === 0) return 0
  const { count } = await q.query(
    `with n as (
       select * from unnest($1::uuid[], $2::text[], $3::int8[], $4::int4[], $5::float8[], $6::float8[], $7::float8[], $8::float8[],
         $9::float4[], $10::float4[], $11::float4[], $12::float4[], $13::float4[], $14::int2[])
         as n (device_id, qid, seq, driver_no, fix, received, lng, lat, accuracy, speed, heading, altitude, battery, flags)),
     queues as (
       update device_queue d set hi = greatest(d.hi, m.hi), ahead = d.ahead or m.ahead
       from unnest($15::uuid[], $16::text[], $17::int8[], $18::bool[]) as m (device_id, qid, hi, ahead)
       where d.device_id = m.device_id and d.qid = m.qid),
     newest as (
       insert into device_last as l (device_id, driver_no, fix_time, seq, lng, lat, accuracy, speed, heading)
       select distinct on (device_id) device_id, driver_no, to_timestamp(fix / 1000), seq, lng, lat, accuracy, speed, heading
       from n order by device_id, fix desc, seq desc
       on conflict (device_id) do update set driver_no = excluded.driver_no, fix_time = excluded.fix_time, seq = excluded.seq,
         lng = excluded.lng, lat = excluded.lat, accuracy = excluded.accuracy, speed = excluded.speed, heading = excluded.heading
       where (excluded.fix_time, excluded.seq) > (l.fix_time, l.seq))
     insert into fixes (device_id, qid, seq, day, driver_no, fix_time, received_at, lng, lat, accuracy, speed, heading, altitude, battery, flags)
     select device_id, qid, seq, (to_timestamp(received / 1000) at time zone 'UTC')::date, driver_no, to_timestamp(fix / 1000),
       to_timestamp(received / 1000), lng, lat, accuracy, speed, heading, altitude, battery, flags
     from n on conflict do nothing`,
    [
      rows.map((r) => r.device),
      rows.map((r) => r.qid),
      rows.map((r) => r.fix.seq),
      rows.map((r) => r.driver),
      rows.map((r) => r.fix.recordedAt),
      rows.map((r) => r.at),
      rows.map((r) => r.fix.at[0]),
      rows.map((r) => r.fix.at[1]),
      rows.map((r) => r.fix.accuracy),
      rows.map((r) => r.fix.speed),
      rows.map((r) => r.fix.heading),
      rows.map((r) => r.fix.altitude),
      rows.map((r) => r.fix.battery),
      rows.map((r) => (r.fix.flags.length === 0 ? 0 : r.fix.flags.reduce((bits, flag) => bits | FLAG_BITS[flag], 0))),
      moved.map((m) => m.device),
      moved.map((m) => m.qid),
      moved.map((m) => m.hi),
      moved.map((m) => m.ahead),
    ],
  )
  return count
}
