import { lineString, length as turfLength } from '@turf/turf'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { distance, offset } from './geo.ts'
import { headingAt, pointAt, route, slice } from './route.ts'
import type { LngLat } from './units.ts'

const start: LngLat = [11.97, 57.7]
const lines = fc
  .array(fc.tuple(fc.integer({ min: -300, max: 300 }), fc.integer({ min: -300, max: 300 })), { minLength: 1, maxLength: 30 })
  .map((steps) => {
    const line: LngLat[] = [start]
    for (const [east, north] of steps) line.push(offset(line.at(-1)!, east, north))
    return line
  })

test('metres along a line agree with Turf to 0.6 %', () => {
  fc.assert(
    fc.property(lines, (line) => {
      const theirs = turfLength(lineString(line.map((p) => [...p]))) * 1000
      expect(Math.abs(route(line).length - theirs)).toBeLessThanOrEqual(0.006 * theirs)
    }),
  )
})

test('places along a line are on it in order, and a slice is as long as its part', () => {
  fc.assert(
    fc.property(lines, fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true }), (line, a, b) => {
      const r = route(line)
      const [from, to] = a < b ? [a * r.length, b * r.length] : [b * r.length, a * r.length]
      const part = slice(r, from, to)
      const sum = part.slice(1).reduce((m, p, i) => m + distance(part[i]!, p, r.ruler), 0)
      expect(Math.abs(sum - (to - from))).toBeLessThan(0.5)
      expect(headingAt(r, from)).toBeGreaterThanOrEqual(0)
    }),
  )
})

test('a place before the start or beyond the end is the start or the end; equal vertices do no harm', () => {
  const r = route([start, start, offset(start, 100, 0), offset(start, 100, 0)])
  expect(pointAt(r, -5)).toEqual(start)
  expect(distance(pointAt(r, 1e9), offset(start, 100, 0))).toBeLessThan(0.1)
  expect(headingAt(r, 1e9)).toBeCloseTo(90, 0)
})

test('planned seconds are taken only when there is one a segment', () => {
  const line: LngLat[] = [start, offset(start, 100, 0), offset(start, 200, 0)]
  expect([...(route(line, [10, 20]).seconds ?? [])]).toEqual([0, 10, 30])
  expect(route(line, [10]).seconds).toBeNull()
  expect(route(line, [10, -1]).seconds).toBeNull()
  expect(route(line, [10, Number.NaN]).seconds).toBeNull()
})

test('a line of one vertex or with a number that is none is a bug of the caller', () => {
  expect(() => route([start])).toThrow('1 vertices')
  expect(() => route([start, [Number.NaN, 0]])).toThrow('vertex 1')
})
