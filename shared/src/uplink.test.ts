// The device's loop on a line that fails in every way, with a clock that only moves when told.
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { memoryActs, openActs, type RefusedAct } from './acts.ts'
import type { Code } from './codes.ts'
import { memoryStorage, type OutboxStorage, openOutbox } from './outbox.ts'
import type { WireFix } from './ping.ts'
import type { DriverAct } from './protocol.ts'
import { type Random, random } from './random.ts'
import { type Clock, openUplink, type UplinkSocket } from './uplink.ts'

class ManualClock implements Clock {
  time = 1_700_000_000_000
  private timers: { at: number; run: () => void }[] = []
  now = () => this.time
  after = (ms: number, run: () => void) => {
    const timer = { at: this.time + ms, run }
    this.timers.push(timer)
    return () => {
      this.timers = this.timers.filter((t) => t !== timer)
    }
  }
  /** Runs whatever is due within `ms`, in order, letting promises settle after each. */
  async pass(ms: number): Promise<void> {
    const end = this.time + ms
    await settled()
    for (;;) {
      const next = this.timers.filter((t) => t.at <= end).sort((a, b) => a.at - b.at)[0]
      if (!next) break
      this.timers = this.timers.filter((t) => t !== next)
      this.time = Math.max(this.time, next.at)
      next.run()
      await settled()
    }
    this.time = end
  }
}
const settled = () => new Promise((done) => setImmediate(done))

type Say = Record<string, unknown> & { qid: string; items: WireFix[]; item: WireFix; from: number; to: number; sentAt: number }
/** A server that keeps, and a socket to it that can lose, delay, refuse and break. */
class Line {
  readonly clock = new ManualClock()
  readonly queues = new Map<string, { hi: number; fixes: Map<number, WireFix>; skipped: Set<number> }>()
  readonly acts: DriverAct[] = []
  readonly heard: { event: string; message: Say }[] = []
  /** What is answered instead of the truth; null lets it through. */
  refuse: (event: string, message: Say) => { code: Code; [fact: string]: unknown } | null = () => null
  lose = 0
  up = true
  rng: Random = random(1)
  private listeners = new Map<string, ((m: never) => void)[]>()
  connected = false
  generation = 0
  private arrival = 0

  socket: UplinkSocket = (() => {
    const line = this
    return {
      get connected() {
        return line.connected
      },
      connect: () => {
        line.clock.after(20, () => {
          if (!line.up) return line.tell('connect_error', { message: 'unreachable' })
          line.connected = true
          line.generation++
          line.tell('connect', undefined)
        })
      },
      disconnect: () => line.cut(),
      on: (event, listener) => line.listeners.set(event, [...(line.listeners.get(event) ?? []), listener]),
      emit: (event, message, ack) => {
        if (!line.connected) throw new Error('emit on a closed socket')
        if (line.rng() < line.lose) return
        const generation = line.generation
        // A connection never overtakes itself.
        line.arrival = Math.max(line.arrival, line.clock.time + 5 + line.rng() * 40)
        line.clock.after(line.arrival - line.clock.time, () => {
          const answer = line.answer(event, structuredClone(message) as Say)
          if (line.rng() < line.lose) return
          line.clock.after(5, () => {
            if (generation !== line.generation || !line.connected) return
            if (ack) (ack as (a: unknown) => void)(answer)
            if (answer.ok && (event === 'pings' || event === 'ping:live')) line.tell('kept', answer)
            else if (!answer.ok && !ack) line.tell('fault', { ...answer, event })
          })
        })
      },
    }
  })()
  tell(event: string, message: unknown): void {
    for (const listener of this.listeners.get(event) ?? []) listener(message as never)
  }
  cut(): void {
    if (!this.connected) return
    this.connected = false
    this.generation++
    this.tell('disconnect', 'transport close')
  }
  queue(qid: string) {
    const q = this.queues.get(qid) ?? { hi: 0, fixes: new Map(), skipped: new Set() }
    this.queues.set(qid, q)
    return q
  }
  answer(event: string, m: Say): Record<string, unknown> & { ok: boolean } {
    this.heard.push({ event, message: m })
    const no = this.refuse(event, m)
    if (no) return { ok: false, ...no }
    if (event === 'act') {
      if (!this.acts.some((a) => a.idemKey === m.idemKey)) this.acts.push(m as unknown as DriverAct)
      return { ok: true, ev: this.acts.length }
    }
    const q = this.queue(m.qid)
    const done = () => ({ ok: true, qid: m.qid, upto: q.hi, rejected: [] })
    if (event === 'hello') return { ...done(), policy: { interval: 1 }, run: null, now: this.clock.now() }
    const items = event === 'ping:live' ? [m.item] : event === 'pings' ? m.items : []
    for (const fix of items) {
      if (q.fixes.has(fix.seq)) expect(q.fixes.get(fix.seq)).toEqual(fix)
      q.fixes.set(fix.seq, fix)
    }
    const from = event === 'skip' ? m.from : items[0]!.seq
    const to = event === 'skip' ? m.to : items[items.length - 1]!.seq
    if (from > q.hi + 1) return event === 'ping:live' ? done() : { ok: false, code: 'GAP', expect: q.hi + 1 }
    if (event === 'skip') for (let seq = from; seq <= to; seq++) q.skipped.add(seq)
    q.hi = Math.max(q.hi, to)
    return done()
  }
}
let made = 0
const newQid = () => (++made).toString(16).padStart(16, '0')
async function device(line: Line, storage: OutboxStorage = memoryStorage(), acts = memoryActs()) {
  const outbox = await openOutbox(storage, { newQid })
  const refused: RefusedAct[] = []
  const open = await openActs(acts)
  const uplink = openUplink({
    socket: line.socket,
    outbox,
    acts: open,
    clock: line.clock,
    random: line.rng.fork('jitter'),
    onRefused: (r) => refused.push(r),
  })
  const fix = () => uplink.add({ t: line.clock.now(), lat: 57.7, lon: 11.97 })
  const drive = async (seconds: number) => {
    for (let i = 0; i < seconds; i++) {
      await fix()
      await line.clock.pass(1000)
    }
  }
  return { outbox, uplink, acts: open, refused, fix, drive }
}
const act = (n: number, type: DriverAct['type'] = 'delivered'): DriverAct => ({
  idemKey: `key-${n}`,
  type,
  stopId: `stop-${n}`,
  at: 1,
})

test('[P2] live fixes go one by one without asking for an answer, and `kept` empties the queue', async () => {
  const line = new Line()
  const { uplink, outbox, drive } = await device(line)
  uplink.start()
  await drive(30)
  expect(uplink.state).toMatchObject({ link: 'online', reconnects: 0, unsaved: false })
  expect(outbox).toMatchObject({ queued: 0, head: { kept: 30, upto: 30 } })
  expect(line.heard.filter((h) => h.event === 'pings').every((h) => h.message.items.length <= 2)).toBe(true)
})

test('[P4] a backlog over one batch first shows its newest fix, then drains oldest first, one batch at a time', async () => {
  const line = new Line()
  const { uplink, outbox, fix, drive } = await device(line)
  for (let i = 0; i < 450; i++) {
    await fix()
    line.clock.time += 1000
  }
  uplink.start()
  await drive(2)
  expect(line.heard.slice(0, 3).map((h) => h.event)).toEqual(['hello', 'ping:live', 'pings'])
  expect(line.heard[1]?.message.item.seq).toBeGreaterThanOrEqual(450)
  const batches = line.heard.filter((h) => h.event === 'pings').map((h) => h.message.items[0]!.seq)
  expect(batches.slice(0, 3)).toEqual([1, 201, 401])
  expect(outbox.queued).toBe(0)
})

test('a hello that says how far the server got deletes up to there and sends only the rest', async () => {
  const line = new Line()
  const { uplink, outbox, fix } = await device(line)
  for (let i = 0; i < 9; i++) await fix()
  line.queue(outbox.head.qid).hi = 6
  uplink.start()
  await line.clock.pass(1000)
  expect(line.heard.filter((h) => h.event === 'pings').flatMap((h) => h.message.items.map((f) => f.seq))).toEqual([7, 8, 9])
})

test('when the database is away nothing is deleted, the newest fix is still shown, and all of it is kept afterwards', async () => {
  const line = new Line()
  const { uplink, outbox, drive } = await device(line)
  uplink.start()
  await drive(5)
  line.refuse = (event) => (event === 'hello' ? null : { code: 'RETRY', retryAfterMs: 500 })
  const before = line.heard.length
  await drive(60)
  expect(outbox.queued).toBeGreaterThanOrEqual(60)
  expect(uplink.state.unsaved).toBe(true)
  const during = line.heard.slice(before)
  expect(during.filter((h) => h.event === 'ping:live').length).toBeGreaterThan(10)
  expect(during.filter((h) => h.event === 'pings').length).toBeLessThan(40)
  line.refuse = () => null
  await drive(40)
  expect(outbox).toMatchObject({ queued: 0, head: { kept: 105 } })
  expect(uplink.state.unsaved).toBe(false)
})

test('RATE is obeyed: nothing at all is sent before retryAfterMs', async () => {
  const line = new Line()
  const { uplink, outbox, drive } = await device(line)
  uplink.start()
  await drive(3)
  line.refuse = (event) => (event === 'pings' ? { code: 'RATE', retryAfterMs: 20_000 } : null)
  await drive(1)
  const from = line.heard.length
  line.refuse = () => null
  await drive(18)
  expect(line.heard.length).toBe(from)
  await drive(25)
  expect(outbox.queued).toBe(0)
})

test('AUTH and revoked stop for good, and what is queued stays', async () => {
  for (const how of ['hello', 'pings', 'revoked', 'connect'] as const) {
    const line = new Line()
    const { uplink, outbox, drive, fix } = await device(line)
    line.refuse = (event) => (event === how ? { code: 'AUTH' } : null)
    for (let i = 0; i < 3; i++) await fix()
    if (how === 'connect') line.up = false
    uplink.start()
    if (how === 'connect') line.tell('connect_error', { data: { code: 'AUTH' } })
    await drive(3)
    if (how === 'revoked') line.tell('revoked', {})
    await drive(90)
    expect(uplink.state).toMatchObject({ link: 'stopped', why: 'AUTH' })
    expect(outbox.queued).toBeGreaterThanOrEqual(90)
    expect(line.heard.filter((h) => h.event === 'hello').length).toBeLessThanOrEqual(1)
  }
})

test('[P5] a batch that the server calls bad is halved down to the one fix, which is skipped; nothing behind it waits', async () => {
  const line = new Line()
  const { uplink, outbox, fix } = await device(line)
  for (let i = 0; i < 400; i++) await fix()
  const bad = new Set([150, 151, 333])
  line.refuse = (event, m) => (event === 'pings' && m.items.some((f) => bad.has(f.seq)) ? { code: 'BAD_BATCH' } : null)
  uplink.start()
  await line.clock.pass(60_000)
  const q = line.queue(outbox.head.qid)
  expect(outbox).toMatchObject({ queued: 0, head: { upto: 400, refused: 3 } })
  expect([...q.skipped].sort((a, b) => a - b)).toEqual([...bad])
  expect(q.fixes.size).toBe(397)
  expect(line.heard.filter((h) => h.event === 'pings').length).toBeLessThan(80)
})

test('a server that lost its database is told which seqs are gone, and the queue moves on', async () => {
  const line = new Line()
  const { uplink, outbox, drive } = await device(line)
  uplink.start()
  await drive(20)
  line.queues.clear()
  line.cut()
  await drive(20)
  const q = line.queue(outbox.head.qid)
  expect(outbox.queued).toBe(0)
  expect(q.hi).toBe(40)
  expect(q.skipped.size + q.fixes.size).toBe(40)
  expect(q.fixes.size).toBeGreaterThanOrEqual(20)
})

test('lost connections are tried again after 1, 2, 4 … 30 s with full jitter, at once after a nudge', async () => {
  const line = new Line()
  const { uplink } = await device(line)
  line.up = false
  uplink.start()
  const waits: number[] = []
  for (let i = 0; i < 400; i++) {
    const before = uplink.state.retryAt
    await line.clock.pass(1000)
    const { retryAt } = uplink.state
    if (retryAt && retryAt !== before) waits.push(retryAt - line.clock.now())
  }
  expect(Math.max(...waits)).toBeLessThanOrEqual(30_000)
  expect(uplink.state.reconnects).toBeGreaterThan(10)
  line.up = true
  uplink.nudge()
  await line.clock.pass(200)
  expect(uplink.state.link).toBe('online')
})

test('what was done at the doors arrives in order and once, however often it had to be sent; a refusal is told and does not block', async () => {
  const line = new Line()
  const { uplink, acts, refused } = await device(line)
  for (let n = 1; n <= 4; n++) await uplink.act(act(n))
  let fails = 3
  line.refuse = (event, m) => {
    if (event !== 'act') return null
    if (fails-- > 0) return { code: 'RETRY' }
    return m.idemKey === 'key-2' ? { code: 'TRANSITION', status: 'cancelled' } : null
  }
  uplink.start()
  await line.clock.pass(120_000)
  expect(line.acts.map((a) => a.idemKey)).toEqual(['key-1', 'key-3', 'key-4'])
  expect(refused).toMatchObject([{ act: { idemKey: 'key-2' }, fault: { code: 'TRANSITION', status: 'cancelled' } }])
  expect(acts.open).toEqual([])
})

test('[P1][P2][P4][P5] whatever the line does, once it is whole every fix is kept once and every act is done once, across reloads', async () => {
  const events = fc.array(
    fc.oneof(
      { weight: 4, arbitrary: fc.record({ do: fc.constant('drive' as const), n: fc.integer({ min: 1, max: 40 }) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('burst' as const), n: fc.integer({ min: 150, max: 500 }) }) },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('cut' as const), n: fc.constant(0) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('net' as const), n: fc.nat(1) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('loss' as const), n: fc.nat(60) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('fault' as const), n: fc.nat(4) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('act' as const), n: fc.nat(1_000_000) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('reload' as const), n: fc.constant(0) }) },
    ),
    { maxLength: 30 },
  )
  const faults: (Code | null)[] = [null, 'BUSY', 'RETRY', 'RATE', 'INTERNAL']
  await fc.assert(
    fc.asyncProperty(events, fc.nat(), async (all, seed) => {
      let line = new Line()
      line.rng = random(seed)
      const storage = memoryStorage()
      const actStorage = memoryActs()
      let d = await device(line, storage, actStorage)
      d.uplink.start()
      const wanted = new Set<string>()
      let added = 0
      for (const e of all) {
        if (e.do === 'drive') {
          added += e.n
          await d.drive(e.n)
        } else if (e.do === 'burst') {
          added += e.n
          for (let i = 0; i < e.n; i++) await d.fix()
        } else if (e.do === 'cut') line.cut()
        else if (e.do === 'net') {
          line.up = e.n === 1
          if (!line.up) line.cut()
        } else if (e.do === 'loss') line.lose = e.n / 100
        else if (e.do === 'fault') {
          const code = faults[e.n] ?? null
          line.refuse = (event) => (code && event !== 'hello' ? { code } : null)
        } else if (e.do === 'act') {
          wanted.add(`key-${e.n}`)
          await d.uplink.act(act(e.n))
        } else {
          // The page dies in the middle of whatever it was doing; the server stays.
          const old = line
          line.cut()
          line = Object.assign(new Line(), {
            queues: old.queues,
            acts: old.acts,
            rng: old.rng.fork('reload'),
            up: old.up,
            lose: old.lose,
          })
          line.refuse = old.refuse
          line.clock.time = old.clock.time
          d = await device(line, storage, actStorage)
          d.uplink.start()
        }
      }
      line.up = true
      line.lose = 0
      line.refuse = () => null
      await line.clock.pass(200_000)
      const q = line.queue(d.outbox.head.qid)
      expect(d.outbox.queued).toBe(0)
      expect(q.hi).toBe(added)
      expect(q.fixes.size).toBe(added)
      expect(new Set(line.acts.map((a) => a.idemKey))).toEqual(wanted)
      expect(line.acts.length).toBe(wanted.size)
    }),
    { numRuns: 60 },
  )
})
