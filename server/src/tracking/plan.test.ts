import { offset } from '@doorstep/shared/geo'
import { route } from '@doorstep/shared/route'
import type { LngLat } from '@doorstep/shared/units'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { placeStops } from './plan.ts'
import { road } from './trip.fixture.ts'

const at = (east: number, north: number): LngLat => offset([11.9668, 57.7072], east, north)

test('doors are placed in driving order, each where the route passes it', () => {
  const r = route([at(0, 0), at(1000, 0), at(1000, 500)])
  const [a, b, c] = placeStops(r, [at(200, 12), at(700, -10), at(1012, 300)])
  expect(a).toBeCloseTo(200, 0)
  expect(b).toBeCloseTo(700, 0)
  expect(c).toBeCloseTo(1300, 0)
})

test('a door that is passed twice is placed after the stop before it; the last at the end of a route that ends there', () => {
  const r = route([at(0, 0), at(1000, 0), at(0, 0)])
  expect(placeStops(r, [at(900, 0), at(300, 0)])[1]).toBeCloseTo(1700, 0)
  expect(placeStops(r, [at(300, 0), at(900, 0)])[0]).toBeCloseTo(300, 0)
  expect(placeStops(r, [at(10, 5)])[0]).toBeCloseTo(r.length, 3)
})

test('whatever the doors, places never fall and lie on the route', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: -500, max: 3000 }), fc.integer({ min: -500, max: 3000 })), { maxLength: 12 }),
      fc.integer({ min: 1, max: 50 }),
      (doors, seed) => {
        const r = route(road(seed, 30))
        const places = placeStops(
          r,
          doors.map(([east, north]) => at(east, north)),
        )
        expect(places).toHaveLength(doors.length)
        for (const [k, along] of places.entries()) {
          expect(along).toBeGreaterThanOrEqual(k > 0 ? places[k - 1]! : 0)
          expect(along).toBeLessThanOrEqual(r.length)
        }
      },
    ),
  )
})
