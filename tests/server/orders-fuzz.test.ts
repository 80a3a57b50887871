// Many hands at once on the same orders and runs, on two nodes: whatever they do, history stays whole and everybody reads the same.
import type { OrderAction, OrderStatus } from '@doorstep/shared/order'
import { next } from '@doorstep/shared/order'
import { type Random, random } from '@doorstep/shared/random'
import type { LngLat, OrderId, RunId } from '@doorstep/shared/units'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createDatabase } from '../services/database.ts'
import { openDesk, START, type TestDesk } from './orders-desk.ts'

let t: TestDesk
let database: Awaited<ReturnType<typeof createDatabase>>
beforeAll(async () => {
  database = await createDatabase()
  t = await openDesk('', database.url)
})
afterAll(async () => {
  await t?.sql.close()
  await database?.drop()
})

const SEED = Number(process.env.SEED ?? 20261121)
const ACTIONS: OrderAction[] = [
  'cancel',
  'hold',
  'release',
  'retry',
  'return',
  'receive_return',
  'complete',
  'make_available',
  'lose',
  'find',
]

test(`[O2] five hands on two nodes, five hundred commands: every order has one gapless history that its row agrees with (seed ${SEED})`, async () => {
  const nodes = [t.orders, t.node().orders]
  const drivers = await Promise.all([1, 2, 3].map(() => t.aDriver()))
  const made = await Promise.all(Array.from({ length: 20 }, () => t.anOrder()))
  const runs: string[] = []
  const rnd = random(SEED)
  const codes = new Map<string, number>()

  async function one(r: Random): Promise<void> {
    const orders = r.pick(nodes)
    const by = t.by()
    const order = r.pick(made).id as OrderId
    const run = (runs.length > 0 ? r.pick(runs) : '019a0000-0000-7000-8000-000000000000') as RunId
    t.tick(r.int(30_000))
    const kind = r.int(9)
    const command = async () => {
      if (kind === 0) {
        const wanted = { start: START as LngLat, orders: [...new Set([order, r.pick(made).id])], driverId: r.pick(drivers).id }
        const run = await orders.newRun(wanted, by)
        if (run.ok) runs.push(run.value.id)
        return run
      }
      if (kind === 1) return orders.start(run, by)
      if (kind === 2) return r() < 0.3 ? orders.finish(run, by) : orders.assign(run, r.pick(drivers).id, by)
      if (kind === 3) return orders.insertStop(run, order, undefined, by)
      if (kind === 4) return orders.change(order, r.pick(ACTIONS), {}, by)
      if (kind === 5) {
        const plan = await orders.run(run)
        const changes = (plan?.stops ?? []).map((s) => ({
          stopId: s.id,
          from: t.now(),
          to: t.now() + 1,
          mid: t.now(),
          reason: 'pace' as const,
        }))
        await orders.showWindows(run, t.now(), changes)
        return { ok: true } as const
      }
      const plan = await orders.run(run)
      const stop = plan && plan.stops.length > 0 ? r.pick(plan.stops) : null
      const driver = plan?.driver ?? r.pick(drivers).id
      if (!stop) return { ok: true } as const
      if (kind === 6) {
        await orders.arrived(run, stop.id, t.now() - r.int(100_000), false)
        return { ok: true } as const
      }
      const type = r.pick(['arrived', 'delivered', 'failed'] as const)
      return orders.act(driver, { idemKey: `k${r.int(60)}`, type, stopId: stop.id, at: t.now() - r.int(60_000) })
    }
    const answer = (await command()) as { ok: boolean; fault?: { code: string } }
    const code = answer.ok ? 'ok' : answer.fault!.code
    codes.set(code, (codes.get(code) ?? 0) + 1)
  }

  await Promise.all(
    Array.from({ length: 5 }, async (_, hand) => {
      const r = rnd.fork(hand)
      for (let i = 0; i < 100; i++) await one(r)
    }),
  )
  // refusals are of the kinds that the rules know, and much was done
  for (const code of codes.keys())
    expect(['ok', 'TRANSITION', 'CONFLICT', 'NOT_YOURS', 'NOT_FOUND', 'IDEM_REUSED', 'VERSION']).toContain(code)
  expect(codes.get('ok')).toBeGreaterThan(100)

  for (const { id } of made) {
    const { order, events } = (await t.orders.detail(id as OrderId))!
    expect(events.map((e) => e.sequence)).toEqual(events.map((_, i) => i + 1))
    expect(order.version).toBe(events.length)
    let status: OrderStatus = 'received'
    for (const event of events.slice(1)) {
      const to = event.data.status as OrderStatus | undefined
      if (!to) continue
      const reachable = ALL.some((action) => next(status, action) === to)
      expect([event.type, status, to, reachable]).toEqual([event.type, status, to, true])
      status = to
    }
    expect(order.status).toBe(status)
    for (const node of nodes) {
      const base = (await node.order(id as OrderId))!
      expect([base.view.status, base.view.ev]).toEqual([order.status, order.version])
    }
  }
  const twice = await t.sql.query(
    `select order_id from stops where status in ('pending', 'arrived') group by order_id having count(*) > 1`,
  )
  expect(twice.rows).toEqual([])
  const astray = await t.sql.query(
    `select s.id from stops s join runs r on r.id = s.run_id join orders o on o.id = s.order_id
     where s.status in ('pending', 'arrived') and (o.stop_id is distinct from s.id or o.run_id is distinct from s.run_id
       or r.status not in ('draft', 'assigned', 'started')
       or o.status <> case r.status when 'draft' then 'processing' when 'assigned' then 'shipped' else 'out_for_delivery' end)`,
  )
  expect(astray.rows).toEqual([])
  for (const id of runs)
    for (const node of nodes) {
      const plan = (await node.run(id as RunId))!
      const view = (await t.orders.runView(id as RunId))!
      expect([plan.version, plan.status, plan.routeVersion]).toEqual([view.version, view.status, view.routeVersion])
      expect(plan.stops.map((s) => [s.id, s.status, s.along])).toEqual(view.stops.map((s) => [s.id, s.status, s.along]))
      const ahead = plan.stops.filter((s) => s.status === 'pending' || s.status === 'arrived').map((s) => s.along)
      expect(ahead).toEqual(ahead.toSorted((a, b) => a - b))
    }
}, 120_000)

const ALL = [...ACTIONS, 'process', 'ship', 'assign', 'unassign', 'start', 'arrive', 'deliver', 'fail'] as const
