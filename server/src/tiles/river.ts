// Streets of Gothenburg in; the river between them, approximately, out.
//
// AN APPROXIMATION, NOT MAP DATA. The embedded extract carries roads alone. A city without its river can't be recognised, so it is worked out
// here from where there are no roads: inside a hand-set course (18 points with a half width, ours), water is what lies at least 14 m from
// every street that is not a bridge or a tunnel, wide enough for a disc of 34 m to pass. Quays and bridges then agree with the roads drawn
// beside them; basins, piers and islands may not agree with the world. It is for drawing, never for measuring.
import { ruler } from '@doorstep/shared/geo'
import type { LngLat, Metres } from '@doorstep/shared/units'
import { contours } from 'd3-contour'
import { type Area, type Extract, FIXED } from '../routing/ways.ts'

/** The middle of the Göta älv from the sea to the north of the city, and how far from it water may be looked for. */
const COURSE: readonly (readonly [lng: number, lat: number, half: Metres])[] = [
  [11.79, 57.6835, 1500],
  [11.83, 57.6855, 1000],
  [11.868, 57.689, 720],
  [11.886, 57.6905, 520],
  [11.899, 57.6922, 420],
  [11.911, 57.6962, 390],
  [11.922, 57.6993, 340],
  [11.934, 57.7017, 320],
  [11.945, 57.7042, 330],
  [11.953, 57.7082, 350],
  [11.9585, 57.7125, 430],
  [11.966, 57.7148, 330],
  [11.975, 57.7172, 230],
  [11.984, 57.7208, 200],
  [11.9905, 57.7248, 165],
  [11.9962, 57.7335, 150],
  [12.0032, 57.743, 130],
  [12.0028, 57.754, 105],
  [12.0045, 57.762, 100],
]
const CELL: Metres = 8
/** From the middle of a street to the water: half the street and the quay. */
const SHORE: Metres = 14
/** What is narrower than twice this is a gap between streets and not a river. */
const PASSAGE: Metres = 34

export function river(extract: Extract): Area[] {
  const west = COURSE[0]![0]
  const east = COURSE[COURSE.length - 1]![0] + 0.01
  const south = 57.665
  const north = 57.76
  const r = ruler((south + north) / 2)
  const width = Math.ceil(((east - west) * r.kx) / CELL)
  const height = Math.ceil(((north - south) * r.ky) / CELL)
  const cell = (lng: number, lat: number): [number, number] => [((lng - west) * r.kx) / CELL, ((north - lat) * r.ky) / CELL]

  const streets = new Float64Array(width * height).fill(FAR)
  for (const way of extract.ways) {
    const { highway, bridge, tunnel } = way.tags
    if (highway === 'construction' || (bridge && bridge !== 'no') || (tunnel && tunnel !== 'no')) continue
    for (let i = 1; i < way.refs.length; i++) {
      const at = (ref: number) => cell(extract.lng[ref]! / FIXED, extract.lat[ref]! / FIXED)
      stroke(streets, width, height, at(way.refs[i - 1]!), at(way.refs[i]!))
    }
  }
  spread(streets, width, height)

  const { inside, middle } = band(
    COURSE.map(([lng, lat, half]) => [...cell(lng, lat), half / CELL]),
    width,
    height,
  )
  const room = inside.map((depth, i) => Math.min(Math.sqrt(streets[i]!) - SHORE / CELL, depth))
  const core = new Float64Array(width * height).fill(FAR)
  const seeds = middle.filter((i) => room[i]! > PASSAGE / CELL)
  // What a disc can reach from the middle of the river without touching a shore …
  for (let i = seeds.pop(); i !== undefined; i = seeds.pop()) {
    if (core[i] === 0 || room[i]! <= PASSAGE / CELL) continue
    core[i] = 0
    const x = i % width
    if (x > 0) seeds.push(i - 1)
    if (x < width - 1) seeds.push(i + 1)
    if (i >= width) seeds.push(i - width)
    if (i < width * (height - 1)) seeds.push(i + width)
  }
  // … and what the disc then covers: the shore comes out round instead of stepped, since both fields are distances.
  spread(core, width, height)
  const field = room.map((space, i) => Math.max(-4, Math.min(4, space, PASSAGE / CELL - Math.sqrt(core[i]!))))
  const blurred = blur(blur(field, width, height), width, height)
  const [shape] = contours().size([width, height]).thresholds([0])(blurred as unknown as number[])
  const degrees = ([x, y]: number[]): LngLat => [
    round(west + ((x! - 0.5) * CELL) / r.kx),
    round(north - ((y! - 0.5) * CELL) / r.ky),
  ]
  return (shape?.coordinates ?? [])
    .map((rings) => ({
      rings: rings.filter((ring) => ring.length > 40).map((ring) => ring.map(degrees) as [number, number][]),
      tags: { water: 'river' },
    }))
    .filter(({ rings }) => rings.length > 0)
}

const FAR = 1e9
const round = (v: number) => Math.round(v * 1e6) / 1e6

function stroke(grid: Float64Array, width: number, height: number, a: [number, number], b: [number, number]): void {
  const steps = Math.ceil(Math.hypot(b[0] - a[0], b[1] - a[1]) * 1.5) + 1
  for (let k = 0; k <= steps; k++) {
    const x = Math.round(a[0] + ((b[0] - a[0]) * k) / steps)
    const y = Math.round(a[1] + ((b[1] - a[1]) * k) / steps)
    if (x >= 0 && y >= 0 && x < width && y < height) grid[y * width + x] = 0
  }
}

/** How far inside the course's band each cell lies (cells; very negative outside), and the cells along its middle. */
function band(course: readonly number[][], width: number, height: number): { inside: Float64Array; middle: number[] } {
  const inside = new Float64Array(width * height).fill(-FAR)
  const middle: number[] = []
  for (let k = 1; k < course.length; k++) {
    const [ax, ay, ah] = course[k - 1] as [number, number, number]
    const [bx, by, bh] = course[k] as [number, number, number]
    const dx = bx - ax
    const dy = by - ay
    const reach = Math.max(ah, bh)
    const clamp = (v: number, most: number) => Math.min(most, Math.max(0, Math.round(v)))
    for (let y = clamp(Math.min(ay, by) - reach, height); y < clamp(Math.max(ay, by) + reach, height); y++) {
      for (let x = clamp(Math.min(ax, bx) - reach, width); x < clamp(Math.max(ax, bx) + reach, width); x++) {
        const t = Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy)))
        const away = Math.hypot(x - ax - t * dx, y - ay - t * dy)
        const i = y * width + x
        inside[i] = Math.max(inside[i]!, ah + (bh - ah) * t - away)
        if (away < 6) middle.push(i)
      }
    }
  }
  return { inside, middle }
}

/** Squared distance in cells to the nearest zero, in place, exact and in linear time (Felzenszwalb and Huttenlocher, Theory of Computing 8, 2012). */
function spread(grid: Float64Array, width: number, height: number): void {
  const longest = Math.max(width, height)
  const f = new Float64Array(longest)
  const at = new Int32Array(longest)
  const until = new Float64Array(longest + 1)
  const pass = (offset: number, stride: number, n: number) => {
    for (let q = 0; q < n; q++) f[q] = grid[offset + q * stride]!
    let k = 0
    at[0] = 0
    until[0] = Number.NEGATIVE_INFINITY
    until[1] = Number.POSITIVE_INFINITY
    for (let q = 1; q < n; q++) {
      k++
      let s: number
      do {
        const p = at[--k]!
        s = (f[q]! + q * q - (f[p]! + p * p)) / (2 * (q - p))
      } while (s <= until[k]!)
      at[++k] = q
      until[k] = s
      until[k + 1] = Number.POSITIVE_INFINITY
    }
    k = 0
    for (let q = 0; q < n; q++) {
      while (until[k + 1]! < q) k++
      grid[offset + q * stride] = (q - at[k]!) ** 2 + f[at[k]!]!
    }
  }
  for (let x = 0; x < width; x++) pass(x, width, height)
  for (let y = 0; y < height; y++) pass(y * width, 1, width)
}

/** Each cell with its neighbours, 4-2-1 weights. */
function blur(field: Float64Array, width: number, height: number): Float64Array {
  const out = field.slice()
  for (let y = 1; y < height - 1; y++) {
    for (let x = 1; x < width - 1; x++) {
      const i = y * width + x
      const cross = field[i - 1]! + field[i + 1]! + field[i - width]! + field[i + width]!
      const corners = field[i - width - 1]! + field[i - width + 1]! + field[i + width - 1]! + field[i + width + 1]!
      out[i] = (4 * field[i]! + 2 * cross + corners) / 16
    }
  }
  return out
}
