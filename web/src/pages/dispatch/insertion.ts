// Stops still ahead and a new door in; where the door adds the least way, out. Pure.
import { distance } from '@doorstep/shared/geo'
import type { LngLat, Metres } from '@doorstep/shared/units'

export interface Insertion {
  /** The new stop's index among all stops of the run. */
  readonly index: number
  /** Straight-line metres that it adds: good for comparing, not for promising. */
  readonly added: Metres
}

/**
 * The cheapest place for `door` (cheapest insertion: Rosenkrantz, Stearns and Lewis, 1977), never before `next`, the first stop not yet done.
 * `from` is where the vehicle is; null when unknown: then the first leg counts nothing.
 */
export function cheapest(doors: readonly LngLat[], next: number, from: LngLat | null, door: LngLat): Insertion {
  let best: Insertion = { index: doors.length, added: Number.POSITIVE_INFINITY }
  for (let index = next; index <= doors.length; index++) {
    const before = index === next ? from : (doors[index - 1] ?? null)
    const after = doors[index] ?? null
    const to = before ? distance(before, door) : 0
    const on = after ? distance(door, after) : 0
    const direct = before && after ? distance(before, after) : 0
    const added = to + on - direct
    if (added < best.added) best = { index, added }
  }
  return best
}
