// Ids in, what every node remembers of runs and orders out: objects that change identity when, and only when, what they say has changed.
import { createHash } from 'node:crypto'
import { LIFE, type OrderStatus } from '@doorstep/shared/order'
import { type Route, route } from '@doorstep/shared/route'
import type { OrderView, RunStop, WindowReason } from '@doorstep/shared/track'
import type { DriverId, DriverNo, LngLat, Millis, OrderId, RunId, Seconds } from '@doorstep/shared/units'
import type { Sql } from '../store/sql/port.ts'
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

interface Remembered<T> {
  readonly version: number
  readonly value: T
}

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
  const orders = new Map<OrderId, Promise<Remembered<OrderRowFull> | null>>()
  const composed = new WeakMap<Remembered<OrderRowFull>, OrderBase>()
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
    const loading = loadRoute(sql, run, version)
    routes.set(run, { version, route: loading })
    loading.catch(() => routes.get(run)?.route === loading && routes.delete(run))
    if (routes.size > MOST_RUNS) routes.delete(routes.keys().next().value as RunId)
    return loading
  }

  async function loadRun(id: RunId): Promise<RunPlan | null> {
    const { rows } = await sql.query<RunRowFull>(RUN, [id])
    const row = rows[0]
    if (!row) return null
    const line = await lineOf(id, row.route_version)
    return {
      id,
      version: row.version,
      driver: row.driver_id,
      driverNo: row.driver_no,
      status: row.status,
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

  async function loadOrder(id: OrderId): Promise<Remembered<OrderRowFull> | null> {
    const { rows } = await sql.query<OrderRowFull>(ORDER, [id])
    return rows[0] ? { version: rows[0].version, value: rows[0] } : null
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
      const row = await remember(orders, id, MOST_ORDERS, () => loadOrder(id))
      if (!row) return null
      const order = row.value
      const plan = order.run_id && LIFE[order.status].live ? await run(order.run_id) : null
      const stop = plan ? plan.stops.findIndex((s) => s.orderId === id) : -1
      const before = composed.get(row)
      if (before && before.run === plan && before.stop === stop) return before
      const view = before?.view ?? toView(order, await installation())
      const base: OrderBase = { view, run: stop < 0 ? null : plan, stop }
      composed.set(row, base)
      return base
    },
    epoch: installation,
    orderChanged: (id) => void orders.delete(id),
  }
}

interface Prepared {
  readonly route: Route
  readonly confidence: 'road' | 'low'
}
async function loadRoute(sql: Sql, run: RunId, version: number): Promise<Prepared> {
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
interface RunRowFull {
  version: number
  driver_id: DriverId | null
  driver_no: DriverNo | null
  status: RunPlan['status']
  route_version: number
  stops: StopRow[]
}

// One statement, therefore one moment: a run is never seen half changed.
const RUN = `
  select r.version, r.driver_id, d.no as driver_no, r.status, r.route_version,
    coalesce((select jsonb_agg(jsonb_build_object('id', s.id, 'order_id', o.id, 'number', o.number, 'label', o.label,
        'lng', o.lng, 'lat', o.lat, 'along_m', s.along_m, 'service_s', o.service_s, 'status', s.status,
        'window_from', s.window_from, 'window_to', s.window_to, 'window_since', s.window_since, 'window_reason', s.window_reason,
        'promise_from', o.promise_from, 'promise_to', o.promise_to) order by s.place, s.id)
      from stops s join orders o on o.id = s.order_id where s.run_id = r.id and s.status <> 'cancelled'), '[]') as stops
  from runs r left join drivers d on d.id = r.driver_id where r.id = $1`

function toStop(s: StopRow): RunStop {
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

interface OrderRowFull extends Pick<StopRow, 'window_from' | 'window_to' | 'window_since' | 'window_reason'> {
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

function toView(o: OrderRowFull, epoch: string): OrderBase['view'] {
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
function stepsOf(all: OrderRowFull['steps']): OrderView['steps'] {
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
