// A device's token in, its fixes and acts with it; `kept`, its run and how often to report, out.
import type { Fault } from '@doorstep/shared/codes'
import { decodePings } from '@doorstep/shared/compact'
import { FAIL_REASONS, type FailReason } from '@doorstep/shared/order'
import { type Batch, checkItems, LIMITS, parseBatch, QID } from '@doorstep/shared/ping'
import { type DriverAct, type Kept, type Policy, PROTOCOL_VERSION } from '@doorstep/shared/protocol'
import { fail, ok, type Result } from '@doorstep/shared/result'
import type { Millis } from '@doorstep/shared/units'
import type { Namespace, Socket } from 'socket.io'
import type { Device, RunPlan } from '../orders/port.ts'
import { atMost } from '../turns.ts'
import { frameOf, onCompact } from './fastwire.ts'
import { cutSlow, guard, rechecks, type Served, serve } from './guard.ts'
import { attach, handler, shape } from './handlers.ts'
import type { Edge, LiveParts } from './parts.ts'

interface Session extends Served {
  readonly device: Device
  /** The queue named in `hello`; compact messages speak of it. */
  qid: string | null
  /** How far that queue is known to be kept. */
  upto: number
  /** Our clock minus the device's, once that is known to be off by seconds. */
  skew: Millis
  readonly offsets: Millis[]
  least: Millis
  /** The run that the device was told of. */
  told: { run: string | null; version: number }
  /** What is told with the next `kept`. */
  pending: { kept: Kept; readonly timer: NodeJS.Timeout } | null
}

/** Single live fixes are answered together, at most so late, ms (P2). */
const KEPT_MS = 2_000
/** By how much a device clock that is ahead, or behind, must be off to be put right, ms; judged by so many messages. */
const AHEAD_MS = 5_000
const BEHIND_MS = 30_000
const SKEW_OF = 60
const DAY = 86_400_000
const DRIVING: Policy = { interval: 1 }
const IDLE: Policy = { interval: 5 }

/** Thinned by a full device, refused one by one, or kept once and lost by a database that was set back (P6). */
const SKIPPED = ['full', 'refused', 'lost'] as const

type Incoming = { readonly batch: Batch; readonly live: boolean }
type Hello = { v: number; qid: string; sentAt: Millis }
type Skip = Hello & { from: number; to: number; reason: (typeof SKIPPED)[number] }

export function driverEdge(nsp: Namespace, parts: LiveParts): Edge {
  const { orders, journal, ingest, now } = parts
  const sessions = new Set<Session>()
  const byDevice = new Map<string, Session>()
  const few = atMost(4)

  const version = (v: unknown) => v === PROTOCOL_VERSION
  const instant = (t: unknown) => Number.isSafeInteger(t) && (t as number) > 0
  const count = (n: unknown) => Number.isSafeInteger(n) && (n as number) >= 1
  const text = (most: number) => (s: unknown) => typeof s === 'string' && s.length <= most
  const queue = { v: version, qid: (q: unknown) => typeof q === 'string' && QID.test(q), 'sentAt?': instant }
  /** A version that isn't ours is said so before anything else is looked at. */
  const versioned =
    <M>(parse: (m: unknown) => Result<M, Fault>) =>
    (m: unknown): Result<M, Fault> =>
      version((m as { v?: unknown }).v) ? parse(m) : fail({ code: 'BAD_VERSION', min: PROTOCOL_VERSION, max: PROTOCOL_VERSION })

  async function hello(session: Session, m: Hello): Promise<Result<object, Fault>> {
    noteClock(session, m.sentAt)
    const kept = await journal.upto(session.device.id, m.qid)
    if (!kept.ok) return kept
    session.qid = m.qid
    session.upto = kept.value.upto
    const run = await ingest.runOf(session.device.driver)
    const view = run ? await parts.records.runView(run.id) : null
    session.told = { run: run?.id ?? null, version: run?.version ?? 0 }
    return ok({ ...kept.value, policy: policyOf(run), run: view, now: now() })
  }

  // No async function: the one promise of a ping is the journal's.
  function pings(session: Session, { batch, live }: Incoming): Result<Kept, Fault> | Promise<Result<Kept, Fault>> {
    if (batch.sentAt !== null) noteClock(session, batch.sentAt)
    if (batch.qid === session.qid && batch.from > session.upto + LIMITS.seqAhead) return fail({ code: 'BAD_BATCH', field: 'seq' })
    return ingest.take(session.device, batch).then((kept) => {
      if (!kept.ok) {
        // A live fix ahead of its queue is no gap: it is stored, and the queue follows (P4).
        if (live && kept.fault.code === 'GAP') return journal.upto(session.device.id, batch.qid)
        return kept
      }
      if (kept.value.qid === session.qid) session.upto = Math.max(session.upto, kept.value.upto)
      tellKept(session, kept.value, batch.to > batch.from)
      return kept
    })
  }

  /** `kept` is cumulative: at once after a batch, else the newest of two seconds (P2). */
  function tellKept(session: Session, kept: Kept, atOnce: boolean): void {
    const before = session.pending
    if (before && !atOnce && kept.rejected.length === 0 && before.kept.qid === kept.qid) {
      before.kept = kept.upto > before.kept.upto ? { ...before.kept, upto: kept.upto } : before.kept
      return
    }
    const sum: Kept =
      before && before.kept.qid === kept.qid
        ? { ...kept, upto: Math.max(kept.upto, before.kept.upto), rejected: [...before.kept.rejected, ...kept.rejected] }
        : kept
    if (atOnce || sum.rejected.length >= LIMITS.batch) {
      clearTimeout(before?.timer)
      session.pending = null
      session.line.send(frameOf(nsp, 'kept', sum))
    } else if (before) session.pending = { kept: sum, timer: before.timer }
    else
      session.pending = {
        kept: sum,
        timer: setTimeout(() => {
          const due = session.pending
          session.pending = null
          if (due) session.line.send(frameOf(nsp, 'kept', due.kept))
        }, KEPT_MS),
      }
  }

  function noteClock(session: Session, sentAt: Millis | undefined): void {
    if (sentAt === undefined || Math.abs(now() - sentAt) > DAY) return
    const offsets = session.offsets
    const offset = now() - sentAt
    const oldest = offsets.length === SKEW_OF ? offsets.shift()! : Number.POSITIVE_INFINITY
    offsets.push(offset)
    // The least decides: only a new one, or the end of the old one, can change anything.
    if (offset >= session.least && oldest > session.least) return
    session.least = least(offsets)
    session.skew = skewOf(session.least, session.skew)
  }

  async function act(session: Session, m: DriverAct): Promise<Result<{ ev: number }, Fault>> {
    return orders.act(session.device.driver, { ...m, at: m.at + session.skew })
  }

  const handlers = new Map([
    ['hello', handler<Session, Hello>({ takes: 'object', ack: 'required', parse: versioned(shape<Hello>(queue)), handle: hello })],
    [
      'skip',
      handler<Session, Skip>({
        takes: 'object',
        ack: 'optional',
        parse: versioned((m) => {
          const parsed = shape<Skip>({ ...queue, from: count, to: count, reason: (r) => SKIPPED.includes(r as never) })(m)
          return parsed.ok && parsed.value.from > parsed.value.to ? fail({ code: 'BAD_FIELD', field: 'to' }) : parsed
        }),
        handle: async (session, m) => {
          const kept = await journal.skip(session.device.id, m.qid, m.from, m.to, now())
          if (kept.ok) {
            if (kept.value.qid === session.qid) session.upto = Math.max(session.upto, kept.value.upto)
            tellKept(session, kept.value, true)
          }
          return kept
        },
      }),
    ],
    [
      'act',
      handler<Session, DriverAct>({
        takes: 'object',
        ack: 'required',
        parse: shape<DriverAct>({
          idemKey: (k) => typeof k === 'string' && /^[\x21-\x7e]{1,64}$/.test(k),
          type: (t) => t === 'arrived' || t === 'delivered' || t === 'failed',
          stopId: (s) => typeof s === 'string' && /^[0-9a-zA-Z-]{1,64}$/.test(s),
          at: instant,
          'reason?': (r) => FAIL_REASONS.includes(r as FailReason),
          // Controls, lone halves of characters and marks that turn text around have no place in a note.
          'note?': (n) => text(500)(n) && !/\p{Cc}|\p{Cs}|[\u202a-\u202e\u2066-\u2069]/u.test((n as string).replace(/[\n\t]/g, '')),
        }),
        handle: act,
      }),
    ],
  ])
  /** Parsing a batch needs the device's clock: the table is one a session for these two, and shared for the rest. */
  function handlersOf(session: Session) {
    const incoming = (event: string, live: boolean, key: 'items' | 'item') =>
      [
        event,
        handler<Session, Incoming>({
          takes: 'object',
          ack: 'optional',
          parse: (m) => {
            if ((m as Record<string, unknown>)[key] === undefined) return fail({ code: 'BAD_BATCH', field: key })
            const parsed = parseBatch(m, now(), session.skew)
            return parsed.ok ? ok({ batch: parsed.value, live }) : parsed
          },
          cost: ({ batch }) => batch.fixes.length + batch.rejected.length,
          handle: pings,
        }),
      ] as const
    const compact = handler<Session, Incoming>({
      takes: 'object',
      ack: 'optional',
      parse: (m) => {
        if (!(m instanceof Uint8Array) || session.qid === null) return fail({ code: 'BAD_BATCH' })
        const decoded = decodePings(m)
        if (!decoded.ok) return decoded
        const parsed = checkItems(session.qid, decoded.value.sentAt, decoded.value.items, now(), session.skew)
        return parsed.ok ? ok({ batch: parsed.value, live: decoded.value.live }) : parsed
      },
      cost: ({ batch }) => batch.fixes.length + batch.rejected.length,
      handle: pings,
    })
    return new Map([...handlers, incoming('pings', false, 'items'), incoming('ping:live', true, 'item'), ['b', compact] as const])
  }

  guard<Device>(nsp, (token) => parts.auth.device(token), parts.onError)
  nsp.on('connection', (socket: Socket) => {
    const session: Session = {
      ...serve(socket),
      device: socket.data.who as Device,
      qid: null,
      upto: 0,
      skew: 0,
      offsets: [],
      least: Number.POSITIVE_INFINITY,
      told: { run: null, version: 0 },
      pending: null,
    }
    sessions.add(session)
    // The newest connection of a device speaks for it: an older one is a line that broke without a word, or a second page.
    const before = byDevice.get(session.device.id)
    byDevice.set(session.device.id, session)
    if (before) {
      before.socket.emit('fault', { code: 'CONFLICT', event: 'hello' })
      before.socket.disconnect(true)
    }
    const door = attach(socket, session, handlersOf(session), parts.rates.driver, parts.door)
    onCompact(socket, (bytes) => door.take('b', bytes))
    socket.on('disconnect', () => {
      clearTimeout(session.pending?.timer)
      sessions.delete(session)
      if (byDevice.get(session.device.id) === session) byDevice.delete(session.device.id)
    })
  })

  /** A device hears of its run when it is another, or another version of it. */
  async function tellRun(session: Session): Promise<void> {
    const run = await orders.runOf(session.device.driver)
    const next = { run: run?.id ?? null, version: run?.version ?? 0 }
    if (next.run === session.told.run && next.version === session.told.version) return
    const view = run ? await few(() => parts.records.runView(run.id)) : null
    session.told = next
    session.socket.emit('run', view)
    session.socket.emit('policy', policyOf(run))
  }
  orders.onRun((id) => {
    orders
      .run(id)
      .then((run) => {
        const concerned: Session[] = []
        for (const session of sessions)
          if (session.told.run === id || (run?.driver && session.device.driver === run.driver)) concerned.push(session)
        return Promise.all(concerned.map(tellRun))
      })
      .catch((error) => parts.onError(error, 'run'))
  })
  parts.auth.onRevoked((kind, id) => {
    const session = kind === 'device' ? byDevice.get(id) : undefined
    if (session) dismiss(session)
  })
  function dismiss(session: Session): void {
    session.socket.emit('revoked', {})
    session.socket.disconnect(true)
  }
  const recheck = rechecks(sessions, (token) => parts.auth.device(token), dismiss)
  const sweep = setInterval(() => {
    cutSlow(sessions, now(), () => parts.door.count('driver', 'slow'))
    recheck(now(), parts.deaf()).catch((error) => parts.onError(error, 'auth'))
  }, 1_000)

  return { close: () => clearInterval(sweep) }
}

/**
 * What to add to a device's clock. Arrival less sending is the clock's fault plus the time on the way, which is never negative: the least of the last
 * messages comes nearest. A clock behind looks like a slow line, so that it is believed later; small changes change nothing, since they would reorder fixes.
 */
function skewOf(least: Millis, before: Millis): Millis {
  if (least >= -AHEAD_MS && least <= BEHIND_MS) return 0
  return Math.abs(least - before) > 1_000 ? Math.round(least) : before
}

function least(numbers: readonly number[]): number {
  let least = Number.POSITIVE_INFINITY
  for (const n of numbers) if (n < least) least = n
  return least
}

const policyOf = (run: RunPlan | null): Policy => (run?.status === 'started' ? DRIVING : IDLE)
