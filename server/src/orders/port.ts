// What the live edge and the HTTP edge may ask of orders, runs and rights. One implementation, over Sql.
import type { DriverRow, NewDriver, NewOrder, NewRun, OrderDetail, OrderRow, RunView } from '@doorstep/shared/api'
import type { Fault } from '@doorstep/shared/codes'
import type { FailReason, OrderAction, OrderEvent } from '@doorstep/shared/order'
import type { DriverAct } from '@doorstep/shared/protocol'
import type { Result } from '@doorstep/shared/result'
import type { Route } from '@doorstep/shared/route'
import type { OrderView, RunStop, WindowReason } from '@doorstep/shared/track'
import type { DeviceId, DriverId, DriverNo, LinkId, LngLat, Millis, OrderId, RunId } from '@doorstep/shared/units'
import type { RoutePlan } from '../routing/port.ts'
import type { Calibration } from '../tracking/calibration.ts'

/** A run as the tracking core needs it; a new object for every change, so that it can be compared by identity. */
export interface RunPlan {
  readonly id: RunId
  readonly version: number
  readonly driver: DriverId | null
  readonly driverNo: DriverNo | null
  readonly status: 'draft' | 'assigned' | 'started' | 'finished' | 'cancelled'
  readonly startedAt: Millis | null
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
  /**
   * A new route from where the driver is; `along` of done stops stays behind. `instead` is the version of the route that it was asked for in
   * place of. Answers the new plan, or null when the stops ahead or the route have changed meanwhile.
   */
  reroute(run: RunId, from: LngLat, plan: RoutePlan, instead?: number): Promise<RunPlan | null>
  /** Something about an order changed and is committed; on every node. */
  onOrder(listener: (id: OrderId, ev: number) => void): void
  onRun(listener: (id: RunId) => void): void
}

/** Who commands, and the idempotency key that came with it: the answer is kept in the same transaction (O2). */
export interface By {
  readonly source: OrderEvent['source']
  /** Whose key space: a session's id, `admin`, a driver's id. */
  readonly principal: string
  /** `body` is what makes two requests the same: method, path and checked body. */
  readonly idem?: { readonly key: string; readonly body: string }
}

/** What the roster knows without the live part. */
export type DriverBase = Pick<DriverRow, 'id' | 'no' | 'name' | 'vehicle' | 'run' | 'window'>

/** A credential just made. The token is told this once; only its SHA-256 is kept. */
export interface Granted {
  readonly id: string
  readonly token: string
  readonly expiresAt: Millis | null
}

export interface OrderQuery {
  readonly status?: OrderRow['status']
  /** Part of a number, name, address or the shop's own reference. */
  readonly q?: string
  readonly runId?: string
  readonly limit: number
  /** From the answer before. */
  readonly cursor?: string
}

/** The dispatcher's commands and questions. Each command is one transaction; faults are values; rejects only when the store is down. */
export interface Desk {
  newDriver(driver: NewDriver, by: By): Promise<Result<{ driver: DriverBase; device: Granted }, Fault>>
  newDevice(driver: DriverId, by: By): Promise<Result<Granted, Fault>>
  drivers(): Promise<DriverBase[]>
  driver(id: DriverId): Promise<DriverBase | null>
  newOrder(order: NewOrder, by: By): Promise<Result<{ order: OrderRow; link: Granted }, Fault>>
  list(query: OrderQuery): Promise<Result<{ orders: OrderRow[]; next: string | null }, Fault>>
  row(id: OrderId): Promise<OrderRow | null>
  detail(id: OrderId): Promise<OrderDetail | null>
  newLink(order: OrderId, by: By): Promise<Result<Granted, Fault>>
  /** Any other action of the table: hold, release, retry, complete, cancel… `expectedVersion` that is not the current one is VERSION. */
  change(
    order: OrderId,
    action: OrderAction,
    how: { expectedVersion?: number; reason?: string },
    by: By,
  ): Promise<Result<OrderRow, Fault>>
  newRun(run: NewRun, by: By): Promise<Result<RunView, Fault>>
  runs(status?: RunView['status']): Promise<RunView[]>
  runView(id: RunId): Promise<RunView | null>
  assign(run: RunId, driver: DriverId, by: By): Promise<Result<RunView, Fault>>
  start(run: RunId, by: By): Promise<Result<RunView, Fault>>
  /** Ends it; orders whose stops were not reached go back to `processing`. */
  finish(run: RunId, by: By): Promise<Result<RunView, Fault>>
  cancelRun(run: RunId, by: By): Promise<Result<RunView, Fault>>
  /** Without `index` where it makes the way longest by the least. Routes anew. */
  insertStop(run: RunId, order: OrderId, index: number | undefined, by: By): Promise<Result<RunView, Fault>>
  /** What a dispatcher says of a stop. */
  settle(
    run: RunId,
    stop: string,
    what: { type: 'arrived' | 'delivered' | 'failed'; reason?: FailReason; expectedVersion?: number },
    by: By,
  ): Promise<Result<RunView, Fault>>
  /** A uuid that changes only when the database was restored. */
  epoch(): Promise<string>
  etaReport(): Promise<EtaReport>
  /** How far windows were from the truth, as learned last; null before the first time. */
  calibration(): Promise<Calibration | null>
  /** Learns from every window shown in the last 30 days and what came of it, and stores it. */
  learn(): Promise<Calibration>
  /** Deletes idempotency keys older than a week, and predictions, links and sessions that ended more than `days` ago. */
  prune(days: number): Promise<void>
}

/** What came of the windows shown in the last 30 days, by time to go when they were shown. */
export interface EtaReport {
  readonly horizons: {
    /** From this many seconds to go up to the next entry's. */
    readonly from: number
    readonly shown: number
    /** Share of outcomes inside the window; 0.8 is meant. */
    readonly coverage: number
    /** Outcome less the middle of the window, s: median of its size, and its mean. */
    readonly medianError: number
    readonly bias: number
    /** Mean width of the window, s. */
    readonly width: number
  }[]
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
