// The order's life as one table: status and action in, next status or a refusal out. Code, docs and tests all read this table (O1).
import type { Millis } from './units.ts'

export const STATUSES = [
  'received',
  'processing',
  'shipped',
  'out_for_delivery',
  'delivered',
  'completed',
  'on_hold',
  'delivery_attempted',
  'available_for_pickup',
  'returning',
  'returned',
  'cancelled',
  'lost',
] as const
export type OrderStatus = (typeof STATUSES)[number]

/** What can be done to an order, and the type of the event that tells of it. */
export const ACTIONS = {
  /** Put on a run. */
  process: 'order.processed',
  ship: 'order.shipped',
  hold: 'order.held',
  release: 'order.released',
  /** The run has a driver: the parcel is loaded. */
  assign: 'order.assigned',
  /** Taken off the run, or the run lost its driver. */
  unassign: 'order.unassigned',
  /** The run is on its way. */
  start: 'order.started',
  /** The vehicle stands at the door; the status stays. */
  arrive: 'order.arrived',
  deliver: 'order.delivered',
  fail: 'order.failed',
  retry: 'order.retried',
  make_available: 'order.made_available',
  return: 'order.return_started',
  receive_return: 'order.returned',
  complete: 'order.completed',
  cancel: 'order.cancelled',
  lose: 'order.lost',
  find: 'order.found',
} as const satisfies Record<string, `order.${string}`>
export type OrderAction = keyof typeof ACTIONS

/**
 * Every arrow there is: anything absent is refused. `live` statuses may show a window and, gate permitting, a position (V2);
 * in all others not one byte of position leaves the server (V4). A status without arrows is terminal.
 */
export const LIFE: Readonly<
  Record<OrderStatus, { readonly live: boolean; readonly on: Readonly<Partial<Record<OrderAction, OrderStatus>>> }>
> = {
  received: { live: false, on: { process: 'processing', hold: 'on_hold', cancel: 'cancelled' } },
  processing: {
    live: false,
    on: {
      process: 'processing',
      ship: 'shipped',
      assign: 'shipped',
      unassign: 'processing',
      hold: 'on_hold',
      cancel: 'cancelled',
      lose: 'lost',
    },
  },
  shipped: {
    live: false,
    on: {
      assign: 'shipped',
      unassign: 'processing',
      start: 'out_for_delivery',
      hold: 'on_hold',
      return: 'returning',
      cancel: 'cancelled',
      lose: 'lost',
    },
  },
  out_for_delivery: {
    live: true,
    on: {
      assign: 'out_for_delivery',
      unassign: 'processing',
      arrive: 'out_for_delivery',
      deliver: 'delivered',
      fail: 'delivery_attempted',
      hold: 'on_hold',
      return: 'returning',
      cancel: 'cancelled',
      lose: 'lost',
    },
  },
  delivered: { live: false, on: { complete: 'completed', return: 'returning' } },
  completed: { live: false, on: {} },
  on_hold: { live: false, on: { release: 'received', return: 'returning', cancel: 'cancelled', lose: 'lost' } },
  delivery_attempted: {
    live: false,
    on: {
      // somebody came to the door after all, while the parcel was still there
      deliver: 'delivered',
      retry: 'processing',
      make_available: 'available_for_pickup',
      return: 'returning',
      cancel: 'cancelled',
      lose: 'lost',
    },
  },
  available_for_pickup: { live: false, on: { deliver: 'delivered', return: 'returning', lose: 'lost' } },
  returning: { live: false, on: { retry: 'processing', receive_return: 'returned', lose: 'lost' } },
  returned: { live: false, on: {} },
  cancelled: { live: false, on: {} },
  lost: { live: false, on: { find: 'processing' } },
}

/** The status after an action, or null when the table has no such arrow: the caller answers TRANSITION with the current version. */
export const next = (status: OrderStatus, action: OrderAction): OrderStatus | null => LIFE[status].on[action] ?? null

/** Why a delivery attempt failed. */
export const FAIL_REASONS = ['nobody_home', 'wrong_address', 'no_access', 'refused', 'damaged', 'other'] as const
export type FailReason = (typeof FAIL_REASONS)[number]

/** One dated entry of an order's history (O3). `occurredAt` is when it happened, `recordedAt` when we wrote it down. */
export interface OrderEvent {
  readonly id: string
  readonly type: string
  readonly version: 1
  readonly orderId: string
  readonly sequence: number
  readonly occurredAt: Millis
  readonly recordedAt: Millis
  readonly source: 'driver' | 'dispatcher' | 'geofence' | 'system' | 'merchant' | 'customer'
  /** It became known after something later had. */
  readonly late: boolean
  readonly data: Readonly<Record<string, unknown>>
}
