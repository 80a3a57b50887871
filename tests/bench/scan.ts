// A line in, metres still to go out, by the plainest windowed scan: what the floor and the Turf-less baseline use.

export interface Prepared {
  readonly x: Float64Array
  readonly y: Float64Array
  readonly cum: Float64Array
  readonly kx: number
  readonly ky: number
}
export interface Cursor {
  i: number
  s: number
}

export function prepare(line: readonly (readonly [number, number])[]): Prepared {
  const n = line.length
  const ky = 111_320
  const kx = ky * Math.cos((line[n >> 1]![1] * Math.PI) / 180)
  const x = Float64Array.from(line, (p) => p[0] * kx)
  const y = Float64Array.from(line, (p) => p[1] * ky)
  const cum = new Float64Array(n)
  for (let i = 1; i < n; i++) cum[i] = cum[i - 1]! + Math.hypot(x[i]! - x[i - 1]!, y[i]! - y[i - 1]!)
  return { x, y, cum, kx, ky }
}

/** Nearest point within 3 segments behind and 12 ahead; the whole line when that is more than 50 m off. */
export function progress(r: Prepared, cursor: Cursor, lng: number, lat: number): number {
  const px = lng * r.kx
  const py = lat * r.ky
  const last = r.x.length - 1
  let from = Math.max(0, cursor.i - 3)
  let to = Math.min(last, cursor.i + 12)
  for (let pass = 0; pass < 2; pass++) {
    let best = Number.POSITIVE_INFINITY
    for (let i = from; i < to; i++) {
      const dx = r.x[i + 1]! - r.x[i]!
      const dy = r.y[i + 1]! - r.y[i]!
      const qx = px - r.x[i]!
      const qy = py - r.y[i]!
      const l2 = dx * dx + dy * dy
      const t = l2 > 0 ? Math.min(1, Math.max(0, (qx * dx + qy * dy) / l2)) : 0
      const d2 = (qx - t * dx) ** 2 + (qy - t * dy) ** 2
      if (d2 < best) {
        best = d2
        cursor.i = i
        cursor.s = r.cum[i]! + t * (r.cum[i + 1]! - r.cum[i]!)
      }
    }
    if (best <= 2500) break
    from = 0
    to = last
  }
  return r.cum[last]! - cursor.s
}
