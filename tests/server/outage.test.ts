// Stores that vanish under a running server: what goes on, what is said, and that everything is exact again after (DESIGN 7).
import type { TrackView } from '@doorstep/shared/track'
import { afterEach, expect, test } from 'vitest'
import { createDatabase } from '../services/database.ts'
import { startPostgres } from '../services/postgres.ts'
import { startRedis } from '../services/redis.ts'
import { ADMIN_KEY, ask, batch, call, company, connect, hangUp, heard, newQid, startNode } from './world.ts'

afterEach(hangUp)

/** Asks again until it fits: a change of state is seen, not timed. */
async function until<T>(question: () => Promise<T>, fits: (answer: T) => boolean): Promise<T> {
  for (;;) {
    const answer = await question()
    if (fits(answer)) return answer
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

test('[F] without PostgreSQL nothing is acknowledged, the map moves marked unsaved, and what the device kept is taken after', async () => {
  const first = await startPostgres()
  const node = await startNode({ DATABASE_URL: first.url })
  try {
    const c = await company(node, 1, 41)
    const customer = await connect(node, '/watch', c.orders[0]!.link.token)
    await call(customer, 'watch')
    const phone = await connect(node, '/driver', c.driver.device.token)
    const qid = newQid()
    const along = c.run.stops[0]!.along - 500
    expect(await call(phone, 'pings', batch(qid, [c.fix(1, along)]))).toMatchObject({ ok: true, upto: 1 })
    await first.kill()
    const ready = async () => (await fetch(`${node.url}/readyz`)).json() as Promise<{ ready: boolean; degraded: string[] }>
    const refused = await until(
      () => call(phone, 'pings', batch(qid, [c.fix(2, along + 20)])),
      (answer) => !answer.ok,
    )
    expect(refused).toMatchObject({ code: 'RETRY' })
    expect((await until(ready, (r) => !r.ready)).degraded).toContain('database')
    const unsaved = heard<TrackView>(customer, 'track', (t) => !t.kept)
    phone.emit('pings', batch(qid, [c.fix(3, along + 40)]))
    expect((await unsaved).vehicle).not.toBeNull()
    await expect(connect(node, '/watch', 'x'.repeat(22))).rejects.toThrow('RETRY')
    const again = await first.restart()
    try {
      await until(ready, (r) => r.ready)
      const kept = await until(
        () => call(phone, 'pings', batch(qid, [c.fix(2, along + 20), c.fix(3, along + 40), c.fix(4, along + 60)])),
        (answer) => answer.ok,
      )
      expect(kept).toMatchObject({ upto: 4 })
      const saved = heard<TrackView>(customer, 'track', (t) => t.kept)
      phone.emit('pings', batch(qid, [c.fix(5, along + 80)]))
      await saved
      expect(node.log()).not.toMatch(/fatal|unhandled/i)
    } finally {
      await node.stop()
      await again.stop()
    }
  } finally {
    await node.stop('SIGKILL').catch(() => null)
  }
}, 90_000)

test('[F] without Redis acks and the own node go on; when it is back, empty, the other node sees the driver again', async () => {
  const redis = await startRedis()
  const database = await createDatabase()
  const env = { DATABASE_URL: database.url, REDIS_URL: redis.url }
  const [a, b] = await Promise.all([startNode(env), startNode(env)])
  try {
    const c = await company(a, 2, 42)
    const [near, far] = [await connect(a, '/watch', c.orders[0]!.link.token), await connect(b, '/watch', c.orders[0]!.link.token)]
    const other = await connect(b, '/watch', c.orders[1]!.link.token)
    await Promise.all([call(near, 'watch'), call(far, 'watch'), call(other, 'watch')])
    const desk = await connect(b, '/fleet', ADMIN_KEY)
    await call(desk, 'roster')
    const phone = await connect(a, '/driver', c.driver.device.token)
    const qid = newQid()
    const along = c.run.stops[0]!.along - 500
    const both = Promise.all([heard(near, 'track'), heard(far, 'track')])
    phone.emit('pings', batch(qid, [c.fix(1, along)]))
    await both
    await redis.kill()
    const here = heard<TrackView>(near, 'track', (t) => t.remaining !== null && t.remaining < 490)
    expect(await call(phone, 'pings', batch(qid, [c.fix(2, along + 30)]))).toMatchObject({ ok: true, upto: 2 })
    expect((await here).vehicle).not.toBeNull()
    // Word of a revocation can't get through: the other node finds out by itself.
    const gone = heard(other, 'gone', () => true, 20_000)
    await ask(a, 'DELETE', `/v1/links/${c.orders[1]!.link.id}`)
    await gone
    const back = await redis.restart()
    try {
      let seq = 2
      const there = heard<TrackView>(far, 'track', (t) => t.remaining !== null && t.remaining < 480, 30_000)
      const drive = setInterval(() => {
        seq++
        phone.emit('pings', batch(qid, [c.fix(seq, along + 20 + seq * 5)]))
      }, 500)
      try {
        expect((await there).vehicle).not.toBeNull()
      } finally {
        clearInterval(drive)
      }
      for (const node of [a, b]) expect(node.log()).not.toMatch(/fatal|unhandled/i)
    } finally {
      await Promise.all([a.stop(), b.stop()])
      await back.stop()
    }
  } finally {
    await Promise.all([a.stop('SIGKILL').catch(() => null), b.stop('SIGKILL').catch(() => null)])
    await database.drop()
  }
}, 90_000)
