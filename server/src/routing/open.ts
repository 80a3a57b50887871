// The routers that are configured in; one that always answers, with the best that can be had now, out.
import { ok, type Result } from '@doorstep/shared/result'
import { route as prepare } from '@doorstep/shared/route'
import type { Degrees, LngLat, Metres, Millis } from '@doorstep/shared/units'
import { mapbox, osrm, type RemoteRouter } from './osrm.ts'
import type { RoutePlan, Router } from './port.ts'
import type { Miss, Why } from './remote.ts'
import { straight } from './straight.ts'
import { valhalla } from './valhalla.ts'

export interface RouterOptions {
  /** The embedded streets: asked when no other router is configured, or when none of them answers. */
  readonly city: Router | null
  readonly osrmUrl?: string | undefined
  readonly valhallaUrl?: string | undefined
  readonly mapboxToken?: string | undefined
  readonly mapboxUrl?: string | undefined
  readonly fetch?: typeof globalThis.fetch
  readonly now: () => Millis
  /** For one question to one router. */
  readonly timeout?: Millis
}

/** After so many failures in a row a router is left alone for a while, and then tried with one question. */
const PATIENCE = 3
const REST: Millis = 15_000
const MOST_CACHED = 256
/** Answers with traffic in them grow old. */
const FRESH: Millis = 5 * 60_000

/**
 * Order: OSRM, Valhalla (servers of one's own), Mapbox, the embedded city, straight lines × 1.3. What one can't answer the next is asked.
 * Never rejects. Plans are shared with other callers who ask the same: they are not to be changed.
 */
export function openRouter(options: RouterOptions): Router & Required<Pick<Router, 'counts'>> {
  const remote = { fetch: options.fetch ?? globalThis.fetch, timeout: options.timeout ?? 4000 }
  const chain: { router: RemoteRouter; breaker: Breaker }[] = []
  const add = (router: RemoteRouter) => chain.push({ router, breaker: new Breaker(options.now) })
  if (options.osrmUrl) add(osrm(options.osrmUrl, remote))
  if (options.valhallaUrl) add(valhalla(options.valhallaUrl, remote))
  if (options.mapboxToken) add(mapbox(options.mapboxToken, remote, options.mapboxUrl))
  const counted: Record<string, number> = {}
  const count = (what: string) => {
    counted[what] = (counted[what] ?? 0) + 1
  }
  const cache = new Map<string, { plan: Promise<RoutePlan>; until: Millis }>()

  const fresh = async (waypoints: readonly LngLat[], heading?: Degrees): Promise<RoutePlan> => {
    for (const { router, breaker } of chain) {
      if (!breaker.admits()) {
        count(`${router.source} open`)
        continue
      }
      const plan = await inParts(router, waypoints, heading)
      breaker.saw(plan.ok ? null : plan.fault)
      count(`${router.source} ${plan.ok ? 'ok' : plan.fault.why}`)
      if (plan.ok) return plan.value
    }
    if (options.city) {
      try {
        const plan = await options.city.route(waypoints, heading === undefined ? {} : { heading })
        count(plan.confidence === 'road' ? 'city ok' : 'city far')
        return plan
      } catch {
        count('city error')
      }
    }
    count('straight ok')
    return straight(waypoints)
  }

  return {
    name: chain[0]?.router.source ?? (options.city ? 'city' : 'straight'),
    counts: () => ({ ...counted }),
    route(waypoints, { heading } = {}) {
      const key = JSON.stringify([
        waypoints.map(([lng, lat]) => [Math.round(lng * 1e5), Math.round(lat * 1e5)]),
        heading === undefined ? null : Math.round(heading / 10),
      ])
      const known = cache.get(key)
      cache.delete(key)
      if (known && options.now() < known.until) {
        cache.set(key, known)
        return known.plan
      }
      const plan = fresh(waypoints, heading)
      cache.set(key, { plan, until: options.now() + FRESH })
      if (cache.size > MOST_CACHED) cache.delete(cache.keys().next().value!)
      // A guess, or the second choice of a router that is down for a moment, is not kept: the next caller may be luckier.
      const drop = () => cache.get(key)?.plan === plan && cache.delete(key)
      plan.then(({ source }) => source !== (chain[0]?.router.source ?? 'city') && drop(), drop)
      return plan
    },
    async health() {
      const down = chain.flatMap(({ router, breaker }) => (breaker.why ? [`${router.source} ${breaker.why}`] : []))
      return down.length > 0 ? down.join(', ') : true
    },
  }
}

/** A run of more stops than a router takes at once is asked for in parts that share a stop. */
async function inParts(router: RemoteRouter, waypoints: readonly LngLat[], heading?: Degrees): Promise<Result<RoutePlan, Miss>> {
  let whole: RoutePlan | null = null
  for (let i = 0; whole === null || i < waypoints.length - 1; i += router.most - 1) {
    const part = await router.plan(waypoints.slice(i, i + router.most), i === 0 ? heading : undefined)
    if (!part.ok) return part
    whole = whole ? joined(whole, part.value) : part.value
  }
  return ok(whole)
}

function joined(a: RoutePlan, b: RoutePlan): RoutePlan {
  const line = [...a.line, ...b.line]
  const { cum, length } = prepare(line)
  const end = cum[a.line.length - 1]!
  const start = cum[a.line.length]!
  // Metres are measured at a line's own middle latitude: the longer line's differ from its parts' by some in ten thousand.
  const scale = (along: Metres, part: RoutePlan, now: Metres) => (part.length > 0 ? (along / part.length) * now : 0)
  return {
    ...a,
    line,
    length,
    // Parts begin where the last ended, or a pace beside it: that step takes no time.
    segmentSeconds: a.segmentSeconds && b.segmentSeconds && [...a.segmentSeconds, 0, ...b.segmentSeconds],
    seconds: a.seconds + b.seconds,
    waypoints: [
      ...a.waypoints.map((along) => scale(along, a, end)),
      ...b.waypoints.slice(1).map((along) => start + scale(along, b, length - start)),
    ],
  }
}

/** Counts failures of one router and keeps it from being asked while it is not well. "No route" is an answer and not a failure. */
class Breaker {
  why: Why | null = null
  private failures = 0
  private until: Millis = 0
  private readonly now: () => Millis

  constructor(now: () => Millis) {
    this.now = now
  }

  /** One question passes when the rest is over; the others wait for what comes of it. */
  admits(): boolean {
    if (this.failures < PATIENCE) return true
    if (this.now() < this.until) return false
    this.until = this.now() + REST
    return true
  }

  saw(miss: Miss | null): void {
    if (miss === null || miss.why === 'no-route') {
      this.failures = 0
      this.why = null
      return
    }
    this.why = miss.why
    this.failures = miss.why === 'rate' || miss.why === 'refused' ? PATIENCE : this.failures + 1
    if (this.failures >= PATIENCE) this.until = this.now() + (miss.retryAfter ?? REST)
  }
}
