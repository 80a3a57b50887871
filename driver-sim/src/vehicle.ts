// A planned road, a seed and a stretch of time in; where the van truly is, how fast, and what it did at which door out.
import { offset, turn } from '@doorstep/shared/geo'
import type { Random } from '@doorstep/shared/random'
import { headingAt, pointAt, type Route, segmentAt } from '@doorstep/shared/route'
import type { Degrees, LngLat, Metres, MetresPerSecond, Seconds } from '@doorstep/shared/units'

export interface Door {
  readonly stopId: string
  readonly along: Metres
  readonly service: Seconds
}
/** A traffic light: red for `red` seconds of each `cycle`, from `phase` on. */
interface Light {
  readonly along: Metres
  readonly cycle: Seconds
  readonly phase: Seconds
  readonly red: Seconds
}
/** What does not change while the van drives. */
export interface Road {
  readonly route: Route
  /** Open doors in driving order. */
  readonly doors: readonly Door[]
  readonly lights: readonly Light[]
  /** Speed that still lets the van brake for what comes, one a CELL metres. */
  readonly allowed: Float32Array
}
export interface Vehicle {
  /** Seconds since the van's beginning. */
  readonly t: Seconds
  readonly along: Metres
  readonly speed: MetresPerSecond
  readonly doing: 'driving' | 'serving' | 'parked'
  /** Index of the next open door. */
  readonly door: number
  /** End of the service at the door. */
  readonly until: Seconds
}
export interface Deed {
  readonly kind: 'arrived' | 'served'
  readonly stopId: string
  readonly t: Seconds
}

/** Metres a second squared: a loaded van in no hurry. */
const ACCELERATION = 1.6
const BRAKING = 2
/** What a driver takes in a bend before he brakes. */
const SIDEWAYS = 2.5
const CELL = 5
const WALK = 2.5

export interface RoadOptions {
  /** The router's plan for the whole route, used where it gave no times per segment. */
  readonly seconds: Seconds
  readonly doors: readonly Door[]
  readonly rng: Random
  /** A van never exceeds this; 36 m/s by default. */
  readonly top?: MetresPerSecond
}

/** Prepares a road: limits from the planned seconds per segment, bends, and lights at places that depend on the seed alone. */
export function road(route: Route, options: RoadOptions): Road {
  const top = options.top ?? 36
  const style = 0.95 + 0.15 * options.rng.fork('style')()
  const cells = Math.max(2, Math.ceil(route.length / CELL) + 1)
  const allowed = new Float32Array(cells)
  const mean = options.seconds > 0 ? route.length / options.seconds : 10
  for (let i = 0; i < cells; i++) {
    const along = Math.min(route.length, i * CELL)
    allowed[i] = Math.min(top, Math.max(WALK, limitAt(route, along, mean) * style), bend(route, along))
  }
  for (let i = cells - 2; i >= 0; i--) allowed[i] = Math.min(allowed[i]!, Math.sqrt(allowed[i + 1]! ** 2 + 2 * BRAKING * CELL))
  return { route, doors: options.doors, lights: lights(route, options.doors, options.rng.fork('lights')), allowed }
}

function limitAt(route: Route, along: Metres, mean: MetresPerSecond): MetresPerSecond {
  if (!route.seconds) return mean * 1.15
  const i = segmentAt(route, along)
  const seconds = route.seconds[i + 1]! - route.seconds[i]!
  return seconds > 0 ? (route.cum[i + 1]! - route.cum[i]!) / seconds : mean
}

/** Speed at which a bend asks for SIDEWAYS: the turn within 20 m as a curvature. */
function bend(route: Route, along: Metres): MetresPerSecond {
  const angle = turn(headingAt(route, Math.max(0, along - 10)), headingAt(route, Math.min(route.length, along + 10)))
  const curvature = (angle * Math.PI) / 180 / 20
  return curvature < 0.002 ? Number.POSITIVE_INFINITY : Math.max(WALK, Math.sqrt(SIDEWAYS / curvature))
}

function lights(route: Route, doors: readonly Door[], rng: Random): Light[] {
  const out: Light[] = []
  for (let along = 150 + rng.int(400); along < route.length - 60; along += 300 + rng.int(600)) {
    const light = { along, cycle: 55 + rng.int(40), phase: rng.int(90), red: 15 + rng.int(20) }
    if (doors.every((d) => Math.abs(d.along - along) > 40)) out.push(light)
  }
  return out
}

/** A van that stands at `along` metres, with the open doors ahead of it. */
export const parkedAt = (along: Metres, t: Seconds = 0): Vehicle => ({ t, along, speed: 0, doing: 'driving', door: 0, until: 0 })

/** `dt` seconds later. Deeds are in order of time. */
export function drive(on: Road, from: Vehicle, dt: Seconds): { vehicle: Vehicle; deeds: Deed[] } {
  const deeds: Deed[] = []
  let { t, along, speed, doing, door, until } = from
  const end = t + dt
  while (t < end - 1e-9) {
    if (doing === 'parked') {
      t = end
      break
    }
    if (doing === 'serving') {
      if (until > end) {
        t = end
        break
      }
      t = Math.max(t, until)
      deeds.push({ kind: 'served', stopId: on.doors[door]!.stopId, t })
      door++
      doing = 'driving'
      continue
    }
    const step = Math.min(0.5, end - t)
    const stop = on.doors[door]
    const ahead = stop ? stop.along - along : on.route.length - along
    if (ahead <= 0.5) {
      speed = 0
      if (!stop) doing = 'parked'
      else {
        doing = 'serving'
        until = t + stop.service
        deeds.push({ kind: 'arrived', stopId: stop.stopId, t })
      }
      continue
    }
    const room = Math.max(0, Math.min(ahead, redAhead(on, along, speed, t)))
    // The speed is that of the end of the step, so it is asked for there.
    const gone = speed * step
    const wish = Math.min(allowedAt(on, along + gone), Math.sqrt(2 * BRAKING * Math.max(0, room - gone)))
    const next = Math.min(wish, speed + ACCELERATION * step)
    along = Math.min(along + Math.min(((speed + next) / 2) * step, room), on.route.length)
    speed = room < 0.3 ? 0 : next
    // The root above creeps for ever; the last half metre is taken at a walk.
    if (speed < 0.5 && room > 0.3) {
      along += Math.min(room, 0.5 * step)
      speed = 0.5
    }
    t += step
  }
  return { vehicle: { t, along, speed, doing, door, until }, deeds }
}

function allowedAt(on: Road, along: Metres): MetresPerSecond {
  const cell = Math.min(on.allowed.length - 1.001, along / CELL)
  const i = Math.floor(cell)
  return on.allowed[i]! + (on.allowed[i + 1]! - on.allowed[i]!) * (cell - i)
}

/** Metres to a red light that the van can still stop for; without one, far. */
function redAhead(on: Road, along: Metres, speed: MetresPerSecond, t: Seconds): Metres {
  for (const light of on.lights) {
    const ahead = light.along - along
    if (ahead < -0.5) continue
    if (ahead > 150) break
    const red = (t + light.phase) % light.cycle < light.red
    // Harder than usual, so that a van which has begun to brake does not change its mind.
    if (red && ahead + 1 >= speed ** 2 / (3 * BRAKING)) return ahead
  }
  return Number.POSITIVE_INFINITY
}

export interface Truth {
  readonly at: LngLat
  readonly heading: Degrees
  readonly speed: MetresPerSecond
  readonly along: Metres
}
/** The van itself: on its own side of the road, which in most of the world is the right one. */
export function truth(on: Road, vehicle: Vehicle): Truth {
  const heading = headingAt(on.route, vehicle.along)
  const side = ((heading + 90) * Math.PI) / 180
  const at = offset(pointAt(on.route, vehicle.along), 1.8 * Math.sin(side), 1.8 * Math.cos(side), on.route.ruler)
  return { at, heading, speed: vehicle.speed, along: vehicle.along }
}

/** Where on the way from `from` metres to its next door a van is `seconds` before it gets there, and how fast; `from` itself when the leg is shorter. */
export function secondsBefore(on: Road, from: Metres, seconds: Seconds): Pick<Vehicle, 'along' | 'speed'> {
  const seen: Vehicle[] = []
  let van = parkedAt(from)
  for (let i = 0; i < 3600 && van.doing === 'driving'; i++) {
    seen.push(van)
    van = drive(on, van, 1).vehicle
  }
  const { along, speed } = seen[Math.max(0, seen.length - 1 - Math.round(seconds))] ?? van
  return { along, speed }
}
