// A seed in; phones, a server and pages that crash on a clock and a net of their own, which loses, repeats and reorders, for minutes in milliseconds: the promises after each step.
import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { full } from './phones.ts'
import { simulate } from './simulation.ts'

const SEEDS = Number(process.env.FAULT_SEEDS ?? (full ? 20_000 : 1_000))
const FIRST = Number(process.env.FAULT_SEED ?? 1)

test(`[P1] [P2] [P3] [P4] [T3] [F] ${SEEDS} seeds: what is acknowledged is stored, once, without a hole; no marker goes back; all arrives in the end`, async () => {
  const started = performance.now()
  const sums = { fixes: 0, acks: 0, crashes: 0, steps: 0 }
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    const told = await simulate(seed).catch((error: Error) => {
      throw new Error(`seed ${seed} (FAULT_SEED=${seed} begins with it): ${error.message}`, { cause: error })
    })
    for (const name of Object.keys(sums) as (keyof typeof sums)[]) sums[name] += told[name]
  }
  console.log(
    `${SEEDS} seeds in ${((performance.now() - started) / 1000).toFixed(1)} s: ${sums.steps} steps, ${sums.fixes} fixes, ${sums.acks} acknowledgements, ${sums.crashes} crashes`,
  )
  // Worlds in which nothing happens prove nothing.
  expect(sums.acks).toBeGreaterThan(10 * SEEDS)
  expect(sums.crashes).toBeGreaterThan(SEEDS)
}, 1_800_000)

test('the same seed makes the same trace, to the byte', async () => {
  const hash = async (seed: number) =>
    createHash('sha256')
      .update((await simulate(seed)).trace.join('\n'))
      .digest('hex')
  for (const seed of [1, 7, 4711]) expect(await hash(seed)).toBe(await hash(seed))
  expect(await hash(1)).not.toBe(await hash(2))
})
