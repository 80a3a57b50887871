// The compact binary form of `pings` and `track`, beside the JSON form of the same: bytes in, plain values out, and back.
import type { Fault } from './codes.ts'
import { LIMITS, type WireFix } from './ping.ts'
import { fail, ok, type Result } from './result.ts'
import type { EtaUnknown, HiddenWhy, Phase, TrackView } from './track.ts'
import type { Millis } from './units.ts'

/*
 * One lone WebSocket frame whose first byte is below 0x40 (PROTOCOL.md, "Compact form"). All integers are varints, 7 bits a byte, low ones first;
 * signed ones are zigzag. The queue is the one named in `hello`.
 *   pings  0x01 (ping:live 0x02) · sentAt · fixes
 *   fix    u8 which (1 acc, 2 spd, 4 hdg, 8 alt, 16 bat, 32 mock) · seq less the one before · t less the one before (first: less sentAt, signed) ·
 *          lat and lon in 1e-7° less the ones before, signed · acc 0.1 m · spd 0.01 m/s · hdg 0.1° · alt 0.1 m, signed · bat 1/200
 *   track  0x03 · t · now − t signed · u8 which (1 vehicle, 2 heading, 4 speed, 8 accuracy, 16 window, 32 stopsLeft, 64 remaining, 128 detour) ·
 *          u8 phase | offRoute 4 | kept 8 | hidden 16… · interval · pathV · then what `which` names, in that order; without a window u8 why
 */
const PINGS = 1
const LIVE = 2
const TRACK = 3
const PHASES: readonly Phase[] = ['enroute', 'approaching', 'arrived']
const HIDDEN: readonly (HiddenWhy | null)[] = [
  null,
  'not_started',
  'too_far',
  'near_other_door',
  'no_position',
  'finished',
  'off_duty',
]
const WHY: readonly EtaUnknown[] = ['not_started', 'no_position', 'stale', 'no_route', 'finished']

export interface CompactPings {
  readonly live: boolean
  readonly sentAt: Millis
  readonly items: WireFix[]
}

/** Rounds as the table above says; what is unknown (null, absent, negative accuracy) is left out. Values must be in range. */
export function encodePings({ live, sentAt, items }: CompactPings): Uint8Array {
  const w = new Bytes(16 + items.length * 32)
  w.u8(live ? LIVE : PINGS)
  w.uint(sentAt)
  let seq = 0
  let t = sentAt
  let lat = 0
  let lon = 0
  for (const fix of items) {
    const acc = fix.acc == null || fix.acc < 0 ? null : fix.acc
    w.u8(
      (acc === null ? 0 : 1) |
        (fix.spd == null ? 0 : 2) |
        (fix.hdg == null ? 0 : 4) |
        (fix.alt == null ? 0 : 8) |
        (fix.bat == null ? 0 : 16) |
        (fix.mock ? 32 : 0),
    )
    w.uint(fix.seq - seq)
    w.int(fix.t - t)
    const y = Math.round(fix.lat * 1e7)
    const x = Math.round(fix.lon * 1e7)
    w.int(y - lat)
    w.int(x - lon)
    if (acc !== null) w.uint(Math.round(acc * 10))
    if (fix.spd != null) w.uint(Math.round(fix.spd * 100))
    if (fix.hdg != null) w.uint(Math.round(fix.hdg * 10) % 3600)
    if (fix.alt != null) w.int(Math.round(fix.alt * 10))
    if (fix.bat != null) w.uint(Math.round(fix.bat * 200))
    seq = fix.seq
    t = fix.t
    lat = y
    lon = x
  }
  return w.done()
}

/** The fixes as a device would have sent them in JSON, still to be checked like those. Cut short or of another kind is BAD_BATCH. */
export function decodePings(bytes: Uint8Array): Result<CompactPings, Fault> {
  const bad = fail({ code: 'BAD_BATCH' } as const)
  const r = new Cursor(bytes)
  const kind = r.u8()
  if (kind !== PINGS && kind !== LIVE) return bad
  const sentAt = r.uint()
  const items: WireFix[] = []
  let seq = 0
  let t = sentAt
  let lat = 0
  let lon = 0
  while (r.more()) {
    if (items.length === LIMITS.batch) return bad
    const which = r.u8()
    seq += r.uint()
    t += r.int()
    lat += r.int()
    lon += r.int()
    const fix: WireFix = { seq, t, lat: lat / 1e7, lon: lon / 1e7 }
    if (which & 1) fix.acc = r.uint() / 10
    if (which & 2) fix.spd = r.uint() / 100
    if (which & 4) fix.hdg = r.uint() / 10
    if (which & 8) fix.alt = r.int() / 10
    if (which & 16) fix.bat = r.uint() / 200
    if (which & 32) fix.mock = true
    items.push(fix)
  }
  return r.failed || (kind === LIVE && items.length !== 1) ? bad : ok({ live: kind === LIVE, sentAt, items })
}

/** All of a view but its path, which travels as JSON. Places to 1e-5°, speeds to 0.1 m/s, times to the ms. */
export function encodeTrack(view: TrackView): Uint8Array {
  const w = new Bytes(64)
  const { vehicle, eta } = view
  w.u8(TRACK)
  w.uint(view.t)
  w.int(view.now - view.t)
  w.u8(
    (vehicle ? 1 : 0) |
      (vehicle?.heading == null ? 0 : 2) |
      (vehicle?.speed == null ? 0 : 4) |
      (vehicle?.accuracy == null ? 0 : 8) |
      (eta.kind === 'window' ? 16 : 0) |
      (view.stopsLeft === null ? 0 : 32) |
      (view.remaining === null ? 0 : 64) |
      (eta.kind === 'window' && eta.detour ? 128 : 0),
  )
  w.u8(PHASES.indexOf(view.phase) | (view.offRoute ? 4 : 0) | (view.kept ? 8 : 0) | (HIDDEN.indexOf(view.hidden) << 4))
  w.uint(Math.round(view.interval))
  w.uint(view.pathV)
  if (vehicle) {
    w.int(Math.round(vehicle.at[1] * 1e5))
    w.int(Math.round(vehicle.at[0] * 1e5))
    if (vehicle.heading !== null) w.uint(Math.round(vehicle.heading) % 360)
    if (vehicle.speed !== null) w.uint(Math.round(vehicle.speed * 10))
    if (vehicle.accuracy !== null) w.uint(Math.round(vehicle.accuracy))
  }
  if (eta.kind === 'window') {
    w.int(eta.from - view.now)
    w.int(eta.mid - eta.from)
    w.int(eta.to - eta.mid)
  } else w.u8(WHY.indexOf(eta.why))
  if (view.stopsLeft !== null) w.uint(view.stopsLeft)
  if (view.remaining !== null) w.uint(Math.round(view.remaining))
  return w.done()
}

/** Anything that isn't such a message is BAD_FIELD; never throws. */
export function decodeTrack(bytes: Uint8Array): Result<TrackView, Fault> {
  const bad = fail({ code: 'BAD_FIELD' } as const)
  const r = new Cursor(bytes)
  if (r.u8() !== TRACK) return bad
  const t = r.uint()
  const now = t + r.int()
  const which = r.u8()
  const bits = r.u8()
  const phase = PHASES[bits & 3]
  const hidden = HIDDEN[bits >> 4]
  const interval = r.uint()
  const pathV = r.uint()
  let vehicle: TrackView['vehicle'] = null
  if (which & 1) {
    const lat = r.int() / 1e5
    const lng = r.int() / 1e5
    vehicle = {
      at: [lng, lat],
      heading: which & 2 ? r.uint() : null,
      speed: which & 4 ? r.uint() / 10 : null,
      accuracy: which & 8 ? r.uint() : null,
    }
    if (!(Math.abs(lat) <= 90 && Math.abs(lng) <= 180)) return bad
  }
  let eta: TrackView['eta']
  if (which & 16) {
    const from = now + r.int()
    const mid = from + r.int()
    eta = { kind: 'window', from, mid, to: mid + r.int(), detour: (which & 128) !== 0 }
  } else {
    const why = WHY[r.u8()]
    if (why === undefined) return bad
    eta = { kind: 'unknown', why }
  }
  const stopsLeft = which & 32 ? r.uint() : null
  const remaining = which & 64 ? r.uint() : null
  if (r.failed || r.more() || phase === undefined || hidden === undefined) return bad
  return ok({
    t,
    now,
    vehicle,
    hidden,
    eta,
    stopsLeft,
    remaining,
    phase,
    offRoute: (bits & 4) !== 0,
    interval,
    kept: (bits & 8) !== 0,
    pathV,
  })
}

/** Bytes written in order. */
class Bytes {
  private bytes: Uint8Array
  private at = 0
  constructor(size: number) {
    this.bytes = new Uint8Array(size)
  }
  u8(value: number): void {
    if (this.at === this.bytes.length) {
      const wider = new Uint8Array(this.at * 2 + 16)
      wider.set(this.bytes)
      this.bytes = wider
    }
    this.bytes[this.at++] = value
  }
  /** 0 … 2^53 − 1. */
  uint(value: number): void {
    let v = value
    while (v > 127) {
      this.u8((v % 128) | 128)
      v = Math.floor(v / 128)
    }
    this.u8(v)
  }
  /** Zigzag: small numbers of either sign are short. */
  int(value: number): void {
    this.uint(value >= 0 ? value * 2 : -value * 2 - 1)
  }
  done(): Uint8Array {
    return this.bytes.slice(0, this.at)
  }
}

/** Reads within bounds: past the end, or beyond 2^53, it answers 0 and `failed` turns true. */
class Cursor {
  private readonly bytes: Uint8Array
  private at = 0
  failed = false
  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }
  more(): boolean {
    return !this.failed && this.at < this.bytes.length
  }
  u8(): number {
    if (this.at < this.bytes.length) return this.bytes[this.at++]!
    this.failed = true
    return 0
  }
  uint(): number {
    let value = 0
    let scale = 1
    for (let i = 0; i < 8; i++) {
      const byte = this.u8()
      value += (byte & 127) * scale
      if (byte < 128) {
        if (value <= Number.MAX_SAFE_INTEGER) return value
        break
      }
      scale *= 128
    }
    this.failed = true
    return 0
  }
  int(): number {
    const value = this.uint()
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }
}
