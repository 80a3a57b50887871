// Where vehicles are between two fixes, which one is under the pointer, when frames are asked for. The drawing itself is tested in a browser.
import { bearing, distance, offset } from '@doorstep/shared/geo'
import type { LngLat } from '@doorstep/shared/units'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type FleetLayer, fleetLayer, type Mark, type Palette } from './fleet-layer.ts'

const HOME: LngLat = [11.9668, 57.7072]
const grey = [0.5, 0.5, 0.5] as const
const palette: Palette = { enroute: grey, at_stop: grey, late: grey, silent: grey, idle: grey, ring: grey, ink: grey }
const plain: Mark = { look: 'enroute', selected: false, dim: false, offRoute: false }

function aLayer(still = false): { layer: FleetLayer; pass: (seconds: number) => void } {
  let t = 1000
  const layer = fleetLayer({ id: 'fleet', origin: HOME, capacity: 4, palette, still, now: () => t, hidden: () => false })
  return {
    layer,
    pass(s) {
      layer.commit()
      t += s
    },
  }
}

test('a vehicle glides from where it is shown to where it is, never a jump between, to within 10 cm', () => {
  fc.assert(
    fc.property(
      fc.double({ min: -200, max: 200, noNaN: true }),
      fc.double({ min: -200, max: 200, noNaN: true }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (east, north, part) => {
        const { layer, pass } = aLayer()
        layer.place(0, HOME, null, 1)
        layer.place(0, offset(HOME, east, north), null, 2)
        pass(2 * part)
        const shown = layer.shown(0)!
        expect(distance(shown, offset(HOME, east * part, north * part))).toBeLessThan(0.1)
        layer.place(0, HOME, null, 2)
        expect(distance(layer.shown(0)!, shown)).toBeLessThan(0.1)
      },
    ),
  )
})

test('a vehicle that hears nothing overshoots by 15 percent and stands', () => {
  const { layer, pass } = aLayer()
  layer.place(0, HOME, null, 1)
  layer.place(0, offset(HOME, 100, 0), null, 1)
  pass(60)
  expect(distance(HOME, layer.shown(0)!)).toBeCloseTo(115, 0)
})

test('a leap of kilometres is set down, not flown over the roofs', () => {
  const { layer } = aLayer()
  layer.place(0, HOME, null, 1)
  const far = offset(HOME, 5000, 0)
  layer.place(0, far, null, 5)
  expect(distance(layer.shown(0)!, far)).toBeLessThan(0.1)
})

test('under reduced motion positions step', () => {
  const { layer } = aLayer(true)
  layer.place(0, HOME, null, 1)
  const next = offset(HOME, 50, 0)
  layer.place(0, next, null, 5)
  expect(distance(layer.shown(0)!, next)).toBeLessThan(0.1)
})

test('after many hours places are as exact as at first', () => {
  const { layer, pass } = aLayer()
  layer.place(0, HOME, null, 1)
  for (let h = 0; h < 30; h++) {
    pass(3_599.5)
    layer.place(1, offset(HOME, h, 0), null, 1)
    layer.place(0, HOME, null, 1)
  }
  layer.place(0, offset(HOME, 100, 0), null, 1)
  pass(0.5)
  expect(distance(HOME, layer.shown(0)!)).toBeCloseTo(50, 1)
})

test('the nearest one within reach is picked where it is drawn; faint and removed ones never', () => {
  const { layer, pass } = aLayer()
  for (let i = 0; i < 9; i++) layer.place(i, offset(HOME, i * 100, 0), null, 1)
  expect(layer.pick(offset(HOME, 312, 4), 12, 2)).toBe(3)
  expect(layer.pick(offset(HOME, 350, 200), 12, 2)).toBe(-1)
  layer.place(3, offset(HOME, 300, 100), null, 1)
  pass(1)
  expect(layer.pick(offset(HOME, 300, 95), 12, 2)).toBe(3)
  layer.mark(3, { ...plain, dim: true })
  expect(layer.pick(offset(HOME, 300, 95), 12, 2)).toBe(-1)
  layer.remove(4)
  expect(layer.pick(offset(HOME, 400, 0), 12, 2)).toBe(-1)
  expect(layer.shown(4)).toBeNull()
  layer.place(4, HOME, null, 1)
  expect(distance(layer.shown(4)!, HOME)).toBeLessThan(0.1)
})

test('a place survives the way to the GPU’s numbers and back, all over the city', () => {
  fc.assert(
    fc.property(fc.double({ min: 11.5, max: 12.5, noNaN: true }), fc.double({ min: 57.4, max: 58, noNaN: true }), (lng, lat) => {
      const { layer } = aLayer()
      layer.place(0, [lng, lat], null, 1)
      expect(distance(layer.shown(0)!, [lng, lat])).toBeLessThan(0.1)
      expect(bearing(HOME, [lng, lat])).toBeGreaterThanOrEqual(0)
    }),
  )
})
