// The life of a ping over real sockets: from a driver's device to the customer and the dispatcher, with what each may see.
import { decodeFrame } from '@doorstep/shared/frame'
import type { Kept } from '@doorstep/shared/protocol'
import type { OrderView, TrackView } from '@doorstep/shared/track'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { createDatabase } from '../services/database.ts'
import { ADMIN_KEY, ask, batch, call, company, connect, hangUp, heard, type Node, newQid, startNode } from './world.ts'

let node: Node
beforeAll(async () => {
  node = await startNode({ DATABASE_URL: (await createDatabase()).url })
})
afterAll(() => node?.stop())
afterEach(hangUp)

test('a ping reaches the customer who waits for it, with the last leg once, and the dispatcher as a frame', async () => {
  const c = await company(node, 2)
  const customer = await connect(node, '/watch', c.orders[0]!.link.token)
  const first: { ok: boolean; view: OrderView } = await call(customer, 'watch')
  expect(first).toMatchObject({ ok: true, view: { status: 'out_for_delivery', track: { vehicle: null, hidden: 'no_position' } } })
  const desk = await connect(node, '/fleet', (await ask<{ token: string }>(node, 'POST', '/v1/sessions', {})).token)
  const roster = await call(desk, 'roster')
  expect(roster.drivers).toMatchObject([{ id: c.driver.driver.id, run: { stops: 2, done: 0, nextStop: 0 }, last: null }])
  await call(desk, 'view', { bbox: [11.8, 57.6, 12.1, 57.8], zoom: 12 })

  const phone = await connect(node, '/driver', c.driver.device.token)
  const qid = newQid()
  const hello = await call(phone, 'hello', { v: 1, qid, sentAt: Date.now() })
  expect(hello).toMatchObject({ ok: true, qid, upto: 0, policy: { interval: 1 }, run: { id: c.run.id, stops: [{}, {}] } })
  const along = c.run.stops[0]!.along - 600
  const seen = heard<TrackView>(customer, 'track')
  const framed = heard<ArrayBuffer>(desk, 'fleet')
  const kept = heard<Kept>(phone, 'kept')
  phone.emit('pings', batch(qid, [c.fix(1, along)]))
  const track = await seen
  expect(track).toMatchObject({ hidden: null, stopsLeft: 1, phase: 'enroute', kept: true, offRoute: false })
  expect(Math.abs(track.remaining! - 600)).toBeLessThan(10)
  expect(track.eta.kind).toBe('window')
  expect(track.path!.length).toBeGreaterThanOrEqual(2)
  const frame = decodeFrame(new Uint8Array(await framed))
  expect(frame).toMatchObject({ ok: true, value: { kind: 'positions', count: 1 } })
  expect(await kept).toEqual({ qid, upto: 1, rejected: [] })

  // The path does not come again while its version stands.
  const next = heard<TrackView>(customer, 'track', (t) => t.t > track.t)
  phone.emit('pings', batch(qid, [c.fix(2, along + 20)]))
  expect((await next).path).toBeUndefined()
  expect((await next).pathV).toBe(track.pathV)
  const again: { view: OrderView } = await call(customer, 'sync', { since: 0 })
  expect(again.view.track.path!.length).toBeGreaterThanOrEqual(2)
  expect(again.view.window).not.toBeNull()
})

test('[V2] the second customer sees the window and the stops left, and no vehicle near the first door', async () => {
  const c = await company(node, 2, 2)
  const customer = await connect(node, '/watch', c.orders[1]!.link.token)
  await call(customer, 'watch')
  const phone = await connect(node, '/driver', c.driver.device.token)
  const qid = newQid()
  const at = (along: number) => heard<TrackView>(customer, 'track', () => true).then((t) => ({ t, along }))
  const far = at(0)
  phone.emit('pings', batch(qid, [c.fix(1, c.run.stops[0]!.along - 20)]))
  const { t } = await far
  expect(t).toMatchObject({ vehicle: null, hidden: 'near_other_door', stopsLeft: 2, pathV: 0 })
  expect(t.path).toBeUndefined()
})

test('[V4] what the driver says at the door ends the live part within a second, and the driver hears the run anew', async () => {
  const c = await company(node, 1, 3)
  const customer = await connect(node, '/watch', c.orders[0]!.link.token)
  await call(customer, 'watch')
  const phone = await connect(node, '/driver', c.driver.device.token)
  const qid = newQid()
  await call(phone, 'hello', { v: 1, qid, sentAt: Date.now() })
  const seen = heard<TrackView>(customer, 'track')
  phone.emit('pings', batch(qid, [c.fix(1, c.run.stops[0]!.along - 100)]))
  expect((await seen).vehicle).not.toBeNull()
  const told = heard<OrderView>(customer, 'order', (o) => o.status === 'delivered')
  const run = heard<unknown>(phone, 'run')
  const act = { idemKey: 'k-1', type: 'delivered', stopId: c.run.stops[0]!.id, at: Date.now() }
  const said = Date.now()
  const done = await call(phone, 'act', act)
  expect(done).toMatchObject({ ok: true })
  expect(await call(phone, 'act', act)).toEqual(done)
  const view = await told
  expect(Date.now() - said).toBeLessThan(1_000)
  expect(view.track).toMatchObject({ vehicle: null, hidden: 'finished', t: 0, remaining: null, pathV: 0 })
  await run
  const after: TrackView[] = []
  customer.on('track', (t) => after.push(t))
  await call(phone, 'pings', batch(qid, [c.fix(2, c.run.stops[0]!.along)]))
  const beat = await call(customer, 'sync', { since: 0 })
  expect(after).toEqual([])
  expect(beat.view.track.vehicle).toBeNull()
})

test('[V4] a revoked link and a revoked device are cut at once; both are told why', async () => {
  const c = await company(node, 1, 4)
  const customer = await connect(node, '/watch', c.orders[0]!.link.token)
  await call(customer, 'watch')
  const gone = heard(customer, 'gone')
  const cut = heard(customer, 'disconnect')
  await ask(node, 'DELETE', `/v1/links/${c.orders[0]!.link.id}`)
  await Promise.all([gone, cut])
  await expect(connect(node, '/watch', c.orders[0]!.link.token)).rejects.toThrow('AUTH')
  const phone = await connect(node, '/driver', c.driver.device.token)
  const revoked = heard(phone, 'revoked')
  await ask(node, 'DELETE', `/v1/devices/${c.driver.device.id}`)
  await revoked
  await expect(connect(node, '/driver', c.driver.device.token)).rejects.toThrow('AUTH')
})

test('a stop that is inserted, an order that is cancelled: the dispatcher and the customer hear of both', async () => {
  const c = await company(node, 2, 5)
  const desk = await connect(node, '/fleet', ADMIN_KEY)
  await call(desk, 'roster')
  const customer = await connect(node, '/watch', c.orders[1]!.link.token)
  await call(customer, 'watch')
  const row = heard<{ id: string; status: string }>(
    desk,
    'order',
    (o) => o.id === c.orders[1]!.order.id && o.status === 'cancelled',
  )
  const told = heard<OrderView>(customer, 'order', (o) => o.status === 'cancelled')
  await ask(node, 'POST', `/v1/orders/${c.orders[1]!.order.id}/cancel`, { reason: 'changed her mind' })
  await Promise.all([row, told])
})

test('[P2] a batch is answered by its ack and by kept; what is sent again is kept once', async () => {
  const c = await company(node, 1, 6)
  const phone = await connect(node, '/driver', c.driver.device.token)
  const qid = newQid()
  await call(phone, 'hello', { v: 1, qid, sentAt: Date.now() })
  const items = Array.from({ length: 30 }, (_, i) => c.fix(i + 1, i * 10, { t: Date.now() - 30_000 + i * 1_000 }))
  const kept = heard<Kept>(phone, 'kept')
  const want = { qid, upto: 30, rejected: [{ seq: 11, code: 'LAT' }] }
  items[10] = { ...items[10]!, lat: 99 }
  expect(await call(phone, 'pings', batch(qid, items))).toEqual({ ok: true, ...want })
  expect(await kept).toEqual(want)
  expect(await call(phone, 'pings', batch(qid, items))).toMatchObject({ ok: true, upto: 30 })
  const { points } = await ask<{ points: unknown[] }>(
    node,
    'GET',
    `/v1/drivers/${c.driver.driver.id}/trail?from=${Date.now() - 60_000}&to=${Date.now()}`,
  )
  expect(points.length).toBe(29)
  expect(await call(phone, 'pings', batch(qid, [c.fix(40, 400)]))).toMatchObject({ ok: false, code: 'GAP', expect: 31 })
  expect(await call(phone, 'skip', { v: 1, qid, from: 31, to: 39, reason: 'full' })).toMatchObject({ ok: true })
})

test('a phone whose clock is an hour ahead is put right: its fixes are kept, and seen as of now', async () => {
  const c = await company(node, 1, 7)
  const customer = await connect(node, '/watch', c.orders[0]!.link.token)
  await call(customer, 'watch')
  const phone = await connect(node, '/driver', c.driver.device.token)
  const qid = newQid()
  const ahead = Date.now() + 3_600_000
  await call(phone, 'hello', { v: 1, qid, sentAt: ahead })
  const seen = heard<TrackView>(customer, 'track')
  const fix = c.fix(1, c.run.stops[0]!.along - 300, { t: ahead })
  expect(await call(phone, 'pings', { v: 1, qid, sentAt: ahead, items: [fix] })).toEqual({ ok: true, qid, upto: 1, rejected: [] })
  expect(Math.abs((await seen).t - Date.now())).toBeLessThan(5_000)
})

test('a failed door is an alert, and what the customer sees says so', async () => {
  const c = await company(node, 1, 8)
  const desk = await connect(node, '/fleet', ADMIN_KEY)
  await call(desk, 'roster')
  const customer = await connect(node, '/watch', c.orders[0]!.link.token)
  await call(customer, 'watch')
  const alert = heard<{ kind: string; orderId: string }>(desk, 'alert', (m) => m.kind === 'failed')
  const told = heard<OrderView>(customer, 'order', (o) => o.status === 'delivery_attempted')
  const phone = await connect(node, '/driver', c.driver.device.token)
  const act = { idemKey: newQid(), type: 'failed', reason: 'nobody_home', stopId: c.run.stops[0]!.id, at: Date.now() }
  expect(await call(phone, 'act', act)).toMatchObject({ ok: true })
  expect((await alert).orderId).toBe(c.orders[0]!.order.id)
  expect((await told).attempt).toMatchObject({ reason: 'nobody_home' })
})
