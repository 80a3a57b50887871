// A web address in; checked JSON, or one word for why there is none, out. Routers elsewhere are never trusted to be quick, small or right.
import { fail, ok, type Result } from '@doorstep/shared/result'
import type { Millis } from '@doorstep/shared/units'

/** Why a router elsewhere gave no route. `no-route` and `precision` are its answer; the others say that it is not well. */
export type Why =
  | 'timeout'
  | 'unreachable'
  | 'rate'
  | 'refused'
  | 'error'
  | 'too-large'
  | 'malformed'
  | 'empty'
  | 'no-route'
  | 'precision'
export type Miss = { readonly why: Why; readonly retryAfter?: Millis }

export interface Remote {
  readonly fetch: typeof globalThis.fetch
  readonly timeout: Millis
}

/** A day's run through 100 stops with every vertex and its seconds is below 2 MB. */
const MOST_BYTES = 4 * 1024 * 1024

/** Never rejects, never follows a redirect, reads no more than 4 MiB. The address may hold a token: it is in no fault. */
export async function ask(url: string, remote: Remote, init: RequestInit = {}): Promise<Result<unknown, Miss>> {
  try {
    // The signal also ends a body that trickles in forever.
    const response = await remote.fetch(url, { ...init, redirect: 'error', signal: AbortSignal.timeout(remote.timeout) })
    const text = await bounded(response)
    if (text === null) return fail({ why: 'too-large' })
    if (response.status === 429) {
      const seconds = Number(response.headers.get('retry-after'))
      return fail({ why: 'rate', ...(seconds > 0 && seconds <= 3600 && { retryAfter: seconds * 1000 }) })
    }
    if (response.status === 401 || response.status === 403) return fail({ why: 'refused' })
    if (response.status >= 500) return fail({ why: 'error' })
    if (text.trim() === '') return fail({ why: 'empty' })
    // Routers say "no route" with status 400 and a body that tells so.
    return ok(JSON.parse(text))
  } catch (error) {
    if (error instanceof SyntaxError) return fail({ why: 'malformed' })
    return fail({ why: error instanceof DOMException && error.name === 'TimeoutError' ? 'timeout' : 'unreachable' })
  }
}

async function bounded(response: Response): Promise<string | null> {
  const reader = response.body?.getReader()
  if (!reader) return ''
  const parts: Uint8Array[] = []
  let size = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return Buffer.concat(parts).toString('utf8')
    size += value.length
    if (size > MOST_BYTES) {
      await reader.cancel().catch(() => undefined)
      return null
    }
    parts.push(value)
  }
}
