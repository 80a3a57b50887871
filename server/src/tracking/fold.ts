// One fix after another, in order of (fix time, seq), in; place, progress, off-route, arrivals and pace out. Knows nothing of arrival order.
import { bearing, distance, wrap } from '@doorstep/shared/geo'
import { type Cursor, locate } from '@doorstep/shared/locate'
import { pointAt } from '@doorstep/shared/route'
import { arrivalRing, RING_MAX_M } from '@doorstep/shared/track'
import type { LngLat, Metres, Millis } from '@doorstep/shared/units'
import { type Going, goOn } from './pace.ts'
import type { PlanStop, TripPlan } from './plan.ts'
import { expected, secondsAt } from './prior.ts'

/** All that is known after a prefix of a trip's fixes. Plain numbers: it is copied on every fix and kept as JSON. −1 is unknown. */
export interface Fold extends Going {
  /** The newest believed fix; t is −1 before the first. */
  t: Millis
  seq: number
  lng: number
  lat: number
  accuracy: number
  speed: number
  heading: number
  /** Direction and speed of travel from the fixes themselves: smoothed over about three fixes. */
  course: number
  pace: number
  /** Where it is on the route, and how far beside. */
  segment: number
  along: Metres
  beside: Metres
  /** When and where it was last on the route. */
  onT: Millis
  onLng: number
  onLat: number
  /** Fixes in a row that were too far beside. */
  away: number
  offRoute: boolean
  /** A fix that was too far to believe, and how many have agreed with it (T5). */
  wild: number
  wildT: Millis
  wildLng: number
  wildLat: number
  /** First stop that is not behind it; per stop when it was reached and left, −1 when not. */
  stop: number
  arrived: readonly Millis[]
  left: readonly Millis[]
}

/** One fix as the fold takes it; −1 is unknown. */
export interface Step {
  t: Millis
  seq: number
  lng: number
  lat: number
  accuracy: number
  speed: number
  heading: number
}

/** Faster than this, after an allowance for noise, is a jump, m/s (180 km/h). */
const WILD_MPS = 50
/** The allowance where no accuracy is told, and the least where it is, m. */
const WILD_SLACK_M = 120
const WILD_LEAST_M = 40
/** How fast it may come along the route at most, m/s. */
const REACH_MPS = 45
/** A line may be this far beside before it counts as away, m (T6). */
const AWAY_M = 50
const AWAY_FIXES = 3
/** Without an accuracy the noise is unknown: then the third must be this much further than the limit, or they must be this many. */
const AWAY_SURE = 1.5
const AWAY_LONG = 12
/** Progress is not believed from further beside than this, m. */
const BESIDE_MAX_M = 120
/** A stop that was never reached is no longer looked for this far behind, m. */
const PASSED_M = 500

export function emptyFold(stops: number): Fold {
  return {
    t: -1,
    seq: -1,
    lng: 0,
    lat: 0,
    accuracy: -1,
    speed: -1,
    heading: -1,
    course: -1,
    pace: -1,
    segment: 0,
    along: 0,
    beside: 0,
    onT: -1,
    onLng: 0,
    onLat: 0,
    away: 0,
    offRoute: false,
    wild: 0,
    wildT: -1,
    wildLng: 0,
    wildLat: 0,
    needed: 0,
    planned: 0,
    waited: 0,
    anchor: 0,
    anchorT: -1,
    stop: 0,
    arrived: new Array<number>(stops).fill(-1),
    left: new Array<number>(stops).fill(-1),
  }
}

/** A copy to fold on in. Written out field by field: several times faster than a spread of so many numbers. */
export function copyFold(f: Fold): Fold {
  return {
    t: f.t,
    seq: f.seq,
    lng: f.lng,
    lat: f.lat,
    accuracy: f.accuracy,
    speed: f.speed,
    heading: f.heading,
    course: f.course,
    pace: f.pace,
    segment: f.segment,
    along: f.along,
    beside: f.beside,
    onT: f.onT,
    onLng: f.onLng,
    onLat: f.onLat,
    away: f.away,
    offRoute: f.offRoute,
    wild: f.wild,
    wildT: f.wildT,
    wildLng: f.wildLng,
    wildLat: f.wildLat,
    needed: f.needed,
    planned: f.planned,
    waited: f.waited,
    anchor: f.anchor,
    anchorT: f.anchorT,
    stop: f.stop,
    arrived: f.arrived,
    left: f.left,
  }
}

const metres = (aLng: number, aLat: number, bLng: number, bLat: number, kx: number, ky: number): Metres => {
  const x = wrap(bLng - aLng) * kx
  const y = (bLat - aLat) * ky
  return Math.sqrt(x * x + y * y)
}
const COS = Math.PI / 180

/** Folds one fix into `f`, in place. False when it was held back as a jump. `plan` is null while the driver has no run. */
export function step(f: Fold, s: Step, plan: TripPlan | null): boolean {
  const ky = plan ? plan.route.ruler.ky : 111_200
  const kx = plan ? plan.route.ruler.kx : 111_320 * Math.cos(s.lat * COS)
  const first = f.t < 0
  let moved = 0
  let seconds = 0
  if (!first) {
    moved = metres(f.lng, f.lat, s.lng, s.lat, kx, ky)
    seconds = (s.t - f.t) / 1000
    if (moved > WILD_MPS * seconds + slack(f.accuracy, s.accuracy)) {
      if (!believe(f, s, kx, ky)) return false
    }
  }
  f.wild = 0
  if (plan) progress(f, s, plan, moved, seconds, kx, ky)
  if (!first && moved > 12) {
    f.course = bearing([f.lng, f.lat], [s.lng, s.lat], { kx, ky })
  }
  if (seconds > 0) {
    const v = s.speed >= 0 ? s.speed : moved / seconds
    const k = 1 - Math.exp(-seconds / 12)
    f.pace = f.pace < 0 ? v : f.pace + k * (v - f.pace)
  }
  f.t = s.t
  f.seq = s.seq
  f.lng = s.lng
  f.lat = s.lat
  f.accuracy = s.accuracy
  f.speed = s.speed
  f.heading = s.heading
  return true
}

/** Metres that two fixes may be apart by noise alone. */
const slack = (a: Metres, b: Metres): Metres => (a >= 0 && b >= 0 ? WILD_LEAST_M + 2 * (a + b) : WILD_SLACK_M + Math.max(0, a, b))

/** Metres from where the motion so far leads one to expect the driver at the fix's time; 0 before the first fix. */
export function surprise(f: Fold, s: Step, plan: TripPlan | null): Metres {
  if (f.t < 0) return 0
  const ahead = Math.max(0, f.pace) * ((s.t - f.t) / 1000)
  const on: LngLat = plan && !f.offRoute ? pointAt(plan.route, f.along + ahead) : [f.lng, f.lat]
  return distance(on, [s.lng, s.lat])
}

/** A jump is believed when two more fixes agree with it: each within reach of the one before (T5). */
function believe(f: Fold, s: Step, kx: number, ky: number): boolean {
  const agrees =
    f.wild > 0 &&
    metres(f.wildLng, f.wildLat, s.lng, s.lat, kx, ky) <=
      WILD_MPS * ((s.t - f.wildT) / 1000) + WILD_SLACK_M + Math.max(0, s.accuracy)
  f.wild = agrees ? f.wild + 1 : 1
  f.wildT = s.t
  f.wildLng = s.lng
  f.wildLat = s.lat
  return f.wild >= 3
}

function progress(f: Fold, s: Step, plan: TripPlan, moved: Metres, seconds: number, kx: number, ky: number): void {
  const { route } = plan
  const first = f.onT < 0
  // Between fixes a direction is known when they are further apart than noise, nearer than a bend, and as far as it goes in that time.
  const straight = moved > Math.max(20, 2 * s.accuracy) && moved < Math.min(250, 15 + 2.5 * f.pace * seconds)
  const heading = s.heading >= 0 && s.speed >= 2 ? s.heading : straight ? bearing([f.lng, f.lat], [s.lng, s.lat], { kx, ky }) : null
  const lost = !first && f.onT < f.t
  const from: Cursor = { segment: f.segment, along: f.along, distance: f.beside }
  const found = locate(route, from, {
    at: [s.lng, s.lat],
    heading,
    moved: first ? 0 : lost ? metres(f.onLng, f.onLat, s.lng, s.lat, kx, ky) : moved,
    reach: first ? Number.POSITIVE_INFINITY : 250 + REACH_MPS * ((s.t - f.onT) / 1000),
  })
  const limit = Math.max(AWAY_M, 2 * s.accuracy)
  const before = f.along
  if (found.distance <= Math.max(BESIDE_MAX_M, limit)) {
    f.segment = found.segment
    f.along = found.along
  }
  f.beside = found.distance
  if (found.distance > limit) {
    // A parked car that repeats its place is no further news.
    if (moved >= 5 || f.away < AWAY_FIXES) f.away++
    if (f.away >= AWAY_FIXES && (s.accuracy >= 0 || found.distance > AWAY_SURE * limit || f.away >= AWAY_LONG)) f.offRoute = true
  } else {
    f.away = 0
    f.offRoute = false
    f.onT = s.t
    f.onLng = s.lng
    f.onLat = s.lat
  }
  if (first) {
    f.anchor = f.along
    f.anchorT = s.t
  } else if (serving(f)) {
    // At a door it is service that passes, which the plan counts by itself.
    f.anchor = f.along
    f.anchorT = s.t
  } else if (f.onT === s.t) {
    const prior = expected(route)
    goOn(f, s.t, seconds, secondsAt(route, prior, f.along) - secondsAt(route, prior, before), f.along)
  } else if (moved > 0) {
    // Away from the route the plan says nothing of the pace; it is not a halt either.
    f.anchorT = s.t
  }
  arrivals(f, s, plan, first ? f.along : before, seconds, kx, ky)
}

/** It stands at a stop. */
const serving = (f: Fold): boolean => f.stop < f.arrived.length && f.arrived[f.stop]! >= 0 && f.left[f.stop]! < 0

/** Arrival is by progress and place, swept along the route between two fixes, left with hysteresis (T7). */
function arrivals(f: Fold, s: Step, plan: TripPlan, before: Metres, seconds: number, kx: number, ky: number): void {
  const { stops } = plan
  while (f.stop < stops.length && (f.left[f.stop]! >= 0 || f.along > stops[f.stop]!.along + PASSED_M)) f.stop++
  for (let k = f.stop; k < stops.length; k++) {
    const stop = stops[k]!
    if (f.along < stop.along - RING_MAX_M) break
    const ring = ringOf(stop, plan)
    if (f.along < stop.along - ring) continue
    const away = metres(stop.door[0], stop.door[1], s.lng, s.lat, kx, ky)
    if (f.arrived[k]! < 0) {
      if (away <= ring + Math.max(0, Math.min(s.accuracy, 25))) f.arrived = put(f.arrived, k, s.t)
      else if (!f.offRoute && before < stop.along && f.along > stop.along)
        f.arrived = put(f.arrived, k, s.t - (seconds * 1000 * (f.along - stop.along)) / (f.along - before))
    }
    if (f.arrived[k]! >= 0 && f.left[k]! < 0 && away > ring + Math.max(25, s.accuracy)) f.left = put(f.left, k, s.t)
  }
}

/** A door that stands back from the street is reached from the street: its ring takes in the nearest place on the route. */
function ringOf(stop: PlanStop, plan: TripPlan): Metres {
  const on = pointAt(plan.route, stop.along)
  const { kx, ky } = plan.route.ruler
  return arrivalRing(metres(stop.door[0], stop.door[1], on[0], on[1], kx, ky))
}

function put(list: readonly number[], k: number, value: number): number[] {
  const copy = list.slice()
  copy[k] = Math.round(value)
  return copy
}

/** The stop that comes next: the first that no person closed and that is not left behind, be it reached or passed by. */
export function nextStop(f: Fold, stops: readonly PlanStop[]): number {
  let k = 0
  while (k < stops.length && (stops[k]!.closed || f.left[k]! >= 0 || (f.arrived[k]! < 0 && f.along > stops[k]!.along + PASSED_M)))
    k++
  return k
}
