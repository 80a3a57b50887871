// Redis killed, emptied and frozen under two nodes: drivers are acknowledged, statuses change, nothing shown goes back, and the other node is exact again.
import type { OrderDetail } from '@doorstep/shared/api'
import { random } from '@doorstep/shared/random'
import { createClient } from 'redis'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { ask, type Company, company, type Node, startNode } from '../server/world.ts'
import { createDatabase } from '../services/database.ts'
import { type RedisServer, startRedis } from '../services/redis.ts'
import { CLEAN, type Ledger, openLedger } from './ledger.ts'
import { openPage, type Page } from './page.ts'
import { drained, full, openPhone, type Phone, until } from './phones.ts'

let redis: RedisServer
let database: { url: string; drop(): Promise<void> }
let near: Node
let far: Node
beforeAll(async () => {
  redis = await startRedis()
  database = await createDatabase()
  const env = { DATABASE_URL: database.url, REDIS_URL: redis.url }
  ;[near, far] = await Promise.all([startNode({ ...env, NODE_ID: 'near' }), startNode({ ...env, NODE_ID: 'far' })])
})
afterAll(async () => {
  for (const node of [near, far]) {
    expect(node.log()).not.toMatch(/fatal|unhandled/i)
    await node.stop()
  }
  await redis?.stop()
  await database?.drop()
})

/** A driver at the near node, and a customer of his third stop at each. */
interface Scene {
  readonly c: Company
  readonly ledger: Ledger
  readonly phone: Phone
  readonly pages: readonly Page[]
  /** Drives on until called; resolves with the fix time of the last. */
  drive(): () => Promise<number>
}
let scene: Scene | undefined
afterEach(() => {
  scene?.phone.stop()
  for (const page of scene?.pages ?? []) page.close()
  scene = undefined
})
async function open(seed: number): Promise<Scene> {
  const c = await company(near, 3, seed)
  const ledger = openLedger(`redis-${seed}`)
  const phone = await openPhone({
    url: near.url,
    driver: c.driver,
    ledger,
    rng: random(seed),
    // Slowly, so that no door is reached but by what the test says.
    place: (n) => c.fix(0, n / 2),
  })
  const token = c.orders[2]!.link.token
  const pages = [openPage(near.url, token), openPage(far.url, token)]
  await phone.fixes(1)
  await until('both pages see the driver', () => pages.every((page) => page.watch.track?.vehicle != null))
  return {
    c,
    ledger,
    phone,
    pages,
    drive() {
      let last: Promise<void> = Promise.resolve()
      const timer = setInterval(() => {
        last = last.then(() => phone.fixes(2, 50))
      }, 100)
      return async () => {
        clearInterval(timer)
        await last
        return phone.times.at(-1)!
      }
    },
  }
}

/** Stops, and waits until both pages know the last fix and the newest event; answers after how many ms. */
async function exact({ c, pages, phone, ledger }: Scene, stop: () => Promise<number>): Promise<number> {
  const began = performance.now()
  const last = await stop()
  await drained([phone])
  await until('both pages are exact', async () => {
    const { order } = await ask<OrderDetail>(near, 'GET', `/v1/orders/${c.orders[2]!.order.id}`)
    return pages.every((page) => page.t === last && page.ev === order.version)
  })
  for (const page of pages) expect([page.backward, page.sentBackward]).toEqual([0, 0])
  expect(await ledger.check(database.url)).toMatchObject(CLEAN)
  return Math.round(performance.now() - began)
}

/** A status change through each node, answered although Redis is not there. */
async function changes({ c }: Scene, done: number): Promise<void> {
  const stop = c.run.stops[done]!.id
  await ask(near, 'POST', `/v1/runs/${c.run.id}/stops/${stop}/arrived`, {})
  await ask(far, 'POST', `/v1/runs/${c.run.id}/stops/${stop}/done`, {})
}
const acked = ({ ledger }: Scene, more: number) => {
  const enough = ledger.count + more
  return until('acknowledgements go on', () => ledger.count >= enough)
}
const positions = async (node: Node) =>
  ((await (await fetch(`${node.url}/readyz`)).json()) as { degraded: string[] }).degraded.includes('positions')

test('[F] [F4] [T3] Redis is killed hard and comes back empty: acknowledgements and status changes go on, and the other node is exact again', async () => {
  scene = await open(81)
  const stop = scene.drive()
  await acked(scene, 3)
  await redis.kill()
  await until('both nodes say so', async () => (await positions(near)) && (await positions(far)))
  await acked(scene, 5)
  await changes(scene, 0)
  redis = await redis.restart()
  const ms = await exact(scene, stop)
  await until('both nodes are whole', async () => !((await positions(near)) || (await positions(far))))
  console.log(`after a kill: exact ${ms} ms after Redis was back`)
}, 120_000)

test('[F] [F5] [T3] Redis is emptied again and again: nothing shown goes back, acknowledgements and status changes go on', async () => {
  scene = await open(82)
  const stop = scene.drive()
  const client = await createClient({ url: redis.url }).connect()
  try {
    for (let n = 0; n < (full ? 60 : 6); n++) {
      await client.flushAll()
      await acked(scene, 2)
      if (n === 3) await changes(scene, 0)
    }
  } finally {
    client.destroy()
  }
  const ms = await exact(scene, stop)
  console.log(`emptied again and again: exact ${ms} ms after the last time`)
}, 240_000)

test('[F] [F6] [T3] Redis hangs: nobody waits for it, and the other node is exact again when it goes on', async () => {
  scene = await open(83)
  const stop = scene.drive()
  await acked(scene, 3)
  redis.signal('SIGSTOP')
  try {
    await until('both nodes say so', async () => (await positions(near)) && (await positions(far)))
    await acked(scene, full ? 100 : 10)
    await changes(scene, 0)
  } finally {
    redis.signal('SIGCONT')
  }
  const ms = await exact(scene, stop)
  console.log(`after a hang: exact ${ms} ms after Redis went on`)
}, 120_000)
