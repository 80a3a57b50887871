// Vehicles in; circles with counts for a map that is zoomed out, out. Pure.
import type { Counts } from '@doorstep/shared/frame'
import type { Vehicle } from './fleet.ts'
import { lookOf } from './standing.ts'

export interface Cluster {
  /** The same cell has the same key from one second to the next. */
  readonly key: string
  readonly lng: number
  readonly lat: number
  readonly count: number
  readonly late: number
  readonly silent: number
}

/**
 * Groups what is drawn by cells of about `pixels` at a zoom, each at the mean of its members: the eye sees where they are, not the grid.
 * `shown` tells which vehicles the list's filter lets through.
 */
export function clustersOf(vehicles: Iterable<Vehicle>, zoom: number, pixels: number, shown: (v: Vehicle) => boolean): Cluster[] {
  // Side of a cell in degrees of longitude at 512-pixel tiles; whole zooms, so that zooming doesn't reshuffle at each step.
  const side = (pixels * 360) / (512 * 2 ** Math.floor(zoom))
  const cells = new Map<number, { x: number; y: number; n: number; late: number; silent: number }>()
  for (const v of vehicles) {
    const look = lookOf(v.standing)
    if (look === null || !shown(v)) continue
    const key = Math.floor((v.lng + 180) / side) * 0x100000 + Math.floor((v.lat + 90) / (side * 0.53))
    let cell = cells.get(key)
    if (!cell) {
      cell = { x: 0, y: 0, n: 0, late: 0, silent: 0 }
      cells.set(key, cell)
    }
    cell.x += v.lng
    cell.y += v.lat
    cell.n++
    if (look === 'late') cell.late++
    if (look === 'silent') cell.silent++
  }
  return [...cells].map(([key, c]) => ({
    key: String(key),
    lng: c.x / c.n,
    lat: c.y / c.n,
    count: c.n,
    late: c.late,
    silent: c.silent,
  }))
}

/** The server's own counts, when the fleet is too large to be sent whole. */
export const clustersFrom = (counts: Counts): Cluster[] =>
  counts.cells.map(({ at, count }) => ({ key: at.join(), lng: at[0], lat: at[1], count, late: 0, silent: 0 }))

/** Late when a tenth or more of its vehicles are; silent when most are; else live. */
export function toneOf(c: Cluster): 'late' | 'silent' | 'live' {
  if (c.late > 0 && c.late >= c.count / 10) return 'late'
  return c.silent > c.count / 2 ? 'silent' : 'live'
}
