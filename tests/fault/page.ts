// A tracking link in; what its page knows by its own reducer, over a real socket, and whether anything it was shown went back, out.
import type { OrderView, TrackView } from '@doorstep/shared/track'
import { NOTHING, stepWatch, type Watch, type WatchEvent } from '@doorstep/web/feed/watch'
import { io } from 'socket.io-client'

export interface Page {
  readonly watch: Watch
  /** Fix time of what is shown, the order's sequence. */
  readonly t: number
  readonly ev: number
  /** How often the vehicle shown was of an older fix than before. */
  readonly backward: number
  /** How often the server sent an older fix than before on one connection. */
  readonly sentBackward: number
  readonly connections: number
  /** Longest time between two positions shown, ms. */
  readonly pause: number
  close(): void
}

/** Connects through `url`, and again and again when the line is lost. */
export function openPage(url: string, token: string): Page {
  const socket = io(`${url}/watch`, {
    auth: { token },
    transports: ['websocket'],
    forceNew: true,
    reconnectionDelay: 100,
    reconnectionDelayMax: 500,
  })
  let watch: Watch = NOTHING
  let shown = 0
  let sent = 0
  let backward = 0
  let sentBackward = 0
  let connections = 0
  let movedAt = 0
  let pause = 0
  const step = (event: WatchEvent): void => {
    watch = stepWatch(watch, event)
    const t = watch.track?.vehicle ? watch.track.t : 0
    if (t > 0 && t < shown) backward++
    if (t > shown) {
      if (movedAt > 0) pause = Math.max(pause, performance.now() - movedAt)
      movedAt = performance.now()
      shown = t
    }
    if (watch.ask && socket.connected) ask(watch.ask)
  }
  const ask = (what: 'watch' | 'sync'): void => {
    step({ type: 'asked' })
    const answer = (reply: { ok: boolean; view: OrderView }) => {
      if (reply.ok) step({ type: 'snapshot', view: reply.view, at: Date.now() })
      else setTimeout(() => socket.connected && ask(what), 500)
    }
    if (what === 'watch') socket.emit('watch', answer)
    else socket.emit('sync', { since: watch.view?.ev ?? 0 }, answer)
  }
  socket.on('connect', () => {
    connections++
    sent = 0
    step({ type: 'linked' })
  })
  socket.on('order', (view: OrderView) => step({ type: 'order', view, at: Date.now() }))
  socket.on('track', (track: TrackView) => {
    if (track.t > 0 && track.t < sent) sentBackward++
    sent = Math.max(sent, track.t)
    step({ type: 'track', track, at: Date.now() })
  })
  socket.on('hb', (beat: { ev: number; t: number; now: number }) => step({ type: 'hb', ...beat, at: Date.now() }))
  return {
    get watch() {
      return watch
    },
    get t() {
      return watch.track?.t ?? 0
    },
    get ev() {
      return watch.view?.ev ?? 0
    },
    get backward() {
      return backward
    },
    get sentBackward() {
      return sentBackward
    },
    get connections() {
      return connections
    },
    get pause() {
      return Math.round(pause)
    },
    close: () => void socket.disconnect(),
  }
}
