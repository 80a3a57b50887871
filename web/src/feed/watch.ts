// Messages of the watch feed in, what the page knows and what it must ask for out. Pure: the newest always wins, whatever the order of arrival.
import type { OrderView, TrackView } from '@doorstep/shared/track'
import type { LngLat, Millis } from '@doorstep/shared/units'

export interface Watch {
  readonly view: OrderView | null
  readonly track: TrackView | null
  /** The last leg ahead as last told, with its version, perhaps empty; null when none may be seen. */
  readonly path: { readonly v: number; readonly line: readonly LngLat[] } | null
  /** What must be asked of the server: the whole subscription anew, or what is missing. Cleared by `asked`. */
  readonly ask: 'watch' | 'sync' | null
  /** Newest fix time ever told under this epoch: the marker never goes back behind it. */
  readonly pv: Millis
  /** Heartbeats in a row that knew a newer fix than we do. */
  readonly behind: number
  /** Server clock minus page clock, ms, by the least delayed of the last messages. */
  readonly offset: Millis
  readonly samples: readonly Millis[]
}

export type WatchEvent =
  /** A whole view: out of the page itself, an answer to `watch` or `sync`, or a poll. */
  | { readonly type: 'snapshot'; readonly view: OrderView; readonly at: Millis }
  | { readonly type: 'order'; readonly view: OrderView; readonly at: Millis }
  | { readonly type: 'track'; readonly track: TrackView; readonly at: Millis }
  | { readonly type: 'hb'; readonly ev: number; readonly t: Millis; readonly now: Millis; readonly at: Millis }
  | { readonly type: 'linked' }
  | { readonly type: 'woken' }
  | { readonly type: 'asked' }

export const NOTHING: Watch = { view: null, track: null, path: null, ask: null, pv: 0, behind: 0, offset: 0, samples: [] }

/** `at` of events is the page's clock when the message came. Unchanged state is returned as the same object. */
export function stepWatch(state: Watch, event: WatchEvent): Watch {
  switch (event.type) {
    case 'linked':
      return { ...state, ask: 'watch' }
    case 'woken':
      return asking(state, 'sync')
    case 'asked':
      return state.ask ? { ...state, ask: null } : state
    case 'snapshot': {
      const { view } = event
      const known = state.view
      if (known && view.epoch === known.epoch && view.ev < known.ev) return state
      // The same rendering once more, out of the browser's cache after a 304: its `now` says nothing about the time.
      if (known && view.epoch === known.epoch && view.ev === known.ev && view.now === known.now) return state
      const on = clocked(state, view.now, event.at)
      const next = known && view.epoch !== known.epoch ? whole(on, view) : merged(on, view)
      // An answer never asks again at once, whatever it lacks: a page and a server that disagree must not spin.
      return next.ask === state.ask ? next : { ...next, ask: null }
    }
    case 'order': {
      const { view } = event
      if (!state.view) return merged(clocked(state, view.now, event.at), view)
      // A restored database counts anew: only a fresh subscription can say what holds.
      if (view.epoch !== state.view.epoch) return asking(state, 'watch')
      if (view.ev <= state.view.ev) return state
      const next = merged(clocked(state, view.now, event.at), view)
      // Each view is whole, so a gap in `ev` loses nothing of it; but something was lost on the way, perhaps a position too.
      return view.ev > state.view.ev + 1 ? asking(next, 'sync') : next
    }
    case 'track':
      return tracked(clocked(state, event.track.now, event.at), event.track)
    case 'hb': {
      const next = clocked(state, event.now, event.at)
      const behind = event.t > state.pv ? state.behind + 1 : 0
      const lost = behind >= 2 || (state.view !== null && event.ev > state.view.ev)
      return asking({ ...next, behind: behind >= 2 ? 0 : behind }, lost ? 'sync' : null)
    }
  }
}

const asking = (state: Watch, ask: Watch['ask']): Watch =>
  ask === null || state.ask === 'watch' || state.ask === ask ? state : { ...state, ask }

/** Everything from this view alone. */
function whole(state: Watch, view: OrderView): Watch {
  const fresh: Watch = { ...NOTHING, offset: state.offset, samples: state.samples, ask: state.ask === 'watch' ? null : state.ask }
  return withPath({ ...fresh, view, track: view.track, pv: view.track.t }, view.track)
}

/** A view of the same epoch, not older: its track holds too when it was rendered after the one we have. */
function merged(state: Watch, view: OrderView): Watch {
  const next = { ...state, view }
  const known = state.track
  if (known && view.track.now < known.now)
    return view.track.path && view.track.pathV === known.pathV ? withPath(next, view.track) : next
  // Another driver's newest fix may be older: then the view decides. Of the same driver nothing goes back, whatever a server forgot.
  const other = state.view !== null && view.driver?.alias !== state.view.driver?.alias
  if (other && view.ev > (state.view?.ev ?? 0))
    return withPath({ ...next, track: view.track, pv: Math.max(view.track.t, 0), behind: 0 }, view.track)
  return tracked(next, view.track)
}

/** T3 on the page: the newest fix wins; for the same fix, or for none, the newest rendering. */
function tracked(state: Watch, track: TrackView): Watch {
  const known = state.track
  if (known) {
    if (track.t < state.pv && track.t !== 0) return state
    if ((track.t === state.pv || track.t === 0) && track.now < known.now) return state
  }
  return withPath({ ...state, track, pv: Math.max(state.pv, track.t), behind: 0 }, track)
}

function withPath(state: Watch, track: TrackView): Watch {
  if (track.pathV === 0) return state.path ? { ...state, path: null } : state
  if (track.path) return { ...state, path: { v: track.pathV, line: track.path } }
  if (state.path?.v === track.pathV) return state
  return asking({ ...state, path: null }, 'sync')
}

const KEPT_SAMPLES = 8

/** Messages are never early, so the largest difference of the last few is the nearest to the truth. */
function clocked(state: Watch, server: Millis, at: Millis): Watch {
  const samples = [...state.samples.slice(1 - KEPT_SAMPLES), server - at]
  return { ...state, samples, offset: Math.max(...samples) }
}
