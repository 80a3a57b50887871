// Places in, metres and directions out, on a local flat earth: right to 0.1 % within 100 km of a city, and fast.
import type { Degrees, LngLat, Metres } from './units.ts'

const RAD = Math.PI / 180

/** Metres per degree of longitude and latitude at a latitude. */
export interface Ruler {
  readonly kx: number
  readonly ky: number
}

/**
 * The ellipsoid's two radii at a latitude, once, as plain factors (WGS84; formulas as in Snyder, Map Projections, 1987, eq. 4-18 and 4-20).
 * Within 500 km of `lat` distances are right to about 0.1 %.
 */
export function ruler(lat: number): Ruler {
  const a = 6_378_137
  const e2 = 0.00669437999014
  const sin = Math.sin(lat * RAD)
  const w2 = 1 / (1 - e2 * sin * sin)
  const w = Math.sqrt(w2)
  return { kx: a * RAD * w * Math.cos(lat * RAD), ky: a * RAD * w * w2 * (1 - e2) }
}

/** Shortest difference of two longitudes, −180 ≤ d < 180: the antimeridian is handled here and nowhere else. */
export const wrap = (deg: number): number => (deg >= -180 && deg < 180 ? deg : ((((deg + 180) % 360) + 360) % 360) - 180)

/** Metres between two places. */
export function distance(a: LngLat, b: LngLat, r: Ruler = ruler((a[1] + b[1]) / 2)): Metres {
  return Math.hypot(wrap(b[0] - a[0]) * r.kx, (b[1] - a[1]) * r.ky)
}

/** Direction from a to b; 0 when they are the same place. */
export function bearing(a: LngLat, b: LngLat, r: Ruler = ruler((a[1] + b[1]) / 2)): Degrees {
  const deg = Math.atan2(wrap(b[0] - a[0]) * r.kx, (b[1] - a[1]) * r.ky) / RAD
  return deg < 0 ? deg + 360 : deg
}

/** Smallest angle between two directions, 0–180. */
export const turn = (a: Degrees, b: Degrees): Degrees => Math.abs(((((b - a) % 360) + 540) % 360) - 180)

/** The place at a fraction of the straight line from a to b. */
export const between = (a: LngLat, b: LngLat, t: number): LngLat => [wrap(a[0] + wrap(b[0] - a[0]) * t), a[1] + (b[1] - a[1]) * t]

/** A place moved by metres east and north. */
export function offset(at: LngLat, east: Metres, north: Metres, r: Ruler = ruler(at[1])): LngLat {
  return [wrap(at[0] + east / r.kx), at[1] + north / r.ky]
}

/** Metres from a place to the nearest point of the segment a–b. */
export function toSegment(p: LngLat, a: LngLat, b: LngLat, r: Ruler = ruler(p[1])): Metres {
  const bx = wrap(b[0] - a[0]) * r.kx
  const by = (b[1] - a[1]) * r.ky
  const px = wrap(p[0] - a[0]) * r.kx
  const py = (p[1] - a[1]) * r.ky
  const l2 = bx * bx + by * by
  const t = l2 > 0 ? Math.min(1, Math.max(0, (px * bx + py * by) / l2)) : 0
  return Math.hypot(px - t * bx, py - t * by)
}
