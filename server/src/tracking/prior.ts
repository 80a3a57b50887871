// A route in, the seconds that it should take up to each vertex out: the router's own where it gave any, else a prior by the shape of the line.
import { wrap } from '@doorstep/shared/geo'
import { pointAt, type Route, segmentAt } from '@doorstep/shared/route'
import type { Metres, Seconds } from '@doorstep/shared/units'

const known = new WeakMap<Route, Float64Array>()

/** Expected seconds along the line to each vertex, without service at doors. Worked out once per route. */
export function expected(route: Route): Float64Array {
  let seconds = known.get(route)
  if (!seconds) {
    seconds = route.seconds ?? byShape(route)
    known.set(route, seconds)
  }
  return seconds
}

/** Expected seconds from the start of the route to `along`, clamped to the route. */
export function secondsAt(route: Route, seconds: Float64Array, along: Metres): Seconds {
  const i = segmentAt(route, along)
  const length = route.cum[i + 1]! - route.cum[i]!
  const t = length > 0 ? Math.min(1, Math.max(0, (along - route.cum[i]!) / length)) : 0
  return seconds[i]! + t * (seconds[i + 1]! - seconds[i]!)
}

/*
 * How the three figures were found. On 70 recorded trips of vehicles in a region of towns and country roads (9 to 60 km/h on average, no planned times),
 * a prior of this form, blended with the pace of the trip (pace.ts), was fitted to the time still to go, chosen on all trips but one and judged on that
 * one, each in turn: median relative error 0.24 and mean error 164 s over a minute to go on trips of more than eight minutes, against 0.41 and 222 s
 * for a constant 25 km/h. The minimum is flat: a tenth more or less of any figure changes the error by less than a fiftieth of the time to go.
 */
/** Seconds a metre where the line winds (33 km/h), and where it runs straight (53 km/h). */
const WINDING = 0.11
const STRAIGHT = 0.068
/** Seconds that a corner costs, with the junction, the lights and the wait that are usually there. */
const CORNER = 23

/** The line is looked at every so many metres. */
const STEP_M = 10
/** Straight: turns by less than 20° in all over the 100 m before and after. */
const STRAIGHT_RAD = (20 * Math.PI) / 180
const AROUND = 10
/** A corner: turns by more than 50° within 30 m, counted once. */
const CORNER_RAD = (50 * Math.PI) / 180

function byShape(route: Route): Float64Array {
  const steps = Math.max(1, Math.ceil(route.length / STEP_M))
  // How much the line turns at each step, from the directions of the steps before and after it.
  const turns = new Float64Array(steps + 1)
  let before = Number.NaN
  let from = pointAt(route, 0)
  for (let k = 0; k < steps; k++) {
    const to = pointAt(route, Math.min(route.length, (k + 1) * STEP_M))
    const direction = Math.atan2(wrap(to[0] - from[0]) * route.ruler.kx, (to[1] - from[1]) * route.ruler.ky)
    if (k > 0) turns[k] = Math.abs(((direction - before + 3 * Math.PI) % (2 * Math.PI)) - Math.PI)
    before = direction
    from = to
  }
  const bend = (k: number): number => (turns[k - 1] ?? 0) + (turns[k] ?? 0) + (turns[k + 1] ?? 0)
  const at = new Float64Array(steps + 1)
  let around = 0
  for (let k = 0; k < AROUND && k <= steps; k++) around += turns[k]!
  let lastCorner = -3
  for (let k = 0; k <= steps; k++) {
    around += turns[k + AROUND] ?? 0
    if (k > AROUND) around -= turns[k - AROUND - 1]!
    const metres = k === 0 ? 0 : Math.min(STEP_M, route.length - (k - 1) * STEP_M)
    let seconds = metres * (around < STRAIGHT_RAD ? STRAIGHT : WINDING)
    const b = bend(k)
    if (b > CORNER_RAD && k - lastCorner > 2 && b >= bend(k - 1) && b >= bend(k - 2) && b >= bend(k + 1) && b >= bend(k + 2)) {
      seconds += CORNER
      lastCorner = k
    }
    at[k] = (k > 0 ? at[k - 1]! : 0) + seconds
  }
  const out = new Float64Array(route.cum.length)
  for (let i = 0; i < out.length; i++) {
    const k = Math.min(steps, Math.floor(route.cum[i]! / STEP_M))
    const start = k * STEP_M
    const end = Math.min(route.length, start + STEP_M)
    const t = end > start ? (route.cum[i]! - start) / (end - start) : 0
    out[i] = at[k]! + Math.min(1, Math.max(0, t)) * ((at[k + 1] ?? at[k]!) - at[k]!)
  }
  return out
}
