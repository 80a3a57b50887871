// Every state that can be met has words of its own.
import { CODES } from '@doorstep/shared/codes'
import { ACTIONS, FAIL_REASONS, type OrderEvent, STATUSES } from '@doorstep/shared/order'
import { expect, test } from 'vitest'
import { words } from './words-dispatch.ts'

const anEvent = (type: string, data: Record<string, unknown> = {}): OrderEvent => ({
  id: 'e',
  type,
  version: 1,
  orderId: 'o',
  sequence: 1,
  occurredAt: 0,
  recordedAt: 0,
  source: 'system',
  late: false,
  data,
})

test('[O3] every event that an action makes is told in words, not by its name', () => {
  const types = Object.values(ACTIONS)
  expect(types.length).toBeGreaterThan(10)
  for (const type of [...types, 'order.received', 'order.window_changed', 'order.conflict']) {
    const fallback = type.replace(/^order\./, '').replaceAll('_', ' ')
    expect(words.event(anEvent(type)).text, type).not.toBe(fallback)
  }
})

test('[T10] a changed window is told with its reason', () => {
  const told = words.event(anEvent('order.window_changed', { from: 0, to: 600_000, mid: 300_000, reason: 'detour' }))
  expect(told.detail).toContain('the driver left the route')
  expect(words.event(anEvent('order.failed', { reason: 'nobody_home' })).detail).toBe('Nobody home')
})

test('every status, reason and code has words', () => {
  for (const status of STATUSES) expect(words.order.status[status], status).toBeTruthy()
  for (const reason of FAIL_REASONS) expect(words.fail[reason], reason).toBeTruthy()
  for (const code of Object.keys(CODES)) expect(words.problem(code)).toMatch(/\.$/)
  expect(words.problem('BAD_FIELD', 'recipient.name')).toContain('name')
})

test('[T8] a standing says how long ago, and nothing while all is well', () => {
  expect(words.signal({ work: 'enroute', signal: 'live', age: 900 })).toBeNull()
  expect(words.signal({ work: 'enroute', signal: 'delayed', age: 34_000 })).toBe('34 seconds ago')
  expect(words.signal({ work: 'late', signal: 'stale', age: 125_000 })).toBe('No signal for 2 minutes')
  expect(words.signal({ work: 'idle', signal: 'offline', age: 7_200_000 })).toBe('Seen 2 hours ago')
  expect(words.signal({ work: 'enroute', signal: 'none', age: null })).toBe('No position yet')
})
