// Ids in; what the database knows of a run, its route or an order at one moment out, in the shapes that nodes remember.
import { createHash } from 'node:crypto'
import { LIFE, type OrderStatus } from '@doorstep/shared/order'
import { type Route, route } from '@doorstep/shared/route'
import type { OrderView, RunStop, WindowReason } from '@doorstep/shared/track'
import type { DriverId, DriverNo, LngLat, Millis, OrderId, RunId, Seconds } from '@doorstep/shared/units'
import type { Sql } from '../store/sql/port.ts'
import type { OrderBase, RunPlan } from './port.ts'

export interface Prepared {
  readonly route: Route
  readonly confidence: 'road' | 'low'
}
/** A version of a run's route, prepared. It never changes. */
export async function readRoute(sql: Sql, run: RunId, version: number): Promise<Prepared> {
  const { rows } = await sql.query<{ line: LngLat[]; segment_seconds: Seconds[] | null; confidence: 'road' | 'low' }>(
    'select line, segment_seconds, confidence from run_routes where run_id = $1 and version = $2',
    [run, version],
  )
  const row = rows[0]
  if (!row) throw new Error(`route ${version} of a run is missing`)
  return { route: route(row.line, row.segment_seconds ?? undefined), confidence: row.confidence }
}

interface StopRow {
  id: string
  order_id: OrderId
  number: string
  label: string
  lng: number
  lat: number
  along_m: number
  service_s: number
  status: RunStop['status']
  window_from: Millis | null
  window_to: Millis | null
  window_since: Millis | null
  window_reason: WindowReason | null
  promise_from: Millis | null
  promise_to: Millis | null
}
export interface RunRow {
  version: number
  driver_id: DriverId | null
  driver_no: DriverNo | null
  started_at: Millis | null
  status: RunPlan['status']
  route_version: number
  stops: StopRow[]
}

// One statement, therefore one moment: a run is never seen half changed.
const RUN = `
  select r.version, r.driver_id, d.no as driver_no, r.status, r.started_at, r.route_version,
    coalesce((select jsonb_agg(jsonb_build_object('id', s.id, 'order_id', o.id, 'number', o.number, 'label', o.label,
        'lng', o.lng, 'lat', o.lat, 'along_m', s.along_m, 'service_s', o.service_s, 'status', s.status,
        'window_from', s.window_from, 'window_to', s.window_to, 'window_since', s.window_since, 'window_reason', s.window_reason,
        'promise_from', o.promise_from, 'promise_to', o.promise_to) order by s.place, s.id)
      from stops s join orders o on o.id = s.order_id where s.run_id = r.id and s.status <> 'cancelled'), '[]') as stops
  from runs r left join drivers d on d.id = r.driver_id where r.id = $1`

export async function readRun(sql: Sql, id: RunId): Promise<RunRow | null> {
  return (await sql.query<RunRow>(RUN, [id])).rows[0] ?? null
}

export function toStop(s: StopRow): RunStop {
  return {
    id: s.id,
    orderId: s.order_id,
    orderNumber: s.number,
    label: s.label,
    door: [s.lng, s.lat],
    along: s.along_m,
    service: s.service_s,
    status: s.status,
    window: toWindow(s),
    promise: s.promise_from !== null && s.promise_to !== null ? { from: s.promise_from, to: s.promise_to } : null,
  }
}
function toWindow(s: Pick<StopRow, 'window_from' | 'window_to' | 'window_since' | 'window_reason'>): RunStop['window'] {
  if (s.window_from === null || s.window_to === null || s.window_since === null || s.window_reason === null) return null
  return { from: s.window_from, to: s.window_to, since: s.window_since, reason: s.window_reason }
}

export interface OrderFacts extends Pick<StopRow, 'window_from' | 'window_to' | 'window_since' | 'window_reason'> {
  id: OrderId
  number: string
  version: number
  merchant: string
  recipient: string
  status: OrderStatus
  label: string
  lng: number
  lat: number
  promise_from: Millis | null
  promise_to: Millis | null
  run_id: RunId | null
  driver_id: DriverId | null
  driver_name: string | null
  vehicle: string | null
  steps: { status: OrderStatus; at: Millis; reason: string | null }[]
}
const ORDER = `
  select o.id, o.number, o.version, o.merchant, o.recipient, o.status, o.label, o.lng, o.lat, o.promise_from, o.promise_to, o.run_id,
    s.window_from, s.window_to, s.window_since, s.window_reason, d.id as driver_id, d.name as driver_name, d.vehicle,
    (select jsonb_agg(jsonb_build_object('status', e.status, 'at', e.occurred_at, 'reason', e.data->>'reason') order by e.sequence)
      from order_events e where e.order_id = o.id and e.status is not null) as steps
  from orders o left join runs r on r.id = o.run_id left join drivers d on d.id = r.driver_id left join stops s on s.id = o.stop_id
  where o.id = $1`

export async function readOrder(sql: Sql, id: OrderId): Promise<OrderFacts | null> {
  return (await sql.query<OrderFacts>(ORDER, [id])).rows[0] ?? null
}

export function toView(o: OrderFacts, epoch: string): OrderBase['view'] {
  const live = LIFE[o.status].live
  const failed = o.steps.findLast((step) => step.status === 'delivery_attempted')
  return {
    epoch,
    ev: o.version,
    number: o.number,
    merchant: o.merchant,
    recipient: o.recipient,
    status: o.status,
    steps: stepsOf(o.steps),
    door: { at: [o.lng, o.lat], label: o.label },
    window: live ? toWindow(o) : null,
    promise: o.promise_from !== null && o.promise_to !== null ? { from: o.promise_from, to: o.promise_to } : null,
    attempt:
      failed && o.status !== 'delivered' && o.status !== 'completed'
        ? { reason: attemptReason(failed.reason), at: failed.at }
        : null,
    driver:
      live && o.driver_id && o.driver_name
        ? { name: firstName(o.driver_name), alias: alias(o.id, o.driver_id), vehicle: o.vehicle ?? '' }
        : null,
  }
}

type Attempt = NonNullable<OrderView['attempt']>
const attemptReason = (reason: string | null): Attempt['reason'] => (reason ?? 'other') as Attempt['reason']

/** The road to the present status: an order that went back has not yet been where it will go again. */
function stepsOf(all: OrderFacts['steps']): OrderView['steps'] {
  const road: { status: OrderStatus; at: Millis }[] = []
  for (const { status, at } of all) {
    const before = road.findIndex((step) => step.status === status)
    if (before >= 0) road.length = before
    road.push({ status, at })
  }
  return road
}

const firstName = (name: string): string => name.split(/\s+/, 1)[0] ?? name

/** Four letters and digits that stand for this driver on this order alone (V5); on another order the same driver has others. */
const alias = (order: OrderId, driver: DriverId): string =>
  createHash('sha256').update(`alias ${order} ${driver}`).digest('base64url').replace(/[-_]/g, '').slice(0, 4).toUpperCase()
