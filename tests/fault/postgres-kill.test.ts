// PostgreSQL killed hard under a working server, again and again: nothing is claimed that is not there, and all goes on by itself.
import { random } from '@doorstep/shared/random'
import { expect, test } from 'vitest'
import { startNode } from '../server/world.ts'
import { startPostgres } from '../services/postgres.ts'
import { CLEAN, openLedger } from './ledger.ts'
import { drained, driving, full, hire, until } from './phones.ts'

const ROUNDS = full ? 30 : 5

test(`[P3] [F2] PostgreSQL killed hard ${ROUNDS} times under load: nothing acknowledged is lost, nothing is acknowledged while it is away, the server stays up`, async () => {
  const rng = random(3)
  let postgres = await startPostgres()
  const node = await startNode({ DATABASE_URL: postgres.url })
  const ledger = openLedger('postgres-kill')
  const phones = await hire(node, 10, { url: node.url, ledger, rng })
  const park = driving(phones, 5)
  const ready = async () => ((await (await fetch(`${node.url}/readyz`)).json()) as { ready: boolean }).ready
  const pauses: number[] = []
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const enough = ledger.count + 10 + rng.int(60)
      await until(`${enough} acknowledgements in round ${round}`, () => ledger.count >= enough)
      await postgres.kill()
      // Answers that were on their way are heard by the time the server knows.
      await until('the server knows that its database is away', async () => !(await ready()))
      const before = ledger.count
      const waiting = phones.reduce((sum, phone) => sum + phone.outbox.queued, 0)
      await until('the phones keep more', () => phones.reduce((sum, phone) => sum + phone.outbox.queued, 0) > waiting + 50)
      expect(ledger.count).toBe(before)
      postgres = await postgres.restart()
      const began = performance.now()
      await until('acknowledgements go on', () => ledger.count >= before + phones.length)
      pauses.push(Math.round(performance.now() - began))
      await until('the server says that it is ready', ready)
    }
    await park()
    await drained(phones)
    const told = await ledger.check(postgres.url)
    console.log(
      `${ROUNDS} kills: ${told.acked} acknowledged fixes, ${told.lost.length} lost, ${told.twice.length} twice; all phones served again ${Math.max(...pauses)} ms (most) after PostgreSQL was`,
    )
    expect(told).toMatchObject(CLEAN)
    expect(told.stored).toBe(phones.reduce((sum, phone) => sum + phone.times.length, 0))
    expect(node.log()).not.toMatch(/fatal|unhandled/i)
    expect(await node.stop()).toBe(0)
  } finally {
    await park()
    for (const phone of phones) phone.stop()
    await node.stop('SIGKILL')
    await postgres.stop()
  }
}, 900_000)
