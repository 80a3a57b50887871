// An office, a seed and a wish in; a fleet that hires its drivers, orders, loads, drives and delivers for ever out.
import type { OrderCreated, Place, RunView } from '@doorstep/shared/api'
import { distance } from '@doorstep/shared/geo'
import type { Random } from '@doorstep/shared/random'
import type { LngLat, Seconds } from '@doorstep/shared/units'
import type { Clock, UplinkSocket } from '@doorstep/shared/uplink'
import { openDriver, type SimDriver } from './driver.ts'
import type { GpsOptions } from './gps.ts'
import { driverName, note, recipient, shop } from './names.ts'
import { type Office, tour } from './office.ts'

export interface FleetOptions {
  readonly office: Office
  /** A closed socket to /driver that carries this device token. */
  readonly connect: (token: string, rng: Random) => UplinkSocket
  readonly clock: Clock
  readonly rng: Random
  readonly newId: () => string
  /** Fixes a second. */
  readonly rate: number
  readonly speed: number
  /** Doors of a run. */
  readonly stops: number
  readonly gps: GpsOptions
  /** Phones' clocks are wrong by up to this, ms. */
  readonly skew: number
  readonly outages: number
  readonly say: (line: string) => void
}
/** An order of a run, with the only copy of its customer's link. */
export interface Parcel {
  readonly orderId: string
  readonly url: string
  readonly stopId: string
}
export interface Load {
  readonly run: RunView
  readonly parcels: readonly Parcel[]
}
/** How a run begins: so many doors are behind the van, and so many seconds lie before the next one. */
export interface Beginning {
  readonly stops: number
  readonly done: number
  readonly before?: Seconds
  /** Index of a door behind the van at which nobody opened. */
  readonly failed?: number
}
export interface Van {
  readonly id: string
  readonly driver: SimDriver
  load: Load | null
  /** Loaded for later, not started. */
  next: Load | null
}
export interface Figures {
  readonly drivers: number
  readonly online: number
  readonly stored: number
  readonly kept: number
  readonly queued: number
  readonly reconnects: number
  readonly refused: number
  readonly delivered: number
}
export interface Fleet {
  readonly vans: readonly Van[]
  /** Some door in the thick of the city. */
  readonly centre: LngLat
  figures(): Figures
  /** Puts orders at real doors near a place on a run for a driver, not yet started. */
  load(driverId: string, near: LngLat, stops: number, rng: Random): Promise<Load | null>
  /** Sends it on its way; null when the server would not. */
  start(load: Load): Promise<Load | null>
  /** Hires the n-th driver of every fleet, or finds them from an earlier start, without what was left of their runs. */
  hire(who: { name: string; vehicle: string }): Promise<{ id: string; token: string; url: string } | null>
  /** A driver who begins a run as told and then drives one after the other until `stop`. */
  begin(n: number, first: Beginning): Promise<Van | null>
  stop(): void
}

export async function openFleet(options: FleetOptions): Promise<Fleet> {
  const { office, clock, rng } = options
  const vans: Van[] = []
  let stopped = false
  let delivered = 0
  const pool = await doors(options)
  const pause = (seconds: number): Promise<void> => new Promise((done) => clock.after(1000 * seconds, done))
  const known = office.drivers().then((r) => new Map(r.ok ? r.value.drivers.map((d) => [`${d.name}\n${d.vehicle}`, d.id]) : []))
  const left = (async () => {
    const all = await Promise.all((['started', 'assigned'] as const).map((status) => office.runs(status)))
    return all.flatMap((r) => (r.ok ? r.value.runs : []))
  })()

  /** What an earlier start left open is cancelled: its customers' links died with it. */
  const clear = async (runs: readonly RunView[]): Promise<void> => {
    for (const run of runs) {
      const open = run.stops.filter((s) => s.status === 'pending' || s.status === 'arrived')
      await Promise.all(open.map((s) => office.cancelOrder(s.orderId)))
      await office.cancelRun(run.id)
    }
  }

  const load: Fleet['load'] = async (driverId, near, stops, draw) => {
    for (let tries = 0; tries < 5; tries++) {
      const chosen = nearby(pool, near, stops, draw)
      const start = draw.pick(nearby(pool, near, 8, draw)).at
      const order = tour(
        start,
        chosen.map((p) => p.at),
        distance,
      ).map((i) => chosen[i]!)
      const made = await Promise.all(order.map((place) => office.order(parcelFor(place, draw))))
      const orders = made.flatMap((r): OrderCreated[] => (r.ok ? [r.value] : []))
      if (orders.length === 0) {
        options.say(`no order could be made: ${made[0]?.ok === false ? made[0].fault.code : 'no places'}`)
        await pause(2)
        continue
      }
      const run = await office.run({ name: `Round ${1 + draw.int(900)}`, driverId, start, orders: orders.map((o) => o.order.id) })
      if (!run.ok) {
        options.say(`no run could be made: ${run.fault.code} ${run.fault.title}`)
        await Promise.all(orders.map((o) => office.cancelOrder(o.order.id)))
        await pause(2)
        continue
      }
      const links = new Map(orders.map((o) => [o.order.id, o.link.url]))
      return {
        run: run.value,
        parcels: run.value.stops.map((s) => ({ orderId: s.orderId, stopId: s.id, url: links.get(s.orderId) ?? '' })),
      }
    }
    return null
  }

  const start: Fleet['start'] = async (loaded) => {
    let run = await office.start(loaded.run.id)
    if (!run.ok && run.fault.code === 'CONFLICT') {
      // An act at the last door was refused: the run before is still open.
      const open = await office.runs('started')
      if (open.ok) await clear(open.value.runs.filter((r) => r.driverId === loaded.run.driverId))
      run = await office.start(loaded.run.id)
    }
    return run.ok ? { ...loaded, run: run.value } : null
  }

  const hire: Fleet['hire'] = async (who) => {
    const id = (await known).get(`${who.name}\n${who.vehicle}`)
    if (id === undefined) {
      const hired = await office.hire(who.name, who.vehicle)
      if (!hired.ok) return null
      return { id: hired.value.driver.id, token: hired.value.device.token, url: hired.value.device.url }
    }
    await clear((await left).filter((r) => r.driverId === id))
    const phone = await office.phone(id)
    return phone.ok ? { id, token: phone.value.token, url: phone.value.url } : null
  }

  const begin: Fleet['begin'] = async (n, first) => {
    const draw = rng.fork(`van ${n}`)
    const hired = await hire(driverName(n))
    if (!hired) {
      options.say(`driver ${n + 1} could not be hired`)
      return null
    }
    const driver = await openDriver({
      socket: options.connect(hired.token, draw.fork('line')),
      clock,
      clockError: Math.round((2 * draw.fork('skew')() - 1) * options.skew),
      rng: draw.fork('driver'),
      gps: options.gps,
      speed: options.speed,
      fails: 0.07,
      outages: options.outages,
      newId: options.newId,
    })
    const van: Van = { id: hired.id, driver, load: null, next: null }
    vans.push(van)
    void live(van, n, draw, first)
    return van
  }

  const live = async (van: Van, n: number, draw: Random, first: Beginning): Promise<void> => {
    let how = first
    let near = draw.pick(pool).at
    while (!stopped && van.driver.uplink.state.link !== 'stopped') {
      const loaded = van.next ?? (await load(van.id, near, how.stops, draw))
      van.next = null
      const started = loaded && (await start(loaded))
      if (!started) {
        await pause(5 + 10 * draw())
        continue
      }
      let { run } = started
      for (const [i, stop] of run.stops.slice(0, how.done).entries()) {
        const settled = await office.settle(run.id, stop.id, i === how.failed ? 'failed' : 'done')
        if (settled.ok) run = settled.value
      }
      van.load = { ...started, run }
      await van.driver.take(run, how.before)
      delivered += run.stops.length - how.done
      near = van.driver.at ?? near
      how = { stops: first.stops, done: 0 }
      await pause((2 + 8 * draw()) / Math.min(4, options.speed))
    }
    if (stopped) return
    // The server no longer knows this phone: it was set back, or somebody revoked it. The driver gets a new one.
    options.say(`driver ${n + 1}: ${van.driver.uplink.state.why}, a new phone`)
    van.driver.stop()
    vans.splice(vans.indexOf(van), 1)
    await pause(5)
    await begin(n, { stops: first.stops, done: 0 })
  }

  // One timer for all: each van has its own moment within the interval, so that a server never hears all of them at once.
  const interval = 1000 / options.rate
  let ticks = 0
  const beat = (due: number): void => {
    if (stopped) return
    const slot = ticks++ % SLOTS
    for (let i = slot; i < vans.length; i += SLOTS) vans[i]!.driver.tick(1 / options.rate)
    const at = due + interval / SLOTS
    // A machine that can't keep up drives later rather than more at once.
    clock.after(Math.max(0, at - clock.now()), () => beat(Math.max(at, clock.now() - interval)))
  }
  beat(clock.now())

  return {
    vans,
    centre: middle(pool),
    load,
    start,
    hire,
    begin,
    figures: () => ({ ...figuresOf(vans.map((v) => v.driver)), delivered }),
    stop() {
      stopped = true
      for (const van of vans) van.driver.stop()
    },
  }
}

/** What a number of phones add up to. */
export const figuresOf = (phones: readonly Phone[]): Figures => ({
  drivers: phones.length,
  online: count(phones, (p) => (p.uplink.state.link === 'online' ? 1 : 0)),
  stored: count(phones, (p) => p.outbox.head.last),
  kept: count(phones, (p) => p.outbox.head.kept),
  queued: count(phones, (p) => p.outbox.queued),
  reconnects: count(phones, (p) => p.uplink.state.reconnects),
  refused: count(phones, (p) => p.refused + p.outbox.head.refused),
  delivered: 0,
})
export type Phone = Pick<SimDriver, 'uplink' | 'outbox' | 'refused'>

/** Vans whose moments in an interval differ. */
const SLOTS = 20
/** The door nearest to the mean of all. */
const middle = (pool: readonly Place[]): LngLat => {
  const mean: LngLat = [count(pool, (p) => p.at[0]) / pool.length, count(pool, (p) => p.at[1]) / pool.length]
  return [...pool].sort((a, b) => distance(a.at, mean) - distance(b.at, mean))[0]!.at
}
const count = <T>(things: readonly T[], of: (thing: T) => number): number => things.reduce((sum, thing) => sum + of(thing), 0)

/** Real doors of this city, once; a server without any is asked again. */
async function doors(options: FleetOptions): Promise<Place[]> {
  for (;;) {
    const found = await options.office.places(500, options.rng.fork('places').int(1e9))
    if (found.ok && found.value.places.length > 0) return found.value.places
    options.say(`no places yet: ${found.ok ? 'an empty city' : found.fault.code}`)
    await new Promise<void>((done) => options.clock.after(2000, done))
  }
}

/** Doors that one van can serve: drawn from those nearest to a place, so that legs are minutes and not hours. */
export function nearby(pool: readonly Place[], to: LngLat, n: number, rng: Random): Place[] {
  const close = [...pool].sort((a, b) => distance(a.at, to) - distance(b.at, to)).slice(0, Math.max(n * 4, 16))
  const out: Place[] = []
  while (out.length < n && close.length > 0) out.push(...close.splice(rng.int(close.length), 1))
  return out
}

const parcelFor = (place: Place, rng: Random) => {
  const words = note(rng)
  return {
    merchant: shop(rng),
    recipient: { name: recipient(rng) },
    address: { label: place.label, at: place.at },
    service: 45 + 15 * rng.int(4),
    ...(words ? { note: words } : {}),
  }
}
