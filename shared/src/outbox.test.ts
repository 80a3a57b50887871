// The device's queue against a server that keeps what it is sent, on a line that loses and reorders everything.
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { memoryStorage, type Outbox, type OutboxChange, type OutboxStorage, openOutbox } from './outbox.ts'
import type { WireFix } from './ping.ts'
import type { Kept } from './protocol.ts'

/** What the journal promises (P1, P2), in a dozen lines. */
class Journal {
  readonly queues = new Map<string, { hi: number; fixes: Map<number, WireFix>; skipped: Set<number>; stores: number }>()
  queue(qid: string) {
    const q = this.queues.get(qid) ?? { hi: 0, fixes: new Map(), skipped: new Set(), stores: 0 }
    this.queues.set(qid, q)
    return q
  }
  take(qid: string, step: NonNullable<ReturnType<Outbox['next']>>): Kept {
    const q = this.queue(qid)
    if (step.kind === 'pings') {
      for (const fix of step.items) {
        const before = q.fixes.get(fix.seq)
        if (before) expect(before).toEqual(fix)
        else q.stores++
        q.fixes.set(fix.seq, fix)
      }
    } else if (step.from <= q.hi + 1) for (let seq = step.from; seq <= step.to; seq++) if (!q.fixes.has(seq)) q.skipped.add(seq)
    if (step.from <= q.hi + 1) q.hi = Math.max(q.hi, step.to)
    return { qid, upto: q.hi, rejected: [] }
  }
}
const at = (n: number, t = n * 1000) => ({ t, lat: 57.7 + n * 1e-5, lon: 11.97 })
let made = 0
const newQid = () => (++made).toString(16).padStart(16, '0')
async function drain(outbox: Outbox, journal: Journal): Promise<number> {
  let sends = 0
  for (let step = outbox.next(); step; step = outbox.next()) {
    outbox.sent(step.to)
    expect(await outbox.kept(journal.take(outbox.head.qid, step))).toBe('ok')
    if (++sends > 5000) throw new Error('a queue that never empties')
  }
  return sends
}

test('[P1] a fix gets qid and seq 1, 2, 3… when it is stored, also across reloads and after everything was kept', async () => {
  const storage = memoryStorage()
  const journal = new Journal()
  let outbox = await openOutbox(storage, { newQid })
  const { qid } = outbox.head
  expect(qid).toMatch(/^[0-9a-f]{16}$/)
  for (let n = 1; n <= 3; n++) expect(await outbox.add(at(n))).toMatchObject({ ok: true, value: { seq: n } })
  await drain(outbox, journal)
  outbox = await openOutbox(storage, { newQid })
  expect(outbox.queued).toBe(0)
  expect(await outbox.add(at(4))).toMatchObject({ ok: true, value: { seq: 4 } })
  expect(outbox.head).toMatchObject({ qid, last: 4, upto: 3, kept: 3 })
})

test('[P1] a fix that could not be stored uses up no seq, and the next one follows without a gap', async () => {
  const inner = memoryStorage()
  let full = false
  const outbox = await openOutbox(
    { load: inner.load, commit: async (c) => (full ? Promise.reject(new Error('quota')) : inner.commit(c)) },
    { newQid },
  )
  await outbox.add(at(1))
  full = true
  expect(await outbox.add(at(2))).toMatchObject({ ok: false, fault: { code: 'STORAGE' } })
  full = false
  expect(await outbox.add(at(3))).toMatchObject({ ok: true, value: { seq: 2 } })
})

test('[P1] a new queue after the storage was wiped has another qid', async () => {
  const one = await openOutbox(memoryStorage(), { newQid })
  const two = await openOutbox(memoryStorage(), { newQid })
  expect(one.head.qid).not.toBe(two.head.qid)
})

test('[P1] when the server keeps more than this storage ever gave, the queue gets a new qid and nothing that waits is lost', async () => {
  const outbox = await openOutbox(memoryStorage(), { newQid })
  const journal = new Journal()
  for (let n = 1; n <= 5; n++) await outbox.add(at(n))
  const old = outbox.head.qid
  expect(await outbox.kept({ qid: old, upto: 40, rejected: [] })).toBe('ahead')
  expect(outbox.queued).toBe(5)
  await outbox.renew()
  await drain(outbox, journal)
  expect(outbox.head.qid).not.toBe(old)
  expect([...journal.queue(outbox.head.qid).fixes.values()].map((f) => f.t)).toEqual([1000, 2000, 3000, 4000, 5000])
})

test('[P2] a batch holds at most 200 fixes and stays under 64 KiB with its envelope', async () => {
  const outbox = await openOutbox(memoryStorage(), { newQid })
  for (let n = 1; n <= 450; n++) await outbox.add({ ...at(n), acc: n / 3, spd: n / 7, hdg: n / 11, alt: Math.PI * n, bat: 1 / n })
  const step = outbox.next()
  expect(step).toMatchObject({ kind: 'pings', from: 1, to: 200 })
  expect(
    JSON.stringify({ v: 1, qid: outbox.head.qid, sentAt: 1, items: step?.kind === 'pings' && step.items }).length,
  ).toBeLessThan(65_536)
  outbox.sent(200)
  expect(outbox.next()).toMatchObject({ from: 201, to: 400 })
  expect(outbox.next(3)).toMatchObject({ from: 201, to: 203 })
  const wide = await openOutbox(memoryStorage(), { newQid })
  for (let n = 1; n <= 200; n++) await wide.add({ ...at(n), wide: 'x'.repeat(900) } as never)
  const cut = wide.next()
  expect(cut?.kind === 'pings' ? JSON.stringify(cut.items).length : 0).toBeLessThan(62_000)
  expect(cut?.to).toBeLessThan(200)
})

test('[P2] an answer that is repeated, late or of another queue deletes nothing that is not kept', async () => {
  const outbox = await openOutbox(memoryStorage(), { newQid })
  const { qid } = outbox.head
  for (let n = 1; n <= 10; n++) await outbox.add(at(n))
  await outbox.kept({ qid, upto: 6, rejected: [] })
  await outbox.kept({ qid, upto: 2, rejected: [] })
  expect(await outbox.kept({ qid: 'ffffffffffffffff', upto: 10, rejected: [] })).toBe('stale')
  expect(outbox.queued).toBe(4)
  expect(outbox.next()).toMatchObject({ from: 7, to: 10 })
})

test('[P2] GAP rewinds to what the server expects; what it kept once and lost since is skipped as lost', async () => {
  const outbox = await openOutbox(memoryStorage(), { newQid })
  const { qid } = outbox.head
  for (let n = 1; n <= 9; n++) await outbox.add(at(n))
  outbox.sent(9)
  expect(outbox.next()).toBeNull()
  outbox.rewind(4)
  expect(outbox.next()).toMatchObject({ kind: 'pings', from: 4, to: 9 })
  await outbox.kept({ qid, upto: 6, rejected: [] })
  outbox.rewind(3)
  expect(outbox.next()).toEqual({ kind: 'skip', from: 3, to: 6, reason: 'lost' })
  outbox.sent(6)
  expect(outbox.next()).toMatchObject({ kind: 'pings', from: 7, to: 9 })
})

test('[P5] a fix that the server quarantined counts as taken; one that makes every batch fail is skipped by name', async () => {
  const outbox = await openOutbox(memoryStorage(), { newQid })
  const { qid } = outbox.head
  for (let n = 1; n <= 5; n++) await outbox.add(at(n))
  await outbox.kept({ qid, upto: 3, rejected: [{ seq: 2, code: 'LAT' }] })
  await outbox.kept({ qid, upto: 3, rejected: [{ seq: 2, code: 'LAT' }] })
  expect(outbox.head).toMatchObject({ kept: 2, refused: 1, upto: 3 })
  await outbox.refuse(4)
  expect(outbox.next()).toEqual({ kind: 'skip', from: 4, to: 4, reason: 'refused' })
  outbox.sent(4)
  expect(outbox.next()).toMatchObject({ from: 5, to: 5 })
  expect(outbox.head.refused).toBe(2)
})

test('[P6] a full device is thinned to one fix in 30 s, oldest first, and every thinned seq is told in a skip', async () => {
  const outbox = await openOutbox(memoryStorage(), { newQid, capacity: 1000 })
  for (let n = 1; n <= 2500; n++) await outbox.add(at(n))
  expect(outbox.queued).toBeLessThanOrEqual(1000)
  const journal = new Journal()
  await drain(outbox, journal)
  const { fixes, skipped, hi } = journal.queue(outbox.head.qid)
  expect(hi).toBe(2500)
  expect(fixes.size + skipped.size).toBe(2500)
  expect(skipped.size).toBe(outbox.head.thinned)
  expect(fixes.has(2500) && fixes.has(2000)).toBe(true)
  const old = [...fixes.keys()].filter((seq) => seq <= 900)
  expect(old.length).toBeGreaterThanOrEqual(30)
  expect(Math.max(...old.slice(1).map((seq, i) => seq - old[i]!))).toBeLessThanOrEqual(31)
})

test('[P6] a full device whose fixes are sparse already still takes new ones, and says which old ones went', async () => {
  const outbox = await openOutbox(memoryStorage(), { newQid, capacity: 100 })
  for (let n = 1; n <= 400; n++) expect((await outbox.add(at(n, n * 60_000))).ok).toBe(true)
  expect(outbox.queued).toBeLessThanOrEqual(100)
  const journal = new Journal()
  await drain(outbox, journal)
  const { fixes, skipped, hi } = journal.queue(outbox.head.qid)
  expect([hi, fixes.size + skipped.size]).toEqual([400, 400])
})

test('a storage with a hole in it is mended with a skip, since the server would wait for the missing seq for ever', async () => {
  const inner = memoryStorage()
  const outbox = await openOutbox(inner, { newQid })
  for (let n = 1; n <= 9; n++) await outbox.add(at(n))
  await inner.commit({
    remove: [
      [3, 4],
      [9, 9],
    ],
  })
  const journal = new Journal()
  const again = await openOutbox(inner, { newQid })
  await drain(again, journal)
  expect(again.head.upto).toBe(9)
  expect([...journal.queue(again.head.qid).skipped]).toEqual([3, 4, 9])
})

test('[P1][P2][P6] whatever is lost, repeated, delayed or cut off: nothing is deleted before it is kept, nothing is lost, nothing is there twice', async () => {
  const commands = fc.array(
    fc.oneof(
      { weight: 5, arbitrary: fc.record({ do: fc.constant('add' as const), n: fc.integer({ min: 1, max: 12 }) }) },
      {
        weight: 6,
        arbitrary: fc.record({
          do: fc.constant('send' as const),
          n: fc.integer({ min: 1, max: 9 }),
          fate: fc.constantFrom('through', 'lost', 'ack-lost', 'ack-late'),
        }),
      },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('late-ack' as const), n: fc.nat(20) }) },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('rewind' as const), n: fc.nat(60) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('reload' as const), n: fc.constant(0) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('crash' as const), n: fc.nat(1) }) },
    ),
    { maxLength: 120 },
  )
  await fc.assert(
    fc.asyncProperty(commands, async (all) => {
      const inner = memoryStorage()
      let crash: 'before' | 'after' | null = null
      const storage: OutboxStorage = {
        load: inner.load,
        async commit(change: OutboxChange) {
          if (crash !== 'before') await inner.commit(change)
          if (crash) throw new Error('power went')
        },
      }
      const options = { newQid, capacity: 40, keepEvery: 30 }
      const journal = new Journal()
      let outbox = await openOutbox(storage, options)
      const { qid } = outbox.head
      const added = new Map<number, WireFix>()
      const acks: Kept[] = []
      let clock = 0
      const check = async () => {
        const saved = (await inner.load())!
        const q = journal.queue(qid)
        expect(outbox.head.upto).toBeLessThanOrEqual(q.hi)
        const here = new Set(saved.fixes.map((f) => f.seq))
        for (const seq of added.keys()) {
          if (here.has(seq) || q.fixes.has(seq)) continue
          const thinned = saved.skips.some((s) => s.from <= seq && seq <= s.to) || q.skipped.has(seq)
          expect(thinned, `fix ${seq} is nowhere`).toBe(true)
        }
      }
      for (const c of all) {
        if (c.do === 'add') {
          for (let i = 0; i < c.n; i++) {
            clock += 1000 + (clock % 7) * 1000
            const r = await outbox.add(at(0, clock))
            if (r.ok) added.set(r.value.seq, r.value)
          }
        } else if (c.do === 'send') {
          const step = outbox.next(c.n)
          if (!step) continue
          outbox.sent(step.to)
          if (c.fate === 'lost') continue
          const ack = journal.take(qid, step)
          if (c.fate === 'through') await outbox.kept(ack)
          else if (c.fate === 'ack-late') acks.push(ack)
        } else if (c.do === 'late-ack') {
          const [ack] = acks.splice(c.n % (acks.length || 1), 1)
          if (ack) await outbox.kept(ack)
        } else if (c.do === 'rewind') outbox.rewind(c.n)
        else {
          if (c.do === 'crash') {
            crash = c.n ? 'after' : 'before'
            clock += 1000
            const r = await outbox.add(at(0, clock))
            expect(r.ok).toBe(false)
            crash = null
          }
          outbox = await openOutbox(storage, options)
          for (const f of (await inner.load())!.fixes) added.set(f.seq, f)
          expect(outbox.head.qid).toBe(qid)
        }
        await check()
      }
      outbox.rewind(outbox.head.upto + 1)
      await drain(outbox, journal)
      const q = journal.queue(qid)
      expect(outbox.queued).toBe(0)
      expect(q.hi).toBe(outbox.head.last)
      expect(q.stores).toBe(q.fixes.size)
      for (const [seq, fix] of added) if (!q.skipped.has(seq)) expect(q.fixes.get(seq)).toEqual(fix)
      for (const seq of q.fixes.keys()) expect(added.has(seq)).toBe(true)
    }),
    { numRuns: 300 },
  )
})
