// An instant and a street in, one view for each state that the customer's page was designed for out. For tests and pictures, never shipped.
import { pointAt, route } from '@doorstep/shared/route'
import type { OrderView, TrackView } from '@doorstep/shared/track'
import type { LngLat, Millis } from '@doorstep/shared/units'

const MINUTE = 60_000

export type StateName =
  | 'received'
  | 'preparing'
  | 'packed'
  | 'no-position'
  | 'far'
  | 'near'
  | 'near-other-door'
  | 'next'
  | 'approaching'
  | 'here'
  | 'changed'
  | 'late'
  | 'overdue'
  | 'delayed'
  | 'stale'
  | 'no-signal'
  | 'detour'
  | 'delivered'
  | 'failed'
  | 'on-hold'
  | 'pickup'
  | 'returning'
  | 'cancelled'
  | 'lost'

/** All states at `now` on the server's clock. `street` is the last way to the door, at least two places. */
export function customerStates(now: Millis, street: readonly LngLat[]): Record<StateName, OrderView> {
  const way = route(street)
  const door = street.at(-1)!
  const at = (share: number): LngLat => pointAt(way, way.length * share)
  const ago = (minutes: number): Millis => now - minutes * MINUTE
  const ahead = (minutes: number): Millis => now + minutes * MINUTE
  const from = (share: number): LngLat[] => [at(share), ...street.filter((_, i) => way.cum[i]! > way.length * share)]

  const track = (more: Partial<TrackView> = {}): TrackView => ({
    t: now - 1_000,
    now,
    vehicle: null,
    hidden: 'too_far',
    eta: { kind: 'window', from: ahead(22), to: ahead(31), mid: ahead(26), detour: false },
    stopsLeft: 6,
    remaining: null,
    phase: 'enroute',
    offRoute: false,
    interval: 1,
    kept: true,
    pathV: 0,
    ...more,
  })
  const seen = (share: number, more: Partial<TrackView> = {}): TrackView =>
    track({
      vehicle: { at: at(share), heading: 40, speed: 9, accuracy: 6 },
      hidden: null,
      stopsLeft: 2,
      remaining: way.length * (1 - share),
      ...more,
    })
  const next = (share: number, minutes: number, more: Partial<TrackView> = {}): TrackView =>
    seen(share, {
      stopsLeft: 1,
      pathV: 1,
      path: from(share),
      eta: { kind: 'window', from: ahead(minutes - 1), to: ahead(minutes + 2), mid: ahead(minutes), detour: false },
      ...more,
    })
  const dark = (hidden: TrackView['hidden'], why: 'not_started' | 'no_position' | 'finished'): TrackView =>
    track({ t: 0, hidden, eta: { kind: 'unknown', why }, stopsLeft: null })

  const early: OrderView['steps'] = [
    { status: 'received', at: ago(95) },
    { status: 'processing', at: ago(70) },
  ]
  const going: OrderView['steps'] = [...early, { status: 'out_for_delivery', at: ago(24) }]
  const view = (more: Partial<OrderView>): OrderView => ({
    epoch: 'fixture',
    ev: 7,
    now,
    number: 'DS-7K3M9Q',
    merchant: 'Linden Books',
    recipient: 'Maja Ek',
    status: 'out_for_delivery',
    steps: going,
    door: { at: door, label: 'Vasagatan 12' },
    window: { from: ahead(22), to: ahead(31), since: ago(4), reason: 'first' },
    promise: { from: ahead(20), to: ahead(35) },
    attempt: null,
    driver: { name: 'Elif', alias: 'k3f9', vehicle: 'White van' },
    track: track(),
    ...more,
  })
  const before = { window: null, driver: null, track: dark('not_started', 'not_started') }
  const after = { window: null, track: dark('finished', 'finished') }
  const soon = (minutes: number, reason: NonNullable<OrderView['window']>['reason'] = 'first') => ({
    from: ahead(minutes - 3),
    to: ahead(minutes + 4),
    since: ago(2),
    reason,
  })

  return {
    received: view({ status: 'received', steps: [{ status: 'received', at: ago(3) }], promise: null, ...before }),
    preparing: view({ status: 'processing', steps: early, promise: null, ...before }),
    packed: view({ status: 'shipped', steps: [...early, { status: 'shipped', at: ago(12) }], promise: null, ...before }),
    'no-position': view({ window: null, promise: null, track: dark('no_position', 'no_position') }),
    far: view({}),
    near: view({
      window: soon(11),
      promise: soon(9),
      track: seen(0.1, { eta: { kind: 'window', from: ahead(8), to: ahead(15), mid: ahead(11), detour: false } }),
    }),
    'near-other-door': view({
      window: soon(9),
      promise: soon(9),
      track: track({
        hidden: 'near_other_door',
        stopsLeft: 2,
        eta: { kind: 'window', from: ahead(6), to: ahead(13), mid: ahead(9), detour: false },
      }),
    }),
    next: view({ window: soon(5), promise: soon(5), track: next(0.3, 5) }),
    approaching: view({
      window: { ...soon(1), from: ago(2), to: ahead(3) },
      promise: soon(2),
      track: next(0.88, 1, { phase: 'approaching' }),
    }),
    here: view({
      window: { ...soon(1), from: ago(3), to: ahead(2) },
      promise: soon(2),
      track: next(0.995, 1, { phase: 'arrived', remaining: 5 }),
    }),
    changed: view({ window: soon(14, 'stops_faster'), promise: soon(17), track: seen(0.05, { stopsLeft: 3 }) }),
    late: view({
      window: soon(28, 'stop_took_longer'),
      promise: { from: ago(2), to: ahead(9) },
      track: seen(0.05, { stopsLeft: 3, eta: { kind: 'window', from: ahead(25), to: ahead(32), mid: ahead(28), detour: false } }),
    }),
    overdue: view({
      window: { from: ago(14), to: ago(3), since: ago(20), reason: 'pace' },
      promise: { from: ago(14), to: ago(3) },
      track: seen(0.2, { eta: { kind: 'unknown', why: 'no_route' } }),
    }),
    delayed: view({ window: soon(11), promise: soon(11), track: seen(0.2, { t: now - 38_000 }) }),
    stale: view({
      window: soon(11),
      promise: soon(11),
      track: next(0.25, 9, { t: now - 95_000, eta: { kind: 'unknown', why: 'stale' } }),
    }),
    'no-signal': view({
      window: soon(16, 'signal_lost'),
      promise: soon(11),
      track: seen(0.2, { t: now - 8 * MINUTE, eta: { kind: 'unknown', why: 'stale' } }),
    }),
    detour: view({ window: soon(9, 'detour'), promise: soon(7), track: seen(0.3, { offRoute: true, stopsLeft: 1 }) }),
    delivered: view({ status: 'delivered', steps: [...going, { status: 'delivered', at: ago(2) }], ...after }),
    failed: view({
      status: 'delivery_attempted',
      steps: [...going, { status: 'delivery_attempted', at: ago(6) }],
      attempt: { reason: 'nobody_home', at: ago(6) },
      ...after,
    }),
    'on-hold': view({ status: 'on_hold', steps: [...early, { status: 'on_hold', at: ago(10) }], promise: null, ...before }),
    pickup: view({ status: 'available_for_pickup', steps: [...going, { status: 'available_for_pickup', at: ago(30) }], ...after }),
    returning: view({ status: 'returning', steps: [...going, { status: 'returning', at: ago(15) }], ...after }),
    cancelled: view({
      status: 'cancelled',
      steps: [...early, { status: 'cancelled', at: ago(20) }],
      promise: null,
      ...before,
      track: dark('finished', 'finished'),
    }),
    lost: view({ status: 'lost', steps: [...going, { status: 'lost', at: ago(5) }], ...after }),
  }
}
