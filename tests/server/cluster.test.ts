// Several processes: two nodes on one Redis and one database, a restart, a node that is killed. Watchers see one truth, newest wins.
import type { OrderView, TrackView } from '@doorstep/shared/track'
import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest'
import { createDatabase } from '../services/database.ts'
import { ADMIN_KEY, ask, batch, call, company, connect, hangUp, heard, type Node, newQid, startNode } from './world.ts'

let env: Record<string, string>
let a: Node
let b: Node
beforeAll(async () => {
  env = { DATABASE_URL: (await createDatabase()).url, REDIS_URL: inject('redisUrl') }
  ;[a, b] = await Promise.all([
    startNode({ ...env, NODE_ID: `a-${process.pid}` }),
    startNode({ ...env, NODE_ID: `b-${process.pid}` }),
  ])
})
afterAll(async () => {
  for (const node of [a, b]) {
    expect(node.log()).not.toMatch(/fatal|unhandled/i)
    await node.stop()
  }
})
afterEach(hangUp)

test('a ping on one node reaches customers and dispatchers on the other, and what a door ends is ended there too', async () => {
  const c = await company(a, 1, 21)
  const customer = await connect(b, '/watch', c.orders[0]!.link.token)
  expect(await call(customer, 'watch')).toMatchObject({ ok: true, view: { status: 'out_for_delivery' } })
  const desk = await connect(b, '/fleet', ADMIN_KEY)
  await call(desk, 'roster')
  await call(desk, 'view', { bbox: [11.8, 57.6, 12.1, 57.8], zoom: 12 })
  const phone = await connect(a, '/driver', c.driver.device.token)
  const qid = newQid()
  const along = c.run.stops[0]!.along - 400
  const seen = heard<TrackView>(customer, 'track')
  const framed = heard(desk, 'fleet')
  phone.emit('pings', batch(qid, [c.fix(1, along)]))
  expect((await seen).vehicle).not.toBeNull()
  await framed
  const told = heard<OrderView>(customer, 'order', (o) => o.status === 'delivered')
  expect(await call(phone, 'act', { idemKey: qid, type: 'delivered', stopId: c.run.stops[0]!.id, at: Date.now() })).toMatchObject({
    ok: true,
  })
  expect((await told).track).toMatchObject({ vehicle: null, hidden: 'finished' })
})

test('[T3] one driver on two nodes: the newer fix wins on both, whichever came last', async () => {
  const c = await company(a, 1, 22)
  const customer = await connect(a, '/watch', c.orders[0]!.link.token)
  await call(customer, 'watch')
  const device = await ask<{ token: string }>(a, 'POST', `/v1/drivers/${c.driver.driver.id}/devices`, {})
  const [one, two] = await Promise.all([connect(a, '/driver', c.driver.device.token), connect(b, '/driver', device.token)])
  const now = Date.now()
  const along = c.run.stops[0]!.along
  const newer = heard<TrackView>(customer, 'track', (t) => t.t === now)
  two.emit('pings', batch(newQid(), [c.fix(1, along - 300, { t: now })]))
  expect((await newer).vehicle).not.toBeNull()
  await call(one, 'pings', batch(newQid(), [c.fix(1, along - 500, { t: now - 5_000 })]))
  const { view } = (await call(customer, 'sync', { since: 0 })) as { view: OrderView }
  expect(view.track.t).toBe(now)
  expect(Math.abs(view.track.remaining! - 300)).toBeLessThan(10)
})

test('[V4] a revocation on one node cuts the sockets of the other within a second', async () => {
  const c = await company(a, 1, 23)
  const customer = await connect(b, '/watch', c.orders[0]!.link.token)
  await call(customer, 'watch')
  const phone = await connect(b, '/driver', c.driver.device.token)
  const began = Date.now()
  const gone = Promise.all([heard(customer, 'gone'), heard(phone, 'revoked')])
  await ask(a, 'DELETE', `/v1/links/${c.orders[0]!.link.id}`)
  await ask(a, 'DELETE', `/v1/devices/${c.driver.device.id}`)
  await gone
  expect(Date.now() - began).toBeLessThan(1_000)
})

test('alerts of the node that holds the driver reach the dispatchers of every node', async () => {
  const c = await company(a, 2, 24)
  const desk = await connect(b, '/fleet', ADMIN_KEY)
  await call(desk, 'roster')
  const phone = await connect(a, '/driver', c.driver.device.token)
  const qid = newQid()
  const alert = heard<{ kind: string; driverId: string }>(desk, 'alert', (m) => m.kind === 'off_route')
  const t = Date.now() - 12_000
  const items = Array.from({ length: 12 }, (_, i) => {
    const on = c.fix(i + 1, 300 + i * 5, { t: t + i * 1_000, acc: 5 })
    // Four fixes on the road, and then straight away from it.
    return i < 4 ? on : { ...on, lat: on.lat + (i - 3) * 0.0008, lon: on.lon + (i - 3) * 0.0008 }
  })
  for (const item of items) await call(phone, 'pings', batch(qid, [item]))
  expect(await alert).toMatchObject({ kind: 'off_route', driverId: c.driver.driver.id })
})

test('a node that ends in order answers what it took, its clients come back to it, and see what they saw', async () => {
  const own = await createDatabase()
  const first = await startNode({ DATABASE_URL: own.url })
  const c = await company(first, 2, 25)
  const along = c.run.stops[0]!.along - 500
  const phone = await connect(first, '/driver', c.driver.device.token)
  const qid = newQid()
  const customer = await connect(first, '/watch', c.orders[0]!.link.token)
  await call(customer, 'watch')
  const seen = heard<TrackView>(customer, 'track')
  await call(phone, 'pings', batch(qid, [c.fix(1, along)]))
  const before = await seen
  const answers = Promise.allSettled(
    Array.from({ length: 20 }, (_, i) => call(phone, 'pings', batch(qid, [c.fix(i + 2, along + i)]))),
  )
  const lost = heard<string>(customer, 'disconnect')
  expect(await first.stop()).toBe(0)
  // Not "io server disconnect": after that a client would not come back by itself.
  expect(await lost).toMatch(/transport/)
  const said = (await answers).flatMap((one) => (one.status === 'fulfilled' && one.value.ok ? [one.value.upto as number] : []))
  const again = await startNode({ DATABASE_URL: own.url })
  try {
    const back = await connect(again, '/driver', c.driver.device.token)
    const hello = await call(back, 'hello', { v: 1, qid, sentAt: Date.now() })
    expect(hello.upto).toBeGreaterThanOrEqual(Math.max(1, ...said))
    const watcher = await connect(again, '/watch', c.orders[0]!.link.token)
    const { view } = (await call(watcher, 'watch')) as { view: OrderView }
    expect(view.ev).toBeGreaterThan(0)
    const moved = heard<TrackView>(watcher, 'track')
    await call(back, 'pings', batch(qid, [c.fix(hello.upto + 1, along + 60)]))
    const after = await moved
    expect(after.t).toBeGreaterThan(before.t)
    expect(Math.abs(after.remaining! - 440)).toBeLessThan(15)
  } finally {
    await again.stop()
    await own.drop()
  }
})

test('a node that is killed loses nothing that it acknowledged', async () => {
  const own = await createDatabase()
  const first = await startNode({ DATABASE_URL: own.url })
  const c = await company(first, 1, 26)
  const phone = await connect(first, '/driver', c.driver.device.token)
  const qid = newQid()
  let upto = 0
  phone.on('kept', (m: { upto: number }) => {
    upto = Math.max(upto, m.upto)
  })
  for (let seq = 1; seq <= 400; seq += 10)
    phone.emit(
      'pings',
      batch(
        qid,
        Array.from({ length: 10 }, (_, i) => c.fix(seq + i, seq + i, { t: Date.now() - 5_000 + seq + i })),
      ),
    )
  await heard(phone, 'kept')
  await first.stop('SIGKILL')
  const again = await startNode({ DATABASE_URL: own.url })
  try {
    const back = await connect(again, '/driver', c.driver.device.token)
    const hello = await call(back, 'hello', { v: 1, qid, sentAt: Date.now() })
    expect(upto).toBeGreaterThan(0)
    expect(hello.upto).toBeGreaterThanOrEqual(upto)
    const trail = await ask<{ points: unknown[] }>(
      again,
      'GET',
      `/v1/drivers/${c.driver.driver.id}/trail?from=${Date.now() - 60_000}&to=${Date.now() + 60_000}`,
    )
    expect(trail.points.length).toBeGreaterThanOrEqual(upto)
  } finally {
    await again.stop()
    await own.drop()
  }
})
