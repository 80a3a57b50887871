// Predictions beside their outcomes in, how wide windows must be by horizon out: what makes "80 %" true (T10).
import type { Seconds } from '@doorstep/shared/units'

/** Factors on the middle and on the two sides of a window, by horizon (predicted seconds to go); the last entry holds for all longer ones. */
export interface Calibration {
  readonly horizons: readonly Horizon[]
}
export interface Horizon {
  readonly upTo: Seconds
  readonly low: number
  readonly mid: number
  readonly high: number
  /** From how many outcomes. */
  readonly n: number
}

/** What the code was fitted to: nothing to correct yet. */
export const DEFAULT_CALIBRATION: Calibration = {
  horizons: [180, 420, 900, 1800, 1e9].map((upTo) => ({ upTo, low: 1, mid: 1, high: 1, n: 0 })),
}

/** The factors for a prediction. */
export function sides(calibration: Calibration, mid: Seconds): Horizon {
  const { horizons } = calibration
  for (let i = 0; i < horizons.length; i++) if (mid <= horizons[i]!.upTo) return horizons[i]!
  return horizons.at(-1) ?? DEFAULT_CALIBRATION.horizons[0]!
}

/** One prediction beside its outcome: seconds to go as predicted, with the calibration of then, and as it came. */
export interface Outcome {
  readonly low: Seconds
  readonly mid: Seconds
  readonly high: Seconds
  readonly actual: Seconds
}

/** Fewer outcomes than this in a horizon teach nothing. */
const ENOUGH = 50
/** The share of outcomes that each side may miss. */
const MISS = 0.1
const clamp = (x: number, lo: number, hi: number): number => Math.min(hi, Math.max(lo, x))

/**
 * New factors: by horizon the median of actual ÷ middle, and of each side the quantile of (outcome − middle) ÷ (edge − middle) that leaves a tenth outside
 * (split conformal prediction with a scaled score: Lei and others 2018, section 5.2). No factor moves by more than twice at a time.
 */
export function learn(outcomes: readonly Outcome[], before: Calibration = DEFAULT_CALIBRATION): Calibration {
  let floor = 0
  return {
    horizons: before.horizons.map((h) => {
      const here = outcomes.filter((o) => o.mid > floor && o.mid <= h.upTo && Number.isFinite(o.actual) && o.actual >= 0)
      floor = h.upTo
      if (here.length < ENOUGH) return h
      const shift = clamp(
        quantile(
          here.map((o) => o.actual / o.mid),
          0.5,
        ),
        0.5,
        2,
      )
      const under = here.map((o) => (o.mid * shift - o.actual) / Math.max(1, o.mid - o.low))
      const over = here.map((o) => (o.actual - o.mid * shift) / Math.max(1, o.high - o.mid))
      return {
        upTo: h.upTo,
        low: clamp(h.low * clamp(quantile(under, 1 - MISS), 0.5, 2), 0.1, 8),
        mid: clamp(h.mid * shift, 0.25, 4),
        high: clamp(h.high * clamp(quantile(over, 1 - MISS), 0.5, 2), 0.1, 8),
        n: here.length,
      }
    }),
  }
}

function quantile(values: number[], p: number): number {
  values.sort((a, b) => a - b)
  return values[Math.min(values.length - 1, Math.ceil(p * (values.length + 1)) - 1)]!
}
