// Fixes and acts in, a socket around the outbox out: says hello, drains, waits, and never deletes what is not kept. The reference client.
//
//   const outbox = await openOutbox(storage, { newQid })
//   const uplink = openUplink({ socket: io(`${url}/driver`, { auth: { token }, ...UPLINK_SOCKET }), outbox, acts, clock, random })
//   uplink.start(); await uplink.add({ t, lat, lon, acc, spd, hdg })
import type { Acts, RefusedAct } from './acts.ts'
import type { RunView } from './api.ts'
import { CODES, type Code, type Fault } from './codes.ts'
import type { Outbox, Step, StorageFault } from './outbox.ts'
import type { WireFix } from './ping.ts'
import { type DriverAct, type Kept, type Policy, PROTOCOL_VERSION } from './protocol.ts'
import type { Result } from './result.ts'
import type { Millis } from './units.ts'

/** As much of a Socket.IO client as is needed. The uplink opens and closes it and waits between tries: use UPLINK_SOCKET. */
export interface UplinkSocket {
  readonly connected: boolean
  connect(): unknown
  disconnect(): unknown
  on(event: string, listener: (message: never) => void): unknown
  emit(event: string, ...args: unknown[]): unknown
}
export const UPLINK_SOCKET = { autoConnect: false, reconnection: false, transports: ['websocket'] }

export interface Clock {
  now(): Millis
  /** Runs once after `ms`; the answer calls it off. */
  after(ms: Millis, run: () => void): () => void
}
export interface UplinkState {
  /** waiting: until `retryAt`, then again · stopped: never again with this token, what is queued stays (`why`). */
  readonly link: 'closed' | 'connecting' | 'online' | 'waiting' | 'stopped'
  readonly why: Code | null
  readonly retryAt: Millis | null
  /** The server takes fixes but can't keep them now: they stay here. */
  readonly unsaved: boolean
  readonly run: RunView | null
  readonly policy: Policy
  /** Our clock minus the server's, ms, as of the last hello; null before it. */
  readonly clockAhead: Millis | null
  readonly reconnects: number
}
export interface UplinkOptions {
  readonly socket: UplinkSocket
  readonly outbox: Outbox
  readonly acts: Acts
  /** The run as it was last known, shown until the server tells. */
  readonly run?: RunView | null
  readonly clock: Clock
  /** Uniform in 0 ≤ x < 1, for jitter. */
  readonly random: () => number
  /** After every change of the state, the outbox or the acts. */
  readonly onChange?: () => void
  readonly onRefused?: (refused: RefusedAct) => void
  /** The server's answer to an act that it took. */
  readonly onActed?: (act: DriverAct, ev: number) => void
}
export interface Uplink {
  readonly state: UplinkState
  start(): void
  stop(): void
  /** Something changed for the better (the network is back, the page is seen again): don't wait any longer. */
  nudge(): void
  /** Stores a fix; it is sent when it may be. */
  add(fix: Omit<WireFix, 'seq'>): Promise<Result<WireFix, StorageFault>>
  /** Stores what was done at a door; it is sent in order, and again until it is answered. Rejects when it can't be stored. */
  act(act: DriverAct): Promise<void>
}

/** How long an answer may take. */
const ACK_MS = 10_000
/** While the queue can't move, the newest fix is still shown this often (P4). */
const LIVE_MS = 2_000
const BATCH = 200

type Answer<T> = ({ ok: true } & T) | ({ ok: false } & Fault)

export function openUplink(options: UplinkOptions): Uplink {
  const { socket, outbox, acts, clock } = options
  let state: UplinkState = {
    link: 'closed',
    why: null,
    retryAt: null,
    unsaved: false,
    run: options.run ?? null,
    policy: { interval: 1 },
    clockAhead: null,
    reconnects: 0,
  }
  /** Grows with every connection and every loss of one: an answer of an older session moves nothing. */
  let session = 0
  let ready = false
  let sending = false
  let acting = false
  let tries = { link: 0, send: 0, act: 0 }
  let most = BATCH
  let holding: { live: boolean } | null = null
  let shownAt = Number.NEGATIVE_INFINITY
  let calm: (() => void) | null = null
  const timers = new Set<() => void>()

  const change = (next: Partial<UplinkState>): void => {
    state = { ...state, ...next }
    options.onChange?.()
  }
  const after = (ms: Millis, run: () => void): (() => void) => {
    const stop = clock.after(ms, () => {
      timers.delete(stop)
      run()
    })
    timers.add(stop)
    return () => {
      timers.delete(stop)
      stop()
    }
  }
  /** 1, 2, 4 … 30 s with full jitter (M. Brooker, Exponential Backoff and Jitter, 2015), and not before the server said. */
  const wait = (of: keyof typeof tries, atLeast = 0): Millis =>
    Math.max(atLeast, options.random() * Math.min(30_000, 1000 * 2 ** Math.min(tries[of]++, 5)))

  const envelope = () => ({ v: PROTOCOL_VERSION, qid: outbox.head.qid, sentAt: clock.now() })

  /** Emits and settles exactly once: with the answer, or with RETRY after ACK_MS; never after the session ended. */
  const ask = <T>(event: string, message: unknown, then: (answer: Answer<T>) => void): void => {
    const mine = session
    const giveUp = after(ACK_MS, () => {
      if (mine === session) settle({ ok: false, code: 'RETRY' })
    })
    let settled = false
    const settle = (answer: Answer<T>): void => {
      giveUp()
      if (settled || mine !== session) return
      settled = true
      then(answer)
    }
    socket.emit(event, message, settle)
  }

  const end = (why: Code): void => {
    leave()
    change({ link: 'stopped', why, retryAt: null })
    socket.disconnect()
  }
  const leave = (): void => {
    session++
    ready = sending = acting = false
    holding = null
    calm = null
    for (const stop of timers) stop()
    timers.clear()
  }
  const reconnect = (why: Code | null): void => {
    leave()
    if (state.link === 'stopped' || state.link === 'closed') return
    outbox.rewind(outbox.head.upto + 1)
    const ms = wait('link')
    change({ link: 'waiting', why, retryAt: clock.now() + ms, reconnects: state.reconnects + 1 })
    after(ms, () => {
      change({ link: 'connecting', retryAt: null })
      socket.connect()
    })
  }
  const drop = (why: Code): void => {
    socket.disconnect()
    if (state.link === 'online' || state.link === 'connecting') reconnect(why)
  }

  const hello = (): void => {
    ask<Kept & { policy: Policy; run: RunView | null; now: Millis }>('hello', envelope(), async (answer) => {
      const mine = session
      if (!answer.ok) {
        if (stops(answer.code)) end(answer.code)
        else drop(answer.code)
        return
      }
      const taken = await outbox.kept(answer)
      if (mine !== session) return
      if (taken === 'ahead') {
        await outbox.renew()
        if (mine === session) hello()
        return
      }
      outbox.rewind(answer.upto + 1)
      ready = true
      change({
        link: 'online',
        why: null,
        retryAt: null,
        unsaved: false,
        run: answer.run,
        policy: answer.policy,
        clockAhead: clock.now() - answer.now,
      })
      after(ACK_MS, () => {
        tries = { ...tries, link: 0 }
      })
      if (outbox.queued > BATCH) show()
      pump()
      doNextAct()
    })
  }

  /** The newest fix, at once, past a queue that is long or can't move (P4). */
  const show = (): void => {
    const { newest } = outbox
    if (!newest || clock.now() - shownAt < LIVE_MS) return
    shownAt = clock.now()
    socket.emit('ping:live', { ...envelope(), item: newest })
  }

  const pump = (): void => {
    if (!ready) return
    if (sending || holding) {
      if (holding ? holding.live : outbox.unsent > BATCH) show()
      return
    }
    const step = outbox.next(most)
    if (!step) return
    // A single live fix goes without asking for an answer: `kept` comes every 2 s, and costs less than an ack for each.
    if (step.kind === 'pings' && step.items.length === 1 && calm && tries.send === 0 && most === BATCH) {
      outbox.sent(step.to)
      socket.emit('pings', { ...envelope(), items: step.items })
      return
    }
    sending = true
    outbox.sent(step.to)
    const message =
      step.kind === 'pings'
        ? { ...envelope(), items: step.items }
        : { v: PROTOCOL_VERSION, qid: outbox.head.qid, from: step.from, to: step.to, reason: step.reason }
    ask<Kept>(step.kind, message, (answer) => answered(step, answer))
  }

  const answered = async (step: Step, answer: Answer<Kept>): Promise<void> => {
    const mine = session
    if (answer.ok) {
      await kept(answer)
      if (mine !== session) return
      sending = false
      if (outbox.head.upto >= step.to || outbox.head.qid !== answer.qid) {
        tries.send = 0
        most = Math.min(BATCH, most * 2)
        trust(true)
        if (state.unsaved) change({ unsaved: false })
        return pump()
      }
      outbox.rewind(answer.upto + 1)
      return hold('RETRY')
    }
    sending = false
    await refused(answer, step)
  }

  const refused = async (fault: Fault, step: Step | null): Promise<void> => {
    const { remedy } = CODES[fault.code] ?? CODES.INTERNAL
    if (fault.code === 'GAP' && typeof fault.expect === 'number') {
      outbox.rewind(fault.expect)
      // A second GAP in a row means that going back did not help: then not at once.
      return tries.send++ > 0 ? hold('RETRY') : pump()
    }
    if (stops(fault.code)) return end(fault.code)
    outbox.rewind(outbox.head.upto + 1)
    if (remedy === 'fix') {
      const mine = session
      if (!step)
        trust(false) // it was sent alone and unanswered: the next answer says which fix it is
      else if (step.kind === 'skip') await outbox.renew()
      else if (step.items.length > 1) most = step.items.length >> 1
      else await outbox.refuse(step.from)
      options.onChange?.()
      if (mine === session) pump()
      return
    }
    hold(fault.code, typeof fault.retryAfterMs === 'number' ? fault.retryAfterMs : 0)
  }

  const hold = (why: Code, atLeast = 0): void => {
    const ms = wait('send', atLeast)
    holding = { live: why !== 'RATE' }
    trust(false)
    if (!state.unsaved) change({ unsaved: true })
    after(ms, () => {
      holding = null
      pump()
    })
  }

  /** While trusted, live fixes go unanswered one by one; when `kept` stays away for ACK_MS they are sent again, with an answer asked for. */
  const trust = (on: boolean): void => {
    calm?.()
    calm = null
    if (!on) return
    const { upto } = outbox.head
    calm = after(ACK_MS, () => {
      const silent = outbox.head.upto === upto && outbox.queued > 0
      trust(!silent)
      if (!silent) return
      outbox.rewind(upto + 1)
      pump()
    })
  }

  const kept = async (message: Kept): Promise<void> => {
    const mine = session
    const taken = await outbox.kept(message)
    if (mine !== session) return
    if (taken === 'ahead') {
      await outbox.renew()
      if (mine === session) pump()
    }
    options.onChange?.()
  }

  const doNextAct = (): void => {
    const act = acts.open[0]
    if (!ready || acting || !act) return
    acting = true
    ask<{ ev: number }>('act', act, async (answer) => {
      const mine = session
      const code = answer.ok ? null : answer.code
      const again = code !== null && (CODES[code] ?? CODES.INTERNAL).remedy === 'retry'
      if (code === 'AUTH') return end(code)
      if (!again) {
        await acts.settle(act.idemKey)
        if (answer.ok) options.onActed?.(act, answer.ev)
        else options.onRefused?.({ act, fault: answer })
        options.onChange?.()
      }
      if (mine !== session) return
      if (again) {
        after(wait('act', !answer.ok && typeof answer.retryAfterMs === 'number' ? answer.retryAfterMs : 0), () => {
          acting = false
          doNextAct()
        })
        return
      }
      tries.act = 0
      acting = false
      doNextAct()
    })
  }

  socket.on('connect', () => {
    leave()
    hello()
  })
  socket.on('disconnect', () => reconnect(null))
  socket.on('connect_error', ((error: { data?: Partial<Fault> }) => {
    const code = error.data?.code
    if (code && stops(code)) end(code)
    else reconnect(code ?? null)
  }) as (message: never) => void)
  socket.on('kept', ((m: Kept) => void kept(m)) as (message: never) => void)
  socket.on('run', ((run: RunView | null) => change({ run })) as (message: never) => void)
  socket.on('policy', ((policy: Policy) => change({ policy })) as (message: never) => void)
  socket.on('revoked', () => end('AUTH'))
  socket.on('fault', ((m: Fault & { event: string }) => {
    if (ready && !sending && (m.event === 'pings' || m.event === 'skip')) void refused(m, null)
    else if (stops(m.code) && m.code !== 'NOT_FOUND') end(m.code)
  }) as (message: never) => void)

  return {
    get state() {
      return state
    },
    start() {
      if (state.link !== 'closed') return
      change({ link: 'connecting', why: null })
      socket.connect()
    },
    stop() {
      leave()
      change({ link: 'closed', retryAt: null })
      socket.disconnect()
    },
    nudge() {
      if (state.link !== 'waiting') return
      leave()
      change({ link: 'connecting', retryAt: null })
      socket.connect()
    },
    async add(fix) {
      const stored = await outbox.add(fix)
      options.onChange?.()
      pump()
      return stored
    },
    async act(act) {
      await acts.add(act)
      options.onChange?.()
      doNextAct()
    },
  }
}

/** No repetition helps, with this token or this program. */
const stops = (code: Code): boolean => {
  const { remedy } = CODES[code] ?? CODES.INTERNAL
  return remedy === 'reauth' || remedy === 'stop'
}
