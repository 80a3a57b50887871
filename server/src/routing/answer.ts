// What a router elsewhere stated in; a plan that agrees with itself, or why it can't be believed, out.

import { fail, ok, type Result } from '@doorstep/shared/result'
import { route as prepare, segmentAt } from '@doorstep/shared/route'
import type { LngLat, Metres, Seconds } from '@doorstep/shared/units'
import polyline from '@mapbox/polyline'
import type { RoutePlan } from './port.ts'
import type { Miss } from './remote.ts'

/** One leg as stated. `segmentSeconds`, one a segment of this leg's line, where the router gives them. */
export interface StatedLeg {
  readonly metres: Metres
  readonly seconds: Seconds
  readonly segmentSeconds: readonly Seconds[] | null
}

const MOST_VERTICES = 200_000

/**
 * Decodes a line, with the other usual precision when the first does not fit the length stated: a polyline6 read as polyline5 is ten times too
 * long. A line may be somewhat shorter than stated (simplified) but not longer than rounding makes it.
 */
export function decodeLine(encoded: string, stated: Metres): Result<LngLat[], Miss> {
  if (!/^[?-~]+$/.test(encoded)) return fail({ why: 'malformed' })
  for (const precision of [6, 5]) {
    const line = polyline.decode(encoded, precision).map(([lat, lng]): LngLat => [lng, lat])
    if (line.length > MOST_VERTICES) return fail({ why: 'too-large' })
    if (line.length === 1) line.push(line[0]!)
    if (line.some(([lng, lat]) => !(Math.abs(lng) <= 180 && Math.abs(lat) <= 90))) continue
    const { length } = prepare(line)
    if (length >= stated * 0.75 - 30 && length <= stated * 1.15 + 30) return ok(line)
  }
  return fail({ why: 'precision' })
}

/**
 * Joins line and legs. Seconds a segment are used when they are as many as the line's segments; otherwise each leg's time is spread evenly over its metres.
 * Legs are placed by their share of the stated length, since the line may be a little shorter than it.
 */
export function toPlan(line: LngLat[], legs: readonly StatedLeg[], source: RoutePlan['source']): Result<RoutePlan, Miss> {
  const good = (x: number) => Number.isFinite(x) && x >= 0
  if (legs.length === 0 || !legs.every((leg) => good(leg.metres) && good(leg.seconds))) return fail({ why: 'malformed' })
  const { cum, length, ...rest } = prepare(line)
  const stated = legs.reduce((sum, leg) => sum + leg.metres, 0)
  const given = legs.flatMap((leg) => leg.segmentSeconds ?? [])
  const complete = given.length === line.length - 1 && given.every(good) && legs.every((leg) => leg.segmentSeconds !== null)
  const waypoints: Metres[] = [0]
  const segmentSeconds: Seconds[] = complete ? given : new Array<Seconds>(line.length - 1).fill(0)
  let segments = 0
  let metres = 0
  for (const leg of legs) {
    const from = waypoints[waypoints.length - 1]!
    metres += leg.metres
    segments += leg.segmentSeconds?.length ?? 0
    const to = complete ? cum[segments]! : stated > 0 ? (length * metres) / stated : 0
    waypoints.push(leg === legs[legs.length - 1] ? length : to)
    if (!complete) spreadOver({ ...rest, cum, length }, from, waypoints[waypoints.length - 1]!, leg.seconds, segmentSeconds)
  }
  return ok({
    line,
    length,
    segmentSeconds,
    seconds: segmentSeconds.reduce((sum, s) => sum + s, 0),
    waypoints,
    confidence: 'road',
    source,
  })
}

function spreadOver(r: ReturnType<typeof prepare>, from: Metres, to: Metres, seconds: Seconds, out: Seconds[]): void {
  if (to <= from) {
    const i = segmentAt(r, from)
    out[i] = out[i]! + seconds
    return
  }
  for (let i = segmentAt(r, from); i < out.length && r.cum[i]! < to; i++) {
    const part = Math.min(to, r.cum[i + 1]!) - Math.max(from, r.cum[i]!)
    if (part > 0) out[i] = out[i]! + (seconds * part) / (to - from)
  }
}
