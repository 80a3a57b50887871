// Watchers that read nothing or a trickle: the first are cut off, the second are told the newest in the end, and nobody else notices.
import { random } from '@doorstep/shared/random'
import pg from 'pg'
import { expect, test } from 'vitest'
import { ADMIN_KEY, call, company, connect, hangUp, heard, startNode } from '../server/world.ts'
import { createDatabase } from '../services/database.ts'
import { openLedger } from './ledger.ts'
import { openPage } from './page.ts'
import { full, openPhone, until } from './phones.ts'
import { openProxy } from './proxy.ts'

const STALLED = full ? 6 : 3
const OTHERS = full ? 200 : 20

test('[F] [F11] who reads nothing is cut off at 256 KiB, who reads slowly is told the newest, and the others see every move', async () => {
  const database = await createDatabase()
  const node = await startNode({ DATABASE_URL: database.url })
  const proxy = await openProxy(node.port)
  const trickle = await openProxy(node.port)
  const ledger = openLedger('stalled')
  const c = await company(node, 1, 91)
  // Long rosters: what a desk that doesn't read asks for is more than the kernel takes off the server's hands (up to 10 MB a connection).
  await hireMany(database.url, 2_000)
  const phone = await openPhone({ url: node.url, driver: c.driver, ledger, rng: random(92), place: (n) => c.fix(0, n) })
  const token = c.orders[0]!.link.token
  const others = Array.from({ length: OTHERS }, () => openPage(node.url, token))
  const slow = openPage(trickle.url, token)
  const metrics = async () => (await fetch(`http://127.0.0.1:${node.metricsPort}/metrics`)).text()
  const figure = async (name: RegExp) => Number(name.exec(await metrics())?.[1] ?? 0)
  const cut = () => figure(/^doorstep_messages_total\{event="fleet",outcome="slow"\} (\d+)/m)
  const memory = () => figure(/^doorstep_process_resident_memory_bytes (\S+)/m)
  let drive: NodeJS.Timeout | undefined
  let asking: NodeJS.Timeout | undefined
  try {
    await phone.fixes(1)
    await until('everybody sees the driver', () => [slow, ...others].every((page) => page.watch.track?.vehicle != null))
    drive = setInterval(() => void phone.fixes(1), 250)
    const desks = await Promise.all(Array.from({ length: STALLED }, () => connect(proxy, '/fleet', ADMIN_KEY)))
    await Promise.all(desks.map((desk) => call(desk, 'roster')))
    const reader = await connect(node, '/fleet', ADMIN_KEY)
    await call(reader, 'roster')
    await call(reader, 'view', { bbox: [11.5, 57.4, 12.4, 58], zoom: 12 })
    const before = await memory()
    proxy.set('down', { stalled: true })
    trickle.set('down', { bytesPerSecond: 400 })
    // As much at once as a desk may ask for; then as fast as it may go on.
    for (const desk of desks) for (let n = 0; n < 35; n++) desk.emit('roster', () => {})
    asking = setInterval(() => {
      for (const desk of desks) desk.emit('roster', () => {})
    }, 150)
    await until('all who read nothing are cut off', async () => (await cut()) === STALLED, 60_000)
    const after = await memory()
    clearInterval(asking)
    trickle.set('down', {})
    // The others, after all that: another move reaches each of them, and none was ever cut off.
    await heard(reader, 'fleet')
    clearInterval(drive)
    await phone.fixes(1)
    const last = phone.times.at(-1)!
    await until('everybody else knows the newest fix', () => [slow, ...others].every((page) => page.t === last))
    expect([slow, ...others].map((page) => [page.connections, page.backward])).toEqual([slow, ...others].map(() => [1, 0]))
    expect(reader.connected).toBe(true)
    // Each may hold what it asked for at once, and no more: 35 rosters of 400 kB, mostly garbage by then.
    expect(after - before).toBeLessThan((60 + 40 * STALLED) * 1024 * 1024)
    expect(node.log()).not.toMatch(/fatal|unhandled/i)
    console.log(
      `${STALLED} of ${OTHERS + STALLED + 2} read nothing: all cut, memory ${((after - before) / 1e6).toFixed(0)} MB more; longest pause of the others ${Math.max(...others.map((page) => page.pause))} ms`,
    )
  } finally {
    clearInterval(drive)
    clearInterval(asking)
    for (const page of [slow, ...others]) page.close()
    phone.stop()
    hangUp()
    await Promise.all([proxy.close(), trickle.close()])
    await node.stop()
    await database.drop()
  }
}, 240_000)

async function hireMany(databaseUrl: string, n: number): Promise<void> {
  const client = new pg.Client(databaseUrl)
  await client.connect()
  await client.query(
    `insert into drivers (id, name, vehicle) select gen_random_uuid(), 'Driver ' || n, 'van' from generate_series(1, $1) n`,
    [n],
  )
  await client.end()
}
