// SQL, a router and the bus in; orders, runs and the dispatcher's desk out. Commands are one transaction each, told to everybody after COMMIT.
import type { RunView } from '@doorstep/shared/api'
import type { Fault } from '@doorstep/shared/codes'
import { LIFE } from '@doorstep/shared/order'
import { fail, ok, type Result } from '@doorstep/shared/result'
import type { RunStop } from '@doorstep/shared/track'
import type { LngLat, Millis, OrderId, RunId } from '@doorstep/shared/units'
import type { Router } from '../routing/port.ts'
import type { Positions } from '../store/positions/port.ts'
import type { Sql } from '../store/sql/port.ts'
import { grantLink, makeDevice, makeDriver, makeOrder } from './desk.ts'
import { type HeldRun, holdRun, holdStop, isAhead } from './held.ts'
import { apply, type Changed, hold, ledger, type Work } from './ledger.ts'
import { plans as planCache } from './plans.ts'
import type { By, Desk, Orders, RunPlan } from './port.ts'
import { doorsOf, driverRows, eventsOf, orderRow, orderRows } from './rows.ts'
import { addStop, assignRun, endRun, makeRun, startRun } from './runs.ts'
import { LEAVES_RUN, settle, takeOff } from './settle.ts'
import { runSummaries, viewOf } from './views.ts'
import { askRoute, bestIndex, layRoute } from './way.ts'
import { learnCalibration, loadCalibration, pruneOld, report, show } from './windows.ts'

export interface OrdersParts {
  readonly sql: Sql
  readonly router: Router
  readonly positions: Pick<Positions, 'kind' | 'all' | 'signal' | 'onSignal'>
  readonly now: () => Millis
  readonly newId: () => string
  /** A tracking link ends after so many days. */
  readonly linkDays: number
}

const SYSTEM: By = { source: 'system', principal: 'system' }
const NOT_FOUND: Fault = { code: 'NOT_FOUND' }
/** A track older than this does not say where the vehicle is. */
const PLACE_MS = 60_000

export function orders(parts: OrdersParts): Orders & Desk {
  const { sql, router, positions, now, newId } = parts
  const onOrder = new Set<(id: OrderId, ev: number) => void>()
  const onRun = new Set<(id: RunId) => void>()
  const plans = planCache(sql, now, positions.kind === 'redis', (what) => {
    if ('run' in what) for (const tell of onRun) tell(what.run)
    else for (const tell of onOrder) tell(what.order, what.ev)
  })
  const book = ledger(sql, now, newId, told)

  /** After COMMIT: this node forgets and tells its listeners, then the others are told to do the same. */
  async function told(changed: Changed): Promise<void> {
    for (const id of changed.orders.keys()) plans.orderChanged(id as OrderId)
    // what was committed is true even when it can't be read just now
    await Promise.allSettled([...changed.runs].map((id) => plans.runChanged(id as RunId)))
    for (const id of changed.runs) {
      positions.signal({ type: 'run', id })
      for (const tell of onRun) tell(id as RunId)
    }
    for (const [id, ev] of changed.orders) {
      positions.signal({ type: 'order', id, ev })
      for (const tell of onOrder) tell(id as OrderId, ev)
    }
  }

  positions.onSignal((signal) => {
    if (signal.type === 'run') {
      const tell = (): void => {
        for (const listener of onRun) listener(signal.id as RunId)
      }
      plans.runChanged(signal.id as RunId).then(tell, tell)
    } else if (signal.type === 'order') {
      plans.orderChanged(signal.id as OrderId)
      for (const tell of onOrder) tell(signal.id as OrderId, signal.ev)
    }
  })

  const ahead = (plan: RunPlan): RunStop[] => plan.stops.filter((s) => isAhead(s.status))

  /** Where a run's vehicle is: its newest position, else the last door that it left, else the start. */
  async function placeOf(plan: RunPlan): Promise<{ at: LngLat; heading: number | null }> {
    if (plan.status === 'started' && plan.driverNo !== null) {
      const track = (await positions.all()).find((t) => t.no === plan.driverNo)
      if (track && now() - track.recordedAt < PLACE_MS) return { at: track.at, heading: track.heading }
    }
    const left = plan.stops.findLast((s) => s.status === 'done' || s.status === 'failed')
    return { at: left?.door ?? plan.route.line[0]!, heading: null }
  }

  /** After a stop was taken out: the way on without it. A road stays a road: no straight line is laid over it. */
  async function straighten(id: RunId): Promise<void> {
    for (let attempt = 0; attempt < 3; attempt++) {
      const plan = await plans.run(id)
      if (!plan || plan.status === 'finished' || plan.status === 'cancelled') return
      const doors = ahead(plan).map((s) => s.door)
      if (doors.length === 0) return
      const from = await placeOf(plan)
      const way = await askRoute(router, from.at, doors, from.heading)
      if (!way || (way.confidence === 'low' && plan.confidence === 'road')) return
      const laid = await book.command(SYSTEM, async (w) => {
        const run = await holdRun(w.q, id)
        if (!run || run.route_version !== plan.routeVersion) return ok(false)
        return ok(await layRoute(w, run, way))
      })
      if (laid.ok && laid.value) return
    }
  }

  /** A command on one run, answered by the run as it then is. */
  async function onOne(
    id: RunId,
    by: By,
    work: (w: Work, run: HeldRun) => Promise<Result<unknown, Fault>>,
  ): Promise<Result<RunView, Fault>> {
    const done = await book.command(by, async (w) => {
      const run = await holdRun(w.q, id)
      if (!run) return fail(NOT_FOUND)
      const worked = await work(w, run)
      return worked.ok ? ok(null) : worked
    })
    return done.ok ? found(await desk.runView(id)) : done
  }
  const found = <T>(row: T | null): Result<T, Fault> => (row ? ok(row) : fail(NOT_FOUND))

  const live: Orders = {
    runOf: (driver) => plans.runOf(driver),
    run: (id) => plans.run(id),
    order: (id) => plans.order(id),
    onOrder: (listener) => void onOrder.add(listener),
    onRun: (listener) => void onRun.add(listener),

    act(driver, act) {
      const { idemKey, ...body } = act
      const by: By = { source: 'driver', principal: driver, idem: { key: idemKey, body: JSON.stringify(body) } }
      return book.command(by, async (w): Promise<Result<{ ev: number }, Fault>> => {
        const found = await holdStop(w.q, act.stopId)
        const run = found && (await holdRun(w.q, found.run_id))
        // read again under the run's lock: it may have been given to another driver a moment ago
        const stop = run && (await holdStop(w.q, act.stopId))
        if (!run || !stop || run.driver_id !== driver) return fail({ code: 'NOT_YOURS' })
        const order = (await hold(w.q, [stop.order_id])).get(stop.order_id)!
        if (order.run_id !== null && order.run_id !== run.id) return fail({ code: 'NOT_YOURS' })
        const said = { type: act.type, at: Math.min(act.at, w.now), source: 'driver' } as const
        const ev = await settle(w, run, stop, order, {
          ...said,
          ...(act.reason && { reason: act.reason }),
          ...(act.note && { note: act.note }),
        })
        return ev.ok ? ok({ ev: ev.value }) : ev
      })
    },

    async arrived(runId, stopId, at, late) {
      await book.command({ source: 'geofence', principal: 'geofence' }, async (w) => {
        const run = await holdRun(w.q, runId)
        const stop = run && (await holdStop(w.q, stopId))
        if (!run || !stop || stop.run_id !== run.id) return fail(NOT_FOUND)
        const order = (await hold(w.q, [stop.order_id])).get(stop.order_id)!
        return settle(w, run, stop, order, { type: 'arrived', at, source: 'geofence', ...(late && { late }) })
      })
    },

    async showWindows(run, made, changes) {
      if (changes.length > 0) await book.command(SYSTEM, (w) => show(w, run, made, changes))
    },

    async reroute(id, _from, plan, instead) {
      const laid = await book.command(SYSTEM, async (w) => {
        const run = await holdRun(w.q, id)
        if (run?.status !== 'started' || run.route_version !== (instead ?? run.route_version)) return ok(false)
        return ok(await layRoute(w, run, plan))
      })
      return laid.ok && laid.value ? plans.run(id) : null
    },
  }

  const desk: Desk = {
    async newDriver(driver, by) {
      const made = await book.command(by, (w) => makeDriver(w, driver))
      if (!made.ok) return made
      const row = await desk.driver(made.value.driver as never)
      return row ? ok({ driver: row, device: made.value.device }) : fail(NOT_FOUND)
    },
    newDevice: (driver, by) => book.command(by, (w) => makeDevice(w, driver)),
    drivers: () => driverRows(sql),
    driver: async (id) => (await driverRows(sql, id))[0] ?? null,

    async newOrder(order, by) {
      const made = await book.command(by, async (w) => {
        const id = await makeOrder(w, order)
        return id.ok ? ok({ id: id.value, link: await grantLink(w, id.value, parts.linkDays) }) : id
      })
      if (!made.ok) return made
      const row = await orderRow(sql, made.value.id)
      return row ? ok({ order: row, link: made.value.link }) : fail(NOT_FOUND)
    },
    list: (query) => orderRows(sql, query),
    row: (id) => orderRow(sql, id),
    async detail(id) {
      const order = await orderRow(sql, id)
      return order && { order, events: await eventsOf(sql, id) }
    },
    newLink: (order, by) =>
      book.command(by, async (w) => {
        const { rows } = await w.q.query('select 1 from orders where id = $1', [order])
        return rows.length > 0 ? ok(await grantLink(w, order, parts.linkDays)) : fail(NOT_FOUND)
      }),

    async change(id, action, how, by) {
      const done = await book.command(by, async (w): Promise<Result<{ left: string | null }, Fault>> => {
        // the run is locked before its orders: look first, lock in that order, and look again
        const { rows } = await w.q.query<{ run_id: string | null }>('select run_id from orders where id = $1', [id])
        if (!rows[0]) return fail(NOT_FOUND)
        const run = rows[0].run_id ? await holdRun(w.q, rows[0].run_id) : null
        const order = (await hold(w.q, [id])).get(id)!
        if (order.run_id !== rows[0].run_id) return fail({ code: 'CONFLICT', version: order.version })
        if (how.expectedVersion !== undefined && how.expectedVersion !== order.version)
          return fail({ code: 'VERSION', version: order.version, status: order.status })
        const stop = order.stop_id
        const leaves = LEAVES_RUN.has(action)
        // what happens at the door is said of its stop
        if (LIFE[order.status].live && !leaves) return fail({ code: 'TRANSITION', status: order.status, version: order.version })
        const told = await apply(w, order, action, {
          data: how.reason ? { reason: how.reason } : {},
          ...(leaves && { change: { run_id: null, stop_id: null } }),
        })
        if (!told.ok) return told
        return ok({ left: run && leaves && (await takeOff(w, run, stop)) ? run.id : null })
      })
      if (!done.ok) return done
      if (done.value.left) await straighten(done.value.left as RunId)
      return found(await orderRow(sql, id))
    },

    async newRun(wanted, by) {
      const doors = await doorsOf(sql, wanted.orders)
      if (doors.includes(null)) return fail({ code: 'NOT_FOUND', field: 'orders' })
      const way = await askRoute(router, wanted.start, doors as LngLat[])
      if (!way) return fail({ code: 'NO_ROUTE' })
      const made = await book.command(by, (w) => makeRun(w, wanted, way))
      return made.ok ? found(await desk.runView(made.value as RunId)) : made
    },
    runs: (status) => runSummaries(sql, status),
    runView: (id) => viewOf(sql, id),
    assign: (id, driver, by) => onOne(id, by, (w, run) => assignRun(w, run, driver)),
    start: (id, by) => onOne(id, by, startRun),
    finish: (id, by) => onOne(id, by, (w, run) => endRun(w, run, 'finished')),
    cancelRun: (id, by) => onOne(id, by, (w, run) => endRun(w, run, 'cancelled')),

    async insertStop(id, order, index, by) {
      for (let attempt = 0; ; attempt++) {
        const plan = await plans.run(id)
        const door = (await doorsOf(sql, [order]))[0]
        if (!plan) return fail(NOT_FOUND)
        if (!door) return fail({ code: 'NOT_FOUND', field: 'orderId' })
        const from = await placeOf(plan)
        const doors = ahead(plan).map((s) => s.door)
        const at = Math.min(index ?? bestIndex(from.at, doors, door), doors.length)
        const way = await askRoute(router, from.at, doors.toSpliced(at, 0, door), from.heading)
        if (!way) return fail({ code: 'NO_ROUTE' })
        let moved = false
        const done = await onOne(id, by, async (w, run) => {
          moved = run.route_version !== plan.routeVersion
          if (moved) return fail({ code: 'CONFLICT', version: run.version })
          return addStop(w, run, order, at, way)
        })
        if (!moved || attempt === 3) return done
      }
    },

    settle(id, stopId, what, by) {
      return onOne(id, by, async (w, run) => {
        const stop = await holdStop(w.q, stopId)
        if (!stop || stop.run_id !== run.id) return fail(NOT_FOUND)
        const order = (await hold(w.q, [stop.order_id])).get(stop.order_id)!
        return settle(w, run, stop, order, { ...what, at: w.now, source: 'dispatcher' })
      })
    },

    epoch: () => plans.epoch(),
    etaReport: () => sql.tx((q) => report(q, now()), 'reports'),
    calibration: async () => (await loadCalibration(sql))?.model ?? null,
    learn: () => learnCalibration(sql, now()),
    prune: (days) => pruneOld(sql, now(), days),
  }

  return { ...live, ...desk }
}
