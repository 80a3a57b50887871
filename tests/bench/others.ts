// A naive or a bare variant in; its processes, with drivers, watchers and dispatchers connected, out.
import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { route } from '@doorstep/shared/route'
import type { LngLat } from '@doorstep/shared/units'
import type { ChildOrder } from './child.ts'
import { cpuOf } from './cpu.ts'
import { SPEED, type Stand } from './e2e.ts'
import { clientFrame, pool, WireClient } from './wire.ts'

export type Other = 'naive' | 'naive-no-turf' | 'floor'

export interface OtherLoad {
  readonly drivers: number
  readonly dispatchers: number
  readonly nodes: number
  readonly lines: readonly LngLat[][]
  readonly redisUrl: string
}

/** Most pings on their way to each: more would only wait. */
const BOUND: Record<Other, number> = { naive: 20, 'naive-no-turf': 100, floor: Number.POSITIVE_INFINITY }

export async function openOther(variant: Other, { drivers: n, dispatchers, nodes, lines, redisUrl }: OtherLoad): Promise<Stand> {
  const raw = variant === 'floor'
  const children: { child: ChildProcess; port: number }[] = []
  const tsx = import.meta.resolve('tsx')
  for (let i = 0; i < (raw ? 1 : nodes); i++) {
    const child = fork(fileURLToPath(new URL('./child.ts', import.meta.url)), [], { execArgv: ['--import', tsx] })
    const { port } = await asked<{ port: number }>(child, { do: 'start', variant, lines: lines as [number, number][][], redisUrl })
    children.push({ child, port })
  }
  const portOf = (i: number) => children[i % children.length]!.port
  const open = (i: number) => (raw ? WireClient.open(portOf(i)) : WireClient.socketIo(portOf(i), '/', null))
  const all: WireClient[] = []
  const drivers: WireClient[] = []
  const desks: WireClient[] = []
  const stand: Stand = {
    dispatchers,
    routes: lines.map((line) => route(line)),
    bound: BOUND[variant],
    onSeen: () => {},
    send(k, [lng, lat], t) {
      if (raw) {
        const b = Buffer.allocUnsafe(23)
        b.writeUInt32LE(k, 0)
        b.writeInt32LE(Math.round(lat * 1e6), 4)
        b.writeInt32LE(Math.round(lng * 1e6), 8)
        b.writeUInt16LE(123, 12)
        b[14] = SPEED * 2
        b.writeDoubleLE(t, 15)
        drivers[k]!.socket.write(clientFrame(b))
      } else
        drivers[k]!.send(
          `42${JSON.stringify(['driver:location', { driverId: `drv_${k}`, lat, lng, heading: 123, speed: SPEED, ts: t }])}`,
        )
    },
    cpu: async () => children.reduce((sum, { child }) => sum + cpuOf(child.pid!), 0),
    fleetBytes: () => desks.reduce((sum, desk) => sum + desk.bytes, 0),
    async close() {
      for (const client of all) client.close()
      for (const { child } of children) {
        const gone = new Promise((resolve) => child.once('exit', resolve))
        child.send({ do: 'end' } satisfies ChildOrder)
        await gone
      }
    },
  }
  await pool(n, 40, async (k) => {
    drivers[k] = await open(k)
    // Half of the watchers are on the other node.
    const watcher = await open(k >> 1)
    all.push(drivers[k], watcher)
    watcher.onFrame = (body, opcode) => {
      if (opcode === 2) stand.onSeen(body.readDoubleLE(15))
      else {
        const at = body.indexOf('"ts":')
        if (at > 0) stand.onSeen(Number.parseInt(body.toString('latin1', at + 5, at + 18), 10))
      }
    }
    watcher.send(raw ? String(k) : `42["join","order:${k}"]`)
  })
  await pool(dispatchers, 10, async (i) => {
    const desk = await open(i)
    desks.push(desk)
    all.push(desk)
    desk.send(raw ? 'fleet' : '42["join","fleet"]')
  })
  return stand
}

function asked<T>(child: ChildProcess, order: ChildOrder): Promise<T> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null) => reject(new Error(`a measured server ended with ${code}`))
    child.once('exit', ended)
    child.once('message', (answer) => {
      child.off('exit', ended)
      resolve(answer as T)
    })
    child.send(order)
  })
}
