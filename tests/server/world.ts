// Real server processes, real sockets and a small company in one call; all of it is gone when the test is.
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { DriverCreated, OrderCreated, Place, RunView } from '@doorstep/shared/api'
import { distance } from '@doorstep/shared/geo'
import type { WireFix } from '@doorstep/shared/ping'
import { pointAt, route } from '@doorstep/shared/route'
import { io, type Socket } from 'socket.io-client'

const root = fileURLToPath(new URL('../../', import.meta.url))
export const ADMIN_KEY = 'a-key-of-forty-characters-for-tests-only'

export interface Node {
  readonly url: string
  readonly port: number
  readonly metricsPort: number
  readonly pid: number
  /** All that it wrote to stderr. */
  log(): string
  /** Ends it in order and answers its exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>
}

/** Starts a server, as it was built before this run, on a free port. `env` is added to what every test server has; DATA_DIR is new unless given. */
export async function startNode(env: Record<string, string> = {}): Promise<Node> {
  const own = env.DATA_DIR === undefined ? mkdtempSync(join(tmpdir(), 'doorstep-node-')) : null
  const child = spawn(process.execPath, ['--enable-source-maps', join(root, 'server/dist/main.js')], {
    cwd: root,
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      PORT: '0',
      METRICS_PORT: '0',
      CACHE_DIR: join(root, '.cache'),
      WEB_DIST: join(root, 'web'),
      LOG_LEVEL: 'info',
      ADMIN_KEY,
      ...(own ? { DATA_DIR: own } : {}),
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let log = ''
  child.stderr.on('data', (chunk) => {
    log += chunk
  })
  const gone = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)))
  const ready = await new Promise<{ url: string; port: number; metricsPort: number }>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.startsWith('{"event":"ready"')) resolve(JSON.parse(line))
    })
    void gone.then((code) => reject(new Error(`the server ended with ${code}: ${log}`)))
  })
  running.add(child)
  return {
    ...ready,
    pid: child.pid!,
    log: () => log,
    async stop(signal = 'SIGTERM') {
      child.kill(signal)
      const code = await gone
      running.delete(child)
      if (own) await rm(own, { recursive: true, force: true })
      return code
    },
  }
}
const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** One question to the API; throws on anything but success. */
export async function ask<T>(node: Pick<Node, 'url'>, method: string, path: string, body?: unknown): Promise<T> {
  const answer = await fetch(`${node.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${ADMIN_KEY}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
  return (text === '' ? null : JSON.parse(text)) as T
}

export interface Company {
  readonly driver: DriverCreated
  readonly orders: readonly OrderCreated[]
  readonly run: RunView
  /** A fix on the route, `along` metres from its start. */
  fix(seq: number, along: number, over?: Partial<WireFix>): WireFix
}
/** Real doors close to each other, each the nearest to the one before: a run through them is some kilometres long. */
export async function neighbours(node: Pick<Node, 'url'>, count: number, seed: number): Promise<Place[]> {
  const { places } = await ask<{ places: Place[] }>(node, 'GET', `/v1/places?sample=200&seed=${seed}`)
  const chosen = [places.shift()!]
  while (chosen.length < count) {
    const from = chosen.at(-1)!.at
    places.sort((a, b) => distance(b.at, from) - distance(a.at, from))
    chosen.push(places.pop()!)
  }
  return chosen
}

/** A driver with a run of `stops` orders at real doors, assigned and, unless told otherwise, started. `given` places: the start, then the doors. */
export async function company(node: Pick<Node, 'url'>, stops: number, seed = 1, start = true, given?: Place[]): Promise<Company> {
  const places = given ?? (await ask<{ places: Place[] }>(node, 'GET', `/v1/places?sample=${stops + 1}&seed=${seed}`)).places
  const driver = await ask<DriverCreated>(node, 'POST', '/v1/drivers', { name: `Driver ${seed}`, vehicle: 'van' })
  const orders: OrderCreated[] = []
  for (const place of places.slice(1, stops + 1))
    orders.push(
      await ask<OrderCreated>(node, 'POST', '/v1/orders', {
        recipient: { name: 'Ann Person' },
        address: place,
        merchant: 'A shop',
        service: 60,
      }),
    )
  let run = await ask<RunView>(node, 'POST', '/v1/runs', {
    name: 'A run',
    driverId: driver.driver.id,
    start: places[0]!.at,
    orders: orders.map(({ order }) => order.id),
  })
  if (run.status === 'draft') run = await ask<RunView>(node, 'POST', `/v1/runs/${run.id}/assign`, { driverId: driver.driver.id })
  if (start) run = await ask<RunView>(node, 'POST', `/v1/runs/${run.id}/start`, {})
  run = await ask<RunView>(node, 'GET', `/v1/runs/${run.id}`)
  const line = route(run.route.line)
  return {
    driver,
    orders,
    run,
    fix(seq, along, over = {}) {
      const [lon, lat] = pointAt(line, along)
      return { seq, t: Date.now(), lat, lon, acc: 5, spd: 10, ...over }
    },
  }
}

/** A connected socket, or the code with which it was refused. */
export async function connect(node: Pick<Node, 'url'>, nsp: string, token: unknown, options: object = {}): Promise<Socket> {
  const socket = io(`${node.url}${nsp}`, {
    auth: { token },
    transports: ['websocket'],
    forceNew: true,
    reconnection: false,
    ...options,
  })
  sockets.add(socket)
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('connect_error', reject)
  })
  return socket
}
const sockets = new Set<Socket>()
/** Closes every socket of this file. */
export function hangUp(): void {
  for (const socket of sockets) socket.disconnect()
  sockets.clear()
}

/** The next message of a kind that fits; rejects when the wait is over. */
export function heard<T>(socket: Socket, event: string, fits: (message: T) => boolean = () => true, ms = 10_000): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      socket.off(event, listen)
      reject(new Error(`no ${event} that fits within ${ms} ms`))
    }, ms)
    const listen = (message: T) => {
      if (!fits(message)) return
      clearTimeout(timer)
      socket.off(event, listen)
      resolve(message)
    }
    socket.on(event, listen)
  })
}

export const newQid = () => randomBytes(8).toString('hex')
/** Emits and waits for the answer. */
// biome-ignore lint/suspicious/noExplicitAny: whatever the server answered; each test says what it expects
export const call = (socket: Socket, event: string, ...args: unknown[]): Promise<any> =>
  socket.timeout(10_000).emitWithAck(event, ...args)

export const batch = (qid: string, items: WireFix[]) => ({ v: 1, qid, sentAt: Date.now(), items })
