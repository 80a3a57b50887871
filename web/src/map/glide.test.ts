import { distance, offset } from '@doorstep/shared/geo'
import { random } from '@doorstep/shared/random'
import { pointAt, type Route } from '@doorstep/shared/route'
import type { LngLat } from '@doorstep/shared/units'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { advance, type Glide, glidePath, haloRadius, resting, type Sighting, sight, topSpeed } from './glide.ts'

const START: LngLat = [11.95, 57.7]
/** Streets with corners: `seed` decides turns and lengths. */
function streets(seed: number, length: number): Route {
  const draw = random(seed)
  const line: LngLat[] = [START]
  let heading = 0
  for (let gone = 0; gone < length; ) {
    const step = 40 + draw() * 160
    heading += [0, 0, 90, -90, 30, -30][draw.int(6)]!
    line.push(offset(line.at(-1)!, step * Math.sin((heading * Math.PI) / 180), step * Math.cos((heading * Math.PI) / 180)))
    gone += step
  }
  return glidePath(line)!
}

/** Where a van truly is each 1/60 s: it accelerates to 12 m/s and stands 8 s each 450 m. */
function drive(path: Route): number[] {
  const truth: number[] = []
  let s = 0
  let v = 0
  let wait = 0
  let stop = 450
  while (s < path.length && truth.length < 60 * 400) {
    if (wait > 0) wait -= 1 / 60
    else {
      v = Math.min(Math.min(12, Math.sqrt(Math.max(0, 4.4 * (stop - s)))), v + 1.8 / 60)
      if (stop - s < 0.6) {
        wait = 8
        stop += 450
        v = 0
      }
      s += v / 60
    }
    truth.push(s)
  }
  return truth
}

/** Mean error in metres against the truth while fixes with 4 m of noise come each `interval` s with `latency` s. */
function meanError(interval: number, latency: number, snap: boolean): number {
  const path = streets(7, 5_000)
  const truth = drive(path)
  const draw = random(11)
  const at = (t: number) => truth[Math.max(0, Math.min(truth.length - 1, Math.round(t * 60)))]!
  const sightings: { arrives: number; seen: Sighting }[] = []
  for (let t = 0; t < truth.length / 60; t += interval) {
    const speed = Math.max(0, (at(t + 0.1) - at(t - 0.1)) / 0.2)
    const place = offset(pointAt(path, at(t)), draw.normal() * 4, draw.normal() * 4)
    sightings.push({ arrives: t + latency * (0.5 + draw()), seen: { t: t * 1000, at: place, speed, heading: null, interval } })
  }
  let g: Glide | null = null
  let next = 0
  let sum = 0
  let count = 0
  for (let frame = 0; frame < truth.length; frame++) {
    const now = frame / 60
    while (next < sightings.length && sightings[next]!.arrives <= now) g = sight(g, sightings[next++]!.seen, path, now * 1000)
    if (!g) continue
    g = advance(g, now * 1000)
    if (frame < 120) continue
    sum += distance(snap ? g.seen.at : g.at, pointAt(path, at(now)))
    count++
  }
  return sum / count
}

test.each([
  [1, 0.15, 4],
  [2, 0.15, 6],
  [5, 0.15, 11],
])(
  '[T8] fixes each %i s: the drawn place is on average within a few metres of the truth, and nearer than the last fix',
  (interval, latency, metres) => {
    const glide = meanError(interval, latency, false)
    expect(glide).toBeLessThan(metres)
    expect(glide).toBeLessThan(0.75 * meanError(interval, latency, true))
  },
)

test('[T4] along a path it never goes back and never outruns its bound, whatever the fixes say and however frames fall', () => {
  const fix = fc.record({
    wait: fc.integer({ min: 1, max: 9_000 }),
    ahead: fc.double({ min: -80, max: 140, noNaN: true }),
    speed: fc.option(fc.double({ min: 0, max: 40, noNaN: true })),
  })
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 50 }),
      fc.array(fix, { minLength: 1, maxLength: 25 }),
      fc.integer({ min: 5, max: 400 }),
      (seed, fixes, frame) => {
        const path = streets(seed, 3_000)
        let now = 0
        let s = 200
        let g = sight(null, { t: 0, at: pointAt(path, s), speed: 5, heading: null, interval: 1 }, path, 0)
        for (const { wait, ahead, speed } of fixes) {
          const end = now + wait
          while (now < end) {
            now = Math.min(end, now + frame)
            const before = g
            g = advance(g, now)
            if (g.mode !== 'along' || before.mode !== 'along') throw new Error('left the path')
            expect(g.s).toBeGreaterThanOrEqual(before.s)
            expect(g.s - before.s).toBeLessThanOrEqual((topSpeed(g) * frame) / 1000 + 1e-6)
          }
          s = Math.max(0, Math.min(path.length, s + ahead))
          const before = g
          g = sight(g, { t: now, at: pointAt(path, s), speed, heading: null, interval: 1 }, path, now)
          expect((g as { s: number }).s).toBeGreaterThanOrEqual((before as { s: number }).s)
        }
      },
    ),
    { numRuns: 60 },
  )
})

test('[T8] it stops at its cap: after one and a half intervals of silence nothing is guessed any more', () => {
  const path = streets(3, 3_000)
  let g = sight(null, { t: 0, at: pointAt(path, 100), speed: 10, heading: null, interval: 2 }, path, 0)
  for (let now = 0; now <= 30_000; now += 50) g = advance(g, now)
  expect(g.mode === 'along' && g.s).toBeCloseTo(130, 0)
  expect(resting(g)).toBe(true)
})

test('[V3] without a path it goes straight to each fix and waits there, never beyond', () => {
  const to = offset(START, 60, 0)
  let g = sight(null, { t: 0, at: START, speed: 10, heading: 90, interval: 2 }, null, 0)
  g = sight(g, { t: 2_000, at: to, speed: 10, heading: 90, interval: 2 }, null, 2_000)
  let before = distance(START, g.at)
  for (let now = 2_000; now <= 9_000; now += 100) {
    g = advance(g, now)
    const gone = distance(START, g.at)
    expect(gone).toBeGreaterThanOrEqual(before - 1e-6)
    before = gone
  }
  expect(distance(g.at, to)).toBeLessThan(0.1)
  expect(resting(g)).toBe(true)
})

test('[V3] a path that appears is slid on to, without a jump', () => {
  const path = streets(5, 2_000)
  let g = sight(null, { t: 0, at: offset(pointAt(path, 50), 20, 0), speed: 8, heading: 0, interval: 1 }, null, 0)
  const before = g.at
  g = sight(g, { t: 1_000, at: pointAt(path, 58), speed: 8, heading: 0, interval: 1 }, path, 1_000)
  expect(distance(before, g.at)).toBeLessThan(1)
  for (let now = 1_000; now < 4_000; now += 16) {
    const last: LngLat = g.at
    g = advance(g, now)
    expect(distance(last, g.at)).toBeLessThan(2)
  }
})

test('[T3] an older sighting changes nothing', () => {
  const path = streets(5, 2_000)
  const g = sight(null, { t: 5_000, at: pointAt(path, 300), speed: 8, heading: 0, interval: 1 }, path, 5_000)
  expect(sight(g, { t: 4_000, at: pointAt(path, 100), speed: 8, heading: 0, interval: 1 }, path, 5_100)).toBe(g)
})

test('[T4] the vehicle turns by the shorter arc', () => {
  const west = glidePath([START, offset(START, -2, 100), offset(START, 2, 400)])!
  let g: Glide = { ...sight(null, { t: 0, at: START, speed: 10, heading: null, interval: 1 }, west, 0), heading: 350 }
  for (let now = 0; now < 1_500; now += 16) {
    g = advance(g, now)
    expect(g.heading! > 340 || g.heading! < 20).toBe(true)
  }
})

test('[T8] the halo grows with the age of the fix and stops at its cap', () => {
  const radii = [0, 10, 30, 60, 120, 600].map((age) => haloRadius(8, 10, age * 1000, 1))
  expect(radii).toEqual([...radii].sort((a, b) => a - b))
  expect(radii[0]).toBe(10)
  expect(radii.at(-1)).toBe(400)
})
