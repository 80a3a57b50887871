// unknown in, a Ping or a coded fault out: the only place where a device's numbers become ours.
import type { Degrees, LngLat, Metres, MetresPerSecond, Millis } from './units.ts'

/** One fix on the wire, as devices send it. Absent and null mean unknown. */
export interface WireFix {
  /** 1, 2, 3… given when the device stored the fix. */
  seq: number
  /** Device clock, ms. */
  t: Millis
  lat: number
  lon: number
  /** Accuracy radius, m; negative means unknown. */
  acc?: number | null
  /** Speed, m/s. */
  spd?: number | null
  /** Direction of travel, degrees. */
  hdg?: number | null
  /** Metres above the ellipsoid. */
  alt?: number | null
  /** Battery, 0–1. */
  bat?: number | null
  /** The device says that the position was set by another program. */
  mock?: boolean
}

/** One checked fix. `null` is unknown; nothing is guessed. */
export interface Fix {
  readonly seq: number
  /** Device clock. */
  readonly recordedAt: Millis
  readonly at: LngLat
  readonly accuracy: Metres | null
  readonly speed: MetresPerSecond | null
  readonly heading: Degrees | null
  readonly altitude: Metres | null
  readonly battery: number | null
  /** What was odd but no reason to refuse: 'mock', 'speed', 'heading', 'altitude', 'battery' (field nulled). */
  readonly flags: readonly FixFlag[]
}
export type FixFlag = 'mock' | 'speed' | 'heading' | 'altitude' | 'battery'

/** Why a fix is quarantined: it counts as taken and never blocks the queue behind it (P5). */
export type FixCode = 'BAD_FIELD' | 'LAT' | 'LON' | 'ZERO' | 'ACC' | 'TS_BAD' | 'TS_OLD' | 'TS_FUTURE'
export interface Rejected {
  readonly seq: number
  readonly code: FixCode
}

/** A batch of fixes, checked: those that hold and those that never can. `items` is ascending by seq and covers both. */
export interface Batch {
  readonly qid: string
  readonly sentAt: Millis | null
  readonly from: number
  readonly to: number
  readonly fixes: readonly Fix[]
  readonly rejected: readonly Rejected[]
}

export const LIMITS = {
  /** Fixes in one batch (P2). */
  batch: 200,
  /** Bytes of one frame. */
  frameBytes: 65_536,
  /** How far ahead of the last kept seq a batch may begin. */
  seqAhead: 100_000,
  /** A fix may be this much ahead of our clock, ms. */
  future: 120_000,
  /** And this old, ms. */
  past: 30 * 86_400_000,
  /** A fix older than this is history, not live, ms. */
  liveAge: 120_000,
  /** A worse accuracy is stored but not shown as live, m. */
  liveAccuracy: 200,
} as const
