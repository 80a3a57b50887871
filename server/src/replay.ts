// Recorded trips as JSON lines in, what the tracking core shows after each ping as JSON lines out. No network, no database, no clock.
import { createReadStream, realpathSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'
import type { Fix } from '@doorstep/shared/ping'
import { route } from '@doorstep/shared/route'
import type { DriverNo, LngLat, Millis, RunId } from '@doorstep/shared/units'
import { type TripLine, tripLine } from './replay-line.ts'
import { etaTo } from './tracking/eta.ts'
import { placeStops, type TripPlan } from './tracking/plan.ts'
import { advance, begin, isApproaching, type TripState, toTrack } from './tracking/trip.ts'

const NOBODY = 0 as DriverNo
const RUN = 'replay' as RunId

/**
 * One trip through the core: a line after each ping in input order, and `arrived` lines as stops are reached. Pings that are equal in time are ordered by
 * their place, since recordings carry no seq; so any shuffle gives the same final state.
 */
export function* replayTrip(trip: TripLine): Generator<Record<string, unknown>> {
  const line = route(trip.route)
  const doors = placeStops(line, trip.stops)
  const end = trip.route.at(-1)!
  const plan: TripPlan = {
    route: line,
    routeVersion: 1,
    confidence: 'road',
    stops: [
      ...trip.stops.map((door, k) => ({ id: `${k}`, along: doors[k]!, door, service: 0, closed: false })),
      { id: 'end', along: line.length, door: end, service: 0, closed: false },
    ],
  }
  const last = plan.stops.length - 1
  // Times are instants from here on, and an instant is never before 1970.
  const start = Math.max(0, (trip.start ?? 0) * 1000) - trip.pings.reduce((least, [t]) => Math.min(least, t), 0) * 1000
  const fixes = numbered(trip.pings, start)
  // By seq, which here is the order of fix times.
  const known: (Fix | undefined)[] = []
  let state: TripState = begin(plan)
  for (const [i, fix] of fixes.entries()) {
    const before = state
    if (known[fix.seq] === undefined) {
      known[fix.seq] = fix
      const step = advance(state, fix, fix.recordedAt, plan)
      state = step.verdict === 'OLD' ? refold(plan, known) : step.state
    }
    for (let k = 0; k < last; k++) {
      const at = state.head.arrived[k]!
      if (at >= 0 && at !== before.head.arrived[k]) yield { id: trip.id, event: 'arrived', stop: k, t: seconds(at - start) }
    }
    yield shown(trip, i, plan, state, start, last)
  }
}

/** The state from the whole history, in order: for a fix from before the checkpoint (the server would read it from its journal). */
function refold(plan: TripPlan, known: readonly (Fix | undefined)[]): TripState {
  let state = begin(plan)
  for (const fix of known) if (fix) state = advance(state, fix, fix.recordedAt, plan).state
  return state
}

function shown(trip: TripLine, i: number, plan: TripPlan, state: TripState, start: Millis, last: number): Record<string, unknown> {
  const track = toTrack(state, plan, NOBODY, RUN, 15, true)
  if (track === null) {
    const [t, lng, lat] = trip.pings[i]!
    return {
      id: trip.id,
      i,
      t,
      along_m: 0,
      remaining_m: metres(plan.route.length),
      eta_s: null,
      eta_low_s: null,
      eta_high_s: null,
      off_route: false,
      phase: 'enroute',
      lng,
      lat,
    }
  }
  const now = track.recordedAt
  // What is shown is about the end of the route alone; once reached it stays so, since nothing comes after.
  const arrived = state.head.arrived[last]! >= 0
  const eta = etaTo(plan, { ...track, nextStop: last, phase: arrived ? 'arrived' : 'enroute' }, last, now)
  const known = eta.kind === 'window'
  return {
    id: trip.id,
    i,
    t: seconds(now - start),
    along_m: metres(track.along),
    remaining_m: metres(Math.max(0, plan.route.length - track.along)),
    eta_s: known ? seconds(eta.mid - now) : null,
    eta_low_s: known ? seconds(eta.from - now) : null,
    eta_high_s: known ? seconds(eta.to - now) : null,
    off_route: track.offRoute,
    phase: arrived ? 'arrived' : isApproaching(plan, state, last) ? 'approaching' : 'enroute',
    lng: round(track.at[0], 1e6),
    lat: round(track.at[1], 1e6),
  }
}

/** Pings as fixes: the same (t, place) is the same fix, and seq is its rank among all. */
function numbered(pings: readonly (readonly [number, number, number])[], start: Millis): Fix[] {
  const key = ([t, lng, lat]: readonly [number, number, number]): string => `${t}/${lng}/${lat}`
  const order = [...new Map(pings.map((p) => [key(p), p])).values()].sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2])
  const seq = new Map(order.map((p, k) => [key(p), k + 1]))
  return pings.map((p) => ({
    seq: seq.get(key(p))!,
    recordedAt: start + Math.round(p[0] * 1000),
    at: [p[1], p[2]] as LngLat,
    accuracy: null,
    speed: null,
    heading: null,
    altitude: null,
    battery: null,
    flags: [],
  }))
}

const round = (x: number, by: number): number => Math.round(x * by) / by
const metres = (m: number): number => round(m, 10)
const seconds = (ms: Millis): number => round(ms / 1000, 1000)

/** Replays a file to stdout. Exit code 0, 1 when a line was not a trip (each is told on stderr, the others are replayed), 2 without a readable file. */
async function main(file: string | undefined): Promise<number> {
  if (!file) {
    process.stderr.write('usage: replay FILE.jsonl\n')
    return 2
  }
  let closed = false
  let goOn = (): void => {}
  process.stdout.on('drain', () => goOn())
  process.stdout.on('error', (e: NodeJS.ErrnoException) => {
    if (e.code !== 'EPIPE') throw e
    closed = true
    goOn()
  })
  const input = createReadStream(file, 'utf8')
  let unreadable: NodeJS.ErrnoException | null = null
  input.on('error', (e) => {
    unreadable = e
  })
  let faults = 0
  let number = 0
  let buffer = ''
  try {
    for await (const text of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
      number++
      if (closed) break
      if (text.trim() === '') continue
      const trip = tripLine(text)
      if (!trip.ok) {
        faults++
        process.stderr.write(`${file}:${number}: ${trip.fault}\n`)
        continue
      }
      for (const line of replayTrip(trip.value)) {
        buffer += `${JSON.stringify(line)}\n`
        if (buffer.length > 65_536) {
          if (!process.stdout.write(buffer) && !closed) {
            await new Promise<void>((done) => {
              goOn = done
            })
          }
          buffer = ''
        }
        if (closed) break
      }
    }
  } catch (e) {
    if (e !== unreadable) throw e
  }
  if (unreadable) {
    process.stderr.write(`${file}: ${(unreadable as NodeJS.ErrnoException).code ?? 'can not be read'}\n`)
    return 2
  }
  if (buffer && !closed) await new Promise<void>((done) => process.stdout.write(buffer, () => done()))
  return faults > 0 ? 1 : 0
}

if (process.argv[1] && import.meta.url === pathToFileURL(realpathSync(process.argv[1])).href)
  process.exitCode = await main(process.argv[2])
