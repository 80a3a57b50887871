// Everything that a socket says, in; a checked message to the one handler that may have it, or a coded refusal, out. The only door of live/.
import type { Fault } from '@doorstep/shared/codes'
import { fail, type Result } from '@doorstep/shared/result'
import type { Millis } from '@doorstep/shared/units'
import type { Socket } from 'socket.io'
import type { Line } from './fastwire.ts'

/** What a message of one kind must be, and who does it. Answers travel in the ack; without one a refusal is told by `fault`. */
export interface Handler<S, M = unknown> {
  /** One object, or nothing at all. */
  readonly takes: 'object' | 'nothing'
  readonly ack: 'required' | 'optional'
  readonly parse: (message: unknown) => Result<M, Fault>
  readonly handle: (session: S, message: M) => Answer | Promise<Answer>
  /** Has this a cost beside that of a message? Units of the second budget (fixes). */
  readonly cost?: (message: M) => number
}
type Answer = Result<object, Fault> | null

/** Ties a handler's parse and handle together, then forgets their type. */
export const handler = <S, M>(of: Handler<S, M>): Handler<S> => of as Handler<S>

/** Messages a second and how many at once; `units` is the second budget, which delays instead of refusing until it is that far in debt. */
export interface Rate {
  readonly perSecond: number
  readonly burst: number
  readonly units?: { readonly perSecond: number; readonly burst: number; readonly debt: number }
}

export interface Door {
  readonly now: () => Millis
  /** Counts what came of a message. */
  readonly count: (event: string, outcome: string) => void
  /** A bug: logged, and told as INTERNAL. */
  readonly bug: (error: unknown, event: string) => void
}

/** Who has so much still to read is asked to read first, bytes: answers to somebody who only asks would fill the memory until he is cut off. */
const UNREAD_BYTES = 1_048_576
/** Frames that are no message of ours: so many in a minute end the connection. */
const ABUSE_FRAMES = 5
/** Refusals for haste that a connection survives in a minute. */
const ABUSE_HASTE = 60
/** Refusals told by `fault` in a second; more say nothing new. */
const FAULTS = 5

/** A socket's messages all go through here; none reaches Socket.IO's own emitter, where a name such as `error` has a meaning. */
export function attach<S extends { readonly line: Line }>(
  socket: Socket,
  session: S,
  handlers: ReadonlyMap<string, Handler<S>>,
  rate: Rate,
  door: Door,
): { take(event: string, message: unknown): void; bad(): void } {
  const messages = bucket(rate.perSecond, rate.burst, door.now())
  const units = rate.units ? bucket(rate.units.perSecond, rate.units.burst, door.now()) : null
  const badFrames = bucket(ABUSE_FRAMES / 60, ABUSE_FRAMES, door.now())
  const haste = bucket(ABUSE_HASTE / 60, ABUSE_HASTE, door.now())
  const faults = bucket(FAULTS, FAULTS, door.now())

  const end = (event: string) => {
    socket.emit('fault', { code: 'ABUSE', event })
    socket.disconnect(true)
  }
  const bad = (event: string) => {
    if (badFrames.take(1, door.now()) > 0) end(event)
  }
  const refuse = (event: string, fault: Fault, ack: Ack | null) => {
    door.count(event, fault.code)
    if (ack) ack({ ok: false, ...fault })
    else if (faults.take(1, door.now()) === 0) socket.emit('fault', { ...fault, event })
  }

  function receive(event: unknown, args: readonly unknown[], ack: Ack | null): void {
    const name = typeof event === 'string' ? event : ''
    const handler = handlers.get(name)
    if (!handler || args.length !== (handler.takes === 'object' ? 1 : 0) || (handler.takes === 'object' && !isObject(args[0]))) {
      refuse(handler ? name : 'unknown', { code: 'BAD_EVENT' }, ack)
      bad(handler ? name : 'unknown')
      return
    }
    if (handler.ack === 'required' && !ack) {
      refuse(name, { code: 'NO_ACK' }, null)
      bad(name)
      return
    }
    const wait = messages.take(1, door.now())
    if (wait > 0) {
      refuse(name, { code: 'RATE', retryAfterMs: wait }, ack)
      if (haste.take(1, door.now()) > 0) end(name)
      return
    }
    if (session.line.waiting() > UNREAD_BYTES) {
      refuse(name, { code: 'BUSY', retryAfterMs: 1_000 }, ack)
      return
    }
    const parsed = handler.parse(args[0])
    if (!parsed.ok) {
      refuse(name, parsed.fault, ack)
      return
    }
    const cost = units && handler.cost ? handler.cost(parsed.value) : 0
    if (cost > 0) {
      const delay = units!.owe(cost, door.now())
      if (delay > (rate.units!.debt / rate.units!.perSecond) * 1000) {
        units!.give(cost)
        refuse(name, { code: 'RATE', retryAfterMs: delay }, ack)
        return
      }
      if (delay > 0) {
        setTimeout(() => perform(name, handler, parsed.value, ack), delay)
        return
      }
    }
    perform(name, handler, parsed.value, ack)
  }

  function perform(name: string, handler: Handler<S>, message: unknown, ack: Ack | null): void {
    try {
      const answer = handler.handle(session, message)
      if (answer instanceof Promise)
        answer.then((given) => settle(name, given, ack)).catch((error: unknown) => failed(name, error, ack))
      else settle(name, answer, ack)
    } catch (error) {
      failed(name, error, ack)
    }
  }
  function settle(name: string, answer: Answer, ack: Ack | null): void {
    if (answer !== null && !answer.ok) {
      refuse(name, answer.fault, ack)
      return
    }
    door.count(name, 'ok')
    if (answer !== null) ack?.({ ok: true, ...answer.value })
  }
  function failed(name: string, error: unknown, ack: Ack | null): void {
    door.bug(error, name)
    refuse(name, { code: 'INTERNAL' }, ack)
  }

  // Never calling on to the next middleware keeps the event from Socket.IO's emitter.
  socket.use((packet) => {
    const [event, ...args] = packet
    const last = args.at(-1)
    const ack = typeof last === 'function' ? (last as Ack) : null
    receive(event, ack ? args.slice(0, -1) : args, ack)
  })
  return {
    /** A message that came another way (compact), already an object. */
    take: (event, message) => receive(event, [message], null),
    bad: () => bad('compact'),
  }
}
type Ack = (answer: object) => void
const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value)

interface Bucket {
  /** Takes `n` when they are there and answers 0, else the ms until they will be, taking none. */
  take(n: number, now: Millis): number
  /** Takes `n` even when they are not there, and answers the ms until they would have been. */
  owe(n: number, now: Millis): number
  give(n: number): void
}
/** A token bucket, full at the start. */
function bucket(perSecond: number, burst: number, start: Millis): Bucket {
  let tokens = burst
  let at = start
  const refill = (now: Millis) => {
    tokens = Math.min(burst, tokens + (Math.max(0, now - at) / 1000) * perSecond)
    at = now
  }
  return {
    take(n, now) {
      refill(now)
      if (tokens < n) return Math.ceil(((n - tokens) / perSecond) * 1000)
      tokens -= n
      return 0
    },
    owe(n, now) {
      refill(now)
      tokens -= n
      return tokens >= 0 ? 0 : Math.ceil((-tokens / perSecond) * 1000)
    },
    give(n) {
      tokens += n
    },
  }
}

/** Exactly these keys, each as its check says; `?` at the end of a name makes it optional. Anything else is BAD_FIELD. */
export function shape<M>(checks: Readonly<Record<string, (value: unknown) => boolean>>): (message: unknown) => Result<M, Fault> {
  const known = new Map(
    Object.entries(checks).map(([name, check]) => [name.replace('?', ''), { check, optional: name.endsWith('?') }]),
  )
  return (message) => {
    if (!isObject(message)) return fail({ code: 'BAD_FIELD' })
    const m = message as Record<string, unknown>
    for (const key in m) if (!known.has(key)) return fail({ code: 'BAD_FIELD' })
    for (const [field, { check, optional }] of known) {
      const value = Object.hasOwn(m, field) ? m[field] : undefined
      if (value === undefined ? !optional : !check(value)) return fail({ code: 'BAD_FIELD', field })
    }
    return { ok: true, value: m as M }
  }
}
