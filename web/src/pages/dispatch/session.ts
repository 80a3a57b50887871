// The address and this tab's storage in; the session token and the place within the page, out.

const KEY = 'doorstep.session'

/** The token of `#token=…` moves into this tab's storage and leaves the address at once, so that it is neither bookmarked nor shared. */
export function takeToken(): string | null {
  const found = /^#token=([A-Za-z0-9_.~-]{16,512})/.exec(location.hash)
  if (found) {
    keepToken(found[1]!)
    history.replaceState(null, '', `${location.pathname}${location.search}`)
  }
  try {
    return found?.[1] ?? sessionStorage.getItem(KEY)
  } catch {
    return found?.[1] ?? null
  }
}

export function keepToken(token: string): void {
  try {
    sessionStorage.setItem(KEY, token)
  } catch {
    // Storage may be refused: then the session lasts as long as the page.
  }
}

export function forgetToken(): void {
  try {
    sessionStorage.removeItem(KEY)
  } catch {
    // As above.
  }
}

/** What the detail column shows. */
export type Spot =
  | { readonly kind: 'none' }
  | { readonly kind: 'driver'; readonly id: string }
  | { readonly kind: 'order'; readonly id: string }
  | { readonly kind: 'new' }
  | { readonly kind: 'alerts' }

export function spotOf(hash: string): Spot {
  const [, kind, id] = /^#\/(driver|order|new|alerts)(?:\/([A-Za-z0-9-]{1,64}))?$/.exec(hash) ?? []
  if ((kind === 'driver' || kind === 'order') && id) return { kind, id }
  if (kind === 'new' || kind === 'alerts') return { kind }
  return { kind: 'none' }
}

export const hashOf = (spot: Spot): string =>
  spot.kind === 'none' ? '' : spot.kind === 'driver' || spot.kind === 'order' ? `#/${spot.kind}/${spot.id}` : `#/${spot.kind}`
