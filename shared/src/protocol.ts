// The wire of Socket.IO, typed once: what each namespace says and hears. PROTOCOL.md tells the same in words.

import type { DriverRow, OrderRow, RunView } from './api.ts'
import type { Fault } from './codes.ts'
import type { FailReason } from './order.ts'
import type { Rejected, WireFix } from './ping.ts'
import type { OrderView, TrackView } from './track.ts'
import type { Bbox, Millis } from './units.ts'

export const PROTOCOL_VERSION = 1

export type Ack<T> = (answer: ({ ok: true } & T) | ({ ok: false } & Fault)) => void

/** All of 1..upto are committed, stored or quarantined (P2). */
export interface Kept {
  readonly qid: string
  readonly upto: number
  readonly rejected: readonly Rejected[]
}

/** How the server wants fixes: one each `interval` seconds. */
export interface Policy {
  readonly interval: number
}

// /driver: auth {token: device token}
export interface DriverSays {
  hello: (
    m: { v: number; qid: string; sentAt: Millis },
    ack: Ack<Kept & { policy: Policy; run: RunView | null; now: Millis }>,
  ) => void
  /** 1–200 fixes, seq ascending. Answered by `kept`, and by the ack where one is given. */
  pings: (m: { v: number; qid: string; sentAt: Millis; items: WireFix[] }, ack?: Ack<Kept>) => void
  /** The newest fix of a queue that is longer than a batch: shown at once, kept like any other (P4). */
  'ping:live': (m: { v: number; qid: string; sentAt: Millis; item: WireFix }, ack?: Ack<Kept>) => void
  /** Seqs that will never come (P6): thinned by a full device, refused one by one (BAD_BATCH), or kept once and lost by the server since. */
  skip: (m: { v: number; qid: string; from: number; to: number; reason: 'full' | 'refused' | 'lost' }, ack?: Ack<Kept>) => void
  act: (m: DriverAct, ack: Ack<{ ev: number }>) => void
}
export interface DriverAct {
  idemKey: string
  type: 'arrived' | 'delivered' | 'failed'
  stopId: string
  at: Millis
  reason?: FailReason
  note?: string
}
export interface DriverHears {
  kept: (m: Kept) => void
  run: (m: RunView | null) => void
  policy: (m: Policy) => void
  revoked: (m: Record<string, never>) => void
  /** A message without an ack was refused. */
  fault: (m: Fault & { event: string }) => void
}

// /watch: auth {token: tracking-link token}
export interface WatchSays {
  /** No arguments: the token says which order. The room is joined before the snapshot is read. */
  watch: (ack: Ack<{ view: OrderView }>) => void
  sync: (m: { since: number }, ack: Ack<{ view: OrderView }>) => void
}
export interface WatchHears {
  track: (m: TrackView) => void
  order: (m: OrderView) => void
  /** Newest versions, each 10 s jittered: a lost message is noticed within 12 s. */
  hb: (m: { ev: number; t: Millis; now: Millis }) => void
  /** The link is no longer valid; the socket is closed after this. */
  gone: (m: Record<string, never>) => void
  fault: (m: Fault & { event: string }) => void
}

// /fleet: auth {token: dispatcher session token}
export interface FleetSays {
  /** Who is where and what is the matter: the whole roster, then `driver` for each change. */
  roster: (ack: Ack<{ epoch: string; now: Millis; drivers: DriverRow[] }>) => void
  view: (m: { bbox: Bbox; zoom: number }, ack?: Ack<Record<string, never>>) => void
}
export interface FleetHears {
  /** A binary frame (frame.ts): who moved inside the view. */
  fleet: (frame: Uint8Array) => void
  driver: (m: DriverRow) => void
  order: (m: OrderRow) => void
  alert: (m: Alert) => void
  hb: (m: { now: Millis; degraded: string[] }) => void
  revoked: (m: Record<string, never>) => void
  fault: (m: Fault & { event: string }) => void
}
export interface Alert {
  readonly id: string
  readonly kind: 'late' | 'off_route' | 'stale' | 'failed'
  readonly at: Millis
  readonly driverId: string
  readonly orderId?: string
}
