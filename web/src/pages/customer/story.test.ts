import type { OrderView } from '@doorstep/shared/track'
import type { LngLat } from '@doorstep/shared/units'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Link } from '../../feed/link.ts'
import { clockSpan, clockTime } from '../../ui/format.ts'
import { customerStates, type StateName } from './states.ts'
import { announcement, heardNow, type Known, type Story, tellStory } from './story.ts'

const NOW = Date.UTC(2026, 4, 12, 12, 0)
const STREET: LngLat[] = [
  [11.97, 57.7],
  [11.965, 57.7],
  [11.96, 57.698],
]
const LIVE: Link = { kind: 'live', since: NOW - 60_000, attempt: 0 }
const states = customerStates(NOW, STREET)
const known = (view: OrderView, more: Partial<Known> = {}): Known => ({
  view,
  track: view.track,
  link: LIVE,
  polled: 0,
  heard: view.now,
  ...more,
})
const story = (name: StateName, more: Partial<Known> = {}, later = 0): Story =>
  tellStory(known(states[name], more), NOW + later, NOW + later)
const said = (s: Story) => [s.headline, s.lead, ...s.remarks.map((r) => r.text)].join(' ')

test('[T9] the headline is the window, with minutes and stops beneath', () => {
  const { window: w } = states.far
  expect(story('far')).toMatchObject({
    headline: clockSpan(w!.from, w!.to),
    isWindow: true,
    lead: 'In about 26 minutes · 5 stops before yours',
  })
})

test('[T9] no time that is over is ever shown as one to come, at any second', () => {
  fc.assert(
    fc.property(fc.constantFrom(...(Object.keys(states) as StateName[])), fc.integer({ min: 0, max: 3_600 }), (name, seconds) => {
      const s = story(name, {}, seconds * 1_000)
      const { window: w } = states[name]
      if (!w || states[name].status !== 'out_for_delivery') return
      const now = NOW + seconds * 1_000
      if (w.to <= now) expect(s.isWindow).toBe(false)
      if (s.isWindow && w.from <= now) expect(s.headline).toBe(`By ${clockTime(w.to)}`)
      expect(s.lead).not.toMatch(/-\d/)
    }),
  )
})

test('[T8] a silent van is not said to be anywhere now', () => {
  expect(said(story('near-other-door'))).toContain('close to another customer')
  expect(said(story('near-other-door', {}, 90_000))).toMatch(/^(?!.*close to another).*No signal from the van/)
})

test('an order that names no merchant reads as whole sentences all the same', () => {
  for (const name of Object.keys(states) as StateName[]) {
    const s = tellStory(known({ ...states[name], merchant: '' }), NOW, NOW)
    expect(`${s.title} ${said(s)}`).not.toMatch(/ {2}|^ | [.,]|· *$| · *· /)
    expect(s.lead).toMatch(/^$|^[A-ZÅÄÖ\d]/)
  }
})

test('[T9] an unknown arrival says why', () => {
  expect(story('no-position').lead).toContain('first position')
  expect(story('overdue')).toMatchObject({ scene: 'late', tone: 'warn' })
})

test('[T10] a changed window says when and why, a later one by how much', () => {
  expect(said(story('changed'))).toContain('Earlier stops went faster')
  expect(said(story('late'))).toMatch(/About 25 minutes later than first planned .*An earlier stop took longer/)
  expect(story('far').remarks.map(({ key }) => key)).toEqual(['hidden'])
})

test('[T8] nothing stale is drawn as live: grey vehicle, no minutes, no distance', () => {
  for (const name of ['stale', 'no-signal'] as const) {
    const s = story(name)
    expect(s.vehicle).toBe('grey')
    expect(s.badge?.tone).not.toBe('ok')
    expect(s.lead).not.toMatch(/minute/)
    expect(s.away).toBe('')
    expect(s.remarks[0]?.key).toBe('silent')
  }
  expect(story('near')).toMatchObject({ vehicle: 'live', badge: { text: 'Live' } })
  expect(story('near', {}, 20_000).badge?.text).toBe('Seen 21 seconds ago')
  expect(story('near', {}, 61_000).vehicle).toBe('grey')
})

test('[T8] while the page itself hears nothing, it blames the connection and not the van', () => {
  const cut: Link = { kind: 'offline', since: NOW - 100_000, attempt: 0 }
  const s = story('near', { link: cut }, 100_000)
  expect(s.remarks.map(({ key }) => key)).toEqual(['offline'])
  expect(s).toMatchObject({ vehicle: 'grey', badge: { text: 'Paused' } })
  const down = story('near', { link: { kind: 'reconnecting', since: NOW, attempt: 4 } }, 10_000)
  expect(down.remarks[0]).toMatchObject({ key: 'unreachable', retry: true })
})

test('[F] a short reconnection is not worth a word; polling is no outage', () => {
  const blink = story('near', { link: { kind: 'reconnecting', since: NOW, attempt: 1 } }, 2_000)
  expect(blink).toMatchObject({ vehicle: 'live', remarks: [] })
  const polling = story('near', { link: { kind: 'reconnecting', since: NOW - 60_000, attempt: 5 }, polled: NOW })
  expect(polling.vehicle).toBe('live')
  expect(polling.remarks.map(({ key }) => key)).toEqual(['polling'])
})

test('[V2] why no vehicle is shown is always said while the order is out', () => {
  expect(said(story('far'))).toContain('at most three stops away')
  expect(said(story('near-other-door'))).toContain('private')
  expect(said(story('no-position'))).toContain('first position')
})

test('[V4] before the van sets off and after the end there is no vehicle, and after the end no map', () => {
  for (const name of Object.keys(states) as StateName[]) {
    const { status } = states[name]
    if (status === 'out_for_delivery') continue
    expect(story(name).vehicle).toBe('none')
  }
  for (const name of ['delivered', 'cancelled', 'failed', 'returning', 'lost', 'pickup'] as const)
    expect(story(name).map).toBe(false)
  expect(story('received').map).toBe(true)
})

test('[O1] steps name one present step, except when all is done', () => {
  for (const name of Object.keys(states) as StateName[]) {
    const marks = story(name).steps.map(({ state }) => state)
    const present = marks.filter((state) => state === 'now' || state === 'bad').length
    expect([name, present]).toEqual([name, name === 'delivered' ? 0 : 1])
    expect(marks.lastIndexOf('done')).toBeLessThan(marks.indexOf('todo') < 0 ? marks.length : marks.indexOf('todo'))
  }
})

test('[T9] a listener hears of changes that matter, never of each message', () => {
  const near = story('near')
  const words = (after: Story) => announcement(near.spoken, after.spoken)
  expect(words(story('near', {}, 1_000))).toBe('')
  expect(words(story('near', {}, 61_000))).toBe('There is no signal from the van right now.')
  expect(words(story('here'))).toBe('Elif is at your door.')
  const moved = (ms: number) => {
    const w = states.near.window!
    return story('near', { view: { ...states.near, window: { ...w, from: w.from + ms, to: w.to + ms } } }).spoken
  }
  expect(announcement(near.spoken, moved(90_000))).toBe('')
  expect(announcement(near.spoken, moved(150_000))).toMatch(/^Expected between/)
  // Small changes add up: the window that was told last is what counts.
  const crept = heardNow(near.spoken, moved(90_000))
  expect(announcement(crept, moved(150_000))).toMatch(/^Expected between/)
})
