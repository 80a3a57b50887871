// A session token in; the fleet kept live, and word of what changed, out. The page's one connection; nothing here draws.
import type { OrderRow } from '@doorstep/shared/api'
import { decodeFrame } from '@doorstep/shared/frame'
import type { FleetHears, FleetSays } from '@doorstep/shared/protocol'
import type { Bbox, Millis } from '@doorstep/shared/units'
import { connect } from '../../feed/connection.ts'
import { type Fleet, fleet } from './fleet.ts'

export type Connection = 'connecting' | 'live' | 'offline'
export interface Desk {
  readonly fleet: Fleet
  connection(): Connection
  /** False until the first roster. */
  ready(): boolean
  degraded(): readonly string[]
  /** The server's clock. */
  now(): Millis
  /** What the map shows; sent when it matters. */
  view(bbox: Bbox, zoom: number): void
  /** Rows, standings, alerts or the connection changed; at most a few times a second. */
  subscribe(listener: () => void): () => void
  /** Grows whenever subscribers are told. */
  version(): number
  /** Slots that moved; told at once, once a frame. */
  onMoved(listener: (slots: readonly number[]) => void): () => void
  /** Slots whose look may have changed. */
  onStanding(listener: (slots: readonly number[]) => void): () => void
  onOrder(listener: (order: OrderRow) => void): () => void
  close(): void
}
export interface DeskOptions {
  token: string
  /** The session is no longer valid. */
  signedOut: () => void
  /** Milliseconds since the epoch, of this machine. */
  clock: () => Millis
}

/** Up to here every dispatcher asks for the whole fleet: 8 bytes a vehicle and second, and the list is exact everywhere. */
const WHOLE_FLEET = 6_000
const WORLD: Bbox = [-180, -85, 180, 85]
/** `hb` comes each 10 s; without a word for this long the line is dead, whatever the socket believes. */
const SILENCE: Millis = 25_000
const TICK: Millis = 1_000
/** Rows of a large fleet change many times a second; the page is drawn anew at most this often, ms. */
const CALM: Millis = 200

export function openDesk(options: DeskOptions): Desk {
  const { clock } = options
  const state = fleet()
  let connection: Connection = 'connecting'
  let ready = false
  let degraded: readonly string[] = []
  let skew = 0
  let heardAt = clock()
  let version = 0
  let wanted: { bbox: Bbox; zoom: number } = { bbox: WORLD, zoom: 14 }
  let asking = false
  let askedAt = 0
  let telling: ReturnType<typeof setTimeout> | undefined
  const changed = new Set<() => void>()
  const moved = new Set<(slots: readonly number[]) => void>()
  const stood = new Set<(slots: readonly number[]) => void>()
  const ordered = new Set<(order: OrderRow) => void>()

  const line = connect<FleetHears, FleetSays>({ namespace: '/fleet', token: options.token })
  const { socket } = line

  /** Tells the page a little later, once, however many messages came meanwhile. */
  function tell(): void {
    telling ??= setTimeout(tellNow, CALM)
  }
  function tellNow(): void {
    clearTimeout(telling)
    telling = undefined
    version++
    for (const listener of changed) listener()
  }
  function heard(now?: Millis): void {
    heardAt = clock()
    if (now !== undefined) skew = now - heardAt
    if (connection !== 'live' && ready && socket.connected) {
      connection = 'live'
      tellNow()
    }
  }
  const serverNow = (): Millis => clock() + skew
  function review(): void {
    const slots = state.review(serverNow())
    if (slots.length > 0) for (const listener of stood) listener(slots)
  }

  function askRoster(): void {
    if (asking) return
    asking = true
    askedAt = clock()
    socket.timeout(10_000).emit('roster', (fault, answer) => {
      asking = false
      if (fault || !answer.ok) {
        if (!fault && !answer.ok && answer.code === 'AUTH') line.end()
        return
      }
      state.roster(answer)
      ready = true
      heard(answer.now)
      review()
      everyoneMoved()
      sendView()
      tellNow()
    })
  }
  function everyoneMoved(): void {
    const slots = [...state.vehicles.values()].map((v) => v.slot)
    for (const listener of moved) listener(slots)
    for (const listener of stood) listener(slots)
  }
  function sendView(): void {
    if (!socket.connected) return
    const whole = state.vehicles.size <= WHOLE_FLEET
    socket.emit('view', whole ? { bbox: WORLD, zoom: 14 } : wanted)
  }

  const opened = (): void => {
    heardAt = clock()
    asking = false
    askRoster()
  }
  line.onLink((link) => {
    if (link.kind === 'live') return opened()
    if (link.kind === 'gone') return options.signedOut()
    if (connection === 'live' || link.kind !== 'connecting') connection = 'offline'
    tellNow()
  })
  line.onWake(() => {
    askRoster()
    everyoneMoved()
  })
  socket.on('revoked', () => line.end())
  socket.on('hb', (m) => {
    heard(m.now)
    if (m.degraded.join() !== degraded.join()) {
      degraded = m.degraded
      tell()
    }
  })
  socket.on('fleet', (bytes) => {
    const frame = decodeFrame(bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes as ArrayBuffer))
    if (!frame.ok) return
    heard()
    const slots = state.frame(frame.value)
    if (slots && slots.length > 0) for (const listener of moved) listener(slots)
    if (state.strangers && clock() - askedAt > 5_000) askRoster()
  })
  socket.on('driver', (row) => {
    heard()
    const before = state.vehicles.get(row.id)
    const at = before?.at
    state.driver(row)
    const v = state.vehicles.get(row.id)
    if (v && v.at !== at) for (const listener of moved) listener([v.slot])
    if (v) for (const listener of stood) listener([v.slot])
    tell()
  })
  socket.on('order', (order) => {
    heard()
    for (const listener of ordered) listener(order)
  })
  socket.on('alert', (alert) => {
    heard()
    state.alert(alert)
    tellNow()
  })

  const beat = setInterval(() => {
    if (socket.connected && clock() - heardAt > SILENCE) {
      heardAt = clock()
      socket.disconnect()
    }
    review()
    tellNow()
  }, TICK)
  if (socket.connected) opened()

  return {
    fleet: state,
    connection: () => connection,
    ready: () => ready,
    degraded: () => degraded,
    now: serverNow,
    view(bbox, zoom) {
      wanted = { bbox, zoom }
      if (state.vehicles.size > WHOLE_FLEET) sendView()
    },
    subscribe: (listener) => joined(changed, listener),
    version: () => version,
    onMoved: (listener) => joined(moved, listener),
    onStanding: (listener) => joined(stood, listener),
    onOrder: (listener) => joined(ordered, listener),
    close() {
      clearInterval(beat)
      clearTimeout(telling)
      line.close()
    },
  }
}

function joined<T>(set: Set<T>, listener: T): () => void {
  set.add(listener)
  return () => set.delete(listener)
}
