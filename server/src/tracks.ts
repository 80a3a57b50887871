// Tracks of this node's drivers and of other nodes in; the newest of each driver, and word of every change, out.
import type { Track } from '@doorstep/shared/track'
import type { DriverNo, Millis } from '@doorstep/shared/units'
import { packMessage, unpackMessage } from './store/positions/pack.ts'
import type { Positions } from './store/positions/port.ts'

export interface Tracks {
  get(no: DriverNo): Track | null
  all(): IterableIterator<Track>
  /** A track that this node worked out: own listeners hear it in this turn, other nodes within a tick, the store within half a second. */
  put(track: Track): void
  /** Called for every change, own and foreign, in order of arrival; a track is never older than the one before. */
  onTrack(listener: (track: Track) => void): void
  /** Reads what the store knows; for the start, and after the bus was away. */
  refresh(): Promise<void>
  /** Sends and saves what waits. */
  close(): Promise<void>
}

/** One message to the other nodes per so many ms; the first after a pause leaves at once. */
const BUS_MS = 10
/** The newest of each driver is saved so often, ms. */
const SAVE_MS = 500

export function openTracks(positions: Positions, node: string, now: () => Millis, onFailure: (error: unknown) => void): Tracks {
  const newest = new Map<DriverNo, Track>()
  const unsent = new Map<DriverNo, Track>()
  const unsaved = new Map<DriverNo, Track>()
  const listeners: ((track: Track) => void)[] = []
  let lastSent = 0
  let busTimer: NodeJS.Timeout | undefined
  let saveTimer: NodeJS.Timeout | undefined

  /** Newest by fix time, then seq, wins (T3); the same fix may come again with another run or state. */
  function apply(track: Track): boolean {
    const known = newest.get(track.no)
    if (known && (known.recordedAt > track.recordedAt || (known.recordedAt === track.recordedAt && known.seq > track.seq)))
      return false
    newest.set(track.no, track)
    for (const listener of listeners) {
      // One listener's bug is not another's, and never the driver's.
      try {
        listener(track)
      } catch (error) {
        onFailure(error)
      }
    }
    return true
  }

  function send(): void {
    busTimer = undefined
    lastSent = now()
    if (unsent.size === 0) return
    const tracks = [...unsent.values()]
    unsent.clear()
    positions.publish(packMessage(node, tracks))
  }

  async function save(): Promise<void> {
    saveTimer = undefined
    const tracks = [...unsaved.values()]
    unsaved.clear()
    if (tracks.length === 0) return
    const answer = await positions.save(tracks)
    if (answer !== 'down') return
    // Tried again with the next change, and at the latest in a moment: the store must be right soon after it is back.
    for (const track of tracks) if (!unsaved.has(track.no) && now() - track.recordedAt < 60_000) unsaved.set(track.no, track)
    if (unsaved.size > 0) saveTimer ??= setTimeout(saveSoon, SAVE_MS)
  }
  const saveSoon = (): void => void save().catch(onFailure)

  positions.onMessage((message) => {
    const batch = unpackMessage(message)
    if (batch === null || batch.node === node) return
    for (const track of batch.tracks) apply(track)
  })

  return {
    get: (no) => newest.get(no) ?? null,
    all: () => newest.values(),
    put(track) {
      if (!apply(track)) return
      unsaved.set(track.no, track)
      saveTimer ??= setTimeout(saveSoon, SAVE_MS)
      if (positions.kind === 'memory') return
      unsent.set(track.no, track)
      if (busTimer === undefined) {
        const wait = BUS_MS - (now() - lastSent)
        if (wait > 0 && wait <= BUS_MS) busTimer = setTimeout(send, wait)
        else send()
      }
    },
    onTrack: (listener) => void listeners.push(listener),
    async refresh() {
      for (const track of await positions.all()) {
        const known = newest.get(track.no)
        if (!known || track.recordedAt > known.recordedAt) apply(track)
      }
    },
    async close() {
      clearTimeout(busTimer)
      clearTimeout(saveTimer)
      send()
      await save()
      clearTimeout(saveTimer)
    },
  }
}
