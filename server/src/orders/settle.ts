// What was said of a stop in; the stop settled, its order told, the run ended with its last stop, or a conflict for the dispatcher out.
import type { Fault } from '@doorstep/shared/codes'
import { type FailReason, next, type OrderAction } from '@doorstep/shared/order'
import { fail, ok, type Result } from '@doorstep/shared/result'
import type { RunStop } from '@doorstep/shared/track'
import type { Millis } from '@doorstep/shared/units'
import { type HeldRun, type HeldStop, isAhead, saveRun, stopsOf } from './held.ts'
import { apply, type Held, record, type Work } from './ledger.ts'
import { sameRouteAgain } from './way.ts'

export interface Said {
  readonly type: 'arrived' | 'delivered' | 'failed'
  readonly at: Millis
  readonly source: 'driver' | 'dispatcher' | 'geofence'
  readonly reason?: FailReason
  readonly note?: string
  readonly expectedVersion?: number
  /** It was known to be late by whoever says it. */
  readonly late?: boolean
}
const ACTION_OF = { arrived: 'arrive', delivered: 'deliver', failed: 'fail' } as const

/**
 * Somebody says what happened at a stop. What the table refuses is not applied; when it comes from the street it is written down
 * as a conflict for the dispatcher, for the parcel may really have been handed over (O4).
 */
export async function settle(w: Work, run: HeldRun, stop: HeldStop, order: Held, said: Said): Promise<Result<number, Fault>> {
  if (said.expectedVersion !== undefined && said.expectedVersion !== order.version)
    return fail({ code: 'VERSION', version: order.version, status: order.status })
  const action = ACTION_OF[said.type]
  const late = said.late === true || said.at < order.status_at
  const data = { ...(said.reason && { reason: said.reason }), ...(said.note && { note: said.note }), stopId: stop.id }
  // a run that has not started has no arrivals; the parcel is perhaps still in the shop
  const there = run.status === 'started' || (run.status === 'finished' && stop.status === 'failed')
  const to = there && order.stop_id === stop.id ? next(order.status, action) : null
  if (to === null) {
    if (said.type === 'arrived') return lateArrival(w, stop, order, said)
    const refused = { code: 'TRANSITION', status: order.status, version: order.version } as const
    if (said.source !== 'driver' || order.status === 'delivered') return fail(refused)
    await record(w, order, { type: 'order.conflict', at: said.at, late, data: { ...data, said: said.type } })
    w.keep = true
    return fail({ ...refused, version: order.version })
  }
  if (said.type === 'arrived' && stop.status === 'arrived') return ok(order.version)
  await apply(w, order, action, { at: said.at, late, data, source: said.source })
  const status = said.type === 'arrived' ? 'arrived' : said.type === 'delivered' ? 'done' : 'failed'
  await saveStop(w, stop, status, said)
  await saveRun(w, run)
  await finishWhenDone(w, run)
  return ok(order.version)
}

/** Known only now, after the stop was settled: its true time is written down, the status stays. */
async function lateArrival(w: Work, stop: HeldStop, order: Held, said: Said): Promise<Result<number, Fault>> {
  if (stop.arrived_at !== null && said.at >= stop.arrived_at) return ok(order.version)
  if (stop.status === 'pending' || stop.status === 'cancelled')
    return fail({ code: 'TRANSITION', status: order.status, version: order.version })
  await record(w, order, { type: 'order.arrived', at: said.at, late: true, data: { stopId: stop.id }, source: said.source })
  await saveStop(w, stop, stop.status, said)
  w.runs.add(stop.run_id)
  return ok(order.version)
}

async function saveStop(w: Work, stop: HeldStop, status: RunStop['status'], said: Said): Promise<void> {
  const arrived = Math.min(stop.arrived_at ?? said.at, said.at)
  stop.status = status
  await w.q.query(
    `update stops set status = $2, arrived_at = $3, fail_reason = $4,
       ended_at = case when $2 in ('done', 'failed') then coalesce(ended_at, $5) end where id = $1`,
    [stop.id, status, arrived, status === 'failed' ? (said.reason ?? 'other') : null, said.at],
  )
  // the outcome of every window shown for this door before the vehicle came
  await w.q.query('update predictions set outcome_at = $2 where stop_id = $1 and made_at <= $2', [stop.id, arrived])
}

/** Actions after which the parcel is no longer on its run. */
export const LEAVES_RUN: ReadonlySet<OrderAction> = new Set([
  'hold',
  'unassign',
  'cancel',
  'lose',
  'return',
  'retry',
  'make_available',
])

/** Takes a stop out of its run, when it is still ahead. The run must be held. */
export async function takeOff(w: Work, run: HeldRun, stop: string | null): Promise<boolean> {
  const { count } = await w.q.query(
    `update stops set status = 'cancelled', ended_at = $2 where id = $1 and status in ('pending', 'arrived')`,
    [stop, w.now],
  )
  if (count === 0) return false
  run.route_version = await sameRouteAgain(w, run)
  await saveRun(w, run)
  await finishWhenDone(w, run)
  return true
}

/** A started run of which every stop is settled has ended. */
async function finishWhenDone(w: Work, run: HeldRun): Promise<void> {
  if (run.status !== 'started' || (await stopsOf(w.q, run.id)).some((s) => isAhead(s.status))) return
  run.status = 'finished'
  await saveRun(w, run, { ended: w.now })
}
