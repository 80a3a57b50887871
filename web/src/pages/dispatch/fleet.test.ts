// What the fleet feed's messages add up to.
import type { DriverRow } from '@doorstep/shared/api'
import { decodeFrame, fleetCounts, fleetTick, type Mover, type Positions } from '@doorstep/shared/frame'
import type { DriverNo } from '@doorstep/shared/units'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { nearest } from './candidates.tsx'
import { clustersFrom, clustersOf, toneOf } from './clusters.ts'
import { type Fleet, fleet, placeOf } from './fleet.ts'
import { cheapest } from './insertion.ts'
import { listOf, stepTo } from './list.ts'
import { isSilent, lookOf, standing } from './standing.ts'

const NOW = 1_800_000_000_000
function aRow(no: number, over: Partial<DriverRow> = {}): DriverRow {
  return {
    id: `d${no}`,
    no,
    name: `Driver ${no}`,
    vehicle: `V${1000 + no}`,
    v: 1,
    run: { id: `r${no}`, stops: 5, done: 1, nextStop: 1 },
    last: { at: [11.96, 57.7], heading: 90, speed: 8, t: NOW - 1000 },
    interval: 1,
    phase: 'enroute',
    offRoute: false,
    late: 0,
    window: null,
    kept: true,
    ...over,
  }
}
const roster = (drivers: DriverRow[], epoch = 'e1') => ({ epoch, now: NOW, drivers })
function aFrame(movers: Mover[], now: number): Positions {
  const by = new Map(movers.map((m) => [m.no, m]))
  const bytes = fleetTick([...by.keys()], (no) => by.get(no)!, now).frame([-180, -90, 180, 90])!
  const decoded = decodeFrame(bytes)
  if (!decoded.ok || decoded.value.kind !== 'positions') throw new Error('not a frame')
  return decoded.value
}
const mover = (no: number, lng: number, lat: number): Mover => ({ no: no as DriverNo, at: [lng, lat], heading: 44, speed: 5 })
const filled = (drivers: DriverRow[]): Fleet => {
  const f = fleet()
  f.roster(roster(drivers))
  f.review(NOW)
  return f
}

test('[T8] whoever was not heard within the expected interval is never drawn as live', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 400_000 }),
      fc.integer({ min: 1, max: 60 }),
      fc.constantFrom('enroute', 'arrived'),
      fc.boolean(),
      (age, interval, phase, late) => {
        const s = standing(aRow(1, { interval, phase: phase as 'enroute', late: late ? 300 : 0 }), NOW - age, NOW)
        const live = age < 60_000 && age <= Math.max(15_000, 2000 * interval)
        expect(lookOf(s) === 'silent').toBe(!live)
        expect(isSilent(s)).toBe(age >= 60_000)
      },
    ),
  )
})

test('[T8] an idle driver who went home long ago is on the list but not on the map', () => {
  const s = standing(aRow(1, { run: null, phase: 'idle' }), NOW - 3_600_000, NOW)
  expect(lookOf(s)).toBeNull()
  expect(isSilent(s)).toBe(false)
})

test('a row that is older than the one known changes nothing, whatever order rows come in', () => {
  fc.assert(
    fc.property(fc.shuffledSubarray([1, 2, 3, 4, 5, 6], { minLength: 1 }), (versions) => {
      const f = fleet()
      f.roster(roster([aRow(1, { v: 0, name: 'v0' })]))
      for (const v of versions) f.driver(aRow(1, { v, name: `v${v}` }))
      expect(f.vehicles.get('d1')!.row.name).toBe(`v${Math.max(...versions)}`)
    }),
  )
})

test('[T3] a position never goes back in time, whether rows or frames bring it', () => {
  const f = filled([aRow(1)])
  expect(f.frame(aFrame([mover(1, 11.97, 57.71)], NOW))).toEqual([0])
  expect(f.frame(aFrame([mover(1, 11.99, 57.72)], NOW - 500))).toEqual([])
  f.driver(aRow(1, { v: 2, last: { at: [11.5, 57.5], heading: null, speed: null, t: NOW - 10 } }))
  expect(placeOf(f.vehicles.get('d1')!)![0]).toBeCloseTo(11.97, 5)
  f.driver(aRow(1, { v: 3, last: { at: [11.98, 57.7], heading: null, speed: null, t: NOW + 900 } }))
  expect(placeOf(f.vehicles.get('d1')!)).toEqual([11.98, 57.7])
})

test('a roster after a reconnect is exact: who is gone is gone, slots are used again, a newer row is kept', () => {
  const f = filled([aRow(1), aRow(2), aRow(3)])
  f.driver(aRow(3, { v: 9, name: 'Nine' }))
  f.roster(roster([aRow(1), aRow(3, { v: 8, name: 'Eight' }), aRow(4)]))
  expect([...f.vehicles.keys()].sort()).toEqual(['d1', 'd3', 'd4'])
  expect(f.vehicles.get('d3')!.row.name).toBe('Nine')
  expect(f.vehicles.get('d4')!.slot).toBe(1)
  expect(f.takeRemoved()).toEqual([])
  f.roster(roster([aRow(1), aRow(3, { v: 8 })]))
  expect(f.takeRemoved()).toEqual([1])
})

test('a new epoch forgets everything, versions and alerts included', () => {
  const f = filled([aRow(1, { v: 50 })])
  f.alert({ id: 'a', kind: 'late', at: NOW, driverId: 'd1' })
  f.roster(roster([aRow(1, { v: 2, name: 'Restored' })], 'e2'))
  expect(f.vehicles.get('d1')!.row.name).toBe('Restored')
  expect(f.alerts).toEqual([])
})

test('a frame with a driver that the roster lacks asks for the roster, and the roster settles it', () => {
  const f = filled([aRow(1)])
  f.frame(aFrame([mover(7, 11.9, 57.7)], NOW))
  expect(f.strangers).toBe(true)
  f.roster(roster([aRow(1), aRow(7)]))
  expect(f.strangers).toBe(false)
})

test('an alert counts once, and reading the alerts clears the count but not the alerts', () => {
  const f = filled([aRow(1)])
  const alert = { id: 'a', kind: 'stale', at: NOW, driverId: 'd1' } as const
  f.alert(alert)
  f.alert(alert)
  expect(f.unread).toBe(1)
  f.readAlerts()
  expect([f.unread, f.alerts.length]).toEqual([0, 1])
})

test('review tells exactly whose standing changed, and tallies everybody', () => {
  const f = filled([aRow(1), aRow(2, { late: 600 }), aRow(3, { run: null, phase: 'idle' }), aRow(4, { phase: 'arrived' })])
  expect(f.tally).toEqual({ all: 4, late: 1, silent: 0, enroute: 1, at_stop: 1, idle: 1 })
  expect(f.review(NOW + 1)).toEqual([])
  f.frame(aFrame([mover(1, 11.97, 57.7)], NOW + 65_000))
  expect(f.review(NOW + 66_000)).toEqual([1, 2, 3])
  expect(f.tally.silent).toBe(2)
})

test('the list: worst lateness first, then the longest silence, then off route, the next window, idle last', () => {
  const window = (from: number) => ({ from, to: from + 600_000, since: NOW, reason: 'first' as const })
  const f = filled([
    aRow(1, { run: null, phase: 'idle' }),
    aRow(2, { window: window(NOW + 900_000) }),
    aRow(3, { late: 120 }),
    aRow(4, { last: { at: [11.9, 57.7], heading: null, speed: null, t: NOW - 70_000 } }),
    aRow(5, { late: 900 }),
    aRow(6, { window: window(NOW + 60_000) }),
    aRow(7, { last: { at: [11.9, 57.7], heading: null, speed: null, t: NOW - 700_000 } }),
    aRow(8, { offRoute: true }),
  ])
  const query = { filter: 'all', text: '', carriers: new Set<string>() } as const
  expect(listOf(f.vehicles.values(), query).map((v) => v.row.no)).toEqual([5, 3, 7, 4, 8, 6, 2, 1])
  expect(listOf(f.vehicles.values(), { ...query, filter: 'silent' }).map((v) => v.row.no)).toEqual([7, 4])
})

test('search finds every word in any order, without accents and case, and drivers who carry a found order', () => {
  const f = filled([aRow(1, { name: 'Åsa Nyström' }), aRow(2, { name: 'Nils Ek', vehicle: 'Asa van' }), aRow(3)])
  const found = (text: string, carriers: string[] = []) =>
    listOf(f.vehicles.values(), { filter: 'all', text, carriers: new Set(carriers) }).map((v) => v.row.no)
  expect(found('nystrom asa')).toEqual([1])
  expect(found('ASA').sort()).toEqual([1, 2])
  expect(found('DS-7K', ['d3'])).toEqual([3])
  expect(found('nobody')).toEqual([])
})

test('keys step through the list and never out of it', () => {
  expect(stepTo('ArrowDown', -1, 3, 10)).toBe(0)
  expect(stepTo('ArrowDown', 2, 3, 10)).toBe(2)
  expect(stepTo('ArrowUp', -1, 3, 10)).toBe(2)
  expect(stepTo('PageDown', 0, 30, 10)).toBe(10)
  expect(stepTo('End', 0, 30, 10)).toBe(29)
  expect(stepTo('x', 0, 30, 10)).toBeNull()
  expect(stepTo('ArrowDown', 0, 0, 10)).toBeNull()
})

test('clusters count everybody who is drawn, once', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.tuple(fc.double({ min: 11.8, max: 12.1, noNaN: true }), fc.double({ min: 57.6, max: 57.8, noNaN: true }), fc.boolean()),
        { maxLength: 60 },
      ),
      fc.double({ min: 8, max: 13, noNaN: true }),
      (places, zoom) => {
        const f = filled(
          places.map(([lng, lat, late], i) =>
            aRow(i + 1, { late: late ? 600 : 0, last: { at: [lng, lat], heading: null, speed: null, t: NOW } }),
          ),
        )
        const clusters = clustersOf(f.vehicles.values(), zoom, 60, () => true)
        expect(clusters.reduce((n, c) => n + c.count, 0)).toBe(places.length)
        expect(clusters.reduce((n, c) => n + c.late, 0)).toBe(places.filter((p) => p[2]).length)
      },
    ),
  )
})

test('a counting frame of a very large fleet becomes circles with its counts', () => {
  const decoded = decodeFrame(fleetCounts([mover(1, 11.965, 57.705), mover(2, 11.966, 57.706)], [11, 57, 13, 58], NOW))
  if (!decoded.ok || decoded.value.kind !== 'counts') throw new Error('not counts')
  const f = filled([aRow(1)])
  expect(f.frame(decoded.value)).toBeNull()
  const shown = clustersFrom(f.counts!)
  expect(shown.map((c) => c.count)).toEqual([2])
  expect(toneOf(shown[0]!)).toBe('live')
  expect(toneOf({ ...shown[0]!, count: 10, late: 1 })).toBe('late')
  expect(toneOf({ ...shown[0]!, count: 10, late: 0, silent: 6 })).toBe('silent')
})

test('a door is inserted where it adds the least way, never before a stop that is done', () => {
  const doors = [11.9, 11.92, 11.94, 11.96].map((lng) => [lng, 57.7] as const)
  expect(cheapest(doors, 0, [11.89, 57.7], [11.95, 57.7]).index).toBe(3)
  expect(cheapest(doors, 2, [11.93, 57.7], [11.91, 57.7]).index).toBeGreaterThanOrEqual(2)
  expect(cheapest([], 0, null, [11.9, 57.7])).toEqual({ index: 0, added: 0 })
  expect(cheapest(doors, 4, [11.96, 57.7], [11.9, 57.7]).index).toBe(4)
})

test('an order can be given to whoever is heard, the nearest first, and after them to the idle who are not, but to nobody silent on a run', () => {
  const at = (lng: number, age = 1_000) => ({ at: [lng, 57.7] as [number, number], heading: null, speed: null, t: NOW - age })
  const f = filled([
    aRow(1, { run: null, phase: 'idle', last: null }),
    aRow(2, { run: null, phase: 'idle', last: at(11.961, 9e6) }),
    aRow(3, { last: at(11.98) }),
    aRow(4, { last: at(11.97) }),
    aRow(5, { last: at(11.9601, 9e6) }),
  ])
  const found = nearest(f.vehicles.values(), [11.96, 57.7], 6)
  expect(found.map(({ v }) => v.row.no)).toEqual([4, 3, 2, 1])
  expect(found.at(-1)!.metres).toBeNull()
})
