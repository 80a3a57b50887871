// Streets in, once; places snapped onto them and quickest ways between such places out.
import { setImmediate as breathe } from 'node:timers/promises'
import { bearing, type Ruler, ruler, turn } from '@doorstep/shared/geo'
import type { Degrees, LngLat, Metres, Seconds } from '@doorstep/shared/units'
import KDBush from 'kdbush'
import createGraph, { type Graph, type Link } from 'ngraph.graph'
import { nba } from 'ngraph.path'
import { KINDS } from './drivable.ts'
import { BACKWARD, FORWARD, type Streets, vertex } from './streets.ts'
import { FIXED } from './ways.ts'

/** A place on a piece of street: on the segment that begins at vertex `segment`, at the fraction `t` of it. */
export interface Snap {
  readonly piece: number
  readonly segment: number
  readonly t: number
  readonly at: LngLat
  /** From the place that was asked for. */
  readonly away: Metres
}

/** A piece driven from one place on it to another; `from` or `to` absent: from or to its end. */
export interface Step {
  readonly piece: number
  readonly forward: boolean
  readonly from?: Snap
  readonly to?: Snap
}

/** Which way a vehicle stands on the piece it starts from: `bound` must go on that way if the street allows it, otherwise turning round merely costs. */
export interface Departure {
  readonly forward: boolean
  readonly bound: boolean
}

export interface Finder {
  /** The nearest place on a street within 1,500 m. With a heading, a street that leads that way is preferred to one up to 25 m nearer that does not. */
  snap(at: LngLat, heading?: Degrees): Snap | null
  /** Direction of travel there, driving forward. */
  direction(snap: Snap): Degrees
  /** The quickest way; empty when a and b are one place. Throws if there is none, which strongly connected streets rule out. */
  path(a: Snap, b: Snap, departure?: Departure): Step[]
}

const REACH: readonly Metres[] = [40, 150, 500, 1500]
/** Streets are found by points on them, at most this far apart. */
const SPACING: Metres = 40
/** Turning round in the road, or at its next junction, against driving on. Three-point turns take 15–20 s; on big roads nobody does it. */
const TURN_ROUND: Seconds = 20
const TURN_ROUND_BIG: Seconds = 120

interface Spot {
  x: Metres
  y: Metres
}
interface Drive {
  seconds: Seconds
  piece: number
  forward: boolean
  /** Where a virtual link begins and ends. */
  from?: Snap
  to?: Snap
}

/**
 * Junctions are the nodes of the search and waits at them are in its costs, the sharpness of turns is not: over the embedded city the ways found were
 * 0 % (median) and 0.8 % (worst of 43) slower than those of a search over pairs of pieces, which costs three times the links.
 * Takes about 100 ms for a city of 15,000 junctions, in slices: other work of the process goes on between them.
 */
export async function openFinder(s: Streets): Promise<Finder> {
  const n = s.nodeLng.length
  const r: Ruler = ruler(s.nodeLat[0]! / FIXED)
  const x0 = s.nodeLng[0]! / FIXED
  const y0 = s.nodeLat[0]! / FIXED
  const spot = (at: LngLat): Spot => ({ x: (at[0] - x0) * r.kx, y: (at[1] - y0) * r.ky })

  const graph: Graph<Spot, Drive> = createGraph()
  let fastest = 1
  for (let i = 0; i < n; i++) {
    graph.addNode(i, spot([s.nodeLng[i]! / FIXED, s.nodeLat[i]! / FIXED]))
    if (i % 4000 === 3999) await breathe()
  }
  const link = (a: number, b: number, drive: Drive) => {
    const known = graph.getLink(a, b)
    if (!known) graph.addLink(a, b, drive)
    else if (known.data.seconds > drive.seconds) known.data = drive
  }
  for (let p = 0; p < s.from.length; p++) {
    const a = s.from[p]!
    const b = s.to[p]!
    if (s.open[p]! & FORWARD) link(a, b, { seconds: s.seconds[p]! + s.wait[2 * p]!, piece: p, forward: true })
    if (s.open[p]! & BACKWARD) link(b, a, { seconds: s.seconds[p]! + s.wait[2 * p + 1]!, piece: p, forward: false })
    fastest = Math.max(fastest, s.speed[p]!)
    if (p % 2000 === 1999) await breathe()
  }

  const index = await pointsOnStreets(s, spot)
  await breathe()

  // A vehicle that leaves its first piece and at once comes back along it has turned round at the junction.
  let turning: { piece: number; forward: boolean; cost: Seconds } | null = null
  const finder = nba<Spot, Drive>(graph, {
    oriented: true,
    heuristic: (a, b) => Math.hypot(a.data.x - b.data.x, a.data.y - b.data.y) / fastest,
    distance: (_a, _b, { data }) =>
      turning !== null && data.piece === turning.piece && data.forward === turning.forward
        ? data.seconds + turning.cost
        : data.seconds,
  })

  const fraction = (snap: Snap): number => {
    let before = 0
    let total = 0
    for (let i = s.first[snap.piece]!; i + 1 < s.first[snap.piece + 1]!; i++) {
      const length = segmentLength(s, i, r)
      if (i < snap.segment) before += length
      else if (i === snap.segment) before += length * snap.t
      total += length
    }
    return total > 0 ? before / total : 0
  }

  const direction = (snap: Snap): Degrees => bearing(vertex(s, snap.segment), vertex(s, snap.segment + 1), r)

  return {
    direction,
    snap(at, heading) {
      const here = spot(at)
      for (const reach of REACH) {
        const seen = new Set<number>()
        let best: Snap | null = null
        let least = Number.POSITIVE_INFINITY
        for (const id of index.tree.within(here.x, here.y, reach + SPACING / 2)) {
          const segment = index.segment[id]!
          if (seen.has(segment)) continue
          seen.add(segment)
          const snap = onSegment(s, index.piece[id]!, segment, at, r)
          if (snap.away > reach) continue
          const cost = snap.away + (heading === undefined || leads(s, snap, direction(snap), heading) ? 0 : 25)
          // Ties go to the lower segment, so that the same question has the same answer whatever the order in the tree.
          if (cost < least || (cost === least && best !== null && segment < best.segment)) {
            best = snap
            least = cost
          }
        }
        if (best) return best
      }
      return null
    },
    path(a, b, departure) {
      const ta = fraction(a)
      const tb = fraction(b)
      if (a.piece === b.piece && ta === tb) return []
      const p = a.piece
      const q = b.piece
      const round = KINDS[s.kind[p]!] === 'service' || s.kind[p]! < KINDS.indexOf('secondary') ? TURN_ROUND : TURN_ROUND_BIG
      const extra = (forward: boolean): Seconds | null => {
        if (!(s.open[p]! & (forward ? FORWARD : BACKWARD))) return null
        if (!departure || departure.forward === forward) return 0
        const canGoOn = (s.open[p]! & (departure.forward ? FORWARD : BACKWARD)) !== 0
        return !canGoOn ? 0 : departure.bound ? null : round
      }
      const S = n
      const T = n + 1
      graph.addNode(S, spot(a.at))
      graph.addNode(T, spot(b.at))
      try {
        const out = extra(true)
        const back = extra(false)
        if (out !== null)
          graph.addLink(S, s.to[p]!, { seconds: s.seconds[p]! * (1 - ta) + s.wait[2 * p]! + out, piece: p, forward: true, from: a })
        if (back !== null)
          graph.addLink(S, s.from[p]!, {
            seconds: s.seconds[p]! * ta + s.wait[2 * p + 1]! + back,
            piece: p,
            forward: false,
            from: a,
          })
        if (s.open[q]! & FORWARD) graph.addLink(s.from[q]!, T, { seconds: s.seconds[q]! * tb, piece: q, forward: true, to: b })
        if (s.open[q]! & BACKWARD)
          graph.addLink(s.to[q]!, T, { seconds: s.seconds[q]! * (1 - tb), piece: q, forward: false, to: b })
        const ahead = tb > ta ? out : back
        if (p === q && ahead !== null)
          graph.addLink(S, T, { seconds: s.seconds[p]! * Math.abs(tb - ta) + ahead, piece: p, forward: tb > ta, from: a, to: b })
        turning = departure ? { piece: p, forward: !departure.forward, cost: round } : null
        const nodes = finder.find(S, T)
        if (nodes.length < 2) throw new Error(`no way from piece ${p} to piece ${q}`)
        const steps: Step[] = []
        for (let i = nodes.length - 1; i > 0; i--) {
          const { piece, forward, from, to } = (graph.getLink(nodes[i]!.id, nodes[i - 1]!.id) as Link<Drive>).data
          steps.push({ piece, forward, ...(from && { from }), ...(to && { to }) })
        }
        return steps
      } finally {
        turning = null
        graph.removeNode(S)
        graph.removeNode(T)
      }
    },
  }
}

const segmentLength = (s: Streets, i: number, r: Ruler): Metres =>
  Math.hypot(((s.shape[2 * i + 2]! - s.shape[2 * i]!) / FIXED) * r.kx, ((s.shape[2 * i + 3]! - s.shape[2 * i + 1]!) / FIXED) * r.ky)

/** May a vehicle with this heading be driving there? */
function leads(s: Streets, snap: Snap, direction: Degrees, heading: Degrees): boolean {
  const open = s.open[snap.piece]!
  const off = turn(direction, heading)
  return ((open & FORWARD) !== 0 && off <= 60) || ((open & BACKWARD) !== 0 && off >= 120)
}

function onSegment(s: Streets, piece: number, segment: number, at: LngLat, r: Ruler): Snap {
  const a = vertex(s, segment)
  const b = vertex(s, segment + 1)
  const bx = (b[0] - a[0]) * r.kx
  const by = (b[1] - a[1]) * r.ky
  const px = (at[0] - a[0]) * r.kx
  const py = (at[1] - a[1]) * r.ky
  const l2 = bx * bx + by * by
  const t = l2 > 0 ? Math.min(1, Math.max(0, (px * bx + py * by) / l2)) : 0
  const fixed = (v: number) => Math.round(v * FIXED) / FIXED
  const on: LngLat = [fixed(a[0] + (b[0] - a[0]) * t), fixed(a[1] + (b[1] - a[1]) * t)]
  return { piece, segment, t, at: on, away: Math.hypot(px - t * bx, py - t * by) }
}

async function pointsOnStreets(
  s: Streets,
  spot: (at: LngLat) => Spot,
): Promise<{ tree: KDBush; piece: Uint32Array; segment: Uint32Array }> {
  const xs: number[] = []
  const ys: number[] = []
  const pieces: number[] = []
  const segments: number[] = []
  for (let p = 0; p < s.from.length; p++) {
    if (p % 4000 === 3999) await breathe()
    for (let i = s.first[p]!; i + 1 < s.first[p + 1]!; i++) {
      const a = spot(vertex(s, i))
      const b = spot(vertex(s, i + 1))
      // One point in the middle of each stretch: no place on it is farther than half the spacing from one.
      const parts = Math.max(1, Math.ceil(Math.hypot(b.x - a.x, b.y - a.y) / SPACING))
      for (let k = 0; k < parts; k++) {
        const f = (k + 0.5) / parts
        xs.push(a.x + (b.x - a.x) * f)
        ys.push(a.y + (b.y - a.y) * f)
        pieces.push(p)
        segments.push(i)
      }
    }
  }
  const tree = new KDBush(xs.length, 64, Float32Array)
  for (let k = 0; k < xs.length; k++) tree.add(xs[k]!, ys[k]!)
  tree.finish()
  return { tree, piece: Uint32Array.from(pieces), segment: Uint32Array.from(segments) }
}
