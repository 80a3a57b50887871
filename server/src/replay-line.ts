// One line of a recording in, a trip or what is wrong with it out.
import { fail, ok, type Result } from '@doorstep/shared/result'
import type { LngLat, Seconds } from '@doorstep/shared/units'

/** A recorded trip: `pings` in order of arrival, their times in seconds from `start`. */
export interface TripLine {
  readonly id: string | number
  readonly route: readonly LngLat[]
  readonly pings: readonly (readonly [t: Seconds, lng: number, lat: number])[]
  readonly start: Seconds | null
  readonly stops: readonly LngLat[]
}

const number = (x: unknown): x is number => typeof x === 'number' && Number.isFinite(x)
/** Seconds that are still instants: 300 years either way. */
const seconds = (x: unknown): x is Seconds => number(x) && Math.abs(x) <= 1e10
const place = (x: unknown): x is LngLat =>
  Array.isArray(x) && x.length >= 2 && number(x[0]) && number(x[1]) && Math.abs(x[0]) <= 180 && Math.abs(x[1]) <= 90

/** Checks one line; the fault says in words which field of it is wrong. */
export function tripLine(text: string): Result<TripLine, string> {
  let raw: unknown
  try {
    raw = JSON.parse(text)
  } catch {
    return fail('not JSON')
  }
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return fail('not an object')
  const { id, route, pings, start, stops } = raw as Record<string, unknown>
  if (typeof id !== 'string' && !number(id)) return fail('id must be text or a number')
  if (!Array.isArray(route) || route.length < 2) return fail('route must be a list of at least two [lng, lat]')
  const badVertex = route.findIndex((p) => !place(p))
  if (badVertex >= 0) return fail(`route[${badVertex}] must be [lng, lat] in degrees`)
  if (!Array.isArray(pings)) return fail('pings must be a list of [t, lng, lat]')
  const badPing = pings.findIndex((p) => !Array.isArray(p) || !seconds(p[0]) || !place(p.slice(1, 3)))
  if (badPing >= 0) return fail(`pings[${badPing}] must be [seconds, lng, lat]`)
  if (start !== undefined && start !== null && !seconds(start)) return fail('start must be seconds since 1970')
  if (stops !== undefined && stops !== null && !(Array.isArray(stops) && stops.every(place)))
    return fail('stops must be a list of [lng, lat]')
  return ok({
    id,
    route: route as LngLat[],
    pings: pings as [number, number, number][],
    start: number(start) ? start : null,
    stops: (stops ?? []) as LngLat[],
  })
}
