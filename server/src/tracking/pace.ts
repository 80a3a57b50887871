// Seconds needed and seconds planned so far in, the pace to expect for the rest out.

/** The prior weighs as much as this many seconds of driving at the planned pace. */
const PRIOR_S = 300

/** Seconds needed ÷ seconds planned, drawn to 1 while little is known. */
export function paceOf(needed: number, planned: number): number {
  return Math.min(4, Math.max(0.25, (needed + PRIOR_S) / (planned + PRIOR_S)))
}
