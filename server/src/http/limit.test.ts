// Buckets: bursts pass, floods wait, and addresses by the million cost nothing.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { limit } from './limit.ts'

test('a burst passes, the next one is told how long to wait, and after that it passes', () => {
  const l = limit(20)
  for (let i = 0; i < 20; i++) expect(l.take('a', 1_000)).toBe(0)
  const wait = l.take('a', 1_000)
  expect(wait).toBe(3_000)
  expect(l.take('b', 1_000)).toBe(0)
  expect(l.take('a', 1_000 + wait)).toBe(0)
  expect(l.take('a', 1_000 + wait)).toBeGreaterThan(0)
})

test('whatever the times, no more than the burst and the refill pass', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(5_000), { minLength: 1, maxLength: 300 }), (gaps) => {
      const l = limit(10, 5)
      let now = 0
      let passed = 0
      for (const gap of gaps) {
        now += gap
        if (l.take('a', now) === 0) passed++
      }
      expect(passed).toBeLessThanOrEqual(5 + Math.floor((now / 60_000) * 10) + 1)
    }),
  )
})

test('the memory of a million addresses is that of twenty thousand', () => {
  const l = limit(1)
  expect(l.take('first', 0)).toBe(0)
  expect(l.take('first', 0)).toBeGreaterThan(0)
  for (let i = 0; i < 20_000; i++) l.take(`x${i}`, 0)
  expect(l.take('first', 0)).toBe(0)
})
