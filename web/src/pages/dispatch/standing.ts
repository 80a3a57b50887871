// What the roster and the newest fix say of a driver in; how it stands, how urgent that is and how it is drawn, out. Pure.
import type { DriverRow } from '@doorstep/shared/api'
import { type Freshness, freshness } from '@doorstep/shared/track'
import type { Millis, Seconds } from '@doorstep/shared/units'
import type { Look } from '../../map/fleet-layer.ts'

export type Work = 'late' | 'at_stop' | 'enroute' | 'idle'
/** `none`: no position is known at all. */
export type Signal = Freshness | 'none'
export interface Standing {
  readonly work: Work
  readonly signal: Signal
  /** Age of the newest fix, ms; null without one. */
  age: Millis | null
}
export type Filter = 'all' | 'late' | 'silent' | 'enroute' | 'at_stop' | 'idle'
export const FILTERS: readonly Filter[] = ['all', 'late', 'silent', 'enroute', 'at_stop', 'idle']

/** Less than this past the promise is no lateness worth a colour, s. */
const LATE_FROM: Seconds = 60

/** Answers `before`, with its age brought up to date, as long as nothing else changed: 5,000 are asked each second. `fixAt` is the server's time of the newest fix known, 0 for none; `now` is the server's time too. */
export function standing(row: DriverRow, fixAt: Millis, now: Millis, before?: Standing): Standing {
  const age = fixAt > 0 ? Math.max(0, now - fixAt) : null
  const signal: Signal = age === null ? 'none' : freshness(age, row.interval)
  const work = workOf(row)
  if (before && before.work === work && before.signal === signal) {
    before.age = age
    return before
  }
  return { work, signal, age }
}

/** A run that is not started leaves its driver idle, unless its first promise is already being missed. */
function workOf(row: DriverRow): Work {
  if (row.run === null) return 'idle'
  if (row.late >= LATE_FROM) return 'late'
  if (row.phase === 'idle') return 'idle'
  return row.phase === 'arrived' ? 'at_stop' : 'enroute'
}

/** Out on a run and not heard from for a minute or more: a person should ask why. */
export const isSilent = (s: Standing): boolean => s.work !== 'idle' && s.signal !== 'live' && s.signal !== 'delayed'

/** How the map draws it; null: not at all. Whoever was not heard within the expected interval is never drawn as live (T8). */
export function lookOf(s: Standing): Look | null {
  if (s.signal === 'none') return null
  if (s.signal !== 'live') return s.work === 'idle' && s.signal === 'offline' ? null : 'silent'
  return s.work
}

export function matches(s: Standing, filter: Filter): boolean {
  if (filter === 'all') return true
  return filter === 'silent' ? isSilent(s) : s.work === filter
}

/** Groups of the list, most urgent first: late, silent, off its route, at work, idle. */
export function urgency(s: Standing, offRoute: boolean): number {
  if (s.work === 'late') return 0
  if (isSilent(s)) return 1
  if (s.work === 'idle') return 4
  return offRoute ? 2 : 3
}
