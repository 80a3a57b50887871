// Ids in, what every node remembers of runs and orders out: objects that change identity when, and only when, what they say has changed.
import { LIFE } from '@doorstep/shared/order'
import type { DriverId, Millis, OrderId, RunId } from '@doorstep/shared/units'
import type { Sql } from '../store/sql/port.ts'
import { type OrderFacts, type Prepared, readOrder, readRoute, readRun, toStop, toView } from './facts.ts'
import type { OrderBase, RunPlan } from './port.ts'

export interface Plans {
  run(id: RunId): Promise<RunPlan | null>
  runOf(driver: DriverId): Promise<RunPlan | null>
  order(id: OrderId): Promise<OrderBase | null>
  epoch(): Promise<string>
  /** Forgets what was remembered of a run, and of who drives it; resolves when the new state can be read. */
  runChanged(id: RunId): Promise<void>
  orderChanged(id: OrderId): void
}

/** Signals between nodes may be lost: what is remembered is compared with the database this often, when anybody asks. */
const RECHECK_MS = 5_000
const MOST_RUNS = 10_000
const MOST_ORDERS = 20_000

/**
 * `shared` says that other nodes write to the same database. `changed` hears of a run or an order that the recheck found changed.
 */
export function plans(
  sql: Sql,
  now: () => Millis,
  shared: boolean,
  changed: (what: { run: RunId } | { order: OrderId; ev: number }) => void,
): Plans {
  const runs = new Map<RunId, Promise<RunPlan | null>>()
  const drivers = new Map<DriverId, Promise<RunId | null>>()
  const known = new Map<DriverId, RunId | null>()
  const routes = new Map<RunId, { version: number; route: Promise<Prepared> }>()
  const orders = new Map<OrderId, Promise<OrderFacts | null>>()
  const composed = new WeakMap<OrderFacts, OrderBase>()
  let epoch: Promise<string> | null = null
  let checkedAt = now()
  let checking: Promise<void> | null = null

  /** One load at a time a key; a failed one is forgotten, a forgotten one is not put back. */
  function remember<K, V>(cache: Map<K, Promise<V>>, key: K, most: number, load: () => Promise<V>): Promise<V> {
    const there = cache.get(key)
    if (there) return there
    const loading = load()
    cache.set(key, loading)
    loading.catch(() => cache.get(key) === loading && cache.delete(key))
    if (cache.size > most) cache.delete(cache.keys().next().value as K)
    return loading
  }

  function lineOf(run: RunId, version: number): Promise<Prepared> {
    const there = routes.get(run)
    if (there?.version === version) return there.route
    const loading = readRoute(sql, run, version)
    routes.set(run, { version, route: loading })
    loading.catch(() => routes.get(run)?.route === loading && routes.delete(run))
    if (routes.size > MOST_RUNS) routes.delete(routes.keys().next().value as RunId)
    return loading
  }

  async function loadRun(id: RunId): Promise<RunPlan | null> {
    const row = await readRun(sql, id)
    if (!row) return null
    const line = await lineOf(id, row.route_version)
    return {
      id,
      version: row.version,
      driver: row.driver_id,
      driverNo: row.driver_no,
      status: row.status,
      startedAt: row.started_at,
      route: line.route,
      routeVersion: row.route_version,
      confidence: line.confidence,
      stops: row.stops.map(toStop),
    }
  }

  async function loadRunOf(driver: DriverId): Promise<RunId | null> {
    const { rows } = await sql.query<{ id: RunId }>(
      `select id from runs where driver_id = $1 and status in ('assigned', 'started')
       order by (status = 'started') desc, id limit 1`,
      [driver],
    )
    const id = rows[0]?.id ?? null
    known.set(driver, id)
    return id
  }

  /** Compares everything remembered with the database in two queries, whatever its size. */
  async function recheck(): Promise<void> {
    const remembered = (await Promise.all(runs.values())).filter((plan) => plan !== null)
    const versions = await sql.query<{ id: RunId; version: number }>('select id, version from runs where id = any($1::uuid[])', [
      remembered.map((plan) => plan.id),
    ])
    const newest = new Map(versions.rows.map((r) => [r.id, r.version]))
    for (const plan of remembered)
      if (newest.get(plan.id) !== plan.version) {
        await runChanged(plan.id)
        changed({ run: plan.id })
      }
    const active = await sql.query<{ id: RunId; driver_id: DriverId }>(
      `select distinct on (driver_id) id, driver_id from runs where status in ('assigned', 'started') and driver_id is not null
       order by driver_id, (status = 'started') desc, id`,
    )
    const drives = new Map(active.rows.map((r) => [r.driver_id, r.id]))
    for (const [driver, run] of known) if ((drives.get(driver) ?? null) !== run) forgetDriver(driver)
    const seen = await Promise.all([...orders].map(async ([id, row]) => ({ id, version: (await row)?.version ?? 0 })))
    const rows = await sql.query<{ id: OrderId; version: number }>('select id, version from orders where id = any($1::uuid[])', [
      seen.map((o) => o.id),
    ])
    const sequence = new Map(rows.rows.map((r) => [r.id, r.version]))
    for (const { id, version } of seen) {
      const ev = sequence.get(id) ?? 0
      if (ev === version) continue
      orders.delete(id)
      changed({ order: id, ev })
    }
  }

  function fresh(): void {
    if (!shared || checking || now() - checkedAt < RECHECK_MS) return
    checking = recheck()
      .catch(() => undefined) // the store is down: what is remembered goes on, and the next question tries again
      .finally(() => {
        checkedAt = now()
        checking = null
      })
  }

  function forgetDriver(driver: DriverId): void {
    drivers.delete(driver)
    known.delete(driver)
  }

  async function runChanged(id: RunId): Promise<void> {
    runs.delete(id)
    for (const [driver, run] of known) if (run === id) forgetDriver(driver)
    const plan = await remember(runs, id, MOST_RUNS, () => loadRun(id))
    if (plan?.driver) forgetDriver(plan.driver)
  }

  function installation(): Promise<string> {
    if (epoch) return epoch
    epoch = sql.query<{ epoch: string }>('select epoch from system').then(({ rows }) => rows[0]!.epoch)
    epoch.catch(() => {
      epoch = null
    })
    return epoch
  }

  const run = (id: RunId): Promise<RunPlan | null> => {
    fresh()
    return remember(runs, id, MOST_RUNS, () => loadRun(id))
  }

  return {
    run,
    runChanged,
    async runOf(driver) {
      fresh()
      const id = await remember(drivers, driver, MOST_RUNS * 2, () => loadRunOf(driver))
      return id ? run(id) : null
    },
    async order(id) {
      fresh()
      const order = await remember(orders, id, MOST_ORDERS, () => readOrder(sql, id))
      if (!order) return null
      const plan = order.run_id && LIFE[order.status].live ? await run(order.run_id) : null
      const stop = plan ? plan.stops.findIndex((s) => s.orderId === id) : -1
      const before = composed.get(order)
      if (before && before.run === plan && before.stop === stop) return before
      const view = before?.view ?? toView(order, await installation())
      const base: OrderBase = { view, run: stop < 0 ? null : plan, stop }
      composed.set(order, base)
      return base
    },
    epoch: installation,
    orderChanged: (id) => void orders.delete(id),
  }
}
