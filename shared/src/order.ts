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

/** What can be done to an order; the event type is `order.<past tense>`. */
export const ACTIONS = [
  'process',
  'ship',
  'hold',
  'release',
  'assign',
  'unassign',
  'start',
  'arrive',
  'deliver',
  'fail',
  'retry',
  'make_available',
  'return',
  'receive_return',
  'complete',
  'cancel',
  'lose',
  'find',
] as const
export type OrderAction = (typeof ACTIONS)[number]

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
