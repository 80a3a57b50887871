// The baseline: what the tutorials of these packages add up to. JSON in, three awaited Redis commands, Turf a ping, two emits through the adapter.
import { createServer } from 'node:http'
import { createAdapter } from '@socket.io/redis-adapter'
import { length as lengthOf, lineSlice, lineString, nearestPointOnLine, point } from '@turf/turf'
import { createClient } from 'redis'
import { Server } from 'socket.io'

import { type Cursor, prepare, progress } from './scan.ts'
import { listen } from './wire.ts'

interface Message {
  driverId: string
  lat: number
  lng: number
  heading: number
  speed: number
  ts: number
}

/** `turf: false` replaces Turf by a windowed scan, so that the rest of the tutorial is seen on its own. */
export async function naive(lines: [number, number][][], redisUrl: string, turf: boolean): Promise<number> {
  const publisher = await createClient({ url: redisUrl }).connect()
  const subscriber = publisher.duplicate()
  await subscriber.connect()
  const http = createServer()
  const io = new Server(http, { adapter: createAdapter(publisher, subscriber), pingInterval: 600_000, transports: ['websocket'] })
  const routes = lines.map((line) => lineString(line))
  const ends = lines.map((line) => point(line.at(-1)!))
  const prepared = lines.map(prepare)
  const cursors = new Map<number, Cursor>()
  io.on('connection', (socket) => {
    socket.on('join', (room: string) => socket.join(room))
    socket.on('driver:location', async (m: Message) => {
      const k = Number(m.driverId.slice(4))
      await publisher.hSet(`driver:${m.driverId}`, {
        lat: `${m.lat}`,
        lng: `${m.lng}`,
        heading: `${m.heading}`,
        speed: `${m.speed}`,
        ts: `${m.ts}`,
      })
      await publisher.geoAdd('drivers', { longitude: m.lng, latitude: m.lat, member: m.driverId })
      const r = k % lines.length
      let remaining: number
      if (turf) {
        const snapped = nearestPointOnLine(routes[r]!, point([m.lng, m.lat]), { units: 'meters' })
        remaining = lengthOf(lineSlice(snapped, ends[r]!, routes[r]!), { units: 'meters' })
      } else {
        const cursor = cursors.get(k) ?? { i: 0, s: 0 }
        cursors.set(k, cursor)
        remaining = progress(prepared[r]!, cursor, m.lng, m.lat)
      }
      const update = { ...m, orderId: `ord_${k}`, remaining, eta: Math.round(remaining / 8.3) }
      io.to(`order:${k}`).emit('location', update)
      io.to('fleet').emit('driver:location', update)
    })
  })
  return listen(http)
}
