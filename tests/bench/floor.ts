// The floor: the same bytes in and out on bare `ws`, one node, no Redis, no rules. Nothing on Node can do the job for less.
import { createServer } from 'node:http'
import type { Socket } from 'node:net'
import { WebSocketServer } from 'ws'

import { type Cursor, prepare, progress } from './scan.ts'
import { listen } from './wire.ts'

/** A ping: u32 driver, i32 lat, i32 lng (1e-6 degrees), u16 heading, u8 speed, f64 time. */
export const PING_BYTES = 23

export async function floor(lines: [number, number][][]): Promise<number> {
  const http = createServer()
  const sockets = new WebSocketServer({ server: http, perMessageDeflate: false })
  const prepared = lines.map(prepare)
  const cursors: (Cursor | undefined)[] = []
  const watchers = new Map<number, Socket[]>()
  const dispatchers = new Set<Socket>()
  const moved = new Map<number, Buffer>()

  const ping = (b: Buffer) => {
    const k = b.readUInt32LE(0)
    const lat = b.readInt32LE(4) / 1e6
    const lng = b.readInt32LE(8) / 1e6
    cursors[k] ??= { i: 0, s: 0 }
    const cursor = cursors[k]
    const remaining = progress(prepared[k % prepared.length]!, cursor, lng, lat)
    const out = Buffer.allocUnsafe(2 + 31)
    out[0] = 0x82
    out[1] = 31
    b.copy(out, 2, 0, PING_BYTES)
    out.writeUInt32LE(remaining, 25)
    out.writeUInt32LE(remaining / 8.3, 29)
    for (const socket of watchers.get(k) ?? []) socket.write(out)
    moved.set(k, b)
  }
  setInterval(() => {
    if (moved.size === 0) return
    const body = Buffer.allocUnsafe(moved.size * 9)
    let o = 0
    for (const [k, b] of moved) {
      body.writeUInt16LE(k & 0xffff, o)
      body.writeUInt16LE(b.readInt32LE(4) & 0xffff, o + 2)
      body.writeUInt16LE(b.readInt32LE(8) & 0xffff, o + 4)
      body.writeUInt16LE(b.readUInt16LE(12), o + 6)
      body[o + 8] = b[14]!
      o += 9
    }
    moved.clear()
    const head = Buffer.allocUnsafe(body.length < 65_536 ? 4 : 10)
    head[0] = 0x82
    if (body.length < 65_536) {
      head[1] = 126
      head.writeUInt16BE(body.length, 2)
    } else {
      head[1] = 127
      head.writeBigUInt64BE(BigInt(body.length), 2)
    }
    const frame = Buffer.concat([head, body])
    for (const socket of dispatchers) socket.write(frame)
  }, 250)

  sockets.on('connection', (ws, request) => {
    ws.on('message', (body: Buffer, binary) => {
      if (binary) return ping(body)
      const text = body.toString()
      if (text === 'fleet') dispatchers.add(request.socket)
      else {
        const k = Number(text)
        watchers.set(k, [...(watchers.get(k) ?? []), request.socket])
      }
    })
  })
  return listen(http)
}
