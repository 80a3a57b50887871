// Orders over a real database: commands race, repeat and come late, and every reader sees one history.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openDesk, type TestDesk } from './orders-desk.ts'

let t: TestDesk
let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'doorstep-orders-'))
  t = await openDesk(dir)
})
afterAll(async () => {
  await t?.sql.close()
  await rm(dir, { recursive: true, force: true })
})

test('[O1] an order goes from received to delivered along a run, each step an event without a gap', async () => {
  const { run, orders, driver } = await t.aStartedRun(2)
  const [first] = orders
  const plan = await t.orders.runOf(driver.id)
  expect(plan?.id).toBe(run.id)
  expect(plan?.stops.map((s) => s.orderId)).toEqual(orders.map((o) => o.id))
  expect(plan!.stops[1]!.along).toBeCloseTo(plan!.route.length, 6)
  t.tick(60_000)
  expect(await t.say(driver, plan!.stops[0]!.id, 'arrived')).toMatchObject({ ok: true })
  t.tick(60_000)
  expect(await t.say(driver, plan!.stops[0]!.id, 'delivered')).toMatchObject({ ok: true })
  const detail = (await t.orders.detail(first!.id as never))!
  expect(detail.order.status).toBe('delivered')
  expect(detail.events.map((e) => e.type)).toEqual([
    'order.received',
    'order.processed',
    'order.assigned',
    'order.started',
    'order.arrived',
    'order.delivered',
  ])
  expect(detail.events.map((e) => e.sequence)).toEqual([1, 2, 3, 4, 5, 6])
  const view = (await t.orders.order(first!.id as never))!.view
  expect(view.ev).toBe(6)
  expect(view.steps.map((s) => s.status)).toEqual(['received', 'processing', 'shipped', 'out_for_delivery', 'delivered'])
})
