// Time and progress on this trip in, its pace and its halts out: what a trip says about the rest of itself.
import type { Metres, Millis, Seconds } from '@doorstep/shared/units'

/** What the trip has shown so far; part of the fold. */
export interface Going {
  /** Seconds needed and seconds planned for the way so far; older ones fade. */
  needed: Seconds
  planned: Seconds
  /** Seconds lost in halts; older ones fade. */
  waited: Seconds
  /** Where and when it last came on by more than the noise. */
  anchor: Metres
  anchorT: Millis
}

/*
 * The figures were found together with those of prior.ts, on the same trips and judged in the same way. They do not depend on how often fixes come.
 */
/** The plan weighs as much as this many seconds on the way. */
const PLAN_WEIGHT_S = 390
/** A halt counts against the pace up to this long; what is longer is an event of its own, not the pace of the trip. */
const HALT_COUNTS_S = 180
const PACE_FADE_S = 1500
const WAIT_FADE_S = 600
/** Progress of more than this is coming on, not noise. */
const STEP_M = 15
/** A halt begins to count as waiting after this long. */
const HALT_S = 10

/** Takes one step of the way into account, in place: `seconds` since the last fix, `planned` seconds of the plan covered in them, now at `along`. */
export function goOn(g: Going, t: Millis, seconds: Seconds, planned: Seconds, along: Metres): void {
  const fade = Math.exp(-seconds / PACE_FADE_S)
  const fadeWait = Math.exp(-seconds / WAIT_FADE_S)
  g.planned = g.planned * fade + planned
  if (along - g.anchor > STEP_M) {
    // What the progress does not explain was a halt between two fixes.
    const idle = Math.max(0, seconds - 2 * planned - HALT_S)
    g.needed = g.needed * fade + seconds - idle + Math.min(idle, HALT_COUNTS_S)
    g.waited = g.waited * fadeWait + idle
    g.anchor = along
    g.anchorT = t
    return
  }
  const still = (t - g.anchorT) / 1000
  const before = still - seconds
  g.needed = g.needed * fade + Math.max(0, Math.min(still, HALT_COUNTS_S) - Math.min(before, HALT_COUNTS_S))
  g.waited = g.waited * fadeWait + Math.max(0, still - Math.max(before, HALT_S))
}

/** Seconds needed ÷ seconds planned, drawn to 1 while little is known. */
export function paceOf(g: Going): number {
  return Math.min(6, Math.max(0.25, (g.needed + PLAN_WEIGHT_S) / (g.planned + PLAN_WEIGHT_S)))
}
