// Drivers, orders and rights to see them in; their rows made, and the secrets that are told once out.
import type { NewDriver, NewOrder } from '@doorstep/shared/api'
import type { Fault } from '@doorstep/shared/codes'
import { fail, ok, type Result } from '@doorstep/shared/result'
import { digest, mint } from '../secret.ts'
import { orderNumber } from './id.ts'
import type { Work } from './ledger.ts'
import type { Granted } from './port.ts'

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
      `with made as (
         insert into orders (id, number, external_ref, merchant, recipient, phone, email, label, lng, lat, service_s, note, status,
           version, status_at, promise_from, promise_to, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'received', 1, $13, $14, $15, $13, $13)
         on conflict do nothing returning id)
       insert into order_events (order_id, sequence, id, type, status, occurred_at, recorded_at, source)
       select id, 1, $16, 'order.received', 'received', $13, $13, $17 from made`,
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
        w.newId(),
        w.by.source,
      ],
    )
    if (count === 1) break
  }
  w.orders.set(id, 1)
  return ok(id)
}
