import {
  lineString,
  nearestPointOnLine,
  point,
  along as turfAlong,
  distance as turfDistance,
  length as turfLength,
} from '@turf/turf'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { bearing, distance, offset, ruler } from './geo.ts'
import { type Cursor, locate } from './locate.ts'
import { random } from './random.ts'
import { pointAt, type Route, route } from './route.ts'
import type { LngLat } from './units.ts'

const START: Cursor = { segment: 0, along: 0, distance: 0 }

/** A road of streets and corners that never comes back to itself: it turns left and right in turn, heading north-east. */
function road(seed: number, vertices: number, from: LngLat): LngLat[] {
  const draw = random(seed)
  const line: LngLat[] = [from]
  const r = ruler(from[1])
  let east = draw() < 0.5
  for (let i = 1; i < vertices; i++) {
    if (draw() < 0.2) east = !east
    const d = 15 + 60 * draw()
    const slant = d * 0.2 * (draw() - 0.3)
    line.push(offset(line[i - 1]!, east ? d : slant, east ? slant : d, r))
  }
  return line
}

/** Drives a route and gives each fix with the truth: metres along it. */
function drive(r: Route, seed: number, speed: number, every: number, noise: number): { at: LngLat; truth: number }[] {
  const draw = random(seed)
  const out: { at: LngLat; truth: number }[] = []
  for (let s = 0; s <= r.length; s += speed * every) {
    out.push({ at: offset(pointAt(r, s), noise * draw.normal(), noise * draw.normal()), truth: s })
  }
  return out
}

/** `most`: a longer way from fix to fix than this is noise, no direction; 0 goes without directions. */
function follow(r: Route, fixes: readonly LngLat[], most = 0): Cursor[] {
  const out: Cursor[] = []
  let cursor = START
  for (const [i, at] of fixes.entries()) {
    const last = fixes[i - 1]
    const moved = last ? distance(last, at) : 0
    const heading = last && moved > 20 && moved < most ? bearing(last, at) : null
    cursor = locate(r, cursor, { at, heading, moved, reach: last ? 400 : Number.POSITIVE_INFINITY })
    out.push(cursor)
  }
  return out
}

test('[T4] on simple roads the distance is within 0.6 % of Turf and the place within 1 m', () => {
  for (const [seed, from] of [
    [1, [11.97, 57.7]],
    [2, [2.35, 48.86]],
    [3, [-70.6, -33.4]],
    [4, [36.8, -1.3]],
  ] as [number, LngLat][]) {
    const line = road(seed, 120, from)
    const r = route(line)
    const turf = lineString(line.map((p) => [...p]))
    const fixes = drive(r, seed + 10, 9, 1, 6)
    const found = follow(
      r,
      fixes.map((f) => f.at),
    )
    expect(Math.abs(r.length / (turfLength(turf) * 1000) - 1)).toBeLessThan(0.006)
    let compared = 0
    for (const [i, fix] of fixes.entries()) {
      if (i % 10 !== 0) continue
      const cursor = found[i]!
      const near = nearestPointOnLine(turf, point([...fix.at]))
      const ours = pointAt(r, cursor.along)
      const theirs = near.geometry.coordinates as [number, number]
      // Never back: where noise lay behind the cursor the place stays, and only those are left out.
      if (i > 0 && cursor.along === found[i - 1]!.along) continue
      expect(turfDistance([...ours], theirs) * 1000).toBeLessThan(1)
      const there = turfAlong(turf, cursor.along / 1000).geometry.coordinates as [number, number]
      expect(turfDistance([...ours], there) * 1000).toBeLessThan(1 + 0.006 * cursor.along)
      compared++
    }
    expect(compared).toBeGreaterThan(fixes.length / 15)
  }
})

test('[T4] on routes out and back the same way no fix is placed more than 100 m wrong', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1e6 }),
      fc.integer({ min: 3, max: 14 }),
      fc.constantFrom(1, 3, 5),
      (seed, speed, every) => {
        const out = road(seed, 60, [11.97, 57.7])
        const r = route([...out, ...out.slice(0, -1).reverse()])
        const fixes = drive(r, seed, speed, every, 5)
        const found = follow(
          r,
          fixes.map((f) => f.at),
          2 * speed * every + 10,
        )
        for (const [i, fix] of fixes.entries()) expect(Math.abs(found[i]!.along - fix.truth)).toBeLessThan(100)
      },
    ),
    { numRuns: 60 },
  )
})

test('[T4] a route that crosses itself is followed straight over the crossing, with a heading and without', () => {
  // A figure of eight: two blocks that meet in the middle.
  const mid: LngLat = [11.97, 57.7]
  const at = (east: number, north: number): LngLat => offset(mid, east, north)
  const r = route([at(-400, 0), mid, at(400, 0), at(400, 400), at(0, 400), mid, at(0, -400)])
  for (const withHeading of [true, false]) {
    let cursor = START
    let last: LngLat | null = null
    for (const { at: fix, truth } of drive(r, 5, 10, 3, 4)) {
      const moved = last ? distance(last, fix) : 0
      const heading = withHeading && last && moved > 15 ? bearing(last, fix) : null
      cursor = locate(r, cursor, { at: fix, heading, moved, reach: last ? 400 : Number.POSITIVE_INFINITY })
      expect(Math.abs(cursor.along - truth)).toBeLessThan(60)
      last = fix
    }
    expect(r.length - cursor.along).toBeLessThan(40)
  }
})

test('[T4] progress never goes back and is never off the route, whatever the fixes', () => {
  const r = route(road(7, 40, [11.97, 57.7]))
  const anywhere = fc.record({
    east: fc.double({ min: -3000, max: 3000, noNaN: true }),
    north: fc.double({ min: -3000, max: 3000, noNaN: true }),
    heading: fc.option(fc.double({ min: 0, max: 359.9, noNaN: true })),
    moved: fc.double({ min: 0, max: 5000, noNaN: true }),
    reach: fc.double({ min: 0, max: 5000, noNaN: true }),
  })
  fc.assert(
    fc.property(fc.array(anywhere, { maxLength: 30 }), (sights) => {
      let cursor = START
      for (const { east, north, ...sight } of sights) {
        const next = locate(r, cursor, { at: offset(r.line[0]!, east, north), ...sight })
        expect(next.along).toBeGreaterThanOrEqual(cursor.along)
        expect(next.along).toBeLessThanOrEqual(r.length)
        expect(r.cum[next.segment]!).toBeLessThanOrEqual(next.along + 1e-6)
        expect(r.cum[next.segment + 1]!).toBeGreaterThanOrEqual(next.along - 1e-6)
        expect(Number.isFinite(next.distance)).toBe(true)
        cursor = next
      }
    }),
  )
})

test('[T4] a driver who joins late, or comes back to the route further on, is found there', () => {
  const r = route(road(9, 120, [11.97, 57.7]))
  const far = r.length * 0.7
  const joined = locate(r, START, { at: pointAt(r, far), heading: null, moved: 0, reach: Number.POSITIVE_INFINITY })
  expect(Math.abs(joined.along - far)).toBeLessThan(5)
  const here = locate(r, START, { at: pointAt(r, 300), heading: null, moved: 0, reach: Number.POSITIVE_INFINITY })
  const moved = distance(pointAt(r, 300), pointAt(r, 1300))
  const back = locate(r, here, { at: pointAt(r, 1300), heading: null, moved, reach: 2500 })
  expect(Math.abs(back.along - 1300)).toBeLessThan(5)
})

test('[T4] a route over the antimeridian is like any other', () => {
  const line: LngLat[] = [
    [179.98, -17.7],
    [179.995, -17.702],
    [-179.99, -17.7],
    [-179.98, -17.69],
  ]
  const r = route(line)
  expect(r.length).toBeGreaterThan(4000)
  expect(r.length).toBeLessThan(6000)
  const fixes = drive(r, 3, 12, 5, 4)
  const found = follow(
    r,
    fixes.map((f) => f.at),
  )
  for (const [i, fix] of fixes.entries()) {
    expect(Math.abs(found[i]!.along - fix.truth)).toBeLessThan(30)
    expect(Math.abs(pointAt(r, found[i]!.along)[0])).toBeLessThanOrEqual(180)
  }
})
