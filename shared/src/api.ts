// The shapes of the HTTP API under /v1, both ways, as JSON carries them. Times are ms since the epoch, distances metres.
import type { OrderEvent, OrderStatus } from './order.ts'
import type { RunStop, ShownWindow } from './track.ts'
import type { LngLat, Metres, Millis, Seconds } from './units.ts'

export interface NewOrder {
  externalRef?: string
  merchant?: string
  recipient: { name: string; phone?: string; email?: string }
  address: { label: string; at: LngLat }
  /** Time spent at the door, s; 120 by default. */
  service?: Seconds
  /** What the shop promised, if it did. */
  window?: { from: Millis; to: Millis }
  note?: string
}
export interface OrderRow {
  id: string
  /** Readable, not secret: DS-7K3M9Q. */
  number: string
  externalRef: string | null
  merchant: string
  recipient: string
  address: { label: string; at: LngLat }
  note: string | null
  status: OrderStatus
  /** Sequence of the newest event; send it back as `expectedVersion`. */
  version: number
  runId: string | null
  stopId: string | null
  driverId: string | null
  window: ShownWindow | null
  promise: { from: Millis; to: Millis } | null
  createdAt: Millis
  updatedAt: Millis
}
/** POST /v1/orders → 201. The link's token is shown this once; only its hash is kept. */
export interface OrderCreated {
  order: OrderRow
  link: { id: string; token: string; url: string; expiresAt: Millis | null }
}
/** GET /v1/orders/:id */
export interface OrderDetail {
  order: OrderRow
  events: OrderEvent[]
}

export interface NewDriver {
  name: string
  vehicle?: string
}
/** POST /v1/drivers → 201. `url` opens the driver's page; the token is shown this once. */
export interface DriverCreated {
  driver: DriverRow
  device: { id: string; token: string; url: string }
}
/** What the roster says of a driver; state lane of /fleet, `v` grows with each change. */
export interface DriverRow {
  id: string
  no: number
  name: string
  vehicle: string
  v: number
  run: { id: string; stops: number; done: number; nextStop: number } | null
  /** Newest position known, whatever its age. */
  last: { at: LngLat; heading: number | null; speed: number | null; t: Millis } | null
  interval: Seconds
  phase: 'idle' | 'enroute' | 'approaching' | 'arrived'
  offRoute: boolean
  /** Seconds by which the worst stop ahead will miss its promise; 0 when none will. */
  late: Seconds
  /** Window of the next stop. */
  window: ShownWindow | null
  kept: boolean
}

export interface NewRun {
  name?: string
  driverId?: string
  /** Where the vehicle starts. */
  start: LngLat
  /** In driving order. */
  orders: string[]
}
/** GET /v1/runs/:id, and `run` to the driver. */
export interface RunView {
  id: string
  name: string
  status: 'draft' | 'assigned' | 'started' | 'finished' | 'cancelled'
  version: number
  driverId: string | null
  routeVersion: number
  /** The route's line; stops carry their metres along it. `confidence` is low when no router could be asked. */
  route: {
    line: LngLat[]
    length: Metres
    seconds: Seconds
    /** One a segment of `line`, where the router gave them. */
    segmentSeconds?: Seconds[] | null
    confidence: 'road' | 'low'
    source: string
  }
  stops: (RunStop & { note: string | null; recipient: string; orderStatus: OrderStatus; orderVersion: number })[]
  startedAt: Millis | null
}
export interface Place {
  label: string
  at: LngLat
}
/** GET /v1/city: what the page's map needs before it asks for tiles. */
export interface CityInfo {
  name: string
  bbox: [number, number, number, number]
  center: LngLat
  attribution: string
  mapboxToken: string | null
}

/** RFC 9457 problem details, plus our code and facts. */
export interface Problem {
  type: string
  title: string
  status: number
  code: string
  field?: string
  requestId: string
  [fact: string]: unknown
}
