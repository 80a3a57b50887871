// The whole API under /v1 as one table: method, path, who may, what may be said, what is done.
import type { CityInfo, DriverCreated, DriverRow, OrderCreated } from '@doorstep/shared/api'
import type { Fault } from '@doorstep/shared/codes'
import type { OrderAction } from '@doorstep/shared/order'
import { fail, ok, type Result } from '@doorstep/shared/result'
import type { DriverId, LngLat, OrderId, RunId } from '@doorstep/shared/units'
import type { DriverBase, Granted } from '../orders/port.ts'
import * as f from './fields.ts'
import type { HttpParts } from './parts.ts'
import { type Answer, type Entry, entry } from './table.ts'

/** Points of a trail in one answer. */
const MOST_POINTS = 5_000
/** Doors near a click. */
const NEAR = 5

/** What a dispatcher may do to an order beside what its run does: the path's last word and the action of the table. */
const ACTIONS: readonly (readonly [path: string, action: OrderAction])[] = [
  ['cancel', 'cancel'],
  ['hold', 'hold'],
  ['release', 'release'],
  ['retry', 'retry'],
  ['make-available', 'make_available'],
  ['picked-up', 'deliver'],
  ['return', 'return'],
  ['receive-return', 'receive_return'],
  ['complete', 'complete'],
  ['lose', 'lose'],
  ['find', 'find'],
]

export function routes(parts: HttpParts): Entry[] {
  const { orders, auth, config, journal, places, router, roster } = parts
  const url = (path: string): string => config.publicUrl + path
  const driverUrl = (device: Granted): DriverCreated['device'] => ({
    id: device.id,
    token: device.token,
    url: url(`/drive/${device.token}`),
  })
  const linkUrl = (link: Granted): OrderCreated['link'] => ({ ...link, url: url(`/t/${link.token}`) })
  const order = (id: string | undefined): OrderId => id as OrderId
  const run = (id: string | undefined): RunId => id as RunId

  return [
    // rights
    entry('POST', '/v1/sessions', 'admin', { body: f.nothing }, async () => {
      const session = await auth.newSession('dispatcher')
      return created({ ...session, url: url(`/dispatch#token=${session.token}`) })
    }),
    entry('DELETE', '/v1/sessions/:id', 'dispatcher', {}, async ({ params, session }) =>
      session?.role === 'admin' || session?.id === params.id
        ? gone(await auth.revoke('session', params.id!))
        : fail({ code: 'NOT_FOUND' }),
    ),
    entry('DELETE', '/v1/devices/:id', 'dispatcher', {}, async ({ params }) => gone(await auth.revoke('device', params.id!))),
    entry('DELETE', '/v1/links/:id', 'dispatcher', {}, async ({ params }) => gone(await auth.revoke('link', params.id!))),

    // drivers
    entry('POST', '/v1/drivers', 'dispatcher', { body: f.newDriver }, async ({ body, by }) => {
      const made = await orders.newDriver(body as never, by)
      return made.ok ? created({ driver: parked(made.value.driver), device: driverUrl(made.value.device) }) : made
    }),
    entry('GET', '/v1/drivers', 'dispatcher', {}, async () => answer({ drivers: await roster() })),
    entry('POST', '/v1/drivers/:id/devices', 'dispatcher', { body: f.nothing }, async ({ params, by }) => {
      const made = await orders.newDevice(params.id as DriverId, by)
      return made.ok ? created(driverUrl(made.value)) : made
    }),
    entry('GET', '/v1/drivers/:id/trail', 'dispatcher', { query: f.trailQuery }, async ({ params, query }) => {
      const driver = await orders.driver(params.id as DriverId)
      if (!driver) return fail({ code: 'NOT_FOUND' })
      const crumbs = await journal.trail(driver.no as never, query.from, query.to, MOST_POINTS)
      return answer({ points: crumbs.map(({ t, lng, lat, speed, heading }) => ({ t, lng, lat, speed, heading })) })
    }),

    // orders
    entry('POST', '/v1/orders', 'dispatcher', { body: f.newOrder }, async ({ body, by }) => {
      const made = await orders.newOrder(body as never, by)
      return made.ok ? created({ order: made.value.order, link: linkUrl(made.value.link) }) : made
    }),
    entry('GET', '/v1/orders', 'dispatcher', { query: f.orderQuery }, async ({ query }) => told(await orders.list(query as never))),
    entry('GET', '/v1/orders/:id', 'dispatcher', {}, async ({ params }) => found(await orders.detail(order(params.id)))),
    entry('POST', '/v1/orders/:id/links', 'dispatcher', { body: f.nothing }, async ({ params, by }) => {
      const made = await orders.newLink(order(params.id), by)
      return made.ok ? created(linkUrl(made.value)) : made
    }),
    ...ACTIONS.map(([path, action]) =>
      entry('POST', `/v1/orders/:id/${path}`, 'dispatcher', { body: f.change }, async ({ params, body, by }) => {
        const done = await orders.change(order(params.id), action, body as never, by)
        return done.ok ? answer({ order: done.value }) : done
      }),
    ),

    // runs
    entry('POST', '/v1/runs', 'dispatcher', { body: f.newRun }, async ({ body, by }) => {
      const made = await orders.newRun(body as never, by)
      return made.ok ? created(made.value) : made
    }),
    entry('GET', '/v1/runs', 'dispatcher', { query: f.runQuery }, async ({ query }) =>
      answer({ runs: await orders.runs(query.status) }),
    ),
    entry('GET', '/v1/runs/:id', 'dispatcher', {}, async ({ params }) => found(await orders.runView(run(params.id)))),
    entry('POST', '/v1/runs/:id/assign', 'dispatcher', { body: f.assignment }, async ({ params, body, by }) =>
      told(await orders.assign(run(params.id), body.driverId as DriverId, by)),
    ),
    entry('POST', '/v1/runs/:id/start', 'dispatcher', { body: f.nothing }, async ({ params, by }) =>
      told(await orders.start(run(params.id), by)),
    ),
    entry('POST', '/v1/runs/:id/finish', 'dispatcher', { body: f.nothing }, async ({ params, by }) =>
      told(await orders.finish(run(params.id), by)),
    ),
    entry('POST', '/v1/runs/:id/cancel', 'dispatcher', { body: f.nothing }, async ({ params, by }) =>
      told(await orders.cancelRun(run(params.id), by)),
    ),
    entry('POST', '/v1/runs/:id/stops', 'dispatcher', { body: f.insertion }, async ({ params, body, by }) =>
      told(await orders.insertStop(run(params.id), order(body.orderId), body.index, by)),
    ),
    entry('POST', '/v1/runs/:id/stops/:stopId/arrived', 'dispatcher', { body: f.arrival }, async ({ params, body, by }) =>
      told(await orders.settle(run(params.id), params.stopId!, { type: 'arrived', ...body } as never, by)),
    ),
    entry('POST', '/v1/runs/:id/stops/:stopId/done', 'dispatcher', { body: f.arrival }, async ({ params, body, by }) =>
      told(await orders.settle(run(params.id), params.stopId!, { type: 'delivered', ...body } as never, by)),
    ),
    entry('POST', '/v1/runs/:id/stops/:stopId/failed', 'dispatcher', { body: f.failure }, async ({ params, body, by }) =>
      told(await orders.settle(run(params.id), params.stopId!, { type: 'failed', ...body } as never, by)),
    ),
    entry('GET', '/v1/eta/report', 'dispatcher', {}, async () => answer(await orders.etaReport())),

    // the city
    entry('GET', '/v1/places', 'dispatcher', { query: f.placesQuery }, async ({ query }) =>
      answer({ places: 'near' in query ? places.near(query.near as LngLat, NEAR) : places.sample(query.sample, query.seed) }),
    ),
    entry('GET', '/v1/route', 'dispatcher', { query: f.routeQuery }, async ({ query }) =>
      answer(await router.route(query.to as LngLat[])),
    ),
    entry('GET', '/v1/city', 'public', {}, async () => {
      const { name, bbox, center, attribution } = parts.city
      const info: CityInfo = { name, bbox: [...bbox], center, attribution, mapboxToken: config.mapboxToken }
      return answer(info)
    }),
  ]
}

const answer = (body: unknown): Result<Answer, Fault> => ok({ body })
const created = (body: unknown): Result<Answer, Fault> => ok({ status: 201, body })
const told = (result: Result<unknown, Fault>): Result<Answer, Fault> => (result.ok ? answer(result.value) : result)
const found = (body: unknown): Result<Answer, Fault> => (body ? answer(body) : fail({ code: 'NOT_FOUND' }))
const gone = (was: boolean): Result<Answer, Fault> => (was ? ok({ status: 204 }) : fail({ code: 'NOT_FOUND' }))

/** A driver of whom no position is known yet. */
const parked = (driver: DriverBase): DriverRow => ({
  ...driver,
  v: 0,
  last: null,
  interval: 5,
  phase: 'idle',
  offRoute: false,
  late: 0,
  kept: true,
})
