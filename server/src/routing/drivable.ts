// One way's tags in; whether a delivery van may drive it, which way, and how fast, out.
import type { MetresPerSecond, Seconds } from '@doorstep/shared/units'
import type { Tags } from './ways.ts'

/** Slow to fast, so that a larger number is a bigger road. */
export const KINDS = ['service', 'living', 'minor', 'tertiary', 'secondary', 'primary', 'trunk', 'motorway'] as const
export type Kind = (typeof KINDS)[number]

export interface Drive {
  readonly kind: Kind
  readonly forward: boolean
  readonly backward: boolean
  /** What a van keeps on an empty stretch, stops and turns not counted. */
  readonly speed: MetresPerSecond
  /** On a bridge or in a tunnel: nobody lives there. */
  readonly lifted: boolean
}

const KMH = 1 / 3.6

/** Where no maxspeed is tagged, km/h: Swedish urban practice, close to the rest of Europe's. */
const ROADS: Readonly<Record<string, readonly [Kind, number]>> = {
  motorway: ['motorway', 90],
  motorway_link: ['motorway', 60],
  trunk: ['trunk', 70],
  trunk_link: ['trunk', 50],
  primary: ['primary', 60],
  primary_link: ['primary', 50],
  secondary: ['secondary', 50],
  secondary_link: ['secondary', 50],
  tertiary: ['tertiary', 50],
  tertiary_link: ['tertiary', 40],
  unclassified: ['minor', 40],
  residential: ['minor', 40],
  road: ['minor', 40],
  living_street: ['living', 12],
  service: ['service', 20],
}

/** Vans drive a little below the limit on open streets, and well below it between parked cars (the share of the limit kept). */
const KEPT: Readonly<Record<Kind, number>> = {
  motorway: 0.95,
  trunk: 0.95,
  primary: 0.92,
  secondary: 0.92,
  tertiary: 0.9,
  minor: 0.85,
  living: 1,
  service: 0.9,
}

const CLOSED = new Set(['no', 'private', 'agricultural', 'forestry', 'psv', 'bus', 'emergency', 'military'])
/** Aisles of car parks make short cuts that no driver takes; bus roads are closed to vans. */
const NOT_STREETS = new Set(['parking_aisle', 'drive-through', 'bus', 'busway', 'emergency_access', 'parking'])

/** null: not for vans. Deliveries, destination traffic and customers are what we are, so those restrictions admit us. */
export function drive(tags: Tags): Drive | null {
  const road = ROADS[tags.highway ?? '']
  if (!road || tags.area === 'yes' || NOT_STREETS.has(tags.service ?? '')) return null
  // The most particular tag decides: a street closed to all but open to motor vehicles is open.
  const access = tags.motorcar ?? tags.motor_vehicle ?? tags.vehicle ?? tags.access
  if (access !== undefined && CLOSED.has(access)) return null
  const [kind, usual] = road
  const yes = (tag: string | undefined) => tag !== undefined && tag !== 'no'
  const limit = maxspeed(tags.maxspeed) ?? usual * KMH
  const round = tags.junction === 'roundabout' || tags.junction === 'circular'
  const oneway = tags.oneway
  const backwardOnly = oneway === '-1' || oneway === 'reverse'
  const forwardOnly =
    oneway === 'yes' || oneway === 'true' || oneway === '1' || (oneway === undefined && (round || tags.highway === 'motorway'))
  return {
    kind,
    forward: !backwardOnly,
    backward: !forwardOnly,
    speed: Math.min(limit * KEPT[kind], round ? 25 * KMH : Number.POSITIVE_INFINITY),
    lifted: yes(tags.bridge) || yes(tags.tunnel),
  }
}

/** `50`, `30 mph`, `walk`; null for what says nothing a van could use (`none`, `signals`, nonsense). */
function maxspeed(text: string | undefined): MetresPerSecond | null {
  const match = /^(\d{1,3})\s*(mph|km\/h|kmh)?$/.exec(text ?? '')
  if (!match) return text === 'walk' ? 7 * KMH : null
  const value = Number(match[1]) * (match[2] === 'mph' ? 1.609344 : 1) * KMH
  return value >= 5 * KMH && value <= 140 * KMH ? value : null
}

/**
 * Expected seconds lost at a junction beside the plain driving time, for a vehicle that comes along `own` and meets a street as big as `other`:
 * yielding, and waiting at lights. A signal with a 70 s cycle and half of it green costs 70/8 ≈ 9 s on average (uniform arrivals; Webster 1958,
 * first term); big roads that meet are signalled in cities about half of the time. Motorways and trunks are crossed on bridges.
 */
export function junctionSeconds(own: Kind, other: Kind): Seconds {
  const a = KINDS.indexOf(own)
  const b = KINDS.indexOf(other)
  if (a >= TRUNK || b < MINOR) return 0
  if (b >= SECONDARY) return a >= SECONDARY ? 4.5 : 6
  if (b > a) return 3
  return a === b && a <= MINOR ? 1.5 : 0.5
}
const MINOR = KINDS.indexOf('minor')
const SECONDARY = KINDS.indexOf('secondary')
const TRUNK = KINDS.indexOf('trunk')

/** Comfortable for a loaded van: gains speed at 1.5 m/s², brakes at 2 m/s², 2.5 m/s² sideways. */
const GAIN = 1.5
const BRAKE = 2
const SIDEWAYS = 2.5
/** Radius of the path around a right-angled street corner, metres; a flatter turn is wider in proportion. */
const CORNER = 7

/**
 * Seconds lost by slowing down for a turn of `degrees` from speed `before` and up again to `after`, against driving through.
 * Speed in the corner from sideways acceleration, v = √(a·r); r = 7 m at 90°, ∝ 1/tan(θ/2) of the inscribed arc. From v to c and back at constant
 * rates the loss is (v−c)²/2v·(1/brake + 1/gain), each side with its own speed.
 */
export function turnSeconds(degrees: number, before: MetresPerSecond, after: MetresPerSecond): Seconds {
  if (degrees < 20) return 0
  const half = Math.tan((Math.min(degrees, 170) * Math.PI) / 360)
  const corner = Math.max(1.8, Math.sqrt((SIDEWAYS * CORNER) / half))
  const lost = (v: number, rate: number) => (v > corner ? (v - corner) ** 2 / (2 * v * rate) : 0)
  return lost(before, BRAKE) + lost(after, GAIN)
}
