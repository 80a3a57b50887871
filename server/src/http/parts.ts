// What the HTTP edge is handed; every part is a port, so that tests and app.ts wire it alike.
import type { DriverRow, Place } from '@doorstep/shared/api'
import type { OrderView } from '@doorstep/shared/track'
import type { Bbox, LngLat, Millis, OrderId } from '@doorstep/shared/units'
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import type { Rights } from '../auth.ts'
import type { Desk, Orders } from '../orders/port.ts'
import type { Router } from '../routing/port.ts'
import type { Journal } from '../store/journal.port.ts'

export interface HttpParts {
  readonly config: {
    /** Without a slash at its end. */
    readonly publicUrl: string
    readonly mapboxToken: string | null
    /** What express calls `trust proxy`: how many proxies, or which; false when clients connect directly. */
    readonly trustProxy: boolean | number | string
  }
  readonly city: { readonly name: string; readonly bbox: Bbox; readonly center: LngLat; readonly attribution: string }
  readonly orders: Orders & Desk
  readonly auth: Rights
  readonly router: Router
  readonly places: { near(at: LngLat, n?: number): Place[]; sample(n: number, seed: number): Place[] }
  /** Gzipped bytes, or null where there is nothing. */
  readonly tiles: { get(z: number, x: number, y: number): Uint8Array | null }
  readonly journal: Pick<Journal, 'trail'>
  /** What this order's customer may see now (tracking/view.ts); null for an unknown order. */
  readonly render: (order: OrderId) => Promise<OrderView | null>
  /** Every driver, with the live part. */
  readonly roster: () => Promise<DriverRow[]>
  readonly ready: () => Promise<Ready>
  readonly log: Logger
  /** The registry that `metricsApp` prints; the HTTP edge adds its own figures to it. */
  readonly metrics: Registry
  /** Folder of the built web pages: customer.html, dispatch.html, drive.html, assets/. */
  readonly webDist: string
  readonly now: () => Millis
}

/** `ready` is whether this node should get traffic; `degraded` names what works less well. */
export interface Ready {
  readonly ready: boolean
  readonly database: true | string
  readonly positions: true | string
  readonly router: true | string
  readonly degraded: readonly string[]
}
