// A tracking token and the page's first view in, a store of all that is known of one order out: socket first, polling where sockets are blocked.
import { decodeTrack } from '@doorstep/shared/compact'
import type { WatchHears, WatchSays } from '@doorstep/shared/protocol'
import type { OrderView } from '@doorstep/shared/track'
import type { Millis } from '@doorstep/shared/units'
import { useSyncExternalStore } from 'react'
import { type Connection, connect } from './connection.ts'
import type { Link } from './link.ts'
import { NOTHING, stepWatch, type Watch, type WatchEvent } from './watch.ts'

export interface Feed {
  readonly watch: Watch
  readonly link: Link
  /** The socket is down, but asking every ten seconds works; page clock of the last answer, 0 while not polling. */
  readonly polled: Millis
}
export interface FeedStore {
  get(): Feed
  subscribe(listener: () => void): () => void
  /** Tries now instead of when the wait is over. */
  retry(): void
  close(): void
}

const POLL_MS = 10_000
/** Failed tries in a row before polling begins beside them. */
const POLL_AFTER = 2
const ASK_MS = 8_000

/** Connects at once. `first` is the view that came with the page, or null. */
export function openFeed(token: string, first: OrderView | null): FeedStore {
  const listeners = new Set<() => void>()
  const begin = () =>
    connect<WatchHears, WatchSays>({
      namespace: '/watch',
      token,
      onCompact(bytes) {
        const track = decodeTrack(bytes)
        if (track.ok) step({ type: 'track', track: track.value, at: Date.now() })
      },
    })
  let connection: Connection<WatchHears, WatchSays> = begin()
  let feed: Feed = { watch: NOTHING, link: connection.link(), polled: 0 }
  let pollTimer: ReturnType<typeof setTimeout> | undefined
  let closed = false

  const tell = (change: Partial<Feed>) => {
    if (closed) return
    feed = { ...feed, ...change }
    for (const listener of listeners) listener()
  }
  const step = (event: WatchEvent) => {
    const watch = stepWatch(feed.watch, event)
    if (watch !== feed.watch) tell({ watch })
    if (watch.ask && connection.socket.connected) void ask(watch.ask)
  }
  const ask = async (what: 'watch' | 'sync') => {
    step({ type: 'asked' })
    const { socket } = connection
    try {
      const question = socket.timeout(ASK_MS)
      const answer =
        what === 'watch'
          ? await question.emitWithAck('watch')
          : await question.emitWithAck('sync', { since: feed.watch.view?.ev ?? 0 })
      if (answer.ok) step({ type: 'snapshot', view: answer.view, at: Date.now() })
      else if (answer.code === 'AUTH' || answer.code === 'NOT_FOUND') connection.end()
    } catch {
      // No answer in time: a socket that is up and says nothing is as good as down.
      if (socket.connected) socket.io.engine.close()
    }
  }

  const listen = (c: Connection<WatchHears, WatchSays>) => {
    c.socket.on('order', (view) => step({ type: 'order', view, at: Date.now() }))
    c.socket.on('track', (track) => step({ type: 'track', track, at: Date.now() }))
    c.socket.on('hb', ({ ev, t, now }) => step({ type: 'hb', ev, t, now, at: Date.now() }))
    c.socket.on('gone', () => c.end())
    c.onWake(() => step({ type: 'woken' }))
    c.onLink((link) => {
      tell(link.kind === 'live' ? { link, polled: 0 } : { link })
      if (link.kind === 'live') {
        clearTimeout(pollTimer)
        pollTimer = undefined
        step({ type: 'linked' })
      } else if (link.kind === 'reconnecting' && link.attempt >= POLL_AFTER && pollTimer === undefined) void poll()
      else if (link.kind === 'gone') clearTimeout(pollTimer)
    })
  }

  /** GET /t/:token/state; the browser's own cache carries the ETag. */
  const poll = async () => {
    clearTimeout(pollTimer)
    pollTimer = setTimeout(() => void poll(), POLL_MS)
    if (document.visibilityState === 'hidden') return
    try {
      const response = await fetch(`/t/${encodeURIComponent(token)}/state`, {
        cache: 'no-cache',
        signal: AbortSignal.timeout(ASK_MS),
      })
      if (closed || connection.link().kind === 'live') return
      if (response.status === 404 || response.status === 410) return connection.end()
      if (!response.ok) return tell({ polled: 0 })
      const view = (await response.json()) as OrderView
      tell({ polled: Date.now() })
      step({ type: 'snapshot', view, at: Date.now() })
    } catch {
      tell({ polled: 0 })
    }
  }

  listen(connection)
  if (first) step({ type: 'snapshot', view: first, at: Date.now() })
  return {
    get: () => feed,
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    retry() {
      if (feed.link.kind === 'gone' || feed.link.kind === 'live') return
      connection.close()
      connection = begin()
      listen(connection)
      tell({ link: connection.link() })
    },
    close() {
      closed = true
      clearTimeout(pollTimer)
      connection.close()
    },
  }
}

export const useFeed = (store: FeedStore): Feed => useSyncExternalStore(store.subscribe, store.get)
