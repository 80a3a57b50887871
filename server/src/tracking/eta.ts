// A Track, its plan and now in, an arrival window out: instants, never in the past, or why it is not known (T9). Pure, for any node that has the Track.
import { type Eta, OFFLINE_MS, type ShownWindow, type Track, type WindowReason } from '@doorstep/shared/track'
import type { Millis, Seconds } from '@doorstep/shared/units'
import type { TripPlan } from './plan.ts'
import { expected, secondsAt } from './prior.ts'

/** How far the truth lies from the middle, by horizon: actual ÷ predicted seconds at the 10th, 50th and 90th percentile. */
export interface Calibration {
  readonly horizons: readonly {
    readonly upTo: Seconds
    readonly low: number
    readonly mid: number
    readonly high: number
    readonly n: number
  }[]
}

/** From the recorded trips; the last entry holds for all longer horizons. */
export const DEFAULT_CALIBRATION: Calibration = {
  horizons: [
    { upTo: 120, low: 0.6, mid: 1, high: 1.6, n: 0 },
    { upTo: 300, low: 0.65, mid: 1, high: 1.6, n: 0 },
    { upTo: Number.POSITIVE_INFINITY, low: 0.7, mid: 1, high: 1.6, n: 0 },
  ],
}

/** Shortest time that is ever promised from now, s. */
const SOON_S = 15

/**
 * When the driver reaches stop `index` of the plan. Planned seconds of the route ahead (the router's, else by the shape of the line) times the pace of
 * this trip, service at the stops before, a detour when off the route; the window by `calibration`, wider with the age of the fix.
 */
export function etaTo(
  plan: TripPlan,
  track: Track,
  index: number,
  now: Millis,
  calibration: Calibration = DEFAULT_CALIBRATION,
): Eta {
  const stop = plan.stops[index]
  if (!stop) return { kind: 'unknown', why: 'no_route' }
  if (stop.closed) return { kind: 'unknown', why: 'finished' }
  const age = Math.max(0, (now - track.recordedAt) / 1000)
  if (age * 1000 > 5 * OFFLINE_MS) return { kind: 'unknown', why: 'stale' }
  if (index === track.nextStop && track.phase === 'arrived') {
    return { kind: 'window', from: now, mid: now, to: now + SOON_S * 1000, detour: false }
  }
  const seconds = expected(plan.route)
  let drive = Math.max(0, secondsAt(plan.route, seconds, stop.along) - secondsAt(plan.route, seconds, track.along)) * track.pace
  if (track.offRoute) drive = drive * 1.15 + 60
  let service = 0
  for (let k = track.nextStop; k < index; k++) {
    const s = plan.stops[k]!
    if (s.closed) continue
    const spent = k === track.nextStop && track.arrivedAt !== null ? (now - track.arrivedAt) / 1000 : 0
    service += Math.max(0, s.service - spent)
  }
  const expectedLeft = drive + service
  const c = calibration.horizons.find((h) => expectedLeft <= h.upTo) ?? calibration.horizons.at(-1)!
  const doubt = (plan.confidence === 'low' ? 0.25 : 0) + (track.offRoute ? 0.25 : 0)
  const low = expectedLeft * c.low * (1 - doubt) - age
  const mid = expectedLeft * c.mid - age
  const high = expectedLeft * c.high * (1 + doubt) + SOON_S
  const at = (s: Seconds, least: Seconds): Millis => Math.round(now + Math.max(least, s) * 1000)
  return { kind: 'window', from: at(low, 0), mid: at(mid, SOON_S / 3), to: at(high, SOON_S), detour: track.offRoute }
}

/** A window shown before and the one that is true now in; the one to show from now on. */
export interface Shown {
  readonly window: ShownWindow
  readonly changed: boolean
}

/** Windows are shown on full minutes; a change of less than this is none. */
const MINUTE = 60_000

/**
 * What to show of a fresh window: the shown one stays for a minute, unless it is broken (the middle left it, or it lies in the past), and then
 * changes with a reason (T9, T10). `cause` is what the caller knows: a stop inserted, a stop that took longer; else it is worked out.
 */
export function reshow(shown: ShownWindow | null, fresh: Eta, now: Millis, cause?: WindowReason): Shown | null {
  if (fresh.kind !== 'window') return shown ? { window: shown, changed: false } : null
  const from = Math.floor(fresh.from / MINUTE) * MINUTE
  const to = Math.max(from + MINUTE, Math.ceil(fresh.to / MINUTE) * MINUTE)
  if (!shown) return { window: { from, to, since: now, reason: 'first' }, changed: true }
  if (from === shown.from && to === shown.to) return { window: shown, changed: false }
  const broken = fresh.mid < shown.from || fresh.mid > shown.to || shown.to < now
  if (!broken && now - shown.since < MINUTE) return { window: shown, changed: false }
  const reason: WindowReason = cause ?? (fresh.detour ? 'detour' : fresh.mid < shown.from ? 'stops_faster' : 'pace')
  return { window: { from, to, since: now, reason }, changed: true }
}

/** One prediction beside its outcome: seconds to go as predicted and as it came. */
export interface Outcome {
  readonly low: Seconds
  readonly mid: Seconds
  readonly high: Seconds
  readonly actual: Seconds
}

/** New quantiles from predictions and outcomes, by horizon; a horizon with fewer than 50 keeps what it had. */
export function learn(outcomes: readonly Outcome[], before: Calibration = DEFAULT_CALIBRATION): Calibration {
  let floor = 0
  return {
    horizons: before.horizons.map((h) => {
      const ratios = outcomes
        .filter((o) => o.mid > floor && o.mid <= h.upTo && o.mid > 0 && Number.isFinite(o.actual))
        .map((o) => (o.actual / o.mid) * h.mid)
        .sort((a, b) => a - b)
      floor = h.upTo
      if (ratios.length < 50) return h
      const q = (p: number): number => ratios[Math.min(ratios.length - 1, Math.floor(p * ratios.length))]!
      return { upTo: h.upTo, low: q(0.1), mid: q(0.5), high: q(0.9), n: ratios.length }
    }),
  }
}
