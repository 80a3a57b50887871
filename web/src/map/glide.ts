// Fixes now and then in, a place for every frame out: one vehicle gliding along its path between fixes, or straight where no path may be shown.
// Pure: times are ms on the server's clock, places degrees, lengths metres.
import { bearing, distance } from '@doorstep/shared/geo'
import { headingAt, pointAt, type Route, route, segmentAt } from '@doorstep/shared/route'
import type { Degrees, LngLat, Metres, MetresPerSecond, Millis, Seconds } from '@doorstep/shared/units'

/** What a view tells of the vehicle. `t` is the time of the fix. */
export interface Sighting {
  readonly t: Millis
  readonly at: LngLat
  readonly speed: MetresPerSecond | null
  readonly heading: Degrees | null
  /** How often sightings are expected. */
  readonly interval: Seconds
}

interface Common {
  readonly seen: Sighting
  /** Server time of the last frame. */
  readonly now: Millis
  readonly at: LngLat
  readonly heading: Degrees | null
  /** Speed of what is drawn. */
  readonly v: MetresPerSecond
}
/** On a path. `s` is what is drawn, `ref` what the newest fix said, metres along; `slip` what is left of a change of path, degrees, fading. */
interface Along extends Common {
  readonly mode: 'along'
  readonly path: Route
  readonly s: Metres
  readonly ref: { readonly s: Metres; readonly v: MetresPerSecond }
  readonly slip: readonly [lng: number, lat: number]
}
/** Without a path: straight from where it was drawn to the newest fix. */
interface Straight extends Common {
  readonly mode: 'straight'
  readonly from: LngLat
  readonly began: Millis
  readonly span: Millis
}
export type Glide = Along | Straight

/** A gap this long is not driven through on the screen: the vehicle is put where it is. */
const SNAP: Metres = 150
/** A sighting this far from the path is not on it: the path may begin further on. */
const BESIDE: Metres = 60
/** Dead reckoning ends after this, whatever the interval. */
const CAP: Seconds = 20
const FADE_MS = 500

/** Prepares a path for gliding; null when there is none to prepare. */
export const glidePath = (line: readonly LngLat[] | null): Route | null => (line && line.length >= 2 ? route(line) : null)

/** Takes a sighting. An older one than the last, or the same again on the same path, changes nothing. */
export function sight(before: Glide | null, seen: Sighting, shown: Route | null, now: Millis): Glide {
  const path = shown && beside(shown, seen.at) <= BESIDE ? shown : null
  if (!before) return path ? begin(seen, path, now) : still(seen, now)
  if (seen.t < before.seen.t) return before
  const samePath = before.mode === 'along' ? before.path === path : path === null
  if (seen.t === before.seen.t && samePath) return before
  const here = advance(before, now)
  if (!path) {
    if (distance(here.at, seen.at) > Math.max(SNAP, 3 * (seen.speed ?? 0) * gap(before, seen))) return still(seen, now)
    const span = Math.min(5_000, Math.max(500, 1_000 * gap(before, seen)))
    return { mode: 'straight', seen, now, at: here.at, heading: here.heading, v: here.v, from: here.at, began: now, span }
  }
  if (here.mode === 'straight' || !samePath) {
    const fresh = begin(seen, path, now)
    if (distance(here.at, fresh.at) > SNAP) return fresh
    // The drawn place is kept and slides over to the new path within a second or two.
    const s = nearest(path, here.at, 0, path.length)
    const on = pointAt(path, s)
    return { ...fresh, s, at: here.at, heading: here.heading, v: here.v, slip: [here.at[0] - on[0], here.at[1] - on[1]] }
  }
  const dt = Math.max(0.2, gap(before, seen))
  const measured = here.ref.s
  const s = nearest(path, seen.at, measured - 60, measured + 60 + 45 * dt, measured + (seen.speed ?? here.ref.v) * dt)
  const v = seen.speed ?? 0.4 * here.ref.v + 0.6 * Math.max(0, (s - measured) / dt)
  const next: Along = { ...here, seen, ref: { s, v: Math.min(45, Math.max(0, v)) } }
  const to = target(next, now).s
  return to - here.s > SNAP ? { ...next, s: to, v: next.ref.v, at: pointAt(path, to) } : next
}

/** The next frame. Never goes back along a path, never faster than the vehicle plus what catching up needs; any step length is right. */
export function advance(g: Glide, now: Millis): Glide {
  const dt = Math.max(0, now - g.now) / 1000
  if (dt === 0) return g
  if (g.mode === 'straight') {
    const share = Math.min(1, (now - g.began) / g.span)
    const at: LngLat = [g.from[0] + (g.seen.at[0] - g.from[0]) * share, g.from[1] + (g.seen.at[1] - g.from[1]) * share]
    const v = distance(g.at, at) / dt
    const way = distance(g.from, g.seen.at) > 3 ? bearing(g.from, g.seen.at) : g.seen.heading
    return { ...g, now, at, v, heading: v > 0.3 ? swing(g.heading, way, dt) : g.heading }
  }
  const to = target(g, now)
  // Critically damped chase of a target that moves at `to.v`, in closed form (T. Lowe, Critically Damped Ease-In/Ease-Out Smoothing,
  // Game Programming Gems 4, 2004): e(t) = (e₀ + (ė₀ + ω e₀) t) e^(−ωt).
  const w = 2.4 / Math.min(2.5, Math.max(0.6, g.seen.interval))
  const e = g.s - target(g, g.now).s
  const d = g.v - to.v
  const k = Math.exp(-w * dt)
  const most = topSpeed(g)
  const wanted = to.s + (e + (d + w * e) * dt) * k
  // A pursuer at speed runs a little past a target that brakes: not past where dead reckoning ends.
  const end = Math.min(g.path.length, g.ref.s + g.ref.v * reckoning(g.seen.interval))
  const s = Math.max(g.s, Math.min(wanted, end, g.s + most * dt))
  const v = s > g.s ? Math.min(most, Math.max(0, to.v + (d - w * (d + w * e) * dt) * k)) : 0
  const fade = Math.exp(-(dt * 1000) / FADE_MS)
  const slip: readonly [number, number] = [g.slip[0] * fade, g.slip[1] * fade]
  const on = pointAt(g.path, s)
  return { ...g, now, s, v, slip, at: [on[0] + slip[0], on[1] + slip[1]], heading: swing(g.heading, tangent(g.path, s), dt) }
}

/** Whether another frame would draw the same: then none need be asked for. */
export function resting(g: Glide): boolean {
  if (g.mode === 'straight') return g.now - g.began >= g.span
  return g.v < 0.02 && g.now - g.seen.t > 1200 * reckoning(g.seen.interval) && Math.abs(g.slip[0]) + Math.abs(g.slip[1]) < 1e-7
}

/**
 * Metres around the drawn place within which the vehicle may be by now: its accuracy, and after one and a half intervals half its
 * speed for each second of silence, up to 400 m. `age` is that of the fix.
 */
export function haloRadius(accuracy: Metres | null, speed: MetresPerSecond | null, age: Millis, interval: Seconds): Metres {
  const silent = Math.max(0, age / 1000 - 1.5 * interval - 2)
  return Math.min(400, Math.min(120, Math.max(10, accuracy ?? 15)) + 0.5 * Math.max(3, speed ?? 8) * silent)
}

/** No faster than this on the screen, m/s: half as fast again as the vehicle, and what closes a gap in good time. */
export const topSpeed = (g: Glide): MetresPerSecond => (g.mode === 'along' ? 15 + 1.5 * g.ref.v : Number.POSITIVE_INFINITY)

/** Metres from a place to the path. */
const beside = (path: Route, at: LngLat): Metres => distance(at, pointAt(path, nearest(path, at, 0, path.length)))
const reckoning = (interval: Seconds): Seconds => Math.min(CAP, 1.5 * Math.max(1, interval))
const gap = (before: Glide, seen: Sighting): Seconds => (seen.t - before.seen.t) / 1000

/** Where the vehicle is thought to be: on at its speed for 1.25 intervals, then braking over half an interval to a stand 1.5 intervals on. */
function target(g: Along, now: Millis): { s: Metres; v: MetresPerSecond } {
  const age = Math.max(0, now - g.seen.t) / 1000
  const { v } = g.ref
  const whole = reckoning(g.seen.interval)
  const braking = whole / 3
  const into = Math.min(braking, Math.max(0, age - (whole - braking / 2)))
  const s = Math.min(g.path.length, g.ref.s + v * (Math.min(age, whole - braking / 2) + into - (into * into) / (2 * braking)))
  return { s, v: s < g.path.length ? v * (1 - into / braking) : 0 }
}

function begin(seen: Sighting, path: Route, now: Millis): Along {
  const s = nearest(path, seen.at, 0, path.length)
  const base: Along = {
    mode: 'along',
    seen,
    now,
    path,
    s,
    v: seen.speed ?? 0,
    ref: { s, v: Math.min(45, seen.speed ?? 0) },
    at: seen.at,
    heading: tangent(path, s),
    slip: [0, 0],
  }
  const to = target(base, now).s
  return { ...base, s: to, at: pointAt(path, to), heading: tangent(path, to) }
}

const still = (seen: Sighting, now: Millis): Straight => ({
  mode: 'straight',
  seen,
  now,
  at: seen.at,
  heading: seen.heading,
  v: 0,
  from: seen.at,
  began: now,
  span: 500,
})

/** Direction over a few metres around `s`: corners are driven round, not snapped through. */
function tangent(path: Route, s: Metres): Degrees {
  const a = pointAt(path, Math.max(0, s - 5))
  const b = pointAt(path, Math.min(path.length, s + 7))
  return distance(a, b) > 1 ? bearing(a, b, path.ruler) : headingAt(path, s)
}

/** Turns by the shorter arc, most of it within a third of a second. */
function swing(from: Degrees | null, to: Degrees | null, dt: Seconds): Degrees | null {
  if (from === null || to === null) return to ?? from
  const arc = ((to - from + 540) % 360) - 180
  return (from + arc * (1 - Math.exp(-dt / 0.16)) + 360) % 360
}

/**
 * Metres along of the point of the path nearest to a place, looked for between `lo` and `hi`; of equals the first. Where the path comes by
 * twice, the pass nearer to what was `expected` wins: ten metres along weigh as much as one beside.
 */
function nearest(path: Route, at: LngLat, lo: Metres, hi: Metres, expected?: Metres): Metres {
  const px = (at[0] - path.line[0]![0]) * path.ruler.kx
  const py = (at[1] - path.line[0]![1]) * path.ruler.ky
  const low = Math.max(0, lo)
  const high = Math.min(path.length, hi)
  let best = low
  let least = Number.POSITIVE_INFINITY
  for (let i = segmentAt(path, low); i < path.cum.length - 1 && path.cum[i]! <= high; i++) {
    const ax = path.x[i]!
    const ay = path.y[i]!
    const bx = path.x[i + 1]! - ax
    const by = path.y[i + 1]! - ay
    const l2 = bx * bx + by * by
    const share = l2 > 0 ? Math.min(1, Math.max(0, ((px - ax) * bx + (py - ay) * by) / l2)) : 0
    const s = Math.min(high, Math.max(low, path.cum[i]! + share * Math.sqrt(l2)))
    const off = Math.hypot(px - ax - share * bx, py - ay - share * by, expected === undefined ? 0 : (s - expected) / 10)
    if (off < least - 1e-9) {
      least = off
      best = s
    }
  }
  return best
}
