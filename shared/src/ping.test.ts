// The table of what a device may send and what it is told, item by item (FAULTS B8–B25 by number).
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type FixCode, LIMITS, parseBatch, parseFix } from './ping.ts'

const NOW = 1_795_000_000_000
const good = { seq: 7, t: NOW - 1_000, lat: 57.7, lon: 11.97 }
const code = (over: Record<string, unknown>): FixCode | 'ok' => {
  const parsed = parseFix({ ...good, ...over }, NOW)
  return parsed.ok ? 'ok' : parsed.fault.code
}

test.each<[string, Record<string, unknown>, FixCode | 'ok']>([
  ['B8 1e999', { lat: JSON.parse('1e999') }, 'LAT'],
  ['B9 NaN', { lat: Number.NaN }, 'LAT'],
  ...['NaN', '51.5', '', ' 5 ', '0x10', '12abc', [[51]], null, undefined, true, {}].map(
    (lat): [string, Record<string, unknown>, FixCode] => [`B9 ${JSON.stringify(lat)}`, { lat }, 'LAT'],
  ),
  ['B10 lat 90.0000001', { lat: 90.0000001 }, 'LAT'],
  ['B10 lat -91', { lat: -91 }, 'LAT'],
  ['B10 lon 180.0000001', { lon: 180.0000001 }, 'LON'],
  ['B10 lon 540', { lon: 540 }, 'LON'],
  ['B10 the edges hold', { lat: 90, lon: -180 }, 'ok'],
  ['B11 swapped', { lat: 121.5, lon: 31.2 }, 'LAT'],
  ['B12 0,0', { lat: 0, lon: 0 }, 'ZERO'],
  ['B13 -0,-0', { lat: -0, lon: -0 }, 'ZERO'],
  ['B14 t 0', { t: 0 }, 'TS_BAD'],
  ['B14 t -1', { t: -1 }, 'TS_BAD'],
  ['B14 t 1.5', { t: 1.5 }, 'TS_BAD'],
  ['B14 t 2^53', { t: 2 ** 53 }, 'TS_BAD'],
  ['B14 t 2^53+1', { t: JSON.parse('9007199254740993') }, 'TS_BAD'],
  ['B14 t no date', { t: 8.64e15 + 1 }, 'TS_BAD'],
  ['t a string', { t: String(NOW) }, 'TS_BAD'],
  ['B15 seconds', { t: Math.floor(NOW / 1000) }, 'TS_OLD'],
  ['B16 121 s ahead', { t: NOW + 121_000 }, 'TS_FUTURE'],
  ['B16 25 h ahead', { t: NOW + 25 * 3_600_000 }, 'TS_FUTURE'],
  ['120 s ahead holds', { t: NOW + 120_000 }, 'ok'],
  ['B17 31 days old', { t: NOW - 31 * 86_400_000 }, 'TS_OLD'],
  ['30 days old holds', { t: NOW - LIMITS.past }, 'ok'],
  ['acc 10,001', { acc: 10_001 }, 'ACC'],
  ['acc endless', { acc: JSON.parse('1e999') }, 'ACC'],
  ['acc a string', { acc: '5' }, 'BAD_FIELD'],
  ['spd a list', { spd: [1] }, 'BAD_FIELD'],
  ['mock 1', { mock: 1 }, 'BAD_FIELD'],
  ['a field of its own', { deviceId: 'x' }, 'BAD_FIELD'],
  ['B36 __proto__', JSON.parse('{"__proto__":{"isAdmin":true}}'), 'BAD_FIELD'],
])('[P5] an item, %s, is %s', (_, over, want) => {
  expect(code(over)).toBe(want)
})

test('[P5] an own __proto__, constructor or prototype is a field that nobody knows', () => {
  for (const key of ['__proto__', 'constructor', 'prototype']) {
    const item = JSON.parse(`{"seq":7,"t":${NOW},"lat":57.7,"lon":11.9,"${key}":{"isAdmin":true}}`)
    expect(parseFix(item, NOW)).toEqual({ ok: false, fault: { seq: 7, code: 'BAD_FIELD' } })
  }
})

test('B18 a receiver that counts 1,024 weeks less is put right, and says so', () => {
  const parsed = parseFix({ ...good, t: NOW - 1024 * 7 * 86_400_000 }, NOW)
  expect(parsed.ok && parsed.value).toMatchObject({ recordedAt: NOW, flags: ['rollover'] })
})

test('a speed, direction, height or battery out of range is unknown, flagged, and the fix is kept', () => {
  const parsed = parseFix({ ...good, spd: 121, hdg: 360, alt: 9_001, bat: 80, mock: true }, NOW)
  expect(parsed.ok && parsed.value).toMatchObject({
    speed: null,
    heading: null,
    altitude: null,
    battery: null,
    flags: ['mock', 'speed', 'heading', 'altitude', 'battery'],
  })
  const unknown = parseFix({ ...good, acc: -1, spd: -1, hdg: -1, bat: -1, alt: null }, NOW)
  expect(unknown.ok && unknown.value).toMatchObject({ accuracy: null, speed: null, heading: null, battery: null, flags: [] })
})

test('B13 minus zero is zero', () => {
  const parsed = parseFix({ ...good, lat: -0 }, NOW)
  expect(parsed.ok && Object.is(parsed.value.at[1], 0)).toBe(true)
})

test('a clock that is known to be off is put right before its times are judged', () => {
  const ahead = { ...good, t: NOW + 3_600_000 }
  expect(parseFix(ahead, NOW).ok).toBe(false)
  expect(parseFix(ahead, NOW, -3_600_000)).toMatchObject({ ok: true, value: { recordedAt: NOW } })
})

const head = { v: 1, qid: '0123456789abcdef', sentAt: NOW }
const items = (n: number, from = 1) => Array.from({ length: n }, (_, i) => ({ ...good, seq: from + i }))

test.each<[string, unknown, object]>([
  ['null', null, { code: 'BAD_BATCH' }],
  ['a list', [], { code: 'BAD_BATCH' }],
  ['a string', 'x', { code: 'BAD_BATCH' }],
  ['another version', { ...head, v: 2, items: [] }, { code: 'BAD_VERSION', min: 1, max: 1 }],
  ['a qid in capitals', { ...head, qid: '0123456789ABCDEF', items: [] }, { code: 'BAD_BATCH', field: 'qid' }],
  ['a qid that is a list', { ...head, qid: ['0123456789abcdef'], items: [] }, { code: 'BAD_BATCH', field: 'qid' }],
  ['sentAt as a string', { ...head, sentAt: '5', items: [] }, { code: 'BAD_BATCH', field: 'sentAt' }],
  ['neither items nor item', head, { code: 'BAD_BATCH', field: 'items' }],
  ['both', { ...head, items: [], item: good }, { code: 'BAD_BATCH', field: 'items' }],
  ['items that are no list', { ...head, items: { length: 1 } }, { code: 'BAD_BATCH', field: 'items' }],
  ['B23 201 items', { ...head, items: items(201) }, { code: 'BAD_BATCH', field: 'items' }],
  ['B23 100,000 items', { ...head, items: items(100_000) }, { code: 'BAD_BATCH', field: 'items' }],
  ['B20 one seq twice', { ...head, items: [good, good] }, { code: 'BAD_BATCH', field: 'seq' }],
  ['B21 descending', { ...head, items: items(3).reverse() }, { code: 'BAD_BATCH', field: 'seq' }],
  ['B21 seq 0', { ...head, items: [{ ...good, seq: 0 }] }, { code: 'BAD_BATCH', field: 'seq' }],
  ['B21 seq -1', { ...head, items: [{ ...good, seq: -1 }] }, { code: 'BAD_BATCH', field: 'seq' }],
  ['B21 seq 2^53', { ...head, items: [{ ...good, seq: 2 ** 53 }] }, { code: 'BAD_BATCH', field: 'seq' }],
  ['an item that is nothing', { ...head, items: [null] }, { code: 'BAD_BATCH', field: 'seq' }],
  ['a key of its own', { ...head, items: [], tenant: 1 }, { code: 'BAD_BATCH' }],
])('[P2] a batch that is %s is refused with its code', (_, message, fault) => {
  expect(parseBatch(message, NOW)).toEqual({ ok: false, fault })
})

test('B23 an empty batch is right and keeps nothing', () => {
  expect(parseBatch({ ...head, items: [] }, NOW)).toMatchObject({ ok: true, value: { from: 0, to: 0, fixes: [], rejected: [] } })
})

test.each([0, 100, 199])('[P5] B24 one bad item at %i leaves the other 199', (at) => {
  const list = items(200)
  list[at] = { ...good, seq: at + 1, lat: 99 }
  const parsed = parseBatch({ ...head, items: list }, NOW)
  expect(parsed).toMatchObject({ ok: true, value: { from: 1, to: 200, rejected: [{ seq: at + 1, code: 'LAT' }] } })
  expect(parsed.ok && parsed.value.fixes.length).toBe(199)
})

test('B21 a gap of 1e9 within a batch is in order', () => {
  expect(parseBatch({ ...head, items: [good, { ...good, seq: 1e9 }] }, NOW)).toMatchObject({
    ok: true,
    value: { from: 7, to: 1e9 },
  })
})

test('sentAt more than a day off is not believed', () => {
  expect(parseBatch({ ...head, sentAt: NOW - 90_000_000, items: [] }, NOW)).toMatchObject({ ok: true, value: { sentAt: null } })
})

test('[P4] ping:live carries one item', () => {
  expect(parseBatch({ ...head, item: good }, NOW)).toMatchObject({ ok: true, value: { from: 7, to: 7 } })
})

test('[P5] whatever arrives, parsing answers: every numbered item is kept or rejected, once, and nothing is out of range', () => {
  const anyItem = fc.oneof(
    fc.anything({ withObjectString: true, withNullPrototype: true }),
    fc.record(
      {
        seq: fc.oneof(fc.integer({ min: 1, max: 50 }), fc.anything()),
        t: fc.oneof(fc.integer({ min: NOW - 1e6, max: NOW + 2e5 }), fc.double(), fc.string()),
        lat: fc.oneof(fc.double({ min: -95, max: 95 }), fc.anything()),
        lon: fc.oneof(fc.double({ min: -185, max: 185 }), fc.anything()),
        acc: fc.option(fc.double()),
        spd: fc.option(fc.double()),
        hdg: fc.option(fc.double()),
        mock: fc.boolean(),
      },
      { requiredKeys: ['seq', 't', 'lat', 'lon'] },
    ),
  )
  fc.assert(
    fc.property(fc.array(anyItem, { maxLength: 12 }), (list) => {
      const parsed = parseBatch({ ...head, items: list }, NOW)
      if (!parsed.ok) return
      expect(parsed.value.fixes.length + parsed.value.rejected.length).toBe(list.length)
      for (const fix of parsed.value.fixes) {
        expect(Math.abs(fix.at[1])).toBeLessThanOrEqual(90)
        expect(Math.abs(fix.at[0])).toBeLessThanOrEqual(180)
        expect(fix.recordedAt).toBeLessThanOrEqual(NOW + LIMITS.future)
        for (const value of [fix.accuracy, fix.speed, fix.heading, fix.altitude, fix.battery])
          expect(value === null || Number.isFinite(value)).toBe(true)
      }
    }),
    { numRuns: 2_000 },
  )
})
