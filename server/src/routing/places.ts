// Streets in; the doors along them that parcels can be sent to, by chance or by nearness, out.
import { bearing, between, distance, offset, type Ruler, ruler } from '@doorstep/shared/geo'
import { random } from '@doorstep/shared/random'
import type { Bbox, LngLat, Metres } from '@doorstep/shared/units'
import KDBush from 'kdbush'
import { KINDS } from './drivable.ts'
import type { Finder } from './finder.ts'
import { type Streets, vertex } from './streets.ts'
import { type Area, FIXED } from './ways.ts'

export interface Place {
  /** "Linnégatan 12" */
  readonly label: string
  readonly at: LngLat
}

export interface Places {
  readonly size: number
  /** n different places (fewer when the city has fewer); the same seed gives the same ones. */
  sample(n: number, seed: number): Place[]
  /** The nearest ones within 500 m, nearest first. */
  near(at: LngLat, n?: number): Place[]
}

/** Place i: degrees × 1e7, the street's index in `names`, the house number. */
export interface Doors {
  readonly lng: Int32Array
  readonly lat: Int32Array
  readonly street: Uint32Array
  readonly number: Uint16Array
}

/** House fronts this far apart on each side. */
const FRONT: Metres = 22
/** No door nearer than this to a crossing: corner houses are numbered by one street. */
const CORNER: Metres = 14
const LIVED_IN: ReadonlySet<number> = new Set([KINDS.indexOf('minor'), KINDS.indexOf('living'), KINDS.indexOf('tertiary')])

/**
 * Doors along the named streets where people live. They are not surveyed addresses: numbers are ours, increasing along each street, odd on
 * the left and even on the right. Each stands 8–15 m beside its own street and is nearer to it than to any other, so a route to it ends in the right one.
 */
export function toDoors(s: Streets, finder: Finder, within: Bbox, water: readonly Area[]): Doors {
  const lng: number[] = []
  const lat: number[] = []
  const street: number[] = []
  const number: number[] = []
  const r = ruler((within[1] + within[3]) / 2)
  const wet = inWater(water)
  for (const [name, pieces] of byName(s)) {
    let house = 1
    for (const { piece, forward } of inOrder(s, pieces)) {
      house = frontage(s, piece, forward, r, house, (at, houseNumber) => {
        if (at[0] < within[0] || at[0] > within[2] || at[1] < within[1] || at[1] > within[3]) return
        const snap = finder.snap(at)
        if (!snap || s.name[snap.piece] !== name || snap.away < 7 || wet(at)) return
        lng.push(Math.round(at[0] * FIXED))
        lat.push(Math.round(at[1] * FIXED))
        street.push(name)
        number.push(houseNumber)
      })
    }
  }
  return {
    lng: Int32Array.from(lng),
    lat: Int32Array.from(lat),
    street: Uint32Array.from(street),
    number: Uint16Array.from(number),
  }
}

/** The even–odd rule (Shimrat 1962) over all rings at once; edges are kept by bands of latitude, so that a place meets only those at its height. */
function inWater(water: readonly Area[]): (at: LngLat) => boolean {
  const BAND = 2000
  const bands = new Map<number, [ax: number, ay: number, bx: number, by: number][]>()
  for (const ring of water.flatMap(({ rings }) => rings)) {
    ring.forEach((a, i) => {
      const b = ring[(i + 1) % ring.length]!
      for (let k = Math.floor(Math.min(a[1], b[1]) * BAND); k <= Math.floor(Math.max(a[1], b[1]) * BAND); k++) {
        const band = bands.get(k)
        if (band) band.push([...a, ...b])
        else bands.set(k, [[...a, ...b]])
      }
    })
  }
  return ([x, y]) => {
    let within = false
    for (const [ax, ay, bx, by] of bands.get(Math.floor(y * BAND)) ?? []) {
      if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) within = !within
    }
    return within
  }
}

function byName(s: Streets): Map<number, number[]> {
  const groups = new Map<number, number[]>()
  for (let p = 0; p < s.from.length; p++) {
    const name = s.name[p]!
    if (name === 0 || s.lifted[p] || !LIVED_IN.has(s.kind[p]!)) continue
    const group = groups.get(name)
    if (group) group.push(p)
    else groups.set(name, [p])
  }
  return groups
}

/** The pieces of one street as one walks them: from an end, always on to a piece that is joined, until none is left; then the next stretch. */
function inOrder(s: Streets, pieces: readonly number[]): { piece: number; forward: boolean }[] {
  const at = new Map<number, number[]>()
  for (const p of pieces) {
    for (const node of [s.from[p]!, s.to[p]!]) at.set(node, [...(at.get(node) ?? []), p])
  }
  const left = new Set(pieces)
  const out: { piece: number; forward: boolean }[] = []
  const walk = (start: number) => {
    for (let node = start; ; ) {
      const piece = at.get(node)!.find((p) => left.has(p))
      if (piece === undefined) return
      left.delete(piece)
      const forward = s.from[piece] === node
      out.push({ piece, forward })
      node = forward ? s.to[piece]! : s.from[piece]!
    }
  }
  for (const [node, arms] of at) if (arms.length === 1) walk(node)
  for (const node of at.keys()) walk(node)
  return out
}

/** Numbers the doors of one piece, both sides, and returns the next odd number. */
function frontage(
  s: Streets,
  piece: number,
  forward: boolean,
  r: Ruler,
  house: number,
  door: (at: LngLat, house: number) => void,
): number {
  const line: LngLat[] = []
  for (let i = s.first[piece]!; i < s.first[piece + 1]!; i++) line.push(vertex(s, i))
  if (!forward) line.reverse()
  let next = house
  let total = 0
  for (let i = 1; i < line.length; i++) total += distance(line[i - 1]!, line[i]!, r)
  let want = CORNER
  let done = 0
  for (let i = 1; i < line.length; i++) {
    const a = line[i - 1]!
    const b = line[i]!
    const length = distance(a, b, r)
    const angle = (bearing(a, b, r) * Math.PI) / 180
    for (; want <= Math.min(done + length, total - CORNER); want += FRONT) {
      const on = between(a, b, (want - done) / length)
      for (const side of [-1, 1]) {
        // Fronts do not stand in one line: 8–15 m, by the house's own number, so that the same city is built every time.
        const back = 8 + random(piece * 2 + side + want).int(8)
        door(offset(on, side * back * Math.cos(angle), -side * back * Math.sin(angle), r), side < 0 ? next : next + 1)
      }
      next += 2
    }
    done += length
  }
  return next
}

export function openPlaces(doors: Doors, names: readonly string[]): Places {
  const size = doors.lng.length
  const r = ruler(size > 0 ? doors.lat[0]! / FIXED : 0)
  const spot = (lng: number, lat: number): [number, number] => [
    (lng - (doors.lng[0] ?? 0) / FIXED) * r.kx,
    (lat - (doors.lat[0] ?? 0) / FIXED) * r.ky,
  ]
  const place = (i: number): Place => ({
    label: `${names[doors.street[i]!]} ${doors.number[i]}`,
    at: [doors.lng[i]! / FIXED, doors.lat[i]! / FIXED],
  })
  let index: KDBush | null = null
  const tree = (): KDBush => {
    if (index) return index
    index = new KDBush(size, 64, Float32Array)
    for (let i = 0; i < size; i++) index.add(...spot(doors.lng[i]! / FIXED, doors.lat[i]! / FIXED))
    return index.finish()
  }
  return {
    size,
    sample(n, seed) {
      const draw = random(seed)
      const count = Math.max(0, Math.min(Math.floor(n), size))
      // Floyd's sampling (1987) gives n different ones without a list of all; then they are put in order of drawing.
      const taken = new Set<number>()
      for (let j = size - count; j < size; j++) {
        const i = draw.int(j + 1)
        taken.add(taken.has(i) ? j : i)
      }
      return [...taken].map(place)
    },
    near(at, n = 5) {
      if (size === 0) return []
      const [x, y] = spot(at[0], at[1])
      for (const reach of [60, 500]) {
        const found = tree()
          .within(x, y, reach)
          .map((i) => ({ i, away: distance(at, [doors.lng[i]! / FIXED, doors.lat[i]! / FIXED], r) }))
        if (found.length >= n || reach === 500) {
          return found
            .sort((a, b) => a.away - b.away || a.i - b.i)
            .slice(0, n)
            .map(({ i }) => place(i))
        }
      }
      return []
    },
  }
}
