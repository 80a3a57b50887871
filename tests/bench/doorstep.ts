// Stores and a fleet's size in; Doorstep as it ships, in processes of its own, set up through its own API and connected, out.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { DriverCreated, OrderCreated, Place, RunView } from '@doorstep/shared/api'
import { decodeTrack, encodePings } from '@doorstep/shared/compact'
import { random } from '@doorstep/shared/random'
import { type Route, route } from '@doorstep/shared/route'
import type { LngLat } from '@doorstep/shared/units'
import { cpuOf } from './cpu.ts'
import { passed, placeNow, SPEED, type Stand } from './e2e.ts'
import { clientFrame, pool, WireClient } from './wire.ts'

const KEY = 'bench-key-that-is-long-enough-to-be-one'
const ROOT = fileURLToPath(new URL('../..', import.meta.url))

export interface NodeOptions {
  /** Null is one node alone. */
  readonly redisUrl: string | null
  /** Null is the embedded database. */
  readonly databaseUrl: string | null
  /** Further flags of Node, such as those of its profiler. */
  readonly flags?: readonly string[]
  /** Another program than the built server, with the flags that it needs. */
  readonly program?: readonly string[]
}
export interface Node {
  readonly pid: number
  readonly port: number
  readonly url: string
  /** One figure of /metrics. */
  figure(name: string): Promise<number>
  close(): Promise<void>
}

export async function startNode({ redisUrl, databaseUrl, flags = [], program }: NodeOptions): Promise<Node> {
  const folder = mkdtempSync(join(tmpdir(), 'doorstep-bench-'))
  const child: ChildProcess = spawn(process.execPath, [...flags, ...(program ?? [join(ROOT, 'server/dist/main.js')])], {
    env: {
      ...process.env,
      PORT: '0',
      METRICS_PORT: '0',
      HOST: '127.0.0.1',
      ADMIN_KEY: KEY,
      DATA_DIR: folder,
      CACHE_DIR: join(ROOT, '.cache'),
      LOG_LEVEL: 'warn',
      ...(databaseUrl ? { DATABASE_URL: databaseUrl } : {}),
      ...(redisUrl ? { REDIS_URL: redisUrl } : {}),
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const gone = new Promise<number | null>((resolve) => child.once('exit', resolve))
  const ready = await new Promise<{ url: string; port: number; metricsPort: number }>((resolve, reject) => {
    createInterface({ input: child.stdout! }).on('line', (line) => line.startsWith('{"event":"ready"') && resolve(JSON.parse(line)))
    void gone.then((code) => reject(new Error(`the server ended with ${code}`)))
  })
  return {
    pid: child.pid!,
    port: ready.port,
    url: ready.url,
    async figure(name) {
      const text = await (await fetch(`http://127.0.0.1:${ready.metricsPort}/metrics`)).text()
      return Number(new RegExp(`^${name} (\\S+)`, 'm').exec(text)?.[1])
    },
    async close() {
      child.kill('SIGTERM')
      await gone
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Started runs of one stop each, as the database has them: any node on it can be driven with them. */
export interface Fleet {
  readonly drivers: readonly { readonly device: string; readonly link: string }[]
  readonly routes: readonly Route[]
}

async function call<T>(node: Node, method: string, path: string, body?: unknown): Promise<T> {
  const answer = await fetch(`${node.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${KEY}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`)
  return (await answer.json()) as T
}

/** Real streets of 6 km and more, a run on each for every twentieth driver. */
export async function makeFleet(node: Node, drivers: number, seed: number): Promise<Fleet> {
  const r = random(seed)
  const { places } = await call<{ places: Place[] }>(node, 'GET', '/v1/places?sample=200&seed=304')
  const far = places
    .flatMap((from, i) => places.slice(i + 1).map((to) => ({ from, to })))
    .filter(({ from, to }) => metres(from.at, to.at) > 6_000)
  const pairs = Array.from({ length: 20 }, () => r.pick(far))
  const routes: Route[] = []
  const made: { device: string; link: string }[] = []
  await pool(drivers, 12, async (k) => {
    const { from, to } = pairs[k % pairs.length]!
    const [{ driver, device }, { order, link }] = await Promise.all([
      call<DriverCreated>(node, 'POST', '/v1/drivers', { name: `Bench ${k}`, vehicle: 'van' }),
      call<OrderCreated>(node, 'POST', '/v1/orders', { recipient: { name: `R${k}` }, address: { label: to.label, at: to.at } }),
    ])
    const run = await call<RunView>(node, 'POST', '/v1/runs', { start: from.at, orders: [order.id], driverId: driver.id })
    await call<RunView>(node, 'POST', `/v1/runs/${run.id}/start`, {})
    routes[k % pairs.length] ??= route(run.route.line)
    made[k] = { device: device.token, link: link.token }
  })
  return { drivers: made, routes }
}

export interface StandOptions {
  readonly dispatchers: number
  /** Watchers ask for the short form of what moves, as our own page does. */
  readonly compact: boolean
}

let queues = 0

export interface DoorstepStand extends Stand {
  /** `n` fixes of driver `k` in one message, the newest of now, `gap` ms apart. Answered by `onKept`. */
  sendBatch(k: number, n: number, gap: number): void
  /** A batch is kept: ms since it was sent. */
  onKept: (ms: number) => void
}

export async function openDoorstep(
  nodes: readonly Node[],
  fleet: Fleet,
  { dispatchers, compact }: StandOptions,
): Promise<DoorstepStand> {
  const all: WireClient[] = []
  const drivers: { client: WireClient; seq: number; batchSent: number }[] = []
  const desks: WireClient[] = []
  const portOf = (i: number) => nodes[i % nodes.length]!.port
  const stand: DoorstepStand = {
    dispatchers,
    routes: fleet.routes,
    bound: Number.POSITIVE_INFINITY,
    onSeen: () => {},
    onKept: () => {},
    sendBatch(k, n, gap) {
      const driver = drivers[k]!
      const now = Date.now()
      const [lon, lat] = placeNow(stand, k, now)
      const items = Array.from({ length: n }, (_, i) => ({
        seq: ++driver.seq,
        t: now - (n - 1 - i) * gap,
        lat,
        lon,
        acc: 5,
        spd: SPEED,
      }))
      driver.batchSent ||= performance.now()
      driver.client.socket.write(clientFrame(encodePings({ live: false, sentAt: now, items })))
    },
    send(k, [lon, lat], t) {
      const driver = drivers[k]!
      driver.seq++
      driver.client.socket.write(
        clientFrame(encodePings({ live: false, sentAt: t, items: [{ seq: driver.seq, t, lat, lon, acc: 5, spd: SPEED }] })),
      )
    },
    cpu: async () => nodes.reduce((sum, { pid }) => sum + cpuOf(pid), 0),
    fleetBytes: () => desks.reduce((sum, desk) => sum + desk.bytes, 0),
    async close() {
      for (const client of all) client.close()
      for (const node of nodes) await node.close()
    },
  }
  const run = (++queues).toString(16).padStart(4, '0')
  await pool(fleet.drivers.length, 12, async (k) => {
    const { device, link } = fleet.drivers[k]!
    const client = await WireClient.socketIo(portOf(k), '/driver', { token: device })
    all.push(client)
    const driver = { client, seq: 0, batchSent: 0 }
    drivers[k] = driver
    const qid = run + k.toString(16).padStart(12, '0')
    await client.asks('/driver', ['hello', { v: 1, qid, sentAt: Date.now() }])
    client.onFrame = (body) => {
      if (driver.batchSent === 0 || !body.includes('"kept"')) return
      stand.onKept(performance.now() - driver.batchSent)
      driver.batchSent = 0
    }
    // Half of the watchers are on the other node.
    const watcher = await WireClient.socketIo(portOf(k >> 1), '/watch', { token: link, ...(compact ? { compact: true } : {}) })
    all.push(watcher)
    await watcher.asks('/watch', ['watch'])
    watcher.onFrame = (body, opcode) => {
      if (opcode === 2) {
        const view = decodeTrack(body)
        if (view.ok) stand.onSeen(view.value.t)
        return
      }
      // 42/watch,["track",{"t":1700000000000,…
      const at = body.indexOf('"track",{"t":')
      if (at > 0) stand.onSeen(Number.parseInt(body.toString('latin1', at + 13, at + 26), 10))
    }
  })
  await pool(dispatchers, 10, async (i) => {
    const { token } = await call<{ token: string }>(nodes[0]!, 'POST', '/v1/sessions', {})
    const desk = await WireClient.socketIo(portOf(i), '/fleet', { token })
    desks.push(desk)
    all.push(desk)
    await desk.asks('/fleet', ['roster'])
    await desk.asks('/fleet', ['view', { bbox: [11.8, 57.6, 12.2, 57.8], zoom: 12 }])
  })
  return stand
}

/** Runs that start bring work of their own (the first windows): drives slowly until every node is at rest, at most `most` seconds. */
export async function settle(stand: Stand, drivers: number, most = 20): Promise<void> {
  let next = 0
  const timer = setInterval(() => {
    for (let i = 0; i < 20; i++, next = (next + 1) % drivers) {
      const now = Date.now()
      stand.send(next, placeNow(stand, next, now), now)
    }
  }, 20)
  let calm = 0
  for (let second = 0; second < most && calm < 2; second++) {
    const before = await stand.cpu()
    await passed(1)
    calm = (await stand.cpu()) - before < 250_000 ? calm + 1 : 0
  }
  clearInterval(timer)
}

const metres = (a: LngLat, b: LngLat) => Math.hypot((a[0] - b[0]) * 59_500, (a[1] - b[1]) * 111_320)
