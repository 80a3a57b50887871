// A key and now in, whether it may go on out: a bucket of tokens a key, refilled by the minute.
import type { Millis } from '@doorstep/shared/units'

export interface Limit {
  /** Takes one; answers 0, or how many ms to wait. */
  take(key: string, now: Millis): number
}

const MOST_KEYS = 20_000

/** `burst` at once, then `perMinute`. The oldest keys are forgotten first, so that addresses by the million cost nothing. */
export function limit(perMinute: number, burst = perMinute): Limit {
  const buckets = new Map<string, { left: number; at: Millis }>()
  return {
    take(key, now) {
      const before = buckets.get(key)
      const left = before ? Math.min(burst, before.left + ((now - before.at) / 60_000) * perMinute) : burst
      buckets.delete(key)
      buckets.set(key, { left: left >= 1 ? left - 1 : left, at: now })
      if (buckets.size > MOST_KEYS) buckets.delete(buckets.keys().next().value as string)
      return left >= 1 ? 0 : Math.ceil(((1 - left) / perMinute) * 60_000)
    },
  }
}
