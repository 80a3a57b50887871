// An order, its run and its driver's track in; what this order's customer may see of it now, out. The only place of V2–V5.
import { between, distance } from '@doorstep/shared/geo'
import type { OrderStatus } from '@doorstep/shared/order'
import { type Route, slice } from '@doorstep/shared/route'
import type { Eta, EtaUnknown, HiddenWhy, OrderView, RunStop, Track, TrackView } from '@doorstep/shared/track'
import type { LngLat, Metres, Millis, RunId } from '@doorstep/shared/units'

/** When an element may be seen: from so many stops (this one included), minutes or metres before the door. */
export type Gate = 'always' | 'never' | { readonly stops: number } | { readonly minutes: number } | { readonly metres: Metres }

/** One gate an element (V2); the status has none, since it is why the link was given. None opens before `out_for_delivery`. */
export interface Gates {
  readonly window: Gate
  readonly stopsLeft: Gate
  readonly distance: Gate
  readonly vehicle: Gate
  readonly path: Gate
}

export const GATES: Gates = {
  window: 'always',
  stopsLeft: { stops: 10 },
  distance: { stops: 3 },
  vehicle: { stops: 3 },
  path: { stops: 3 },
}

/** No coordinate this near to another customer's door is told, unless it is as near to one's own (V3). */
export const PRIVATE_RADIUS: Metres = 150

/** What must be known of an order: its place in the run that carries it. */
export interface Subject {
  readonly view: Omit<OrderView, 'track' | 'now'>
  readonly run: {
    readonly id: RunId
    readonly status: 'draft' | 'assigned' | 'started' | 'finished' | 'cancelled'
    readonly route: Route
    readonly routeVersion: number
    readonly stops: readonly RunStop[]
  } | null
  /** Index in the run's stops. */
  readonly stop: number
}

const BEFORE: readonly OrderStatus[] = ['received', 'processing', 'shipped', 'on_hold']

/**
 * The live part of what the customer sees. `eta` is that of this order's stop. With `withPath` the last leg is worked out where it may be seen;
 * without, only its version is told. Whatever no gate lets through is null: no field says more than the sentence that the page makes of it.
 */
export function viewOf(
  subject: Subject,
  track: Track | null,
  eta: Eta,
  now: Millis,
  withPath = false,
  gates: Gates = GATES,
): TrackView {
  const dark = darkness(subject, track)
  if (dark !== null || subject.run === null || track === null) {
    const open = dark === 'no_position' || dark === null
    return {
      t: 0,
      now,
      vehicle: null,
      hidden: dark ?? 'no_position',
      eta: open && gates.window === 'always' ? eta : { kind: 'unknown', why: UNKNOWN[dark ?? 'no_position'] },
      stopsLeft: open ? gated(gates.stopsLeft, stopsBefore(subject), null, null) : null,
      remaining: null,
      phase: 'enroute',
      offRoute: false,
      interval: 1,
      kept: true,
      pathV: 0,
    }
  }

  const { run, stop } = subject
  const mine = run.stops[stop]!
  const stopsLeft = stopsBefore(subject)
  const sameRoute = track.routeVersion === run.routeVersion
  const metres = sameRoute ? Math.max(0, mine.along - track.along) : null
  const minutes = eta.kind === 'window' ? (eta.mid - now) / 60_000 : null
  const passes = (gate: Gate) => opens(gate, stopsLeft, minutes, metres)

  const at: LngLat = [round5(track.at[0]), round5(track.at[1])]
  const near = passes(gates.vehicle)
  const vehicle = near && !isPrivate(at, run.stops, stop, run.route)
  const isNext = stopsLeft === 1
  const path = isNext && sameRoute && !track.offRoute && passes(gates.path)
  const view = {
    t: track.recordedAt,
    now,
    vehicle: vehicle ? { at, heading: track.heading, speed: track.speed, accuracy: track.accuracy } : null,
    hidden: vehicle ? null : near ? ('near_other_door' as const) : ('too_far' as const),
    eta: passes(gates.window) ? eta : { kind: 'unknown' as const, why: 'not_started' as const },
    stopsLeft: passes(gates.stopsLeft) ? stopsLeft : null,
    remaining: metres !== null && passes(gates.distance) ? Math.round(metres) : null,
    // That the van stands at a door is told only to the people behind that door.
    phase: isNext && track.nextStop === stop ? track.phase : ('enroute' as const),
    offRoute: track.offRoute,
    interval: track.interval,
    kept: track.kept,
    pathV: path ? run.routeVersion : 0,
  }
  return path && withPath ? { ...view, path: lastLeg(run.route, track.along, run.stops, stop) } : view
}

/** The whole order as its customer sees it: the state lane with the window gated like the rest, and the live part. */
export function orderViewOf(subject: Subject, track: Track | null, eta: Eta, now: Millis, gates: Gates = GATES): OrderView {
  const live = viewOf(subject, track, eta, now, true, gates)
  const out = subject.view.status === 'out_for_delivery'
  const shown = out && (gates.window === 'always' || (gates.window !== 'never' && live.eta.kind === 'window'))
  return { ...subject.view, window: shown ? subject.view.window : null, now, track: live }
}

/** Why nothing live may be seen at all (V4), or null. */
function darkness({ view, run, stop }: Subject, track: Track | null): HiddenWhy | null {
  if (BEFORE.includes(view.status)) return 'not_started'
  if (view.status !== 'out_for_delivery') return 'finished'
  if (run === null || run.status === 'draft' || run.status === 'assigned') return 'not_started'
  if (run.status !== 'started') return 'off_duty'
  const mine = run.stops[stop]
  if (mine === undefined || (mine.status !== 'pending' && mine.status !== 'arrived')) return 'finished'
  if (track === null) return 'no_position'
  if (track.run === null) return 'off_duty'
  return track.run === run.id ? null : 'no_position'
}
const UNKNOWN: Record<HiddenWhy, EtaUnknown> = {
  not_started: 'not_started',
  finished: 'finished',
  off_duty: 'finished',
  no_position: 'no_position',
  too_far: 'not_started',
  near_other_door: 'not_started',
}

/** Stops that the van still makes until this door, this one included. */
function stopsBefore({ run, stop }: Subject): number {
  let left = 1
  for (let i = 0; i < stop; i++) {
    const status = run?.stops[i]?.status
    if (status === 'pending' || status === 'arrived') left++
  }
  return left
}

function opens(gate: Gate, stops: number, minutes: number | null, metres: Metres | null): boolean {
  if (gate === 'always') return true
  if (gate === 'never') return false
  if ('stops' in gate) return stops <= gate.stops
  if ('minutes' in gate) return minutes !== null && minutes <= gate.minutes
  return metres !== null && metres <= gate.metres
}
const gated = (gate: Gate, stops: number, minutes: number | null, metres: Metres | null): number | null =>
  opens(gate, stops, minutes, metres) ? stops : null

/** Is a place too near to a door that isn't that of stop `own`? */
function isPrivate(at: LngLat, stops: readonly RunStop[], own: number, { ruler }: Route): boolean {
  // One difference of latitudes rules nearly every door out.
  const band = PRIVATE_RADIUS / ruler.ky
  for (let i = 0; i < stops.length; i++) {
    const { door } = stops[i]!
    if (i === own || Math.abs(door[1] - at[1]) > band || distance(at, door, ruler) > PRIVATE_RADIUS) continue
    return distance(at, stops[own]!.door, ruler) > PRIVATE_RADIUS
  }
  return false
}

/**
 * The line ahead to the door, without anything near another door: it begins behind the last place that may not be told. May be empty. Long
 * segments are tested every 10 m, since one can pass a door at which none of its ends lies.
 */
function lastLeg(route: Route, along: Metres, stops: readonly RunStop[], own: number): LngLat[] {
  const end = stops[own]!.along
  const line = slice(route, Math.min(along, end), end).map(([lng, lat]): LngLat => [round5(lng), round5(lat)])
  const told = (at: LngLat) => !isPrivate(at, stops, own, route)
  let from = line.length
  for (let i = line.length - 1; i >= 0 && told(line[i]!); i--) {
    const next = line[i + 1]
    if (next) {
      const steps = Math.ceil(distance(line[i]!, next, route.ruler) / 10)
      let clear = true
      for (let k = 1; k < steps && clear; k++) clear = told(between(line[i]!, next, k / steps))
      if (!clear) break
    }
    from = i
  }
  return line.slice(from)
}

/** Five decimals are 1.1 m: as much as GPS knows. */
const round5 = (degrees: number): number => Math.round(degrees * 1e5) / 1e5
