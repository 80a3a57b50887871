// Errors in; lines for the log out: each bug, but a store that is away only when it goes away, not once for every question that it leaves open.
import type { Millis } from '@doorstep/shared/units'
import { SqlError } from './store/sql/port.ts'

/** Nothing failed for so long: the store was there, and its next failure is news, ms. */
const BACK_MS = 10_000

/** `say` gets what is to be logged, with how many failures of the same store were not logged before. */
export function faultLog(
  say: (line: { err: unknown; what: string; unlogged?: number }) => void,
  now: () => Millis,
): (error: unknown, what: string) => void {
  let last = Number.NEGATIVE_INFINITY
  let unlogged = 0
  return (err, what) => {
    if (!(err instanceof SqlError && err.unavailable)) return say({ err, what })
    const away = now() - last < BACK_MS
    last = now()
    if (away) unlogged++
    else {
      say({ err, what, ...(unlogged > 0 ? { unlogged } : {}) })
      unlogged = 0
    }
  }
}
