// A route in, the seconds that it should take up to each vertex out: the router's own where it gave any, else a prior by the shape of the line.
import { type Route, segmentAt } from '@doorstep/shared/route'
import type { Metres, Seconds } from '@doorstep/shared/units'

const known = new WeakMap<Route, Float64Array>()

/** Expected seconds along the line to each vertex, without stops at doors. Worked out once per route. */
export function expected(route: Route): Float64Array {
  let seconds = known.get(route)
  if (!seconds) {
    seconds = route.seconds ?? byShape(route)
    known.set(route, seconds)
  }
  return seconds
}

/** Expected seconds from the start of the route to `along`. */
export function secondsAt(route: Route, seconds: Float64Array, along: Metres): Seconds {
  const i = segmentAt(route, along)
  const length = route.cum[i + 1]! - route.cum[i]!
  const t = length > 0 ? Math.min(1, Math.max(0, (along - route.cum[i]!) / length)) : 0
  return seconds[i]! + t * (seconds[i + 1]! - seconds[i]!)
}

function byShape(route: Route): Float64Array {
  const out = new Float64Array(route.cum.length)
  for (let i = 0; i < out.length; i++) out[i] = route.cum[i]! / (25 / 3.6)
  return out
}
