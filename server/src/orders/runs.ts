// The dispatcher's and the driver's commands on runs and stops in; a run that is whole after each of them out.
import type { NewRun } from '@doorstep/shared/api'
import type { Fault } from '@doorstep/shared/codes'
import { type FailReason, next, type OrderAction } from '@doorstep/shared/order'
import { fail, ok, type Result } from '@doorstep/shared/result'
import { route } from '@doorstep/shared/route'
import type { RunStop } from '@doorstep/shared/track'
import type { DriverId, LngLat, Millis, RunId } from '@doorstep/shared/units'
import type { RoutePlan, Router } from '../routing/port.ts'
import type { Query } from '../store/sql/port.ts'
import { apply, type Held, hold, record, type Work } from './ledger.ts'
import type { RunPlan } from './port.ts'

export type RunStatus = RunPlan['status']
/** A run under lock. */
export interface HeldRun {
  readonly id: RunId
  status: RunStatus
  version: number
  driver_id: DriverId | null
  start_lng: number
  start_lat: number
  route_version: number
}
interface HeldStop {
  readonly id: string
  readonly order_id: string
  readonly run_id: RunId
  place: number
  status: RunStop['status']
  arrived_at: Millis | null
}

const open = (status: RunStop['status']): boolean => status === 'pending' || status === 'arrived'

/** Locks a run. Runs are always locked before orders, and orders in the order of their ids. */
export async function holdRun(q: Query, id: string): Promise<HeldRun | null> {
  const { rows } = await q.query<HeldRun>(
    'select id, status, version, driver_id, start_lng, start_lat, route_version from runs where id = $1 for update',
    [id],
  )
  return rows[0] ?? null
}
export async function stopsOf(q: Query, run: string): Promise<HeldStop[]> {
  const { rows } = await q.query<HeldStop>(
    `select id, order_id, run_id, place, status, arrived_at from stops where run_id = $1 and status <> 'cancelled' order by place, id`,
    [run],
  )
  return rows
}

async function saveRun(w: Work, run: HeldRun, times: { started?: Millis; ended?: Millis } = {}): Promise<void> {
  run.version++
  await w.q.query(
    `update runs set status = $2, version = $3, driver_id = $4, route_version = $5,
       started_at = coalesce($6, started_at), ended_at = coalesce($7, ended_at) where id = $1`,
    [run.id, run.status, run.version, run.driver_id, run.route_version, times.started ?? null, times.ended ?? null],
  )
  w.runs.add(run.id)
}

/** Metres along the line as `route` measures it, whatever the router's own measure: the last waypoint is exactly the end. */
function alongs(plan: RoutePlan): number[] {
  const prepared = route(stored(plan.line))
  const scale = plan.length > 0 ? prepared.length / plan.length : 1
  return plan.waypoints.map((m) => Math.min(prepared.length, m * scale))
}

async function saveRoute(w: Work, run: string, version: number, plan: RoutePlan): Promise<void> {
  await w.q.query(
    `insert into run_routes (run_id, version, line, segment_seconds, length_m, seconds, confidence, source, made_at)
     values ($1, $2, $3::jsonb, $4::jsonb, $5, $6, $7, $8, $9)`,
    [
      run,
      version,
      JSON.stringify(stored(plan.line)),
      plan.segmentSeconds && JSON.stringify(plan.segmentSeconds.map((s) => Math.round(s * 100) / 100)),
      plan.length,
      plan.seconds,
      plan.confidence,
      plan.source,
      w.now,
    ],
  )
}
/** A line as it is stored: six decimals, 0.1 m. What is measured is what will be read. */
const stored = (line: readonly LngLat[]): LngLat[] => line.map(([lng, lat]) => [round(lng), round(lat)])
const round = (degrees: number): number => Math.round(degrees * 1e6) / 1e6

/** A plan that a run can be driven by: at least two vertices and one waypoint a door, after the start. */
const fits = (plan: RoutePlan, doors: number): boolean => plan.line.length >= 2 && plan.waypoints.length === doors + 1

/** Orders that can be put on a run, in the wanted order, or why not. */
async function loadable(w: Work, ids: readonly string[]): Promise<Result<Held[], Fault>> {
  const held = await hold(w.q, ids)
  const wanted: Held[] = []
  for (const id of ids) {
    const order = held.get(id)
    if (!order) return fail({ code: 'NOT_FOUND', field: 'orders' })
    if (order.run_id !== null) return fail({ code: 'CONFLICT', field: 'orders', version: order.version })
    if (next(order.status, 'process') === null)
      return fail({ code: 'TRANSITION', field: 'orders', status: order.status, version: order.version })
    wanted.push(order)
  }
  return ok(wanted)
}

/** The doors of orders in this order; null where there is no such order. */
export async function doorsOf(q: Query, ids: readonly string[]): Promise<(LngLat | null)[]> {
  const { rows } = await q.query<{ id: string; lng: number; lat: number }>(
    'select id, lng, lat from orders where id = any($1::uuid[])',
    [ids],
  )
  const doors = new Map(rows.map((r) => [r.id, [r.lng, r.lat] as const]))
  return ids.map((id) => doors.get(id) ?? null)
}

/** Makes a run of orders along a route that was asked for before, outside of the transaction. */
export async function makeRun(w: Work, wanted: NewRun, plan: RoutePlan): Promise<Result<string, Fault>> {
  if (!fits(plan, wanted.orders.length)) return fail({ code: 'NO_ROUTE' })
  const loaded = await loadable(w, wanted.orders)
  if (!loaded.ok) return loaded
  const id = w.newId()
  await w.q.query(
    `insert into runs (id, name, status, start_lng, start_lat, route_version, created_at) values ($1, $2, 'draft', $3, $4, 1, $5)`,
    [id, wanted.name ?? '', wanted.start[0], wanted.start[1], w.now],
  )
  await saveRoute(w, id, 1, plan)
  const along = alongs(plan)
  for (const [i, order] of loaded.value.entries()) await putOn(w, id, order, i, along[i + 1]!)
  w.runs.add(id)
  if (!wanted.driverId) return ok(id)
  const run = (await holdRun(w.q, id))!
  const assigned = await assignRun(w, run, wanted.driverId as DriverId)
  return assigned.ok ? ok(id) : assigned
}

async function putOn(w: Work, run: string, order: Held, place: number, along: number): Promise<void> {
  const stop = w.newId()
  await w.q.query(`insert into stops (id, run_id, order_id, place, along_m, status) values ($1, $2, $3, $4, $5, 'pending')`, [
    stop,
    run,
    order.id,
    place,
    along,
  ])
  await apply(w, order, 'process', { data: { runId: run }, change: { run_id: run, stop_id: stop } })
}

/** Gives the run to a driver, or to another one while it is under way. */
export async function assignRun(w: Work, run: HeldRun, driver: DriverId): Promise<Result<void, Fault>> {
  if (run.status === 'finished' || run.status === 'cancelled')
    return fail({ code: 'TRANSITION', status: run.status, version: run.version })
  const { rows } = await w.q.query('select 1 from drivers where id = $1', [driver])
  if (rows.length === 0) return fail({ code: 'NOT_FOUND', field: 'driverId' })
  if (run.status === 'started' && (await isDriving(w.q, driver, run.id))) return fail({ code: 'CONFLICT', field: 'driverId' })
  if (run.driver_id === driver) return ok(undefined)
  run.driver_id = driver
  if (run.status === 'draft') run.status = 'assigned'
  await saveRun(w, run)
  await each(w, run.id, 'assign')
  return ok(undefined)
}

async function isDriving(q: Query, driver: string, but: string): Promise<boolean> {
  const { rows } = await q.query(`select 1 from runs where driver_id = $1 and status = 'started' and id <> $2`, [driver, but])
  return rows.length > 0
}

/** Does an action to the orders of all stops that are still ahead, where the table has the arrow. */
async function each(w: Work, run: string, action: OrderAction): Promise<void> {
  const ahead = (await stopsOf(w.q, run)).filter((s) => open(s.status))
  const orders = await hold(
    w.q,
    ahead.map((s) => s.order_id),
  )
  for (const order of orders.values()) await apply(w, order, action, { data: { runId: run } })
}

export async function startRun(w: Work, run: HeldRun): Promise<Result<void, Fault>> {
  if (run.status !== 'assigned' || run.driver_id === null)
    return fail({ code: 'TRANSITION', status: run.status, version: run.version })
  if (await isDriving(w.q, run.driver_id, run.id)) return fail({ code: 'CONFLICT', field: 'driverId' })
  run.status = 'started'
  await saveRun(w, run, { started: w.now })
  await each(w, run.id, 'start')
  return ok(undefined)
}

/** Ends a run: what was not reached goes back to be planned again. */
export async function endRun(w: Work, run: HeldRun, as: 'finished' | 'cancelled'): Promise<Result<void, Fault>> {
  const may = as === 'finished' ? run.status === 'started' : run.status !== 'finished' && run.status !== 'cancelled'
  if (!may) return fail({ code: 'TRANSITION', status: run.status, version: run.version })
  const ahead = (await stopsOf(w.q, run.id)).filter((s) => open(s.status))
  const orders = await hold(
    w.q,
    ahead.map((s) => s.order_id),
  )
  await w.q.query(`update stops set status = 'cancelled', ended_at = $2 where run_id = $1 and status in ('pending', 'arrived')`, [
    run.id,
    w.now,
  ])
  for (const order of orders.values())
    await apply(w, order, 'unassign', { data: { runId: run.id }, change: { run_id: null, stop_id: null } })
  run.status = as
  run.route_version = await sameRouteAgain(w, run)
  await saveRun(w, run, { ended: w.now })
  return ok(undefined)
}

/** The same line under a new version, since the stops along it have changed: an index of a stop is only good with its version. */
async function sameRouteAgain(w: Work, run: HeldRun): Promise<number> {
  await w.q.query(
    `insert into run_routes select run_id, version + 1, line, segment_seconds, length_m, seconds, confidence, source, $3::int8
     from run_routes where run_id = $1 and version = $2`,
    [run.id, run.route_version, w.now],
  )
  return run.route_version + 1
}

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
  if (run.status !== 'started' || (await stopsOf(w.q, run.id)).some((s) => open(s.status))) return
  run.status = 'finished'
  await saveRun(w, run, { ended: w.now })
}

/** Puts a new route under a run. `plan` goes from where the vehicle is to the doors still ahead, in their order. */
export async function layRoute(w: Work, run: HeldRun, plan: RoutePlan): Promise<boolean> {
  const stops = await stopsOf(w.q, run.id)
  const ahead = stops.filter((s) => open(s.status))
  if (!fits(plan, ahead.length)) return false
  run.route_version++
  await saveRoute(w, run.id, run.route_version, plan)
  const along = alongs(plan)
  await w.q.query(
    `update stops s set along_m = x.along, place = x.place
     from jsonb_to_recordset($1::jsonb) as x (id uuid, along float8, place integer) where s.id = x.id`,
    [
      JSON.stringify(
        // settled stops stay behind the vehicle, at the beginning of the new line
        [...stops.filter((s) => !open(s.status)), ...ahead].map((s, place, all) => ({
          id: s.id,
          place,
          along: open(s.status) ? along[place - (all.length - ahead.length) + 1] : 0,
        })),
      ),
    ],
  )
  await saveRun(w, run)
  return true
}

/** Puts one more order on a run that may be under way, before the `index`-th stop still ahead. */
export async function addStop(
  w: Work,
  run: HeldRun,
  orderId: string,
  index: number,
  plan: RoutePlan,
): Promise<Result<void, Fault>> {
  if (run.status === 'finished' || run.status === 'cancelled')
    return fail({ code: 'TRANSITION', status: run.status, version: run.version })
  const loaded = await loadable(w, [orderId])
  if (!loaded.ok) return loaded.fault.field ? fail({ ...loaded.fault, field: 'orderId' }) : loaded
  const order = loaded.value[0]!
  const stops = await stopsOf(w.q, run.id)
  const settled = stops.filter((s) => !open(s.status)).length
  const place = settled + index
  await w.q.query(
    `update stops s set place = x.place from jsonb_to_recordset($1::jsonb) as x (id uuid, place integer) where s.id = x.id`,
    [JSON.stringify(stops.map((s, i) => ({ id: s.id, place: i < place ? i : i + 1 })))],
  )
  await putOn(w, run.id, order, place, 0)
  if (run.driver_id) await apply(w, order, 'assign', { data: { runId: run.id } })
  if (run.status === 'started') await apply(w, order, 'start', { data: { runId: run.id } })
  return (await layRoute(w, run, plan)) ? ok(undefined) : fail({ code: 'CONFLICT', version: run.version })
}

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

export async function holdStop(q: Query, id: string): Promise<HeldStop | null> {
  const { rows } = await q.query<HeldStop>('select id, order_id, run_id, place, status, arrived_at from stops where id = $1', [id])
  return rows[0] ?? null
}

/** Where the way is made longest by the least, among the stops still ahead: straight lines will do for that. */
export function bestIndex(from: LngLat, ahead: readonly LngLat[], door: LngLat): number {
  const squeeze = Math.cos((door[1] * Math.PI) / 180)
  const far = (a: LngLat, b: LngLat): number => Math.hypot((a[0] - b[0]) * squeeze, a[1] - b[1])
  let best = ahead.length
  let least = far(ahead.at(-1) ?? from, door)
  for (const [i, then] of ahead.entries()) {
    const before = i === 0 ? from : ahead[i - 1]!
    const more = far(before, door) + far(door, then) - far(before, then)
    if (more < least) {
      least = more
      best = i
    }
  }
  return best
}

/** Asks for the way from a place through doors; one that fits, or null. */
export async function askRoute(
  router: Router,
  from: LngLat,
  doors: readonly LngLat[],
  heading?: number | null,
): Promise<RoutePlan | null> {
  const plan = await router.route([from, ...doors], heading === null || heading === undefined ? {} : { heading })
  return fits(plan, doors.length) ? plan : null
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
