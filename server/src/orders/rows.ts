// Questions in; orders, their events and the roster as people read them out.
import type { OrderRow } from '@doorstep/shared/api'
import type { Fault } from '@doorstep/shared/codes'
import { LIFE, type OrderEvent, type OrderStatus } from '@doorstep/shared/order'
import { fail, ok, type Result } from '@doorstep/shared/result'
import type { WindowReason } from '@doorstep/shared/track'
import type { LngLat, Millis } from '@doorstep/shared/units'
import type { Query } from '../store/sql/port.ts'
import { parseOrderNumber } from './id.ts'
import type { DriverBase, OrderQuery } from './port.ts'

interface Row {
  id: string
  number: string
  external_ref: string | null
  merchant: string
  recipient: string
  label: string
  lng: number
  lat: number
  note: string | null
  status: OrderStatus
  version: number
  run_id: string | null
  stop_id: string | null
  driver_id: string | null
  promise_from: Millis | null
  promise_to: Millis | null
  window_from: Millis | null
  window_to: Millis | null
  window_since: Millis | null
  window_reason: WindowReason | null
  created_at: Millis
  updated_at: Millis
}
const ROWS = `
  select o.id, o.number, o.external_ref, o.merchant, o.recipient, o.label, o.lng, o.lat, o.note, o.status, o.version, o.run_id, o.stop_id,
    r.driver_id, o.promise_from, o.promise_to, s.window_from, s.window_to, s.window_since, s.window_reason, o.created_at, o.updated_at
  from orders o left join runs r on r.id = o.run_id left join stops s on s.id = o.stop_id`

function toRow(r: Row): OrderRow {
  const { window_from: from, window_to: to, window_since: since, window_reason: reason } = r
  return {
    id: r.id,
    number: r.number,
    externalRef: r.external_ref,
    merchant: r.merchant,
    recipient: r.recipient,
    address: { label: r.label, at: [r.lng, r.lat] },
    note: r.note,
    status: r.status,
    version: r.version,
    runId: r.run_id,
    stopId: r.stop_id,
    driverId: r.driver_id,
    window:
      LIFE[r.status].live && from !== null && to !== null && since !== null && reason !== null ? { from, to, since, reason } : null,
    promise: r.promise_from !== null && r.promise_to !== null ? { from: r.promise_from, to: r.promise_to } : null,
    createdAt: r.created_at,
    updatedAt: r.updated_at,
  }
}

export async function orderRow(q: Query, id: string): Promise<OrderRow | null> {
  const { rows } = await q.query<Row>(`${ROWS} where o.id = $1`, [id])
  return rows[0] ? toRow(rows[0]) : null
}

/** Newest first. A cursor is the last id of the page before: ids grow with time, so a page is never counted twice. */
export async function orderRows(q: Query, query: OrderQuery): Promise<Result<{ orders: OrderRow[]; next: string | null }, Fault>> {
  const where: string[] = []
  const params: unknown[] = []
  const param = (value: unknown): string => `$${params.push(value)}`
  if (query.cursor !== undefined) {
    const id = fromCursor(query.cursor)
    if (!id) return fail({ code: 'CURSOR', field: 'cursor' })
    where.push(`o.id < ${param(id)}::uuid`)
  }
  if (query.status) where.push(`o.status = ${param(query.status)}`)
  if (query.runId) where.push(`o.run_id = ${param(query.runId)}::uuid`)
  const number = query.q && parseOrderNumber(query.q)
  if (number) where.push(`o.number = ${param(number)}`)
  else if (query.q) {
    const like = param(`%${query.q.replace(/[\\%_]/g, '\\$&')}%`)
    where.push(`(${['number', 'recipient', 'label', 'merchant', 'external_ref'].map((c) => `o.${c} ilike ${like}`).join(' or ')})`)
  }
  const sql = `${ROWS}${where.length ? ` where ${where.join(' and ')}` : ''} order by o.id desc limit ${param(query.limit + 1)}`
  const { rows } = await q.query<Row>(sql, params)
  const page = rows.slice(0, query.limit).map(toRow)
  return ok({ orders: page, next: rows.length > query.limit ? toCursor(page.at(-1)!.id) : null })
}
const toCursor = (id: string): string => Buffer.from(id.replaceAll('-', ''), 'hex').toString('base64url')
function fromCursor(cursor: string): string | null {
  const hex = /^[A-Za-z0-9_-]{22}$/.test(cursor) ? Buffer.from(cursor, 'base64url').toString('hex') : ''
  if (hex.length !== 32 || Buffer.from(hex, 'hex').toString('base64url') !== cursor) return null
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

export async function eventsOf(q: Query, order: string): Promise<OrderEvent[]> {
  const { rows } = await q.query<{
    id: string
    type: string
    sequence: number
    status: OrderStatus | null
    occurred_at: Millis
    recorded_at: Millis
    source: OrderEvent['source']
    late: boolean
    data: Record<string, unknown>
  }>(
    'select id, type, sequence, status, occurred_at, recorded_at, source, late, data from order_events where order_id = $1 order by sequence',
    [order],
  )
  return rows.map((e) => ({
    id: e.id,
    type: e.type,
    version: 1,
    orderId: order,
    sequence: e.sequence,
    occurredAt: e.occurred_at,
    recordedAt: e.recorded_at,
    source: e.source,
    late: e.late,
    data: e.status ? { ...e.data, status: e.status } : e.data,
  }))
}

/** The roster, or one of it: each driver with the run that he drives or will drive next. */
export async function driverRows(q: Query, id?: string): Promise<DriverBase[]> {
  const { rows } = await q.query<{
    id: string
    no: number
    name: string
    vehicle: string
    run_id: string | null
    stops: { done: boolean; from: Millis | null; to: Millis | null; since: Millis | null; reason: WindowReason | null }[] | null
  }>(
    `select d.id, d.no, d.name, d.vehicle, r.id as run_id,
       (select jsonb_agg(jsonb_build_object('done', s.status in ('done', 'failed'), 'from', s.window_from, 'to', s.window_to,
            'since', s.window_since, 'reason', s.window_reason) order by s.place, s.id)
          from stops s where s.run_id = r.id and s.status <> 'cancelled') as stops
     from drivers d
     left join (select distinct on (driver_id) id, driver_id from runs
                where status in ('assigned', 'started') and driver_id is not null
                order by driver_id, (status = 'started') desc, id) r on r.driver_id = d.id
     ${id ? 'where d.id = $1' : ''} order by d.no`,
    id ? [id] : [],
  )
  return rows.map((d) => {
    const stops = d.stops ?? []
    const ahead = stops.findIndex((s) => !s.done)
    const upcoming = stops[ahead]
    return {
      id: d.id,
      no: d.no,
      name: d.name,
      vehicle: d.vehicle,
      run: d.run_id
        ? {
            id: d.run_id,
            stops: stops.length,
            done: stops.filter((s) => s.done).length,
            nextStop: ahead < 0 ? stops.length : ahead,
          }
        : null,
      window:
        upcoming?.from && upcoming.to && upcoming.since && upcoming.reason
          ? { from: upcoming.from, to: upcoming.to, since: upcoming.since, reason: upcoming.reason }
          : null,
    }
  })
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
