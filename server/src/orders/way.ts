// Doors in, the way past them out: asked of the router, laid under a run, measured as everybody will measure it.
import { route } from '@doorstep/shared/route'
import type { LngLat } from '@doorstep/shared/units'
import type { RoutePlan, Router } from '../routing/port.ts'
import { type HeldRun, isAhead, saveRun, stopsOf } from './held.ts'
import type { Work } from './ledger.ts'

/** Where the way is made longest by the least, among the stops still ahead: straight lines will do for that. */
export function bestIndex(from: LngLat, ahead: readonly LngLat[], door: LngLat): number {
  const squeeze = Math.cos((door[1] * Math.PI) / 180)
  const far = (a: LngLat, b: LngLat): number => Math.hypot((a[0] - b[0]) * squeeze, a[1] - b[1])
  let best = ahead.length
  let least = far(ahead.at(-1) ?? from, door)
  for (const [i, then] of ahead.entries()) {
    const before = i === 0 ? from : ahead[i - 1]!
    const more = far(before, door) + far(door, then) - far(before, then)
    if (more < least) {
      least = more
      best = i
    }
  }
  return best
}

/** Asks for the way from a place through doors; one that fits, or null. */
export async function askRoute(
  router: Router,
  from: LngLat,
  doors: readonly LngLat[],
  heading?: number | null,
): Promise<RoutePlan | null> {
  const plan = await router.route([from, ...doors], heading === null || heading === undefined ? {} : { heading })
  return fits(plan, doors.length) ? plan : null
}

/**
 * Stores a version of a run's route. Answers the metres along it at each waypoint as `route` measures them, whatever the router's own
 * measure: the last waypoint is exactly the end.
 */
export async function saveRoute(w: Work, run: string, version: number, plan: RoutePlan): Promise<number[]> {
  // six decimals are 0.1 m; what is measured is what will be read
  const line = plan.line.map(([lng, lat]): LngLat => [round(lng), round(lat)])
  await w.q.query(
    `insert into run_routes (run_id, version, line, segment_seconds, length_m, seconds, confidence, source, made_at)
     values ($1, $2, $3::jsonb, $4::jsonb, $5, $6, $7, $8, $9)`,
    [
      run,
      version,
      JSON.stringify(line),
      plan.segmentSeconds && JSON.stringify(plan.segmentSeconds.map((s) => Math.round(s * 100) / 100)),
      plan.length,
      plan.seconds,
      plan.confidence,
      plan.source,
      w.now,
    ],
  )
  const { length } = route(line)
  const scale = plan.length > 0 ? length / plan.length : 1
  return plan.waypoints.map((m) => Math.min(length, m * scale))
}
const round = (degrees: number): number => Math.round(degrees * 1e6) / 1e6

/** A plan that a run can be driven by: at least two vertices and one waypoint a door, after the start. */
const fits = (plan: RoutePlan, doors: number): boolean => plan.line.length >= 2 && plan.waypoints.length === doors + 1

/** Puts a new route under a run. `plan` goes from where the vehicle is to the doors still ahead, in their order. */
export async function layRoute(w: Work, run: HeldRun, plan: RoutePlan): Promise<boolean> {
  const stops = await stopsOf(w.q, run.id)
  const ahead = stops.filter((s) => isAhead(s.status))
  if (!fits(plan, ahead.length)) return false
  run.route_version++
  const along = await saveRoute(w, run.id, run.route_version, plan)
  await w.q.query(
    `update stops s set along_m = x.along, place = x.place
     from jsonb_to_recordset($1::jsonb) as x (id uuid, along float8, place integer) where s.id = x.id`,
    [
      JSON.stringify(
        // settled stops stay behind the vehicle, at the beginning of the new line
        [...stops.filter((s) => !isAhead(s.status)), ...ahead].map((s, place, all) => ({
          id: s.id,
          place,
          along: isAhead(s.status) ? along[place - (all.length - ahead.length) + 1] : 0,
        })),
      ),
    ],
  )
  await saveRun(w, run)
  return true
}

/** The same line under a new version, since the stops along it have changed: an index of a stop is only good with its version. */
export async function sameRouteAgain(w: Work, run: HeldRun): Promise<number> {
  await w.q.query(
    `insert into run_routes select run_id, version + 1, line, segment_seconds, length_m, seconds, confidence, source, $3::int8
     from run_routes where run_id = $1 and version = $2`,
    [run.id, run.route_version, w.now],
  )
  return run.route_version + 1
}
