// Tracks in, one packed message for the other nodes out, and back. Numbers are little-endian; unknown is NaN.
import type { Phase, Track } from '@doorstep/shared/track'
import type { DriverNo, RunId } from '@doorstep/shared/units'

/*
 * u8 version · u8 length of the node's name · the name · tracks
 * track: u32 no · f64 recordedAt · f64 seq · f64 lng · f64 lat · f32 heading · f32 speed · f32 accuracy · f64 along · u32 routeVersion · u16 nextStop ·
 *        u8 phase · u8 flags (1 offRoute, 2 kept) · f64 arrivedAt · f32 pace · f32 interval · u8 length of the run's id · the id
 */
const VERSION = 1
const FIXED = 81
const PHASES: readonly Phase[] = ['enroute', 'approaching', 'arrived']

/** `node` lets a receiver drop what it sent itself. */
export function pack(node: string, tracks: readonly Track[]): Uint8Array {
  const out = Buffer.allocUnsafe(2 + Buffer.byteLength(node) + tracks.reduce((sum, t) => sum + FIXED + (t.run ?? '').length, 0))
  out[0] = VERSION
  const named = out.write(node, 2)
  out[1] = named
  let o = 2 + named
  for (const t of tracks) {
    out.writeUInt32LE(t.no, o)
    out.writeDoubleLE(t.recordedAt, o + 4)
    out.writeDoubleLE(t.seq, o + 12)
    out.writeDoubleLE(t.at[0], o + 20)
    out.writeDoubleLE(t.at[1], o + 28)
    out.writeFloatLE(t.heading ?? Number.NaN, o + 36)
    out.writeFloatLE(t.speed ?? Number.NaN, o + 40)
    out.writeFloatLE(t.accuracy ?? Number.NaN, o + 44)
    out.writeDoubleLE(t.along, o + 48)
    out.writeUInt32LE(t.routeVersion, o + 56)
    out.writeUInt16LE(Math.min(65_535, t.nextStop), o + 60)
    out[o + 62] = PHASES.indexOf(t.phase)
    out[o + 63] = (t.offRoute ? 1 : 0) | (t.kept ? 2 : 0)
    out.writeDoubleLE(t.arrivedAt ?? Number.NaN, o + 64)
    out.writeFloatLE(t.pace, o + 72)
    out.writeFloatLE(t.interval, o + 76)
    const run = t.run ?? ''
    out[o + 80] = run.length
    out.write(run, o + FIXED, 'latin1')
    o += FIXED + run.length
  }
  return out
}

/** Null when it is not a message of this version, or cut short: another node's mistake must not stop this one. */
export function unpack(message: Uint8Array): { node: string; tracks: Track[] } | null {
  const b = Buffer.from(message.buffer, message.byteOffset, message.byteLength)
  if (b.length < 2 || b[0] !== VERSION || b.length < 2 + b[1]!) return null
  const node = b.toString('utf8', 2, 2 + b[1]!)
  const tracks: Track[] = []
  const known = (value: number) => (Number.isNaN(value) ? null : value)
  for (let o = 2 + b[1]!; o < b.length; ) {
    if (b.length < o + FIXED || b.length < o + FIXED + b[o + 80]!) return null
    const phase = PHASES[b[o + 62]!]
    const run = b.toString('latin1', o + FIXED, o + FIXED + b[o + 80]!)
    if (phase === undefined) return null
    tracks.push({
      no: b.readUInt32LE(o) as DriverNo,
      recordedAt: b.readDoubleLE(o + 4),
      seq: b.readDoubleLE(o + 12),
      at: [b.readDoubleLE(o + 20), b.readDoubleLE(o + 28)],
      heading: known(b.readFloatLE(o + 36)),
      speed: known(b.readFloatLE(o + 40)),
      accuracy: known(b.readFloatLE(o + 44)),
      along: b.readDoubleLE(o + 48),
      routeVersion: b.readUInt32LE(o + 56),
      nextStop: b.readUInt16LE(o + 60),
      phase,
      offRoute: (b[o + 63]! & 1) !== 0,
      kept: (b[o + 63]! & 2) !== 0,
      arrivedAt: known(b.readDoubleLE(o + 64)),
      pace: b.readFloatLE(o + 72),
      interval: b.readFloatLE(o + 76),
      run: run === '' ? null : (run as RunId),
    })
    o += FIXED + run.length
  }
  return { node, tracks }
}
