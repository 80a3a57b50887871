// The camera's rule: what the customer came to see is never under a button, the credit line or the sheet.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Stage } from '../../map/port.ts'
import { framing, type Spot } from './framing.ts'

const phone: Stage = { width: 390, height: 388, covered: { top: 0, right: 0, bottom: 44, left: 0 } }
const desktop: Stage = { width: 1024, height: 900, covered: { top: 0, right: 68, bottom: 20, left: 0 } }
const calm = { reach: { width: 300, height: 300 }, labelled: false, canComeCloser: false }

test('the door beside the zoom buttons or at the edge of the stage asks for another view, both in the open does not', () => {
  expect(framing(desktop, { x: 300, y: 500 }, { x: 980, y: 120 }, calm)).not.toBeNull()
  expect(framing(phone, { x: 200, y: 200 }, { x: 380, y: 200 }, calm)).not.toBeNull()
  expect(framing(phone, { x: 200, y: 200 }, { x: 200, y: 40 }, calm)).not.toBeNull()
  expect(framing(phone, { x: 200, y: 340 }, { x: 200, y: 100 }, calm)).not.toBeNull()
  expect(framing(phone, { x: 100, y: 300 }, { x: 300, y: 100 }, calm)).toBeNull()
})

test('a tall stage is used to its foot: a door far down on a desktop is in the open', () => {
  expect(framing(desktop, { x: 800, y: 160 }, { x: 140, y: 820 }, calm)).toBeNull()
})

test('the view that is asked for is one that holds, on every stage', () => {
  const stage = fc.record({
    width: fc.integer({ min: 320, max: 2000 }),
    height: fc.integer({ min: 240, max: 1400 }),
    covered: fc.constantFrom({ top: 0, right: 0, bottom: 44, left: 0 }, { top: 0, right: 68, bottom: 20, left: 0 }),
  })
  fc.assert(
    fc.property(stage, fc.boolean(), fc.boolean(), (on, labelled, swapped) => {
      const asked = framing(on, { x: -10, y: -10 }, { x: 5000, y: 5000 }, { ...calm, labelled })!
      const { top, right, bottom, left } = asked
      expect(Math.max(left + right - on.width, top + bottom - on.height)).toBeLessThan(0)
      // A fitted view puts the two at opposite corners of the room that is left.
      const corners: Spot[] = [
        { x: left, y: top },
        { x: on.width - right, y: on.height - bottom },
      ]
      const [van, door] = swapped ? corners : corners.reverse()
      const reach = { width: on.width - left - right, height: on.height - top - bottom }
      const squeezed = left + right > 0.66 * on.width || top + bottom > 0.66 * on.height
      if (!squeezed) expect(framing(on, van!, door!, { reach, labelled, canComeCloser: true })).toBeNull()
    }),
  )
})

test('the camera comes closer when all that is to be seen has become small, and not while the way between swings wide', () => {
  const closer = { ...calm, canComeCloser: true }
  const near = [
    { x: 180, y: 180 },
    { x: 220, y: 200 },
  ] as const
  expect(framing(phone, ...near, { ...closer, reach: { width: 40, height: 20 } })).not.toBeNull()
  expect(framing(phone, ...near, { ...closer, reach: { width: 40, height: 180 } })).toBeNull()
})
