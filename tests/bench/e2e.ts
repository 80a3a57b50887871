// A stand and a load in; server CPU a ping, delivery and latency out: drivers ping, each order has one watcher, dispatchers see the whole fleet.
import { pointAt, type Route } from '@doorstep/shared/route'
import type { LngLat } from '@doorstep/shared/units'
import { quantile } from './wire.ts'

export interface Load {
  /** The first so many drivers of the stand ping, so often a second each. */
  readonly drivers: number
  readonly rate: number
  readonly warmSeconds: number
  readonly seconds: number
}
export interface Figures {
  /** User and system time of all server processes a ping, µs. */
  readonly cpu: number
  /** Pings a second that were sent. */
  readonly rate: number
  /** Deliveries to watchers ÷ pings. */
  readonly delivered: number
  /** From sending to the watcher's frame, ms. */
  readonly p50: number
  readonly p99: number
  /** Bytes a second to each dispatcher. */
  readonly fleetBytes: number
}

/** Servers of one kind, set up and connected. */
export interface Stand {
  readonly dispatchers: number
  /** Of driver `k`: `routes[k % routes.length]`. */
  readonly routes: readonly Route[]
  /** Most pings that may be on their way: a server that can't keep up is measured at what it can do. */
  readonly bound: number
  /** Sends the place of driver `k`. */
  send(k: number, at: LngLat, t: number): void
  /** To be told of each delivery: the time that the ping was sent with. */
  onSeen: (t: number) => void
  /** Processor time of all server processes so far, µs. */
  cpu(): Promise<number>
  fleetBytes(): number
  close(): Promise<void>
}

/** Metres a second at which every driver moves. */
export const SPEED = 9
const BORN = Date.now()

/** Where driver `k` is now: all drive on, whether they are heard or not. */
export function placeNow(stand: Stand, k: number, now: number): LngLat {
  const line = stand.routes[k % stand.routes.length]!
  const along = line.length * 0.05 + (k % 40) * 10 + SPEED * ((now - BORN) / 1000)
  return pointAt(line, along % (line.length * 0.9))
}

/** Drives for a warm-up and then the measured time. */
export async function measure(stand: Stand, { drivers, rate, warmSeconds, seconds }: Load): Promise<Figures> {
  const start = Date.now()
  let latencies: number[] = []
  let seen = 0
  let inFlight = 0
  stand.onSeen = (t) => {
    // What is told again of a driver who paused is no delivery.
    if (t < start) return
    seen++
    if (inFlight > 0) inFlight--
    latencies.push(Date.now() - t)
  }
  const gap = 1000 / rate
  let sent = 0
  let next = 0
  let due = start
  const timer = setInterval(() => {
    const now = Date.now()
    // Late by more than a second: what was missed is not made up for, or a slow moment would end in a flood.
    if (now - due > 1_000) due = now
    for (let burst = 0; burst < 2_000 && due <= now && inFlight < stand.bound; burst++) {
      stand.send(next, placeNow(stand, next, now), now)
      inFlight++
      sent++
      next = (next + 1) % drivers
      due += gap / drivers
    }
  }, 4)
  await passed(warmSeconds)
  const [cpu, bytes, sentBefore, seenBefore, from] = [await stand.cpu(), stand.fleetBytes(), sent, seen, Date.now()]
  latencies = []
  await passed(seconds)
  const [cpuAfter, pings, lasted] = [await stand.cpu(), sent - sentBefore, (Date.now() - from) / 1000]
  clearInterval(timer)
  const figures: Figures = {
    cpu: (cpuAfter - cpu) / pings,
    rate: pings / lasted,
    delivered: (seen - seenBefore) / pings,
    p50: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
    fleetBytes: stand.dispatchers ? (stand.fleetBytes() - bytes) / lasted / stand.dispatchers : 0,
  }
  // What is still on its way belongs to this round.
  for (let wait = 0; wait < 20 && seen < sent * 0.99; wait++) await passed(0.05)
  return figures
}

export const passed = (seconds: number) => new Promise<void>((resolve) => setTimeout(resolve, seconds * 1000))
