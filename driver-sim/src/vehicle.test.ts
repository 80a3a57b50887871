import { distance, ruler, turn } from '@doorstep/shared/geo'
import { random } from '@doorstep/shared/random'
import { headingAt, route } from '@doorstep/shared/route'
import type { LngLat } from '@doorstep/shared/units'
import { expect, test } from 'vitest'
import { HONEST, inTunnel, look, newGps } from './gps.ts'
import { type Deed, drive, parkedAt, road, secondsBefore, truth, type Vehicle } from './vehicle.ts'

const r = ruler(57.7)
const at = (x: number, y: number): LngLat => [11.95 + x / r.kx, 57.7 + y / r.ky]
/** 1 km east, a right angle, 1 km south, a hairpin, 500 m back north. */
const line = [at(0, 0), at(500, 0), at(1000, 0), at(1000, -1000), at(1003, -1000), at(1003, -500)]
const planned = [50, 50, 80, 1, 50]
const doors = [
  { stopId: 'a', along: 700, service: 40 },
  { stopId: 'b', along: 1600, service: 60 },
  { stopId: 'c', along: 1600, service: 20 },
]
const make = (seed: number, top?: number) =>
  road(route(line, planned), { seconds: 231, doors, rng: random(seed), ...(top ? { top } : {}) })

function trip(seed: number, dt = 1, top?: number) {
  const on = make(seed, top)
  const track: Vehicle[] = [parkedAt(0)]
  const deeds: Deed[] = []
  while (track.at(-1)!.doing !== 'parked' && track.length < 5000) {
    const r = drive(on, track.at(-1)!, dt)
    track.push(r.vehicle)
    deeds.push(...r.deeds)
  }
  return { on, track, deeds }
}

test('the same seed drives the same van, to the last digit; another seed another one', () => {
  const fixes = (seed: number) => {
    const { on, track } = trip(seed)
    const rng = random(seed).fork('gps')
    let gps = newGps
    return track.flatMap((v) => {
      const r = look(
        gps,
        truth(on, v),
        { t: v.t, dt: 1, clock: 1e12 + v.t * 1000 },
        { ...HONEST, jumps: 0.02, duplicates: 0.02, gaps: 0.01 },
        rng,
      )
      gps = r.gps
      return r.fixes
    })
  }
  expect(fixes(7)).toEqual(fixes(7))
  expect(fixes(7)).not.toEqual(fixes(8))
})

test('a van serves every door in order for as long as it takes, and then parks at the end', () => {
  for (let seed = 1; seed <= 30; seed++) {
    const { on, track, deeds } = trip(seed)
    expect(deeds.map((d) => `${d.kind} ${d.stopId}`)).toEqual([
      'arrived a',
      'served a',
      'arrived b',
      'served b',
      'arrived c',
      'served c',
    ])
    expect(deeds[1]!.t - deeds[0]!.t).toBeCloseTo(40, 6)
    expect(deeds[4]!.t - deeds[3]!.t).toBeLessThan(1)
    const standing = track.filter((v) => v.doing === 'serving')
    expect(standing.every((v) => v.speed === 0 && doors.some((d) => Math.abs(d.along - v.along) <= 0.6))).toBe(true)
    expect(on.route.length - track.at(-1)!.along).toBeLessThan(0.6)
  }
})

test('a van obeys physics: never back, never faster than its road, never harder on the pedals than a person', () => {
  for (let seed = 1; seed <= 30; seed++) {
    const { track } = trip(seed, 0.5)
    for (let i = 1; i < track.length; i++) {
      const [a, b] = [track[i - 1]!, track[i]!]
      expect(b.along).toBeGreaterThanOrEqual(a.along)
      expect(b.speed).toBeLessThanOrEqual(12.5 * 1.1 + 0.01)
      expect(b.speed - a.speed).toBeLessThanOrEqual(0.81)
      // Cells are 5 m: braking is smooth over a second or two, not within each half second.
      expect(a.speed - b.speed).toBeLessThanOrEqual(2.5)
    }
  }
})

test('bends are slower than straights, and a hairpin slower than a corner', () => {
  const { on, track } = trip(3, 0.5)
  const slowest = (from: number, to: number) =>
    Math.min(...track.filter((v) => v.along >= from && v.along <= to).map((v) => v.speed))
  const near = (along: number) => on.allowed[Math.round(along / 5)]!
  expect(near(1000)).toBeLessThan(6.5)
  expect(near(2003)).toBeLessThan(4.5)
  expect(near(400)).toBeGreaterThan(9)
  expect(slowest(995, 1005)).toBeLessThanOrEqual(6.5)
})

test('a van waits at a red light and goes at green', () => {
  const waits = Array.from(
    { length: 40 },
    (_, seed) => trip(seed).track.filter((v) => v.doing === 'driving' && v.speed === 0 && v.along > 20).length,
  )
  expect(waits.filter((w) => w > 3).length).toBeGreaterThan(8)
  expect(Math.max(...waits)).toBeLessThan(150)
})

test('steps of a tenth and of ten seconds end at the same door at nearly the same time', () => {
  const times = [0.1, 1, 10].map((dt) => trip(5, dt).deeds.at(-1)!.t)
  expect(Math.max(...times) - Math.min(...times)).toBeLessThan(40)
})

test('a van can be placed a given time before its next door', () => {
  const on = make(11)
  let van = { ...parkedAt(0), ...secondsBefore(on, 0, 45) }
  expect(van.speed).toBeGreaterThan(2)
  let t = 0
  while (van.doing === 'driving' && t < 300) {
    van = drive(on, van, 1).vehicle
    t++
  }
  expect(van.along).toBeCloseTo(700, 0)
  expect(t).toBeGreaterThan(30)
  expect(t).toBeLessThan(90)
  expect(secondsBefore(on, 650, 500)).toEqual({ along: 650, speed: 0 })
})

test('noise is as wide as it says, keeps its direction for a while, and the accuracy told covers it', () => {
  const on = make(1)
  const van = truth(on, parkedAt(300))
  const rng = random(42)
  let gps = newGps
  const errors: number[] = []
  let together = 0
  let covered = 0
  for (let i = 0; i < 20_000; i++) {
    const before = gps
    const r = look(gps, van, { t: i, dt: 1, clock: i * 1000 }, { ...HONEST, jumps: 0, gaps: 0, duplicates: 0 }, rng)
    gps = r.gps
    const fix = r.fixes[0]!
    const error = distance(van.at, [fix.lon, fix.lat])
    errors.push(error)
    together += before.east * gps.east
    if (error <= fix.acc!) covered++
  }
  const mean = errors.reduce((a, b) => a + b) / errors.length
  expect(mean).toBeGreaterThan(4) // Rayleigh: sigma × 1.253
  expect(mean).toBeLessThan(6)
  expect(together / 20_000 / 16).toBeGreaterThan(0.8)
  expect(covered / 20_000).toBeGreaterThan(0.6)
})

test('a phone has gaps, tunnels, wild fixes and repetitions when told to, and says nothing of a heading while it stands', () => {
  const on = make(1)
  const rng = random(9)
  const run = (options: Partial<typeof HONEST>, along = 300) => {
    let gps = newGps
    const v = truth(on, { ...parkedAt(along), speed: 9 })
    return Array.from({ length: 4000 }, (_, t) => {
      const r = look(gps, v, { t, dt: 1, clock: t * 1000 }, { ...HONEST, jumps: 0, gaps: 0, duplicates: 0, ...options }, rng)
      gps = r.gps
      return { fixes: r.fixes, v }
    })
  }
  expect(run({ gaps: 0.01 }).filter((r) => r.fixes.length === 0).length).toBeGreaterThan(100)
  expect(run({ duplicates: 0.02 }).filter((r) => r.fixes.length === 2).length).toBeGreaterThan(40)
  const wild = run({ jumps: 0.01 }).filter((r) => r.fixes.some((f) => distance(r.v.at, [f.lon, f.lat]) > 120))
  expect(wild.length).toBeGreaterThan(20)
  expect(wild.length).toBeLessThan(80)
  const dark = Array.from({ length: 600 }, (_, i) => i * 5).filter(inTunnel)
  expect(dark.length).toBeGreaterThan(20)
  expect(run({ tunnels: true }, dark[3]!).every((r) => r.fixes.length === 0)).toBe(true)
  const still = look(newGps, truth(on, parkedAt(300)), { t: 1, dt: 1, clock: 0 }, HONEST, rng)
  expect(still.fixes[0]?.hdg).toBeNull()
})

test('a van keeps to its own side of the road', () => {
  const on = make(1)
  const t = truth(on, parkedAt(300))
  expect(turn(t.heading, headingAt(on.route, 300))).toBe(0)
  expect(distance(t.at, at(300, 0))).toBeGreaterThan(1.5)
  expect(t.at[1]).toBeLessThan(57.7) // eastbound: its right is south
})
