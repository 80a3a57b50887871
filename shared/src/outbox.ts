// Fixes in, each with its seq from the moment it is stored; the next batch to send out; nothing deleted before the server kept it.
import type { WireFix } from './ping.ts'
import type { Kept } from './protocol.ts'
import { fail, ok, type Result } from './result.ts'
import type { Millis, Seconds } from './units.ts'

/** Seqs that will never be sent: thinned by a full device, refused by the server one by one, or kept once and lost by it since. */
export interface Skip {
  readonly from: number
  readonly to: number
  readonly reason: 'full' | 'refused' | 'lost'
}
/** What a queue must remember beside its fixes. */
export interface OutboxHead {
  /** Random, made with the queue (P1). */
  readonly qid: string
  /** Seq of the newest fix ever stored; 0 when there was none. */
  readonly last: number
  /** All of 1..upto are kept by the server. */
  readonly upto: number
  /** Fixes kept, thinned and refused over the life of this device's storage, whatever the qid. */
  readonly kept: number
  readonly thinned: number
  readonly refused: number
}
export type SeqRange = readonly [from: number, to: number]
/** Removals first, then puts; absent parts stay as they are. */
export interface OutboxChange {
  readonly head?: OutboxHead
  readonly skips?: readonly Skip[]
  readonly remove?: readonly SeqRange[]
  readonly put?: readonly WireFix[]
}
/** Where a queue lives: memory, IndexedDB, a file. */
export interface OutboxStorage {
  /** What all commits so far add up to, fixes ascending by seq; null for a new storage. */
  load(): Promise<{ head: OutboxHead; skips: readonly Skip[]; fixes: readonly WireFix[] } | null>
  /** The whole change or nothing, durable when the promise resolves. The outbox never calls it twice at a time. */
  commit(change: OutboxChange): Promise<void>
}

export interface OutboxOptions {
  /** A new random 64-bit hex name for a queue. */
  readonly newQid: () => string
  /** Fixes held before the oldest are thinned; 50,000 is 14 h at 1 Hz. */
  readonly capacity?: number
  /** Thinned to one fix in this time. */
  readonly keepEvery?: Seconds
}

/** What to send next: fixes whose seqs follow each other without a gap, or a range to skip. */
export type Step =
  | { readonly kind: 'pings'; readonly from: number; readonly to: number; readonly items: WireFix[] }
  | ({ readonly kind: 'skip' } & Skip)

export interface Outbox {
  readonly head: OutboxHead
  /** Fixes that wait on this device. */
  readonly queued: number
  /** Fixes not yet sent since the last rewind. */
  readonly unsent: number
  readonly newest: WireFix | null
  /** Fix time of the oldest fix that waits. */
  readonly oldestAt: Millis | null
  /** Stores a fix and gives it its seq. STORAGE: it could not be stored, and no seq was used up. */
  add(fix: Omit<WireFix, 'seq'>): Promise<Result<WireFix, StorageFault>>
  /** The first thing not yet sent, at most `most` fixes and 60,000 bytes; null when all is sent. */
  next(most?: number): Step | null
  /** All up to `seq` is on its way. */
  sent(seq: number): void
  /** Send again from `seq`: a timeout, a new connection, or the server's GAP. */
  rewind(seq: number): void
  /**
   * The server keeps 1..upto: they are deleted here. `stale`: it spoke of another queue, nothing happened. `ahead`: it keeps seqs that this
   * storage never gave (the storage was set back): `renew()` before anything else is sent.
   */
  kept(kept: Kept): Promise<'ok' | 'stale' | 'ahead'>
  /** The server will never take this fix: it is dropped, counted and skipped, so that it does not block those behind it. */
  refuse(seq: number): Promise<void>
  /** A new qid; what waits is numbered anew from 1. */
  renew(): Promise<void>
}
export interface StorageFault {
  readonly code: 'STORAGE'
  readonly cause: unknown
}

const BATCH_BYTES = 60_000

export async function openOutbox(storage: OutboxStorage, options: OutboxOptions): Promise<Outbox> {
  const capacity = options.capacity ?? 50_000
  const keepEvery = 1000 * (options.keepEvery ?? 30)
  const saved = await storage.load()
  let head: OutboxHead
  let fixes: WireFix[]
  let skips: readonly Skip[]
  if (saved) {
    head = saved.head
    fixes = saved.fixes.filter((f) => f.seq > head.upto)
    skips = withHoles(head, fixes, saved.skips)
  } else {
    head = { qid: options.newQid(), last: 0, upto: 0, kept: 0, thinned: 0, refused: 0 }
    fixes = []
    skips = []
    await storage.commit({ head })
  }
  /** Fixes before this index are gone already; the array is cut now and then. */
  let start = 0
  let cursor = head.upto + 1

  // One change at a time: each reads the state that the one before left, and memory follows storage, never the other way.
  let tail: Promise<unknown> = Promise.resolve()
  const turn = <T>(work: () => Promise<T>): Promise<T> => {
    const done = tail.then(work)
    tail = done.catch(() => {})
    return done
  }

  /** Index of the first fix with this seq or a later one. */
  const find = (seq: number): number => {
    let lo = start
    let hi = fixes.length
    while (lo < hi) {
      const mid = (lo + hi) >> 1
      if (fixes[mid]!.seq < seq) lo = mid + 1
      else hi = mid
    }
    return lo
  }

  const thin = (): { left: WireFix[]; gone: WireFix[] } => {
    const all = fixes.slice(start)
    const old = all.slice(0, all.length >> 1)
    const left: WireFix[] = []
    const gone: WireFix[] = []
    let keptAt = Number.NEGATIVE_INFINITY
    for (const fix of old) {
      if (Math.abs(fix.t - keptAt) < keepEvery) gone.push(fix)
      else {
        left.push(fix)
        keptAt = fix.t
      }
    }
    // Sparse already: the very oldest go, since a full device must stay usable.
    if (gone.length * 20 < old.length) gone.push(...left.splice(0, Math.max(1, old.length >> 3)))
    gone.sort((a, b) => a.seq - b.seq)
    return { left: [...left, ...all.slice(old.length)], gone }
  }

  return {
    get head() {
      return head
    },
    get queued() {
      return fixes.length - start
    },
    get unsent() {
      return fixes.length - find(cursor)
    },
    get newest() {
      return fixes.length > start ? fixes[fixes.length - 1]! : null
    },
    get oldestAt() {
      return fixes.length > start ? fixes[start]!.t : null
    },

    add: (fix) =>
      turn(async () => {
        const stored: WireFix = { ...fix, seq: head.last + 1 }
        let after: OutboxHead = { ...head, last: stored.seq }
        let change: OutboxChange = { head: after, put: [stored] }
        let thinned: { left: WireFix[]; skips: readonly Skip[] } | null = null
        if (fixes.length - start >= capacity) {
          const { left, gone } = thin()
          const ranges = runs(gone)
          thinned = { left, skips: merged([...skips, ...ranges.map(([from, to]): Skip => ({ from, to, reason: 'full' }))]) }
          after = { ...after, thinned: after.thinned + gone.length }
          change = { head: after, skips: thinned.skips, remove: ranges, put: [stored] }
        }
        try {
          await storage.commit(change)
        } catch (cause) {
          return fail({ code: 'STORAGE', cause })
        }
        head = after
        if (thinned) {
          fixes = thinned.left
          start = 0
          skips = thinned.skips
        }
        fixes.push(stored)
        return ok(stored)
      }),

    next(most = 200) {
      if (cursor > head.last) return null
      // The server forgot what it kept once: those fixes are deleted here, and it must hear so to move on.
      if (cursor <= head.upto) return { kind: 'skip', from: cursor, to: head.upto, reason: 'lost' }
      const skip = skips.find((s) => s.to >= cursor)
      if (skip && skip.from <= cursor) return { kind: 'skip', from: cursor, to: skip.to, reason: skip.reason }
      const items: WireFix[] = []
      let bytes = 0
      for (let i = find(cursor); i < fixes.length && items.length < most; i++) {
        const fix = fixes[i]!
        if (fix.seq !== cursor + items.length) break
        bytes += JSON.stringify(fix).length + 1
        if (bytes > BATCH_BYTES && items.length > 0) break
        items.push(fix)
      }
      return { kind: 'pings', from: cursor, to: cursor + items.length - 1, items }
    },
    sent(seq) {
      cursor = Math.max(cursor, seq + 1)
    },
    rewind(seq) {
      cursor = Math.min(Math.max(1, seq), head.last + 1)
    },

    kept: ({ qid, upto, rejected }) =>
      turn(async () => {
        if (qid !== head.qid) return 'stale'
        if (upto > head.last) return 'ahead'
        if (upto <= head.upto) return 'ok'
        const until = find(upto + 1)
        const refused = rejected.filter((r) => r.seq > head.upto && r.seq <= upto).length
        const after = { ...head, upto, kept: head.kept + (until - start) - refused, refused: head.refused + refused }
        const left = skips.filter((s) => s.to > upto)
        // When this can't be stored the fixes are sent once more after a reload, which does no harm.
        const change = {
          head: after,
          remove: [[head.upto + 1, upto] as const],
          ...(left.length === skips.length ? {} : { skips: left }),
        }
        await storage.commit(change).catch(() => {})
        head = after
        skips = left
        start = until
        if (start > 1024 && start * 2 > fixes.length) {
          fixes = fixes.slice(start)
          start = 0
        }
        cursor = Math.max(cursor, upto + 1)
        return 'ok'
      }),

    refuse: (seq) =>
      turn(async () => {
        const at = find(seq)
        if (fixes[at]?.seq !== seq) return
        const after = { ...head, refused: head.refused + 1 }
        const wider = merged([...skips, { from: seq, to: seq, reason: 'refused' }])
        await storage.commit({ head: after, skips: wider, remove: [[seq, seq]] })
        head = after
        skips = wider
        fixes.splice(at, 1)
      }),

    renew: () =>
      turn(async () => {
        const anew = fixes.slice(start).map((fix, i) => ({ ...fix, seq: i + 1 }))
        const after: OutboxHead = { ...head, qid: options.newQid(), last: anew.length, upto: 0 }
        await storage.commit({ head: after, skips: [], remove: [[1, head.last]], put: anew })
        head = after
        fixes = anew
        start = 0
        skips = []
        cursor = 1
      }),
  }
}

/** For tests and for programs that may forget. */
export function memoryStorage(): OutboxStorage {
  let head: OutboxHead | null = null
  let skips: readonly Skip[] = []
  const fixes = new Map<number, WireFix>()
  return {
    load: async () => (head ? { head, skips, fixes: [...fixes.values()].sort((a, b) => a.seq - b.seq) } : null),
    async commit(change) {
      for (const [from, to] of change.remove ?? []) {
        if (to - from < fixes.size) for (let seq = from; seq <= to; seq++) fixes.delete(seq)
        else for (const seq of fixes.keys()) if (seq >= from && seq <= to) fixes.delete(seq)
      }
      for (const fix of change.put ?? []) fixes.set(fix.seq, fix)
      if (change.head) head = change.head
      if (change.skips) skips = change.skips
    },
  }
}

/** Seqs ascending, as ranges. */
function runs(fixes: readonly WireFix[]): SeqRange[] {
  const out: [number, number][] = []
  for (const { seq } of fixes) {
    const last = out[out.length - 1]
    if (last && last[1] + 1 === seq) last[1] = seq
    else out.push([seq, seq])
  }
  return out
}

/** Sorted, neighbours of one reason joined. */
function merged(skips: readonly Skip[]): Skip[] {
  const out: Skip[] = []
  for (const skip of [...skips].sort((a, b) => a.from - b.from)) {
    const last = out[out.length - 1]
    if (last && last.reason === skip.reason && last.to + 1 >= skip.from)
      out[out.length - 1] = { ...last, to: Math.max(last.to, skip.to) }
    else out.push(skip)
  }
  return out
}

/** Every seq after `upto` is a fix or skipped; a hole that a damaged storage left is skipped too, or the server would wait for it for ever. */
function withHoles(head: OutboxHead, fixes: readonly WireFix[], skips: readonly Skip[]): Skip[] {
  const known = skips.filter((s) => s.to > head.upto)
  const covered = merged([
    ...known.map((s) => ({ ...s, reason: 'full' as const })),
    ...runs(fixes).map(([from, to]) => ({ from, to, reason: 'full' as const })),
  ])
  const holes: Skip[] = []
  let expect = head.upto + 1
  for (const { from, to } of covered) {
    if (from > expect) holes.push({ from: expect, to: from - 1, reason: 'lost' })
    expect = Math.max(expect, to + 1)
  }
  if (expect <= head.last) holes.push({ from: expect, to: head.last, reason: 'lost' })
  return merged([...known, ...holes])
}
