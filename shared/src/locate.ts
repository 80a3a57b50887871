// A fix and the last place on a route in, the next place on it out: a window of the line, a prediction along it, a direction; never back (T4).
import { wrap } from './geo.ts'
import type { Route } from './route.ts'
import type { Degrees, LngLat, Metres } from './units.ts'

/** A place on one version of a route. Progress only grows while the version stays. */
export interface Cursor {
  /** Index of the segment on which the vehicle is. */
  readonly segment: number
  /** Metres along the route. */
  readonly along: Metres
  /** Metres from the fix to the line where it was found. */
  readonly distance: Metres
}

/** What is known of the vehicle now, relative to the cursor. */
export interface Sight {
  readonly at: LngLat
  /** Direction of travel; null when it stands or the direction is unknown. */
  readonly heading: Degrees | null
  /** Straight metres from where the cursor was made: the prediction along the line. 0 for a first fix. */
  readonly moved: Metres
  /** Metres along the line that it can have come at most since; Infinity for a first fix. */
  readonly reach: Metres
}

/** Further than this from the line inside the window means lost: search as far ahead as it can have come. */
const LOST_M = 40
/** Within the window the vehicle may seem to stand this much behind its place: noise along the line. */
const BACK_M = 60
/** A line that runs against the direction of travel counts as this much further away. */
const AGAINST_M = 20
const RAD = Math.PI / 180

// The best of the last scan: written by scan(), read at once by locate(). Never kept between calls.
let bestScore = Infinity
let bestSegment = 0
let bestAlong = 0
let bestSquare = Infinity

/**
 * The next place. Every segment in the window is scored by
 *   crossTrack² + w · (s − predicted)² + against² · (1 − cos(heading − direction)) / 2,  w = 0.06 / (1 + (moved / 200 m)²)
 * and the best projection wins; one behind the cursor counts for the distance, not for progress. When nothing in the window is near,
 * the search goes as far ahead as `reach`, and only a near place that agrees with the direction of travel is believed.
 * The prediction keeps a route that crosses itself or doubles back apart; nearest-point alone is wrong there for half the fixes.
 */
export function locate(route: Route, from: Cursor, sight: Sight): Cursor {
  const first = route.line[0]!
  const x = wrap(sight.at[0] - first[0]) * route.ruler.kx
  const y = (sight.at[1] - first[1]) * route.ruler.ky
  let ux = 0
  let uy = 0
  if (sight.heading !== null) {
    ux = Math.sin(sight.heading * RAD)
    uy = Math.cos(sight.heading * RAD)
  }
  const moved = sight.moved
  const ratio = moved / 200
  const weight = 0.06 / (1 + ratio * ratio)
  const predicted = from.along + moved
  const window = Math.min(sight.reach, 60 + 2 * moved)
  scan(route, from.segment, from.along, window, x, y, ux, uy, predicted, weight, Infinity)
  if (bestSquare > LOST_M * LOST_M && sight.reach > window) {
    const segment = bestSegment
    const along = bestAlong
    const square = bestSquare
    scan(route, from.segment, from.along, sight.reach, x, y, ux, uy, predicted, weight, 60 * 60)
    if (bestSquare > LOST_M * LOST_M && sight.reach !== Infinity) {
      bestSegment = segment
      bestAlong = along
      bestSquare = square
    }
  }
  if (bestAlong <= from.along) return { segment: from.segment, along: from.along, distance: Math.sqrt(bestSquare) }
  return { segment: bestSegment, along: bestAlong, distance: Math.sqrt(bestSquare) }
}

/** Scores the segments from a little behind `along` to `along + ahead`; `cap` bounds what a wrong prediction can cost. */
function scan(
  route: Route,
  segment: number,
  along: Metres,
  ahead: Metres,
  x: number,
  y: number,
  ux: number,
  uy: number,
  predicted: Metres,
  weight: number,
  cap: number,
): void {
  const { x: xs, y: ys, cum } = route
  const last = cum.length - 1
  const floor = along - BACK_M
  const ceiling = along + ahead
  let i = segment
  while (i > 0 && cum[i]! > floor) i--
  bestScore = Infinity
  for (; i < last; i++) {
    const start = cum[i]!
    if (start > ceiling) break
    const ax = xs[i]!
    const ay = ys[i]!
    const dx = xs[i + 1]! - ax
    const dy = ys[i + 1]! - ay
    const px = x - ax
    const py = y - ay
    const square = dx * dx + dy * dy
    const length = cum[i + 1]! - start
    // The part of the segment inside the window: its projection may not leave it.
    let lo = 0
    let hi = 1
    if (length > 0) {
      if (start < floor) lo = Math.min(1, (floor - start) / length)
      if (start + length > ceiling) hi = (ceiling - start) / length
    }
    let t = square > 0 ? (px * dx + py * dy) / square : 0
    t = t < lo ? lo : Math.min(t, hi)
    const ex = px - t * dx
    const ey = py - t * dy
    const d = ex * ex + ey * ey
    const s = start + t * length
    const e = s - predicted
    const off = weight * e * e
    let score = d + Math.min(off, cap)
    if ((ux !== 0 || uy !== 0) && length > 0) score += AGAINST_M * AGAINST_M * 0.5 * (1 - (ux * dx + uy * dy) / length)
    if (score < bestScore) {
      bestScore = score
      bestSegment = i
      bestAlong = s
      bestSquare = d
    }
  }
}
