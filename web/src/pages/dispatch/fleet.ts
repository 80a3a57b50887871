// Messages of the fleet feed in (roster, rows, frames, alerts); every vehicle as it stands now, out. Deterministic: clocks are arguments.
import type { DriverRow } from '@doorstep/shared/api'
import type { Counts, Positions } from '@doorstep/shared/frame'
import type { Alert } from '@doorstep/shared/protocol'
import type { LngLat, Millis } from '@doorstep/shared/units'
import { FILTERS, type Filter, isSilent, matches, type Standing, standing } from './standing.ts'

/** One driver, changed in place: 5,000 of them move each second. */
export interface Vehicle {
  /** Its place in the map layer's array; given once, used again after the driver is gone. */
  readonly slot: number
  row: DriverRow
  /** Newest position, NaN when none is known. */
  lng: number
  lat: number
  heading: number | null
  /** Fix time of that position in the server's clock; 0 for none. */
  at: Millis
  /** Time between the last two positions, ms: how long the next glide takes. */
  gap: Millis
  standing: Standing
  /** Name and vehicle, folded for searching. */
  words: string
}

export interface Fleet {
  /** The whole roster: what isn't in it is gone. A new epoch forgets everything else too. */
  roster(m: { epoch: string; now: Millis; drivers: readonly DriverRow[] }): void
  driver(row: DriverRow): void
  /** Slots whose position changed; null when the frame only counts. */
  frame(frame: Positions | Counts): readonly number[] | null
  alert(alert: Alert): void
  readAlerts(): void
  /** Works out every standing anew; answers the slots whose standing, and so perhaps their look, changed. */
  review(now: Millis): readonly number[]
  readonly vehicles: ReadonlyMap<string, Vehicle>
  bySlot(slot: number): Vehicle | undefined
  /** Slots that lost their driver since the last call. */
  takeRemoved(): readonly number[]
  /** How many stand how, as of the last review. */
  readonly tally: Readonly<Record<Filter, number>>
  readonly alerts: readonly Alert[]
  readonly unread: number
  /** The newest counting frame, for maps that are zoomed out too far for positions. */
  readonly counts: Counts | null
  /** A frame named drivers that the roster lacks: it should be asked for again. */
  readonly strangers: boolean
  /** Grows when the list may have another order or other members; moving alone changes neither. */
  readonly shape: number
}

/** Alerts kept on the page; the oldest go first. */
const ALERTS = 200

export function fleet(): Fleet {
  const vehicles = new Map<string, Vehicle>()
  const byNo = new Map<number, Vehicle>()
  const slots: (Vehicle | undefined)[] = []
  const free: number[] = []
  let removed: number[] = []
  let epoch = ''
  let alerts: Alert[] = []
  let unread = 0
  let counts: Counts | null = null
  let strangers = false
  let shape = 0
  let tally = emptyTally()

  /** The row's own position, unless a frame brought a newer one. */
  function settle(v: Vehicle, row: DriverRow): void {
    if (row.last && row.last.t > v.at) {
      v.gap = v.at > 0 ? row.last.t - v.at : 0
      v.lng = row.last.at[0]
      v.lat = row.last.at[1]
      v.heading = row.last.heading
      v.at = row.last.t
    }
  }

  function put(row: DriverRow): void {
    const known = vehicles.get(row.id)
    if (known) {
      if (row.v < known.row.v) return
      if (row.name !== known.row.name || row.vehicle !== known.row.vehicle) known.words = fold(`${row.name} ${row.vehicle}`)
      known.row = row
      shape++
      settle(known, row)
      return
    }
    const v: Vehicle = {
      slot: free.pop() ?? slots.length,
      row,
      lng: Number.NaN,
      lat: Number.NaN,
      heading: null,
      at: 0,
      gap: 0,
      standing: { work: 'idle', signal: 'none', age: null },
      words: fold(`${row.name} ${row.vehicle}`),
    }
    settle(v, row)
    shape++
    slots[v.slot] = v
    vehicles.set(row.id, v)
    byNo.set(row.no, v)
  }

  function drop(v: Vehicle): void {
    vehicles.delete(v.row.id)
    byNo.delete(v.row.no)
    slots[v.slot] = undefined
    free.push(v.slot)
    removed.push(v.slot)
    shape++
  }

  return {
    roster(m) {
      if (epoch !== '' && m.epoch !== epoch) {
        for (const v of [...vehicles.values()]) drop(v)
        alerts = []
        unread = 0
        counts = null
      }
      epoch = m.epoch
      strangers = false
      const present = new Set<string>()
      for (const row of m.drivers) present.add(row.id)
      for (const v of [...vehicles.values()]) if (!present.has(v.row.id)) drop(v)
      for (const row of m.drivers) put(row)
    },
    driver: put,
    frame(frame) {
      if (frame.kind === 'counts') {
        counts = frame
        return null
      }
      counts = null
      const moved: number[] = []
      for (let i = 0; i < frame.count; i++) {
        const v = byNo.get(frame.no[i]!)
        if (!v) {
          strangers = true
          continue
        }
        if (frame.now <= v.at) continue
        v.gap = v.at > 0 ? frame.now - v.at : 0
        v.lng = frame.lng[i]!
        v.lat = frame.lat[i]!
        const heading = frame.heading[i]!
        v.heading = Number.isNaN(heading) ? null : heading
        v.at = frame.now
        moved.push(v.slot)
      }
      return moved
    },
    alert(alert) {
      if (alerts.some((a) => a.id === alert.id)) return
      alerts = [alert, ...alerts].slice(0, ALERTS)
      unread = Math.min(alerts.length, unread + 1)
    },
    readAlerts() {
      unread = 0
    },
    review(now) {
      const changed: number[] = []
      const next = emptyTally()
      for (const v of vehicles.values()) {
        const s = standing(v.row, v.at, now, v.standing)
        if (s !== v.standing) {
          v.standing = s
          shape++
          changed.push(v.slot)
        }
        next.all++
        next[s.work]++
        if (isSilent(s)) next.silent++
      }
      tally = next
      return changed
    },
    vehicles,
    bySlot: (slot) => slots[slot],
    takeRemoved() {
      const out = removed.filter((slot) => slots[slot] === undefined)
      removed = []
      return out
    },
    get tally() {
      return tally
    },
    get alerts() {
      return alerts
    },
    get unread() {
      return unread
    },
    get counts() {
      return counts
    },
    get strangers() {
      return strangers
    },
    get shape() {
      return shape
    },
  }
}

const emptyTally = (): Record<Filter, number> => Object.fromEntries(FILTERS.map((f) => [f, 0])) as Record<Filter, number>

/** Text without case and accents, for comparing. */
export const fold = (text: string): string => text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase()

export const placeOf = (v: Vehicle): LngLat | null => (Number.isNaN(v.lng) ? null : [v.lng, v.lat])

/** Every word of the search is found in the driver's name or vehicle, or the driver carries an order that was found. */
export function listed(v: Vehicle, filter: Filter, words: readonly string[], carriers: ReadonlySet<string>): boolean {
  if (!matches(v.standing, filter)) return false
  return words.length === 0 || carriers.has(v.row.id) || words.every((w) => v.words.includes(w))
}
