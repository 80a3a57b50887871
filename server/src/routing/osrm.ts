// Waypoints in; the plan of an OSRM server, or of Mapbox Directions, which speaks the same, out.
import { fail, type Result } from '@doorstep/shared/result'
import type { Degrees, LngLat } from '@doorstep/shared/units'
import { z } from 'zod'
import { decodeLine, toPlan } from './answer.ts'
import type { RoutePlan } from './port.ts'
import { ask, type Miss, type Remote } from './remote.ts'

export interface RemoteRouter {
  readonly source: RoutePlan['source']
  /** Waypoints in one question at most. */
  readonly most: number
  /** Never rejects. */
  plan(waypoints: readonly LngLat[], heading?: Degrees): Promise<Result<RoutePlan, Miss>>
}

const Answer = z.object({
  code: z.string(),
  routes: z
    .array(
      z.object({
        geometry: z.string().max(2_000_000),
        distance: z.number(),
        duration: z.number(),
        legs: z.array(
          z.object({
            distance: z.number(),
            duration: z.number(),
            annotation: z.object({ duration: z.array(z.number()).optional() }).optional(),
          }),
        ),
      }),
    )
    .optional(),
})

/** A server of one's own: `http://127.0.0.1:5000`. HTTP API as of OSRM 5 and later, profile `driving`. */
export function osrm(url: string, remote: Remote): RemoteRouter {
  const base = url.replace(/\/+$/, '')
  return {
    source: 'osrm',
    most: 100,
    plan: (waypoints, heading) => directions(`${base}/route/v1/driving/`, '', waypoints, heading, 'osrm', remote),
  }
}

/** Mapbox Directions v5 with today's traffic. Takes 25 waypoints a question. */
export function mapbox(token: string, remote: Remote, url = 'https://api.mapbox.com'): RemoteRouter {
  const query = `&access_token=${encodeURIComponent(token)}`
  const path = `${url.replace(/\/+$/, '')}/directions/v5/mapbox/driving-traffic/`
  return { source: 'mapbox', most: 25, plan: (waypoints, heading) => directions(path, query, waypoints, heading, 'mapbox', remote) }
}

async function directions(
  path: string,
  query: string,
  waypoints: readonly LngLat[],
  heading: Degrees | undefined,
  source: RoutePlan['source'],
  remote: Remote,
): Promise<Result<RoutePlan, Miss>> {
  const places = waypoints.map(([lng, lat]) => `${lng.toFixed(6)},${lat.toFixed(6)}`).join(';')
  const bearings = heading === undefined ? '' : `&bearings=${Math.round(heading) % 360},45${';'.repeat(waypoints.length - 1)}`
  const answer = await ask(
    `${path}${places}?overview=full&geometries=polyline6&annotations=duration,distance&steps=false${bearings}${query}`,
    remote,
  )
  if (!answer.ok) return answer
  const parsed = Answer.safeParse(answer.value)
  if (!parsed.success) return fail({ why: 'malformed' })
  const { code, routes } = parsed.data
  if (code === 'NoRoute' || code === 'NoSegment') return fail({ why: 'no-route' })
  const route = routes?.[0]
  if (code !== 'Ok' || !route) return fail({ why: code === 'Ok' ? 'empty' : 'malformed' })
  if (route.legs.length !== waypoints.length - 1) return fail({ why: 'malformed' })
  const line = decodeLine(route.geometry, route.distance)
  if (!line.ok) return line
  const legs = route.legs.map((leg) => ({
    metres: leg.distance,
    seconds: leg.duration,
    segmentSeconds: leg.annotation?.duration ?? null,
  }))
  return toPlan(line.value, legs, source)
}
