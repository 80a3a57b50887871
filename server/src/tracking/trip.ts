// A driver's fixes in any order in, one state of the trip out: the same for every shuffle and repetition (T1), with what happened on the way as events.

import { distance } from '@doorstep/shared/geo'
import type { Fix } from '@doorstep/shared/ping'
import { pointAt } from '@doorstep/shared/route'
import type { Phase, Track } from '@doorstep/shared/track'
import type { DriverNo, LngLat, Millis, RunId, Seconds } from '@doorstep/shared/units'
import { copyFold, emptyFold, type Fold, nextStop, type Step, step, surprise } from './fold.ts'
import { gate, type Verdict } from './gate.ts'
import { paceOf } from './pace.ts'
import type { TripPlan } from './plan.ts'

/**
 * What is known of a driver's trip. A value: `advance` gives a new one and the old stays true; JSON carries it. It keeps a checkpoint and the fixes
 * since, about four minutes of them, so that a late fix is folded in where it belongs (T2).
 */
export interface TripState {
  readonly routeVersion: number
  readonly stopIds: readonly string[]
  /** After all fixes that are no longer kept. */
  readonly base: Fold
  /** After all fixes but those of the newest instant, and after all: what is shown. */
  readonly prior: Fold
  readonly head: Fold
  /** Rows of seven numbers (t, seq, lng, lat, accuracy, speed, heading; −1 unknown), ascending by (t, seq). Only the first `count` rows are of this state. */
  readonly fixes: number[]
  readonly count: number
  /** (t, seq) of the newest fix that is no longer kept. */
  readonly floor: readonly [t: Millis, seq: number]
}

/** What happened; `at` is when it did, by the device's clock. `late` is true when it became known after something later had, or long after. */
export type TripEvent =
  | { readonly kind: 'arrived'; readonly stop: number; readonly at: Millis; readonly late: boolean }
  | { readonly kind: 'left'; readonly stop: number; readonly at: Millis; readonly late: boolean }
  | { readonly kind: 'off_route'; readonly at: Millis }
  | { readonly kind: 'back_on_route'; readonly at: Millis }

export interface Advanced {
  readonly state: TripState
  readonly verdict: Verdict
  readonly events: readonly TripEvent[]
}

const ROW = 7
/** Fixes older than the newest by more than this are folded into the checkpoint, ms. */
const KEEP_MS = 240_000
/** They go in steps of so many, and at most so many are kept. */
const DROP = 64
const KEEP_MAX = 1024
const NOTHING: readonly TripEvent[] = []

/**
 * The state before the first fix of a plan (null: off duty, position only). With `from`, the state on the last plan: place, pace and what is known
 * of stops with the same id go over; progress begins anew on the new route: of the same run from where the driver is, of another with its next fix.
 */
export function begin(plan: TripPlan | null, from?: TripState): TripState {
  const stops = plan ? plan.stops : []
  const fold = emptyFold(stops.length)
  if (from && from.head.t >= 0) {
    const h = from.head
    const last: Step = { t: h.t, seq: h.seq, lng: h.lng, lat: h.lat, accuracy: h.accuracy, speed: h.speed, heading: h.heading }
    // On another run the first fix says where on it the driver is: the last one may be old, and from a place that is passed only later.
    const sameRun = stops.some((s) => from.stopIds.includes(s.id))
    step(fold, last, sameRun ? plan : null)
    if (plan && !sameRun) fold.beside = distance([h.lng, h.lat], pointAt(plan.route, 0))
    // Only what was already told: a stop that the driver stands at on the new plan is reached with the next fix, as an event.
    fold.arrived = stops.map((s) => h.arrived[from.stopIds.indexOf(s.id)] ?? -1)
    fold.left = stops.map((s) => h.left[from.stopIds.indexOf(s.id)] ?? -1)
    fold.course = h.course
    fold.pace = h.pace
    fold.needed = h.needed
    fold.planned = h.planned
    fold.waited = h.waited
    fold.anchorT = Math.min(h.t, h.anchorT)
  }
  return {
    routeVersion: plan ? plan.routeVersion : 0,
    stopIds: stops.map((s) => s.id),
    base: fold,
    prior: fold,
    head: fold,
    fixes: [],
    count: 0,
    floor: [fold.t, fold.seq],
  }
}

/**
 * Takes one fix, in whatever order it arrives. A late one never changes which fix is shown; it may correct its progress by metres, for the truth of a
 * trip does not depend on the order of arrival (T1). `now` is our clock; it decides only FUTURE and whether an event is late, never the place.
 * `plan` must be the one that `state` was begun with (its stops' `closed` may have changed).
 */
export function advance(state: TripState, fix: Fix, now: Millis, plan: TripPlan | null): Advanced {
  const refused = gate(fix, now)
  if (refused) return { state, verdict: refused, events: NOTHING }
  const t = fix.recordedAt
  const { fixes, count } = state
  let at = count
  while (at > 0 && isAfter(fixes[(at - 1) * ROW]!, fixes[(at - 1) * ROW + 1]!, t, fix.seq)) at--
  if (at > 0 && fixes[(at - 1) * ROW] === t && fixes[(at - 1) * ROW + 1] === fix.seq)
    return { state, verdict: 'DUPLICATE', events: NOTHING }
  if (at === 0 && !isAfter(t, fix.seq, state.floor[0], state.floor[1])) {
    const same = t === state.floor[0] && fix.seq === state.floor[1]
    return { state, verdict: same ? 'DUPLICATE' : 'OLD', events: NOTHING }
  }
  if (crowded(fixes, at, count, t)) return { state, verdict: 'DUPLICATE', events: NOTHING }
  const s: Step = {
    t,
    seq: fix.seq,
    lng: fix.at[0],
    lat: fix.at[1],
    accuracy: fix.accuracy ?? -1,
    speed: fix.speed ?? -1,
    heading: fix.heading ?? -1,
  }
  const newest = count > 0 ? fixes[(count - 1) * ROW]! : -1
  if (at === count && t > newest) {
    // The common case: the newest fix so far. The array is shared with older states, which see only their own rows.
    const rows = fixes.length === count * ROW ? fixes : fixes.slice(0, count * ROW)
    rows.push(s.t, s.seq, s.lng, s.lat, s.accuracy, s.speed, s.heading)
    const head = copyFold(state.head)
    const believed = step(head, s, plan)
    return {
      state: trim(following(state, state.head, head, rows), plan),
      verdict: believed ? 'LIVE' : 'JUMP',
      events: difference(state.head, head, now - t > LATE_MS),
    }
  }
  const rows = fixes.slice(0, at * ROW)
  rows.push(s.t, s.seq, s.lng, s.lat, s.accuracy, s.speed, s.heading)
  for (let i = at * ROW; i < count * ROW; i++) rows.push(fixes[i]!)
  // A drained queue comes in order, just before the newest fix that went ahead of it: then it goes on from there, not from the checkpoint.
  const next = groupStart(fixes, count - 1)
  const drained = at === next && (at === 0 || fixes[(at - 1) * ROW]! < t)
  const prior = copyFold(t === newest || drained ? state.prior : state.base)
  const last = groupStart(rows, count)
  if (drained) foldRows(prior, rows, at, last, plan)
  else if (t !== newest) foldRows(prior, rows, 0, last, plan)
  const head = copyFold(prior)
  foldRows(head, rows, last, count + 1, plan)
  return {
    state: trim(following(state, prior, head, rows), plan),
    verdict: 'LATE',
    events: difference(state.head, head, t !== newest || now - t > LATE_MS),
  }
}

/** The state with one fix more. */
function following(state: TripState, prior: Fold, head: Fold, fixes: number[]): TripState {
  const { routeVersion, stopIds, base, count, floor } = state
  return { routeVersion, stopIds, base, prior, head, fixes, count: count + 1, floor }
}

/** An event older than this when it becomes known is late, ms. */
const LATE_MS = 120_000

const isAfter = (t: number, seq: number, thanT: number, thanSeq: number): boolean => t > thanT || (t === thanT && seq > thanSeq)

/** So many fixes of one instant are enough; more are as good as duplicates. */
const CROWD = 32
function crowded(fixes: readonly number[], at: number, count: number, t: Millis): boolean {
  let n = 0
  for (let i = at - 1; i >= 0 && fixes[i * ROW] === t; i--) n++
  for (let i = at; i < count && fixes[i * ROW] === t; i++) n++
  return n >= CROWD
}

/** Index of the first row of the instant to which row `k` belongs. */
function groupStart(rows: readonly number[], k: number): number {
  while (k > 0 && rows[(k - 1) * ROW] === rows[k * ROW]) k--
  return k
}

/** Folds rows `from` ≤ i < `to`. Of fixes with the same instant only one can be right: the one that agrees best with the motion so far counts. */
function foldRows(fold: Fold, rows: readonly number[], from: number, to: number, plan: TripPlan | null): void {
  const s: Step = { t: 0, seq: 0, lng: 0, lat: 0, accuracy: -1, speed: -1, heading: -1 }
  const load = (i: number): void => {
    const r = i * ROW
    s.t = rows[r]!
    s.seq = rows[r + 1]!
    s.lng = rows[r + 2]!
    s.lat = rows[r + 3]!
    s.accuracy = rows[r + 4]!
    s.speed = rows[r + 5]!
    s.heading = rows[r + 6]!
  }
  for (let i = from; i < to; ) {
    let best = i
    let end = i + 1
    let along = -1
    let segment = 0
    if (end < to && rows[end * ROW] === rows[i * ROW]) {
      let least = Number.POSITIVE_INFINITY
      for (end = i; end < to && rows[end * ROW] === rows[i * ROW]; end++) {
        load(end)
        // Progress is the furthest that any of them alone would show: one more fix of the instant never takes it back (T4).
        const alone = copyFold(fold)
        const believed = step(alone, s, plan)
        if (believed && alone.along > along) {
          along = alone.along
          segment = alone.segment
        }
        const d = surprise(fold, s, plan) + (believed ? 0 : HELD_M)
        if (d < least) {
          least = d
          best = end
        }
      }
    }
    load(best)
    if (step(fold, s, plan)) {
      // The state is of the newest fix, though another of the same instant was believed.
      fold.seq = rows[(end - 1) * ROW + 1]!
      if (along > fold.along) {
        fold.along = along
        fold.segment = segment
      }
    }
    i = end
  }
}

/** A fix that would be held back as a jump is worse than any that would not, by more than the earth is wide, m. */
const HELD_M = 1e8

/** Moves the checkpoint over fixes that are too old to wait for late ones among them. */
function trim(state: TripState, plan: TripPlan | null): TripState {
  const { fixes, count } = state
  if (count < 2 * DROP) return state
  if (fixes[(count - 1) * ROW]! - fixes[DROP * ROW]! < KEEP_MS && count < KEEP_MAX) return state
  const drop = groupStart(fixes, DROP)
  if (drop === 0) return state
  const base = copyFold(state.base)
  foldRows(base, fixes, 0, drop, plan)
  const last = (drop - 1) * ROW
  return {
    ...state,
    base,
    fixes: fixes.slice(drop * ROW, count * ROW),
    count: count - drop,
    floor: [fixes[last]!, fixes[last + 1]!],
  }
}

function difference(before: Fold, after: Fold, late: boolean): readonly TripEvent[] {
  if (before.arrived === after.arrived && before.left === after.left && before.offRoute === after.offRoute) return NOTHING
  const events: TripEvent[] = []
  for (let k = 0; k < after.arrived.length; k++) {
    const arrived = after.arrived[k]!
    if (arrived >= 0 && arrived !== before.arrived[k]) events.push({ kind: 'arrived', stop: k, at: arrived, late })
    const left = after.left[k]!
    if (left >= 0 && left !== before.left[k]) events.push({ kind: 'left', stop: k, at: left, late })
  }
  if (before.offRoute !== after.offRoute) events.push({ kind: after.offRoute ? 'off_route' : 'back_on_route', at: after.t })
  return events
}

/** Closer than this to the next stop, along the route, is approaching, m. */
const APPROACHING_M = 400

/** On the route, and near a stop that is still ahead. */
export function isApproaching(plan: TripPlan | null, state: TripState, index: number): boolean {
  const stop = plan?.stops[index]
  return stop !== undefined && !state.head.offRoute && state.head.t >= 0 && stop.along - state.head.along <= APPROACHING_M
}

/** What other nodes are told of the driver; null before the first fix. `interval` is how often fixes are expected, s. */
export function toTrack(
  state: TripState,
  plan: TripPlan | null,
  no: DriverNo,
  run: RunId | null,
  interval: Seconds,
  kept: boolean,
): Track | null {
  const h = state.head
  if (h.t < 0) return null
  const next = plan ? nextStop(h, plan.stops) : 0
  const stop = plan?.stops[next]
  const arrivedAt = stop && h.arrived[next]! >= 0 ? h.arrived[next]! : null
  const phase: Phase = arrivedAt !== null ? 'arrived' : isApproaching(plan, state, next) ? 'approaching' : 'enroute'
  return {
    no,
    recordedAt: h.t,
    seq: h.seq,
    at: placeShown(state, plan),
    heading: h.heading >= 0 ? h.heading : h.course >= 0 ? h.course : null,
    speed: h.speed >= 0 ? h.speed : h.pace >= 0 ? h.pace : null,
    accuracy: h.accuracy >= 0 ? h.accuracy : null,
    run,
    routeVersion: state.routeVersion,
    along: plan ? h.along : 0,
    offRoute: h.offRoute,
    nextStop: next,
    phase,
    arrivedAt,
    pace: paceOf(h),
    still: h.anchorT >= 0 ? Math.max(0, (h.t - h.anchorT) / 1000) : 0,
    waited: h.waited,
    interval,
    kept,
  }
}

/** On the route while it is near, else as reported. */
function placeShown(state: TripState, plan: TripPlan | null): LngLat {
  const h = state.head
  if (!plan || h.offRoute || h.beside > Math.max(50, 2 * h.accuracy)) return [h.lng, h.lat]
  return pointAt(plan.route, h.along)
}
