// A connection's claim in, a principal or one flat refusal out; and the clean-up of connections that don't read.
import { CODES, type Code } from '@doorstep/shared/codes'
import type { Millis } from '@doorstep/shared/units'
import type { Namespace, Socket } from 'socket.io'
import { type Line, lineOf } from './fastwire.ts'

/** Longer is no token of ours; shorter is no secret. */
const TOKEN = { least: 20, most: 2_048 }
const AUTH_MS = 5_000

/**
 * Lets in whom `who` knows; unknown, malformed and expired get the same words (V6). A store that is away is RETRY, so that a device keeps its token.
 * The principal is in `socket.data.who`.
 */
export function guard<W>(
  nsp: Namespace,
  who: (token: string) => Promise<W | null>,
  onError: (error: unknown, what: string) => void,
): void {
  nsp.use((socket, next) => {
    let answered = false
    const answer = (code?: Code) => {
      if (answered) return
      answered = true
      clearTimeout(timer)
      next(code ? refusal(code) : undefined)
    }
    const timer = setTimeout(() => answer('RETRY'), AUTH_MS)
    const token: unknown = (socket.handshake.auth as Record<string, unknown>).token
    if (typeof token !== 'string' || token.length < TOKEN.least || token.length > TOKEN.most) return answer('AUTH')
    who(token).then(
      (principal) => {
        socket.data.who = principal
        answer(principal === null ? 'AUTH' : undefined)
      },
      (error) => {
        onError(error, 'auth')
        answer('RETRY')
      },
    )
  })
}

/** What `connect_error` carries: the code as message and, with its remedy, as data. */
function refusal(code: Code): Error {
  return Object.assign(new Error(code), { data: { code, remedy: CODES[code].remedy } })
}

/** A socket that is served, with what waits to be read by it. */
export interface Served {
  readonly socket: Socket
  /** What it came in with: looked at again when word of a revocation may have been lost. */
  readonly token: string
  readonly line: Line
  /** Since when too much waits; 0 when it doesn't. */
  fullSince: Millis
}
export const serve = (socket: Socket): Served => ({
  socket,
  token: String((socket.handshake.auth as Record<string, unknown>).token),
  line: lineOf(socket),
  fullSince: 0,
})

/** How often rights are looked at again while other nodes can't be heard, ms; what auth remembers of a token may be as old again. */
const RECHECK_MS = 4_000

/** To be called every second or so: while `deaf`, asks for every socket's right again, one after the other, and gives those that ended to `onOver`. */
export function rechecks<S extends Served>(
  all: ReadonlySet<S>,
  who: (token: string) => Promise<unknown>,
  onOver: (served: S) => void,
) {
  let asked = 0
  let asking = false
  return async (now: Millis, deaf: boolean): Promise<void> => {
    if (!deaf || asking || now - asked < RECHECK_MS) return
    asked = now
    asking = true
    try {
      for (const served of [...all]) if ((await who(served.token)) === null && all.has(served)) onOver(served)
    } finally {
      asking = false
    }
  }
}

/** Above this the position lane waits for the socket, bytes. */
export const BUSY_BYTES = 65_536
/** Above this for so long the socket is cut off: it resyncs when it can. */
const FULL_BYTES = 262_144
const FULL_MS = 10_000

/** Cuts who has not read for ten seconds; to be called every second or so. */
export function cutSlow(all: Iterable<Served>, now: Millis, onCut: () => void): void {
  for (const served of all) {
    if (served.line.waiting() <= FULL_BYTES) served.fullSince = 0
    else if (served.fullSince === 0) served.fullSince = now
    else if (now - served.fullSince >= FULL_MS) {
      onCut()
      served.line.cut()
    }
  }
}
