// Places as people write them, windows to promise, addresses within the page, and lines of a run.
import type { RunView } from '@doorstep/shared/api'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { runLines, trailLine } from './map-lines.ts'
import { promisesFrom, readPlace } from './read-place.ts'
import { hashOf, spotOf } from './session.ts'

test('coordinates are read latitude first, with the separators that people copy, and nothing else is taken for them', () => {
  for (const text of ['57.7072, 11.9668', '57.7072 11.9668', ' 57.7072;11.9668 ', '57,7072; 11,9668'])
    expect(readPlace(text), text).toEqual([11.9668, 57.7072])
  for (const text of ['', 'Kungsgatan 1', '57.7', '91, 200', '57.7, 11.9, 3', '1e5, 2', 'NaN, 1'])
    expect(readPlace(text), text).toBeNull()
})

test('any place that is written with dots is read back', () => {
  fc.assert(
    fc.property(fc.double({ min: -84, max: 84, noNaN: true }), fc.double({ min: -179, max: 179, noNaN: true }), (lat, lng) => {
      const written = `${lat.toFixed(5)}, ${lng.toFixed(5)}`
      expect(readPlace(written)).toEqual([Number(lng.toFixed(5)), Number(lat.toFixed(5))])
    }),
  )
})

test('promises lie ahead, an hour each, without gaps', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1_700_000_000_000, max: 1_900_000_000_000 }), (now) => {
      const windows = promisesFrom(now)
      expect(windows[0]!.from).toBeGreaterThan(now)
      expect(windows[0]!.from - now).toBeLessThanOrEqual(2_700_000)
      for (const [i, w] of windows.entries()) {
        expect(w.to - w.from).toBe(3_600_000)
        if (i > 0) expect(w.from).toBe(windows[i - 1]!.to)
      }
    }),
  )
})

test('a place within the page survives the address, and a strange fragment is the list', () => {
  for (const spot of [
    { kind: 'driver', id: 'a-1' },
    { kind: 'order', id: 'b-2' },
    { kind: 'new' },
    { kind: 'alerts' },
    { kind: 'none' },
  ] as const)
    expect(spotOf(hashOf(spot))).toEqual(spot)
  for (const hash of ['#token=abc', '#/driver/<script>', '#/driver', '#/nothing', '#/driver/a/b'])
    expect(spotOf(hash)).toEqual({ kind: 'none' })
})

test('a run is drawn in two parts that meet at the last finished stop, wherever a cancelled one lies', () => {
  const line: [number, number][] = [
    [11.9, 57.7],
    [11.91, 57.7],
    [11.92, 57.7],
    [11.93, 57.7],
  ]
  const stop = (along: number, status: string) => ({ along, status, door: [11.92, 57.7003] }) as unknown as RunView['stops'][number]
  const run = { route: { line }, stops: [stop(600, 'done'), stop(1200, 'pending'), stop(1700, 'cancelled')] } as unknown as RunView
  const [done, ahead] = runLines(run).features
  const ends = (f: GeoJSON.Feature | undefined) => (f!.geometry as GeoJSON.LineString).coordinates
  expect(ends(done)[0]).toEqual(line[0])
  expect(ends(done).at(-1)).toEqual(ends(ahead)[0])
  expect(ends(ahead).at(-1)![0]).toBeCloseTo(11.93, 6)
  const [, rest] = runLines(run, [11.9142, 57.7003]).features
  expect(ends(rest)[0]![0]).toBeCloseTo(11.9142, 4)
  // Beyond the next stop nothing counts as driven, wherever the vehicle is: a route may pass the same street twice.
  const [, after] = runLines(run, [11.9299, 57.7]).features
  expect(ends(after)[0]![0]).toBeLessThan(11.921)
  expect(runLines(null).features).toEqual([])
  expect(trailLine([[11.9, 57.7]]).features).toEqual([])
})
