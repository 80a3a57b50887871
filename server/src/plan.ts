// A run as orders know it in; the plan that tracking needs, and the ETA of any of its stops, out. Prepared once for each change of the run.
import type { Eta, Track } from '@doorstep/shared/track'
import type { Millis } from '@doorstep/shared/units'
import type { RunPlan } from './orders/port.ts'
import type { Calibration } from './tracking/calibration.ts'
import { etaTo } from './tracking/eta.ts'
import type { TripPlan } from './tracking/plan.ts'

const plans = new WeakMap<RunPlan, TripPlan>()

export function planOf(run: RunPlan): TripPlan {
  let plan = plans.get(run)
  if (!plan) {
    plan = {
      route: run.route,
      routeVersion: run.routeVersion,
      stops: run.stops.map((stop) => ({
        id: stop.id,
        along: stop.along,
        door: stop.door,
        service: stop.service,
        closed: stop.status === 'done' || stop.status === 'failed' || stop.status === 'cancelled',
      })),
      confidence: run.confidence,
    }
    plans.set(run, plan)
  }
  return plan
}

/** When stop `index` of a run is reached, or why that is not known. */
export type EtaOf = (run: RunPlan | null, index: number, track: Track | null, now: Millis) => Eta

/** With the calibration that was learned last. */
export function etas(calibration: () => Calibration): EtaOf {
  return (run, index, track, now) => {
    if (run === null || run.status === 'draft' || run.status === 'assigned') return { kind: 'unknown', why: 'not_started' }
    if (run.status !== 'started') return { kind: 'unknown', why: 'finished' }
    // Metres along another version of the route say nothing of this one.
    if (track === null || track.run !== run.id || track.routeVersion !== run.routeVersion)
      return { kind: 'unknown', why: 'no_position' }
    return etaTo(planOf(run), track, index, now, calibration())
  }
}
