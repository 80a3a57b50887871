import { random } from '@doorstep/shared/random'
import { pointAt } from '@doorstep/shared/route'
import type { Eta, ShownWindow, Track } from '@doorstep/shared/track'
import type { DriverNo, Millis, RunId } from '@doorstep/shared/units'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Calibration, DEFAULT_CALIBRATION, learn, type Outcome, sides } from './calibration.ts'
import { etaTo } from './eta.ts'
import type { TripPlan } from './plan.ts'
import { drive, planOn, road, T0 } from './trip.fixture.ts'
import { advance, begin, toTrack } from './trip.ts'
import { reshow, windows } from './window.ts'

type Window = Extract<Eta, { kind: 'window' }>
const NO = 7 as DriverNo
const RUN = 'run' as RunId

const track = (over: Partial<Track> = {}): Track => ({
  no: NO,
  recordedAt: T0,
  seq: 1,
  at: [11.97, 57.7],
  heading: null,
  speed: null,
  accuracy: null,
  run: RUN,
  routeVersion: 1,
  along: 0,
  offRoute: false,
  nextStop: 0,
  phase: 'enroute',
  arrivedAt: null,
  pace: 1,
  still: 0,
  waited: 0,
  interval: 5,
  kept: true,
  ...over,
})
const window = (eta: Eta): Window => {
  if (eta.kind !== 'window') throw new Error(`unknown: ${eta.why}`)
  return eta
}

test('[T9] a window is never in the past, its parts are in order and are numbers, whatever the track says', () => {
  const plan = planOn(road(1, 80), 4)
  const any = fc.record({
    along: fc.double({ min: 0, max: plan.route.length, noNaN: true }),
    offRoute: fc.boolean(),
    nextStop: fc.integer({ min: 0, max: 4 }),
    phase: fc.constantFrom('enroute' as const, 'approaching' as const, 'arrived' as const),
    pace: fc.double({ min: 0.25, max: 6, noNaN: true }),
    still: fc.double({ min: 0, max: 1e5, noNaN: true }),
    waited: fc.double({ min: 0, max: 1e5, noNaN: true }),
    age: fc.integer({ min: -200_000, max: 2_000_000 }),
    index: fc.integer({ min: 0, max: 5 }),
    low: fc.boolean(),
    planned: fc.boolean(),
  })
  const timed = new Float64Array(plan.route.cum.map((m) => m / 8))
  fc.assert(
    fc.property(any, ({ age, index, low, planned, ...over }) => {
      const arrivedAt = over.phase === 'arrived' ? T0 - 30_000 : null
      const route = planned ? { ...plan.route, seconds: timed } : plan.route
      const now = T0 + age
      const eta = etaTo({ ...plan, route, confidence: low ? 'low' : 'road' }, track({ ...over, arrivedAt }), index, now)
      if (eta.kind === 'unknown') return
      expect(eta.from).toBeGreaterThanOrEqual(now)
      expect(eta.mid).toBeGreaterThanOrEqual(eta.from)
      expect(eta.to).toBeGreaterThanOrEqual(eta.mid)
      expect(eta.to).toBeGreaterThan(now)
      expect(Number.isInteger(eta.from) && Number.isInteger(eta.mid) && Number.isInteger(eta.to)).toBe(true)
    }),
    { numRuns: 1000 },
  )
})

test('[T9] service at the stops before counts, of the one where the driver stands only what is left', () => {
  const plan = planOn(road(2, 80), 3, 300)
  const ahead = window(etaTo(plan, track(), 2, T0)).mid
  const without: TripPlan = { ...plan, stops: plan.stops.map((s) => ({ ...s, service: 0 })) }
  expect(ahead - window(etaTo(without, track(), 2, T0)).mid).toBe(600_000)
  const standing = track({ along: plan.stops[0]!.along, phase: 'arrived', arrivedAt: T0 - 200_000 })
  const rest = window(etaTo(plan, standing, 1, T0)).mid - window(etaTo(without, standing, 1, T0)).mid
  expect(rest).toBe(100_000)
  const closed: TripPlan = { ...plan, stops: plan.stops.map((s, k) => ({ ...s, closed: k === 0 })) }
  expect(window(etaTo(closed, track({ nextStop: 1 }), 2, T0)).mid).toBe(ahead - 300_000)
})

test('[T9] what is not known says why', () => {
  const plan = planOn(road(3, 30), 2)
  expect(etaTo(plan, track(), 7, T0)).toEqual({ kind: 'unknown', why: 'no_route' })
  expect(etaTo(plan, track({ nextStop: 1 }), 0, T0)).toEqual({ kind: 'unknown', why: 'finished' })
  expect(etaTo(plan, track(), 1, T0 + 3_600_000)).toEqual({ kind: 'unknown', why: 'stale' })
})

test('[T9] a track of another version of the route is placed on this one by its position', () => {
  const plan = planOn(road(3, 60), 2)
  const along = plan.route.length * 0.3
  const old = track({ routeVersion: 4, along: 7, nextStop: 1, at: pointAt(plan.route, along) })
  const mine = etaTo(plan, track({ along }), 1, T0)
  expect(Math.abs(window(etaTo(plan, old, 1, T0)).mid - window(mine).mid)).toBeLessThan(2_000)
  expect(etaTo(plan, old, 0, T0).kind).toBe('window')
})

test('[T9] windows are wider for a detour, a straight line, an old fix and a halt; narrower with planned times', () => {
  const plan = planOn(road(4, 120), 1)
  const width = (p: TripPlan, t: Track, now: Millis = T0): number => {
    const w = window(etaTo(p, t, 0, now))
    return w.to - w.from
  }
  const usual = width(plan, track())
  expect(width(plan, track({ offRoute: true }))).toBeGreaterThan(usual)
  expect(window(etaTo(plan, track({ offRoute: true }), 0, T0)).detour).toBe(true)
  expect(width({ ...plan, confidence: 'low' }, track())).toBeGreaterThan(usual)
  expect(width(plan, track({ still: 100 }))).toBeGreaterThan(usual)
  const timed = new Float64Array(plan.route.cum.map((m) => m / 8))
  const known = { ...plan, route: { ...plan.route, seconds: timed } }
  const middle = window(etaTo(known, track(), 0, T0)).mid - T0
  expect(width(known, track()) / middle).toBeLessThan(usual / (window(etaTo(plan, track(), 0, T0)).mid - T0))
  expect(middle).toBe(Math.round(1000 * (plan.route.length / 8)))
})

test('[T9] a driver at a steady speed is met by the middle of the window, and the error shrinks on the way', () => {
  const shape = planOn(road(5, 150), 1, 0)
  // The router thought of 9 m/s; it is 7 today.
  const plan = { ...shape, route: { ...shape.route, seconds: new Float64Array(shape.route.cum.map((m) => m / 9)) } }
  const driven = drive(plan, 5, { speed: 7, every: 5 })
  const end = T0 + (plan.route.length / 7) * 1000
  let state = begin(plan)
  for (const { fix, truth } of driven) {
    state = advance(state, fix, fix.recordedAt, plan).state
    if (truth < plan.route.length * 0.5 || truth > plan.route.length * 0.9) continue
    const eta = window(etaTo(plan, toTrack(state, plan, NO, RUN, 5, true)!, 0, fix.recordedAt))
    expect(Math.abs(eta.mid - end) / (end - fix.recordedAt)).toBeLessThan(0.2)
    expect(eta.from).toBeLessThanOrEqual(end)
    expect(eta.to).toBeGreaterThanOrEqual(end)
  }
})

test('[T10] learning from outcomes makes windows cover what they promise, on outcomes that were not learned from', () => {
  const draw = random(6)
  const world = (calibration: Calibration, n: number): Outcome[] =>
    Array.from({ length: n }, () => {
      const mid0 = 60 + draw() * 2400
      const side = sides(calibration, mid0)
      const mid = mid0 * side.mid
      // The truth: 20 % longer than thought, with a long tail.
      const actual = mid0 * 1.2 * Math.exp(0.35 * draw.normal() + (draw() < 0.1 ? 0.8 : 0))
      return { low: mid - side.low * 0.1 * mid0, mid, high: mid + side.high * 0.1 * mid0, actual }
    })
  const coverage = (outcomes: Outcome[]): number =>
    outcomes.filter((o) => o.actual >= o.low && o.actual <= o.high).length / outcomes.length
  let calibration = DEFAULT_CALIBRATION
  expect(coverage(world(calibration, 4000))).toBeLessThan(0.4)
  for (let round = 0; round < 6; round++) calibration = learn(world(calibration, 3000), calibration)
  const after = coverage(world(calibration, 4000))
  expect(after).toBeGreaterThan(0.76)
  expect(after).toBeLessThan(0.84)
  expect(calibration.horizons[1]!.n).toBeGreaterThanOrEqual(50)
})

test('[T10] a few outcomes, or nonsense among them, teach nothing', () => {
  const few: Outcome[] = Array.from({ length: 20 }, () => ({ low: 90, mid: 100, high: 110, actual: 1000 }))
  expect(learn(few)).toEqual(DEFAULT_CALIBRATION)
  const nonsense: Outcome[] = Array.from({ length: 500 }, () => ({ low: 90, mid: 100, high: 110, actual: Number.NaN }))
  expect(learn(nonsense)).toEqual(DEFAULT_CALIBRATION)
})

const shownAt = (from: number, to: number, since: number): ShownWindow => ({
  from: T0 + from,
  to: T0 + to,
  since: T0 + since,
  reason: 'first',
})
const fresh = (from: number, mid: number, to: number, detour = false): Eta => ({
  kind: 'window',
  from: T0 + from,
  mid: T0 + mid,
  to: T0 + to,
  detour,
})
const MIN = 60_000

test('[T9] a shown window changes at most once a minute unless it is broken', () => {
  const shown = shownAt(10 * MIN, 20 * MIN, 0)
  const later = fresh(14 * MIN, 18 * MIN, 26 * MIN)
  expect(reshow(shown, later, T0 + 30_000)).toEqual({ window: shown, changed: false })
  expect(reshow(shown, later, T0 + 61_000)?.changed).toBe(true)
  const broken = fresh(22 * MIN, 25 * MIN, 30 * MIN)
  expect(reshow(shown, broken, T0 + 5_000)?.changed).toBe(true)
})

test('[T9] a shown window is on whole minutes, and small moves are no news', () => {
  const first = reshow(null, fresh(90_500, 200_000, 400_100), T0)!
  expect(first.changed).toBe(true)
  expect(first.window.reason).toBe('first')
  expect((first.window.from % MIN) + (first.window.to % MIN)).toBe(0)
  expect(first.window.from).toBeLessThanOrEqual(T0 + 90_500)
  expect(first.window.to).toBeGreaterThanOrEqual(T0 + 400_100)
  const near = reshow(first.window, fresh(100_000, 210_000, 410_000), T0 + 120_000)
  expect(near?.changed).toBe(false)
})

test('[T10] every change keeps its reason', () => {
  const shown = shownAt(10 * MIN, 20 * MIN, -5 * MIN)
  expect(reshow(shown, fresh(25 * MIN, 28 * MIN, 35 * MIN), T0)?.window.reason).toBe('pace')
  expect(reshow(shown, fresh(2 * MIN, 5 * MIN, 8 * MIN), T0)?.window.reason).toBe('stops_faster')
  expect(reshow(shown, fresh(2 * MIN, 5 * MIN, 8 * MIN), T0, undefined, true)?.window.reason).toBe('pace')
  expect(reshow(shown, fresh(25 * MIN, 28 * MIN, 35 * MIN, true), T0)?.window.reason).toBe('detour')
  expect(reshow(shown, fresh(25 * MIN, 28 * MIN, 35 * MIN), T0, 'stop_inserted')?.window.reason).toBe('stop_inserted')
})

test('[T9] no shown window begins in the past, though its first minute has begun', () => {
  fc.assert(
    fc.property(fc.nat(10 * 60_000), fc.nat(60_000), fc.nat(20 * 60_000), (late, ahead, width) => {
      const now = 1_700_000_000_000 + late
      const from = now + ahead
      const eta: Eta = { kind: 'window', from, mid: from + width / 2, to: from + width, detour: false }
      const { window } = reshow(null, eta, now)!
      expect(window.from).toBeGreaterThanOrEqual(now)
      expect(window.to).toBeGreaterThanOrEqual(window.from + 60_000)
      expect(window.to).toBeGreaterThanOrEqual(eta.to)
      expect(window.from).toBeLessThanOrEqual(Math.max(now, eta.from))
    }),
  )
})

test('[T9] an unknown ETA leaves what is shown; a run’s windows are judged one by one', () => {
  const shown = shownAt(10 * MIN, 20 * MIN, -5 * MIN)
  const unknown: Eta = { kind: 'unknown', why: 'stale' }
  expect(windows([shown, null, null], [unknown, unknown, fresh(0, MIN, 2 * MIN)], T0).map((s) => s?.changed ?? null)).toEqual([
    false,
    null,
    true,
  ])
})
