// The window shown and the one that is true now in, the one to show from now on and why out (T9, T10).
import type { Eta, ShownWindow, WindowReason } from '@doorstep/shared/track'
import type { Millis } from '@doorstep/shared/units'

export interface Shown {
  readonly window: ShownWindow
  /** True when this is a change to be told and kept as an event. */
  readonly changed: boolean
}

/** Windows are shown on full minutes, and change at most once in one unless they are broken. */
const MINUTE = 60_000
/** A move of one edge by less than this share of the window is no news. */
const NEWS = 0.2

/**
 * What to show of each stop's fresh window. A shown one stays unless it is broken (the middle lies outside it, or all of it in the past), or it is a minute
 * old and an edge has moved by enough to matter. `cause` is what the caller knows (a stop was inserted, the signal was lost, a stop took longer);
 * otherwise the reason is worked out. Null where there is nothing to show yet. A fresh ETA that is unknown leaves what is shown.
 */
export function windows(
  shown: readonly (ShownWindow | null)[],
  fresh: readonly Eta[],
  now: Millis,
  cause?: WindowReason,
): (Shown | null)[] {
  return fresh.map((eta, k) => reshow(shown[k] ?? null, eta, now, cause, k === 0))
}

/** The same for one stop. `first`: no stop lies before it, so none can have gone faster. */
export function reshow(shown: ShownWindow | null, fresh: Eta, now: Millis, cause?: WindowReason, first = false): Shown | null {
  if (fresh.kind !== 'window') return shown ? { window: shown, changed: false } : null
  // A full minute that has begun is over in part: no window begins in the past (T9).
  const from = Math.max(now, Math.floor(fresh.from / MINUTE) * MINUTE)
  const to = Math.ceil(Math.max(fresh.to, from + MINUTE) / MINUTE) * MINUTE
  if (!shown) return { window: { from, to, since: now, reason: 'first' }, changed: true }
  const broken = fresh.mid < shown.from || fresh.mid > shown.to || shown.to <= now
  const news = Math.max(MINUTE, NEWS * (shown.to - shown.from))
  const moved = Math.abs(from - shown.from) > news || Math.abs(to - shown.to) > news
  if (!broken && (!moved || now - shown.since < MINUTE)) return { window: shown, changed: false }
  if (from === shown.from && to === shown.to) return { window: shown, changed: false }
  return { window: { from, to, since: now, reason: cause ?? reasonOf(shown, fresh, first) }, changed: true }
}

function reasonOf(shown: ShownWindow, fresh: Extract<Eta, { kind: 'window' }>, first: boolean): WindowReason {
  if (fresh.detour) return 'detour'
  return !first && fresh.mid < (shown.from + shown.to) / 2 && fresh.to <= shown.to ? 'stops_faster' : 'pace'
}
