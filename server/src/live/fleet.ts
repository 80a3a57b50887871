// A dispatcher's session and map window in; the roster, what changed in it, and frames of who moved inside the window, out.
import type { DriverRow, OrderRow } from '@doorstep/shared/api'
import { type FleetTick, fleetCounts, fleetTick } from '@doorstep/shared/frame'
import type { Alert } from '@doorstep/shared/protocol'
import { ok } from '@doorstep/shared/result'
import { type Freshness, freshness, STALE_MS, type Track } from '@doorstep/shared/track'
import type { Bbox, DriverId, DriverNo, Millis, OrderId } from '@doorstep/shared/units'
import type { Namespace } from 'socket.io'
import type { RunPlan, Session } from '../orders/port.ts'
import { atMost } from '../turns.ts'
import { type Frame, frameOf } from './fastwire.ts'
import { BUSY_BYTES, cutSlow, guard, rechecks, type Served, serve } from './guard.ts'
import { attach, handler, shape } from './handlers.ts'
import type { FleetEdge, LiveParts } from './parts.ts'

interface Desk extends Served {
  readonly session: Session
  view: Bbox | null
  zoom: number
}
/** A driver as this node tells of it. */
interface Member {
  base: Pick<DriverRow, 'id' | 'no' | 'name' | 'vehicle'>
  run: RunPlan | null
  row: DriverRow
  /** The row without what frames tell: a change of it is told at once. */
  said: string
  fresh: Freshness | null
  lateAt: Millis
}

/** What a row says of the run, worked out once for each state of it; `text` tells two apart. */
interface Brief {
  readonly run: DriverRow['run']
  readonly window: DriverRow['window']
  readonly text: string
}
const briefs = new WeakMap<RunPlan, Brief>()
function briefOf(plan: RunPlan): Brief {
  let brief = briefs.get(plan)
  if (!brief) {
    const { stops } = plan
    const next = stops.findIndex((stop) => stop.status === 'pending' || stop.status === 'arrived')
    const done = stops.filter((stop) => stop.status === 'done' || stop.status === 'failed' || stop.status === 'cancelled').length
    const run = { id: plan.id, stops: stops.length, done, nextStop: next < 0 ? stops.length : next }
    const window = stops[next]?.window ?? null
    brief = { run, window, text: JSON.stringify([run, window]) }
    briefs.set(plan, brief)
  }
  return brief
}

const FRAME_MS = 250
/** Rows are compared so often, ms; how late a driver will be is worked out each few seconds. */
const ROWS_MS = 1_000
const LATE_EVERY_MS = 5_000
const HEARTBEAT_MS = 10_000
/** Zoomed out this far, with more drivers than a page can draw one by one, cells are counted instead. */
const COUNT_ZOOM = 9
const COUNT_FROM = 3_000
/** Frames speak of live positions alone: older ones are told by rows, with their time, ms. */
const LIVE_MS = 15_000

export function fleetEdge(nsp: Namespace, parts: LiveParts): FleetEdge {
  const { orders, records, tracks, etaOf, now } = parts
  const desks = new Set<Desk>()
  const members = new Map<DriverNo, Member>()
  const byId = new Map<string, Member>()
  const moved = new Set<DriverNo>()
  const changed = new Set<DriverNo>()
  let loaded: Promise<void> | null = null
  let strangers = false
  /** Orders whose rows will be read, few at a time. */
  const unread = new Set<OrderId>()
  const few = atMost(4)
  /** The version of an order for which a failure was told. */
  const failures = new Map<string, number>()

  /** The roster as the database has it, with each driver's run; kept right by what is heard after. */
  async function load(): Promise<void> {
    const bases = await records.drivers()
    for (const base of bases) if (!byId.has(base.id)) join(base)
    await Promise.all(
      [...members.values()].map(async (member) => {
        member.run = await few(() => orders.runOf(member.base.id as DriverId))
        refresh(member)
      }),
    )
  }
  function join(base: Member['base']): Member {
    const row: DriverRow = {
      ...base,
      v: 0,
      run: null,
      last: null,
      interval: 1,
      phase: 'idle',
      offRoute: false,
      late: 0,
      window: null,
      kept: true,
    }
    const member: Member = { base, run: null, row, said: '', fresh: null, lateAt: 0 }
    members.set(base.no as DriverNo, member)
    byId.set(base.id, member)
    return member
  }
  /** Drivers who were added since the roster was loaded, with the runs that they have by now. */
  async function meet(): Promise<void> {
    const added = (await records.drivers()).filter((base) => !byId.has(base.id)).map(join)
    await Promise.all(
      added.map(async (member) => {
        member.run = await few(() => orders.runOf(member.base.id as DriverId))
      }),
    )
  }
  const ready = (): Promise<void> => {
    loaded ??= load().catch((error) => {
      loaded = null
      throw error
    })
    return loaded
  }

  /** Works the row out anew; true when something changed that frames don't tell. Called for everybody who moved, once a second: one string is all that it makes. */
  function refresh(member: Member): boolean {
    const { run } = member
    const track = tracks.get(member.base.no as DriverNo)
    const driving = run?.status === 'started' && track?.run === run.id
    const brief = run ? briefOf(run) : null
    let { late } = member.row
    member.fresh = track ? freshness(now() - track.recordedAt, track.interval) : null
    if (now() - member.lateAt >= LATE_EVERY_MS || run === null) {
      member.lateAt = now()
      late = run ? lateness(run, track) : 0
    }
    const { id, no, name, vehicle } = member.base
    const row: DriverRow = {
      id,
      no,
      name,
      vehicle,
      v: member.row.v,
      run: brief?.run ?? null,
      last: track ? { at: track.at, heading: track.heading, speed: track.speed, t: track.recordedAt } : null,
      interval: track?.interval ?? 1,
      phase: driving ? track.phase : run?.status === 'started' ? 'enroute' : 'idle',
      offRoute: driving && track.offRoute,
      late,
      window: brief?.window ?? null,
      kept: track?.kept ?? true,
    }
    const said = `${row.interval} ${row.phase} ${row.offRoute} ${Math.round(late / 30)} ${row.kept} ${member.fresh} ${brief?.text}`
    if (said === member.said) {
      member.row = row
      return false
    }
    member.said = said
    // Grows on every node and over every start, since it is never behind the clock.
    member.row = { ...row, v: Math.max(member.row.v + 1, now()) }
    return true
  }
  function lateness(run: RunPlan, track: Track | null): number {
    let worst = 0
    for (const [index, stop] of run.stops.entries()) {
      if (!stop.promise || (stop.status !== 'pending' && stop.status !== 'arrived')) continue
      const eta = etaOf(run, index, track, now())
      const due = eta.kind === 'window' ? eta.mid : now()
      worst = Math.max(worst, (due - stop.promise.to) / 1000)
    }
    return Math.round(worst)
  }

  function send(frame: Frame, position = false): void {
    for (const desk of desks) if (!position || desk.line.waiting() <= BUSY_BYTES) desk.line.send(frame)
  }

  /** Rows whose driver changed, or whose silence did. */
  function rows(): void {
    if (desks.size === 0) return
    for (const member of members.values()) {
      const track = tracks.get(member.base.no as DriverNo)
      const silent = track !== null && member.fresh !== null && freshness(now() - track.recordedAt, track.interval) !== member.fresh
      const due = track !== null && now() - track.recordedAt < STALE_MS && now() - member.lateAt >= LATE_EVERY_MS
      if (!silent && !due && !changed.has(member.base.no as DriverNo)) continue
      if (refresh(member)) send(frameOf(nsp, 'driver', member.row))
    }
    changed.clear()
    if (!strangers) return
    strangers = false
    loaded = null
    ready().catch((error) => parts.onError(error, 'roster'))
  }

  const isLive = (track: Track) => now() - track.recordedAt <= LIVE_MS
  const counts = (desk: Desk) => desk.zoom <= COUNT_ZOOM && members.size > COUNT_FROM
  function everyone(): FleetTick {
    const live: DriverNo[] = []
    for (const track of tracks.all()) if (isLive(track)) live.push(track.no)
    return fleetTick(live, (no) => tracks.get(no)!, now())
  }
  function deliver(desk: Desk, tick: FleetTick, built: Map<Uint8Array, Frame>): void {
    if (desk.view === null || desk.line.waiting() > BUSY_BYTES) return
    const bytes = tick.frame(desk.view)
    if (bytes === null) return
    let frame = built.get(bytes)
    if (!frame) {
      frame = frameOf(nsp, 'fleet', bytes)
      built.set(bytes, frame)
    }
    desk.line.send(frame)
  }

  let ticks = 0
  /** One frame a tick for each window; equal windows share theirs, and a frame that is not sent costs nothing later. */
  function frames(): void {
    ticks++
    if (moved.size === 0) return
    const looking = [...desks].filter((desk) => desk.view !== null)
    if (looking.length > 0) {
      const live: DriverNo[] = []
      for (const no of moved) if (isLive(tracks.get(no)!)) live.push(no)
      const tick = fleetTick(live, (no) => tracks.get(no)!, now())
      const built = new Map<Uint8Array, Frame>()
      for (const desk of looking) {
        if (!counts(desk)) deliver(desk, tick, built)
        else if (ticks % 8 === 0 && desk.line.waiting() <= BUSY_BYTES)
          desk.line.send(frameOf(nsp, 'fleet', fleetCounts([...tracks.all()].filter(isLive), desk.view!, now())))
      }
    }
    moved.clear()
  }

  const handlers = new Map([
    [
      'roster',
      handler<Desk, null>({
        takes: 'nothing',
        ack: 'required',
        parse: () => ok(null),
        handle: async () => {
          await ready()
          await meet()
          for (const member of members.values()) refresh(member)
          return ok({ epoch: await records.epoch(), now: now(), drivers: [...members.values()].map((member) => member.row) })
        },
      }),
    ],
    [
      'view',
      handler<Desk, { bbox: Bbox; zoom: number }>({
        takes: 'object',
        ack: 'optional',
        parse: shape({ bbox: isBbox, zoom: (z) => typeof z === 'number' && z >= 0 && z <= 24 }),
        handle: (desk, { bbox, zoom }) => {
          desk.view = bbox
          desk.zoom = zoom
          if (counts(desk)) desk.line.send(frameOf(nsp, 'fleet', fleetCounts([...tracks.all()].filter(isLive), bbox, now())))
          else deliver(desk, everyone(), new Map())
          return ok({})
        },
      }),
    ],
  ])

  guard<Session>(nsp, (token) => parts.auth.session(token), parts.onError)
  nsp.on('connection', (socket) => {
    const desk: Desk = { ...serve(socket), session: socket.data.who as Session, view: null, zoom: 12 }
    desks.add(desk)
    attach(socket, desk, handlers, parts.rates.fleet, parts.door)
    void socket.join('desks')
    ready().catch((error) => parts.onError(error, 'roster'))
    const beat = () => {
      beating = setTimeout(beat, HEARTBEAT_MS * (0.9 + 0.2 * parts.random()))
      socket.emit('hb', { now: now(), degraded: [...parts.degraded()] })
    }
    let beating = setTimeout(beat, HEARTBEAT_MS * parts.random())
    const { expiresAt } = desk.session
    let expiry: NodeJS.Timeout | undefined
    if (expiresAt !== null && expiresAt - now() < 2 ** 31) expiry = setTimeout(() => dismiss(desk), Math.max(0, expiresAt - now()))
    socket.on('disconnect', () => {
      clearTimeout(beating)
      clearTimeout(expiry)
      desks.delete(desk)
    })
  })
  function dismiss(desk: Desk): void {
    desk.socket.emit('revoked', {})
    desk.socket.disconnect(true)
  }

  tracks.onTrack((track) => {
    if (desks.size === 0) return
    moved.add(track.no)
    changed.add(track.no)
    if (!members.has(track.no)) strangers = true
  })
  orders.onOrder((id: OrderId) => {
    if (desks.size === 0 || unread.has(id)) return
    unread.add(id)
    few(() => {
      unread.delete(id)
      return records.row(id)
    })
      .then((row) => {
        if (!row) return
        send(frameOf(nsp, 'order', row))
        if (row.status === 'delivery_attempted' && failures.get(id) !== row.version) failed(row)
      })
      .catch((error) => parts.onError(error, 'order'))
  })
  /** Every node hears of the order, so that each tells its own dispatchers; a thing told twice has one id. */
  function failed(row: OrderRow): void {
    if (failures.size > 1_000) failures.clear()
    failures.set(row.id, row.version)
    const alert: Alert = {
      id: `failed:${row.id}:${row.version}`,
      kind: 'failed',
      at: row.updatedAt,
      driverId: row.driverId ?? '',
      orderId: row.id,
    }
    send(frameOf(nsp, 'alert', alert))
  }
  orders.onRun((id) => {
    if (loaded === null) return
    orders
      .run(id)
      .then(async (run) => {
        const whose = run?.driver ? byId.get(run.driver) : undefined
        for (const member of new Set([...members.values()].filter((m) => m.run?.id === id).concat(whose ?? []))) {
          member.run = await orders.runOf(member.base.id as DriverId)
          member.lateAt = 0
          changed.add(member.base.no as DriverNo)
        }
      })
      .catch((error) => parts.onError(error, 'run'))
  })
  parts.auth.onRevoked((kind, id) => {
    if (kind === 'session') for (const desk of desks) if (desk.session.id === id) dismiss(desk)
  })
  const recheck = rechecks(desks, (token) => parts.auth.session(token), dismiss)
  const timers = [
    setInterval(frames, FRAME_MS),
    setInterval(rows, ROWS_MS),
    setInterval(() => {
      cutSlow(desks, now(), () => parts.door.count('fleet', 'slow'))
      recheck(now(), parts.deaf()).catch((error) => parts.onError(error, 'auth'))
    }, 1_000),
  ]

  return {
    async roster() {
      await ready()
      await meet()
      return [...members.values()].map((member) => {
        refresh(member)
        return member.row
      })
    },
    // By the adapter to every node's dispatchers: only the node that holds the driver knows.
    alert: (alert) => void nsp.to('desks').emit('alert', alert),
    close() {
      for (const timer of timers) clearInterval(timer)
    },
  }
}

function isBbox(value: unknown): boolean {
  if (!Array.isArray(value) || value.length !== 4 || !value.every((n) => typeof n === 'number' && Number.isFinite(n))) return false
  const [west, south, east, north] = value as [number, number, number, number]
  return south <= north && south >= -90 && north <= 90 && Math.abs(west) <= 540 && Math.abs(east) <= 540
}
