// One contract, three stores: in process, one Redis, a cluster of three masters. And what must hold when Redis does not.

import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { openPositions } from '@doorstep/server/store/positions/open'
import { packMessage, unpackMessage } from '@doorstep/server/store/positions/pack'
import type { Positions, Signal } from '@doorstep/server/store/positions/port'
import { adapterClients } from '@doorstep/server/store/positions/redis-clients'
import { StartFault } from '@doorstep/server/store/start-fault'
import type { Track } from '@doorstep/shared/track'
import type { DriverNo } from '@doorstep/shared/units'
import fc from 'fast-check'
import { createClient } from 'redis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { freePort } from '../services/processes.ts'
import { type RedisServer, startRedis, startRedisCluster } from '../services/redis.ts'

const T = Date.UTC(2026, 4, 10, 12)
/** Machines that run all tests at once answer late; what is tested is the order, not the speed. */
const commandMs = 5_000

const trackOf = (no: number, t: number, seq = 1, more: Partial<Track> = {}): Track => ({
  no: no as DriverNo,
  recordedAt: T + t,
  seq,
  at: [11.97, 57.7],
  heading: 90,
  speed: 8.5,
  accuracy: 5,
  run: null,
  routeVersion: 0,
  along: 0,
  offRoute: false,
  nextStop: 0,
  phase: 'enroute',
  arrivedAt: null,
  pace: 1,
  interval: 2,
  kept: true,
  still: 0,
  waited: 0,
  ...more,
})
const stamps = async (positions: Positions) =>
  new Map((await positions.all()).map((track) => [Number(track.no), [track.recordedAt - T, track.seq]]))

describe.each(['memory', 'redis', 'cluster'] as const)('%s', (kind) => {
  let redisUrl: string | null = null
  let stop: () => Promise<unknown> = async () => {}
  let positions: Positions
  beforeAll(async () => {
    if (kind === 'memory') return
    const server = kind === 'redis' ? await startRedis() : await startRedisCluster()
    redisUrl = server.url
    stop = () => server.stop()
  })
  afterAll(() => stop())
  const wipe = async () => {
    for (const url of redisUrl?.split(',') ?? []) {
      const client = createClient({ url })
      await client.connect()
      await client.flushAll()
      client.destroy()
    }
  }
  beforeEach(async () => {
    await wipe()
    positions = await openPositions({ redisUrl, nodeId: 'a', commandMs })
  })
  afterEach(() => positions.close())

  test('[T3] the newer of two wins, by fix time and then by seq, whoever came first', async () => {
    expect(await positions.save([trackOf(1, 10, 5), trackOf(2, 10, 5)])).toEqual({ older: [] })
    expect(await positions.save([trackOf(1, 9, 99), trackOf(2, 10, 6)])).toEqual({ older: [1] })
    expect(await positions.save([trackOf(1, 10, 4), trackOf(2, 10, 6)])).toEqual({ older: [1] })
    expect(await stamps(positions)).toEqual(
      new Map([
        [1, [10, 5]],
        [2, [10, 6]],
      ]),
    )
  })

  test('the newest of each driver is told whole, for more drivers than one call can carry', async () => {
    const some = Array.from({ length: 12_000 }, (_, i) => trackOf(i + 1, i))
    const last = trackOf(12_001, 5, 7, {
      run: '0199b0c4-1111-7222-8333-944455556666' as Track['run'],
      along: 1234.567,
      phase: 'arrived',
      arrivedAt: T,
      kept: false,
      offRoute: true,
      nextStop: 3,
      routeVersion: 2,
    })
    expect(await positions.save([...some, last])).toEqual({ older: [] })
    const all = await positions.all()
    expect(all).toHaveLength(12_001)
    expect(all.find((track) => track.no === 12_001)).toEqual(last)
  })

  test('a driver that is twice in one tick is saved with the newer', async () => {
    expect(await positions.save([trackOf(1, 20), trackOf(1, 10)])).not.toBe('down')
    expect((await stamps(positions)).get(1)).toEqual([20, 1])
  })

  test('[T3] whatever the order in which two nodes save, the end is the newest of all', async () => {
    const other = kind === 'memory' ? positions : await openPositions({ redisUrl, nodeId: 'b', commandMs })
    let run = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.array(fc.tuple(fc.integer({ min: 1, max: 40 }), fc.nat({ max: 30 }), fc.nat({ max: 3 })), {
            minLength: 1,
            maxLength: 10,
          }),
          { minLength: 1, maxLength: 6 },
        ),
        async (ticks) => {
          const base = 100 * run++ // drivers that no run before has seen
          await Promise.all(
            ticks.map((tick, i) => (i % 2 ? other : positions).save(tick.map(([n, t, seq]) => trackOf(base + n, t, seq)))),
          )
          const newest = new Map<number, [number, number]>()
          for (const [n, t, seq] of ticks.flat()) {
            const there = newest.get(base + n)
            if (!there || t > there[0] || (t === there[0] && seq > there[1])) newest.set(base + n, [t, seq])
          }
          const got = await stamps(positions)
          for (const [driver, stamp] of newest) expect(got.get(driver)).toEqual(stamp)
        },
      ),
      { numRuns: 40 },
    )
    if (other !== positions) await other.close()
  })

  if (kind === 'memory') return

  test('a node hears what other nodes publish and signal, whole and in order, and not itself', async () => {
    const b = await openPositions({ redisUrl, nodeId: 'b', commandMs })
    const heard: { node: string; seqs: number[] }[] = []
    const signals: Signal[] = []
    b.onMessage((message) => {
      const { node, tracks } = unpackMessage(message)!
      heard.push({ node, seqs: tracks.map((track) => track.seq) })
    })
    b.onSignal((signal) => signals.push(signal))
    const wrong: unknown[] = []
    positions.onMessage((message) => wrong.push(message))
    positions.onSignal((signal) => wrong.push(signal))
    for (let n = 1; n <= 50; n++) positions.publish(packMessage('a', [trackOf(1, n, n), trackOf(2, n, 100 + n)]))
    positions.signal({ type: 'order', id: 'o1', ev: 3 })
    positions.signal({ type: 'revoked', kind: 'link', id: 'l1' })
    await expect.poll(() => [heard.length, signals.length], { timeout: 10_000 }).toEqual([50, 2])
    expect(heard).toEqual(Array.from({ length: 50 }, (_, i) => ({ node: 'a', seqs: [i + 1, 101 + i] })))
    expect(signals).toEqual([
      { type: 'order', id: 'o1', ev: 3 },
      { type: 'revoked', kind: 'link', id: 'l1' },
    ])
    expect(wrong).toEqual([])
    await b.close()
  })

  test('[T3] a Redis that is emptied can not turn time back: what a node had saved is there again', async () => {
    const b = await openPositions({ redisUrl, nodeId: 'b', commandMs })
    await positions.save([trackOf(1, 20), trackOf(2, 20), trackOf(17, 20)])
    await expect.poll(() => positions.health()).toBe(true)
    await wipe()
    // A node that holds one of these drivers for a moment more brings something old.
    expect(await b.save([trackOf(1, 10)])).toEqual({ older: [] })
    await expect
      .poll(async () => [...(await stamps(b))].sort(([x], [y]) => x - y), { timeout: 20_000 })
      .toEqual([
        [1, [20, 1]],
        [2, [20, 1]],
        [17, [20, 1]],
      ])
    await b.close()
  })

  test('what another program wrote into our keys is passed over', async () => {
    await positions.save([trackOf(1, 1)])
    for (const url of redisUrl!.split(',')) {
      const client = createClient({ url })
      await client.connect()
      await client.hSet('pos:{1}', '33', 'noise').catch(() => {}) // another master's key
      client.destroy()
    }
    expect(await stamps(positions)).toEqual(new Map([[1, [1, 1]]]))
    expect(await positions.save([trackOf(33, 5)])).toEqual({ older: [] })
    expect((await stamps(positions)).get(33)).toEqual([5, 1])
  })
})

describe('a Redis of our own that fails', () => {
  let server: RedisServer
  let a: Positions
  let b: Positions
  beforeEach(async () => {
    server = await startRedis()
    a = await openPositions({ redisUrl: server.url, nodeId: 'a' })
    b = await openPositions({ redisUrl: server.url, nodeId: 'b' })
  })
  afterEach(async () => {
    await Promise.all([a.close(), b.close()])
    await server.stop()
  })
  /** A message of a reaches b. */
  const reaches = async () => {
    let heard = 0
    b.onMessage(() => heard++)
    await expect
      .poll(
        () => {
          a.publish(packMessage('a', [trackOf(1, 1)]))
          return heard
        },
        { timeout: 20_000 },
      )
      .toBeGreaterThan(0)
  }

  test('[F4] killed: nothing rejects, health says why, and after it comes back empty all is as before', async () => {
    await a.save([trackOf(1, 10), trackOf(2, 10)])
    await server.kill()
    expect(await a.save([trackOf(1, 11)])).toBe('down')
    expect(await a.all()).toEqual([])
    const before = a.stats().dropped
    for (let n = 0; n < 50; n++) a.publish(packMessage('a', [trackOf(1, n)]))
    a.signal({ type: 'run', id: 'x' })
    await expect.poll(() => a.stats().dropped - before).toBe(51)
    expect(await a.health()).toMatch(/^Redis at 127\.0\.0\.1:\d+: ./)
    server = await server.restart()
    await expect.poll(() => a.health(), { timeout: 20_000 }).toBe(true)
    await expect.poll(() => b.health(), { timeout: 20_000 }).toBe(true)
    // What could not be saved was not forgotten.
    await expect
      .poll(async () => [...(await stamps(b))].sort(([x], [y]) => x - y), { timeout: 20_000 })
      .toEqual([
        [1, [11, 1]],
        [2, [10, 1]],
      ])
    await reaches()
    expect(a.stats().reconnects).toBeGreaterThan(0)
  })

  test('[F6] hung: every call is answered, the breaker keeps the rest from waiting, and it goes on when Redis does', async () => {
    await a.save([trackOf(1, 10)])
    server.signal('SIGSTOP')
    expect(await a.save([trackOf(1, 11)])).toBe('down')
    expect(await a.health()).toMatch(/no answer within 250 ms/)
    expect(await a.save([trackOf(1, 12)])).toBe('down')
    for (let n = 0; n < 5_000; n++) a.publish(packMessage('a', [trackOf(1, n)]))
    expect(a.stats().dropped).toBeGreaterThanOrEqual(4_000)
    server.signal('SIGCONT')
    await expect.poll(() => a.save([trackOf(1, 13)]), { timeout: 20_000 }).toEqual({ older: [] })
    await expect.poll(() => a.health(), { timeout: 20_000 }).toBe(true)
    await reaches()
  })

  test('[F6] a line that is half open, neither answering nor ending, is made anew', async () => {
    const lines: Socket[] = []
    const wire = createServer((near) => {
      const far = connect(server.port, '127.0.0.1')
      lines.push(near, far)
      near.on('error', () => {})
      far.on('error', () => {})
      near.pipe(far).pipe(near)
    })
    await new Promise<void>((resolve) => wire.listen(0, '127.0.0.1', resolve))
    const { port } = wire.address() as AddressInfo
    const c = await openPositions({ redisUrl: `redis://127.0.0.1:${port}`, nodeId: 'c' })
    expect(await c.save([trackOf(1, 10)])).toEqual({ older: [] })
    // From here on what was connected carries nothing; new connections do.
    for (const line of lines) line.unpipe().pause()
    expect(await c.save([trackOf(1, 11)])).toBe('down')
    await expect.poll(() => c.save([trackOf(1, 12)]), { timeout: 30_000 }).toEqual({ older: [] })
    let heard = 0
    c.onMessage(() => heard++)
    await expect
      .poll(
        () => {
          a.publish(packMessage('a', [trackOf(1, 1)]))
          return heard
        },
        { timeout: 20_000 },
      )
      .toBeGreaterThan(0)
    await c.close()
    for (const line of lines) line.destroy()
    wire.close()
  })

  test('[F4] the clients of the state lane neither reject while Redis is away nor stay deaf afterwards', async () => {
    const one = await adapterClients(server.url)
    const two = await adapterClients(server.url)
    const heard: string[] = []
    await two.sub.sSubscribe('lane', (message) => heard.push(message))
    await one.pub.sPublish('lane', 'before')
    await expect.poll(() => heard).toEqual(['before'])
    await server.kill()
    // As the adapter does: nobody waits for these, and a rejection would end the process.
    for (let n = 0; n < 50; n++) void one.pub.sPublish('lane', 'lost')
    void two.sub.sSubscribe('other', (message) => heard.push(message))
    await expect.poll(() => one.dropped()).toBe(50)
    server = await server.restart()
    await expect
      .poll(
        async () => {
          await one.pub.sPublish('lane', 'after')
          await one.pub.sPublish('other', 'too')
          return new Set(heard)
        },
        { timeout: 20_000 },
      )
      .toEqual(new Set(['before', 'after', 'too']))
    one.close()
    two.close()
  })
})

test('a Redis that is named but not there keeps the server from starting, in one line without its password', async () => {
  const redisUrl = `redis://user:hunter2@127.0.0.1:${await freePort()}`
  const refused = await openPositions({ redisUrl, nodeId: 'a' }).catch((error: Error) => error)
  expect(refused).toBeInstanceOf(StartFault)
  expect((refused as Error).message).toMatch(/^REDIS_URL: no Redis at 127\.0\.0\.1:\d+: /)
  expect((refused as Error).message).not.toMatch(/hunter2|\n/)
  await expect(adapterClients(redisUrl)).rejects.toBeInstanceOf(StartFault)
})
