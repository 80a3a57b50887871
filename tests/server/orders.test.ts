// Orders over real databases: commands race, repeat and come late, and every reader sees one history.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SqlError } from '@doorstep/server/store/sql/port'
import type { WindowReason } from '@doorstep/shared/track'
import type { DriverId, LngLat, OrderId, RunId } from '@doorstep/shared/units'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createDatabase } from '../services/database.ts'
import { openDesk, type TestDesk } from './orders-desk.ts'

describe.each(['postgres', 'pglite'] as const)('over %s', (kind) => {
  let t: TestDesk
  const ends: (() => Promise<unknown>)[] = []
  beforeAll(async () => {
    if (kind === 'postgres') {
      const database = await createDatabase()
      ends.push(() => database.drop())
      t = await openDesk('', database.url)
    } else {
      const dir = await mkdtemp(join(tmpdir(), 'doorstep-orders-'))
      ends.push(() => rm(dir, { recursive: true, force: true }))
      t = await openDesk(dir)
    }
    ends.push(() => t.sql.close())
  })
  afterAll(async () => {
    for (const end of ends.reverse()) await end()
  })

  const detail = async (id: string) => (await t.orders.detail(id as OrderId))!
  const types = async (id: string) => (await detail(id)).events.map((e) => e.type)

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
    expect(await t.say(driver, plan!.stops[0]!.id, 'delivered')).toMatchObject({ ok: true, value: { ev: 6 } })
    const { order, events } = await detail(first!.id)
    expect(order.status).toBe('delivered')
    expect(events.map((e) => e.type)).toEqual([
      'order.received',
      'order.processed',
      'order.assigned',
      'order.started',
      'order.arrived',
      'order.delivered',
    ])
    expect(events.map((e) => e.sequence)).toEqual([1, 2, 3, 4, 5, 6])
    const view = (await t.orders.order(first!.id as OrderId))!.view
    expect(view.ev).toBe(6)
    expect(view.steps.map((s) => s.status)).toEqual(['received', 'processing', 'shipped', 'out_for_delivery', 'delivered'])
  })

  test('[O2] two writers race with the same version: one wins, the other is told the current one', async () => {
    const other = t.node()
    for (let i = 0; i < 5; i++) {
      const order = await t.anOrder()
      const id = order.id as OrderId
      const both = await Promise.all([
        t.orders.change(id, 'cancel', { expectedVersion: 1 }, t.by()),
        other.orders.change(id, 'hold', { expectedVersion: 1 }, t.by()),
      ])
      const lost = both.filter((r) => !r.ok)
      expect(lost).toEqual([{ ok: false, fault: expect.objectContaining({ code: 'VERSION', version: 2 }) }])
      expect((await detail(id)).events.map((e) => e.sequence)).toEqual([1, 2])
    }
  })

  test('[O1] what the table has no arrow for is refused with the status and the current version, and writes nothing', async () => {
    const order = await t.anOrder()
    const id = order.id as OrderId
    expect(await t.orders.change(id, 'complete', {}, t.by())).toEqual({
      ok: false,
      fault: { code: 'TRANSITION', status: 'received', version: 1 },
    })
    expect(await types(id)).toEqual(['order.received'])
  })

  test('[O1] a parcel that was missed at the door is picked up at the shop; one on its way is delivered at its stop alone', async () => {
    const { run, orders, driver } = await t.aStartedRun(2)
    await t.say(driver, run.stops[0]!.id, 'failed')
    const [missed, under] = orders.map((o) => o.id as OrderId) as [OrderId, OrderId]
    for (const action of ['make_available', 'deliver', 'complete'] as const)
      expect([action, (await t.orders.change(missed, action, {}, t.by())).ok]).toEqual([action, true])
    expect((await detail(missed)).order.status).toBe('completed')
    expect(await t.orders.change(under, 'deliver', {}, t.by())).toMatchObject({ ok: false, fault: { code: 'TRANSITION' } })
    expect((await t.orders.run(run.id as RunId))!.stops.map((s) => s.status)).toEqual(['failed', 'pending'])
  })

  test('[O2] a repeated command answers what it answered, another body is refused, and one key of two principals is two keys', async () => {
    const wanted = { recipient: { name: 'Sara' }, address: { label: 'Haga 1', at: [11.95, 57.7] as LngLat } }
    const first = await t.orders.newOrder(wanted, t.by('key-1', 'a'))
    const again = await t.orders.newOrder(wanted, t.by('key-1', 'a'))
    expect(again).toEqual(first)
    expect(await t.orders.newOrder(wanted, t.by('key-1', 'b'))).toEqual({ ok: false, fault: { code: 'IDEM_REUSED' } })
    const theirs = await t.orders.newOrder(wanted, { ...t.by('key-1', 'a'), principal: 'somebody else' })
    expect(theirs.ok && first.ok && theirs.value.order.id !== first.value.order.id).toBe(true)
    const racing = await Promise.all([1, 2, 3, 4].map(() => t.orders.newOrder(wanted, t.by('key-2', 'a'))))
    expect(new Set(racing.map((r) => r.ok && r.value.order.id)).size).toBe(1)
    expect(new Set(racing.map((r) => r.ok && r.value.link.token)).size).toBe(1)
  })

  test('a refused command leaves its key free, for the sender may put right what was wrong', async () => {
    const order = await t.anOrder()
    const id = order.id as OrderId
    expect((await t.orders.change(id, 'release', {}, t.by('key-3', 'release'))).ok).toBe(false)
    expect((await t.orders.change(id, 'hold', {}, t.by())).ok).toBe(true)
    expect((await t.orders.change(id, 'release', {}, t.by('key-3', 'release'))).ok).toBe(true)
  })

  test('no token is stored anywhere, not even in the answers kept for repeated commands', async () => {
    const wanted = { recipient: { name: 'Sara' }, address: { label: 'Haga 1', at: [11.95, 57.7] as LngLat } }
    const made = await t.orders.newOrder(wanted, t.by('key-4', 'a'))
    const { token } = made.ok ? made.value.link : { token: '' }
    const tables = await t.sql.query<{ name: string }>(
      `select quote_ident(table_name) as name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'`,
    )
    for (const { name } of tables.rows) {
      const { rows } = await t.sql.query<{ hit: number }>(
        `select count(*) as hit from ${name} x where position($1 in x::text) > 0 or position($2 in x::text) > 0`,
        [token, Buffer.from(token).toString('hex')],
      )
      expect([name, rows[0]!.hit]).toEqual([name, 0])
    }
  })

  test('[O4] an arrival known only after the delivery is recorded with its true time, and the status stays', async () => {
    const { run, orders, driver } = await t.aStartedRun(2)
    const stop = run.stops[0]!.id
    t.tick(600_000)
    await t.say(driver, stop, 'delivered')
    const truly = t.now() - 120_000
    await t.orders.arrived(run.id as RunId, stop, truly, true)
    const { order, events } = await detail(orders[0]!.id)
    expect(order.status).toBe('delivered')
    expect(events.at(-1)).toMatchObject({ type: 'order.arrived', source: 'geofence', occurredAt: truly, late: true })
    // told again, it says nothing new
    await t.orders.arrived(run.id as RunId, stop, truly, true)
    expect((await detail(orders[0]!.id)).events.length).toBe(events.length)
  })

  test('[O4] a delivery that comes after a cancellation is kept as a conflict, and turns nothing back', async () => {
    const { run, orders, driver } = await t.aStartedRun(2)
    const id = orders[0]!.id as OrderId
    const at = t.now()
    t.tick(60_000)
    expect((await t.orders.change(id, 'cancel', { reason: 'changed her mind' }, t.by())).ok).toBe(true)
    t.tick(60_000)
    const said = await t.say(driver, run.stops[0]!.id, 'delivered', { at, key: 'from the tunnel' })
    expect(said).toMatchObject({ ok: false, fault: { code: 'TRANSITION', status: 'cancelled' } })
    expect(await t.say(driver, run.stops[0]!.id, 'delivered', { at, key: 'from the tunnel' })).toEqual(said)
    const { order, events } = await detail(id)
    expect(order.status).toBe('cancelled')
    expect(events.filter((e) => e.type === 'order.conflict')).toMatchObject([
      { occurredAt: at, late: true, source: 'driver', data: { said: 'delivered' } },
    ])
  })

  test('[O2] a driver who says it twice with one key says it once; with two keys the second is refused', async () => {
    const { run, orders, driver } = await t.aStartedRun(2)
    const stop = run.stops[0]!.id
    const both = await Promise.all([
      t.say(driver, stop, 'delivered', { key: 'twin' }),
      t.say(driver, stop, 'delivered', { key: 'twin' }),
    ])
    expect(both[0]).toEqual(both[1])
    expect(both[0]).toMatchObject({ ok: true })
    expect(await t.say(driver, stop, 'failed', { key: 'twin' })).toEqual({ ok: false, fault: { code: 'IDEM_REUSED' } })
    expect(await t.say(driver, stop, 'delivered')).toMatchObject({ ok: false, fault: { code: 'TRANSITION' } })
    expect((await types(orders[0]!.id)).filter((type) => type === 'order.delivered').length).toBe(1)
  })

  test('[V1] a driver can do nothing to a stop of another driver, nor to one that was taken from him a moment ago', async () => {
    const { run, orders, driver } = await t.aStartedRun(2)
    const stranger = await t.aDriver()
    const stop = run.stops[0]!.id
    const before = await types(orders[0]!.id)
    const notYours = { ok: false, fault: { code: 'NOT_YOURS' } }
    expect(await t.say(stranger, stop, 'delivered')).toEqual(notYours)
    expect(await t.say(driver, '019a0000-0000-7000-8000-000000000000', 'delivered')).toEqual(notYours)
    expect(await types(orders[0]!.id)).toEqual(before)
    expect((await t.orders.assign(run.id as RunId, stranger.id, t.by())).ok).toBe(true)
    expect(await t.say(driver, stop, 'delivered')).toEqual(notYours)
    expect(await t.say(stranger, stop, 'delivered')).toMatchObject({ ok: true })
    expect(await t.orders.runOf(driver.id)).toBeNull()
    expect((await t.orders.runOf(stranger.id))?.id).toBe(run.id)
  })

  test('a plan keeps its identity until something changes, and its route until the way does', async () => {
    const { run, driver } = await t.aStartedRun(3)
    const id = run.id as RunId
    const before = (await t.orders.run(id))!
    expect(await t.orders.run(id)).toBe(before)
    expect(await t.orders.runOf(driver.id)).toBe(before)
    const made = t.now()
    await t.orders.showWindows(id, made, [aWindow(before.stops[0]!.id, made, 600, 'first')])
    const after = (await t.orders.run(id))!
    expect(after).not.toBe(before)
    expect(after.version).toBeGreaterThan(before.version)
    expect(after.route).toBe(before.route)
    const way = await t.router.route([[11.96, 57.7], ...after.stops.map((s) => s.door)])
    const rerouted = (await t.orders.reroute(id, [11.96, 57.7], way))!
    expect(rerouted.routeVersion).toBe(after.routeVersion + 1)
    expect(rerouted.route).not.toBe(after.route)
    expect(rerouted.stops.at(-1)!.along).toBeCloseTo(rerouted.route.length, 6)
    // a way that was asked for in place of a route that is gone, or does not fit the stops ahead, is not laid
    expect(await t.orders.reroute(id, [11.96, 57.7], way, after.routeVersion)).toBeNull()
    expect((await t.orders.reroute(id, [11.96, 57.7], way, rerouted.routeVersion))?.routeVersion).toBe(rerouted.routeVersion + 1)
    expect(await t.orders.reroute(id, [11.96, 57.7], await t.router.route([[11.96, 57.7], after.stops[0]!.door]))).toBeNull()
  })

  test('another node sees a change at once by its signal, and one without signals within five seconds', async () => {
    const there = t.node()
    const deaf = t.node({ deaf: true })
    const { run, orders, driver } = await t.aStartedRun(2)
    const id = orders[0]!.id as OrderId
    const heard: number[] = []
    there.orders.onOrder((order, ev) => order === id && heard.push(ev))
    for (const node of [there, deaf]) {
      expect((await node.orders.order(id))!.view.status).toBe('out_for_delivery')
      expect((await node.orders.runOf(driver.id))!.stops[0]!.status).toBe('pending')
    }
    const repaired = new Promise<void>((done) => deaf.orders.onOrder((order) => order === id && done()))
    await t.say(driver, run.stops[0]!.id, 'delivered')
    expect(heard).toEqual([5])
    expect((await there.orders.order(id))!.view.status).toBe('delivered')
    expect((await there.orders.runOf(driver.id))!.stops[0]!.status).toBe('done')
    expect((await deaf.orders.order(id))!.view.status).toBe('out_for_delivery')
    t.tick(5_001)
    await deaf.orders.runOf(driver.id)
    await repaired
    expect((await deaf.orders.order(id))!.view.status).toBe('delivered')
    expect((await deaf.orders.runOf(driver.id))!.stops[0]!.status).toBe('done')
  })

  test('[F] while the database is away, what a node knows goes on being told, commands reject, and afterwards all is exact again', async () => {
    let away = false
    const gone = () => Promise.reject(new SqlError('connection refused', '08006', true))
    const there = t.node({
      deaf: true,
      sql: {
        ...t.sql,
        query: (text, params) => (away ? gone() : t.sql.query(text, params)),
        tx: (work, lane) => (away ? gone() : t.sql.tx(work, lane)),
      },
    })
    const { run, orders, driver } = await t.aStartedRun(2)
    const id = orders[0]!.id as OrderId
    const before = await there.orders.runOf(driver.id)
    expect((await there.orders.order(id))!.view.status).toBe('out_for_delivery')
    away = true
    await t.say(driver, run.stops[0]!.id, 'delivered')
    t.tick(6_000)
    expect(await there.orders.runOf(driver.id)).toBe(before)
    await expect(there.orders.change(id, 'complete', {}, t.by())).rejects.toMatchObject({ unavailable: true })
    await expect(there.orders.run('019a0000-0000-7000-8000-000000000000' as RunId)).rejects.toMatchObject({ unavailable: true })
    away = false
    t.tick(6_000)
    const repaired = new Promise<void>((done) => there.orders.onOrder((order) => order === id && done()))
    await there.orders.runOf(driver.id)
    await repaired
    expect((await there.orders.order(id))!.view.status).toBe('delivered')
    expect((await there.orders.runOf(driver.id))!.stops[0]!.status).toBe('done')
  })

  test('[T10] the first window is the promise, each change is an event with its reason, and outcomes are kept beside predictions', async () => {
    const { run, orders, driver } = await t.aStartedRun(2)
    const id = orders[0]!.id as OrderId
    const stop = run.stops[0]!.id
    const first = aWindow(stop, t.now(), 600, 'first')
    await t.orders.showWindows(run.id as RunId, t.now(), [first])
    t.tick(120_000)
    const second = aWindow(stop, t.now(), 900, 'stop_took_longer')
    await t.orders.showWindows(run.id as RunId, t.now(), [second])
    const { view } = (await t.orders.order(id))!
    expect(view.promise).toEqual({ from: first.from, to: first.to })
    expect(view.window).toEqual({ from: second.from, to: second.to, since: t.now(), reason: 'stop_took_longer' })
    const changes = (await detail(id)).events.filter((e) => e.type === 'order.window_changed')
    expect(changes.map((e) => e.data.reason)).toEqual(['first', 'stop_took_longer'])
    expect(view.ev).toBe(changes.at(-1)!.sequence)
    t.tick(880_000)
    await t.say(driver, stop, 'arrived')
    const { rows } = await t.sql.query<{ outcome_at: number }>('select outcome_at from predictions where stop_id = $1', [stop])
    expect(rows.map((r) => r.outcome_at)).toEqual([t.now(), t.now()])
    // nothing is promised any more at a door where the van stands
    await t.orders.showWindows(run.id as RunId, t.now(), [aWindow(stop, t.now(), 60, 'pace')])
    expect((await types(id)).filter((type) => type === 'order.window_changed').length).toBe(2)
  })

  test('[T10] coverage and error by horizon are counted from outcomes, and the calibration learns each outcome once', async () => {
    await t.sql.query('delete from predictions')
    const { run, driver } = await t.aStartedRun(2)
    const stop = run.stops[0]!.id
    // sixty windows a second apart, all centred 20 % too early
    const arrives = t.now() + 1_000_000
    const changes = Array.from({ length: 60 }, (_, i) => t.now() + i * 1_000)
    for (const made of changes) {
      await t.orders.showWindows(run.id as RunId, made, [aWindow(stop, made, (arrives - made) / 1_200, 'pace')])
    }
    t.tick(1_000_000)
    await t.say(driver, stop, 'arrived', { at: arrives })
    const report = await t.orders.etaReport()
    expect(report.horizons).toHaveLength(1)
    expect(report.horizons[0]).toMatchObject({ from: 300, shown: 60, coverage: 0 })
    expect(report.horizons[0]!.bias).toBeGreaterThan(150)
    expect(report.horizons[0]!.medianError).toBeCloseTo(report.horizons[0]!.bias, -1)
    const before = await t.orders.calibration()
    expect(before).toBeNull()
    const learned = await t.orders.learn()
    expect(learned.horizons.map((h) => h.n)).toEqual([0, 0, 60, 0, 0])
    expect(learned.horizons[2]!.mid).toBeCloseTo(1.2, 2)
    expect(await t.orders.calibration()).toEqual(learned)
    t.tick(1_000)
    expect(await t.orders.learn()).toEqual(learned)
  })

  test('a cancelled order leaves its run: the stop is gone, the way is laid anew, and the others stay as they are', async () => {
    const { run, orders } = await t.aStartedRun(3)
    const before = (await t.orders.run(run.id as RunId))!
    const done = await t.orders.change(orders[1]!.id as OrderId, 'cancel', {}, t.by())
    expect(done).toMatchObject({ ok: true, value: { status: 'cancelled', runId: null } })
    const after = (await t.orders.run(run.id as RunId))!
    expect(after.stops.map((s) => s.orderId)).toEqual([orders[0]!.id, orders[2]!.id])
    expect(after.routeVersion).toBe(before.routeVersion + 2)
    expect(after.stops.at(-1)!.along).toBeCloseTo(after.route.length, 6)
    expect(after.route.length).toBeLessThan(before.route.length)
    const base = (await t.orders.order(orders[1]!.id as OrderId))!
    expect([base.run, base.stop]).toEqual([null, -1])
  })

  test('an order put on a run under way is assigned, on its way, and at the place where it costs least', async () => {
    const { run, orders } = await t.aStartedRun(2)
    const [a, b] = run.stops.map((s) => s.door) as [LngLat, LngLat]
    const between = await t.anOrder({ address: { label: 'Between 1', at: [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2] } })
    const view = await t.orders.insertStop(run.id as RunId, between.id as OrderId, undefined, t.by())
    expect(view.ok && view.value.stops.map((s) => s.orderId)).toEqual([orders[0]!.id, between.id, orders[1]!.id])
    expect(await types(between.id)).toEqual(['order.received', 'order.processed', 'order.assigned', 'order.started'])
    const alongs = view.ok ? view.value.stops.map((s) => s.along) : []
    expect(alongs).toEqual(alongs.toSorted((x, y) => x - y))
    const last = await t.anOrder()
    const again = await t.orders.insertStop(run.id as RunId, last.id as OrderId, 99, t.by())
    expect(again.ok && again.value.stops.at(-1)!.orderId).toBe(last.id)
    expect(await t.orders.insertStop(run.id as RunId, last.id as OrderId, 0, t.by())).toMatchObject({
      ok: false,
      fault: { code: 'CONFLICT', field: 'orderId' },
    })
  })

  test('a run ends when its last stop is settled; one that is ended early gives its orders back', async () => {
    const { run, orders, driver } = await t.aStartedRun(2)
    await t.say(driver, run.stops[0]!.id, 'failed')
    expect((await t.orders.order(orders[0]!.id as OrderId))!.view.attempt).toMatchObject({ reason: 'other' })
    const ended = await t.orders.finish(run.id as RunId, t.by())
    expect(ended).toMatchObject({ ok: true, value: { status: 'finished' } })
    expect((await detail(orders[1]!.id)).order).toMatchObject({ status: 'processing', runId: null, driverId: null })
    expect(await t.orders.runOf(driver.id)).toBeNull()
    expect((await t.orders.change(orders[0]!.id as OrderId, 'retry', {}, t.by())).ok).toBe(true)
    const second = await t.orders.newRun(
      { start: [11.9668, 57.7072], orders: orders.map((o) => o.id), driverId: driver.id },
      t.by(),
    )
    expect(second).toMatchObject({ ok: true, value: { status: 'assigned' } })
    const next = second.ok ? second.value : run
    expect((await t.orders.start(next.id as RunId, t.by())).ok).toBe(true)
    for (const stop of next.stops) await t.say(driver, stop.id, 'delivered')
    expect((await t.orders.run(next.id as RunId))!.status).toBe('finished')
    const steps = (await t.orders.order(orders[1]!.id as OrderId))!.view.steps.map((s) => s.status)
    expect(steps).toEqual(['received', 'processing', 'shipped', 'out_for_delivery', 'delivered'])
  })

  test('the list of runs has every run that is not over, and only the last of those that are', async () => {
    t.tick(1)
    const { run } = await t.aStartedRun(1)
    t.tick(1)
    const done = await t.aStartedRun(1)
    await t.orders.finish(done.run.id as RunId, t.by())
    const ids = (await t.orders.runs()).map((r) => r.id)
    expect(ids.slice(0, 2)).toEqual([done.run.id, run.id])
    expect((await t.orders.runs('started')).map((r) => r.status)).not.toContain('finished')
    expect((await t.orders.runs('finished')).map((r) => r.id)).toContain(done.run.id)
    const { rows } = await t.sql.query<{ n: number }>(
      `select count(*) as n from runs where status in ('draft', 'assigned', 'started')`,
    )
    expect((await t.orders.runs()).filter((r) => r.status !== 'finished' && r.status !== 'cancelled').length).toBe(rows[0]!.n)
    expect((await t.orders.runs()).every((r) => r.route.line.length === 0)).toBe(true)
  })

  test('a driver drives one run at a time, and an order is on one run at a time', async () => {
    const { run, driver } = await t.aStartedRun(1)
    const order = await t.anOrder()
    const wanted = { start: [11.9668, 57.7072] as LngLat, orders: [order.id], driverId: driver.id }
    const second = await t.orders.newRun(wanted, t.by())
    expect(second.ok).toBe(true)
    expect((await t.orders.runOf(driver.id))?.id).toBe(run.id)
    expect(await t.orders.start((second.ok ? second.value.id : '') as RunId, t.by())).toMatchObject({
      ok: false,
      fault: { code: 'CONFLICT', field: 'driverId' },
    })
    expect(await t.orders.newRun(wanted, t.by())).toMatchObject({ ok: false, fault: { code: 'CONFLICT', field: 'orders' } })
    await t.say(driver, run.stops[0]!.id, 'delivered')
    expect((await t.orders.runOf(driver.id))?.id).toBe(second.ok && second.value.id)
  })

  test('[O2] two runs of one driver are started at the same moment: one drives, the other is a conflict', async () => {
    const driver = await t.aDriver()
    const there = t.node()
    const runs = []
    for (let i = 0; i < 2; i++) {
      const order = await t.anOrder()
      const run = await t.orders.newRun({ start: [11.9668, 57.7072], orders: [order.id], driverId: driver.id }, t.by())
      if (run.ok) runs.push(run.value.id as RunId)
    }
    const both = await Promise.all([t.orders.start(runs[0]!, t.by()), there.orders.start(runs[1]!, t.by())])
    expect(both.map((r) => (r.ok ? 'ok' : r.fault.code)).toSorted()).toEqual(['CONFLICT', 'ok'])
  })

  test('[V5] two orders of one driver share no identifier, and no view tells his family name', async () => {
    const { orders, driver } = await t.aStartedRun(2)
    const views = await Promise.all(orders.map(async (o) => (await t.orders.order(o.id as OrderId))!.view))
    expect(views.map((v) => v.driver?.name)).toEqual(['Anna', 'Anna'])
    expect(views[0]!.driver!.alias).not.toBe(views[1]!.driver!.alias)
    for (const view of views) expect(JSON.stringify(view)).not.toMatch(new RegExp(`Lind|${driver.id}|"no"`))
  })

  test('[V6] unknown, malformed, expired and revoked tokens are all nobody', async () => {
    const wanted = { recipient: { name: 'Sara' }, address: { label: 'Haga 1', at: [11.95, 57.7] as LngLat } }
    const make = async () => {
      const made = await t.orders.newOrder(wanted, t.by())
      if (!made.ok) throw new Error('no order')
      return made.value
    }
    const [expired, revoked] = [await make(), await make()]
    expect(await t.auth.link(expired.link.token)).toMatchObject({ order: expired.order.id })
    const there = t.node()
    const deaf = t.node({ deaf: true })
    for (const node of [there, deaf]) expect(await node.auth.link(revoked.link.token)).not.toBeNull()
    const cut: string[] = []
    there.auth.onRevoked((kind, id) => cut.push(`${kind} ${id}`))
    expect(await t.auth.revoke('link', revoked.link.id)).toBe(true)
    expect(await t.auth.link(revoked.link.token)).toBeNull()
    expect(await there.auth.link(revoked.link.token)).toBeNull()
    expect(cut).toEqual([`link ${revoked.link.id}`])
    t.tick(10_001)
    expect(await deaf.auth.link(revoked.link.token)).toBeNull()
    t.tick(14 * 86_400_000)
    expect(await t.auth.link(expired.link.token)).toBeNull()
    for (const token of [
      '',
      'x',
      'A'.repeat(22),
      'A'.repeat(43),
      '\0',
      'é'.repeat(22),
      'A'.repeat(1_000_000),
      `${revoked.link.token} `,
    ])
      for (const kind of ['link', 'device', 'session'] as const) expect(await t.auth[kind](token)).toBeNull()
  })

  test('a search finds parts of words as they are typed, and takes no SQL and no wildcards', async () => {
    const marked = await t.anOrder({ recipient: { name: `O'Hara 100%_\\ "x"` }, externalRef: `R-${kind}` })
    const find = async (q: string) => {
      const found = await t.orders.list({ q, limit: 200 })
      return found.ok ? found.value.orders.map((o) => o.id) : found
    }
    for (const q of [`o'hara`, '100%_', '\\ "x"', marked.number, marked.number.slice(3).toLowerCase(), `r-${kind}`])
      expect(await find(q)).toEqual([marked.id])
    for (const q of [`' or 1=1--`, '%', '_', '100__', `'; drop table orders; --`]) expect(await find(q)).not.toContain('x')
    expect(await find(`' or 1=1--`)).toEqual([])
    expect((await t.orders.list({ limit: 1 })).ok).toBe(true)
  })

  test('pages of orders are whole: none twice, none missing, and an edited cursor is refused', async () => {
    const ids = new Set<string>()
    let cursor: string | undefined
    let rows = 0
    do {
      const page = await t.orders.list({ limit: 7, ...(cursor && { cursor }) })
      if (!page.ok) throw new Error('refused')
      for (const order of page.value.orders) ids.add(order.id)
      rows += page.value.orders.length
      cursor = page.value.next ?? undefined
    } while (cursor)
    const { rows: all } = await t.sql.query<{ n: number }>('select count(*) as n from orders')
    expect([ids.size, rows]).toEqual([all[0]!.n, all[0]!.n])
    for (const edited of ['', 'x', "' or 1=1--", 'A'.repeat(23)])
      expect(await t.orders.list({ limit: 7, cursor: edited })).toEqual({ ok: false, fault: { code: 'CURSOR', field: 'cursor' } })
  })

  test('what is old is forgotten: keys after a week, predictions after their days', async () => {
    t.tick(61 * 86_400_000)
    await t.orders.prune(60)
    for (const table of ['idem', 'predictions']) {
      const { rows } = await t.sql.query<{ n: number }>(`select count(*) as n from ${table}`)
      expect([table, rows[0]!.n]).toEqual([table, 0])
    }
  })

  test('the roster tells each driver once, with the run that he drives', async () => {
    const { run, driver } = await t.aStartedRun(2)
    await t.say(driver, run.stops[0]!.id, 'delivered')
    const row = (await t.orders.drivers()).filter((d) => d.id === driver.id)
    expect(row).toEqual([
      {
        id: driver.id,
        no: driver.no,
        name: 'Anna Lind',
        vehicle: 'van',
        run: { id: run.id, stops: 2, done: 1, nextStop: 1 },
        window: null,
      },
    ])
    expect(await t.orders.driver('019a0000-0000-7000-8000-000000000000' as DriverId)).toBeNull()
  })
})

function aWindow(stopId: string, made: number, seconds: number, reason: WindowReason) {
  const mid = Math.round(made + seconds * 1000)
  return { stopId, mid, from: mid - 60_000, to: mid + 60_000, reason }
}
