import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { distance } from '@doorstep/shared/geo'
import { route as prepare } from '@doorstep/shared/route'
import type { LngLat } from '@doorstep/shared/units'
import { VectorTile } from '@mapbox/vector-tile'
import fc from 'fast-check'
import { PbfReader } from 'pbf'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { buildCity, type City, openCity } from './city.ts'
import { RANKS } from './tiles/roads.ts'

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

test('a place that no street of the city reaches has a straight line of low confidence', async () => {
  const plan = await city.router.route([city.info.center, [18.07, 59.33]])
  expect(plan).toMatchObject({ confidence: 'low', source: 'straight' })
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

test('routes keep to the one-way streets of the map itself, and turn round only at stops', async () => {
  // Read anew from the source, by other rules than the router's, so that one mistake can't hide in both.
  const source = createRequire(import.meta.url).resolve('geojson-path-finder/test/large-network.json')
  const { features } = JSON.parse(await readFile(source, 'utf8')) as {
    features: { properties: Record<string, string>; geometry: { type: string; coordinates: [number, number][] } }[]
  }
  const allowed = new Set<string>()
  const pair = (a: LngLat, b: LngLat) => `${a[0].toFixed(7)},${a[1].toFixed(7)}>${b[0].toFixed(7)},${b[1].toFixed(7)}`
  for (const { properties: p, geometry } of features) {
    if (geometry.type !== 'LineString' || /foot|cycle|path|steps|pedestrian|platform|construction|bridleway|track/.test(p.highway!))
      continue
    const one = p.oneway === 'yes' || (p.oneway !== 'no' && (p.junction === 'roundabout' || p.highway === 'motorway'))
    geometry.coordinates.forEach((b, i, line) => {
      const a = line[i - 1]
      if (!a) return
      allowed.add(pair(a, b))
      if (!one) allowed.add(pair(b, a))
    })
  }
  const places = city.places.sample(120, 21)
  for (let k = 0; k < 60; k++) {
    const { line } = await city.router.route([places[2 * k]!.at, places[2 * k + 1]!.at])
    // The first and the last segment begin and end within a segment of the map.
    for (let i = 2; i < line.length - 1; i++) {
      expect(allowed.has(pair(line[i - 1]!, line[i]!)), pair(line[i - 1]!, line[i]!)).toBe(true)
      expect(line[i]).not.toEqual(line[i - 2])
    }
  }
})

test('a tile holds the layers and the properties that a style counts on, and no broken value', () => {
  const classes = new Set<unknown>()
  const layers = new Set<string>()
  for (let x = 8730; x < 8742; x++) {
    for (let y = 4952; y < 4966; y++) {
      const bytes = city.tiles.get(14, x, y)
      if (!bytes) continue
      const tile = new VectorTile(new PbfReader(gunzipSync(bytes)))
      for (const [name, layer] of Object.entries(tile.layers)) {
        layers.add(name)
        let rank = 0
        for (let i = 0; i < layer.length; i++) {
          const { properties } = layer.feature(i)
          expect(
            Object.keys(properties).filter((key) => !['class', 'rank', 'name', 'ref', 'oneway', 'brunnel'].includes(key)),
          ).toEqual([])
          expect(Object.values(properties).every((value) => typeof value === 'string' || typeof value === 'number')).toBe(true)
          if (name !== 'road') continue
          classes.add(properties.class)
          expect(properties.rank).toBe(RANKS.indexOf(properties.class as never))
          expect(Number(properties.rank)).toBeGreaterThanOrEqual(rank)
          rank = Number(properties.rank)
          if ('oneway' in properties) expect([1, -1]).toContain(properties.oneway)
          if ('brunnel' in properties) expect(['bridge', 'tunnel']).toContain(properties.brunnel)
        }
      }
    }
  }
  expect([...layers].sort()).toEqual(['pedestrian_area', 'road', 'water'])
  for (const name of ['motorway', 'trunk', 'secondary', 'tertiary', 'minor', 'service', 'pedestrian', 'path', 'cycleway']) {
    expect(classes).toContain(name)
  }
})
