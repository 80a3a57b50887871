// A namespace and a token in, a socket that comes back by itself and says how it is out. Every page connects through here.
import { io, type Socket } from 'socket.io-client'
import { hearCompact } from './compact.ts'
import { type Link, type LinkEvent, refusal, retryDelay, stepLink } from './link.ts'

export interface Connection<Hears extends Events, Says extends Events> {
  /** Listen and emit here; `socket.timeout(ms).emitWithAck(…)` asks. Listeners survive reconnection, what was emitted while down does not. */
  readonly socket: Socket<Hears, Says>
  link(): Link
  /** Called on each change of the link; returns how to stop. */
  onLink(listener: (link: Link) => void): () => void
  /** The tab came back to the front, or from the back/forward cache, with the connection up: ask for what was missed. */
  onWake(listener: () => void): () => void
  /** The server has said, by a message of its own, that this credential is over. */
  end(): void
  close(): void
}
// biome-ignore lint/suspicious/noExplicitAny: the bound that socket.io-client itself puts on event maps
type Events = { [event: string]: any }

/** An attempt that has not led to a connection by then has failed. */
const PATIENCE_MS = 8_000

export interface ConnectOptions {
  namespace: '/watch' | '/fleet' | '/driver'
  token: string
  /** Origin of the server; the page's own by default. */
  url?: string
  /** Takes messages in the compact form where this Socket.IO lets us; without, or where it doesn't, they come as JSON events. */
  onCompact?: (bytes: Uint8Array) => void
}

/** Connects at once. Reconnects with full jitter, at once when the network or the tab comes back, never after a refusal. */
export function connect<Hears extends Events, Says extends Events>(options: ConnectOptions): Connection<Hears, Says> {
  const auth: { token: string; compact?: true } = { token: options.token }
  const socket: Socket<Hears, Says> = io((options.url ?? location.origin) + options.namespace, {
    auth,
    transports: ['websocket'],
    reconnection: false,
    autoConnect: false,
    forceNew: true,
    timeout: PATIENCE_MS,
  })
  if (options.onCompact && hearCompact(socket, options.onCompact)) auth.compact = true
  const linkListeners = new Set<(link: Link) => void>()
  const wakeListeners = new Set<() => void>()
  const life = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined
  /** An attempt is under way. */
  let trying = false
  let link: Link = { kind: 'connecting', since: Date.now(), attempt: 0 }

  const step = (event: LinkEvent) => {
    if (life.signal.aborted) return
    const before = link
    trying = false
    link = stepLink(link, event, Date.now())
    clearTimeout(timer)
    if (link.kind === 'gone' || link.kind === 'offline') socket.disconnect()
    else if (link.kind === 'reconnecting') timer = setTimeout(open, event === 'online' ? 0 : retryDelay(link.attempt, Math.random))
    if (link !== before) for (const listener of linkListeners) listener(link)
  }
  const open = () => {
    if (socket.connected || trying) return
    clearTimeout(timer)
    trying = true
    socket.connect()
    // The client waits for ever for a server that opens and says nothing, and does not notice one that closes before it has spoken.
    timer = setTimeout(giveUp, PATIENCE_MS)
    socket.io.engine?.once('close', giveUp)
  }
  const giveUp = () => {
    if (!trying) return
    socket.disconnect()
    step('lost')
  }

  socket.on('connect', (() => step('opened')) as never)
  socket.on('disconnect', (() => step('lost')) as never)
  socket.on('connect_error', ((error: unknown) => {
    const code = refusal(error)
    step(code ? { refused: code } : 'lost')
  }) as never)

  const woken = () => {
    if (document.visibilityState !== 'visible') return
    if (link.kind === 'live') for (const listener of wakeListeners) listener()
    else if (link.kind === 'reconnecting') open()
  }
  const { signal } = life
  addEventListener('online', () => step('online'), { signal })
  addEventListener('offline', () => step('offline'), { signal })
  addEventListener('pageshow', (event) => event.persisted && woken(), { signal })
  document.addEventListener('visibilitychange', woken, { signal })
  if (navigator.onLine) open()
  else link = { kind: 'offline', since: Date.now(), attempt: 0 }

  return {
    socket,
    link: () => link,
    onLink(listener) {
      linkListeners.add(listener)
      return () => linkListeners.delete(listener)
    },
    onWake(listener) {
      wakeListeners.add(listener)
      return () => wakeListeners.delete(listener)
    },
    end: () => step({ refused: 'NOT_FOUND' }),
    close() {
      life.abort()
      clearTimeout(timer)
      socket.disconnect()
    },
  }
}
