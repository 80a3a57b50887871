// Recorded trips, one JSON object a line, in; the same fixes in the same order of arrival, as if driven now, out.
import { memoryActs, openActs } from '@doorstep/shared/acts'
import { distance } from '@doorstep/shared/geo'
import { memoryStorage, openOutbox } from '@doorstep/shared/outbox'
import type { Random } from '@doorstep/shared/random'
import type { LngLat, Millis, Seconds } from '@doorstep/shared/units'
import { type Clock, openUplink, type UplinkSocket } from '@doorstep/shared/uplink'
import type { Fleet, Phone } from './fleet.ts'
import type { Office } from './office.ts'

export interface Trip {
  readonly id: string
  readonly doors: readonly LngLat[]
  readonly from: LngLat
  /** In order of arrival. `at` is when it arrives and `t` when it was taken, both in seconds after the first fix. */
  readonly pings: readonly { readonly at: Seconds; readonly t: Seconds; readonly place: LngLat }[]
}

/** Trips that hold, and for each line that does not why. Other keys are ignored. */
export function parseTrips(text: string): { trips: Trip[]; faults: string[] } {
  const trips: Trip[] = []
  const faults: string[] = []
  for (const [i, words] of text.split('\n').entries()) {
    if (words.trim() === '') continue
    let raw: { id?: unknown; route?: unknown; pings?: unknown; stops?: unknown }
    try {
      raw = JSON.parse(words)
    } catch {
      faults.push(`line ${i + 1} is not JSON`)
      continue
    }
    const { route, pings, stops } = raw
    const timed = Array.isArray(pings) && pings.every((p) => Array.isArray(p) && p.length >= 3 && p.every(Number.isFinite))
    if (!timed || pings.length === 0 || !isLine(route) || (stops !== undefined && !isLine(stops))) {
      faults.push(`line ${i + 1} is not a trip: {id, route: [[lng,lat]…], pings: [[t_s,lng,lat]…], stops?}`)
      continue
    }
    const first = Math.min(...pings.map((p) => p[0]))
    let latest = 0
    trips.push({
      id: String(raw.id ?? i + 1),
      from: route[0]!,
      doors: isLine(stops) ? stops : [route[route.length - 1]!],
      pings: pings.map(([t, lng, lat]) => {
        latest = Math.max(latest, t - first)
        return { at: latest, t: t - first, place: [lng, lat] as const }
      }),
    })
  }
  return { trips, faults }
}
const isLine = (x: unknown): x is LngLat[] =>
  Array.isArray(x) && x.length > 0 && x.every((p) => Array.isArray(p) && p.length === 2 && p.every(Number.isFinite))

export interface ReplayOptions {
  readonly fleet: Pick<Fleet, 'hire'>
  readonly office: Office
  readonly connect: (token: string, rng: Random) => UplinkSocket
  readonly clock: Clock
  readonly newId: () => string
  readonly rng: Random
  readonly speed: number
  readonly say: (line: string) => void
}

/** How near a door is reached, and how far it is left behind, m. */
const REACHED = 50
const LEFT = 90

/** Sends every trip on its way; those inside the server's city also deliver at their doors. */
export async function replayTrips(trips: readonly Trip[], options: ReplayOptions): Promise<Phone[]> {
  const { office, clock } = options
  const city = await office.city()
  const inside = ([lng, lat]: LngLat): boolean => {
    if (!city.ok) return false
    const [west, south, east, north] = city.value.bbox
    return lng >= west && lng <= east && lat >= south && lat <= north
  }
  const riders: Phone[] = []
  for (const [i, trip] of trips.entries()) {
    const hired = await options.fleet.hire({ name: `Trip ${trip.id}`.slice(0, 60), vehicle: `Recorded ${i + 1}` })
    if (!hired) {
      options.say(`no driver for trip ${trip.id}`)
      continue
    }
    const outbox = await openOutbox(memoryStorage(), { newQid: options.newId })
    const rng = options.rng.fork(`trip ${i}`)
    const rider = { refused: 0 }
    const uplink = openUplink({
      socket: options.connect(hired.token, rng.fork('line')),
      outbox,
      acts: await openActs(memoryActs()),
      clock,
      random: rng.fork('jitter'),
      onRefused: () => rider.refused++,
    })
    uplink.start()
    const stops = [trip.from, ...trip.doors].every(inside) ? await delivery(trip, hired.id, office) : []
    replay(trip, stops, { ...options, uplink })
    riders.push({
      uplink,
      outbox,
      get refused() {
        return rider.refused
      },
    })
  }
  options.say(`${riders.length} recorded trips on their way`)
  return riders
}

async function delivery(trip: Trip, driverId: string, office: Office): Promise<{ id: string; door: LngLat }[]> {
  const made = await Promise.all(
    trip.doors.map((at, k) =>
      office.order({ recipient: { name: `Door ${k + 1}` }, address: { label: `Trip ${trip.id}, door ${k + 1}`, at }, service: 30 }),
    ),
  )
  const orders = made.flatMap((r) => (r.ok ? [r.value.order.id] : []))
  const run = await office.run({ name: `Trip ${trip.id}`.slice(0, 60), driverId, start: trip.from, orders })
  if (!run.ok) return []
  const started = await office.start(run.value.id)
  return started.ok ? started.value.stops.map((s) => ({ id: s.id, door: s.door })) : []
}

function replay(
  trip: Trip,
  stops: readonly { id: string; door: LngLat }[],
  options: ReplayOptions & { uplink: ReturnType<typeof openUplink> },
): void {
  const { clock, uplink, speed } = options
  const begin: Millis = clock.now()
  let k = 0
  let there = false
  const act = (type: 'arrived' | 'delivered'): void =>
    void uplink.act({ idemKey: options.newId(), type, stopId: stops[k]!.id, at: clock.now() })
  const step = (i: number): void => {
    const ping = trip.pings[i]
    if (!ping) {
      if (there) act('delivered')
      return
    }
    clock.after(Math.max(0, begin + (ping.at * 1000) / speed - clock.now()), () => {
      void uplink.add({ t: Math.round(begin + (ping.t * 1000) / speed), lon: ping.place[0], lat: ping.place[1] })
      const door = stops[k]?.door
      if (door) {
        const away = distance(ping.place, door)
        if (!there && away < REACHED) {
          there = true
          act('arrived')
        } else if (there && away > LEFT) {
          act('delivered')
          there = false
          k++
        }
      }
      step(i + 1)
    })
  }
  step(0)
}
