// An extract in; the streets a van can drive, cut at junctions and each reachable from every other, out as flat arrays that load at once.
import { bearing, distance, type Ruler, ruler, turn } from '@doorstep/shared/geo'
import type { LngLat, Metres, Seconds } from '@doorstep/shared/units'
import { type Drive, drive, junctionSeconds, KINDS, turnSeconds } from './drivable.ts'
import { type Extract, FIXED } from './ways.ts'

/** Bits of `open`. */
export const FORWARD = 1
export const BACKWARD = 2

/**
 * n junctions and m pieces of street between them. Flat arrays, because they are written to and read from a file as they are.
 * Every junction can be reached from every other (the largest strongly connected part), so any two places on pieces have a route.
 */
export interface Streets {
  /** Degrees × 1e7 of junction i. */
  readonly nodeLng: Int32Array
  readonly nodeLat: Int32Array
  /** The junctions at the two ends of piece p. They differ: a loop is cut in its middle. */
  readonly from: Uint32Array
  readonly to: Uint32Array
  /** Vertices first[p] … first[p + 1] − 1 of `shape` (lng, lat, lng, lat… × 1e7) are piece p's, both ends included. */
  readonly first: Uint32Array
  readonly shape: Int32Array
  /** Index in KINDS. */
  readonly kind: Uint8Array
  readonly open: Uint8Array
  /** 1 on a bridge or in a tunnel. */
  readonly lifted: Uint8Array
  /** Metres a second on an empty stretch. */
  readonly speed: Float32Array
  /** Seconds of plain driving over the whole piece, bends included, waits at its end not. */
  readonly seconds: Float32Array
  /** Seconds lost at the junction at the end, [2p] driving forward (at `to`), [2p + 1] driving backward (at `from`). */
  readonly wait: Float32Array
  /** Index in `names`; 0 is no name. */
  readonly name: Uint32Array
  readonly names: readonly string[]
}

export const vertex = (s: Streets, i: number): LngLat => [s.shape[2 * i]! / FIXED, s.shape[2 * i + 1]! / FIXED]

/** Throws when the extract has no street that leads back to where it began. */
export function toStreets(extract: Extract): Streets {
  const pieces = cut(extract)
  const kept = connected(pieces, extract.lng.length)
  if (kept.length === 0) throw new Error(`${extract.name} has no connected streets`)
  return pack(extract, kept)
}

interface Piece {
  refs: Uint32Array
  drive: Drive
  name: string
}

function cut(extract: Extract): Piece[] {
  const uses = new Uint8Array(extract.lng.length)
  const drives = extract.ways.map((way) => drive(way.tags))
  extract.ways.forEach((way, w) => {
    if (!drives[w]) return
    way.refs.forEach((ref, i) => {
      uses[ref] = Math.min(2, uses[ref]! + (i === 0 || i === way.refs.length - 1 ? 2 : 1))
    })
  })
  const pieces: Piece[] = []
  extract.ways.forEach((way, w) => {
    const d = drives[w]
    if (!d) return
    const name = way.tags.name?.trim() ?? ''
    let start = 0
    for (let i = 1; i < way.refs.length; i++) {
      if (uses[way.refs[i]!]! < 2) continue
      const refs = way.refs.subarray(start, i + 1)
      start = i
      if (refs[0] !== refs[refs.length - 1]) pieces.push({ refs, drive: d, name })
      else if (refs.length > 2) {
        const half = refs.length >> 1
        pieces.push({ refs: refs.subarray(0, half + 1), drive: d, name }, { refs: refs.subarray(half), drive: d, name })
      }
    }
  })
  return pieces
}

/** The pieces whose ends both lie in the largest strongly connected part (Tarjan 1972, with a stack of our own: streets are deep). */
function connected(pieces: readonly Piece[], vertices: number): Piece[] {
  const out: number[][] = []
  const node = new Int32Array(vertices).fill(-1)
  const nodeOf = (ref: number): number => {
    if (node[ref] === -1) node[ref] = out.push([]) - 1
    return node[ref]!
  }
  for (const { refs, drive: d } of pieces) {
    const a = nodeOf(refs[0]!)
    const b = nodeOf(refs[refs.length - 1]!)
    if (d.forward) out[a]!.push(b)
    if (d.backward) out[b]!.push(a)
  }
  const n = out.length
  const order = new Int32Array(n).fill(-1)
  const low = new Int32Array(n)
  const part = new Int32Array(n).fill(-1)
  const sizes: number[] = []
  const open: number[] = []
  const next = new Int32Array(n)
  let clock = 0
  for (let root = 0; root < n; root++) {
    if (order[root] !== -1) continue
    const path = [root]
    while (path.length > 0) {
      const v = path[path.length - 1]!
      if (order[v] === -1) {
        order[v] = low[v] = clock++
        open.push(v)
      }
      const w = out[v]![next[v]!]
      if (w !== undefined) {
        next[v] = next[v]! + 1
        if (order[w] === -1) path.push(w)
        else if (part[w] === -1) low[v] = Math.min(low[v]!, order[w]!)
        continue
      }
      path.pop()
      const parent = path[path.length - 1]
      if (parent !== undefined) low[parent] = Math.min(low[parent]!, low[v]!)
      if (low[v] !== order[v]) continue
      let size = 0
      for (let w = -1; w !== v; size++) {
        w = open.pop()!
        part[w] = sizes.length
      }
      sizes.push(size)
    }
  }
  const largest = sizes.indexOf(Math.max(1, ...sizes))
  if ((sizes[largest] ?? 0) < 2) return []
  const inside = (ref: number) => part[node[ref]!] === largest
  return pieces.filter(({ refs }) => inside(refs[0]!) && inside(refs[refs.length - 1]!))
}

function pack(extract: Extract, pieces: readonly Piece[]): Streets {
  const m = pieces.length
  const index = new Map<number, number>()
  const nodeOf = (ref: number): number => {
    const known = index.get(ref)
    if (known !== undefined) return known
    index.set(ref, index.size)
    return index.size - 1
  }
  const names: string[] = ['']
  const nameIndex = new Map<string, number>([['', 0]])
  const from = new Uint32Array(m)
  const to = new Uint32Array(m)
  const first = new Uint32Array(m + 1)
  const shape = new Int32Array(2 * pieces.reduce((sum, p) => sum + p.refs.length, 0))
  const kind = new Uint8Array(m)
  const open = new Uint8Array(m)
  const lifted = new Uint8Array(m)
  const speed = new Float32Array(m)
  const seconds = new Float32Array(m)
  const name = new Uint32Array(m)
  pieces.forEach((piece, p) => {
    from[p] = nodeOf(piece.refs[0]!)
    to[p] = nodeOf(piece.refs[piece.refs.length - 1]!)
    let at = first[p]!
    for (const ref of piece.refs) {
      shape[2 * at] = extract.lng[ref]!
      shape[2 * at + 1] = extract.lat[ref]!
      at++
    }
    first[p + 1] = at
    kind[p] = KINDS.indexOf(piece.drive.kind)
    open[p] = (piece.drive.forward ? FORWARD : 0) | (piece.drive.backward ? BACKWARD : 0)
    lifted[p] = piece.drive.lifted ? 1 : 0
    speed[p] = piece.drive.speed
    let known = nameIndex.get(piece.name)
    if (known === undefined) {
      known = names.push(piece.name) - 1
      nameIndex.set(piece.name, known)
    }
    name[p] = known
  })
  const nodeLng = new Int32Array(index.size)
  const nodeLat = new Int32Array(index.size)
  for (const [ref, i] of index) {
    nodeLng[i] = extract.lng[ref]!
    nodeLat[i] = extract.lat[ref]!
  }
  const streets: Streets = {
    nodeLng,
    nodeLat,
    from,
    to,
    first,
    shape,
    kind,
    open,
    lifted,
    speed,
    seconds,
    wait: new Float32Array(2 * m),
    name,
    names,
  }
  const r = ruler((vertex(streets, 0)[1] + vertex(streets, first[m]! - 1)[1]) / 2)
  for (let p = 0; p < m; p++) seconds[p] = driveSeconds(streets, p, r)
  fillWaits(streets)
  return streets
}

function driveSeconds(s: Streets, p: number, r: Ruler): Seconds {
  const v = s.speed[p]!
  let metres: Metres = 0
  let bends: Seconds = 0
  let before = -1
  for (let i = s.first[p]!; i + 1 < s.first[p + 1]!; i++) {
    const a = vertex(s, i)
    const b = vertex(s, i + 1)
    metres += distance(a, b, r)
    const direction = bearing(a, b, r)
    if (before >= 0) bends += turnSeconds(turn(before, direction), v, v)
    before = direction
  }
  return metres / v + bends
}

/** At each junction of three or more: what meets me there, my own street's continuation left out, counted half where it is one-way (half the traffic). */
function fillWaits(s: Streets): void {
  const arms: number[][] = Array.from({ length: s.nodeLng.length }, () => [])
  for (let p = 0; p < s.from.length; p++) {
    arms[s.from[p]!]!.push(p)
    arms[s.to[p]!]!.push(p)
  }
  const waitAt = (node: number, p: number): Seconds => {
    const others = arms[node]!.filter((q) => q !== p)
    if (others.length < 2) return 0
    const straight = others.findIndex((q) => s.kind[q] === s.kind[p] && (s.name[q] === s.name[p] || others.length === 2))
    if (straight >= 0) others.splice(straight, 1)
    const own = KINDS[s.kind[p]!]!
    return Math.max(...others.map((q) => junctionSeconds(own, KINDS[s.kind[q]!]!) * (s.open[q] === (FORWARD | BACKWARD) ? 1 : 0.5)))
  }
  for (let p = 0; p < s.from.length; p++) {
    if (s.open[p]! & FORWARD) s.wait[2 * p] = waitAt(s.to[p]!, p)
    if (s.open[p]! & BACKWARD) s.wait[2 * p + 1] = waitAt(s.from[p]!, p)
  }
}
