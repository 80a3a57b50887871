// What the live edge and the HTTP edge may ask of orders, runs and rights. One implementation, over Sql.
import type { Fault } from '@doorstep/shared/codes'
import type { DriverAct } from '@doorstep/shared/protocol'
import type { Result } from '@doorstep/shared/result'
import type { Route } from '@doorstep/shared/route'
import type { OrderView, RunStop, WindowReason } from '@doorstep/shared/track'
import type { DeviceId, DriverId, DriverNo, LinkId, LngLat, Millis, OrderId, RunId } from '@doorstep/shared/units'
import type { RoutePlan } from '../routing/port.ts'

/** A run as the tracking core needs it; a new object for every change, so that it can be compared by identity. */
export interface RunPlan {
  readonly id: RunId
  readonly version: number
  readonly driver: DriverId | null
  readonly driverNo: DriverNo | null
  readonly status: 'draft' | 'assigned' | 'started' | 'finished' | 'cancelled'
  readonly route: Route
  readonly routeVersion: number
  readonly confidence: 'road' | 'low'
  /** Driving order; `along` is metres on `route`. */
  readonly stops: readonly RunStop[]
}

/** An order as its customer may see it, without the live part; `runStop` is its index in the run's stops. */
export interface OrderBase {
  readonly view: Omit<OrderView, 'track' | 'now'>
  readonly run: RunPlan | null
  readonly stop: number
}

export interface WindowChange {
  readonly stopId: string
  readonly from: Millis
  readonly to: Millis
  readonly mid: Millis
  readonly reason: WindowReason
}

export interface Orders {
  /** The run that a driver drives now (assigned or started), or null. Cached on this node, kept right by signals. */
  runOf(driver: DriverId): Promise<RunPlan | null>
  run(id: RunId): Promise<RunPlan | null>
  order(id: OrderId): Promise<OrderBase | null>
  /** What the driver says at a door: checks the assignment in the same transaction, idempotent by `idemKey`. */
  act(driver: DriverId, act: DriverAct): Promise<Result<{ ev: number }, Fault>>
  /** The geofence says that the driver reached a stop. A late one keeps its true time and never turns a status back (O4). */
  arrived(run: RunId, stopId: string, at: Millis, late: boolean): Promise<void>
  /** Windows to show from now on, each with its reason; the predictions are stored beside them (T10). One transaction. */
  showWindows(run: RunId, made: Millis, changes: readonly WindowChange[]): Promise<void>
  /** A new route from where the driver is; `along` of done stops stays behind. Answers the new plan. */
  reroute(run: RunId, from: LngLat, plan: RoutePlan): Promise<RunPlan | null>
  /** Something about an order changed and is committed; on every node. */
  onOrder(listener: (id: OrderId, ev: number) => void): void
  onRun(listener: (id: RunId) => void): void
}

export interface Device {
  readonly id: DeviceId
  readonly driver: DriverId
  readonly no: DriverNo
  readonly name: string
}
export interface Link {
  readonly id: LinkId
  readonly order: OrderId
  readonly expiresAt: Millis | null
}
export interface Session {
  readonly id: string
  readonly role: 'admin' | 'dispatcher'
  readonly expiresAt: Millis | null
}

/** Tokens in, who that is out; only hashes are stored. Unknown, expired, revoked and malformed are all null (V6). Rejects only when the store is down. */
export interface Auth {
  device(token: string): Promise<Device | null>
  link(token: string): Promise<Link | null>
  session(token: string): Promise<Session | null>
  /** A right ended, on any node: cut its sockets now. */
  onRevoked(listener: (kind: 'link' | 'device' | 'session', id: string) => void): void
}
