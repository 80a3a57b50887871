// Who moved, in; the bytes that one dispatcher's map window needs, out: stateless fleet frames, and their decoder for the browser.
import type { Fault } from './codes.ts'
import { fail, ok, type Result } from './result.ts'
import type { Bbox, Degrees, DriverNo, LngLat, MetresPerSecond, Millis } from './units.ts'

/*
 * A grid of 0.02° cells; a place is a whole number of 1e-5° (1.1 m) from the south-west corner of its cell.
 *   positions  u8 0x10 · u48 now · cells        cell  varint column · varint row · varint n · n × driver
 *   driver     varint gap of the number · u16 east · u16 north · u8 heading/2 (255 unknown) · u8 speed × 2 (255 unknown)
 *   counts     u8 0x11 · u48 now · u8 k · cells of 0.02° × 2^k     cell  varint column · varint row · varint n
 * A tick encodes each driver once, in the order of rows and columns, so that a window is one run of bytes a row. Numbers are big-endian.
 */
const POSITIONS = 0x10
const COUNTS = 0x11
const UNIT = 1e5
const CELL = 2_000
const COLUMNS = 18_000
const ROWS = 9_001
const HEAD = 7

/** What a frame tells of a driver. */
export interface Mover {
  readonly no: DriverNo
  readonly at: LngLat
  readonly heading: Degrees | null
  readonly speed: MetresPerSecond | null
}

/** One entry a driver in each array; NaN is unknown. Arrays, since a page reads 5,000 of them a second. */
export interface Positions {
  readonly kind: 'positions'
  /** Server's clock when the frame was made. */
  readonly now: Millis
  readonly count: number
  readonly no: Uint32Array
  readonly lng: Float64Array
  readonly lat: Float64Array
  /** Degrees. */
  readonly heading: Float32Array
  /** m/s. */
  readonly speed: Float32Array
}
/** How many drivers are in each cell, whole each time; `size` is a cell's side in degrees. */
export interface Counts {
  readonly kind: 'counts'
  readonly now: Millis
  readonly size: number
  readonly cells: readonly { readonly at: LngLat; readonly count: number }[]
}

/** One tick, encoded. */
export interface FleetTick {
  readonly count: number
  /** Who moved inside the window, or null when nobody did. Equal windows (by cells) get the same bytes. */
  frame(view: Bbox): Uint8Array | null
}

/** Encodes each of `numbers` once; `of` gives the driver of a number. Numbers may come in any order, each once, below 2^24. */
export function fleetTick(numbers: readonly DriverNo[], of: (no: DriverNo) => Mover, now: Millis): FleetTick {
  const n = numbers.length
  // cell × 2^24 + number: sorted as plain numbers, without a comparator.
  const keys = new Float64Array(n)
  for (let i = 0; i < n; i++) {
    const no = numbers[i]!
    const { at } = of(no)
    keys[i] = (row(at[1]) * COLUMNS + column(at[0])) * 0x1000000 + no
  }
  keys.sort()
  const w = new Writer(64 + n * 14)
  const cells: number[] = []
  const starts: number[] = []
  for (let i = 0; i < n; ) {
    const cell = Math.floor(keys[i]! / 0x1000000)
    let j = i + 1
    while (j < n && Math.floor(keys[j]! / 0x1000000) === cell) j++
    cells.push(cell)
    starts.push(w.at)
    w.varint(cell % COLUMNS)
    w.varint(Math.floor(cell / COLUMNS))
    w.varint(j - i)
    let before = 0
    for (; i < j; i++) {
      const no = (keys[i]! % 0x1000000) as DriverNo
      const mover = of(no)
      w.varint(no - before)
      before = no
      w.u16(eastUnits(mover.at[0]) % CELL)
      w.u16(northUnits(mover.at[1]) % CELL)
      w.u8(mover.heading === null ? 255 : Math.round(mover.heading / 2) % 180)
      w.u8(mover.speed === null ? 255 : Math.min(254, Math.round(mover.speed * 2)))
    }
  }
  starts.push(w.at)
  const made = new Map<string, Uint8Array | null>()
  return {
    count: n,
    frame(view) {
      const area = areaOf(view)
      const name = area.join()
      let bytes = made.get(name)
      if (bytes === undefined) {
        bytes = cut(w.bytes, cells, starts, area, now)
        made.set(name, bytes)
      }
      return bytes
    },
  }
}

/** Columns and rows of a window, inclusive; when west > east it crosses the antimeridian. */
type Area = readonly [west: number, south: number, east: number, north: number]
const areaOf = ([west, south, east, north]: Bbox): Area =>
  east - west >= 360 ? [0, row(south), COLUMNS - 1, row(north)] : [column(west), row(south), column(east), row(north)]

function cut(bytes: Uint8Array, cells: readonly number[], starts: readonly number[], area: Area, now: Millis): Uint8Array | null {
  const [west, south, east, north] = area
  const runs: number[] = []
  let size = 0
  const add = (from: number, to: number) => {
    const a = starts[lowerBound(cells, from)]!
    const b = starts[lowerBound(cells, to + 1)]!
    if (b <= a) return
    runs.push(a, b)
    size += b - a
  }
  for (let at = lowerBound(cells, south * COLUMNS); at < cells.length; ) {
    const r = Math.floor(cells[at]! / COLUMNS)
    if (r > north) break
    const first = r * COLUMNS
    if (west <= east) add(first + west, first + east)
    else {
      add(first, first + east)
      add(first + west, first + COLUMNS - 1)
    }
    at = lowerBound(cells, first + COLUMNS)
  }
  if (size === 0) return null
  const out = new Uint8Array(HEAD + size)
  head(out, POSITIONS, now)
  for (let i = 0, o = HEAD; i < runs.length; i += 2) {
    out.set(bytes.subarray(runs[i]!, runs[i + 1]!), o)
    o += runs[i + 1]! - runs[i]!
  }
  return out
}

/** Index of the first entry that is not below `value`. */
function lowerBound(sorted: readonly number[], value: number): number {
  let lo = 0
  let hi = sorted.length
  while (lo < hi) {
    const mid = (lo + hi) >> 1
    if (sorted[mid]! < value) lo = mid + 1
    else hi = mid
  }
  return lo
}

/** How many of `movers` are in each cell of the window; cells grow by doubling until at most 64 lie across it. */
export function fleetCounts(movers: Iterable<Mover>, view: Bbox, now: Millis): Uint8Array {
  const [west, south, east, north] = areaOf(view)
  const across = Math.max(west <= east ? east - west : east - west + COLUMNS, north - south) + 1
  let k = 0
  while (across / 2 ** k > 64) k++
  const counts = new Map<number, number>()
  for (const { at } of movers) {
    const c = column(at[0])
    const r = row(at[1])
    if (r < south || r > north || (west <= east ? c < west || c > east : c < west && c > east)) continue
    const cell = Math.floor(r / 2 ** k) * COLUMNS + Math.floor(c / 2 ** k)
    counts.set(cell, (counts.get(cell) ?? 0) + 1)
  }
  const w = new Writer(HEAD + 1 + counts.size * 9)
  for (let i = 0; i < HEAD; i++) w.u8(0)
  w.u8(k)
  for (const [cell, count] of counts) {
    w.varint(cell % COLUMNS)
    w.varint(Math.floor(cell / COLUMNS))
    w.varint(count)
  }
  const out = w.bytes.slice(0, w.at)
  head(out, COUNTS, now)
  return out
}

/** Reads a frame of either kind. Anything that isn't one, or is cut short, is BAD_FIELD; it never throws and reads no byte twice. */
export function decodeFrame(bytes: Uint8Array): Result<Positions | Counts, Fault> {
  const bad = fail({ code: 'BAD_FIELD', field: 'frame' } as const)
  if (bytes.length < HEAD) return bad
  const now = readNow(bytes)
  const r = new Reader(bytes, HEAD)
  if (bytes[0] === COUNTS) {
    const k = r.u8()
    if (k > 14) return bad
    const size = (CELL * 2 ** k) / UNIT
    const cells: { at: LngLat; count: number }[] = []
    while (r.more()) {
      const c = r.varint()
      const w = r.varint()
      const count = r.varint()
      if (r.failed || c >= COLUMNS || w >= ROWS) return bad
      cells.push({ at: [Math.min(180, -180 + (c + 0.5) * size), Math.min(90, -90 + (w + 0.5) * size)], count })
    }
    return r.failed ? bad : ok({ kind: 'counts', now, size, cells })
  }
  if (bytes[0] !== POSITIONS) return bad
  // A driver is at least 7 bytes: the arrays can't be made too small, nor larger than the message warrants.
  const most = Math.floor((bytes.length - HEAD) / 7)
  const no = new Uint32Array(most)
  const lng = new Float64Array(most)
  const lat = new Float64Array(most)
  const heading = new Float32Array(most)
  const speed = new Float32Array(most)
  let count = 0
  while (r.more()) {
    const c = r.varint()
    const w = r.varint()
    const n = r.varint()
    if (r.failed || c >= COLUMNS || w >= ROWS || n > most - count) return bad
    let number = 0
    for (let i = 0; i < n; i++, count++) {
      number += r.varint()
      const east = r.u16()
      const north = r.u16()
      const h = r.u8()
      const s = r.u8()
      if (r.failed || east >= CELL || north >= CELL || number > 0xffffff || (h >= 180 && h !== 255)) return bad
      no[count] = number
      lng[count] = (c * CELL + east) / UNIT - 180
      lat[count] = Math.min(90, (w * CELL + north) / UNIT - 90)
      heading[count] = h === 255 ? Number.NaN : h * 2
      speed[count] = s === 255 ? Number.NaN : s / 2
    }
  }
  if (r.failed) return bad
  return ok({
    kind: 'positions',
    now,
    count,
    no: no.subarray(0, count),
    lng: lng.subarray(0, count),
    lat: lat.subarray(0, count),
    heading: heading.subarray(0, count),
    speed: speed.subarray(0, count),
  })
}

const eastUnits = (lng: number): number => ((Math.round((lng + 180) * UNIT) % (COLUMNS * CELL)) + COLUMNS * CELL) % (COLUMNS * CELL)
const northUnits = (lat: number): number => Math.min(180 * UNIT, Math.max(0, Math.round((lat + 90) * UNIT)))
const column = (lng: number): number => Math.floor(eastUnits(lng) / CELL)
const row = (lat: number): number => Math.floor(northUnits(lat) / CELL)

function head(out: Uint8Array, kind: number, now: Millis): void {
  out[0] = kind
  const high = Math.floor(now / 0x100000000)
  out[1] = high >>> 8
  out[2] = high
  out[3] = now / 0x1000000
  out[4] = now / 0x10000
  out[5] = now / 0x100
  out[6] = now
}
function readNow(b: Uint8Array): Millis {
  return (b[1]! * 0x100 + b[2]!) * 0x100000000 + (b[3]! * 0x1000000 + b[4]! * 0x10000 + b[5]! * 0x100 + b[6]!)
}

/** Bytes written in order into a buffer that grows. */
class Writer {
  bytes: Uint8Array
  at = 0
  constructor(size: number) {
    this.bytes = new Uint8Array(size)
  }
  u8(value: number): void {
    if (this.at === this.bytes.length) this.grow()
    this.bytes[this.at++] = value
  }
  u16(value: number): void {
    this.u8(value >> 8)
    this.u8(value & 255)
  }
  /** 7 bits a byte, low ones first. */
  varint(value: number): void {
    let v = value
    while (v > 127) {
      this.u8((v & 127) | 128)
      v = Math.floor(v / 128)
    }
    this.u8(v)
  }
  private grow(): void {
    const wider = new Uint8Array(this.bytes.length * 2 + 16)
    wider.set(this.bytes)
    this.bytes = wider
  }
}

/** Reads within bounds: past the end it answers 0 and `failed` turns true. */
class Reader {
  private readonly bytes: Uint8Array
  private at: number
  failed = false
  constructor(bytes: Uint8Array, at: number) {
    this.bytes = bytes
    this.at = at
  }
  more(): boolean {
    return !this.failed && this.at < this.bytes.length
  }
  u8(): number {
    if (this.at >= this.bytes.length) {
      this.failed = true
      return 0
    }
    return this.bytes[this.at++]!
  }
  u16(): number {
    return this.u8() * 256 + this.u8()
  }
  /** At most four bytes, which is enough for every number in a frame. */
  varint(): number {
    let value = 0
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.u8()
      value += (byte & 127) * 2 ** shift
      if (byte < 128) return value
    }
    this.failed = true
    return 0
  }
}
