// One simulated driver: a run and ticks in; a van on its road, a phone in it, and the same uplink as the driver's page out.
import { memoryActs, openActs } from '@doorstep/shared/acts'
import type { RunView } from '@doorstep/shared/api'
import { distance, wrap } from '@doorstep/shared/geo'
import { FAIL_REASONS } from '@doorstep/shared/order'
import { memoryStorage, type Outbox, openOutbox } from '@doorstep/shared/outbox'
import type { Random } from '@doorstep/shared/random'
import { pointAt, type Route, route, segmentAt } from '@doorstep/shared/route'
import type { LngLat, Metres, Millis, Seconds } from '@doorstep/shared/units'
import { type Clock, openUplink, type Uplink, type UplinkSocket } from '@doorstep/shared/uplink'
import { type Gps, type GpsOptions, look, newGps } from './gps.ts'
import {
  type Deed,
  type Door,
  drive,
  parkedAt,
  type Road,
  road,
  secondsBefore,
  type Truth,
  truth,
  type Vehicle,
} from './vehicle.ts'

export interface DriverOptions {
  readonly socket: UplinkSocket
  /** The server's and, moved by the phone's own error, the phone's clock. */
  readonly clock: Clock
  readonly clockError: Millis
  readonly rng: Random
  readonly gps: GpsOptions
  /** Seconds of the van for each second of the clock. */
  readonly speed: number
  /** Share of attempts that fail at the door. */
  readonly fails: number
  /** Chance in a second that the phone loses its network for 15–60 s. */
  readonly outages: number
  /** Random names for queues and acts. */
  readonly newId: () => string
}
export interface SimDriver {
  readonly uplink: Uplink
  readonly outbox: Outbox
  readonly run: RunView | null
  /** Doors still ahead, in order. */
  readonly ahead: readonly Door[]
  readonly at: LngLat | null
  readonly refused: number
  /** Seconds of driving to the next door, as planned; null without one. */
  readonly toNext: Seconds | null
  /** Starts on a run `before` seconds from its next door, or where it begins; resolves when no door is left and the server knows, or the run went away. */
  take(run: RunView, before?: Seconds): Promise<void>
  /** Moves the van by `dt` seconds of the clock and lets its phone look. */
  tick(dt: Seconds): void
  stop(): void
}

/** The van never drives faster than a server believes (T5), however fast time goes. */
const TOP = 50

export async function openDriver(options: DriverOptions): Promise<SimDriver> {
  const { rng, speed } = options
  const clock: Clock = { now: () => options.clock.now() + options.clockError, after: options.clock.after }
  const outbox = await openOutbox(memoryStorage(), { newQid: options.newId })
  const acts = await openActs(memoryActs())
  const noise = rng.fork('gps')
  const net = rng.fork('net')
  let on: Road | null = null
  let van: Vehicle = parkedAt(0)
  let gps: Gps = newGps
  let run: RunView | null = null
  let done: (() => void) | null = null
  let refused = 0
  let saving = 0
  let offlineFor = 0
  let idle = 0
  let place: Truth | null = null
  const settled = new Set<string>()

  const uplink = openUplink({
    socket: options.socket,
    outbox,
    acts,
    clock,
    random: options.rng.fork('jitter'),
    onRefused: () => refused++,
    onChange: () => {
      const heard = uplink?.state.run
      if (run && heard && heard !== run && heard.id === run.id) follow(heard)
      if (uplink.state.link === 'stopped') end()
      finish()
    },
  })

  /** The dispatcher changed the run under way: another line, another door, one door less. */
  const follow = (changed: RunView): void => {
    const from = run!.routeVersion === changed.routeVersion ? van.along : null
    run = changed
    if (changed.status === 'cancelled' || changed.status === 'finished') {
      on = null
      return
    }
    lay(changed, from)
  }
  const lay = (view: RunView, along: Metres | null): void => {
    const line = route(view.route.line, view.route.segmentSeconds ?? undefined)
    const open = view.stops.filter((s) => (s.status === 'pending' || s.status === 'arrived') && !settled.has(s.id))
    const serving = van.doing === 'serving' ? on?.doors[van.door]?.stopId : undefined
    const doors = open.map((s, i) => ({
      stopId: s.id,
      along: s.along,
      service: s.service * (0.5 + rng.fork(`service ${view.stops.length - open.length + i}`)()),
    }))
    on = road(line, { seconds: view.route.seconds, doors, rng: rng.fork('road'), top: TOP / speed })
    const served = view.stops.filter((s) => s.status === 'done' || s.status === 'failed' || settled.has(s.id))
    const behind = Math.max(0, ...served.map((s) => s.along))
    const here = along ?? (place ? nearest(line, place.at, behind, doors[0]?.along ?? line.length) : behind)
    const stays = serving !== undefined && doors[0]?.stopId === serving
    van = { ...van, along: Math.min(here, doors[0]?.along ?? line.length), door: 0, doing: stays ? 'serving' : 'driving' }
  }
  const finish = (): void => {
    if (!done || !run || saving > 0 || acts.open.length > 0) return
    if (on && van.door < on.doors.length) return
    end()
  }
  const end = (): void => {
    const tell = done
    done = null
    run = null
    on = null
    tell?.()
  }
  const act = (deed: Deed): void => {
    const failed = deed.kind === 'served' && rng() < options.fails
    if (deed.kind === 'served') settled.add(deed.stopId)
    saving++
    const saved = uplink.act({
      idemKey: options.newId(),
      stopId: deed.stopId,
      at: clock.now(),
      ...(deed.kind === 'arrived'
        ? { type: 'arrived' }
        : failed
          ? { type: 'failed', reason: rng.pick(FAIL_REASONS) }
          : { type: 'delivered' }),
    })
    void saved.finally(() => {
      saving--
      finish()
    })
  }

  uplink.start()
  return {
    uplink,
    outbox,
    get run() {
      return run
    },
    get ahead() {
      return on?.doors.slice(van.door) ?? []
    },
    get at() {
      return place?.at ?? null
    },
    get refused() {
      return refused
    },
    get toNext() {
      const next = on?.doors[van.door]
      if (!on || !next) return null
      const mean = on.route.seconds ? on.route.length / on.route.seconds[on.route.seconds.length - 1]! : 8
      return van.doing === 'serving' ? 0 : (next.along - van.along) / Math.max(3, mean * 0.8) / speed
    },
    take(view, before) {
      run = view
      settled.clear()
      van = parkedAt(0, van.t)
      place = null
      lay(view, null)
      // In the middle of a leg it is moving: a phone that stands has no heading, and a street driven both ways would be ambiguous.
      if (before !== undefined && on)
        van = { ...van, ...(openly(on, view, van.along, before) ?? secondsBefore(on, van.along, before)) }
      return new Promise<void>((resolve) => {
        done = resolve
        finish()
      })
    },
    tick(dt) {
      if (on) {
        const moved = drive(on, van, dt * speed)
        van = moved.vehicle
        for (const deed of moved.deeds) act(deed)
        place = truth(on, van)
      } else if (place) place = { ...place, speed: 0 }
      if (options.outages > 0) outage(dt)
      if (!place) return
      // Between two runs a parked van has little to say.
      idle = run ? 0 : idle + dt
      if (!run && idle % 10 >= dt) return
      const seen = look(gps, place, { t: van.t, dt, clock: clock.now() }, options.gps, noise)
      gps = seen.gps
      for (const fix of seen.fixes) void uplink.add(fix)
    },
    stop() {
      uplink.stop()
      end()
    },
  }

  function outage(dt: Seconds): void {
    if (offlineFor > 0) {
      offlineFor -= dt
      if (offlineFor <= 0) uplink.start()
    } else if (net() < options.outages * dt && uplink.state.link === 'online') {
      offlineFor = 15 + 45 * net()
      uplink.stop()
    }
  }
}

/** A little later on the leg when the van would stand near the door of somebody else, where nobody may see it (V3); null when it is so all along. */
function openly(on: Road, view: RunView, from: Metres, before: Seconds): ReturnType<typeof secondsBefore> | null {
  const others = view.stops.filter((s) => s.id !== on.doors[0]?.stopId)
  for (let seconds = before; seconds > before / 2; seconds -= 5) {
    const start = secondsBefore(on, from, seconds)
    const at = pointAt(on.route, start.along)
    if (others.every((s) => distance(at, s.door) > HIDDEN)) return start
  }
  return null
}
const HIDDEN: Metres = 180

/** Metres along the line of the point nearest to a place, between two others along it. */
function nearest(line: Route, at: LngLat, from: Metres, to: Metres): Metres {
  const [lng0, lat0] = line.line[0]!
  const px = wrap(at[0] - lng0) * line.ruler.kx
  const py = (at[1] - lat0) * line.ruler.ky
  let best = from
  let least = Number.POSITIVE_INFINITY
  for (let i = segmentAt(line, from); i < line.line.length - 1 && line.cum[i]! <= to; i++) {
    const bx = line.x[i + 1]! - line.x[i]!
    const by = line.y[i + 1]! - line.y[i]!
    const l2 = bx * bx + by * by
    const share = l2 > 0 ? Math.min(1, Math.max(0, ((px - line.x[i]!) * bx + (py - line.y[i]!) * by) / l2)) : 0
    const away = Math.hypot(px - line.x[i]! - share * bx, py - line.y[i]! - share * by)
    if (away >= least) continue
    least = away
    best = line.cum[i]! + share * Math.sqrt(l2)
  }
  return Math.min(to, Math.max(from, best))
}
