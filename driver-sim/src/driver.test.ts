// One simulated driver without a server: what the phone stores, and what it would say at the doors.
import type { RunView } from '@doorstep/shared/api'
import { distance, ruler } from '@doorstep/shared/geo'
import { random } from '@doorstep/shared/random'
import { pointAt, route } from '@doorstep/shared/route'
import type { LngLat } from '@doorstep/shared/units'
import type { UplinkSocket } from '@doorstep/shared/uplink'
import { expect, test } from 'vitest'
import { phases } from './demo.ts'
import { openDriver } from './driver.ts'
import { nearby } from './fleet.ts'
import { HONEST } from './gps.ts'
import { lossy } from './line.ts'
import { tour } from './office.ts'
import { parseOptions } from './options.ts'
import { parseTrips, replayTrips } from './trips.ts'

const r = ruler(57.7)
const at = (x: number, y: number): LngLat => [11.95 + x / r.kx, 57.7 + y / r.ky]
const line = [at(0, 0), at(800, 0), at(800, 600), at(0, 600)]
const prepared = route(line)
const view = (
  change: Partial<RunView> = {},
  alongs = [500, 1200, 2000],
  statuses: RunView['stops'][number]['status'][] = [],
): RunView => ({
  id: 'run-1',
  name: 'Round 1',
  status: 'started',
  version: 1,
  driverId: 'd',
  routeVersion: 1,
  route: { line, length: prepared.length, seconds: 200, confidence: 'road', source: 'city' },
  stops: alongs.map((along, i) => ({
    id: `stop-${i}`,
    orderId: `order-${i}`,
    orderNumber: `DS-${i}`,
    label: `Door ${i}`,
    door: pointAt(prepared, along),
    along,
    service: 30,
    status: statuses[i] ?? 'pending',
    window: null,
    promise: null,
    note: null,
    recipient: 'R',
    orderStatus: 'out_for_delivery',
    orderVersion: 3,
  })),
  startedAt: 0,
  ...change,
})

type Told = { event: string; message: Record<string, never> }
/** A server that takes everything and remembers it. */
function server() {
  const told: Told[] = []
  const listeners = new Map<string, (m: never) => void>()
  const socket: UplinkSocket = {
    connected: true,
    connect: () => queueMicrotask(() => listeners.get('connect')?.(undefined as never)),
    disconnect: () => {},
    on: (event, listener) => listeners.set(event, listener),
    emit: (event, message, ack) => {
      told.push({ event, message: message as Told['message'] })
      const m = message as { qid: string; items?: { seq: number }[] }
      const answer = {
        ok: true,
        qid: m.qid,
        upto: m.items?.at(-1)?.seq ?? 0,
        rejected: [],
        policy: { interval: 1 },
        run: null,
        now: 0,
        ev: 1,
      }
      if (ack) queueMicrotask(() => (ack as (a: unknown) => void)(answer))
    },
  }
  return { socket, told, hear: (event: string, m: unknown) => listeners.get(event)?.(m as never) }
}
async function open(seed: number, over: Partial<Parameters<typeof openDriver>[0]> = {}) {
  let time = 1_700_000_000_000
  let ids = 0
  const s = server()
  const driver = await openDriver({
    socket: s.socket,
    clock: { now: () => time, after: () => () => {} },
    clockError: 0,
    rng: random(seed),
    gps: HONEST,
    speed: 1,
    fails: 0,
    outages: 0,
    newId: () => `id-${++ids}`,
    ...over,
  })
  const drive = async (seconds: number) => {
    for (let i = 0; i < seconds; i++) {
      time += 1000
      driver.tick(1)
      await new Promise((done) => setImmediate(done))
    }
  }
  const fixes = () =>
    s.told
      .filter((t) => t.event === 'pings')
      .flatMap((t) => t.message.items as unknown as { t: number; lon: number; lat: number }[])
  const acts = () => s.told.filter((t) => t.event === 'act').map((t) => `${t.message.type} ${t.message.stopId}`)
  return { driver, drive, fixes, acts, ...s }
}

test('the same seed drives the same trajectory and tells the same fixes; another seed another one', async () => {
  const run = async (seed: number) => {
    const d = await open(seed)
    void d.driver.take(view())
    await d.drive(120)
    return d.fixes()
  }
  const [a, b, c] = [await run(7), await run(7), await run(8)]
  expect(a.length).toBeGreaterThan(100)
  expect(a).toEqual(b)
  expect(a).not.toEqual(c)
})

test('a driver arrives and delivers at every door in order, and the run ends when the server knows it', async () => {
  const d = await open(3)
  let ended = false
  void d.driver.take(view()).then(() => {
    ended = true
  })
  await d.drive(60)
  expect(ended).toBe(false)
  await d.drive(500)
  expect(d.acts()).toEqual([0, 1, 2].flatMap((i) => [`arrived stop-${i}`, `delivered stop-${i}`]))
  expect(ended).toBe(true)
  expect(d.driver.run).toBeNull()
})

test('a driver who is put 90 s before a door gets there in about that time', async () => {
  const d = await open(5)
  const started = view({}, undefined, ['done'])
  void d.driver.take(started, 90)
  expect(d.driver.ahead.map((a) => a.stopId)).toEqual(['stop-1', 'stop-2'])
  let seconds = 0
  while (d.acts().length === 0 && seconds < 400) {
    await d.drive(1)
    seconds++
  }
  expect(d.acts()[0]).toBe('arrived stop-1')
  expect(seconds).toBeLessThan(160)
})

test('a door that the dispatcher cancels under way is not served, and a new line is followed from where the van is', async () => {
  const d = await open(4)
  void d.driver.take(view())
  await d.drive(30)
  const before = d.driver.at!
  const changed = view({ routeVersion: 2, route: { ...view().route, line: [...line].slice(0, 3) } }, [500, 1200], ['cancelled'])
  d.hear('run', changed)
  await d.drive(1)
  expect(distance(before, d.driver.at!)).toBeLessThan(40)
  await d.drive(400)
  expect(d.acts()).toEqual(['arrived stop-1', 'delivered stop-1'])
})

test('time that runs ten times faster still drives no faster than a server believes', async () => {
  const d = await open(6, { speed: 10 })
  void d.driver.take(view())
  await d.drive(60)
  const fixes = d.fixes().slice(1)
  const steps = fixes.slice(1).map((f, i) => distance([f.lon, f.lat], [fixes[i]!.lon, fixes[i]!.lat]))
  expect(Math.max(...steps)).toBeLessThan(68)
  expect(d.acts().length).toBeGreaterThan(3)
})

test('a line that loses a fifth loses about a fifth, never the connection itself', () => {
  const s = server()
  const bad = lossy(s.socket, 0.2, random(1))
  let connects = 0
  bad.on('connect', () => connects++)
  for (let i = 0; i < 1000; i++) {
    bad.emit('pings', { qid: 'q' })
    s.hear('connect', undefined)
  }
  expect(s.told.length).toBeGreaterThan(740)
  expect(s.told.length).toBeLessThan(860)
  expect(connects).toBe(1000)
})

test('links are sorted into phases by what their van has yet to do', async () => {
  const d = await open(9)
  const run = view({}, [300, 700, 1100, 1300, 1500, 1700, 1900], ['done', 'failed'])
  void d.driver.take(run)
  const load = { run, parcels: run.stops.map((s, i) => ({ orderId: s.orderId, stopId: s.id, url: `u${i}` })) }
  const now = phases([{ driver: d.driver, load, next: { ...load, parcels: [{ orderId: 'x', stopId: 'x', url: 'later' }] } }])
  expect(now).toMatchObject({ near: ['u3'], delivered: ['u0'], failed: ['u1'], waiting: ['later'], far: [] })
  expect(now.arriving).toEqual(['u2'])
})

test('a tour goes to the nearest door left, and doors of a van are near each other', () => {
  const doors = [at(900, 0), at(100, 0), at(500, 0)]
  expect(tour(at(0, 0), doors, distance)).toEqual([1, 2, 0])
  const pool = Array.from({ length: 100 }, (_, i) => ({ label: `${i}`, at: at(i * 50, 0) }))
  const chosen = nearby(pool, at(0, 0), 4, random(1))
  expect(new Set(chosen.map((p) => p.label)).size).toBe(4)
  expect(chosen.every((p) => distance(p.at, at(0, 0)) < 1020)).toBe(true)
})

test('every fault of a command line is told by its name', () => {
  const r = parseOptions(['--drivers', '0', '--rate', 'fast', '--url', 'ftp://x', '--loss', '2'], {})
  expect(r.ok ? [] : r.fault.map((f) => f.split(':')[0])).toEqual(['--url', '--key', '--drivers', '--rate', '--loss'])
  expect(parseOptions(['--nonsense'], {}).ok).toBe(false)
  expect(parseOptions(['--speed', '10', '--tunnel', '--skew', '--seed', '7'], { ADMIN_KEY: 'k' })).toMatchObject({
    ok: true,
    value: { speed: 10, tunnel: true, skew: 60, seed: 7, key: 'k', rate: 1, duration: null },
  })
})

test('recorded trips are read line by line, the bad ones told', () => {
  const good = {
    id: 4,
    route: [at(0, 0), at(9, 9)],
    pings: [
      [5, 11, 57],
      [3, 11.1, 57],
      [9, 11.2, 57],
    ],
    tags: ['x'],
  }
  const { trips, faults } = parseTrips(`${JSON.stringify(good)}\n\nnot json\n{"id":2}\n`)
  expect(faults).toHaveLength(2)
  expect(trips[0]).toMatchObject({ id: '4', doors: [at(9, 9)], from: at(0, 0) })
  expect(trips[0]!.pings.map((p) => [p.at, p.t])).toEqual([
    [2, 2],
    [2, 0],
    [6, 6],
  ])
})

test('a recorded trip is sent in its order of arrival with its own times', async () => {
  const s = server()
  const timers: { at: number; run: () => void }[] = []
  let time = 1_000_000
  const clock = {
    now: () => time,
    after: (ms: number, run: () => void) => {
      const timer = { at: time + ms, run }
      timers.push(timer)
      return () => void timers.splice(timers.indexOf(timer), 1)
    },
  }
  const { trips } = parseTrips(
    JSON.stringify({
      id: 'a',
      route: [at(0, 0), at(90, 0)],
      pings: [
        [10, ...at(0, 0)],
        [12, ...at(40, 0)],
        [11, ...at(20, 0)],
      ],
    }),
  )
  await replayTrips(trips, {
    fleet: { hire: async () => ({ id: 'd', token: 't', url: '' }) },
    office: { city: async () => ({ ok: false, fault: { status: 500, code: 'INTERNAL', title: '' } }) } as never,
    connect: () => s.socket,
    clock,
    newId: () => 'q',
    rng: random(1),
    speed: 1,
    say: () => {},
  })
  for (let i = 0; i < 30; i++) {
    const due = timers.filter((t) => t.at <= time)
    for (const timer of due) {
      timers.splice(timers.indexOf(timer), 1)
      timer.run()
    }
    await new Promise((done) => setImmediate(done))
    time += 200
  }
  const items = s.told.filter((t) => t.event === 'pings').flatMap((t) => t.message.items as unknown as { seq: number; t: number }[])
  expect(items.map((f) => f.t - 1_000_000)).toEqual([0, 2000, 1000])
})
