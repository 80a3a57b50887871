// Phones that lose their line for long, and acknowledgements that are lost on the way, at every byte: all is kept, once.
import { random } from '@doorstep/shared/random'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { batch, call, company, connect, hangUp, heard, type Node, newQid, startNode } from '../server/world.ts'
import { createDatabase } from '../services/database.ts'
import { CLEAN, openLedger } from './ledger.ts'
import { openPage } from './page.ts'
import { drained, full, hire, openPhone, type Phone, until } from './phones.ts'
import { openProxy, type TcpProxy } from './proxy.ts'

let database: { url: string; drop(): Promise<void> }
let node: Node
let proxy: TcpProxy
beforeAll(async () => {
  database = await createDatabase()
  node = await startNode({ DATABASE_URL: database.url })
  proxy = await openProxy(node.port)
})
afterEach(hangUp)
afterAll(async () => {
  await proxy?.close()
  expect(node.log()).not.toMatch(/fatal|unhandled/i)
  await node?.stop()
  await database?.drop()
})

async function rows<T extends object>(text: string, values: unknown[]): Promise<T[]> {
  const client = new pg.Client(database.url)
  await client.connect()
  try {
    return (await client.query<T>(text, values)).rows
  } finally {
    await client.end()
  }
}

test('[P1] [P2] [P4] [F7] twenty phones cut off for ten minutes: none of their 12,000 fixes is missing, each with its time, and the newest is shown', async () => {
  const rng = random(4)
  const ledger = openLedger('cut-off')
  const c = await company(node, 1, 71)
  const mid = c.run.stops[0]!.along - 300
  const first = await openPhone({
    url: proxy.url,
    driver: c.driver,
    ledger,
    rng,
    place: (n) => c.fix(0, Math.max(0, mid - 600 + n)),
  })
  const phones: Phone[] = [first, ...(await hire(node, 19, { url: proxy.url, ledger, rng }))]
  const page = openPage(node.url, c.orders[0]!.link.token)
  try {
    const now = Date.now()
    await Promise.all(phones.map((phone) => phone.fixes(1, 1, now - 601_000)))
    await drained(phones)
    await until('the page is there', () => page.watch.view !== null)
    proxy.target()
    proxy.cut()
    await until('all phones know that they are cut off', () => phones.every((phone) => phone.uplink.state.link !== 'online'))
    await Promise.all(phones.map((phone) => phone.fixes(600, 1_000, now)))
    expect(phones.every((phone) => phone.outbox.queued === 600)).toBe(true)
    proxy.target(node.port)
    const healed = performance.now()
    for (const phone of phones) phone.uplink.nudge()
    await until('the newest fix is shown', () => page.t === now)
    const shown = performance.now() - healed
    await drained(phones)
    const kept = performance.now() - healed
    console.log(
      `12,000 fixes after ten minutes: newest shown ${Math.round(shown)} ms, all kept ${Math.round(kept)} ms after the line was back`,
    )
    const told = await ledger.check(database.url)
    expect(told).toMatchObject(CLEAN)
    for (const phone of phones) {
      const stored = await rows<{ t: number }>(
        `select (extract(epoch from fix_time) * 1000)::float8 as t from fixes where device_id = $1 and qid = $2 order by seq`,
        [phone.device, phone.outbox.head.qid],
      )
      expect(stored.map(({ t }) => t)).toEqual(phone.times)
    }
    expect(page.backward).toBe(0)
    expect(page.sentBackward).toBe(0)
  } finally {
    page.close()
    for (const phone of phones) phone.stop()
  }
}, 180_000)

test('[P2] [F8] an acknowledgement cut off after each of its bytes: sent again, the answer is the same and the database unchanged', async () => {
  const c = await company(node, 1, 72)
  const qid = newQid()
  const all = () =>
    rows(
      `select f.*, q.hi, q.ahead from fixes f join device_queue q using (device_id, qid) where qid = $1 order by seq, received_at`,
      [qid],
    )
  const through = async () => {
    const phone = await connect(proxy, '/driver', c.driver.device.token)
    return { phone, pair: proxy.pairs.at(-1)! }
  }
  const t = Date.now() - 600_000
  const some = (k: number) =>
    batch(
      qid,
      [1, 2, 3].map((i) => c.fix(3 * k + i, 100 + k, { t: t + 3_000 * k + 1_000 * i })),
    )

  // How long an acknowledgement is: the frames of the answer and of `kept`.
  const { phone, pair } = await through()
  const quiet = pair.passed.down
  const kept = heard(phone, 'kept')
  expect(await call(phone, 'pings', some(0))).toMatchObject({ ok: true, upto: 3 })
  await kept
  const length = pair.passed.down - quiet
  phone.disconnect()
  expect(length).toBeGreaterThan(60)

  for (let k = 1; k <= length; k++) {
    const { phone, pair } = await through()
    pair.cutAfter('down', k - 1)
    const lost = heard(phone, 'disconnect')
    phone.emit('pings', some(k), () => {})
    await lost
    const before = await all()
    // Cut after the first byte of the answer came, and that came after COMMIT.
    expect(before).toHaveLength(3 * k + 3)
    const { phone: again } = await through()
    expect(await call(again, 'pings', some(k))).toMatchObject({ ok: true, upto: 3 * k + 3 })
    expect(await all()).toEqual(before)
    again.disconnect()
  }
  console.log(`an acknowledgement of ${length} bytes, cut ${length} times: 0 lost, 0 twice`)
}, 180_000)

test.runIf(full)(
  '[P2] [F7] a cable that is pulled without a word: the phone notices, keeps on storing, and all is kept when it is back',
  async () => {
    const ledger = openLedger('half-open')
    const phones = await hire(node, 5, { url: proxy.url, ledger, rng: random(5) })
    try {
      await Promise.all(phones.map((phone) => phone.fixes(3, 10)))
      await drained(phones)
      for (const way of ['up', 'down'] as const) proxy.set(way, { stalled: true })
      await Promise.all(phones.map((phone) => phone.fixes(300, 10)))
      await until('the phones notice', () => phones.every((phone) => phone.uplink.state.link !== 'online'), 45_000)
      for (const way of ['up', 'down'] as const) proxy.set(way, {})
      for (const phone of phones) phone.uplink.nudge()
      await drained(phones)
      expect(await ledger.check(database.url)).toMatchObject(CLEAN)
    } finally {
      for (const phone of phones) phone.stop()
    }
  },
  180_000,
)
