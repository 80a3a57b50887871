// What we tell of a driver: Track between nodes, and the views that each audience may have of it. Times are ms, distances metres.
import type { FailReason, OrderStatus } from './order.ts'
import type { Degrees, DriverNo, LngLat, Metres, MetresPerSecond, Millis, RunId, Seconds } from './units.ts'

export type Phase = 'enroute' | 'approaching' | 'arrived'

/** All that a node must know of a driver to render any view of it, absolute values, newest by (recordedAt, seq) wins (T3). */
export interface Track {
  readonly no: DriverNo
  readonly recordedAt: Millis
  readonly seq: number
  /** The place shown: on the route when the driver is on it, else as reported. */
  readonly at: LngLat
  readonly heading: Degrees | null
  readonly speed: MetresPerSecond | null
  readonly accuracy: Metres | null
  /** The run that `along` speaks of, and the version of its route; null off duty. */
  readonly run: RunId | null
  readonly routeVersion: number
  /** Metres along that route; 0 without one. */
  readonly along: Metres
  readonly offRoute: boolean
  /** Index of the first stop that is not yet done. */
  readonly nextStop: number
  readonly phase: Phase
  /** Since when the driver stands in the ring of `nextStop`; null when not arrived. */
  readonly arrivedAt: Millis | null
  /** Seconds needed ÷ seconds planned on this trip, smoothed. */
  readonly pace: number
  /** Seconds since it last came on along the route, at the time of the fix. */
  readonly still: Seconds
  /** Seconds lost in halts lately; older ones fade. */
  readonly waited: Seconds
  /** How often fixes are expected. */
  readonly interval: Seconds
  /** False while the database can't keep what is shown. */
  readonly kept: boolean
}

/** An arrival as the 10th to 90th percentile, instants, never in the past (T9), or why it is not known. */
export type Eta =
  | { readonly kind: 'window'; readonly from: Millis; readonly to: Millis; readonly mid: Millis; readonly detour: boolean }
  | { readonly kind: 'unknown'; readonly why: EtaUnknown }
export type EtaUnknown = 'not_started' | 'no_position' | 'stale' | 'no_route' | 'finished'

/** Why a shown window changed (T10). */
export type WindowReason = 'first' | 'pace' | 'stop_took_longer' | 'stop_inserted' | 'detour' | 'signal_lost' | 'stops_faster'
export interface ShownWindow {
  readonly from: Millis
  readonly to: Millis
  readonly since: Millis
  readonly reason: WindowReason
}

/** The narrowest and the widest ring in which a stop is reached, m. */
export const RING_M = 60
export const RING_MAX_M = 150
/** Radius of the ring around a door that stands `beside` metres from its place on the route (T7). */
export const arrivalRing = (beside: Metres): Metres => Math.min(RING_MAX_M, Math.max(RING_M, beside + 25))

/** Freshness is derived from the age of the newest fix, never stored (T8). */
export type Freshness = 'live' | 'delayed' | 'stale' | 'offline'
export const STALE_MS = 60_000
export const OFFLINE_MS = 180_000

/** live ≤ max(15 s, 2 × expected interval) → delayed → stale at 60 s → offline at 180 s. */
export function freshness(ageMs: number, interval: Seconds): Freshness {
  if (ageMs >= OFFLINE_MS) return 'offline'
  if (ageMs >= STALE_MS) return 'stale'
  return ageMs <= Math.max(15_000, 2_000 * interval) ? 'live' : 'delayed'
}

/** Why the customer sees no vehicle. */
export type HiddenWhy = 'not_started' | 'too_far' | 'near_other_door' | 'no_position' | 'finished' | 'off_duty'

/** Position lane to a customer: absolute, newest `t` wins, may be dropped. Every element has passed its own gate (V2). */
export interface TrackView {
  /** Fix time of what is shown; 0 when there is no fix. */
  readonly t: Millis
  /** Our clock when this was rendered: lets a page work out ages without trusting its own clock. */
  readonly now: Millis
  readonly vehicle: {
    readonly at: LngLat
    readonly heading: Degrees | null
    readonly speed: MetresPerSecond | null
    readonly accuracy: Metres | null
  } | null
  readonly hidden: HiddenWhy | null
  readonly eta: Eta
  /** Stops before this door is reached, this one included: 1 means next. Null when gated. */
  readonly stopsLeft: number | null
  readonly remaining: Metres | null
  readonly phase: Phase
  readonly offRoute: boolean
  readonly interval: Seconds
  readonly kept: boolean
  /** Version of the path; 0 when none may be seen. A page that lacks this version asks `sync`. */
  readonly pathV: number
  /** The last leg ahead, only in snapshots and when it changed. */
  readonly path?: readonly LngLat[]
}

/** State lane to a customer: whole each time, ordered by `ev` without gaps. */
export interface OrderView {
  /** Changes only when the database was restored: then forget everything. */
  readonly epoch: string
  /** The order's sequence. */
  readonly ev: number
  readonly now: Millis
  readonly number: string
  readonly merchant: string
  readonly recipient: string
  readonly status: OrderStatus
  readonly steps: readonly { readonly status: OrderStatus; readonly at: Millis }[]
  readonly door: { readonly at: LngLat; readonly label: string }
  /** The window shown, or null when there is none to show (`etaUnknown` of the track says why). */
  readonly window: ShownWindow | null
  /** The window first given. */
  readonly promise: { readonly from: Millis; readonly to: Millis } | null
  readonly attempt: { readonly reason: FailReason; readonly at: Millis } | null
  /** First name and an alias that is this order's alone (V5). */
  readonly driver: { readonly name: string; readonly alias: string; readonly vehicle: string } | null
  readonly track: TrackView
}

/** What a node remembers of a run to render views and ETAs; stops are in driving order. */
export interface RunStop {
  readonly id: string
  readonly orderId: string
  readonly orderNumber: string
  readonly label: string
  readonly door: LngLat
  readonly along: Metres
  readonly service: Seconds
  readonly status: 'pending' | 'arrived' | 'done' | 'failed' | 'cancelled'
  readonly window: ShownWindow | null
  readonly promise: { readonly from: Millis; readonly to: Millis } | null
}
