// The dispatcher's commands on a run in; the run and all of its orders moved along together out.
import type { NewRun } from '@doorstep/shared/api'
import type { Fault } from '@doorstep/shared/codes'
import { next, type OrderAction } from '@doorstep/shared/order'
import { fail, ok, type Result } from '@doorstep/shared/result'
import type { DriverId } from '@doorstep/shared/units'
import type { RoutePlan } from '../routing/port.ts'
import type { Query } from '../store/sql/port.ts'
import { type HeldRun, holdRun, isAhead, saveRun, stopsOf } from './held.ts'
import { apply, type Held, hold, type Work } from './ledger.ts'
import { layRoute, sameRouteAgain, saveRoute } from './way.ts'

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

/** Makes a run of orders along a route that was asked for before, outside of the transaction. */
export async function makeRun(w: Work, wanted: NewRun, plan: RoutePlan): Promise<Result<string, Fault>> {
  const loaded = await loadable(w, wanted.orders)
  if (!loaded.ok) return loaded
  const id = w.newId()
  await w.q.query(
    `insert into runs (id, name, status, start_lng, start_lat, route_version, created_at) values ($1, $2, 'draft', $3, $4, 1, $5)`,
    [id, wanted.name ?? '', wanted.start[0], wanted.start[1], w.now],
  )
  const along = await saveRoute(w, id, 1, plan)
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
  const ahead = (await stopsOf(w.q, run)).filter((s) => isAhead(s.status))
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
  const ahead = (await stopsOf(w.q, run.id)).filter((s) => isAhead(s.status))
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
  const settled = stops.filter((s) => !isAhead(s.status)).length
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
