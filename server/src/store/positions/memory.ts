// Newest positions of one node without Redis: the same promises, in process. There are no other nodes to hear from.
import type { Track } from '@doorstep/shared/track'
import type { DriverNo } from '@doorstep/shared/units'
import type { Positions } from './port.ts'

export function memoryPositions(): Positions {
  const newest = new Map<DriverNo, Track>()
  let saved = 0
  return {
    kind: 'memory',
    async save(tracks) {
      const older: DriverNo[] = []
      saved += tracks.length
      for (const track of tracks) {
        const there = newest.get(track.no)
        if (there && isOlder(track, there)) older.push(track.no)
        else newest.set(track.no, track)
      }
      return { older }
    },
    all: async () => [...newest.values()],
    publish() {},
    onMessage() {},
    signal() {},
    onSignal() {},
    stats: () => ({ saved, failed: 0, dropped: 0, received: 0, reconnects: 0 }),
    health: async () => true,
    async close() {},
  }
}

const isOlder = (a: Track, b: Track) => a.recordedAt < b.recordedAt || (a.recordedAt === b.recordedAt && a.seq < b.seq)
