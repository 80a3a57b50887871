// Waypoints in, a route over the embedded streets with its times out.
import { setImmediate as breathe } from 'node:timers/promises'
import { bearing, distance, turn } from '@doorstep/shared/geo'
import { route as prepare } from '@doorstep/shared/route'
import type { LngLat, Seconds } from '@doorstep/shared/units'
import { turnSeconds } from './drivable.ts'
import type { Departure, Finder, Snap, Step } from './finder.ts'
import type { RoutePlan } from './port.ts'
import { type Streets, vertex } from './streets.ts'

/** Coming to rest at a stop and leaving it, against driving through: v/2a each, with the braking and gaining rates of `turnSeconds`. */
const stopping = (v: number): Seconds => v / 4
const starting = (v: number): Seconds => v / 3

/**
 * The quickest route through all waypoints, in their order; each is served from the nearest street. null when one of them is farther than 1,500 m from any.
 * `heading` is the vehicle's own at the first waypoint: it is not sent back the way it came. Seconds are of an ordinary day: they count
 * the speed that is kept on each kind of street, corners, junctions (`drivable.ts`), stopping and starting at waypoints, not the time spent there.
 */
export async function plan(s: Streets, finder: Finder, waypoints: readonly LngLat[], heading?: number): Promise<RoutePlan | null> {
  const snaps: Snap[] = []
  for (const [i, at] of waypoints.entries()) {
    const snap = finder.snap(at, i === 0 ? heading : undefined)
    if (!snap) return null
    snaps.push(snap)
  }
  const first = snaps[0]!
  const line: LngLat[] = [first.at]
  const seconds: Seconds[] = []
  const marks = [0]
  let departure: Departure | undefined =
    heading === undefined ? undefined : { forward: turn(finder.direction(first), heading) <= 90, bound: true }
  for (let k = 1; k < snaps.length; k++) {
    // A day's run of 100 stops is a quarter of a second of searching: other work goes on between its legs.
    if (k % 4 === 0) await breathe()
    const steps = finder.path(snaps[k - 1]!, snaps[k]!, departure)
    append(s, steps, line, seconds)
    const last = steps[steps.length - 1]
    if (last) departure = { forward: last.forward, bound: false }
    marks.push(line.length - 1)
  }
  if (line.length === 1) {
    line.push(first.at)
    seconds.push(0)
    marks.fill(1, 1)
  }
  const { cum, length } = prepare(line)
  return {
    line,
    length,
    segmentSeconds: seconds,
    seconds: seconds.reduce((sum, x) => sum + x, 0),
    waypoints: marks.map((i) => cum[i]!),
    confidence: 'road',
    source: 'city',
  }
}

/** One leg: vertices and seconds a segment. A corner's loss is shared by the segments before and after it, a junction's wait is on the segment before. */
function append(s: Streets, steps: readonly Step[], line: LngLat[], seconds: Seconds[]): void {
  const begin = seconds.length
  let speedBefore = 0
  let direction = -1
  for (const step of steps) {
    const v = s.speed[step.piece]!
    const places = along(s, step)
    for (const place of places) {
      const here = line[line.length - 1]!
      if (here[0] === place[0] && here[1] === place[1]) continue
      const towards = bearing(here, place)
      let lost = 0
      if (direction >= 0) {
        lost = turnSeconds(turn(direction, towards), speedBefore, v) / 2
        seconds[seconds.length - 1]! += lost
      }
      line.push(place)
      seconds.push(distance(here, place) / v + lost)
      direction = towards
      speedBefore = v
    }
    if (!step.to && seconds.length > begin) seconds[seconds.length - 1]! += s.wait[2 * step.piece + (step.forward ? 0 : 1)]!
  }
  if (seconds.length === begin) return
  seconds[begin]! += starting(s.speed[steps[0]!.piece]!)
  seconds[seconds.length - 1]! += stopping(speedBefore)
}

/** The vertices of a step in the direction of travel, its own ends included. */
function along(s: Streets, { piece, forward, from, to }: Step): LngLat[] {
  const low = forward ? from : to
  const high = forward ? to : from
  const out: LngLat[] = low ? [low.at] : []
  const start = low ? low.segment + 1 : s.first[piece]!
  const end = high ? high.segment : s.first[piece + 1]! - 1
  for (let i = start; i <= end; i++) out.push(vertex(s, i))
  if (high) out.push(high.at)
  return forward ? out : out.reverse()
}
