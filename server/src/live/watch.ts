// A tracking link in; what its order's customer may see, whole and then moving, out (V1–V6).
import type { Fault } from '@doorstep/shared/codes'
import { encodeTrack } from '@doorstep/shared/compact'
import { fail, ok, type Result } from '@doorstep/shared/result'
import type { OrderView } from '@doorstep/shared/track'
import type { DriverNo, Millis, OrderId } from '@doorstep/shared/units'
import type { Namespace } from 'socket.io'
import type { Link, OrderBase } from '../orders/port.ts'
import { orderViewOf, viewOf } from '../tracking/view.ts'
import { atMost, turns } from '../turns.ts'
import { compactFrame, type Frame, frameOf } from './fastwire.ts'
import { BUSY_BYTES, cutSlow, guard, rechecks, type Served, serve } from './guard.ts'
import { attach, handler, shape } from './handlers.ts'
import type { Edge, LiveParts } from './parts.ts'

export interface WatchEdge extends Edge {
  /** What the customer of an order may see now; null for an unknown order. */
  view(order: OrderId): Promise<OrderView | null>
}

interface Watcher extends Served {
  readonly link: Link
  /** Wants the position lane in its compact form. */
  readonly compact: boolean
  room: Room | null
}
/** An order that somebody on this node watches. */
interface Room {
  readonly order: OrderId
  readonly watchers: Set<Watcher>
  base: OrderBase
  /** Version of the path that was sent last. */
  pathV: number
  sentAt: Millis
  /** From when on the next position may go out. */
  nextAt: Millis
  timer: NodeJS.Timeout | undefined
  /** When the order was last read. */
  readAt: Millis
  /** It will be read again, and no need to ask twice. */
  unread: boolean
}

/** At most four positions a second to each; one that comes a little early goes out at once, on account of the next. */
const GAP_MS = 250
const EARLY_MS = 60
const HEARTBEAT_MS = 10_000
/** What is watched is read again so often even though no word of a change came, and more often when word may have been lost, ms. */
const REREAD_MS = 60_000
/** Orders that are read at a time: a change of many must not keep the store from everybody else. */
const READING = 8

export function watchEdge(nsp: Namespace, parts: LiveParts): WatchEdge {
  const { orders, tracks, etaOf, now } = parts
  const rooms = new Map<OrderId, Room>()
  const byDriver = new Map<DriverNo, Set<Room>>()
  const watchers = new Set<Watcher>()
  const few = atMost(READING)
  const reading = turns<OrderId>((error) => parts.onError(error, 'order'))

  const trackOf = (base: OrderBase) => (base.run?.driverNo ? tracks.get(base.run.driverNo) : null)
  const whole = (base: OrderBase): OrderView => {
    const track = trackOf(base)
    return orderViewOf(base, track, etaOf(base.run, base.stop, track, now()), now(), parts.gates)
  }
  /** Does the position lane flow? Everything else is told by the state lane alone (V4). */
  const flows = ({ view, run }: OrderBase) => view.status === 'out_for_delivery' && run?.status === 'started'

  function place(room: Room, base: OrderBase): void {
    const before = room.base.run?.driverNo
    const after = base.run?.driverNo
    room.base = base
    room.readAt = now()
    if (before === after) return
    if (before) leave(before, room)
    if (after) enter(after, room)
  }
  function enter(no: DriverNo, room: Room): void {
    const set = byDriver.get(no)
    if (set) set.add(room)
    else byDriver.set(no, new Set([room]))
  }
  function leave(no: DriverNo, room: Room): void {
    const set = byDriver.get(no)
    set?.delete(room)
    if (set?.size === 0) byDriver.delete(no)
  }

  /** The room is joined before the order is read, so that nothing that happens in between is missed. */
  async function join(watcher: Watcher): Promise<Result<{ view: OrderView }, Fault>> {
    const id = watcher.link.order
    const known = rooms.get(id)
    if (known && !watcher.room) {
      known.watchers.add(watcher)
      watcher.room = known
    }
    const base = await orders.order(id)
    if (base === null) return fail({ code: 'NOT_FOUND' })
    if (!watcher.socket.connected) return fail({ code: 'RETRY' })
    let room = rooms.get(id)
    if (!room) {
      room = {
        order: id,
        watchers: new Set(),
        base,
        pathV: 0,
        sentAt: 0,
        nextAt: 0,
        timer: undefined,
        readAt: now(),
        unread: false,
      }
      rooms.set(id, room)
      if (base.run?.driverNo) enter(base.run.driverNo, room)
    } else if (base.view.ev >= room.base.view.ev) place(room, base)
    room.watchers.add(watcher)
    watcher.room = room
    return ok({ view: whole(room.base) })
  }

  function part(watcher: Watcher): void {
    watchers.delete(watcher)
    const room = watcher.room
    if (!room) return
    watcher.room = null
    room.watchers.delete(watcher)
    if (room.watchers.size > 0) return
    clearTimeout(room.timer)
    rooms.delete(room.order)
    if (room.base.run?.driverNo) leave(room.base.run.driverNo, room)
  }

  /** Position lane: newest wins. Rendered and encoded once for all who watch; who still has to read waits for the next. */
  function move(room: Room): void {
    room.timer = undefined
    if (!flows(room.base) || room.watchers.size === 0) return
    const at = now()
    room.sentAt = at
    room.nextAt = Math.max(room.nextAt, at - EARLY_MS) + GAP_MS
    const track = trackOf(room.base)
    const eta = etaOf(room.base.run, room.base.stop, track, at)
    let view = viewOf(room.base, track, eta, at, false, parts.gates)
    if (view.pathV !== room.pathV) {
      view = viewOf(room.base, track, eta, at, true, parts.gates)
      room.pathV = view.pathV
    }
    let json: Frame | null = null
    let short: Frame | null = null
    let behind = false
    for (const watcher of room.watchers) {
      if (watcher.line.waiting() > BUSY_BYTES) behind = true
      else if (watcher.compact && view.path === undefined) {
        short ??= compactFrame('track', encodeTrack(view))
        watcher.line.send(short)
      } else {
        json ??= frameOf(nsp, 'track', view)
        watcher.line.send(json)
      }
    }
    if (behind) room.timer = setTimeout(move, GAP_MS, room)
  }
  function moveSoon(room: Room): void {
    if (room.timer !== undefined) return
    const wait = room.nextAt - now()
    if (wait <= EARLY_MS) move(room)
    else room.timer = setTimeout(move, wait, room)
  }

  /** State lane: whole, to everyone, whatever waits. */
  function tell(room: Room): void {
    const frame = frameOf(nsp, 'order', whole(room.base))
    for (const watcher of room.watchers) watcher.line.send(frame)
  }

  /** Reads a watched order again and tells what became of it. */
  function reread(room: Room): void {
    if (room.unread) return
    room.unread = true
    reading.run(room.order, async () => {
      const base = await few(() => {
        // From here on a change may be too late to be in what is read.
        room.unread = false
        return orders.order(room.order)
      })
      if (base === null || rooms.get(room.order) !== room || base.view.ev < room.base.view.ev) return
      const changed = base.view.ev !== room.base.view.ev || flows(base) !== flows(room.base)
      place(room, base)
      if (changed) tell(room)
      moveSoon(room)
    })
  }

  const sync = shape<{ since: number }>({ since: (value) => typeof value === 'number' && Number.isFinite(value) })
  const handlers = new Map([
    ['watch', handler<Watcher, null>({ takes: 'nothing', ack: 'required', parse: () => ok(null), handle: join })],
    ['sync', handler<Watcher, { since: number }>({ takes: 'object', ack: 'required', parse: sync, handle: join })],
  ])

  guard<Link>(nsp, (token) => parts.auth.link(token), parts.onError)
  nsp.on('connection', (socket) => {
    const compact = (socket.handshake.auth as Record<string, unknown>).compact === true
    const watcher: Watcher = { ...serve(socket), link: socket.data.who as Link, compact, room: null }
    watchers.add(watcher)
    attach(socket, watcher, handlers, parts.rates.watch, parts.door)
    let timer: NodeJS.Timeout | undefined
    const { expiresAt } = watcher.link
    if (expiresAt !== null && expiresAt - now() < 2 ** 31)
      timer = setTimeout(() => dismiss(watcher), Math.max(0, expiresAt - now()))
    const beat = () => {
      beating = setTimeout(beat, HEARTBEAT_MS * (0.9 + 0.2 * parts.random()))
      const room = watcher.room
      if (!room) return
      const view = flows(room.base) ? trackOf(room.base) : null
      const t = view?.run === room.base.run?.id ? (view?.recordedAt ?? 0) : 0
      watcher.line.send(frameOf(nsp, 'hb', { ev: room.base.view.ev, t, now: now() }))
      const stale = now() - room.readAt
      if (stale > REREAD_MS || (stale > HEARTBEAT_MS / 2 && parts.shared)) reread(room)
      else if (now() - room.sentAt >= HEARTBEAT_MS) moveSoon(room)
    }
    let beating = setTimeout(beat, HEARTBEAT_MS * (0.4 + 0.6 * parts.random()))
    socket.on('disconnect', () => {
      clearTimeout(timer)
      clearTimeout(beating)
      part(watcher)
    })
  })

  function dismiss(watcher: Watcher): void {
    watcher.socket.emit('gone', {})
    watcher.socket.disconnect(true)
  }

  tracks.onTrack((track) => {
    const watched = byDriver.get(track.no)
    if (watched) for (const room of watched) moveSoon(room)
  })
  orders.onOrder((id) => {
    const room = rooms.get(id)
    if (room) reread(room)
  })
  orders.onRun((id) => {
    for (const room of rooms.values()) if (room.base.run?.id === id) reread(room)
  })
  parts.auth.onRevoked((kind, id) => {
    if (kind === 'link') for (const watcher of watchers) if (watcher.link.id === id) dismiss(watcher)
  })
  const recheck = rechecks(watchers, (token) => parts.auth.link(token), dismiss)
  const sweep = setInterval(() => {
    cutSlow(watchers, now(), () => parts.door.count('watch', 'slow'))
    recheck(now(), parts.deaf()).catch((error) => parts.onError(error, 'auth'))
  }, 1_000)

  return {
    async view(order) {
      const base = await orders.order(order)
      return base === null ? null : whole(base)
    },
    close() {
      clearInterval(sweep)
      for (const room of rooms.values()) clearTimeout(room.timer)
    },
  }
}
