// What the live edge is handed: ports and functions, so that app.ts and tests wire it alike.
import type { DriverRow, OrderRow, RunView } from '@doorstep/shared/api'
import type { Alert } from '@doorstep/shared/protocol'
import type { Millis } from '@doorstep/shared/units'
import type { Ingest } from '../ingest.ts'
import type { Auth, Orders } from '../orders/port.ts'
import type { EtaOf } from '../plan.ts'
import type { Journal } from '../store/journal.port.ts'
import type { Gates } from '../tracking/view.ts'
import type { Tracks } from '../tracks.ts'
import type { Door, Rate } from './handlers.ts'

/** What dispatchers are shown of orders and drivers, as records. */
export interface Records {
  drivers(): Promise<Pick<DriverRow, 'id' | 'no' | 'name' | 'vehicle' | 'run' | 'window'>[]>
  row(id: string): Promise<OrderRow | null>
  runView(id: string): Promise<RunView | null>
  epoch(): Promise<string>
}

export interface LiveParts {
  readonly orders: Orders
  readonly records: Records
  readonly auth: Auth
  readonly ingest: Ingest
  readonly journal: Journal
  readonly tracks: Tracks
  readonly etaOf: EtaOf
  readonly door: Door
  readonly rates: Rates
  readonly gates: Gates
  readonly now: () => Millis
  /** Uniform in 0 ≤ x < 1: spreads heartbeats. */
  readonly random: () => number
  /** What works less well now, by name. */
  readonly degraded: () => readonly string[]
  /** There are other nodes, and word of their changes may be lost: what is watched is asked for again with each heartbeat. */
  readonly shared: boolean
  /** Other nodes can't be heard now, or could not a moment ago: a revocation may have been missed. */
  readonly deaf: () => boolean
  readonly onError: (error: unknown, what: string) => void
}
export interface Rates {
  readonly driver: Rate
  readonly watch: Rate
  readonly fleet: Rate
}
export const RATES: Rates = {
  driver: { perSecond: 20, burst: 60, units: { perSecond: 400, burst: 1_000, debt: 2_000 } },
  watch: { perSecond: 0.5, burst: 30 },
  fleet: { perSecond: 10, burst: 40 },
}

/** An edge: it serves its namespace until it is closed. */
export interface Edge {
  close(): void
}
export interface FleetEdge extends Edge {
  roster(): Promise<DriverRow[]>
  alert(alert: Alert): void
}
