// Newest positions in, newest positions out, and a bus between nodes. Neither is ever the only copy of anything.

import type { Track } from '@doorstep/shared/track'
import type { DriverNo } from '@doorstep/shared/units'

export interface Positions {
  readonly kind: 'memory' | 'redis'
  /** Saves each track unless a newer one by (recordedAt, seq) is there (T3). Answers the numbers of those refused as older. Never rejects: counts and answers 'down'. */
  save(tracks: readonly Track[]): Promise<{ older: DriverNo[] } | 'down'>
  /** All that are known, newest each; [] when down. */
  all(): Promise<Track[]>
  /** Sends a packed message to every other node; drops and counts it when the bus is down. */
  publish(message: Uint8Array): void
  /** Called with each message of another node. */
  onMessage(listener: (message: Uint8Array) => void): void
  /** State lane between nodes, to the others only: who else must look at an order, a run or a revocation anew. Lost messages are mended by `hb`. */
  signal(topic: Signal): void
  onSignal(listener: (topic: Signal) => void): void
  stats(): PositionsStats
  health(): Promise<true | string>
  close(): Promise<void>
}

/** Plain counts since the start. */
export interface PositionsStats {
  /** Tracks saved; failed are those that met a store that was down. */
  readonly saved: number
  readonly failed: number
  /** Messages and signals that no other node has heard. */
  readonly dropped: number
  readonly received: number
  readonly reconnects: number
}

export type Signal =
  | { readonly type: 'run'; readonly id: string }
  | { readonly type: 'order'; readonly id: string; readonly ev: number }
  | { readonly type: 'revoked'; readonly kind: 'link' | 'device' | 'session'; readonly id: string }
