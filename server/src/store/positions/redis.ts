// Newest positions and the bus over Redis: hashes pos:{0..15} saved by one batched script a shard, sharded channels upd:{0..15}.
// Redis may hang, vanish or come back empty at any time: nothing here waits long, rejects, or loses more than it says.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Track } from '@doorstep/shared/track'
import type { DriverNo } from '@doorstep/shared/units'
import { packTrack, unpackTrack } from './pack.ts'
import type { Positions, Signal } from './port.ts'
import { placeOf, type RedisLine, redisLine } from './redis-clients.ts'

const SHARDS = 16
const SIGNALS = 'sig:{0}'
/** Failures in a row that open the breaker, and how long it stays open, ms. */
const BREAK_AFTER = 3
const BREAK_MS = 1_000
/** Each second some shards are asked for this node's mark: a store that was emptied is noticed within 4 s even when nobody moves. */
const PROBE_MS = 1_000
const PROBE_SHARDS = 4
const MARK_SECONDS = 60
/** A line without an answer for so many probes is half open: it is made anew. */
const RENEW_AFTER = 5
/** Messages on their way to a Redis that doesn't answer; beyond, they are dropped: an old position is worth nothing. */
const IN_FLIGHT_MOST = 1_000
/** Drivers in one script call: Lua's stack holds 8,000 values. */
const CALL_MOST = 500

const text = readFileSync(new URL('./save.lua', import.meta.url), 'utf8')
const SAVE = { text, sha1: createHash('sha1').update(text).digest('hex') }

export interface RedisPositionsOptions {
  readonly redisUrl: string
  readonly nodeId: string
  /** A command without an answer after so long has failed, ms. */
  readonly commandMs?: number
}

/** Throws StartFault when there is no Redis 7 to begin with; from then on every loss is survived. */
export async function redisPositions({ redisUrl, nodeId, commandMs = 250 }: RedisPositionsOptions): Promise<Positions> {
  const count = { saved: 0, failed: 0, dropped: 0, received: 0, reconnects: 0 }
  const listeners: ((message: Uint8Array) => void)[] = []
  const signalListeners: ((signal: Signal) => void)[] = []
  /** What this node saved last of each driver: a Redis that comes back empty is filled again from here. */
  const mine = new Map<DriverNo, Track>()
  const channel = `upd:{${hash(nodeId) % SHARDS}}`
  const pulse = `hb:{${nodeId}}`
  const frame = Buffer.from(nodeId)
  if (frame.length > 255) throw new RangeError('a node id of more than 255 bytes')

  let line = await redisLine(redisUrl)
  let ear = await redisLine(redisUrl).catch((error) => {
    line.close()
    throw error
  })
  let closed = false
  let failures = 0
  let openUntil = 0
  let heard = performance.now()
  let answered = performance.now()
  let why = ''
  let inFlight = 0
  let silent = 0
  let next = 0

  /** Null when Redis didn't do it; never rejects, never waits longer than `commandMs`. */
  const ask = async <T>(work: (line: RedisLine) => Promise<T>): Promise<T | null> => {
    if (closed || !line.ready || performance.now() < openUntil) return null
    try {
      const value = await within(commandMs, work(line))
      failures = 0
      silent = 0
      answered = performance.now()
      return value
    } catch (error) {
      why = error instanceof Error ? error.message || error.name : String(error)
      if (++failures >= BREAK_AFTER) openUntil = performance.now() + BREAK_MS
      return null
    }
  }

  const saveShard = async (shard: number, tracks: readonly Track[]): Promise<DriverNo[] | null> => {
    const older: DriverNo[] = []
    for (let i = 0; i < tracks.length; i += CALL_MOST) {
      const args = tracks.slice(i, i + CALL_MOST).flatMap((track) => [String(track.no), Buffer.from(packTrack(track))])
      const answer = await ask((l) => l.eval(SAVE, keyOf(shard), args))
      if (answer === null) return null
      older.push(...(answer as number[]).map((no) => Number(no) as DriverNo))
    }
    return older
  }

  const refill = (only?: number): void => {
    for (const [shard, tracks] of byShard(mine.values())) if (only === undefined || shard === only) void saveShard(shard, tracks)
  }

  const send = (to: string, message: Buffer): void => {
    if (closed || !line.ready || performance.now() < openUntil || inFlight >= IN_FLIGHT_MOST) {
      count.dropped++
      return
    }
    inFlight++
    const over = line.publish(to, message).catch(() => {
      count.dropped++
    })
    void over.then(() => inFlight--)
  }

  const onMessage = (bytes: Buffer): void => {
    const named = bytes[0] ?? 0
    if (bytes.length <= named || bytes.subarray(1, 1 + named).equals(frame)) return
    count.received++
    // A copy: the client reuses the memory that this is a view of.
    const message = Uint8Array.from(bytes.subarray(1 + named))
    for (const listener of listeners) listener(message)
  }
  const onSignal = (bytes: Buffer): void => {
    let told: { node?: unknown; signal?: Signal }
    try {
      told = JSON.parse(bytes.toString()) as typeof told
    } catch {
      return // not of ours
    }
    if (told.node === nodeId || typeof told.signal?.id !== 'string') return
    count.received++
    for (const listener of signalListeners) listener(told.signal)
  }

  const listen = async (to: RedisLine): Promise<void> => {
    to.onReady(() => count.reconnects++)
    for (let i = 0; i < SHARDS; i++) await to.subscribe(`upd:{${i}}`, onMessage)
    await to.subscribe(SIGNALS, onSignal)
    await to.subscribe(pulse, () => {
      heard = performance.now()
    })
  }
  const attend = (to: RedisLine): void => {
    to.onReady(() => {
      count.reconnects++
      failures = 0
      openUntil = 0
      refill()
    })
    to.onError((reason) => {
      why = reason
    })
  }
  attend(line)
  await listen(ear)

  /** A half-open line never says so by itself: the kernel tries for a quarter of an hour. */
  const renew = async (): Promise<void> => {
    const [nextLine, nextEar] = await Promise.all([redisLine(redisUrl), redisLine(redisUrl)])
    if (closed) {
      nextLine.close()
      nextEar.close()
      return
    }
    line.close()
    ear.close()
    line = nextLine
    ear = nextEar
    inFlight = 0
    failures = 0
    openUntil = 0
    count.reconnects++
    heard = performance.now()
    attend(line)
    await listen(ear)
    refill()
  }
  let renewing = false
  const probe = async (): Promise<void> => {
    const shards = Array.from({ length: PROBE_SHARDS }, () => next++ % SHARDS)
    const marks = await Promise.all(shards.map((shard) => ask((l) => l.mark(`mark:{${shard}}:${nodeId}`, MARK_SECONDS))))
    // The hash itself may be there again already, with something older that another node has saved.
    marks.forEach((there, i) => {
      if (there === false) refill(shards[i])
    })
    const answers = marks.some((there) => there !== null)
    if (!answers && line.ready) silent++
    if (answers) send(pulse, Buffer.alloc(1))
    const deaf = answers && performance.now() - heard > 2 * RENEW_AFTER * PROBE_MS
    if ((silent >= RENEW_AFTER || deaf) && !renewing && !closed) {
      renewing = true
      await renew().catch((error: Error) => {
        why = error.message
      })
      renewing = false
      silent = 0
    }
  }
  const timer = setInterval(() => void probe(), PROBE_MS)
  timer.unref()

  return {
    kind: 'redis',
    async save(tracks) {
      const newest = new Map<DriverNo, Track>()
      for (const track of tracks) if (!isOlder(track, newest.get(track.no))) newest.set(track.no, track)
      for (const track of newest.values()) if (!isOlder(track, mine.get(track.no))) mine.set(track.no, track)
      const answers = await Promise.all([...byShard(newest.values())].map(([shard, some]) => saveShard(shard, some)))
      if (answers.some((answer) => answer === null)) {
        count.failed += tracks.length
        return 'down'
      }
      count.saved += tracks.length
      const older = answers.flatMap((answer) => answer ?? [])
      // Another node holds these now: filling Redis with ours would be refused anyway.
      for (const no of older) mine.delete(no)
      return { older }
    },
    async all() {
      const shards = await Promise.all(Array.from({ length: SHARDS }, (_, i) => ask((l) => l.hvals(keyOf(i)))))
      return shards.flatMap((records) => (records ?? []).map(unpackTrack)).filter((track) => track !== null)
    },
    publish(message) {
      send(channel, Buffer.concat([Buffer.of(frame.length), frame, message]))
    },
    onMessage: (listener) => void listeners.push(listener),
    signal(topic) {
      send(SIGNALS, Buffer.from(JSON.stringify({ node: nodeId, signal: topic })))
    },
    onSignal: (listener) => void signalListeners.push(listener),
    stats: () => ({ ...count }),
    async health() {
      if (closed) return 'closed'
      if (line.ready && failures === 0 && performance.now() - answered < 2_000) return true
      const there = await ask((l) => l.mark(`mark:{health}:${nodeId}`, MARK_SECONDS))
      return there !== null ? true : `Redis at ${placeOf(redisUrl)}: ${why || (line.ready ? 'no answer' : 'no connection')}`
    },
    async close() {
      closed = true
      clearInterval(timer)
      line.close()
      ear.close()
    },
  }
}

const keyOf = (shard: number) => `pos:{${shard}}`
const isOlder = (a: Track, b: Track | undefined) =>
  b !== undefined && (a.recordedAt < b.recordedAt || (a.recordedAt === b.recordedAt && a.seq < b.seq))

function byShard(tracks: Iterable<Track>): Map<number, Track[]> {
  const shards = new Map<number, Track[]>()
  for (const track of tracks) {
    const shard = track.no % SHARDS
    const some = shards.get(shard)
    if (some) some.push(track)
    else shards.set(shard, [track])
  }
  return shards
}

/** Rejects after `ms`. The late answer of `work` is swallowed: node-redis can't take back a command that is sent. */
function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms)
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}

/** FNV-1a, 32 bits. */
function hash(value: string): number {
  let h = 0x811c9dc5
  for (let i = 0; i < value.length; i++) h = Math.imul(h ^ value.charCodeAt(i), 0x01000193)
  return h >>> 0
}
