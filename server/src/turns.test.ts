// Turns: order within a key, independence between keys, and no failure that stops the next.
import { expect, test } from 'vitest'
import { few, turns } from './turns.ts'

const gate = () => {
  let open = () => {}
  const wait = new Promise<void>((resolve) => {
    open = resolve
  })
  return { wait, open }
}

test('work of one key is done in order, of another key at once, and idle waits for all', async () => {
  const seen: string[] = []
  const t = turns<string>(() => {})
  const a = gate()
  t.run('a', async () => {
    await a.wait
    seen.push('a1')
  })
  t.run('a', () => void seen.push('a2'))
  t.run('b', () => void seen.push('b1'))
  expect(seen).toEqual(['b1'])
  expect(t.waiting).toBe(1)
  const idle = t.idle()
  a.open()
  await idle
  expect(seen).toEqual(['b1', 'a1', 'a2'])
  expect(t.waiting).toBe(0)
})

test('a throw and a rejection are told and stop nothing', async () => {
  const errors: unknown[] = []
  const seen: number[] = []
  const t = turns<number>((e) => errors.push(e))
  t.run(1, () => {
    throw new Error('thrown')
  })
  t.run(1, () => Promise.reject(new Error('rejected')))
  t.run(1, () => void seen.push(1))
  await t.idle()
  expect(errors.map((e) => (e as Error).message)).toEqual(['thrown', 'rejected'])
  expect(seen).toEqual([1])
})

test('work without a promise is done within the call', () => {
  let done = false
  turns<number>(() => {}).run(1, () => {
    done = true
  })
  expect(done).toBe(true)
})

test('few: no more than so many at a time, each in the order of asking, and a rejection lets the next one in', async () => {
  const two = few(2)
  const gates = [gate(), gate(), gate(), gate()]
  const begun: number[] = []
  const done = gates.map(({ wait }, i) =>
    two(async () => {
      begun.push(i)
      await wait
      if (i === 0) throw new Error('no')
      return i
    }),
  )
  expect(begun).toEqual([0, 1])
  gates[0]!.open()
  await expect(done[0]).rejects.toThrow('no')
  expect(begun).toEqual([0, 1, 2])
  gates[1]!.open()
  gates[2]!.open()
  gates[3]!.open()
  expect(await Promise.all(done.slice(1))).toEqual([1, 2, 3])
})
