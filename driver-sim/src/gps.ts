// Where the van truly is in, what its phone believes out: correlated noise, gaps, jumps, repetitions, a clock of its own.
import { offset } from '@doorstep/shared/geo'
import type { WireFix } from '@doorstep/shared/ping'
import type { Random } from '@doorstep/shared/random'
import type { Metres, Millis, Seconds } from '@doorstep/shared/units'
import type { Truth } from './vehicle.ts'

export interface GpsOptions {
  /** Deviation of the noise, m. */
  readonly sigma: Metres
  /** Chance of a wild fix. */
  readonly jumps: number
  /** Chance that the phone hands the same fix out twice. */
  readonly duplicates: number
  /** Chance that a gap of 3–20 s begins. */
  readonly gaps: number
  /** No fix on some 200–500 m of each three kilometres. */
  readonly tunnels: boolean
}
export const HONEST: GpsOptions = { sigma: 4, jumps: 0.0008, duplicates: 0.003, gaps: 0.0008, tunnels: false }

export interface Gps {
  /** Noise now, metres east and north. */
  readonly east: Metres
  readonly north: Metres
  /** What the phone adds to its accuracy after it was blind. */
  readonly fog: Metres
  readonly blindUntil: Seconds
  readonly last: Omit<WireFix, 'seq'> | null
}
export const newGps: Gps = { east: 0, north: 0, fog: 25, blindUntil: 0, last: null }

/** How long the error of one moment is remembered, s: reflections change with the street, not with the second. */
const MEMORY = 20

/**
 * One look at the sky, `dt` seconds after the last, at `t` seconds of the van's time and `clock` of the phone's clock (ms).
 * No fix, one, or the same one twice.
 */
export function look(
  gps: Gps,
  van: Truth,
  when: { t: Seconds; dt: Seconds; clock: Millis },
  options: GpsOptions,
  rng: Random,
): { gps: Gps; fixes: Omit<WireFix, 'seq'>[] } {
  // First-order Gauss-Markov noise: what was wrong a second ago is nearly as wrong now.
  const rho = Math.exp(-when.dt / MEMORY)
  const fresh = Math.sqrt(1 - rho * rho) * options.sigma
  const east = rho * gps.east + fresh * rng.normal()
  const north = rho * gps.north + fresh * rng.normal()
  const chance = rng()
  const wild = rng()
  const angle = rng() * 2 * Math.PI
  const far = 150 + 450 * rng()
  const blindUntil = chance < options.gaps * when.dt ? when.t + 3 + 17 * rng() : gps.blindUntil
  const blind = when.t < blindUntil || (options.tunnels && inTunnel(van.along))
  if (blind) return { gps: { ...gps, east, north, fog: 40, blindUntil }, fixes: [] }
  const fog = gps.fog * Math.exp(-when.dt / 5)
  const jumped = wild < options.jumps
  const at = offset(van.at, east + (jumped ? far * Math.sin(angle) : 0), north + (jumped ? far * Math.cos(angle) : 0))
  const heading = (van.heading + 3 * rng.normal() + 360) % 360
  const fix: Omit<WireFix, 'seq'> = {
    t: Math.round(when.clock),
    lat: round(at[1], 7),
    lon: round(at[0], 7),
    acc: round(options.sigma * 1.5 + fog + Math.abs(rng.normal()), 1),
    spd: round(Math.max(0, van.speed + 0.2 * rng.normal()), 2),
    hdg: van.speed < 0.8 ? null : round(heading, 1) % 360,
    bat: round(Math.max(0.15, 0.95 - when.t / 40_000), 2),
  }
  const fixes = gps.last && wild > 1 - options.duplicates ? [gps.last, fix] : [fix]
  return { gps: { east, north, fog, blindUntil, last: fix }, fixes }
}

/** The same stretch of each three kilometres for every van. */
export const inTunnel = (along: Metres): boolean => {
  const k = Math.floor(along / 3000)
  const from = 900 + ((k * 577) % 900)
  return along - k * 3000 >= from && along - k * 3000 < from + 200 + ((k * 211) % 300)
}

const round = (x: number, digits: number): number => Math.round(x * 10 ** digits) / 10 ** digits
