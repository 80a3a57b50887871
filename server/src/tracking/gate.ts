// A checked fix and what the trip already knows in, a verdict out: a value with a code, never a throw.
import type { Fix } from '@doorstep/shared/ping'
import { LIMITS } from '@doorstep/shared/ping'
import type { Millis } from '@doorstep/shared/units'

/**
 * LIVE folded in, the newest · LATE folded in where it belongs, the marker stays (T2) · DUPLICATE known already ·
 * OLD from before the checkpoint: history only; `refold` over the whole history gives the exact state ·
 * FUTURE device clock more than 2 minutes ahead: history only · INACCURATE worse than 200 m: history only ·
 * JUMP too far for the time: held back until two more agree (T5) · RANGE not a place or not a time: a bug upstream, nothing is folded.
 */
export type Verdict = 'LIVE' | 'LATE' | 'DUPLICATE' | 'OLD' | 'FUTURE' | 'INACCURATE' | 'JUMP' | 'RANGE'

/** Why a fix can never be folded into a trip, whatever the trip; null when it may. `now` is our clock. */
export function gate(fix: Fix, now: Millis): Verdict | null {
  const [lng, lat] = fix.at
  if (!(Math.abs(lat) <= 90 && Math.abs(lng) <= 180) || !Number.isFinite(fix.recordedAt) || !Number.isFinite(fix.seq))
    return 'RANGE'
  if (fix.recordedAt > now + LIMITS.future) return 'FUTURE'
  if (fix.accuracy !== null && fix.accuracy > LIMITS.liveAccuracy) return 'INACCURATE'
  return null
}
