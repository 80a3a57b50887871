// Windows to show in, kept beside what comes of them; what they were worth out (T10).
import type { Fault } from '@doorstep/shared/codes'
import { LIFE } from '@doorstep/shared/order'
import { ok, type Result } from '@doorstep/shared/result'
import type { Millis } from '@doorstep/shared/units'
import type { Query, Sql } from '../store/sql/port.ts'
import { type Calibration, DEFAULT_CALIBRATION, learn, type Outcome } from '../tracking/calibration.ts'
import { holdRun, stopsOf } from './held.ts'
import { hold, record, type Work } from './ledger.ts'
import type { EtaReport, WindowChange } from './port.ts'

/** Shows windows at stops that are still ahead and whose orders are out for delivery; others are passed over. */
export async function show(
  w: Work,
  runId: string,
  made: Millis,
  changes: readonly WindowChange[],
): Promise<Result<undefined, Fault>> {
  const run = await holdRun(w.q, runId)
  if (run?.status !== 'started') return ok(undefined)
  const pending = new Map((await stopsOf(w.q, runId)).filter((s) => s.status === 'pending').map((s) => [s.id, s]))
  const wanted = changes.filter((c) => pending.has(c.stopId))
  const orders = await hold(
    w.q,
    wanted.map((c) => pending.get(c.stopId)!.order_id),
  )
  const shown: (WindowChange & { horizon: number })[] = []
  for (const change of wanted) {
    const order = orders.get(pending.get(change.stopId)!.order_id)
    if (!order || !LIFE[order.status].live) continue
    if (order.promise_from === null) {
      order.promise_from = change.from
      order.promise_to = change.to
    }
    const { from, to, mid, reason } = change
    await record(w, order, { type: 'order.window_changed', at: made, source: 'system', data: { from, to, mid, reason } })
    shown.push({ ...change, horizon: Math.max(0, Math.round((mid - made) / 1000)) })
  }
  if (shown.length === 0) return ok(undefined)
  await w.q.query(
    `with x as (select * from jsonb_to_recordset($1::jsonb) as x ("stopId" uuid, "from" int8, "to" int8, mid int8, reason text, horizon int)),
       kept as (insert into predictions (stop_id, made_at, horizon_s, from_at, to_at, mid_at, reason)
         select "stopId", $2::int8, horizon, "from", "to", mid, reason from x on conflict do nothing)
     update stops s set window_from = x."from", window_to = x."to", window_mid = x.mid, window_since = $2::int8, window_reason = x.reason
     from x where s.id = x."stopId"`,
    [JSON.stringify(shown), made],
  )
  await w.q.query('update runs set version = version + 1 where id = $1', [runId])
  w.runs.add(run.id)
  return ok(undefined)
}

const DAYS_30 = 30 * 86_400_000

/** Coverage and error by time to go, from the windows of 30 days whose outcome is known. */
export async function report(q: Query, now: Millis): Promise<EtaReport> {
  const { rows } = await q.query<{ from: number; shown: number; coverage: number; median: number; bias: number; width: number }>(
    `select b as "from", count(*) as shown,
       avg(case when outcome_at between from_at and to_at then 1.0 else 0.0 end)::float8 as coverage,
       (percentile_cont(0.5) within group (order by abs(outcome_at - mid_at)) / 1000)::float8 as median,
       (avg(outcome_at - mid_at) / 1000)::float8 as bias, (avg(to_at - from_at) / 1000)::float8 as width
     from predictions cross join lateral (
       select max(v) as b from unnest(array[0, 120, 300, 900, 1800, 3600]) as v where v <= horizon_s) as bucket
     where outcome_at is not null and made_at >= $1 group by b order by b`,
    [now - DAYS_30],
  )
  return {
    horizons: rows.map((r) => ({
      from: r.from,
      shown: r.shown,
      coverage: r.coverage,
      medianError: r.median,
      bias: r.bias,
      width: r.width,
    })),
  }
}

/** Since when each horizon's factors hold, ms: what was shown before was made with others and teaches nothing about these. */
interface Learned {
  readonly model: Calibration
  readonly since: readonly Millis[]
}

export async function loadCalibration(q: Query): Promise<Learned | null> {
  const { rows } = await q.query<{ model: Learned }>('select model from eta_calibration')
  return rows[0]?.model ?? null
}

/** At most so many of the newest outcomes are learned from. */
const MOST_OUTCOMES = 50_000

export async function learnCalibration(sql: Sql, now: Millis): Promise<Calibration> {
  const before = (await loadCalibration(sql)) ?? { model: DEFAULT_CALIBRATION, since: [] }
  const outcomes = await sql.tx(async (q) => {
    const { rows } = await q.query<Outcome & { made: Millis }>(
      `select made_at as made, (from_at - made_at) / 1000.0::float8 as low, (mid_at - made_at) / 1000.0::float8 as mid,
         (to_at - made_at) / 1000.0::float8 as high, (outcome_at - made_at) / 1000.0::float8 as actual
       from predictions where outcome_at is not null and made_at >= $1 order by made_at desc limit ${MOST_OUTCOMES}`,
      [now - DAYS_30],
    )
    return rows
  }, 'reports')
  const { horizons } = before.model
  const fresh = outcomes.filter((o) => {
    const i = horizons.findIndex((h) => o.mid <= h.upTo)
    return o.made >= (before.since[i] ?? 0)
  })
  const model = learn(fresh, before.model)
  const since = model.horizons.map((h, i) => (h === horizons[i] ? (before.since[i] ?? 0) : now))
  await sql.query(
    `insert into eta_calibration (made_at, model) values ($1, $2::jsonb)
     on conflict (one) do update set made_at = excluded.made_at, model = excluded.model`,
    [now, JSON.stringify({ model, since } satisfies Learned)],
  )
  return model
}

export async function pruneOld(q: Query, now: Millis, days: number): Promise<void> {
  await q.query('delete from idem where at < $1', [now - 7 * 86_400_000])
  const old = now - days * 86_400_000
  await q.query('delete from predictions where made_at < $1', [old])
  await q.query('delete from sessions where expires_at < $1 or revoked_at < $1', [old])
  await q.query('delete from links where expires_at < $1 or revoked_at < $1', [old])
}
