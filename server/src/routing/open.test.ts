import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { distance, offset } from '@doorstep/shared/geo'
import { route as prepare } from '@doorstep/shared/route'
import type { LngLat } from '@doorstep/shared/units'
import polyline from '@mapbox/polyline'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openRouter, type RouterOptions } from './open.ts'
import type { Router } from './port.ts'
import { straight } from './straight.ts'

// A router of our own making, over real HTTP, that answers as OSRM, Mapbox and Valhalla do, or as badly as a test wants.
type Answer = (request: IncomingMessage, response: ServerResponse, body: string) => void
let server: Server
let url: string
let answer: Answer
let asked: { method: string; url: string; body: string }[]
let now: number

beforeEach(async () => {
  asked = []
  now = 1_000_000
  server = createServer((request, response) => {
    let body = ''
    request.on('data', (part) => {
      body += part
    })
    request.on('end', () => {
      asked.push({ method: request.method!, url: request.url!, body })
      answer(request, response, body)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterEach(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

const A: LngLat = [11.96, 57.7]
/** As precise as a place is sent. */
const sent = ([lng, lat]: LngLat): LngLat => [Math.round(lng * 1e6) / 1e6, Math.round(lat * 1e6) / 1e6]
const B = sent(offset(A, 900, 300))
const C = sent(offset(B, -200, 1200))

/** Streets between places: a dog-leg of 20 m steps, as OSRM would give. */
function street(waypoints: readonly LngLat[]): {
  line: LngLat[]
  legs: { distance: number; duration: number; annotation: { duration: number[] } }[]
} {
  const line: LngLat[] = [waypoints[0]!]
  const legs = waypoints.slice(1).map((to, i) => {
    const from = waypoints[i]!
    const corner: LngLat = [to[0], from[1]]
    const durations: number[] = []
    for (const [a, b] of [[from, corner] as const, [corner, to] as const]) {
      const steps = Math.ceil(distance(a, b) / 20)
      for (let k = 1; k <= steps; k++) {
        line.push([a[0] + ((b[0] - a[0]) * k) / steps, a[1] + ((b[1] - a[1]) * k) / steps])
        durations.push(distance(a, b) / steps / 9)
      }
    }
    return {
      distance: distance(from, corner) + distance(corner, to),
      duration: durations.reduce((x, y) => x + y, 0),
      annotation: { duration: durations },
    }
  })
  return { line, legs }
}

const encode = (line: readonly LngLat[], precision: number) =>
  polyline.encode(
    line.map(([lng, lat]) => [lat, lng]),
    precision,
  )

function directions(
  waypoints: readonly LngLat[],
  precision: number,
  change: (route: Record<string, unknown>) => object = (route) => route,
): string {
  const { line, legs } = street(waypoints)
  const sum = (key: 'distance' | 'duration') => legs.reduce((x, leg) => x + leg[key], 0)
  const route = {
    geometry: encode(line, precision),
    distance: sum('distance'),
    duration: sum('duration'),
    weight: 1,
    weight_name: 'routability',
    legs,
  }
  return JSON.stringify({
    code: 'Ok',
    routes: [change(route)],
    waypoints: waypoints.map((location) => ({ location, name: '', distance: 3 })),
  })
}

const waypointsOf = (path: string): LngLat[] =>
  decodeURIComponent(path.split('?')[0]!.split('/').pop()!)
    .split(';')
    .map((pair) => pair.split(',').map(Number) as unknown as LngLat)

const good =
  (precision = 6): Answer =>
  (request, response) =>
    response.end(directions(waypointsOf(request.url!), precision))

const json =
  (status: number, body: string, headers: Record<string, string> = {}): Answer =>
  (_request, response) =>
    response.writeHead(status, headers).end(body)

const router = (options: Partial<RouterOptions> = {}) =>
  openRouter({ city: null, osrmUrl: url, now: () => now, timeout: 20_000, ...options })

test.each([6, 5])(
  'a line sent with precision %i is read at its true length, with the seconds of each segment',
  async (precision) => {
    answer = good(precision)
    const plan = await router().route([A, B, C])
    const { line, legs } = street([A, B, C])
    expect(plan.source).toBe('osrm')
    expect(plan.confidence).toBe('road')
    expect(plan.line).toHaveLength(line.length)
    expect(distance(plan.line[5]!, line[5]!)).toBeLessThan(2)
    expect(plan.length).toBeCloseTo(prepare(plan.line).length, 6)
    expect(Math.abs(plan.length - prepare(line).length)).toBeLessThan(20)
    expect(plan.segmentSeconds).toEqual(legs.flatMap((leg) => leg.annotation.duration))
    expect(plan.waypoints).toHaveLength(3)
    expect(Math.abs(plan.waypoints[1]! - legs[0]!.distance)).toBeLessThan(10)
    expect(plan.waypoints[2]).toBe(plan.length)
  },
)

test('without seconds a segment, each leg keeps its own time, spread over its metres', async () => {
  answer = (request, response) =>
    response.end(
      directions(waypointsOf(request.url!), 6, (route) => ({
        ...route,
        legs: (route.legs as { distance: number; duration: number }[]).map(({ distance, duration }, i) => ({
          distance,
          duration: duration * (i + 1),
        })),
      })),
    )
  const plan = await router().route([A, B, C])
  const { legs } = street([A, B, C])
  expect(plan.seconds).toBeCloseTo(legs[0]!.duration + 2 * legs[1]!.duration, 3)
  const r = prepare(plan.line, plan.segmentSeconds!)
  const at = r.cum.findIndex((cum) => cum >= plan.waypoints[1]! - 0.5)
  expect(Math.abs(r.seconds![at]! - legs[0]!.duration)).toBeLessThan(3)
})

test('a line that fits its stated length with neither precision is refused, and counted as that', async () => {
  answer = (request, response) =>
    response.end(directions(waypointsOf(request.url!), 6, (route) => ({ ...route, distance: (route.distance as number) * 4 })))
  const r = router()
  expect((await r.route([A, B])).source).toBe('straight')
  expect(r.counts()).toMatchObject({ 'osrm precision': 1, 'straight ok': 1 })
})

const bad: [string, string, Answer][] = [
  ['no-route', 'an OSRM that knows no way', json(400, '{"code":"NoRoute","message":"Impossible route between points"}')],
  ['malformed', 'an answer that is not JSON', json(200, '<html>gateway</html>')],
  ['malformed', 'JSON of another shape', json(200, '{"code":"Ok","routes":[{"geometry":7}]}')],
  [
    'malformed',
    'fewer legs than asked for',
    (_q, response) => response.end(directions([A, C], 6, (route) => ({ ...route, legs: [] }))),
  ],
  [
    'malformed',
    'a line with letters that no polyline has',
    (_q, response) => response.end(directions([A, C], 6, (route) => ({ ...route, geometry: 'å b' }))),
  ],
  [
    'malformed',
    'times that are negative',
    (_q, response) => response.end(directions([A, C], 6, (route) => ({ ...route, legs: [{ distance: 5, duration: -1 }] }))),
  ],
  ['empty', 'an empty body', json(200, '')],
  ['empty', 'no routes', json(200, '{"code":"Ok","routes":[]}')],
  ['rate', 'too many questions', json(429, '{"message":"Too Many Requests"}', { 'retry-after': '30' })],
  ['refused', 'a token that is not valid', json(401, '{"message":"Not Authorized - Invalid Token"}')],
  ['error', 'a server error', json(500, 'oops')],
  ['too-large', 'an answer without end', (_q, response) => void response.write('x'.repeat(5 * 1024 * 1024))],
  ['unreachable', 'a redirect to elsewhere', json(302, '', { location: 'http://127.0.0.1:1/' })],
  ['unreachable', 'a line that is cut', (_q, response) => void response.destroy()],
  ['timeout', 'an answer that never comes', () => {}],
  ['timeout', 'an answer that never ends', (_q, response) => void response.write('{"code":')],
]
test.each(bad)('%s: %s is followed by a straight line of low confidence, and the reason is counted', async (why, _what, bad) => {
  answer = bad
  const r = router({ timeout: why === 'timeout' ? 60 : 20_000 })
  const plan = await r.route([A, C])
  expect(plan).toEqual(straight([A, C]))
  expect(plan.confidence).toBe('low')
  expect(r.counts()).toEqual({ [`osrm ${why}`]: 1, 'straight ok': 1 })
})

test('a router that nobody runs is followed by the embedded city', async () => {
  const city: Router = {
    name: 'city',
    route: async (w) => ({ ...straight(w), confidence: 'road', source: 'city' }),
    health: async () => true,
  }
  const r = router({ osrmUrl: 'http://127.0.0.1:1', city })
  expect((await r.route([A, B])).source).toBe('city')
  expect(r.counts()).toEqual({ 'osrm unreachable': 1, 'city ok': 1 })
})

test('a city that throws is no reason to reject', async () => {
  const city: Router = { name: 'city', route: async () => Promise.reject(new Error('bug')), health: async () => true }
  const r = router({ osrmUrl: undefined, city })
  expect((await r.route([A, B])).source).toBe('straight')
  expect(r.counts()).toEqual({ 'city error': 1, 'straight ok': 1 })
})

test('after three failures a router rests, is asked once when the rest is over, and is used again when it answers', async () => {
  answer = json(500, '')
  const r = router()
  for (let i = 0; i < 5; i++) await r.route([A, offset(B, i * 50, 0)])
  expect(asked).toHaveLength(3)
  expect(await r.health()).toBe('osrm error')
  answer = good()
  now += 15_000
  expect((await r.route([A, C])).source).toBe('osrm')
  expect(await r.health()).toBe(true)
})

test('a router that says when to come back is left alone until then', async () => {
  answer = json(429, '{}', { 'retry-after': '120' })
  const r = router()
  await r.route([A, B])
  now += 119_000
  answer = good()
  expect((await r.route([A, C])).source).toBe('straight')
  now += 2000
  expect((await r.route([A, C])).source).toBe('osrm')
})

test('the same question is asked once, a guess is not kept, and an answer grows old', async () => {
  answer = json(500, '')
  const r = router()
  await r.route([A, B])
  answer = good()
  const [first, second] = await Promise.all([r.route([A, B]), r.route([A, B])])
  expect(first).toBe(second)
  expect(asked).toHaveLength(2)
  now += 6 * 60_000
  expect((await r.route([A, B])).source).toBe('osrm')
  expect(asked).toHaveLength(3)
})

test('Mapbox is asked with the token and the heading, 25 places at a time, and the parts are one route', async () => {
  answer = good()
  const many = Array.from({ length: 40 }, (_, i) => sent(offset(A, (i % 2) * 300, i * 120)))
  const r = router({ osrmUrl: undefined, mapboxToken: 'pk.not-a-token', mapboxUrl: url })
  const plan = await r.route(many, { heading: 359.7 })
  expect(asked.map((q) => waypointsOf(q.url).length)).toEqual([25, 16])
  expect(asked[0]!.url).toMatch(/^\/directions\/v5\/mapbox\/driving-traffic\/.*bearings=0,45;+&access_token=pk\.not-a-token$/)
  expect(asked[1]!.url).not.toContain('bearings')
  expect(plan.source).toBe('mapbox')
  expect(plan.waypoints).toHaveLength(40)
  expect(plan.segmentSeconds).toHaveLength(plan.line.length - 1)
  const line = prepare(plan.line)
  expect(plan.waypoints[39]).toBeCloseTo(line.length, 6)
  many.forEach((at, i) => {
    const k = line.cum.findIndex((cum) => cum >= plan.waypoints[i]! - 0.01)
    expect(distance(at, plan.line[k]!)).toBeLessThan(2)
  })
})

test('Valhalla is asked in its own words, and its kilometres and legs become one route', async () => {
  answer = (_request, response, body) => {
    const { locations } = JSON.parse(body) as { locations: { lon: number; lat: number }[] }
    const places = locations.map(({ lon, lat }): LngLat => [lon, lat])
    const legs = places.slice(1).map((to, i) => {
      const { line, legs } = street([places[i]!, to])
      return { shape: encode(line, 6), summary: { time: legs[0]!.duration, length: legs[0]!.distance / 1000 } }
    })
    response.end(JSON.stringify({ trip: { legs, status: 0, units: 'kilometers' } }))
  }
  const r = router({ osrmUrl: undefined, valhallaUrl: url })
  const plan = await r.route([A, B, C])
  const { line, legs } = street([A, B, C])
  expect(plan.source).toBe('valhalla')
  expect(plan.line).toHaveLength(line.length)
  expect(plan.seconds).toBeCloseTo(legs[0]!.duration + legs[1]!.duration, 3)
  answer = json(400, '{"error_code":442,"error":"No path could be found for input","status_code":400}')
  await r.route([A, offset(C, 500, 0)])
  expect(r.counts()).toMatchObject({ 'valhalla ok': 1, 'valhalla no-route': 1 })
})

test('a straight line has its waypoints on it, many vertices, and the time of a road a third longer', () => {
  const plan = straight([A, B, B, C])
  const crow = distance(A, B) + distance(B, C)
  expect(plan.confidence).toBe('low')
  expect(plan.length).toBeCloseTo(crow, 0)
  expect(plan.seconds).toBeCloseTo((crow * 1.3) / 7.5, 0)
  expect(plan.waypoints).toHaveLength(4)
  expect(plan.waypoints[1]).toBeCloseTo(distance(A, B), 0)
  expect(plan.line.length).toBeGreaterThan(20)
  expect(straight([A, A]).line.length).toBeGreaterThanOrEqual(2)
})
