// A server process that is killed hard, or told to go, again and again under load: what was acknowledged is there, once.
import { random } from '@doorstep/shared/random'
import { expect, test } from 'vitest'
import { type Node, startNode } from '../server/world.ts'
import { createDatabase } from '../services/database.ts'
import { CLEAN, openLedger } from './ledger.ts'
import { drained, driving, full, hire, until } from './phones.ts'
import { openProxy } from './proxy.ts'

const ROUNDS = full ? 100 : 20

test(`[P2] [P3] [F1] ${ROUNDS} servers killed hard under load: no acknowledged fix is lost, none is stored twice, and the queues drain`, async () => {
  const rng = random(1)
  const database = await createDatabase()
  let node = await startNode({ DATABASE_URL: database.url })
  const proxy = await openProxy(node.port)
  const ledger = openLedger('server-kill')
  const phones = await hire(node, 12, { url: proxy.url, ledger, rng })
  const park = driving(phones, 5)
  const pauses: number[] = []
  try {
    for (let round = 0; round < ROUNDS; round++) {
      // The next one starts while this one works.
      const next = await startNode({ DATABASE_URL: database.url })
      const enough = ledger.count + 5 + rng.int(60)
      await until(`${enough} acknowledgements in round ${round}`, () => ledger.count >= enough)
      const killed = performance.now()
      await node.stop('SIGKILL')
      node = next
      proxy.target(next.port)
      const before = ledger.count
      await until(`acknowledgements go on after round ${round}`, () => ledger.count >= before + phones.length)
      pauses.push(Math.round(performance.now() - killed))
    }
    await park()
    await drained(phones)
    const told = await ledger.check(database.url)
    console.log(
      `${ROUNDS} kills: ${told.acked} acknowledged fixes, ${told.lost.length} lost, ${told.twice.length} twice; all phones served again after ${median(pauses)} ms (median), ${Math.max(...pauses)} ms (most)`,
    )
    expect(told).toMatchObject(CLEAN)
    expect(told.acked).toBe(phones.reduce((sum, phone) => sum + phone.times.length, 0))
    expect(told.stored).toBe(told.acked)
    expect(node.log()).not.toMatch(/fatal|unhandled/i)
  } finally {
    await park()
    for (const phone of phones) phone.stop()
    await proxy.close()
    await node.stop('SIGKILL')
    await database.drop()
  }
}, 1_200_000)

const NODES = full ? 3 : 2
const ROLLS = full ? 3 : 1
test(`[F14] [P3] ${NODES} nodes told to end one after the other, ${ROLLS === 1 ? 'once' : `${ROLLS} times`}: each ends in order, nothing is lost, phones go on elsewhere`, async () => {
  const rng = random(2)
  const database = await createDatabase()
  const start = () => startNode({ DATABASE_URL: database.url })
  const nodes: Node[] = await Promise.all(Array.from({ length: NODES }, start))
  const proxy = await openProxy(...nodes.map((node) => node.port))
  const ledger = openLedger('rolling')
  const phones = await hire(nodes[0]!, 12, { url: proxy.url, ledger, rng })
  const park = driving(phones, 5)
  try {
    for (let turn = 0; turn < NODES * ROLLS; turn++) {
      const enough = ledger.count + 40
      await until('acknowledgements under load', () => ledger.count >= enough)
      const [old] = nodes.splice(0, 1)
      // As a balancer does: first nothing new goes there.
      proxy.target(...nodes.map((node) => node.port))
      const code = await old!.stop('SIGTERM')
      expect(code).toBe(0)
      expect(old!.log()).not.toMatch(/fatal|unhandled/i)
      const before = ledger.count
      await until('acknowledgements go on', () => ledger.count >= before + phones.length)
      nodes.push(await start())
      proxy.target(...nodes.map((node) => node.port))
    }
    await park()
    await drained(phones)
    const told = await ledger.check(database.url)
    console.log(
      `${NODES * ROLLS} nodes replaced: ${told.acked} acknowledged fixes, ${told.lost.length} lost, ${told.twice.length} twice`,
    )
    expect(told).toMatchObject(CLEAN)
    expect(told.stored).toBe(phones.reduce((sum, phone) => sum + phone.times.length, 0))
  } finally {
    await park()
    for (const phone of phones) phone.stop()
    await proxy.close()
    await Promise.all(nodes.map((node) => node.stop('SIGKILL')))
    await database.drop()
  }
}, 600_000)

const median = (some: readonly number[]) => [...some].sort((a, b) => a - b)[some.length >> 1]
