// A run and what was done here since in; the driver's day as the page shows it out. Pure.
import type { RunView } from '@doorstep/shared/api'
import type { DriverAct } from '@doorstep/shared/protocol'
import type { LngLat } from '@doorstep/shared/units'

type Stop = RunView['stops'][number]
export interface DayStop {
  readonly stop: Stop
  /** 1, 2, 3… in driving order. */
  readonly number: number
  readonly status: Stop['status']
  /** Done here, not yet known to the server. */
  readonly sending: boolean
}
export interface Day {
  readonly kind: 'none' | 'planned' | 'under_way' | 'done'
  readonly name: string
  /** The whole way; the same array as long as the route is the same. */
  readonly line: readonly LngLat[]
  readonly stops: readonly DayStop[]
  readonly next: DayStop | null
  readonly settled: number
}

const AFTER: Record<DriverAct['type'], Stop['status']> = { arrived: 'arrived', delivered: 'done', failed: 'failed' }
const RANK: Record<Stop['status'], number> = { pending: 0, arrived: 1, done: 2, failed: 2, cancelled: 2 }

/**
 * `acts` are all acts of this page's life that the server did not refuse, oldest first; `open` the keys of those it has not answered.
 * An act holds until the server's own status is at least as far.
 */
export function day(run: RunView | null, acts: readonly DriverAct[], open: ReadonlySet<string>): Day {
  if (!run || run.status === 'cancelled' || run.status === 'draft')
    return { kind: 'none', name: '', line: [], stops: [], next: null, settled: 0 }
  const stops = run.stops
    .filter((stop) => stop.status !== 'cancelled')
    .map((stop, i): DayStop => {
      let { status } = stop
      let sending = false
      for (const act of acts) {
        if (act.stopId !== stop.id) continue
        if (RANK[AFTER[act.type]] > RANK[status]) status = AFTER[act.type]
        if (open.has(act.idemKey)) sending = true
      }
      return { stop, number: i + 1, status, sending }
    })
  const settled = stops.filter((s) => RANK[s.status] === 2).length
  const next = stops.find((s) => RANK[s.status] < 2) ?? null
  const kind = run.status === 'assigned' ? 'planned' : next && run.status === 'started' ? 'under_way' : 'done'
  return { kind, name: run.name, line: run.route.line, stops, next: kind === 'done' ? null : next, settled }
}
