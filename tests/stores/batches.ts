// Numbers in, checked batches of fixes out, as the parser would have made them.
import type { Batch, Fix } from '@doorstep/shared/ping'
import type { DeviceId, Millis } from '@doorstep/shared/units'

export const deviceOf = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}` as DeviceId

/** A fix each second that drives east; `t` is the time of seq 1. */
export const fixOf = (seq: number, t: Millis, more: Partial<Fix> = {}): Fix => ({
  seq,
  recordedAt: t + seq * 1000,
  at: [11.96 + seq * 1e-5, 57.7],
  accuracy: 5,
  speed: 8.5,
  heading: 90,
  altitude: null,
  battery: 0.5,
  flags: [],
  ...more,
})

export function batchOf(qid: string, from: number, length: number, t: Millis, without: readonly number[] = []): Batch {
  const seqs = Array.from({ length }, (_, i) => from + i).filter((seq) => !without.includes(seq))
  return { qid, sentAt: t, from, to: from + length - 1, fixes: seqs.map((seq) => fixOf(seq, t)), rejected: [] }
}
