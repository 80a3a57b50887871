// A run's id in, the run as dispatchers and its driver read it out.
import type { RunView } from '@doorstep/shared/api'
import type { OrderStatus } from '@doorstep/shared/order'
import type { RunStop, WindowReason } from '@doorstep/shared/track'
import type { LngLat, Metres, Millis, Seconds } from '@doorstep/shared/units'
import type { Query } from '../store/sql/port.ts'

interface Row {
  id: string
  name: string
  status: RunView['status']
  version: number
  driver_id: string | null
  route_version: number
  started_at: Millis | null
  length_m: Metres
  seconds: Seconds
  confidence: 'road' | 'low'
  source: string
  line?: LngLat[]
  segment_seconds?: Seconds[] | null
  stops: {
    id: string
    order_id: string
    number: string
    label: string
    lng: number
    lat: number
    along_m: Metres
    service_s: Seconds
    status: RunStop['status']
    note: string | null
    recipient: string
    order_status: OrderStatus
    order_version: number
    from: Millis | null
    to: Millis | null
    since: Millis | null
    reason: WindowReason | null
    promise_from: Millis | null
    promise_to: Millis | null
  }[]
}

const select = (line: string): string => `
  select r.id, r.name, r.status, r.version, r.driver_id, r.route_version, r.started_at,
    t.length_m, t.seconds, t.confidence, t.source${line},
    coalesce((select jsonb_agg(jsonb_build_object('id', s.id, 'order_id', o.id, 'number', o.number, 'label', o.label,
        'lng', o.lng, 'lat', o.lat, 'along_m', s.along_m, 'service_s', o.service_s, 'status', s.status, 'note', o.note,
        'recipient', o.recipient, 'order_status', o.status, 'order_version', o.version,
        'from', s.window_from, 'to', s.window_to, 'since', s.window_since, 'reason', s.window_reason,
        'promise_from', o.promise_from, 'promise_to', o.promise_to) order by s.place, s.id)
      from stops s join orders o on o.id = s.order_id where s.run_id = r.id and s.status <> 'cancelled'), '[]') as stops
  from runs r join run_routes t on t.run_id = r.id and t.version = r.route_version`

export async function viewOf(q: Query, id: string): Promise<RunView | null> {
  const { rows } = await q.query<Row>(`${select(', t.line, t.segment_seconds')} where r.id = $1`, [id])
  return rows[0] ? toView(rows[0]) : null
}

/** At most so many are told. */
const MOST = 500
/** And of those that have ended, so many, when nobody asks for them in particular. */
const MOST_ENDED = 50

/** Runs without their lines, newest first: those of a status, or all that are not over and the last of those that are. */
export async function runSummaries(q: Query, status?: RunView['status']): Promise<RunView[]> {
  const where = status
    ? 'r.status = $1'
    : `r.status in ('draft', 'assigned', 'started')
       or r.id in (select id from runs where status in ('finished', 'cancelled') order by id desc limit ${MOST_ENDED})`
  const { rows } = await q.query<Row>(`${select('')} where ${where} order by r.id desc limit ${MOST}`, status ? [status] : [])
  return rows.map(toView)
}

function toView(r: Row): RunView {
  return {
    id: r.id,
    name: r.name,
    status: r.status,
    version: r.version,
    driverId: r.driver_id,
    routeVersion: r.route_version,
    route: {
      line: r.line ?? [],
      length: r.length_m,
      seconds: r.seconds,
      ...(r.segment_seconds ? { segmentSeconds: r.segment_seconds } : {}),
      confidence: r.confidence,
      source: r.source,
    },
    stops: r.stops.map((s) => ({
      id: s.id,
      orderId: s.order_id,
      orderNumber: s.number,
      label: s.label,
      door: [s.lng, s.lat],
      along: s.along_m,
      service: s.service_s,
      status: s.status,
      window:
        s.from !== null && s.to !== null && s.since !== null && s.reason !== null
          ? { from: s.from, to: s.to, since: s.since, reason: s.reason }
          : null,
      promise: s.promise_from !== null && s.promise_to !== null ? { from: s.promise_from, to: s.promise_to } : null,
      note: s.note,
      recipient: s.recipient,
      orderStatus: s.order_status,
      orderVersion: s.order_version,
    })),
    startedAt: r.started_at,
  }
}
