// A line in, once; metres along it, places on it and directions of it out, as often as needed.
import { bearing, between, type Ruler, ruler, wrap } from './geo.ts'
import type { Degrees, LngLat, Metres, Seconds } from './units.ts'

/** A route, prepared: everything that does not depend on the driver. Arrays have one entry a vertex. */
export interface Route {
  readonly line: readonly LngLat[]
  readonly ruler: Ruler
  /** Metres east and north of the first vertex. */
  readonly x: Float64Array
  readonly y: Float64Array
  /** Metres along the line to each vertex. */
  readonly cum: Float64Array
  /** Seconds along the line to each vertex as planned by the router; null when it gave none. */
  readonly seconds: Float64Array | null
  readonly length: Metres
}

/**
 * Prepares a line of at least two vertices. `segmentSeconds`, one a segment, are the router's; absent or of another length they are not used.
 * Throws on fewer than two vertices or a number that is not finite: whoever loads a route has checked it.
 */
export function route(line: readonly LngLat[], segmentSeconds?: readonly Seconds[]): Route {
  if (line.length < 2) throw new Error(`a route of ${line.length} vertices`)
  const n = line.length
  const first = line[0] as LngLat
  const [south, north] = minmax(line)
  const r = ruler((south + north) / 2)
  const x = new Float64Array(n)
  const y = new Float64Array(n)
  const cum = new Float64Array(n)
  for (let i = 0; i < n; i++) {
    const [lng, lat] = line[i] as LngLat
    if (!Number.isFinite(lng) || !Number.isFinite(lat)) throw new Error(`vertex ${i} of a route is not a place`)
    x[i] = wrap(lng - first[0]) * r.kx
    y[i] = (lat - first[1]) * r.ky
    if (i > 0) cum[i] = cum[i - 1]! + Math.hypot(x[i]! - x[i - 1]!, y[i]! - y[i - 1]!)
  }
  let seconds: Float64Array | null = null
  if (segmentSeconds && segmentSeconds.length === n - 1 && segmentSeconds.every((s) => Number.isFinite(s) && s >= 0)) {
    seconds = new Float64Array(n)
    for (let i = 1; i < n; i++) seconds[i] = seconds[i - 1]! + segmentSeconds[i - 1]!
  }
  return { line, ruler: r, x, y, cum, seconds, length: cum[n - 1]! }
}

function minmax(line: readonly LngLat[]): [number, number] {
  let lo = 90
  let hi = -90
  for (const [, lat] of line) {
    if (lat < lo) lo = lat
    if (lat > hi) hi = lat
  }
  return [lo, hi]
}

/** Index of the segment on which `along` lies, clamped to the route. */
export function segmentAt(r: Route, along: Metres): number {
  let lo = 0
  let hi = r.cum.length - 2
  while (lo < hi) {
    const mid = (lo + hi + 1) >> 1
    if (r.cum[mid]! <= along) lo = mid
    else hi = mid - 1
  }
  return lo
}

/** The place at `along` metres, clamped to the route. */
export function pointAt(r: Route, along: Metres): LngLat {
  const i = segmentAt(r, along)
  const length = r.cum[i + 1]! - r.cum[i]!
  const t = length > 0 ? Math.min(1, Math.max(0, (along - r.cum[i]!) / length)) : 0
  return between(r.line[i]!, r.line[i + 1]!, t)
}

/** Direction of the line at `along` metres. */
export function headingAt(r: Route, along: Metres): Degrees {
  let i = segmentAt(r, along)
  while (i > 0 && r.cum[i + 1]! === r.cum[i]!) i--
  return bearing(r.line[i]!, r.line[i + 1]!, r.ruler)
}

/** The part of the line from one place along it to another, both ends included. */
export function slice(r: Route, from: Metres, to: Metres): LngLat[] {
  const out: LngLat[] = [pointAt(r, from)]
  for (let i = segmentAt(r, from) + 1; i < r.cum.length && r.cum[i]! < to; i++) if (r.cum[i]! > from) out.push(r.line[i]!)
  out.push(pointAt(r, to))
  return out
}
