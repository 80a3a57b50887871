// What happened to a connection in, what it is now and when to try again out. Pure: the edge in connection.ts owns sockets and timers.
import { CODES, type Code } from '@doorstep/shared/codes'
import type { Millis } from '@doorstep/shared/units'

/** `since` is when this began, on the page's clock. `attempt` counts tries that failed in a row. */
export type Link =
  | { readonly kind: 'connecting'; readonly since: Millis; readonly attempt: number }
  | { readonly kind: 'live'; readonly since: Millis; readonly attempt: number }
  | { readonly kind: 'reconnecting'; readonly since: Millis; readonly attempt: number }
  /** The browser says that there is no network: nothing is tried until it says otherwise. */
  | { readonly kind: 'offline'; readonly since: Millis; readonly attempt: number }
  /** The credential is refused, or the server said that it is over: never tried again. */
  | { readonly kind: 'gone'; readonly since: Millis; readonly code: Code }

export type LinkEvent = 'opened' | 'lost' | 'offline' | 'online' | { readonly refused: Code }

/** A connection that lasted this long was a good one: the next loss is tried again at once. */
const GOOD_MS = 5_000

export function stepLink(link: Link, event: LinkEvent, now: Millis): Link {
  if (link.kind === 'gone') return link
  if (typeof event === 'object') {
    const { remedy } = CODES[event.refused]
    if (remedy === 'stop' || remedy === 'reauth') return { kind: 'gone', since: now, code: event.refused }
    return stepLink(link, 'lost', now)
  }
  switch (event) {
    case 'opened':
      return { kind: 'live', since: now, attempt: link.attempt }
    case 'lost':
      if (link.kind === 'offline') return link
      if (link.kind === 'live')
        return { kind: 'reconnecting', since: now, attempt: now - link.since >= GOOD_MS ? 0 : link.attempt + 1 }
      return { kind: 'reconnecting', since: link.since, attempt: link.attempt + 1 }
    case 'offline':
      return link.kind === 'offline' ? link : { kind: 'offline', since: now, attempt: 0 }
    case 'online':
      return link.kind === 'offline' ? { kind: 'reconnecting', since: link.since, attempt: 0 } : link
  }
}

const FIRST_MS = 200
const MOST_MS = 10_000

/**
 * How long to wait before try number `attempt` + 1, ms: uniform between 0 and a bound that doubles from 200 ms to 10 s, so that a
 * thousand pages that lost one server do not come back in step ("full jitter", M. Brooker, Exponential Backoff And Jitter, 2015).
 */
export const retryDelay = (attempt: number, random: () => number): Millis => random() * Math.min(MOST_MS, FIRST_MS * 2 ** attempt)

/** The code that a refusal carries, or null when it is an ordinary failure of the network. */
export function refusal(error: unknown): Code | null {
  if (typeof error !== 'object' || error === null) return null
  const { data, message } = error as { data?: { code?: unknown }; message?: unknown }
  for (const said of [data?.code, message]) if (typeof said === 'string' && Object.hasOwn(CODES, said)) return said as Code
  return null
}
