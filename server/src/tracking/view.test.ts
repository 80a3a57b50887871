// Along random ten-stop runs, for each order at each moment: nothing outside its gates, in any payload.
import { distance, offset } from '@doorstep/shared/geo'
import type { OrderStatus } from '@doorstep/shared/order'
import { random } from '@doorstep/shared/random'
import { headingAt, pointAt, route } from '@doorstep/shared/route'
import type { Eta, RunStop, Track } from '@doorstep/shared/track'
import type { DriverNo, LngLat, RunId } from '@doorstep/shared/units'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { GATES, type Gates, orderViewOf, PRIVATE_RADIUS, type Subject, viewOf } from './view.ts'

const NOW = 1_795_000_000_000
const eta: Eta = { kind: 'window', from: NOW + 300_000, to: NOW + 600_000, mid: NOW + 420_000, detour: false }

/** Ten doors on a winding street: some far apart, some next door to each other, one on a part of the street that is driven twice. */
function world(seed: number) {
  const r = random(seed)
  const line: LngLat[] = [[11.95, 57.7]]
  let direction = r() * 360
  for (let i = 0; i < 160; i++) {
    direction += r() < 0.15 ? (r() < 0.5 ? 90 : -90) : r.normal() * 8
    const step = 20 + r() * 120
    const rad = (direction * Math.PI) / 180
    line.push(offset(line[line.length - 1]!, Math.sin(rad) * step, Math.cos(rad) * step))
  }
  const there = line.slice()
  const path = route(r() < 0.3 ? [...there, ...there.slice(0, -1).reverse()] : there)
  const stops: RunStop[] = []
  let along = 0
  for (let i = 0; i < 10; i++) {
    along += r() < 0.3 ? r() * 120 : path.length / 14 + r() * 150
    along = Math.min(along, path.length)
    stops.push({
      id: `s${i}`,
      orderId: `o${i}`,
      orderNumber: `DS-${i}`,
      label: 'door',
      door: offset(pointAt(path, along), r.normal() * 12, r.normal() * 12),
      along,
      service: 120,
      status: 'pending',
      window: null,
      promise: null,
    })
  }
  return { path, stops }
}

const RUN = 'run' as RunId
function subject(w: ReturnType<typeof world>, stop: number, done: number, status: OrderStatus = 'out_for_delivery'): Subject {
  return {
    view: {
      epoch: 'e',
      ev: 5,
      number: `DS-${stop}`,
      merchant: 'm',
      recipient: 'r',
      status,
      steps: [],
      door: { at: w.stops[stop]!.door, label: 'door' },
      window: { from: NOW, to: NOW + 1, since: NOW, reason: 'first' },
      promise: null,
      attempt: null,
      driver: { name: 'Ann', alias: `alias${stop}`, vehicle: 'van' },
    },
    run: {
      id: RUN,
      status: 'started',
      route: w.path,
      routeVersion: 3,
      stops: w.stops.map((s, i) => (i < done ? { ...s, status: 'done' as const } : s)),
    },
    stop,
  }
}
function track(w: ReturnType<typeof world>, along: number, nextStop: number): Track {
  return {
    no: 77 as DriverNo,
    recordedAt: NOW - 900,
    seq: 4,
    at: pointAt(w.path, along),
    heading: headingAt(w.path, along),
    speed: 9,
    accuracy: 6,
    run: RUN,
    routeVersion: 3,
    along,
    offRoute: false,
    nextStop,
    phase: 'arrived',
    arrivedAt: NOW,
    still: 0,
    waited: 0,
    pace: 1,
    interval: 1,
    kept: true,
  }
}
/** Every pair of numbers in a payload that could be a place. */
function places(value: unknown, out: LngLat[] = []): LngLat[] {
  if (Array.isArray(value)) {
    if (value.length === 2 && value.every((v) => typeof v === 'number')) out.push(value as unknown as LngLat)
    else for (const v of value) places(v, out)
  } else if (typeof value === 'object' && value !== null) for (const v of Object.values(value)) places(v, out)
  return out
}

test('[V2][V3] along a ten-stop run no payload of any order holds a place near another door, a gated element, or a name shared between orders', () => {
  let vehicles = 0
  let paths = 0
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1e9 }), fc.double({ min: 0, max: 1, noNaN: true }), (seed, part) => {
      const w = world(seed)
      const along = part * w.path.length
      const done = w.stops.filter((s) => s.along < along).length
      for (let stop = 0; stop < 10; stop++) {
        const s = subject(w, stop, done)
        const view = orderViewOf(s, track(w, along, done), eta, NOW)
        const text = JSON.stringify(view)
        expect(text).not.toContain('"no"')
        for (const other of w.stops) if (other !== w.stops[stop]) expect(text).not.toContain(`${other.orderNumber}"`)
        for (const place of places(view))
          for (const [i, other] of w.stops.entries())
            if (i !== stop && distance(place, other.door) <= PRIVATE_RADIUS)
              expect(distance(place, w.stops[stop]!.door), `stop ${stop} tells of door ${i}`).toBeLessThanOrEqual(PRIVATE_RADIUS)
        const left = stop - done + 1
        if (stop < done) {
          expect(view.track).toMatchObject({ vehicle: null, hidden: 'finished', t: 0, stopsLeft: null, remaining: null, pathV: 0 })
          expect(places(view.track)).toEqual([])
          continue
        }
        if (left > 3) expect(view.track).toMatchObject({ vehicle: null, hidden: 'too_far', remaining: null })
        if (left > 10) expect(view.track.stopsLeft).toBeNull()
        if (left > 1) {
          expect(view.track).toMatchObject({ pathV: 0, phase: 'enroute' })
          expect(view.track.path).toBeUndefined()
        }
        if (view.track.vehicle) vehicles++
        if (view.track.path && view.track.path.length > 1) paths++
      }
    }),
    { numRuns: 400 },
  )
  // The rule must not be kept by showing nothing.
  expect(vehicles).toBeGreaterThan(200)
  expect(paths).toBeGreaterThan(50)
})

test('[V3] next to another door the vehicle is withheld and says why; at the own door, even beside another, it is shown', () => {
  const line = route([
    [11.9, 57.7],
    [11.95, 57.7],
  ])
  const stop = (i: number, along: number): RunStop => ({ ...world(1).stops[0]!, id: `s${i}`, door: pointAt(line, along), along })
  const w = { path: line, stops: [stop(0, 1_000), stop(1, 2_000), stop(2, 2_060)] }
  const seen = (mine: number, along: number) => viewOf(subject(w, mine, mine === 0 ? 0 : 1), track(w, along, mine), eta, NOW, true)
  expect(seen(1, 1_140)).toMatchObject({ vehicle: null, hidden: 'near_other_door' })
  expect(seen(1, 1_160).vehicle?.at).toBeDefined()
  expect(seen(1, 1_990).vehicle?.at).toBeDefined()
  expect(seen(1, 1_870)).toMatchObject({ hidden: null })
  expect(seen(1, 1_300).path?.length).toBeGreaterThanOrEqual(2)
  // Before the first door's ring is left, the last leg starts behind it.
  const cut = seen(1, 1_010).path!
  for (const place of cut) expect(distance(place, w.stops[0]!.door)).toBeGreaterThan(PRIVATE_RADIUS)
})

test.each<[OrderStatus, string]>([
  ['received', 'not_started'],
  ['processing', 'not_started'],
  ['shipped', 'not_started'],
  ['on_hold', 'not_started'],
  ['delivered', 'finished'],
  ['completed', 'finished'],
  ['delivery_attempted', 'finished'],
  ['available_for_pickup', 'finished'],
  ['returning', 'finished'],
  ['returned', 'finished'],
  ['cancelled', 'finished'],
  ['lost', 'finished'],
])('[V4] an order that is %s shows nothing live: %s', (status, hidden) => {
  const w = world(5)
  const view = orderViewOf(subject(w, 1, 1, status), track(w, w.stops[1]!.along - 10, 1), eta, NOW)
  expect(view.window).toBeNull()
  expect(view.track).toEqual({
    t: 0,
    now: NOW,
    vehicle: null,
    hidden,
    eta: { kind: 'unknown', why: hidden },
    stopsLeft: null,
    remaining: null,
    phase: 'enroute',
    offRoute: false,
    interval: 1,
    kept: true,
    pathV: 0,
  })
})

test('[V4] a run not started, finished or cancelled, and a driver off duty or on another run, show no vehicle', () => {
  const w = world(5)
  const base = subject(w, 1, 1)
  const t = track(w, w.stops[1]!.along - 10, 1)
  const hidden = (s: Subject, tr: Track | null) => viewOf(s, tr, eta, NOW).hidden
  for (const status of ['draft', 'assigned'] as const)
    expect(hidden({ ...base, run: { ...base.run!, status } }, t)).toBe('not_started')
  for (const status of ['finished', 'cancelled'] as const)
    expect(hidden({ ...base, run: { ...base.run!, status } }, t)).toBe('off_duty')
  expect(hidden({ ...base, run: null }, t)).toBe('not_started')
  expect(hidden(base, { ...t, run: null })).toBe('off_duty')
  expect(hidden(base, { ...t, run: 'another' as RunId })).toBe('no_position')
  expect(hidden(base, null)).toBe('no_position')
})

test('[V2] each element has its own gate, by stops, minutes and metres', () => {
  const w = world(9)
  const s = subject(w, 4, 3)
  const t = { ...track(w, w.stops[4]!.along - 900, 3), at: offset(w.stops[4]!.door, 5_000, 5_000) }
  const seen = (gates: Partial<Gates>) => viewOf(s, t, eta, NOW, true, { ...GATES, ...gates })
  expect(seen({}).stopsLeft).toBe(2)
  expect(seen({ stopsLeft: 'never' }).stopsLeft).toBeNull()
  expect(seen({ stopsLeft: { stops: 1 } }).stopsLeft).toBeNull()
  expect(seen({ distance: { metres: 1_000 } }).remaining).toBe(900)
  expect(seen({ distance: { metres: 800 } }).remaining).toBeNull()
  expect(seen({ vehicle: { minutes: 8 } }).vehicle).not.toBeNull()
  expect(seen({ vehicle: { minutes: 6 } })).toMatchObject({ vehicle: null, hidden: 'too_far' })
  expect(seen({ window: 'never' }).eta.kind).toBe('unknown')
  expect(orderViewOf(s, t, eta, NOW, { ...GATES, window: 'never' }).window).toBeNull()
})
