// Tracks in, few bytes out, and back: what Redis keeps of a driver and what nodes tell each other. Big-endian throughout.
//
// A record is: recordedAt f64, seq f64 (the head, by which the newest wins: save.lua reads it), length of the rest u16, then the
// fields of FIELDS in order. Fields are only ever appended: a reader that knows fewer skips the rest, one that knows more takes the
// defaults, so that two versions can share a Redis while one replaces the other.
import type { Phase, Track } from '@doorstep/shared/track'
import type { DriverNo, RunId } from '@doorstep/shared/units'

/** Bytes of the head: fix time and seq. */
export const HEAD_BYTES = 16
const MESSAGE_VERSION = 1

class Out {
  bytes = new Uint8Array(256)
  view = new DataView(this.bytes.buffer)
  at = 0
  room(n: number): number {
    if (this.at + n > this.bytes.length) {
      const bigger = new Uint8Array(Math.max(this.bytes.length * 2, this.at + n))
      bigger.set(this.bytes)
      this.bytes = bigger
      this.view = new DataView(bigger.buffer)
    }
    this.at += n
    return this.at - n
  }
  u8(v: number) {
    const at = this.room(1) // first: it may replace the view
    this.view.setUint8(at, v)
  }
  u16(v: number) {
    const at = this.room(2) // first: it may replace the view
    this.view.setUint16(at, v)
  }
  u32(v: number) {
    const at = this.room(4) // first: it may replace the view
    this.view.setUint32(at, v)
  }
  i32(v: number) {
    const at = this.room(4) // first: it may replace the view
    this.view.setInt32(at, v)
  }
  f32(v: number) {
    const at = this.room(4) // first: it may replace the view
    this.view.setFloat32(at, v)
  }
  f64(v: number) {
    const at = this.room(8) // first: it may replace the view
    this.view.setFloat64(at, v)
  }
  /** Seven bits a byte, low ones first, up to 2^53. */
  varint(v: number) {
    while (v >= 128) {
      this.u8((v % 128) + 128)
      v = Math.floor(v / 128)
    }
    this.u8(v)
  }
  raw(v: Uint8Array) {
    const at = this.room(v.length)
    this.bytes.set(v, at)
  }
  done = () => this.bytes.slice(0, this.at)
}

class In {
  readonly view: DataView
  readonly bytes: Uint8Array
  at = 0
  constructor(bytes: Uint8Array) {
    this.bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }
  private step(n: number): number {
    this.at += n
    return this.at - n
  }
  u8 = () => this.view.getUint8(this.step(1))
  u16 = () => this.view.getUint16(this.step(2))
  u32 = () => this.view.getUint32(this.step(4))
  i32 = () => this.view.getInt32(this.step(4))
  f32 = () => this.view.getFloat32(this.step(4))
  f64 = () => this.view.getFloat64(this.step(8))
  varint(): number {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = this.u8()
      value += (byte % 128) * scale
      if (byte < 128) return value
      if (scale > 2 ** 49) throw new RangeError('a number beyond 2^53')
    }
  }
  raw(n: number): Uint8Array {
    const from = this.step(n)
    if (this.at > this.bytes.length) throw new RangeError('cut off')
    return this.bytes.subarray(from, from + n)
  }
}

interface Kind<T> {
  put(out: Out, value: T): void
  take(from: In): T
}
const clamp = (v: number, most: number) => Math.min(Math.max(Math.round(v), 0), most)
const bool: Kind<boolean> = { put: (out, v) => out.u8(v ? 1 : 0), take: (from) => from.u8() === 1 }
const count: Kind<number> = { put: (out, v) => out.varint(clamp(v, Number.MAX_SAFE_INTEGER)), take: (from) => from.varint() }
const float: Kind<number> = { put: (out, v) => out.f32(v), take: (from) => from.f32() }
/** Steps of `unit` up to 65,534 of them; null has the last number. */
const steps = (unit: number): Kind<number | null> => ({
  put: (out, v) => out.u16(v === null ? 0xffff : clamp(v / unit, 0xfffe)),
  take: (from) => {
    const v = from.u16()
    return v === 0xffff ? null : v * unit
  },
})
/** Millimetres up to 4,294 km: rounding never changes which of two is further. */
const metres: Kind<number> = { put: (out, v) => out.u32(clamp(v * 1000, 0xffff_ffff)), take: (from) => from.u32() / 1000 }
const instant: Kind<number | null> = {
  put: (out, v) => out.f64(v ?? Number.NaN),
  take: (from) => {
    const v = from.f64()
    return Number.isNaN(v) ? null : v
  },
}
/** 1e-7 degrees: 1.1 cm. */
const place: Kind<Track['at']> = {
  put: (out, v) => {
    out.i32(Math.round(v[0] * 1e7))
    out.i32(Math.round(v[1] * 1e7))
  },
  take: (from) => [from.i32() / 1e7, from.i32() / 1e7],
}
const text = new TextEncoder()
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
/** A uuid is 17 bytes, null one, anything else its length and text. */
const id: Kind<string | null> = {
  put(out, v) {
    if (v === null) return out.u8(0)
    if (UUID.test(v)) {
      out.u8(255)
      return out.raw(Uint8Array.from(Buffer.from(v.replaceAll('-', ''), 'hex')))
    }
    const bytes = text.encode(v)
    if (bytes.length > 254) throw new RangeError('an id of more than 254 bytes')
    out.u8(bytes.length)
    out.raw(bytes)
  },
  take(from) {
    const n = from.u8()
    if (n === 0) return null
    if (n < 255) return new TextDecoder().decode(from.raw(n))
    const hex = Buffer.from(from.raw(16)).toString('hex')
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
  },
}
const PHASES: readonly Phase[] = ['enroute', 'approaching', 'arrived']
const phase: Kind<Phase> = {
  put: (out, v) => out.u8(PHASES.indexOf(v)),
  take: (from) => PHASES[from.u8()] ?? 'enroute',
}

type Field<K extends keyof Track = keyof Track> = K extends keyof Track
  ? { readonly key: K; readonly kind: Kind<Track[K]>; readonly absent: Track[K] }
  : never

/** In order of appearance; append, never reorder. `absent` is what a record of an older version is taken to say. */
const FIELDS = [
  { key: 'no', kind: count as Kind<DriverNo>, absent: 0 as DriverNo },
  { key: 'at', kind: place, absent: [0, 0] },
  { key: 'heading', kind: steps(0.01), absent: null },
  { key: 'speed', kind: steps(0.01), absent: null },
  { key: 'accuracy', kind: steps(0.25), absent: null },
  { key: 'run', kind: id as Kind<RunId | null>, absent: null },
  { key: 'routeVersion', kind: count, absent: 0 },
  { key: 'along', kind: metres, absent: 0 },
  { key: 'offRoute', kind: bool, absent: false },
  { key: 'nextStop', kind: count, absent: 0 },
  { key: 'phase', kind: phase, absent: 'enroute' },
  { key: 'arrivedAt', kind: instant, absent: null },
  { key: 'pace', kind: float, absent: 1 },
  { key: 'interval', kind: float, absent: 5 },
  { key: 'kept', kind: bool, absent: true },
  { key: 'still', kind: float, absent: 0 },
  { key: 'waited', kind: float, absent: 0 },
] as const satisfies readonly Field[]

// A field of Track that is not packed would be lost between nodes: then this line does not compile. Append it to FIELDS.
type Lost = Exclude<keyof Track, (typeof FIELDS)[number]['key'] | 'recordedAt' | 'seq'>
const nothingIsLost: [Lost] extends [never] ? true : Lost = true
void nothingIsLost

function put(out: Out, track: Track): void {
  out.f64(track.recordedAt)
  out.f64(track.seq)
  const length = out.room(2)
  for (const field of FIELDS as readonly Field[]) (field.kind as Kind<unknown>).put(out, track[field.key])
  out.view.setUint16(length, out.at - length - 2)
}

function take(from: In): Track {
  const track: Record<string, unknown> = { recordedAt: from.f64(), seq: from.f64() }
  const length = from.u16()
  const body = new In(from.raw(length))
  for (const field of FIELDS as readonly Field[]) track[field.key] = body.at < length ? field.kind.take(body) : field.absent
  return track as unknown as Track
}

/** One record. Places to 1.1 cm, speed to 1 cm/s, heading to 0.01°, accuracy to 0.25 m, metres along to 1 mm. */
export function packTrack(track: Track): Uint8Array {
  const out = new Out()
  put(out, track)
  return out.done()
}

/** Null when the bytes are no record. */
export function unpackTrack(bytes: Uint8Array): Track | null {
  return guarded(() => take(new In(bytes)))
}

/** Many records as one message for the bus: which node tells, and what. */
export function packMessage(node: string, tracks: readonly Track[]): Uint8Array {
  const out = new Out()
  out.u8(MESSAGE_VERSION)
  id.put(out, node)
  out.u32(tracks.length)
  for (const track of tracks) put(out, track)
  return out.done()
}

/** Null when it is no message of ours: another version's, or noise. */
export function unpackMessage(bytes: Uint8Array): { node: string; tracks: Track[] } | null {
  return guarded(() => {
    const from = new In(bytes)
    if (from.u8() !== MESSAGE_VERSION) return null
    const node = id.take(from) ?? ''
    const tracks: Track[] = []
    for (let n = from.u32(); n > 0; n--) tracks.push(take(from))
    return { node, tracks }
  })
}

/** DataView says with a RangeError that the bytes end too early; everything else is a bug. */
function guarded<T>(work: () => T): T | null {
  try {
    return work()
  } catch (error) {
    if (error instanceof RangeError) return null
    throw error
  }
}
