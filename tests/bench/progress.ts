// One driver's pings along one route in; CPU a ping of Turf, of Doorstep's tracking core, and of the barest scan out.

import { etaTo } from '@doorstep/server/tracking/eta'
import type { TripPlan } from '@doorstep/server/tracking/plan'
import { advance, begin, toTrack } from '@doorstep/server/tracking/trip'
import { locate, type Cursor as Place } from '@doorstep/shared/locate'
import { random } from '@doorstep/shared/random'
import { route as prepareRoute } from '@doorstep/shared/route'
import type { DriverNo, LngLat, Millis, RunId } from '@doorstep/shared/units'
import { length as lengthOf, lineSlice, lineString, nearestPointOnLine, point } from '@turf/turf'
import { prepare, progress } from './scan.ts'
import { median } from './wire.ts'

/** A road-like line: steps of 10 to 40 m, slow bends, now and then a corner. */
export function roadLike(vertices: number, seed: number): LngLat[] {
  const r = random(seed)
  let lng = 11.9668
  let lat = 57.7072
  let heading = r() * 2 * Math.PI
  const line: LngLat[] = [[lng, lat]]
  while (line.length < vertices) {
    heading += r() < 0.06 ? (r() < 0.5 ? Math.PI / 2 : -Math.PI / 2) : r.normal() * 0.08
    const metres = 25 * (0.4 + 1.2 * r())
    lat += (metres * Math.cos(heading)) / 111_320
    lng += (metres * Math.sin(heading)) / 59_500
    line.push([lng, lat])
  }
  return line
}

/** Places each `seconds` apart at 9 m/s with 8 m of noise. */
function drive(line: readonly LngLat[], seed: number): LngLat[] {
  const r = random(seed)
  const prepared = prepareRoute(line)
  const out: LngLat[] = []
  let i = 0
  for (let s = 0; s < prepared.length; s += 9) {
    while (i < prepared.cum.length - 2 && prepared.cum[i + 1]! < s) i++
    const t = (s - prepared.cum[i]!) / Math.max(1e-9, prepared.cum[i + 1]! - prepared.cum[i]!)
    const [a, b] = [line[i]!, line[i + 1]!]
    out.push([a[0] + (b[0] - a[0]) * t + (r.normal() * 8) / 59_500, a[1] + (b[1] - a[1]) * t + (r.normal() * 8) / 111_320])
  }
  return out
}

export interface ProgressFigures {
  readonly turfNs: number
  readonly doorstepNs: number
  readonly locateNs: number
  readonly floorNs: number
}

/** Medians over `rounds` of CPU time (user and system) a ping, ns. Turf does 60 pings a round, the others all of them, many times. */
export function progressEta(rounds: number, seed: number): ProgressFigures {
  const line = roadLike(400, seed)
  const pings = drive(line, seed + 1)
  const turfLine = lineString(line as [number, number][])
  const end = point(line.at(-1) as [number, number])
  const prepared = prepare(line as [number, number][])
  const route = prepareRoute(line)
  const plan: TripPlan = {
    route,
    routeVersion: 1,
    confidence: 'road',
    stops: [{ id: 's', along: route.length, door: line.at(-1)!, service: 120, closed: false }],
  }
  const fixes = pings.map((at, i) => ({
    seq: i + 1,
    recordedAt: (1_700_000_000_000 + i * 1000) as Millis,
    at,
    accuracy: 8,
    speed: 9,
    heading: null,
    altitude: null,
    battery: null,
    flags: [],
  }))
  // What is computed is added up and read, so that no engine can leave the work out.
  let sink = 0
  const variants = {
    turf() {
      for (let i = 0; i < 60; i++) {
        const at = pings[(i * 17) % pings.length] as [number, number]
        sink += lengthOf(lineSlice(nearestPointOnLine(turfLine, point(at), { units: 'meters' }), end, turfLine), {
          units: 'meters',
        })
      }
      return 60
    },
    doorstep() {
      const laps = 40
      for (let lap = 0; lap < laps; lap++) {
        let state = begin(plan)
        for (const fix of fixes) {
          state = advance(state, fix, fix.recordedAt, plan).state
          const track = toTrack(state, plan, 1 as DriverNo, 'r' as RunId, 1, true)!
          const eta = etaTo(plan, track, 0, fix.recordedAt)
          if (eta.kind === 'window') sink += eta.mid
        }
      }
      return laps * fixes.length
    },
    locate() {
      const laps = 200
      for (let lap = 0; lap < laps; lap++) {
        let place: Place = { segment: 0, along: 0, distance: 0 }
        let moved = 0
        let reach = Number.POSITIVE_INFINITY
        for (const at of pings) {
          place = locate(route, place, { at, heading: null, moved, reach })
          moved = 9
          reach = 60
          sink += place.along
        }
      }
      return laps * pings.length
    },
    floor() {
      const laps = 400
      for (let lap = 0; lap < laps; lap++) {
        const cursor = { i: 0, s: 0 }
        for (const at of pings) sink += progress(prepared, cursor, at[0], at[1])
      }
      return laps * pings.length
    },
  }
  const seen: Record<keyof typeof variants, number[]> = { turf: [], doorstep: [], locate: [], floor: [] }
  for (let round = 0; round <= rounds; round++) {
    for (const name of Object.keys(variants) as (keyof typeof variants)[]) {
      const before = process.cpuUsage()
      const n = variants[name]()
      const { user, system } = process.cpuUsage(before)
      if (round > 0) seen[name].push(((user + system) * 1000) / n)
    }
  }
  if (!Number.isFinite(sink)) throw new Error('a progress was not a number')
  return {
    turfNs: median(seen.turf),
    doorstepNs: median(seen.doorstep),
    locateNs: median(seen.locate),
    floorNs: median(seen.floor),
  }
}
