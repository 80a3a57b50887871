// A Track, its plan and now in, an arrival window out: instants, never in the past, or why it is not known (T9). Pure, for any node that has the Track.
import { locate } from '@doorstep/shared/locate'
import { type Eta, OFFLINE_MS, type Track } from '@doorstep/shared/track'
import type { Millis, Seconds } from '@doorstep/shared/units'
import { type Calibration, DEFAULT_CALIBRATION, sides } from './calibration.ts'
import type { TripPlan } from './plan.ts'
import { expected, secondsAt } from './prior.ts'

/** Nothing is ever promised sooner than this from now, s. */
const SOON_S = 10
/** A fix of this age says nothing of an arrival any more, ms. */
const SILENT_MS = 5 * OFFLINE_MS

/** The edges of a band: parts of the expected time to go, for a trip without a halt so far and for one with; then what halts add. */
interface Edges {
  readonly low: number
  readonly lowWaited: number
  readonly high: number
  readonly highWaited: number
  /** A halt that is still to come, s. */
  readonly halt: Seconds
  /** A halt that goes on lasts this much longer, as a part of what it has lasted. */
  readonly again: number
}
/**
 * Without planned times: found with prior.ts on the same trips, chosen on all but one and judged on that one, each in turn. It covers 79 to 81 % of the
 * outcomes and its width is about the time to go (median).
 */
const SHAPED: Edges = { low: 0.61, lowWaited: 0.385, high: 1.14, highWaited: 1.28, halt: 120, again: 1.3 }
/** With the router's own times, which know the road but not the day: a first guess on the wide side, which learning corrects. */
const PLANNED: Edges = { low: 0.82, lowWaited: 0.76, high: 1.18, highWaited: 1.24, halt: 45, again: 0.7 }
/** A halt that goes on is not thought to go on for ever, s. */
const AGAIN_MAX_S = 210
/** So many seconds of waiting make a trip one that had its halt, s. */
const WAITED_S = 170
/** Beyond this the errors of the parts begin to cancel: the band grows with the root of the time to go, s. */
const LONG_S = 900

/**
 * When the driver reaches stop `index` of the plan. Planned seconds of the route ahead (the router's, else by the shape of the line) times the pace of
 * this trip, service at the stops before, more when off the route; the window by `calibration`, wider with the age of the fix.
 */
export function etaTo(
  plan: TripPlan,
  heard: Track,
  index: number,
  now: Millis,
  calibration: Calibration = DEFAULT_CALIBRATION,
): Eta {
  const track = heard.routeVersion === plan.routeVersion ? heard : onto(plan, heard)
  const stop = plan.stops[index]
  if (!stop) return { kind: 'unknown', why: 'no_route' }
  if (stop.closed || index < track.nextStop) return { kind: 'unknown', why: 'finished' }
  const age = Math.max(0, (now - track.recordedAt) / 1000)
  if (age * 1000 > SILENT_MS) return { kind: 'unknown', why: 'stale' }
  if (index === track.nextStop && track.phase === 'arrived') {
    return { kind: 'window', from: now, mid: now, to: now + SOON_S * 1000, detour: false }
  }
  const seconds = expected(plan.route)
  const ahead = Math.max(0, secondsAt(plan.route, seconds, stop.along) - secondsAt(plan.route, seconds, track.along))
  const drive = track.offRoute ? ahead * track.pace * 1.1 + 60 : ahead * track.pace
  const service = serviceBefore(plan, track, index, now)
  const [low, mid, high] = band(plan, track, drive + service)
  const side = sides(calibration, mid)
  const middle = mid * side.mid
  const at = (s: Seconds, least: Seconds): Millis => Math.round(now + Math.max(least, s) * 1000)
  const center = at(middle - age, SOON_S / 2)
  return {
    kind: 'window',
    from: Math.min(center, at(middle - side.low * (mid - low) - age, 0)),
    mid: center,
    to: Math.max(center, at(middle + side.high * (high - mid), SOON_S)),
    detour: track.offRoute,
  }
}

const START = { segment: 0, along: 0, distance: 0 }

/** A track that speaks of another version of the route, for the moment until a new fix does: its place is looked up on this one. */
function onto(plan: TripPlan, track: Track): Track {
  const { along } = locate(plan.route, START, { at: track.at, heading: null, moved: 0, reach: Number.POSITIVE_INFINITY })
  const open = plan.stops.findIndex((stop) => !stop.closed)
  return { ...track, along, nextStop: open < 0 ? plan.stops.length : open, phase: 'enroute', arrivedAt: null }
}

/** Service at the open stops before; of the one where the driver stands only what is left of it. */
function serviceBefore(plan: TripPlan, track: Track, index: number, now: Millis): Seconds {
  let service = 0
  for (let k = track.nextStop; k < index; k++) {
    const stop = plan.stops[k]!
    if (stop.closed) continue
    const spent = k === track.nextStop && track.arrivedAt !== null ? (now - track.arrivedAt) / 1000 : 0
    service += Math.max(0, stop.service - Math.max(0, spent))
  }
  return service
}

/** Low, middle and high of the seconds to go from the fix, before calibration. */
function band(plan: TripPlan, track: Track, mid: Seconds): [low: Seconds, mid: Seconds, high: Seconds] {
  const waited = Math.min(1, Math.max(0, track.waited / WAITED_S))
  // Standing at a door is service, not a halt that may go on.
  const still = track.phase === 'arrived' ? 0 : track.still
  const kind = plan.route.seconds ? PLANNED : SHAPED
  let wide = Math.sqrt(Math.min(1, LONG_S / Math.max(1, mid)))
  if (plan.confidence === 'low') wide *= 1.5
  if (track.offRoute) wide *= 1.4
  const low = mid * (1 - wide * (1 - kind.low - (kind.lowWaited - kind.low) * waited))
  const high =
    mid * (1 + wide * (kind.high - 1 + (kind.highWaited - kind.high) * waited)) +
    kind.halt +
    kind.again * Math.min(AGAIN_MAX_S, still)
  return [Math.max(0, low), mid, high]
}
