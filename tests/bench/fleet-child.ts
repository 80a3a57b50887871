// A number of ticks by IPC in; frames of the moved to everyone who is connected, and the CPU time that they took, out.
import { createServer } from 'node:http'
import type { Socket as TcpSocket } from 'node:net'
import { frameOf, type Line, lineOf, parser } from '@doorstep/server/live/fastwire'
import { fleetTick, type Mover } from '@doorstep/shared/frame'
import { random } from '@doorstep/shared/random'
import type { DriverNo, LngLat } from '@doorstep/shared/units'
import { Server } from 'socket.io'
import { WebSocketServer } from 'ws'
import { listen } from './wire.ts'

const [, , variant, moved, seed] = process.argv
const n = Number(moved)
const r = random(Number(seed))
const movers: { no: DriverNo; at: LngLat; heading: number; speed: number }[] = Array.from({ length: n }, (_, i) => ({
  no: (i * 3 + 1) as DriverNo,
  at: [11.88 + r() * 0.16, 57.67 + r() * 0.07],
  heading: Math.floor(r() * 360),
  speed: r() * 20,
}))
const numbers = movers.map((m) => m.no)
const byNo = new Map<DriverNo, Mover>()
const move = () => {
  for (const m of movers) {
    m.at = [m.at[0] + (r() - 0.5) * 2e-4, m.at[1] + (r() - 0.5) * 1e-4]
    byNo.set(m.no, m)
  }
}
const http = createServer()
const sockets: TcpSocket[] = []
let tick: () => void

if (variant === 'floor') {
  const wss = new WebSocketServer({ server: http, perMessageDeflate: false })
  wss.on('connection', (_ws, request) => sockets.push(request.socket))
  const body = Buffer.alloc(n * 8)
  tick = () => {
    for (let i = 0; i < n; i++) {
      body.writeUInt16LE(Math.round(movers[i]!.at[0] * 1e5) & 0xffff, i * 8)
      body.writeUInt16LE(Math.round(movers[i]!.at[1] * 1e5) & 0xffff, i * 8 + 2)
      body.writeUInt32LE(numbers[i]!, i * 8 + 4)
    }
    const head = Buffer.from([0x82, 126, body.length >> 8, body.length & 255])
    const frame = Buffer.concat([head, body])
    for (const socket of sockets) socket.write(frame)
  }
} else {
  const io = new Server(http, { pingInterval: 600_000, transports: ['websocket'], ...(variant === 'doorstep' ? { parser } : {}) })
  const fleet = io.of('/fleet')
  const lines: Line[] = []
  fleet.on('connection', (socket) => {
    lines.push(lineOf(socket))
    socket.join('fleet')
    sockets.push((socket.conn.transport as unknown as { socket: { _socket: TcpSocket } }).socket._socket)
  })
  tick =
    variant === 'doorstep'
      ? () => {
          const made = fleetTick(numbers, (no) => byNo.get(no)!, Date.now()).frame([11.8, 57.6, 12.2, 57.8])
          if (!made) return
          const frame = frameOf(fleet, 'fleet', made)
          for (const line of lines) line.send(frame)
        }
      : () => {
          for (const m of movers)
            fleet.to('fleet').emit('driver:location', {
              driverId: `drv_${String(m.no).padStart(6, '0')}`,
              lat: m.at[1],
              lng: m.at[0],
              heading: m.heading,
              speed: m.speed,
              eta: 600,
              ts: 1_763_750_000_000,
            })
        }
}
process.send?.({ port: await listen(http) })

process.on('message', async (order: { ticks?: number; end?: boolean }) => {
  if (order.end) process.exit(0)
  const before = process.cpuUsage()
  for (let i = 0; i < order.ticks!; i++) {
    move()
    tick()
    // Until everything written has left: a queue that only grows would not have been sent.
    while (sockets.some((socket) => socket.writableLength > 0)) await new Promise((resolve) => setImmediate(resolve))
    await new Promise((resolve) => setImmediate(resolve))
  }
  const { user, system } = process.cpuUsage(before)
  process.send?.({ cpu: user + system })
})
