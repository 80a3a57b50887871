import { expect, test } from 'vitest'
import { type Link, type LinkEvent, refusal, retryDelay, stepLink } from './link.ts'

const start: Link = { kind: 'connecting', since: 0, attempt: 0 }
const run = (events: [LinkEvent, number][], from: Link = start) =>
  events.reduce((link, [event, now]) => stepLink(link, event, now), from)

test('[F] a good connection that is lost is tried again at once: the first bound is 200 ms', () => {
  const lost = run([
    ['opened', 100],
    ['lost', 60_000],
  ])
  expect(lost).toEqual({ kind: 'reconnecting', since: 60_000, attempt: 0 })
  expect(retryDelay(0, () => 0.999)).toBeLessThan(200)
})

test('[F] waits double to ten seconds with full jitter, and a server that drops at once does not reset them', () => {
  const times = [0, 1, 2, 3, 4, 5, 6, 7, 20].map((attempt) => retryDelay(attempt, () => 1))
  expect(times).toEqual([200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000, 10_000])
  expect(retryDelay(9, () => 0)).toBe(0)
  const flapping = run([
    ['opened', 0],
    ['lost', 10],
    ['opened', 20],
    ['lost', 30],
  ])
  expect(flapping).toMatchObject({ kind: 'reconnecting', attempt: 2 })
})

test('[F] `since` of an outage is its beginning, however many tries fail', () => {
  const link = run([
    ['opened', 0],
    ['lost', 9_000],
    ['lost', 9_500],
    ['lost', 11_000],
  ])
  expect(link).toEqual({ kind: 'reconnecting', since: 9_000, attempt: 2 })
})

test('[F] without a network nothing is tried; with it back the tries begin anew', () => {
  const off = run([
    ['opened', 0],
    ['offline', 8_000],
    ['lost', 8_001],
  ])
  expect(off).toMatchObject({ kind: 'offline', since: 8_000 })
  expect(run([['online', 9_000]], off)).toMatchObject({ kind: 'reconnecting', attempt: 0, since: 8_000 })
})

test('[V6] a refused credential ends it for good; a busy server does not', () => {
  expect(run([[{ refused: 'AUTH' }, 5]])).toMatchObject({ kind: 'gone', code: 'AUTH' })
  expect(
    run([
      [{ refused: 'NOT_FOUND' }, 5],
      ['online', 6],
      ['lost', 7],
    ]),
  ).toMatchObject({ kind: 'gone' })
  expect(run([[{ refused: 'BUSY' }, 5]])).toMatchObject({ kind: 'reconnecting', attempt: 1 })
})

test('[V6] a code is found where socket.io puts it, and nothing else passes for one', () => {
  expect(refusal(Object.assign(new Error('no'), { data: { code: 'AUTH' } }))).toBe('AUTH')
  expect(refusal(new Error('ORIGIN'))).toBe('ORIGIN')
  expect(refusal(new Error('websocket error'))).toBeNull()
  expect(refusal(new Error('toString'))).toBeNull()
})
