// Bodies as good clients, careless clients and attackers send them.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BODY_LIMITS, parseJson } from './json.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const code = (text: string | Uint8Array): string => {
  const read = parseJson(typeof text === 'string' ? bytes(text) : text)
  return read.ok ? 'ok' : read.fault.code
}

test.each([
  ['truncated', '{"a":1'],
  ['with a byte order mark', '\ufeff{"a":1}'],
  ['two values', '{} {}'],
  ['a comment', '{/**/}'],
  ['a trailing comma', '{"a":1,}'],
  ['NaN', '{"a":NaN}'],
  ['a NUL in a string', '{"a":"\\u0000"}'],
  ['a lone surrogate', '{"a":"\\ud800"}'],
  ['a lone surrogate in a key', '{"\\udfff":1}'],
  ['a raw control character', '{"a":"\u0001"}'],
  ['UTF-16', new Uint8Array(Buffer.from('{"a":1}', 'utf16le'))],
  ['overlong UTF-8', new Uint8Array([0x7b, 0x22, 0xc0, 0xaf, 0x22, 0x3a, 0x31, 0x7d])],
  ['half a character', new Uint8Array([0x22, 0xe2, 0x82, 0x22])],
])('B34 %s is BAD_JSON', (_name, body) => {
  expect(code(body)).toBe('BAD_JSON')
})

test.each([
  ['plain', '{"a":1,"a":2}'],
  ['escaped', '{"a":1,"\\u0061":2}'],
  ['deep', '[{"x":{"b":1,"c":{"b":3},"b":2}}]'],
  ['with room before the colon', '{"a" : 1, "a"\n\t:2}'],
])('B35 a key given twice (%s) is DUP_KEY, since it could be read in two ways', (_name, body) => {
  expect(code(body)).toBe('DUP_KEY')
})

test.each([
  '{"__proto__":{"isAdmin":true}}',
  '{"constructor":{"prototype":{}}}',
  '{"a":[{"prototype":1}]}',
  '{"\\u005f_proto__":1}',
])('B36 %s is BAD_KEY, and nothing is polluted', (body) => {
  expect(code(body)).toBe('BAD_KEY')
  expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined()
})

test('the same words as values, and the same key in two objects, are no fault', () => {
  expect(code('{"a":"__proto__","b":["constructor","a","a"],"c":{"a":1},"d":{"a":"\\"}{"}}')).toBe('ok')
})

test('six deep is read, seven is TOO_DEEP, and so are five thousand values', () => {
  expect(code(`${'['.repeat(BODY_LIMITS.depth)}${']'.repeat(BODY_LIMITS.depth)}`)).toBe('ok')
  expect(code(`${'['.repeat(BODY_LIMITS.depth + 1)}${']'.repeat(BODY_LIMITS.depth + 1)}`)).toBe('TOO_DEEP')
  expect(code('['.repeat(30_000) + ']'.repeat(30_000))).toBe('TOO_DEEP')
  expect(code(`[${Array(4_900).fill(1).join()}]`)).toBe('ok')
  expect(code(`[${Array(5_001).fill(1).join()}]`)).toBe('TOO_DEEP')
  expect(code(`{${Array.from({ length: 5_001 }, (_, i) => `"k${i}":1`).join()}}`)).toBe('TOO_DEEP')
})

test('whatever is read is what JSON.parse reads', () => {
  const small = fc.jsonValue({ maxDepth: 4, noUnicodeString: false })
  fc.assert(
    fc.property(small, fc.constantFrom('', ' ', '\n\t'), (value, room) => {
      const read = parseJson(bytes(room + JSON.stringify(value, null, room) + room))
      const text = JSON.stringify(value)
      if (read.ok) expect(JSON.stringify(read.value)).toBe(text)
      else expect(/__proto__|constructor|prototype|\\u0000|\\ud[89a-f]/.test(text) || text.length > 1_000).toBe(true)
    }),
  )
})

test('no bytes at all make it throw', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 200 }),
        fc
          .array(fc.constantFrom('{', '}', '[', ']', '"', ':', ',', '\\', 'u', '1', ' '), { maxLength: 60 })
          .map((c) => bytes(c.join(''))),
      ),
      (body) => {
        const read = parseJson(body)
        expect(read.ok || ['BAD_JSON', 'TOO_DEEP', 'DUP_KEY', 'BAD_KEY'].includes(read.fault.code)).toBe(true)
      },
    ),
    { numRuns: 2_000 },
  )
})
