// Drivers, orders and rights to see them in; rows of them out.
import type { NewDriver, NewOrder, OrderRow } from '@doorstep/shared/api'
import type { Fault } from '@doorstep/shared/codes'
import { LIFE, type OrderEvent, type OrderStatus } from '@doorstep/shared/order'
import { fail, ok, type Result } from '@doorstep/shared/result'
import type { WindowReason } from '@doorstep/shared/track'
import type { Millis } from '@doorstep/shared/units'
import { digest, mint } from '../secret.ts'
import type { Query } from '../store/sql/port.ts'
import { orderNumber, parseOrderNumber } from './id.ts'
import type { Work } from './ledger.ts'
import type { DriverBase, Granted, OrderQuery } from './port.ts'

/** Seconds at a door when the shop names none. */
const SERVICE_S = 120

export async function makeDriver(w: Work, driver: NewDriver): Promise<Result<{ driver: string; device: Granted }, Fault>> {
  const id = w.newId()
  const { rows } = await w.q.query<{ no: number }>('insert into drivers (id, name, vehicle) values ($1, $2, $3) returning no', [
    id,
    driver.name,
    driver.vehicle ?? '',
  ])
  return ok({ driver: id, device: await grantDevice(w, rows[0]!.no) })
}

/** A device of its own for each phone: it can be taken away alone. */
export async function makeDevice(w: Work, driver: string): Promise<Result<Granted, Fault>> {
  const { rows } = await w.q.query<{ no: number }>('select no from drivers where id = $1', [driver])
  return rows[0] ? ok(await grantDevice(w, rows[0].no)) : fail({ code: 'NOT_FOUND' })
}

async function grantDevice(w: Work, driverNo: number): Promise<Granted> {
  const granted = { id: w.newId(), token: mint(32), expiresAt: null }
  await w.q.query('insert into devices (id, driver_no, token_sha256) values ($1, $2, $3)', [
    granted.id,
    driverNo,
    digest(granted.token),
  ])
  return granted
}

/** A tracking link: a secret of 128 bits that says which order, and nothing else. */
export async function grantLink(w: Work, order: string, days: number): Promise<Granted> {
  const granted = { id: w.newId(), token: mint(16), expiresAt: w.now + days * 86_400_000 }
  await w.q.query('insert into links (id, token_sha256, order_id, created_at, expires_at) values ($1, $2, $3, $4, $5)', [
    granted.id,
    digest(granted.token),
    order,
    w.now,
    granted.expiresAt,
  ])
  return granted
}

export async function makeOrder(w: Work, order: NewOrder): Promise<Result<string, Fault>> {
  const id = w.newId()
  const merchant = order.merchant ?? ''
  for (let attempt = 0; ; attempt++) {
    if (order.externalRef) {
      const { rows } = await w.q.query('select 1 from orders where merchant = $1 and external_ref = $2', [
        merchant,
        order.externalRef,
      ])
      if (rows.length > 0) return fail({ code: 'CONFLICT', field: 'externalRef' })
    }
    // a number that is taken is drawn again, with one more symbol when that goes on
    const { count } = await w.q.query(
      `insert into orders (id, number, external_ref, merchant, recipient, phone, email, label, lng, lat, service_s, note, status, version,
         status_at, promise_from, promise_to, created_at, updated_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'received', 1, $13, $14, $15, $13, $13) on conflict do nothing`,
      [
        id,
        orderNumber(5 + Math.floor(attempt / 4)),
        order.externalRef ?? null,
        merchant,
        order.recipient.name,
        order.recipient.phone ?? null,
        order.recipient.email ?? null,
        order.address.label,
        order.address.at[0],
        order.address.at[1],
        order.service ?? SERVICE_S,
        order.note ?? null,
        w.now,
        order.window?.from ?? null,
        order.window?.to ?? null,
      ],
    )
    if (count === 1) break
  }
  await w.q.query(
    `insert into order_events (order_id, sequence, id, type, status, occurred_at, recorded_at, source, data)
     values ($1, 1, $2, 'order.received', 'received', $3, $3, $4, '{}')`,
    [id, w.newId(), w.now, w.by.source],
  )
  w.orders.set(id, 1)
  return ok(id)
}

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
