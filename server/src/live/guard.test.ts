// Who does not read is cut off after ten seconds above 256 KiB, and nobody else.
import { expect, test } from 'vitest'
import { cutSlow, type Served } from './guard.ts'

function served(waiting: { bytes: number }) {
  const log: string[] = []
  const line = { direct: true, send: () => {}, waiting: () => waiting.bytes, cut: () => log.push('cut') }
  return { log, served: { line, fullSince: 0 } as unknown as Served }
}

test('[F] a full socket has ten seconds; one that drains meanwhile starts anew', () => {
  const full = { bytes: 300_000 }
  const brief = { bytes: 300_000 }
  const calm = { bytes: 262_144 }
  const [a, b, c] = [served(full), served(brief), served(calm)]
  const all = [a.served, b.served, c.served]
  let cut = 0
  const sweep = (now: number) => cutSlow(all, now, () => cut++)
  sweep(1_000)
  sweep(6_000)
  brief.bytes = 0
  sweep(7_000)
  brief.bytes = 300_000
  sweep(10_999)
  expect(cut).toBe(0)
  sweep(11_000)
  expect(cut).toBe(1)
  expect(a.log).toEqual(['cut'])
  expect([b.log, c.log]).toEqual([[], []])
})
