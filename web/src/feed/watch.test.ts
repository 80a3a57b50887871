import type { OrderView, TrackView } from '@doorstep/shared/track'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { NOTHING, stepWatch, type Watch, type WatchEvent } from './watch.ts'

const track = (t: number, more: Partial<TrackView> = {}): TrackView => ({
  t,
  now: t + 100,
  vehicle: t === 0 ? null : { at: [11.97, 57.7 + t / 1e9], heading: 0, speed: 8, accuracy: 5 },
  hidden: t === 0 ? 'finished' : null,
  eta: { kind: 'unknown', why: 'no_position' },
  stopsLeft: 2,
  remaining: 900,
  phase: 'enroute',
  offRoute: false,
  interval: 1,
  kept: true,
  pathV: 0,
  ...more,
})
const view = (ev: number, more: Partial<OrderView> = {}): OrderView => ({
  epoch: 'a',
  ev,
  now: 1_000 + ev,
  number: 'DS-1',
  merchant: 'Shop',
  recipient: 'Maja',
  status: 'out_for_delivery',
  steps: [],
  door: { at: [11.97, 57.7], label: 'Door 1' },
  window: null,
  promise: null,
  attempt: null,
  driver: null,
  track: track(1_000),
  ...more,
})
const run = (events: WatchEvent[], from: Watch = NOTHING) => events.reduce(stepWatch, from)
const order = (ev: number, more: Partial<OrderView> = {}): WatchEvent => ({ type: 'order', view: view(ev, more), at: 2_000 })
const snapshot = (ev: number, more: Partial<OrderView> = {}): WatchEvent => ({ type: 'snapshot', view: view(ev, more), at: 2_000 })
const moved = (t: number, more: Partial<TrackView> = {}): WatchEvent => ({ type: 'track', track: track(t, more), at: 2_000 })
const beat = (ev: number, t: number): WatchEvent => ({ type: 'hb', ev, t, now: 3_000, at: 3_000 })

test('[T3] of the position lane the newest fix wins, in any order of arrival and with repetitions', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1_001, max: 60_000 }), { minLength: 1, maxLength: 40 }), (times) => {
      const end = run([snapshot(3), ...times.map((t) => moved(t))])
      expect(end.track?.t).toBe(Math.max(...times))
      expect(end.pv).toBe(Math.max(...times))
    }),
  )
})

test('[T3] the marker never goes back: an older fix is dropped, the same fix rendered later is taken', () => {
  const before = run([snapshot(3), moved(5_000)])
  expect(run([moved(4_000)], before).track?.t).toBe(5_000)
  const later = run([moved(5_000, { now: 9_000, phase: 'arrived' })], before)
  expect(later.track?.phase).toBe('arrived')
})

test('[V4] after a terminal state a track without a fix takes the vehicle away, and an old one does not bring it back', () => {
  const end = run([snapshot(3), moved(5_000), moved(0, { now: 6_000 }), moved(4_900)])
  expect(end.track?.vehicle).toBeNull()
  expect(end.track?.hidden).toBe('finished')
})

test('[F] state lane: older and repeated views are dropped, the next one is applied without asking', () => {
  const end = run([
    snapshot(3),
    order(3, { status: 'cancelled' }),
    order(2, { status: 'cancelled' }),
    order(4, { status: 'delivered' }),
  ])
  expect(end.view).toMatchObject({ ev: 4, status: 'delivered' })
  expect(end.ask).toBeNull()
})

test('[F] a gap in the state lane asks for sync', () => {
  const end = run([snapshot(3), order(5)])
  expect(end).toMatchObject({ ask: 'sync', view: { ev: 5 } })
  expect(run([{ type: 'asked' }, snapshot(5)], end).ask).toBeNull()
})

test('[F] a heartbeat that knows a newer state asks for sync at once; a newer fix only when two in a row know it', () => {
  const calm = run([snapshot(3)])
  expect(run([beat(4, 1_000)], calm).ask).toBe('sync')
  expect(run([beat(3, 2_000)], calm).ask).toBeNull()
  expect(run([beat(3, 2_000), moved(2_000), beat(3, 3_000)], calm).ask).toBeNull()
  expect(run([beat(3, 2_000), beat(3, 3_000)], calm).ask).toBe('sync')
})

test('[F] another epoch means a restored database: nothing old is kept, the subscription is made anew', () => {
  const told = run([snapshot(9), moved(50_000), order(2, { epoch: 'b' })])
  expect(told).toMatchObject({ ask: 'watch', view: { epoch: 'a', ev: 9 } })
  const anew = run([{ type: 'asked' }, snapshot(2, { epoch: 'b' })], told)
  expect(anew).toMatchObject({ ask: null, pv: 1_000, view: { epoch: 'b', ev: 2 } })
})

test('[F] each new connection and each return of the tab asks', () => {
  expect(run([snapshot(3), { type: 'linked' }]).ask).toBe('watch')
  expect(run([snapshot(3), { type: 'woken' }]).ask).toBe('sync')
})

test('[F] an answer that was overtaken by a newer view changes nothing', () => {
  const end = run([snapshot(3), order(4, { status: 'delivered' }), snapshot(3)])
  expect(end.view).toMatchObject({ ev: 4, status: 'delivered' })
})

test('[V3] the path is dropped when none may be seen, asked for when another one holds, and an answer never asks again', () => {
  const line = [
    [11.9, 57.7],
    [11.91, 57.7],
  ] as const
  const shown = run([snapshot(3, { track: track(1_000, { pathV: 1, path: line }) })])
  expect(shown.path).toEqual({ v: 1, line })
  expect(run([moved(2_000, { pathV: 1 })], shown).path?.v).toBe(1)
  expect(run([moved(2_000, { pathV: 0 })], shown).path).toBeNull()
  const changed = run([moved(2_000, { pathV: 2 })], shown)
  expect(changed).toMatchObject({ ask: 'sync', path: null })
  expect(run([{ type: 'asked' }, snapshot(3, { now: 2_100, track: track(2_000, { pathV: 2 }) })], changed).ask).toBeNull()
  const late = run(
    [{ type: 'asked' }, moved(3_000, { pathV: 2 }), snapshot(3, { now: 2_600, track: track(2_500, { pathV: 2, path: line }) })],
    changed,
  )
  expect(late).toMatchObject({ track: { t: 3_000 }, path: { v: 2 } })
})

test('[V3] an empty path is a path of its version: it is not asked for again', () => {
  const end = run([snapshot(3, { track: track(1_000, { pathV: 1, path: [] }) }), moved(2_000, { pathV: 1 })])
  expect(end).toMatchObject({ ask: null, path: { v: 1, line: [] } })
})

test('[V5] with a new driver the view decides, though his newest fix is older', () => {
  const driver = (alias: string) => ({ name: 'Ida', alias, vehicle: 'van' })
  const before = [snapshot(3, { driver: driver('one') }), moved(50_000)]
  const after = (alias: string) => order(4, { driver: driver(alias), track: track(20_000, { now: 60_000 }) })
  expect(run([...before, after('two'), moved(21_000)]).track?.t).toBe(21_000)
  // [T3] Of the same driver a server that forgot what it could not keep turns nothing back.
  expect(run([...before, after('one'), moved(21_000)]).track?.t).toBe(50_000)
})

test('[T3] a position that overtook the first view is not turned back by it', () => {
  expect(run([moved(50_000), snapshot(3, { track: track(20_000, { now: 21_000 }) })]).track?.t).toBe(50_000)
})

test('[T8] an answer out of the cache does not hold back the clock, however often it comes', () => {
  const first: WatchEvent = { type: 'snapshot', view: view(3, { now: 10_000 }), at: 10_000 }
  const later = Array.from({ length: 20 }, (_, i): WatchEvent => ({ ...first, at: 20_000 + i * 10_000 }))
  expect(run([first, ...later]).offset).toBe(0)
})

test('[T8] the clock offset follows the least delayed of the last messages', () => {
  const end = run([
    { type: 'snapshot', view: view(3, { now: 10_000 }), at: 9_000 },
    { type: 'track', track: track(10_500, { now: 10_900 }), at: 9_700 },
    { type: 'hb', ev: 3, t: 0, now: 12_000, at: 12_500 },
  ])
  expect(end.offset).toBe(1_200)
})
