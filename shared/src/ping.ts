// unknown in, a Ping or a coded fault out: the only place where a device's numbers become ours.
import type { Fault } from './codes.ts'
import { fail, ok, type Result } from './result.ts'
import type { Degrees, LngLat, Metres, MetresPerSecond, Millis } from './units.ts'

/** One fix on the wire, as devices send it. Absent and null mean unknown. */
export interface WireFix {
  /** 1, 2, 3… given when the device stored the fix. */
  seq: number
  /** Device clock, ms. */
  t: Millis
  lat: number
  lon: number
  /** Accuracy radius, m; negative means unknown. */
  acc?: number | null
  /** Speed, m/s. */
  spd?: number | null
  /** Direction of travel, degrees. */
  hdg?: number | null
  /** Metres above the ellipsoid. */
  alt?: number | null
  /** Battery, 0–1. */
  bat?: number | null
  /** The device says that the position was set by another program. */
  mock?: boolean
}

/** One checked fix. `null` is unknown; nothing is guessed. */
export interface Fix {
  readonly seq: number
  /** Device clock, put right by `skew` where one is known. */
  readonly recordedAt: Millis
  readonly at: LngLat
  readonly accuracy: Metres | null
  readonly speed: MetresPerSecond | null
  readonly heading: Degrees | null
  readonly altitude: Metres | null
  readonly battery: number | null
  /** What was odd but no reason to refuse: 'mock', 'speed', 'heading', 'altitude', 'battery' (field nulled), 'rollover' (1,024 weeks added). */
  readonly flags: readonly FixFlag[]
}
export type FixFlag = 'mock' | 'speed' | 'heading' | 'altitude' | 'battery' | 'rollover'

/** Why a fix is quarantined: it counts as taken and never blocks the queue behind it (P5). */
export type FixCode = 'BAD_FIELD' | 'LAT' | 'LON' | 'ZERO' | 'ACC' | 'TS_BAD' | 'TS_OLD' | 'TS_FUTURE'
export interface Rejected {
  readonly seq: number
  readonly code: FixCode
}

/** A batch of fixes, checked: those that hold and those that never can, both ascending by seq. `from` and `to` are 0 when it is empty. */
export interface Batch {
  readonly qid: string
  /** Null when absent or more than a day off, which no clock correction may rest on. */
  readonly sentAt: Millis | null
  readonly from: number
  readonly to: number
  readonly fixes: readonly Fix[]
  readonly rejected: readonly Rejected[]
}

export const LIMITS = {
  /** Fixes in one batch (P2). */
  batch: 200,
  /** Bytes of one frame. */
  frameBytes: 65_536,
  /** How far ahead of the last kept seq a batch may begin. */
  seqAhead: 100_000,
  /** A fix may be this much ahead of our clock, ms. */
  future: 120_000,
  /** And this old, ms. */
  past: 30 * 86_400_000,
  /** A fix older than this is history, not live, ms. */
  liveAge: 120_000,
  /** A worse accuracy is stored but not shown as live, m. */
  liveAccuracy: 200,
} as const

/** GPS counts weeks modulo 1,024: an old receiver's date is that much too early. */
const ROLLOVER = 1024 * 7 * 86_400_000
/** The last instant that a Date can hold (ECMA-262, 21.4.1.1). */
const LAST_INSTANT = 8.64e15
const DAY = 86_400_000
const NONE: readonly FixFlag[] = []

/**
 * One item of a batch. Strict: only the fields of WireFix, numbers that are numbers, nothing coerced. `skew` (ms) is added to the device's clock.
 * The fault's seq is 0 when the item has none that can be used: then the whole batch is of no shape.
 */
export function parseFix(item: unknown, now: Millis, skew: Millis = 0): Result<Fix, Rejected> {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) return fail({ seq: 0, code: 'BAD_FIELD' })
  const fix = item as Record<keyof WireFix, unknown>
  const seq = fix.seq
  if (!Number.isSafeInteger(seq) || (seq as number) < 1) return fail({ seq: 0, code: 'BAD_FIELD' })
  const no = (code: FixCode) => fail({ seq: seq as number, code })

  for (const key in fix) {
    switch (key) {
      case 'seq':
      case 't':
      case 'lat':
      case 'lon':
        break
      case 'acc':
      case 'spd':
      case 'hdg':
      case 'alt':
      case 'bat': {
        const value = fix[key]
        if (value !== null && value !== undefined && typeof value !== 'number') return no('BAD_FIELD')
        break
      }
      case 'mock':
        if (fix.mock !== undefined && typeof fix.mock !== 'boolean') return no('BAD_FIELD')
        break
      default:
        return no('BAD_FIELD')
    }
  }

  const { lat, lon, t } = fix
  if (typeof lat !== 'number' || !(lat >= -90 && lat <= 90)) return no('LAT')
  if (typeof lon !== 'number' || !(lon >= -180 && lon <= 180)) return no('LON')
  if (lat === 0 && lon === 0) return no('ZERO')
  if (!Number.isInteger(t) || (t as number) <= 0 || (t as number) > LAST_INSTANT) return no('TS_BAD')

  let recordedAt = (t as number) + skew
  let rolled = false
  if (recordedAt < now - LIMITS.past) {
    recordedAt += ROLLOVER
    rolled = true
    if (recordedAt < now - LIMITS.past || recordedAt > now + LIMITS.future) return no('TS_OLD')
  }
  if (recordedAt > now + LIMITS.future) return no('TS_FUTURE')

  const acc = (fix.acc ?? null) as number | null
  if (acc !== null && !(acc <= 10_000)) return no('ACC')

  let flags = NONE
  const flag = (name: FixFlag) => {
    flags = [...flags, name]
  }
  if (fix.mock === true) flag('mock')
  if (rolled) flag('rollover')
  const within = (value: unknown, least: number, most: number, name: FixFlag): number | null => {
    if (value === null || value === undefined || (value === -1 && least === 0)) return null
    if ((value as number) >= least && (value as number) <= most) return (value as number) + 0
    flag(name)
    return null
  }
  return ok({
    seq: seq as number,
    recordedAt,
    // −0 becomes 0, so that equal places compare equal.
    at: [lon + 0, lat + 0],
    accuracy: acc === null || acc < 0 ? null : acc,
    speed: within(fix.spd, 0, 120, 'speed'),
    heading: within(fix.hdg === 360 ? Number.NaN : fix.hdg, 0, 360, 'heading'),
    altitude: within(fix.alt, -500, 9_000, 'altitude'),
    battery: within(fix.bat, 0, 1, 'battery'),
    flags,
  })
}

/**
 * `pings {v, qid, sentAt, items}` or `ping:live {v, qid, sentAt, item}`. A bad item is rejected by itself (P5); a bad shape is BAD_BATCH or
 * BAD_VERSION {min, max}. No items is right and keeps nothing.
 */
export function parseBatch(message: unknown, now: Millis, skew: Millis = 0): Result<Batch, Fault> {
  if (typeof message !== 'object' || message === null || Array.isArray(message)) return fail({ code: 'BAD_BATCH' })
  for (const key in message) if (!BATCH_KEYS.has(key)) return fail({ code: 'BAD_BATCH' })
  const { v, qid, sentAt, items, item } = message as Record<string, unknown>
  if (v !== 1) return fail({ code: 'BAD_VERSION', min: 1, max: 1 })
  if (typeof qid !== 'string' || !QID.test(qid)) return fail({ code: 'BAD_BATCH', field: 'qid' })
  if (sentAt !== undefined && sentAt !== null && !Number.isSafeInteger(sentAt)) return fail({ code: 'BAD_BATCH', field: 'sentAt' })
  if ((items === undefined) === (item === undefined)) return fail({ code: 'BAD_BATCH', field: 'items' })
  return checkItems(qid, (sentAt ?? null) as number | null, items === undefined ? [item] : items, now, skew)
}
const BATCH_KEYS = new Set(['v', 'qid', 'sentAt', 'items', 'item'])

/** A queue's name: 64 random bits as 16 lowercase hexadecimal digits. */
export const QID = /^[0-9a-f]{16}$/

/** The items of a batch whose head is already checked; also for fixes that came in the compact form. */
export function checkItems(
  qid: string,
  sentAt: Millis | null,
  items: unknown,
  now: Millis,
  skew: Millis = 0,
): Result<Batch, Fault> {
  if (!Array.isArray(items) || items.length > LIMITS.batch) return fail({ code: 'BAD_BATCH', field: 'items' })
  const fixes: Fix[] = []
  const rejected: Rejected[] = []
  let last = 0
  let from = 0
  for (const item of items) {
    const parsed = parseFix(item, now, skew)
    const seq = parsed.ok ? parsed.value.seq : parsed.fault.seq
    if (seq <= last) return fail({ code: 'BAD_BATCH', field: 'seq' })
    last = seq
    from ||= seq
    if (parsed.ok) fixes.push(parsed.value)
    else rejected.push(parsed.fault)
  }
  const plausible = sentAt !== null && Math.abs(now - sentAt) <= DAY
  return ok({ qid, sentAt: plausible ? sentAt : null, from, to: last, fixes, rejected })
}
