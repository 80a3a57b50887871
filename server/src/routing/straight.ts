// Waypoints in, a guess out, for when no router can be asked: as the crow flies, a third longer, marked as a guess.
import { between, distance } from '@doorstep/shared/geo'
import { route as prepare } from '@doorstep/shared/route'
import type { LngLat, Metres, MetresPerSecond, Seconds } from '@doorstep/shared/units'
import type { RoutePlan } from './port.ts'

/**
 * Streets are about 1.3 times as long as the crow flies (Boscoe, Henry and Zdeb, Prof. Geographer 64, 2012: 1.2–1.5 in cities). The drawn line is straight,
 * so it is the time that takes the detour in.
 */
const DETOUR = 1.3
/** 27 km/h from door to door, lights and turns included. */
const CITY: MetresPerSecond = 7.5
/** Progress and visibility look at vertices: a straight line gets some. */
const SPACING: Metres = 100

/** Never fails; `length` is that of the line given, `seconds` are those of a route 1.3 times as long. */
export function straight(waypoints: readonly LngLat[]): RoutePlan {
  const line: LngLat[] = []
  const marks: number[] = []
  for (const [i, to] of waypoints.entries()) {
    const from = waypoints[i - 1]
    if (from) {
      // No line of a million vertices for a place on the other side of the world.
      const parts = Math.min(500, Math.max(1, Math.ceil(distance(from, to) / SPACING)))
      for (let k = 1; k < parts; k++) line.push(between(from, to, k / parts))
    }
    line.push(to)
    marks.push(line.length - 1)
  }
  if (line.length === 1) line.push(line[0]!)
  const { cum, length } = prepare(line)
  const segmentSeconds: Seconds[] = []
  for (let i = 1; i < line.length; i++) segmentSeconds.push(((cum[i]! - cum[i - 1]!) * DETOUR) / CITY)
  return {
    line,
    length,
    segmentSeconds,
    seconds: segmentSeconds.reduce((sum, x) => sum + x, 0),
    waypoints: marks.map((i) => cum[i]!),
    confidence: 'low',
    source: 'straight',
  }
}
