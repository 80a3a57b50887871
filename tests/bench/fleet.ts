// Who moved in a tick, in; server CPU an update for fifty dispatchers out: an emit per update, Doorstep's frames, and one raw frame a tick.
import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { median, pool, WireClient } from './wire.ts'

export interface FleetFigures {
  /** µs an update, for all dispatchers together. */
  readonly naive: number
  readonly doorstep: number
  readonly floor: number
  /** Bytes an update and dispatcher. */
  readonly naiveBytes: number
  readonly doorstepBytes: number
}

const DISPATCHERS = 50
const MOVED = 250

export async function fleetTickFigures(rounds: number, seed: number): Promise<FleetFigures> {
  const variants = ['naive', 'doorstep', 'floor'] as const
  const cpu: Record<string, number[]> = { naive: [], doorstep: [], floor: [] }
  const bytes: Record<string, number[]> = { naive: [], doorstep: [], floor: [] }
  const stands = new Map<string, { child: ChildProcess; clients: WireClient[] }>()
  for (const variant of variants) {
    const child = fork(fileURLToPath(new URL('./fleet-child.ts', import.meta.url)), [variant, String(MOVED), String(seed)], {
      execArgv: ['--import', import.meta.resolve('tsx')],
    })
    const { port } = await answer<{ port: number }>(child)
    const clients: WireClient[] = []
    await pool(DISPATCHERS, 10, async () => {
      clients.push(await (variant === 'floor' ? WireClient.open(port) : WireClient.socketIo(port, '/fleet', null)))
    })
    stands.set(variant, { child, clients })
  }
  for (let round = 0; round <= rounds; round++) {
    for (const variant of variants) {
      const { child, clients } = stands.get(variant)!
      const total = () => clients.reduce((sum, client) => sum + client.bytes, 0)
      const before = total()
      const ticks = variant === 'naive' ? 20 : 400
      child.send({ ticks })
      const used = await answer<{ cpu: number }>(child)
      if (round === 0) continue
      cpu[variant]!.push(used.cpu / (ticks * MOVED))
      bytes[variant]!.push((total() - before) / (ticks * MOVED * DISPATCHERS))
    }
  }
  for (const { child, clients } of stands.values()) {
    for (const client of clients) client.close()
    child.send({ end: true })
  }
  return {
    naive: median(cpu.naive!),
    doorstep: median(cpu.doorstep!),
    floor: median(cpu.floor!),
    naiveBytes: median(bytes.naive!),
    doorstepBytes: median(bytes.doorstep!),
  }
}

function answer<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    child.once('message', (message) => resolve(message as T))
    child.once('exit', (code) => reject(new Error(`the fleet's server ended with ${code}`)))
  })
}
