// One clock for every sentence.
import { expect, test } from 'vitest'
import { clockSpan, clockTime } from './format.ts'

test('a time reads the same alone and within a span, at every hour', () => {
  for (let hour = 0; hour < 24; hour++) {
    const from = new Date(2026, 4, 12, hour, 5).getTime()
    const to = from + 7 * 60_000
    const bare = (t: number) => clockTime(t).replace(/[^\d:]/g, '')
    expect(clockSpan(from, to).replace(/[^\d:–]/g, '')).toBe(`${bare(from)}–${bare(to)}`)
  }
})
