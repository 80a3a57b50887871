import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { distance } from '@doorstep/shared/geo'
import { route as prepare } from '@doorstep/shared/route'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { buildCity, type City, openCity } from './city.ts'

let dir: string
let city: City
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'city-'))
  city = await openCity(dir)
}, 60_000)
afterAll(() => rm(dir, { recursive: true, force: true }))

test('a route through several places is one line whose length and seconds are the sums of its parts', async () => {
  const places = city.places.sample(5, 11).map(({ at }) => at)
  const plan = await city.router.route(places)
  expect(plan.confidence).toBe('road')
  expect(plan.source).toBe('city')
  expect(plan.waypoints).toHaveLength(5)
  expect(plan.waypoints[0]).toBe(0)
  expect(plan.waypoints[4]).toBeCloseTo(plan.length, 6)
  for (let i = 1; i < 5; i++) expect(plan.waypoints[i]!).toBeGreaterThanOrEqual(plan.waypoints[i - 1]!)
  expect(prepare(plan.line).length).toBeCloseTo(plan.length, 6)
  expect(plan.segmentSeconds).toHaveLength(plan.line.length - 1)
  expect(plan.segmentSeconds!.reduce((sum, x) => sum + x, 0)).toBeCloseTo(plan.seconds, 6)
})

test('every door is served from a street within 20 m of it, and every door can be reached from every other', async () => {
  const places = city.places.sample(24, 5)
  const plan = await city.router.route(places.map(({ at }) => at))
  expect(plan.confidence).toBe('road')
  const line = prepare(plan.line)
  places.forEach(({ at }, i) => {
    const k = line.cum.findIndex((cum) => Math.abs(cum - plan.waypoints[i]!) < 0.001)
    expect(distance(at, plan.line[k]!)).toBeLessThan(20)
  })
})

test('any two points on the map have a route that does not reject, with finite times and at a speed a van can have', async () => {
  const [west, south, east, north] = city.info.bbox
  const point = fc.tuple(fc.double({ min: west, max: east, noNaN: true }), fc.double({ min: south, max: north, noNaN: true }))
  await fc.assert(
    fc.asyncProperty(
      fc.array(point, { minLength: 2, maxLength: 4 }),
      fc.option(fc.double({ min: 0, max: 359, noNaN: true })),
      async (points, heading) => {
        const plan = await city.router.route(points, heading === null ? {} : { heading })
        expect(plan.line.length).toBeGreaterThanOrEqual(2)
        expect(plan.waypoints).toHaveLength(points.length)
        expect(plan.segmentSeconds!.every((s) => Number.isFinite(s) && s >= 0)).toBe(true)
        expect(plan.length / Math.max(plan.seconds, 0.001)).toBeLessThan(100 / 3.6)
      },
    ),
    { numRuns: 150 },
  )
})

test('the same seed samples the same doors, another seed others, never one twice', () => {
  const a = city.places.sample(200, 7)
  expect(city.places.sample(200, 7)).toEqual(a)
  expect(city.places.sample(200, 8)).not.toEqual(a)
  expect(new Set(a.map(({ label }) => label)).size).toBe(200)
  for (const { label } of a) expect(label).toMatch(/^\S.* \d+$/)
})

test('the places near a door begin with that door', () => {
  for (const place of city.places.sample(20, 3)) expect(city.places.near(place.at)[0]).toEqual(place)
  expect(city.places.near([0, 0])).toEqual([])
})

test('tiles are there for the city at every zoom, and nothing else is a tile', () => {
  const tile = city.tiles.get(14, 8736, 4959)
  expect(tile).not.toBeNull()
  expect(gunzipSync(tile!).length).toBeGreaterThan(1000)
  for (const [z, x, y] of [
    [14, 0, 0],
    [14, -1, 3],
    [14, 8736.5, 4959],
    [Number.NaN, 1, 1],
    [99, 1, 1],
  ] as const) {
    expect(city.tiles.get(z, x, y)).toBeNull()
  }
})

test('a damaged cache is built again, and what was built is the same byte for byte', async () => {
  const path = await buildCity(dir)
  const whole = await readFile(path)
  await writeFile(path, whole.subarray(0, whole.length - 1000))
  const said: string[] = []
  await openCity(dir, { say: (line) => said.push(line) })
  expect(said.join()).toMatch(/cut short|damaged/)
  expect((await readFile(path)).equals(whole)).toBe(true)
}, 60_000)
