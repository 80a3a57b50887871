import { lineString, point, pointToLineDistance, bearing as turfBearing, distance as turfDistance } from '@turf/turf'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { bearing, between, distance, offset, toSegment, turn, wrap } from './geo.ts'
import type { LngLat } from './units.ts'

const near = fc.record({
  lng: fc.double({ min: -180, max: 180, noNaN: true }),
  lat: fc.double({ min: -70, max: 70, noNaN: true }),
  east: fc.double({ min: -5000, max: 5000, noNaN: true }),
  north: fc.double({ min: -5000, max: 5000, noNaN: true }),
})

test('distances and directions agree with Turf, whose earth is a sphere, to 0.6 % and 0.5°', () => {
  fc.assert(
    fc.property(near, ({ lng, lat, east, north }) => {
      fc.pre(Math.hypot(east, north) > 10)
      const a: LngLat = [lng, lat]
      const b = offset(a, east, north)
      const theirs = turfDistance([...a], [...b]) * 1000
      expect(Math.abs(distance(a, b) / theirs - 1)).toBeLessThan(0.006)
      expect(turn(bearing(a, b), (turfBearing([...a], [...b]) + 360) % 360)).toBeLessThan(0.5)
    }),
  )
})

test('the distance to a segment agrees with Turf to 0.6 %', () => {
  fc.assert(
    fc.property(near, near, ({ lng, lat, east, north }, other) => {
      fc.pre(Math.abs(lng) < 179 && Math.hypot(east, north) > 10)
      const a: LngLat = [lng, lat]
      const b = offset(a, east, north)
      const p = offset(a, other.east, other.north)
      const theirs = pointToLineDistance(point([...p]), lineString([[...a], [...b]]), { units: 'meters', method: 'geodesic' })
      expect(Math.abs(toSegment(p, a, b) - theirs)).toBeLessThan(0.5 + 0.006 * theirs)
    }),
  )
})

test('over the antimeridian the short way is taken and longitudes stay in range', () => {
  expect(distance([179.999, 0], [-179.999, 0])).toBeLessThan(250)
  expect(between([179.999, 0], [-179.997, 0], 0.5)[0]).toBeCloseTo(-179.999, 9)
  fc.assert(
    fc.property(fc.double({ min: -1e6, max: 1e6, noNaN: true }), (deg) => {
      expect(wrap(deg)).toBeGreaterThanOrEqual(-180)
      expect(wrap(deg)).toBeLessThan(180)
    }),
  )
})
