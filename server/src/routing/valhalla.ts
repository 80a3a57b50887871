// Waypoints in; the plan of a Valhalla server out.

import { distance } from '@doorstep/shared/geo'
import { fail, type Result } from '@doorstep/shared/result'
import type { LngLat } from '@doorstep/shared/units'
import { z } from 'zod'
import { decodeLine, type StatedLeg, toPlan } from './answer.ts'
import type { RemoteRouter } from './osrm.ts'
import type { RoutePlan } from './port.ts'
import { ask, type Miss, type Remote } from './remote.ts'

const Answer = z.object({
  trip: z.object({
    legs: z.array(z.object({ shape: z.string().max(2_000_000), summary: z.object({ time: z.number(), length: z.number() }) })),
  }),
})
/** "No path could be found for input" and "No suitable edges near location". */
const NO_ROUTE = new Set([442, 171])
const Refusal = z.object({ error_code: z.number() })

/** Its legs come as lines of their own and with seconds a leg, none a segment. Lengths are kilometres. */
export function valhalla(url: string, remote: Remote): RemoteRouter {
  const address = `${url.replace(/\/+$/, '')}/route`
  return {
    source: 'valhalla',
    most: 50,
    async plan(waypoints, heading): Promise<Result<RoutePlan, Miss>> {
      const locations = waypoints.map(([lon, lat], i) => ({
        lon,
        lat,
        ...(i === 0 && heading !== undefined && { heading: Math.round(heading) % 360 }),
      }))
      const body = JSON.stringify({ locations, costing: 'auto', units: 'kilometers', directions_type: 'none' })
      const answer = await ask(address, remote, { method: 'POST', body, headers: { 'content-type': 'application/json' } })
      if (!answer.ok) return answer
      const refusal = Refusal.safeParse(answer.value)
      if (refusal.success) return fail({ why: NO_ROUTE.has(refusal.data.error_code) ? 'no-route' : 'malformed' })
      const parsed = Answer.safeParse(answer.value)
      if (!parsed.success || parsed.data.trip.legs.length !== waypoints.length - 1) return fail({ why: 'malformed' })
      const line: LngLat[] = []
      const legs: StatedLeg[] = []
      for (const leg of parsed.data.trip.legs) {
        const part = decodeLine(leg.shape, leg.summary.length * 1000)
        if (!part.ok) return part
        const last = line[line.length - 1]
        // Legs meet where the stop is: the place is kept once.
        line.push(...(last && distance(last, part.value[0]!) < 1 ? part.value.slice(1) : part.value))
        legs.push({ metres: leg.summary.length * 1000, seconds: leg.summary.time, segmentSeconds: null })
      }
      return toPlan(line, legs, 'valhalla')
    },
  }
}
