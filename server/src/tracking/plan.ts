// A run's route and stops as the tracking core wants them, prepared once per route version.
import { wrap } from '@doorstep/shared/geo'
import type { Route } from '@doorstep/shared/route'
import { RING_M } from '@doorstep/shared/track'
import type { LngLat, Metres, Seconds } from '@doorstep/shared/units'

/** What is planned for a driver. Stops are in driving order, `along` does not fall. */
export interface TripPlan {
  readonly route: Route
  readonly routeVersion: number
  readonly stops: readonly PlanStop[]
  /** low: the line is straight, since no router could be asked; windows are wider. */
  readonly confidence: 'road' | 'low'
}

export interface PlanStop {
  /** Carries what is known of the stop over to the next version of the route. */
  readonly id: string
  readonly along: Metres
  readonly door: LngLat
  /** Time spent at the door, s. */
  readonly service: Seconds
  /** A person said that it is done, failed or cancelled: it no longer counts. */
  readonly closed: boolean
}

/**
 * Metres along the route at which each door is passed, in driving order and never falling: of all such placings the one with the least sum of squared
 * distances, the earliest of equals; the last one at the end of the route when its door is there. For plans that come without the router's own waypoints.
 */
export function placeStops(route: Route, doors: readonly LngLat[]): Metres[] {
  const n = route.cum.length - 1
  const candidates: { along: Metres; cost: number; from: number }[][] = []
  for (const [k, door] of doors.entries()) {
    const x = wrap(door[0] - route.line[0]![0]) * route.ruler.kx
    const y = (door[1] - route.line[0]![1]) * route.ruler.ky
    const all: { along: Metres; square: number }[] = []
    for (let i = 0; i < n; i++) {
      const ax = route.x[i]!
      const ay = route.y[i]!
      const dx = route.x[i + 1]! - ax
      const dy = route.y[i + 1]! - ay
      const l2 = dx * dx + dy * dy
      const t = l2 > 0 ? Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / l2)) : 0
      const square = (x - ax - t * dx) ** 2 + (y - ay - t * dy) ** 2
      all.push({ along: route.cum[i]! + t * (route.cum[i + 1]! - route.cum[i]!), square })
    }
    const endSquare = (x - route.x[n]!) ** 2 + (y - route.y[n]!) ** 2
    // Only local minima can be part of the best placing, or the place where the stop before was put.
    const near = all.filter((c, i) => c.square <= (all[i - 1]?.square ?? Infinity) && c.square <= (all[i + 1]?.square ?? Infinity))
    // A route ends at its last stop, however often it passes that door before.
    if (k === doors.length - 1 && endSquare <= RING_M * RING_M)
      near.splice(0, near.length, { along: route.length, square: endSquare })
    const row: { along: Metres; cost: number; from: number }[] = []
    const earlier = candidates[k - 1]
    for (const c of near) {
      if (!earlier) {
        row.push({ along: c.along, cost: c.square, from: -1 })
        continue
      }
      let from = -1
      for (let j = 0; j < earlier.length && earlier[j]!.along <= c.along + 1; j++)
        if (from < 0 || earlier[j]!.cost < earlier[from]!.cost) from = j
      if (from >= 0) row.push({ along: Math.max(c.along, earlier[from]!.along), cost: earlier[from]!.cost + c.square, from })
    }
    if (row.length === 0) {
      // Nothing of this door lies ahead of any placing of the one before: it stays where that one is.
      const from = earlier!.reduce((best, c, j) => (c.cost < earlier![best]!.cost ? j : best), 0)
      row.push({ along: earlier![from]!.along, cost: earlier![from]!.cost, from })
    }
    candidates.push(row)
  }
  const out: Metres[] = []
  let at = -1
  for (let k = doors.length - 1; k >= 0; k--) {
    const row = candidates[k]!
    if (at < 0) at = row.reduce((best, c, j) => (c.cost < row[best]!.cost ? j : best), 0)
    out[k] = row[at]!.along
    at = row[at]!.from
  }
  return out
}
