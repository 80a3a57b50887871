// Time and randomness in, ids out: uuid v7 for rows, and the short numbers that people read out on the phone.
import { randomBytes, randomInt } from 'node:crypto'
import type { Millis } from '@doorstep/shared/units'

/** A uuid of version 7 (RFC 9562, 5.7): 48 bits of `now`, then 74 random bits, so that ids of one table grow with time. */
export function uuid7(now: Millis): string {
  const b = randomBytes(16)
  b.writeUIntBE(Math.floor(now), 0, 6)
  b[6] = (b[6]! & 0x0f) | 0x70
  b[8] = (b[8]! & 0x3f) | 0x80
  const h = b.toString('hex')
  return `${h.slice(0, 8)}-${h.slice(8, 12)}-${h.slice(12, 16)}-${h.slice(16, 20)}-${h.slice(20)}`
}

/** Crockford's base 32: no I, L, O or U, so nothing is misread. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

/** A random order number of `digits` symbols and a check symbol: DS-7K3M9Q. Unique only once the database has said so. */
export function orderNumber(digits = 5): string {
  let body = ''
  for (let i = 0; i < digits; i++) body += ALPHABET[randomInt(32)]
  return `DS-${body}${checkSymbol(body)}`
}

/**
 * A number as a person typed it, in its one spelling, or null when it can't be one. Reads O as 0, I and L as 1, and any case.
 * One wrong symbol, and any two neighbours swapped, are always found.
 */
export function parseOrderNumber(typed: string): string | null {
  const text = typed
    .trim()
    .toUpperCase()
    // A number may itself begin with DS: the mark is only what stands before a whole number.
    .replace(/^DS[- ]?(?=.{6,8}$)/, '')
    .replaceAll('O', '0')
    .replace(/[IL]/g, '1')
  if (!/^[0-9A-HJKMNP-TV-Z]{6,8}$/.test(text)) return null
  return checkSymbol(text.slice(0, -1)) === text.at(-1) ? `DS-${text}` : null
}

/**
 * A polynomial over GF(32) (x^5 + x^2 + 1): the body's symbols weighted by powers of the generator 2. Weights are non-zero and
 * differ between neighbours, therefore one changed symbol and one swap of neighbours always change the sum.
 */
function checkSymbol(body: string): string {
  let sum = 0
  for (const c of body) sum = twice(sum ^ ALPHABET.indexOf(c))
  return ALPHABET[sum] as string
}
const twice = (x: number): number => ((x << 1) ^ (x & 16 ? 0x25 : 0)) & 31
