// Waypoints in, a driveable line with its times out.
import type { LngLat, Metres, Seconds } from '@doorstep/shared/units'

export interface RoutePlan {
  readonly line: LngLat[]
  readonly length: Metres
  /** One a segment of `line`; null when the router gave none. */
  readonly segmentSeconds: Seconds[] | null
  readonly seconds: Seconds
  /** Metres along `line` at each waypoint: the first is 0, the last is `length`. */
  readonly waypoints: Metres[]
  /** low: straight line × 1.3, since no router could be asked. */
  readonly confidence: 'road' | 'low'
  readonly source: 'city' | 'osrm' | 'valhalla' | 'mapbox' | 'straight'
}

export interface Router {
  readonly name: string
  /** At least two waypoints. Never rejects: answers `straight` with low confidence when it can't do better. `heading` is the vehicle's own, degrees. */
  route(waypoints: readonly LngLat[], options?: { heading?: number }): Promise<RoutePlan>
  health(): Promise<true | string>
  /** How often each router answered or why it did not, since the start: `city ok`, `osrm timeout`. */
  counts?(): Readonly<Record<string, number>>
}
