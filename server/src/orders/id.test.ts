// Ids that sort by time, and numbers that survive being read out on the phone.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { orderNumber, parseOrderNumber, uuid7 } from './id.ts'

test('a uuid is of version 7, says its time, and a later one sorts after an earlier one', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 47 }), fc.integer({ min: 1, max: 1e9 }), (now, gap) => {
      const a = uuid7(now)
      expect(a).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
      expect(Number.parseInt(a.replaceAll('-', '').slice(0, 12), 16)).toBe(now)
      expect(uuid7(now + gap) > a).toBe(true)
    }),
  )
})

const number = fc.constantFrom(5, 6, 7).map(() => orderNumber(5))

test('a number is read back as it was made, also typed in lower case, without its mark, or with letters that look like digits', () => {
  fc.assert(
    fc.property(number, (made) => {
      expect(made).toMatch(/^DS-[0-9A-HJKMNP-TV-Z]{6}$/)
      const body = made.slice(3)
      for (const typed of [made, made.toLowerCase(), body, ` ds ${body}`, made.replaceAll('0', 'O').replaceAll('1', 'l')])
        expect(parseOrderNumber(typed)).toBe(made)
    }),
  )
})

test('one wrong symbol, or two neighbours swapped, is always noticed', () => {
  const symbols = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
  fc.assert(
    fc.property(number, fc.nat(5), fc.nat(31), (made, at, symbol) => {
      const body = [...made.slice(3)]
      const wrong = body.with(at, symbols[symbol]!)
      if (wrong[at] !== body[at]) expect(parseOrderNumber(wrong.join(''))).toBeNull()
      if (at === 5 || body[at] === body[at + 1]) return
      const swapped = body.with(at, body[at + 1]!).with(at + 1, body[at]!)
      expect(parseOrderNumber(swapped.join(''))).toBeNull()
    }),
    { numRuns: 2_000 },
  )
})

test.each(['', 'DS-', '12345', 'Karin', "DS-' or 1", 'DS-1234567890', 'ÅÄÖ123'])('%s is no number', (typed) => {
  expect(parseOrderNumber(typed)).toBeNull()
})
