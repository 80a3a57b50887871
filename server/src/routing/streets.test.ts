import type { LngLat } from '@doorstep/shared/units'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { plan } from './city.ts'
import { drive, turnSeconds } from './drivable.ts'
import { openFinder, type Snap, type Step } from './finder.ts'
import { BACKWARD, FORWARD, type Streets, toStreets, vertex } from './streets.ts'
import { FIXED, fromGeoJson } from './ways.ts'

test.each([
  [{ highway: 'residential' }, true, true],
  [{ highway: 'residential', oneway: 'yes' }, true, false],
  [{ highway: 'residential', oneway: '-1' }, false, true],
  [{ highway: 'tertiary', junction: 'roundabout' }, true, false],
  [{ highway: 'motorway' }, true, false],
  [{ highway: 'motorway', oneway: 'no' }, true, true],
  [{ highway: 'residential', access: 'destination' }, true, true],
  [{ highway: 'service', access: 'no', motor_vehicle: 'yes' }, true, true],
])('%o may be driven forward: %s, backward: %s', (tags, forward, backward) => {
  expect(drive(tags)).toMatchObject({ forward, backward })
})

test.each([
  [{ highway: 'footway' }],
  [{ highway: 'pedestrian' }],
  [{ highway: 'construction' }],
  [{ highway: 'cycleway' }],
  [{ highway: 'service', service: 'parking_aisle' }],
  [{ highway: 'service', access: 'private' }],
  [{ highway: 'residential', motor_vehicle: 'no' }],
  [{ highway: 'residential', area: 'yes' }],
  [{}],
])('%o is not for vans', (tags) => {
  expect(drive(tags)).toBeNull()
})

test('a limit is understood in km/h and mph, and what is no limit is not taken for one', () => {
  const speed = (maxspeed: string) => drive({ highway: 'primary', maxspeed })!.speed
  const none = drive({ highway: 'primary' })!.speed
  expect(speed('30')).toBeCloseTo((30 / 3.6) * 0.92)
  expect(speed('30 mph')).toBeCloseTo((30 / 3.6) * 1.609344 * 0.92)
  for (const odd of ['none', 'signals', '0', '999', 'SE:urban']) expect(speed(odd)).toBe(none)
})

test('a sharper turn costs more, from a faster street more, straight on nothing', () => {
  expect(turnSeconds(5, 14, 14)).toBe(0)
  expect(turnSeconds(90, 14, 14)).toBeGreaterThan(turnSeconds(45, 14, 14))
  expect(turnSeconds(90, 14, 14)).toBeGreaterThan(turnSeconds(90, 8, 8))
  expect(turnSeconds(90, 14, 14)).toBeGreaterThan(2)
  expect(turnSeconds(180, 14, 14)).toBeLessThan(12)
})

type Line = { tags: Record<string, string>; line: LngLat[] }
const geojson = (lines: Line[]) =>
  JSON.stringify({
    features: lines.map(({ tags, line }) => ({
      properties: { highway: 'residential', ...tags },
      geometry: { type: 'LineString', coordinates: line },
    })),
  })
const streetsOf = (lines: Line[]) => toStreets(fromGeoJson(geojson(lines), 'test'))
/** A place on a grid of about 110 by 100 m. */
const at = (x: number, y: number): LngLat => [
  Math.round((12 + x * 0.0018) * 1e7) / 1e7,
  Math.round((57.7 + y * 0.0009) * 1e7) / 1e7,
]

test('streets that can be entered but not left, or left but not entered, are no part of the city', () => {
  const s = streetsOf([
    { tags: {}, line: [at(0, 0), at(1, 0), at(1, 1), at(0, 1), at(0, 0)] },
    { tags: { oneway: 'yes' }, line: [at(1, 1), at(2, 2)] },
    { tags: { oneway: 'yes' }, line: [at(-1, -1), at(0, 0)] },
    { tags: {}, line: [at(5, 5), at(6, 5)] },
  ])
  for (let p = 0; p < s.from.length; p++) expect(s.from[p]).not.toBe(s.to[p])
  const reached = Array.from(s.nodeLng, (lng, i) => [lng / FIXED, s.nodeLat[i]! / FIXED])
  for (const out of [at(2, 2), at(-1, -1), at(5, 5), at(6, 5)]) expect(reached).not.toContainEqual(out)
})

test('a bridge over a street is no crossing', async () => {
  const s = streetsOf([
    { tags: {}, line: [at(0, 1), at(2, 1), at(2, 3), at(0, 3), at(0, 1)] },
    { tags: { bridge: 'yes' }, line: [at(1, 3), at(1, 0)] },
    { tags: {}, line: [at(0, 3), at(1, 3)] },
  ])
  const f = await openFinder(s)
  const route = await plan(s, f, [at(1, 0), at(2, 1)])
  expect(route!.length).toBeGreaterThan(500)
})

const seconds = (s: Streets, { piece, forward, from, to }: Step): number => {
  const part = (snap: Snap | undefined, otherwise: number) => {
    if (!snap) return otherwise
    const lengths: number[] = []
    for (let i = s.first[piece]!; i + 1 < s.first[piece + 1]!; i++) {
      const [a, b] = [vertex(s, i), vertex(s, i + 1)]
      lengths.push(Math.hypot((b[0] - a[0]) * Math.cos((57.7 * Math.PI) / 180), b[1] - a[1]))
    }
    const k = snap.segment - s.first[piece]!
    const before = lengths.slice(0, k).reduce((x, y) => x + y, 0) + lengths[k]! * snap.t
    return before / lengths.reduce((x, y) => x + y, 0)
  }
  const [low, high] = forward ? [part(from, 0), part(to, 1)] : [part(to, 0), part(from, 1)]
  return s.seconds[piece]! * (high - low) + (to ? 0 : s.wait[2 * piece + (forward ? 0 : 1)]!)
}

/** Bellman and Ford's: slow and plain. Seconds from one snapped place to another. */
function oracle(s: Streets, a: Snap, b: Snap): number {
  const time = new Float64Array(s.nodeLng.length).fill(Number.POSITIVE_INFINITY)
  const { piece: p } = a
  if (s.open[p]! & FORWARD) time[s.to[p]!] = Math.min(time[s.to[p]!]!, seconds(s, { piece: p, forward: true, from: a }))
  if (s.open[p]! & BACKWARD) time[s.from[p]!] = Math.min(time[s.from[p]!]!, seconds(s, { piece: p, forward: false, from: a }))
  for (let changed = true; changed; ) {
    changed = false
    for (let q = 0; q < s.from.length; q++) {
      for (const forward of [true, false]) {
        if (!(s.open[q]! & (forward ? FORWARD : BACKWARD))) continue
        const [u, v] = forward ? [s.from[q]!, s.to[q]!] : [s.to[q]!, s.from[q]!]
        const t = time[u]! + seconds(s, { piece: q, forward })
        if (t < time[v]! - 1e-9) {
          time[v] = t
          changed = true
        }
      }
    }
  }
  const q = b.piece
  let best = Number.POSITIVE_INFINITY
  if (s.open[q]! & FORWARD) best = Math.min(best, time[s.from[q]!]! + seconds(s, { piece: q, forward: true, to: b }))
  if (s.open[q]! & BACKWARD) best = Math.min(best, time[s.to[q]!]! + seconds(s, { piece: q, forward: false, to: b }))
  if (p === q) {
    for (const forward of [true, false]) {
      const direct = seconds(s, { piece: q, forward, from: a, to: b }) - 0
      if (s.open[q]! & (forward ? FORWARD : BACKWARD) && direct >= 0) best = Math.min(best, direct)
    }
  }
  return best
}

test('on any town of one-way and two-way streets the way found is legal, joined, and the quickest there is', async () => {
  const street = fc.record({
    x: fc.nat(5),
    y: fc.nat(5),
    along: fc.boolean(),
    oneway: fc.constantFrom('', '', 'yes', '-1'),
    highway: fc.constantFrom('residential', 'secondary', 'service', 'living_street'),
  })
  const place = fc.record({ x: fc.double({ min: 0, max: 5, noNaN: true }), y: fc.double({ min: 0, max: 5, noNaN: true }) })
  await fc.assert(
    fc.asyncProperty(
      fc.array(street, { minLength: 25, maxLength: 90 }),
      fc.array(place, { minLength: 4, maxLength: 4 }),
      async (town, places) => {
        const lines = town.map(({ x, y, along, oneway, highway }) => ({
          tags: { highway, ...(oneway && { oneway }) },
          line: [at(x, y), along ? at(x + 1, y) : at(x, y + 1)],
        }))
        let s: Streets
        try {
          s = streetsOf(lines)
        } catch {
          return // a town without a loop
        }
        const f = await openFinder(s)
        const snaps = places.map(({ x, y }) => f.snap(at(x, y))!)
        for (let i = 1; i < snaps.length; i++) {
          const [a, b] = [snaps[i - 1]!, snaps[i]!]
          const steps = f.path(a, b)
          for (const { piece, forward } of steps) expect(s.open[piece]! & (forward ? FORWARD : BACKWARD)).toBeTruthy()
          for (let k = 1; k < steps.length; k++) {
            const end = steps[k - 1]!.forward ? s.to[steps[k - 1]!.piece] : s.from[steps[k - 1]!.piece]
            expect(steps[k]!.forward ? s.from[steps[k]!.piece] : s.to[steps[k]!.piece]).toBe(end)
          }
          const took = steps.reduce((sum, step) => sum + seconds(s, step), 0)
          if (steps.length > 0) expect(took).toBeCloseTo(oracle(s, a, b), 2)
        }
      },
    ),
    { numRuns: 150 },
  )
})

test('a vehicle is routed on in its own direction, and turns round only where the street ends', async () => {
  // A block with a side street that ends: west–east along y = 0.
  const s = streetsOf([
    { tags: {}, line: [at(0, 0), at(2, 0), at(4, 0), at(4, 2), at(0, 2), at(0, 0)] },
    { tags: {}, line: [at(4, 0), at(7, 0)] },
  ])
  const f = await openFinder(s)
  const start = at(1.5, 0)
  const behind = at(0.2, 0)
  const free = await plan(s, f, [start, behind])
  const bound = await plan(s, f, [start, behind], 90)
  expect(free!.length).toBeLessThan(200)
  expect(bound!.line[1]![0]).toBeGreaterThan(start[0])
  expect(bound!.length).toBeGreaterThan(600)
  const deadEnd = await plan(s, f, [at(5, 0), at(4.5, 0)], 90)
  expect(deadEnd!.line.some((p) => p[0] === at(7, 0)[0])).toBe(true)
})

test('of two carriageways side by side the one that leads the vehicle’s way is taken, though it is not the nearest', async () => {
  const lane = (y: number): LngLat[] => [0, 1, 2, 3].map((x) => at(x, y))
  const s = streetsOf([
    { tags: { oneway: 'yes', name: 'east' }, line: lane(0) },
    { tags: { oneway: 'yes', name: 'west' }, line: lane(0.15).reverse() },
    { tags: {}, line: [at(3, 0), at(3, 0.15)] },
    { tags: {}, line: [at(0, 0.15), at(0, 0)] },
  ])
  const f = await openFinder(s)
  const between = at(1.5, 0.06)
  expect(s.names[s.name[f.snap(between)!.piece]!]).toBe('east')
  expect(s.names[s.name[f.snap(between, 270)!.piece]!]).toBe('west')
})

test('stopping on the way takes time, and places that are one take none', async () => {
  const s = streetsOf([{ tags: {}, line: [at(0, 0), at(4, 0), at(4, 2), at(0, 2), at(0, 0)] }])
  const f = await openFinder(s)
  const through = (await plan(s, f, [at(0.5, 0), at(3.5, 0)]))!
  const stopping = (await plan(s, f, [at(0.5, 0), at(2, 0), at(3.5, 0)]))!
  expect(stopping.length).toBeCloseTo(through.length, 3)
  expect(stopping.seconds).toBeGreaterThan(through.seconds + 3)
  const same = (await plan(s, f, [at(1, 0), at(1, 0)]))!
  expect(same.line).toHaveLength(2)
  expect(same).toMatchObject({ length: 0, seconds: 0, waypoints: [0, 0] })
  expect(await plan(s, f, [at(1, 0), [13, 58]])).toBeNull()
})
