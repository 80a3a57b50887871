// Vehicles, a filter and a search in; the rows of the list in their order, out. Pure.
import { fold, listed, type Vehicle } from './fleet.ts'
import { type Filter, urgency } from './standing.ts'

export interface Query {
  readonly filter: Filter
  readonly text: string
  /** Drivers who carry an order that the server found for this text. */
  readonly carriers: ReadonlySet<string>
}

/** Late and silent first; the worst lateness, the longest silence, the next window, then the name decide. */
export function listOf(vehicles: Iterable<Vehicle>, query: Query): Vehicle[] {
  const words = fold(query.text).split(/\s+/).filter(Boolean)
  const rows: { v: Vehicle; group: number; rank: number }[] = []
  for (const v of vehicles) {
    if (!listed(v, query.filter, words, query.carriers)) continue
    const group = urgency(v.standing, v.row.offRoute)
    rows.push({ v, group, rank: rankIn(group, v) })
  }
  rows.sort((a, b) => a.group - b.group || a.rank - b.rank || compare(a.v.row.name, b.v.row.name) || a.v.row.no - b.v.row.no)
  return rows.map((r) => r.v)
}

/** Smaller is more urgent. Ranks change by the minute at most, so that rows don't dance. */
function rankIn(group: number, v: Vehicle): number {
  if (group === 0) return -Math.round(v.row.late / 60)
  if (group === 1) return v.at
  if (group === 4) return 0
  return v.row.window?.from ?? Number.MAX_SAFE_INTEGER
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** The row that the arrow, page, home and end keys lead to; null for another key or an empty list. */
export function stepTo(key: string, at: number, count: number, page: number): number | null {
  if (count === 0) return null
  const clamp = (i: number): number => Math.min(count - 1, Math.max(0, i))
  switch (key) {
    case 'ArrowDown':
      return clamp(at + 1)
    case 'ArrowUp':
      return at < 0 ? count - 1 : clamp(at - 1)
    case 'PageDown':
      return clamp(at + page)
    case 'PageUp':
      return clamp(at - page)
    case 'Home':
      return 0
    case 'End':
      return count - 1
    default:
      return null
  }
}
