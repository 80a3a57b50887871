import { offset } from '@doorstep/shared/geo'
import type { Fix } from '@doorstep/shared/ping'
import { random } from '@doorstep/shared/random'
import { pointAt, route } from '@doorstep/shared/route'
import type { DriverNo, LngLat, Millis, RunId } from '@doorstep/shared/units'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { TripPlan } from './plan.ts'
import { drive, fixOf, metresBetween, planOn, road, T0 } from './trip.fixture.ts'
import { type Advanced, advance, begin, type TripEvent, type TripState, toTrack } from './trip.ts'

const NO = 7 as DriverNo
const RUN = 'run' as RunId

function fold(
  plan: TripPlan | null,
  fixes: readonly Fix[],
  now?: Millis,
): { state: TripState; events: TripEvent[]; verdicts: string[] } {
  let state = begin(plan)
  const events: TripEvent[] = []
  const verdicts: string[] = []
  for (const fix of fixes) {
    const step = advance(state, fix, now ?? fix.recordedAt, plan)
    state = step.state
    events.push(...step.events)
    verdicts.push(step.verdict)
  }
  return { state, events, verdicts }
}

/** What of a state must not depend on the order of arrival. */
const told = (state: TripState, plan: TripPlan | null) => ({ head: state.head, track: toTrack(state, plan, NO, RUN, 5, true) })

/** Each fix up to three times, in any order inside windows of a minute. */
function shuffled(fixes: readonly Fix[], seed: number): Fix[] {
  const draw = random(seed)
  const rows = fixes.flatMap((fix) =>
    Array.from({ length: 1 + draw.int(3) }, () => ({ fix, key: Math.floor(fix.recordedAt / 60_000) + draw() })),
  )
  return rows.sort((a, b) => a.key - b.key).map((row) => row.fix)
}

test('[T1] any shuffle and repetition of a trip gives the same state and the same arrivals', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1e6 }),
      fc.integer({ min: 1, max: 1e6 }),
      fc.constantFrom(1, 4, 10, 15),
      (seed, order, every) => {
        const plan = planOn(road(seed, 60), 3)
        const draw = random(order)
        const fixes = drive(plan, seed, { every }).map(({ fix }) =>
          draw() < 0.02 ? { ...fix, at: offset(fix.at, 4000 * draw.normal(), 4000 * draw.normal()) } : fix,
        )
        const now = fixes.at(-1)!.recordedAt
        const clean = fold(plan, fixes, now)
        const mixed = fold(plan, shuffled(fixes, order), now)
        expect(told(mixed.state, plan)).toEqual(told(clean.state, plan))
        expect(mixed.verdicts).not.toContain('OLD')
      },
    ),
    { numRuns: 30 },
  )
})

test('[T1] several fixes of one instant give one state, whatever comes first', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1e6 }), fc.integer({ min: 1, max: 1e6 }), (seed, order) => {
      const plan = planOn(road(seed, 40), 1)
      const draw = random(order)
      const fixes = drive(plan, seed, { every: 5 }).flatMap(({ fix }) =>
        draw() < 0.3 ? [fix, { ...fix, seq: fix.seq + 10_000, at: offset(fix.at, 300 * draw.normal(), 0) }] : [fix],
      )
      const now = fixes.at(-1)!.recordedAt
      expect(told(fold(plan, shuffled(fixes, order), now).state, plan)).toEqual(told(fold(plan, fixes, now).state, plan))
    }),
    { numRuns: 30 },
  )
})

test('[T4] one more fix of the same instant never takes progress back', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1e6 }), fc.constantFrom(30, 150, 600), (seed, far) => {
      const plan = planOn(road(seed, 40), 1)
      const draw = random(seed)
      let state = begin(plan)
      for (const { fix } of drive(plan, seed, { every: 5 })) {
        const twins = draw() < 0.3 ? [fix, { ...fix, seq: fix.seq + 10_000, at: offset(fix.at, far * draw.normal(), 0) }] : [fix]
        if (draw() < 0.5) twins.reverse()
        for (const twin of twins) {
          const next = advance(state, twin, twin.recordedAt, plan).state
          expect(next.head.along).toBeGreaterThanOrEqual(state.head.along)
          state = next
        }
      }
    }),
    { numRuns: 30 },
  )
})

test('[T1] an older state stays true when a newer one was made of it', () => {
  const plan = planOn(road(4, 40), 2)
  const fixes = drive(plan, 4).map((d) => d.fix)
  let state = begin(plan)
  const kept: [TripState, string][] = []
  for (const fix of fixes) {
    kept.push([state, JSON.stringify(told(state, plan))])
    state = advance(state, fix, fix.recordedAt, plan).state
  }
  for (const [old, json] of kept) expect(JSON.stringify(told(old, plan))).toBe(json)
  // Two futures of one past do not see each other.
  const past = kept[20]![0]
  const one = advance(past, fixes[20]!, T0 * 2, plan).state
  const other = advance(past, fixes[25]!, T0 * 2, plan).state
  expect(advance(one, fixes[21]!, T0 * 2, plan).state.head).toEqual(fold(plan, fixes.slice(0, 22)).state.head)
  expect(other.head.t).toBe(fixes[25]!.recordedAt)
})

test('[T1] a state goes through JSON and goes on as if it had not', () => {
  const plan = planOn(road(5, 40), 2)
  const fixes = drive(plan, 5).map((d) => d.fix)
  const half = fold(plan, fixes.slice(0, 40)).state
  let revived = JSON.parse(JSON.stringify(half)) as TripState
  for (const fix of fixes.slice(40)) revived = advance(revived, fix, fix.recordedAt, plan).state
  expect(revived.head).toEqual(fold(plan, fixes).state.head)
})

test('[T2] a late fix reveals an arrival with its true time, and the marker stays', () => {
  const plan = planOn(road(6, 60), 2, 0)
  const fixes = drive(plan, 6, { every: 4, noise: 3 }).map((d) => d.fix)
  const clean = fold(plan, fixes)
  const arrived = clean.events.find((e): e is Extract<TripEvent, { kind: 'arrived' }> => e.kind === 'arrived')!
  const near = fixes.filter((f) => Math.abs(f.recordedAt - arrived.at) <= 12_000)
  let { state } = fold(
    plan,
    fixes.filter((f) => !near.includes(f) && f.recordedAt < arrived.at + 40_000),
  )
  const shown = state.head.t
  const events: TripEvent[] = []
  for (const fix of near.reverse()) {
    const step: Advanced = advance(state, fix, shown, plan)
    expect(step.verdict).toBe('LATE')
    expect(step.state.head.t).toBe(shown)
    expect(step.state.head.along).toBeGreaterThanOrEqual(state.head.along - 1)
    events.push(...step.events)
    state = step.state
  }
  expect(events.filter((e) => e.kind === 'arrived' && e.stop === 0).at(-1)).toEqual({
    kind: 'arrived',
    stop: 0,
    at: arrived.at,
    late: true,
  })
})

test('[T2] a queue that is drained after its newest fix tells what happened while the driver was not heard of', () => {
  const plan = planOn(road(19, 200), 4, 60)
  const fixes = drive(plan, 19, { every: 2, noise: 4 }).map((d) => d.fix)
  const clean = fold(plan, fixes)
  const from = Math.floor(fixes.length * 0.2)
  const to = Math.floor(fixes.length * 0.8)
  const gone = fixes.slice(from, to)
  expect(gone.length).toBeGreaterThan(300)
  const now = fixes[to]!.recordedAt
  let { state } = fold(plan, [...fixes.slice(0, from), fixes[to]!], now)
  const late: TripEvent[] = []
  for (const fix of gone) {
    const step = advance(state, fix, now, plan)
    expect(step.verdict).toBe('LATE')
    expect(step.state.head.t).toBe(now)
    late.push(...step.events)
    state = step.state
  }
  for (const fix of fixes.slice(to + 1)) state = advance(state, fix, fix.recordedAt, plan).state
  expect(told(state, plan)).toEqual(told(clean.state, plan))
  expect(late.filter((e) => e.kind === 'arrived').every((e) => e.late)).toBe(true)
  expect(new Set(late.filter((e) => e.kind === 'arrived').map((e) => e.stop)).size).toBeGreaterThanOrEqual(2)
})

test('[T2] a fix from before the checkpoint is history only, and a whole trip of any length keeps a bounded state', () => {
  const plan = planOn(road(8, 400), 1)
  const fixes = drive(plan, 8, { every: 1, speed: 6 }).map((d) => d.fix)
  expect(fixes.length).toBeGreaterThan(2000)
  const { state } = fold(plan, fixes)
  expect(state.count).toBeLessThan(400)
  expect(state.fixes.length).toBeLessThan(400 * 7)
  const old = advance(state, { ...fixes[3]!, seq: 1_000_000 }, T0 * 2, plan)
  expect(old.verdict).toBe('OLD')
  expect(old.state).toBe(state)
})

test('[T4] progress grows or stays on a route, in whatever noise, and no number is ever none', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1e6 }),
      fc.constantFrom(2, 10, 30, 80),
      fc.constantFrom(1, 5, 20),
      (seed, noise, every) => {
        const plan = planOn(road(seed, 40), 2)
        let state = begin(plan)
        for (const { fix } of drive(plan, seed, { every, noise, accuracy: null })) {
          const next = advance(state, fix, fix.recordedAt, plan).state
          expect(next.head.along).toBeGreaterThanOrEqual(state.head.along)
          for (const value of Object.values(next.head).flat())
            if (typeof value === 'number') expect(Number.isFinite(value)).toBe(true)
          state = next
        }
      },
    ),
    { numRuns: 15 },
  )
})

test('[T4] out and back the same way, progress is right to 100 m at the device’s own rates', () => {
  for (const every of [1, 3, 5, 10]) {
    for (let seed = 1; seed < 6; seed++) {
      const out = road(seed, 60)
      const plan = planOn([...out, ...out.slice(0, -1).reverse()], 1)
      let state = begin(plan)
      for (const { fix, truth } of drive(plan, seed, { every, noise: 6 })) {
        state = advance(state, fix, fix.recordedAt, plan).state
        expect(Math.abs(state.head.along - truth)).toBeLessThan(100)
      }
    }
  }
})

test('[T5] one wild fix moves nothing', () => {
  const plan = planOn(road(11, 60), 1)
  const fixes = drive(plan, 11).map((d) => d.fix)
  const before = fold(plan, fixes.slice(0, 20)).state
  const wild = { ...fixes[20]!, at: offset(fixes[20]!.at, 5000, -3000) }
  const step = advance(before, wild, wild.recordedAt, plan)
  expect(step.verdict).toBe('JUMP')
  expect(step.events).toEqual([])
  const track = toTrack(step.state, plan, NO, RUN, 5, true)!
  expect(track.at).toEqual(toTrack(before, plan, NO, RUN, 5, true)!.at)
  expect(track.along).toBe(before.head.along)
  // And the next good one goes on as if it had not been.
  const after = advance(step.state, fixes[21]!, fixes[21]!.recordedAt, plan)
  expect(after.verdict).toBe('LIVE')
  expect(Math.abs(after.state.head.along - fold(plan, fixes.slice(0, 22)).state.head.along)).toBeLessThan(40)
})

test('[T5] a jump is believed when two more fixes agree with it, and not when they disagree', () => {
  const far: LngLat = offset([11.9668, 57.7072], 9000, 9000)
  const here: LngLat = [11.9668, 57.7072]
  const start = Array.from({ length: 5 }, (_, k) => fixOf(k + 1, T0 + k * 1000, here))
  const agree = [1, 2, 3].map((k) => fixOf(10 + k, T0 + (10 + k) * 1000, offset(far, 10 * k, 0)))
  expect(fold(null, [...start, ...agree]).verdicts.slice(-3)).toEqual(['JUMP', 'JUMP', 'LIVE'])
  const places = [far, offset(far, -30_000, 0), offset(far, 0, -60_000)]
  const scattered = places.map((at, k) => fixOf(20 + k, T0 + (20 + k) * 1000, at))
  const { state, verdicts } = fold(null, [...start, ...scattered])
  expect(verdicts.slice(-3)).toEqual(['JUMP', 'JUMP', 'JUMP'])
  expect(metresBetween([state.head.lng, state.head.lat], here)).toBeLessThan(1)
})

test('[T6] off route after three fixes in a row beyond max(50 m, 2 × accuracy), and back with one that is on it', () => {
  const line: LngLat[] = [0, 200, 400, 600, 800, 1000].map((east) => offset([11.9668, 57.7072], east, 0))
  const plan = planOn(line, 1)
  const at = (k: number, beside: number, accuracy: number): Fix =>
    fixOf(k, T0 + k * 5000, offset(line[0]!, 60 * k, beside), accuracy)
  const on = [1, 2, 3].map((k) => at(k, 3, 8))
  const two = fold(plan, [...on, at(4, 70, 8), at(5, 70, 8), at(6, 4, 8)])
  expect(two.events).toEqual([])
  const three = fold(plan, [...on, at(4, 70, 8), at(5, 75, 8), at(6, 80, 8), at(7, 85, 8), at(8, 5, 8)])
  expect(three.events).toEqual([
    { kind: 'off_route', at: T0 + 6 * 5000 },
    { kind: 'back_on_route', at: T0 + 8 * 5000 },
  ])
  // A bad accuracy widens the corridor.
  expect(fold(plan, [...on, at(4, 70, 40), at(5, 75, 40), at(6, 78, 40)]).events).toEqual([])
  // Without one, steady noise of 60 m beside the road is no wrong turn, a road that leads away is.
  const unknown = (k: number, beside: number): Fix => ({ ...at(k, beside, 8), accuracy: null })
  expect(fold(plan, [...on, ...[4, 5, 6, 7].map((k) => unknown(k, 60))]).events).toEqual([])
  expect(fold(plan, [...on, unknown(4, 60), unknown(5, 110), unknown(6, 160)]).events).toEqual([
    { kind: 'off_route', at: T0 + 30_000 },
  ])
})

test('[T7] a door that is passed on the way elsewhere is not reached; it is when progress says so', () => {
  // Past the door at 300 m, round the block, and back to it at the end.
  const at = (east: number, north: number): LngLat => offset([11.9668, 57.7072], east, north)
  const line = [at(0, 0), at(600, 0), at(600, 400), at(300, 400), at(300, 15)]
  const r = route(line)
  const plan: TripPlan = {
    route: r,
    routeVersion: 1,
    confidence: 'road',
    stops: [{ id: 'door', along: r.length, door: at(300, 12), service: 60, closed: false }],
  }
  let state = begin(plan)
  let first: number | null = null
  for (const { fix, truth } of drive(plan, 3, { every: 3, noise: 4 })) {
    const step = advance(state, fix, fix.recordedAt, plan)
    state = step.state
    if (step.events.some((e) => e.kind === 'arrived')) first ??= truth
  }
  expect(first).not.toBeNull()
  expect(r.length - first!).toBeLessThan(90)
})

test('[T7] jitter at the edge of the ring is one arrival, and leaving is one leaving', () => {
  const plan = planOn(road(13, 40), 2, 300)
  const { events } = fold(
    plan,
    drive(plan, 13, { every: 5, noise: 12, accuracy: 12 }).map((d) => d.fix),
  )
  expect(events.filter((e) => e.kind === 'arrived' && e.stop === 0)).toHaveLength(1)
  expect(events.filter((e) => e.kind === 'left' && e.stop === 0)).toHaveLength(1)
  expect(events.filter((e) => e.kind === 'arrived' && e.stop === 1)).toHaveLength(1)
})

test('[T7] a fast van with sparse fixes can not jump over a door', () => {
  const plan = planOn(road(14, 120), 3, 0)
  const fixes = drive(plan, 14, { every: 15, speed: 22, noise: 4 })
  const { state } = fold(
    plan,
    fixes.map((d) => d.fix),
  )
  for (const k of [0, 1]) {
    const truth = T0 + (plan.stops[k]!.along / 22) * 1000
    expect(Math.abs(state.head.arrived[k]! - truth)).toBeLessThan(16_000)
  }
})

test('[T7] a fix that is too inaccurate to say anything is no arrival', () => {
  const plan = planOn(road(15, 30), 1)
  const step = advance(begin(plan), fixOf(1, T0, plan.stops[0]!.door, 500), T0, plan)
  expect(step.verdict).toBe('INACCURATE')
  expect(step.events).toEqual([])
})

test('every fix gets one verdict of the gate, as a value', () => {
  const plan = planOn(road(16, 30), 1)
  const at = pointAt(plan.route, 10)
  const one = advance(begin(plan), fixOf(1, T0, at), T0, plan)
  expect(one.verdict).toBe('LIVE')
  expect(advance(one.state, fixOf(1, T0, at), T0, plan).verdict).toBe('DUPLICATE')
  expect(advance(one.state, fixOf(2, T0 + 200_000, at), T0, plan).verdict).toBe('FUTURE')
  expect(advance(one.state, fixOf(2, T0, [Number.NaN, 0]), T0, plan).verdict).toBe('RANGE')
  expect(advance(one.state, fixOf(2, T0, [0, 91]), T0, plan).verdict).toBe('RANGE')
  expect(advance(one.state, fixOf(2, Number.NaN, at), T0, plan).verdict).toBe('RANGE')
})

test('off duty there is a position and nothing else', () => {
  const { state } = fold(
    null,
    [1, 2, 3].map((k) => fixOf(k, T0 + k * 1000, offset([11.9668, 57.7072], 10 * k, 0))),
  )
  const track = toTrack(state, null, NO, null, 5, true)!
  expect(track.run).toBeNull()
  expect(track.along).toBe(0)
  expect(track.offRoute).toBe(false)
  expect(metresBetween(track.at, offset([11.9668, 57.7072], 30, 0))).toBeLessThan(1)
  expect(toTrack(begin(null), null, NO, null, 5, true)).toBeNull()
})

test('[T6] a new route begins from where the driver is, keeps what is known of its stops, and tells a door where he stands already', () => {
  const plan = planOn(road(17, 60), 2, 120)
  const fixes = drive(plan, 17, { every: 5, noise: 3 }).map((d) => d.fix)
  const half = fixes.findIndex((_, k) => fold(plan, fixes.slice(0, k)).state.head.left[0]! >= 0)
  const { state } = fold(plan, fixes.slice(0, half + 1))
  const rest = plan.route.line.slice(plan.route.line.findIndex((_, i) => plan.route.cum[i]! > state.head.along - 100))
  const next: TripPlan = { ...planOn(rest, 1), routeVersion: 2, stops: [] }
  const there = offset([state.head.lng, state.head.lat], 5, 5)
  const stops = [plan.stops[0]!, { ...plan.stops[1]!, door: there, along: Math.min(next.route.length, 110) }]
  const moved = begin({ ...next, stops }, state)
  expect(moved.head.arrived[0]).toBe(state.head.arrived[0])
  expect(moved.head.left[0]).toBe(state.head.left[0])
  expect(moved.head.arrived[1]).toBe(-1)
  expect(moved.head.needed).toBe(state.head.needed)
  const step = advance(moved, fixOf(9999, state.head.t + 1000, there), state.head.t + 1000, { ...next, stops })
  expect(step.events.map((e) => e.kind)).toContain('arrived')
})

test('[T4] the first fix of a run says where on it the driver is, not the place of the run before', () => {
  const plan = planOn(road(23, 60), 3, 60)
  const before = { ...plan, stops: [], routeVersion: 0 }
  // Last seen further along what is now to be driven, ten minutes ago.
  const seen = advance(begin(before), fixOf(1, T0, pointAt(plan.route, 900), 6), T0, before).state
  const started = begin(plan, seen)
  expect(toTrack(started, plan, NO, null, 5, true)).toMatchObject({ along: 0, recordedAt: T0 })
  expect(metresBetween(toTrack(started, plan, NO, null, 5, true)!.at, pointAt(plan.route, 900))).toBeLessThan(1)
  const now = T0 + 600_000
  const { state } = advance(started, fixOf(2, now, pointAt(plan.route, 40), 6), now, plan)
  const track = toTrack(state, plan, NO, null, 5, true)!
  expect(track.along).toBeGreaterThan(20)
  expect(track.along).toBeLessThan(60)
  expect(track.offRoute).toBe(false)
})
