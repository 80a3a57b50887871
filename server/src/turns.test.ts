// Turns: order within a key, independence between keys, and no failure that stops the next.
import { expect, test } from 'vitest'
import { atMost, turns } from './turns.ts'

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

test('at most so many are under way, all are done, in order, and a failure gives its place back', async () => {
  const few = atMost(3)
  let under = 0
  let most = 0
  const order: number[] = []
  const done = await Promise.allSettled(
    Array.from({ length: 20 }, (_, i) =>
      few(async () => {
        most = Math.max(most, ++under)
        order.push(i)
        await Promise.resolve()
        under--
        if (i % 5 === 0) throw new Error('no')
        return i
      }),
    ),
  )
  expect(most).toBe(3)
  expect(order).toEqual(Array.from({ length: 20 }, (_, i) => i))
  expect(done.filter((d) => d.status === 'rejected').length).toBe(4)
})
