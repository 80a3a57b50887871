import type { RunView } from '@doorstep/shared/api'
import type { DriverAct } from '@doorstep/shared/protocol'
import { expect, test } from 'vitest'
import { day } from './day.ts'
import { toFix } from './gps.ts'

type Status = RunView['stops'][number]['status']
const run = (status: RunView['status'], ...stops: Status[]): RunView => ({
  id: 'r',
  name: 'Round 7',
  status,
  version: 1,
  driverId: 'd',
  routeVersion: 1,
  route: { line: [], length: 0, seconds: 0, confidence: 'road', source: 'city' },
  stops: stops.map((s, i) => ({
    id: `s${i}`,
    orderId: `o${i}`,
    orderNumber: `DS-${i}`,
    label: `Door ${i}`,
    door: [11.9, 57.7],
    along: i * 100,
    service: 60,
    status: s,
    window: null,
    promise: null,
    note: null,
    recipient: 'R',
    orderStatus: 'out_for_delivery',
    orderVersion: 1,
  })),
  startedAt: 0,
})
const act = (type: DriverAct['type'], stop: number): DriverAct => ({ idemKey: `${type}-${stop}`, type, stopId: `s${stop}`, at: 1 })

test('the next stop is the first that is neither delivered nor failed nor cancelled', () => {
  const d = day(run('started', 'done', 'cancelled', 'failed', 'pending', 'pending'), [], new Set())
  expect(d).toMatchObject({ kind: 'under_way', settled: 2, next: { number: 3, stop: { id: 's3' } } })
  expect(d.stops.map((s) => s.stop.id)).toEqual(['s0', 's2', 's3', 's4'])
})

test('what was done here holds at once, is marked until the server has answered, and never turns the server’s word back', () => {
  const acts = [act('arrived', 0), act('delivered', 0), act('arrived', 1)]
  const d = day(run('started', 'pending', 'pending'), acts, new Set(['delivered-0', 'arrived-1']))
  expect(d.stops.map((s) => [s.status, s.sending])).toEqual([
    ['done', true],
    ['arrived', true],
  ])
  expect(d.next?.stop.id).toBe('s1')
  const later = day(run('started', 'failed', 'done'), acts, new Set())
  expect(later.stops.map((s) => s.status)).toEqual(['failed', 'done'])
  expect(later).toMatchObject({ kind: 'done', next: null })
})

test('a run that has not begun is shown without its buttons; a cancelled one and a draft not at all', () => {
  expect(day(run('assigned', 'pending'), [], new Set())).toMatchObject({ kind: 'planned', next: { number: 1 } })
  for (const status of ['draft', 'cancelled'] as const) expect(day(run(status, 'pending'), [], new Set()).kind).toBe('none')
  expect(day(run('finished', 'done'), [], new Set()).kind).toBe('done')
  expect(day(null, [], new Set()).kind).toBe('none')
})

test('a browser’s position becomes a fix: what it does not know stays null, and places keep a centimetre', () => {
  const coords = {
    latitude: 57.70720001234,
    longitude: 11.96680001234,
    accuracy: 7.3499,
    speed: null,
    heading: Number.NaN,
    altitude: null,
  }
  const fix = toFix({ timestamp: 1_700_000_000_000.7, coords } as unknown as GeolocationPosition)
  expect(fix).toEqual({ t: 1_700_000_000_001, lat: 57.7072, lon: 11.9668, acc: 7.3, spd: null, hdg: null, alt: null })
})
