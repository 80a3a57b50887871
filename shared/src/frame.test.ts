// Fleet frames: what goes in comes out, for every window, and nothing that isn't a frame does harm.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeFrame, fleetCounts, fleetTick, type Mover } from './frame.ts'
import { wrap } from './geo.ts'
import type { Bbox, DriverNo } from './units.ts'

const NOW = 1_795_000_000_123
const mover = fc.record({
  at: fc.oneof(
    fc.tuple(fc.double({ min: -180, max: 180, noNaN: true }), fc.double({ min: -90, max: 90, noNaN: true })),
    fc.tuple(fc.double({ min: 11.9, max: 12, noNaN: true }), fc.double({ min: 57.7, max: 57.8, noNaN: true })),
    fc.tuple(fc.constantFrom(-180, 180, 179.999999, -179.999999, 0.02, -0.02), fc.constantFrom(-90, 90, 89.99999, 0)),
  ),
  heading: fc.option(fc.double({ min: 0, max: 359.999, noNaN: true })),
  speed: fc.option(fc.double({ min: 0, max: 120, noNaN: true })),
})
const movers = fc
  .uniqueArray(fc.integer({ min: 1, max: 0xffffff }), { maxLength: 60 })
  .chain((nos) => fc.tuple(...nos.map((no) => mover.map((m): Mover => ({ ...m, no: no as DriverNo })))))
const tick = (list: readonly Mover[]) => {
  const byNo = new Map(list.map((m) => [m.no, m]))
  return fleetTick([...byNo.keys()], (no) => byNo.get(no)!, NOW)
}
const WORLD: Bbox = [-180, -90, 180, 90]
const read = (bytes: Uint8Array | null) => {
  if (bytes === null) return null
  const frame = decodeFrame(bytes)
  if (!frame.ok || frame.value.kind !== 'positions') throw new Error('no positions')
  return frame.value
}

test('a frame of the whole world tells of every mover, within 0.6 m, 1° and 0.25 m/s', () => {
  fc.assert(
    fc.property(movers, (list) => {
      const frame = read(tick(list).frame(WORLD))
      expect(frame?.count ?? 0).toBe(list.length)
      const byNo = new Map(list.map((m) => [m.no as number, m]))
      for (let i = 0; i < (frame?.count ?? 0); i++) {
        const m = byNo.get(frame!.no[i]!)!
        expect(Math.abs(wrap(frame!.lng[i]! - m.at[0]))).toBeLessThan(0.51e-5)
        expect(Math.abs(frame!.lat[i]! - m.at[1])).toBeLessThan(0.51e-5)
        if (m.heading === null) expect(frame!.heading[i]).toBeNaN()
        else expect(Math.abs(((m.heading - frame!.heading[i]! + 540) % 360) - 180)).toBeLessThanOrEqual(1)
        if (m.speed === null) expect(frame!.speed[i]).toBeNaN()
        else expect(Math.abs(m.speed - frame!.speed[i]!)).toBeLessThanOrEqual(0.2501)
      }
      expect(frame?.now ?? NOW).toBe(NOW)
    }),
  )
})

test('a window gets all movers inside it and none further than one cell outside, also across the antimeridian', () => {
  const window = fc
    .tuple(
      fc.double({ min: -180, max: 180, noNaN: true }),
      fc.double({ min: -90, max: 89, noNaN: true }),
      fc.double({ min: 0, max: 30, noNaN: true }),
    )
    .map(([west, south, size]): Bbox => [west, south, wrap(west + size), Math.min(90, south + size)])
  fc.assert(
    fc.property(movers, window, (list, [west, south, east, north]) => {
      const frame = read(tick(list).frame([west, south, east, north]))
      const got = new Set(frame ? Array.from(frame.no) : [])
      const width = (((east - west) % 360) + 360) % 360
      for (const m of list) {
        const dx = (((m.at[0] - west) % 360) + 360) % 360
        if (dx <= width && m.at[1] >= south && m.at[1] <= north) expect(got.has(m.no)).toBe(true)
        if (dx > width + 0.021 && dx < 359.979) expect(got.has(m.no)).toBe(false)
        if (m.at[1] < south - 0.021 || m.at[1] > north + 0.021) expect(got.has(m.no)).toBe(false)
      }
    }),
    { numRuns: 400 },
  )
})

test('equal windows share their bytes, an empty one gets none, and a driver costs at most 9 bytes in a busy city', () => {
  const list = Array.from(
    { length: 5_000 },
    (_, i): Mover => ({
      no: (i + 1) as DriverNo,
      at: [11.86 + ((i * 7919) % 2000) * 1e-4, 57.66 + ((i * 104729) % 900) * 1e-4],
      heading: i % 360,
      speed: 8,
    }),
  )
  const made = tick(list)
  const city: Bbox = [11.86, 57.66, 12.07, 57.755]
  const frame = made.frame(city)!
  expect(made.frame([11.8601, 57.6601, 12.0699, 57.7549])).toBe(frame)
  expect(made.frame([0, 0, 1, 1])).toBeNull()
  expect(frame.length / 5_000).toBeLessThan(9)
})

test('counts add up to the movers inside, in at most 64 cells across', () => {
  fc.assert(
    fc.property(movers, (list) => {
      const frame = decodeFrame(fleetCounts(list, WORLD, NOW))
      if (!frame.ok || frame.value.kind !== 'counts') throw new Error('no counts')
      expect(frame.value.cells.reduce((sum, cell) => sum + cell.count, 0)).toBe(list.length)
      expect(360 / frame.value.size).toBeLessThanOrEqual(64)
      for (const { at } of frame.value.cells) expect(Math.abs(at[0]) <= 180 && Math.abs(at[1]) <= 90).toBe(true)
    }),
  )
})

test('garbage, and every frame cut short or with a byte changed, is a fault or a frame, never a throw or a loop', () => {
  const calm = (bytes: Uint8Array) => {
    const frame = decodeFrame(bytes)
    if (frame.ok && frame.value.kind === 'positions') expect(frame.value.count * 7).toBeLessThanOrEqual(bytes.length)
    else if (!frame.ok) expect(frame.fault.code).toBe('BAD_FIELD')
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), calm), { numRuns: 1_000 })
  fc.assert(
    fc.property(fc.constantFrom(0x10, 0x11), fc.uint8Array({ maxLength: 400 }), (kind, rest) =>
      calm(Uint8Array.from([kind, ...rest])),
    ),
    { numRuns: 2_000 },
  )
  fc.assert(
    fc.property(movers, fc.nat(), fc.nat(), fc.integer({ min: 0, max: 255 }), (list, cut, at, value) => {
      const bytes = tick(list).frame(WORLD)
      if (!bytes) return
      calm(bytes.subarray(0, cut % bytes.length))
      const changed = bytes.slice()
      changed[at % bytes.length] = value
      calm(changed)
    }),
  )
})
