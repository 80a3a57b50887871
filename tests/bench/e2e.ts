// A variant and a load in; server CPU a ping, delivery and latency out: drivers ping, each order has one watcher, dispatchers see the whole fleet.
import { type ChildProcess, fork, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { DriverCreated, OrderCreated, Place, RunView } from '@doorstep/shared/api'
import { encodePings } from '@doorstep/shared/compact'
import { random } from '@doorstep/shared/random'
import { pointAt, type Route, route } from '@doorstep/shared/route'
import type { LngLat } from '@doorstep/shared/units'
import type { ChildOrder } from './child.ts'
import { clientFrame, pool, quantile, WireClient } from './wire.ts'

export type Variant = 'naive' | 'naive-no-turf' | 'floor' | 'doorstep'

export interface Load {
  readonly drivers: number
  /** Pings a second of each driver. */
  readonly rate: number
  readonly dispatchers: number
  readonly nodes: number
  readonly warmSeconds: number
  readonly seconds: number
}
export interface Figures {
  /** User and system time of all server processes a ping, µs. */
  readonly cpu: number
  readonly pings: number
  readonly rate: number
  /** Deliveries to watchers ÷ pings. */
  readonly delivered: number
  readonly p50: number
  readonly p99: number
  /** Bytes a second to each dispatcher. */
  readonly fleetBytes: number
}

export interface Stores {
  readonly redisUrl: string
  /** A fresh database for Doorstep. */
  readonly databaseUrl: string
}

/** Servers of a variant, ready to be driven. */
interface Stand {
  /** Sends the place of driver `k`. */
  send(k: number, at: LngLat, t: number): void
  cpu(): Promise<number>
  fleetBytes(): number
  close(): Promise<void>
}

/** Metres a second at which every driver moves. */
const SPEED = 9
const KEY = 'bench-key-that-is-long-enough-to-be-one'

/** Sets a stand up once and measures it in rounds, so that all variants can take turns. */
export class Measured {
  private readonly stand: Stand
  private readonly load: Load
  private readonly lines: readonly Route[]
  private readonly arrivals: { readonly note: (k: number, t: number) => void; seen: number; latencies: number[]; inFlight: number }
  private readonly bound: number

  private constructor(stand: Stand, load: Load, lines: readonly Route[], arrivals: Measured['arrivals'], bound: number) {
    this.stand = stand
    this.load = load
    this.lines = lines
    this.arrivals = arrivals
    this.bound = bound
  }

  static async open(variant: Variant, load: Load, lines: readonly LngLat[][], stores: Stores): Promise<Measured> {
    const arrivals = {
      seen: 0,
      latencies: [] as number[],
      inFlight: 0,
      note(_k: number, t: number) {
        this.seen++
        if (this.inFlight > 0) this.inFlight--
        this.latencies.push(Date.now() - t)
      },
    }
    const routes = lines.map((line) => route(line))
    if (variant === 'doorstep') {
      const stand = await openDoorstep(load, lines, stores, (k, t) => arrivals.note(k, t))
      return new Measured(stand.stand, load, stand.routes, arrivals, Number.POSITIVE_INFINITY)
    }
    const stand = await openOther(variant, load, lines, stores, (k, t) => arrivals.note(k, t))
    // A server that can't keep up is measured at what it can do: so many pings at most wait to be seen.
    const bound = variant === 'naive' ? 20 : variant === 'naive-no-turf' ? 100 : Number.POSITIVE_INFINITY
    return new Measured(stand, load, routes, arrivals, bound)
  }

  /** Drives for a warm-up and then the measured time. */
  async round(): Promise<Figures> {
    const { drivers, rate, warmSeconds, seconds } = this.load
    const gap = 1000 / rate
    const start = Date.now()
    const due = Float64Array.from({ length: drivers }, (_, k) => start + (gap * k) / drivers)
    let sent = 0
    let next = 0
    const timer = setInterval(() => {
      const now = Date.now()
      for (let burst = 0; burst < 2_000; burst++) {
        if (due[next]! > now || this.arrivals.inFlight >= this.bound) return
        const line = this.lines[next % this.lines.length]!
        const along = line.length * 0.05 + (next % 40) * 10 + SPEED * ((now - this.born) / 1000)
        this.stand.send(next, pointAt(line, along % (line.length * 0.9)), now)
        if (this.bound < Number.POSITIVE_INFINITY) this.arrivals.inFlight++
        sent++
        due[next] = Math.max(due[next]! + gap, now - 5_000)
        next = (next + 1) % drivers
      }
    }, 4)
    await passed(warmSeconds)
    const cpu = await this.stand.cpu()
    const bytes = this.stand.fleetBytes()
    const [sentBefore, seenBefore, from] = [sent, this.arrivals.seen, Date.now()]
    this.arrivals.latencies = []
    await passed(seconds)
    const used = (await this.stand.cpu()) - cpu
    const pings = sent - sentBefore
    const lasted = (Date.now() - from) / 1000
    const figures: Figures = {
      cpu: used / pings,
      pings,
      rate: pings / lasted,
      delivered: (this.arrivals.seen - seenBefore) / pings,
      p50: quantile(this.arrivals.latencies, 0.5),
      p99: quantile(this.arrivals.latencies, 0.99),
      fleetBytes: this.load.dispatchers ? (this.stand.fleetBytes() - bytes) / lasted / this.load.dispatchers : 0,
    }
    clearInterval(timer)
    return figures
  }
  private readonly born = Date.now()

  close(): Promise<void> {
    return this.stand.close()
  }
}

const passed = (seconds: number) => new Promise<void>((resolve) => setTimeout(resolve, seconds * 1000))

async function openOther(
  variant: Exclude<Variant, 'doorstep'>,
  load: Load,
  lines: readonly LngLat[][],
  stores: Stores,
  note: (k: number, t: number) => void,
): Promise<Stand> {
  const raw = variant === 'floor'
  const children: { child: ChildProcess; port: number }[] = []
  const tsx = import.meta.resolve('tsx')
  for (let i = 0; i < (raw ? 1 : load.nodes); i++) {
    const child = fork(fileURLToPath(new URL('./child.ts', import.meta.url)), [], { execArgv: ['--import', tsx] })
    const order: ChildOrder = { do: 'start', variant, lines: lines as [number, number][][], redisUrl: stores.redisUrl }
    const { port } = await asked<{ port: number }>(child, order)
    children.push({ child, port })
  }
  const portOf = (i: number) => children[i % children.length]!.port
  const open = (i: number) => (raw ? WireClient.open(portOf(i)) : WireClient.socketIo(portOf(i), '/', null))
  const all: WireClient[] = []
  const drivers: WireClient[] = []
  await pool(load.drivers, 40, async (k) => {
    drivers[k] = await open(k)
    all.push(drivers[k])
    // Half of the watchers are on the other node.
    const watcher = await open(k >> 1)
    all.push(watcher)
    watcher.onFrame = (body, opcode) => {
      if (opcode === 2) note(k, body.readDoubleLE(15))
      else {
        const at = body.indexOf('"ts":')
        if (at > 0) note(k, Number.parseInt(body.toString('latin1', at + 5, at + 18), 10))
      }
    }
    watcher.send(raw ? String(k) : `42["join","order:${k}"]`)
  })
  const desks: WireClient[] = []
  await pool(load.dispatchers, 10, async (i) => {
    const desk = await open(i)
    desks.push(desk)
    all.push(desk)
    desk.send(raw ? 'fleet' : '42["join","fleet"]')
  })
  return {
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
    async cpu() {
      const answers = await Promise.all(children.map(({ child }) => asked<{ cpu: number }>(child, { do: 'cpu' })))
      return answers.reduce((sum, { cpu }) => sum + cpu, 0)
    },
    fleetBytes: () => desks.reduce((sum, desk) => sum + desk.bytes, 0),
    async close() {
      for (const client of all) client.close()
      for (const { child } of children) child.send({ do: 'end' } satisfies ChildOrder)
    },
  }
}

function asked<T>(child: ChildProcess, order: ChildOrder): Promise<T> {
  return new Promise((resolve, reject) => {
    child.once('message', (answer) => resolve(answer as T))
    child.once('exit', (code) => reject(new Error(`a measured server ended with ${code}`)))
    child.send(order)
  })
}

/** Doorstep as it ships: its own process with real stores, set up through its own API; `lines` are not used, its runs drive real streets. */
async function openDoorstep(load: Load, _lines: readonly LngLat[][], stores: Stores, note: (k: number, t: number) => void) {
  const folder = mkdtempSync(join(tmpdir(), 'doorstep-bench-'))
  const main = fileURLToPath(new URL('../../server/dist/main.js', import.meta.url))
  const cache = fileURLToPath(new URL('../../.cache', import.meta.url))
  const nodes: { child: ChildProcess; url: string; port: number; metrics: number }[] = []
  for (let i = 0; i < load.nodes; i++) {
    const child = spawn(process.execPath, [main], {
      env: {
        ...process.env,
        PORT: '0',
        METRICS_PORT: '0',
        HOST: '127.0.0.1',
        ADMIN_KEY: KEY,
        DATA_DIR: join(folder, String(i)),
        CACHE_DIR: cache,
        LOG_LEVEL: 'warn',
        DATABASE_URL: stores.databaseUrl,
        REDIS_URL: stores.redisUrl,
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const ready = await new Promise<{ url: string; port: number; metricsPort: number }>((resolve, reject) => {
      createInterface({ input: child.stdout! }).on(
        'line',
        (line) => line.startsWith('{"event":"ready"') && resolve(JSON.parse(line)),
      )
      child.once('exit', (code) => reject(new Error(`the server ended with ${code}`)))
    })
    nodes.push({ child, url: ready.url, port: ready.port, metrics: ready.metricsPort })
  }
  const home = nodes[0]!.url
  const call = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const answer = await fetch(`${home}${path}`, {
      method,
      headers: { authorization: `Bearer ${KEY}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`)
    return (await answer.json()) as T
  }

  const r = random(304)
  const { places } = await call<{ places: Place[] }>('GET', '/v1/places?sample=200&seed=304')
  const far = places
    .flatMap((from, i) => places.slice(i + 1).map((to) => ({ from, to })))
    .filter(({ from, to }) => metres(from.at, to.at) > 6_000)
  const pairs = Array.from({ length: 20 }, () => r.pick(far))
  const routes: Route[] = []
  const all: WireClient[] = []
  const drivers: { client: WireClient; seq: number }[] = []
  const portOf = (i: number) => nodes[i % nodes.length]!.port
  await pool(load.drivers, 12, async (k) => {
    const { from, to } = pairs[k % pairs.length]!
    const { driver, device } = await call<DriverCreated>('POST', '/v1/drivers', { name: `Bench ${k}`, vehicle: 'van' })
    const { order, link } = await call<OrderCreated>('POST', '/v1/orders', {
      recipient: { name: `R${k}` },
      address: { label: to.label, at: to.at },
    })
    const run = await call<RunView>('POST', '/v1/runs', { start: from.at, orders: [order.id], driverId: driver.id })
    const started = await call<RunView>('POST', `/v1/runs/${run.id}/start`, {})
    routes[k % pairs.length] ??= route(started.route.line.length ? started.route.line : run.route.line)
    const client = await WireClient.socketIo(portOf(k), '/driver', { token: device.token })
    all.push(client)
    drivers[k] = { client, seq: 0 }
    client.send(`42/driver,0${JSON.stringify(['hello', { v: 1, qid: k.toString(16).padStart(16, '0'), sentAt: Date.now() }])}`)
    const watcher = await WireClient.socketIo(portOf(k >> 1), '/watch', { token: link.token })
    all.push(watcher)
    watcher.onFrame = (body) => {
      // 42/watch,["track",{"t":1700000000000,…
      const at = body.indexOf('"track",{"t":')
      if (at > 0) note(k, Number.parseInt(body.toString('latin1', at + 13, at + 26), 10))
    }
    watcher.send('42/watch,0["watch"]')
  })
  const desks: WireClient[] = []
  await pool(load.dispatchers, 10, async (i) => {
    const { token } = await call<{ token: string }>('POST', '/v1/sessions', {})
    const desk = await WireClient.socketIo(portOf(i), '/fleet', { token })
    desks.push(desk)
    all.push(desk)
    desk.send('42/fleet,0["roster"]')
    desk.send(`42/fleet,1${JSON.stringify(['view', { bbox: [11.8, 57.6, 12.2, 57.8], zoom: 12 }])}`)
  })
  const stand: Stand = {
    send(k, [lon, lat], t) {
      const driver = drivers[k]!
      driver.seq++
      driver.client.socket.write(
        clientFrame(encodePings({ live: false, sentAt: t, items: [{ seq: driver.seq, t, lat, lon, acc: 5, spd: SPEED }] })),
      )
    },
    async cpu() {
      const seconds = await Promise.all(
        nodes.map(async ({ metrics }) => {
          const text = await (await fetch(`http://127.0.0.1:${metrics}/metrics`)).text()
          return Number(/^doorstep_process_cpu_seconds_total (\S+)/m.exec(text)?.[1])
        }),
      )
      return seconds.reduce((sum, s) => sum + s * 1e6, 0)
    },
    fleetBytes: () => desks.reduce((sum, desk) => sum + desk.bytes, 0),
    async close() {
      for (const client of all) client.close()
      for (const { child } of nodes) {
        child.kill('SIGTERM')
        await new Promise((resolve) => child.once('exit', resolve))
      }
      rmSync(folder, { recursive: true, force: true })
    },
  }
  return { stand, routes }
}

const metres = (a: LngLat, b: LngLat) => Math.hypot((a[0] - b[0]) * 59_500, (a[1] - b[1]) * 111_320)
