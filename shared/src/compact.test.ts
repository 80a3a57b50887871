// The compact form carries what JSON does, as exactly as it says, and nothing that is not one does harm.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodePings, decodeTrack, encodePings, encodeTrack } from './compact.ts'
import { checkItems, type WireFix } from './ping.ts'
import type { TrackView } from './track.ts'

const NOW = 1_795_000_000_123
const range = (min: number, max: number) => fc.double({ min, max, noNaN: true })
const fix = fc.record(
  {
    t: fc.integer({ min: NOW - 2_000_000_000, max: NOW + 100_000 }),
    lat: range(-90, 90).filter((d) => Math.abs(d) > 1e-3),
    lon: range(-180, 180),
    acc: fc.option(range(0, 10_000)),
    spd: fc.option(range(0, 120)),
    hdg: fc.option(range(0, 359.94)),
    alt: fc.option(range(-500, 9_000)),
    bat: fc.option(range(0, 1)),
    mock: fc.boolean(),
  },
  { requiredKeys: ['t', 'lat', 'lon'] },
)
const batch = fc
  .tuple(fc.array(fc.tuple(fix, fc.integer({ min: 1, max: 1_000_000 })), { minLength: 1, maxLength: 200 }))
  .map(([list]): WireFix[] => {
    let seq = 0
    return list.map(([f, gap]) => {
      seq += gap
      return { ...f, seq }
    })
  })

test('a batch comes back with every fix, within the steps that the form has', () => {
  fc.assert(
    fc.property(batch, (items) => {
      const decoded = decodePings(encodePings({ live: false, sentAt: NOW, items }))
      if (!decoded.ok) throw new Error(decoded.fault.code)
      expect(decoded.value.sentAt).toBe(NOW)
      expect(decoded.value.items.length).toBe(items.length)
      for (const [i, got] of decoded.value.items.entries()) {
        const want = items[i]!
        expect([got.seq, got.t]).toEqual([want.seq, want.t])
        expect(Math.abs(got.lat - want.lat)).toBeLessThan(0.6e-7)
        expect(Math.abs(got.lon - want.lon)).toBeLessThan(0.6e-7)
        const near = (a: number | null | undefined, b: number | null | undefined, step: number) => {
          if (b == null) expect(a).toBeUndefined()
          else expect(Math.abs(a! - b)).toBeLessThanOrEqual(step / 2 + 1e-9)
        }
        near(got.acc, want.acc, 0.1)
        near(got.spd, want.spd, 0.01)
        near(got.hdg, want.hdg, 0.1)
        near(got.alt, want.alt, 0.1)
        near(got.bat, want.bat, 0.005)
        expect(got.mock ?? false).toBe(want.mock ?? false)
      }
      // What was rounded once stays as it is.
      expect(decodePings(encodePings(decoded.value))).toEqual(decoded)
      const checked = checkItems('0123456789abcdef', NOW, decoded.value.items, NOW)
      expect(checked.ok && checked.value.rejected.length === 0).toBe(true)
    }),
    { numRuns: 200 },
  )
})

test('a single live fix is at most 32 bytes, one of many about 20', () => {
  const one: WireFix = { seq: 40_000, t: NOW, lat: 57.7072, lon: 11.9668, acc: 8, spd: 9.3, hdg: 271.4 }
  expect(encodePings({ live: false, sentAt: NOW, items: [one] }).length).toBeLessThanOrEqual(32)
  const many = Array.from({ length: 10 }, (_, i) => ({
    ...one,
    seq: 40_000 + i,
    t: NOW - 10_000 + i * 1000,
    lat: 57.7072 + i * 8e-5,
  }))
  expect(encodePings({ live: false, sentAt: NOW, items: many }).length / 10).toBeLessThanOrEqual(22)
})

const view: fc.Arbitrary<TrackView> = fc.record({
  t: fc.integer({ min: 0, max: NOW + 1_000_000 }),
  now: fc.constant(NOW),
  vehicle: fc.option(
    fc.record({
      at: fc.tuple(
        range(-180, 180).map((d) => Math.round(d * 1e5) / 1e5 + 0),
        range(-90, 90).map((d) => Math.round(d * 1e5) / 1e5 + 0),
      ),
      heading: fc.option(fc.integer({ min: 0, max: 359 })),
      speed: fc.option(fc.integer({ min: 0, max: 1_200 }).map((n) => n / 10)),
      accuracy: fc.option(fc.nat(200)),
    }),
  ),
  hidden: fc.constantFrom(null, 'not_started', 'too_far', 'near_other_door', 'no_position', 'finished', 'off_duty'),
  eta: fc.oneof(
    fc.record({
      kind: fc.constant('window' as const),
      from: fc.integer({ min: NOW, max: NOW + 9e6 }),
      mid: fc.integer({ min: NOW, max: NOW + 9e6 }),
      to: fc.integer({ min: NOW, max: NOW + 9e6 }),
      detour: fc.boolean(),
    }),
    fc.record({
      kind: fc.constant('unknown' as const),
      why: fc.constantFrom(
        'not_started' as const,
        'no_position' as const,
        'stale' as const,
        'no_route' as const,
        'finished' as const,
      ),
    }),
  ),
  stopsLeft: fc.option(fc.nat(100)),
  remaining: fc.option(fc.nat(100_000)),
  phase: fc.constantFrom('enroute', 'approaching', 'arrived'),
  offRoute: fc.boolean(),
  interval: fc.nat(60),
  kept: fc.boolean(),
  pathV: fc.nat(1_000),
})

test('a view comes back as it was', () => {
  fc.assert(
    fc.property(view, (v) => {
      expect(decodeTrack(encodeTrack(v))).toEqual({ ok: true, value: v })
    }),
  )
})

test('garbage, and every message cut short or changed, is a fault or a value, never a throw', () => {
  const calm = (bytes: Uint8Array) => {
    const pings = decodePings(bytes)
    const track = decodeTrack(bytes)
    if (pings.ok) expect(pings.value.items.length).toBeLessThanOrEqual(200)
    else expect(pings.fault.code).toBe('BAD_BATCH')
    if (!track.ok) expect(track.fault.code).toBe('BAD_FIELD')
  }
  fc.assert(
    fc.property(fc.constantFrom(1, 2, 3, 0, 63), fc.uint8Array({ maxLength: 300 }), (kind, rest) =>
      calm(Uint8Array.from([kind, ...rest])),
    ),
    { numRuns: 2_000 },
  )
  fc.assert(
    fc.property(batch, fc.nat(), fc.nat(), fc.integer({ min: 0, max: 255 }), (items, cut, at, value) => {
      const bytes = encodePings({ live: false, sentAt: NOW, items })
      calm(bytes.subarray(0, cut % bytes.length))
      const changed = bytes.slice()
      changed[at % bytes.length] = value
      calm(changed)
    }),
    { numRuns: 100 },
  )
})
