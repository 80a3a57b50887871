// Hand-made roads and drives for the tests of the tracking core: a seed in, a plan and honest noisy fixes with the truth beside them out.
import { distance, offset, ruler } from '@doorstep/shared/geo'
import type { Fix } from '@doorstep/shared/ping'
import { random } from '@doorstep/shared/random'
import { pointAt, type Route, route } from '@doorstep/shared/route'
import type { LngLat, Metres, Millis, Seconds } from '@doorstep/shared/units'
import type { TripPlan } from './plan.ts'

export const T0: Millis = 1_800_000_000_000

/** Streets and corners, heading north-east from Gothenburg, never back over themselves. */
export function road(seed: number, vertices: number): LngLat[] {
  const draw = random(seed)
  const line: LngLat[] = [[11.9668, 57.7072]]
  const r = ruler(57.7)
  let east = true
  for (let i = 1; i < vertices; i++) {
    if (draw() < 0.2) east = !east
    const d = 15 + 60 * draw()
    line.push(offset(line[i - 1]!, east ? d : 3 * draw.normal(), east ? 3 * draw.normal() : d, r))
  }
  return line
}

/** A plan with `stops` doors evenly along the line, each 15 m beside it; the last at its end. */
export function planOn(line: readonly LngLat[], stops: number, service: Seconds = 60): TripPlan {
  const r = route(line)
  return {
    route: r,
    routeVersion: 1,
    confidence: 'road',
    stops: Array.from({ length: stops }, (_, k) => {
      const along = (r.length * (k + 1)) / stops
      return { id: `stop-${k}`, along, door: offset(pointAt(r, along), 10, 10), service, closed: false }
    }),
  }
}

export interface Driven {
  readonly fix: Fix
  readonly truth: Metres
}

/** Drives the route at a steady speed with halts of `service` s at the stops; noise in metres (one deviation a direction). */
export function drive(
  plan: { readonly route: Route; readonly stops: readonly { along: Metres; service: Seconds }[] },
  seed: number,
  options: { speed?: number; every?: Seconds; noise?: Metres; accuracy?: Metres | null } = {},
): Driven[] {
  const { speed = 9, every = 5, noise = 5, accuracy = 8 } = options
  const draw = random(seed)
  const out: Driven[] = []
  let s = 0
  let stop = 0
  let wait = 0
  for (let k = 0; k < 20_000; k++) {
    const at = offset(pointAt(plan.route, s), noise * draw.normal(), noise * draw.normal())
    out.push({ fix: fixOf(k + 1, T0 + k * every * 1000, at, accuracy), truth: s })
    let left = every
    while (left > 0) {
      if (wait > 0) {
        const pause = Math.min(wait, left)
        wait -= pause
        left -= pause
      } else {
        const goal = plan.stops[stop]?.along ?? plan.route.length
        const step = Math.min(goal - s, speed * left)
        s += step
        left -= step / speed
        if (s >= goal && left > 0) {
          wait = plan.stops[stop]?.service ?? 0
          if (stop >= plan.stops.length) return out
          stop++
        }
      }
    }
  }
  return out
}

export function fixOf(seq: number, recordedAt: Millis, at: LngLat, accuracy: Metres | null = 8): Fix {
  return { seq, recordedAt, at, accuracy, speed: null, heading: null, altitude: null, battery: null, flags: [] }
}

export const metresBetween = (a: LngLat, b: LngLat): Metres => distance(a, b)
