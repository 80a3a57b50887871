// The stage, what lies over it, and where the vehicle and the door are drawn in; whether the camera must move, and the room it must leave, out. Pure, CSS pixels.
import type { Padding, Stage } from '../../map/port.ts'

export interface Spot {
  readonly x: number
  readonly y: number
}

/** How much of the stage all that is to be seen takes: both and the way between. */
export interface Reach {
  readonly width: number
  readonly height: number
}

/** Half a vehicle and a little air. */
const VAN = 30
/** The pin stands on its point, so it needs its height above the door. */
const PIN = 62
/** Half of the label below a silent vehicle, and its line. */
const LABEL = 92
const LINE = 24
/** When all takes less than this share of the stage, the camera comes closer. */
const SMALL = 0.28

/**
 * The padding of a new view of both, or null while the present one is good: each of them wholly in the part that nothing covers. `anew` asks for one in any case. A new view
 * leaves more room than it must, so that a moving vehicle does not ask for another one each second.
 */
export function framing(
  stage: Stage,
  van: Spot,
  door: Spot,
  now: { reach: Reach; labelled: boolean; canComeCloser: boolean },
  anew = false,
): Padding | null {
  const { width, height, covered } = stage
  const side = now.labelled ? LABEL : VAN
  const below = VAN + (now.labelled ? LINE : 0)
  const within = ({ x, y }: Spot, across: number, up: number, down: number) =>
    x >= covered.left + across &&
    x <= width - covered.right - across &&
    y >= covered.top + up &&
    y <= height - covered.bottom - down
  const spread = Math.max(now.reach.width / width, now.reach.height / height)
  const good = within(van, side, VAN, below) && within(door, VAN, PIN, 8)
  if (!anew && good && !(now.canComeCloser && spread < SMALL)) return null
  const spare = { x: Math.max(20, width * 0.07), y: Math.max(16, height * 0.07) }
  const [left, right] = share(covered.left + side + spare.x, covered.right + side + spare.x, width)
  const [top, bottom] = share(covered.top + PIN + spare.y, covered.bottom + below + spare.y, height)
  return { top, right, bottom, left }
}

/** No engine fits anything between paddings that leave no room: a third is kept free. */
function share(a: number, b: number, whole: number): [number, number] {
  const k = Math.min(1, (0.67 * whole) / (a + b))
  return [Math.round(a * k), Math.round(b * k)]
}
