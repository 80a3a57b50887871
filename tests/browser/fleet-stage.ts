// A size and a seed in; a fleet that drives the real city's streets behind the very wire of /fleet and /v1, out. It stands in for the server
// where a test needs 5,000 vehicles or one particular state; what the server itself does is tested against the server.
import { createReadStream } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { basename, dirname, extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openCity } from '@doorstep/server/city'
import type { DriverRow, NewOrder, OrderDetail, OrderRow, RunView } from '@doorstep/shared/api'
import { fleetTick, type Mover } from '@doorstep/shared/frame'
import type { OrderEvent } from '@doorstep/shared/order'
import type { Alert, FleetHears, FleetSays } from '@doorstep/shared/protocol'
import { random } from '@doorstep/shared/random'
import { headingAt, pointAt, type Route, route } from '@doorstep/shared/route'
import type { DriverNo } from '@doorstep/shared/units'
import { Server } from 'socket.io'

export interface FleetStage {
  readonly url: string
  readonly token: string
  readonly rows: Map<string, DriverRow>
  /** One second of driving and its frame, to everybody. */
  step(): void
  /** Begins to step once a second. */
  roll(): void
  say<E extends keyof FleetHears>(event: E, ...message: Parameters<FleetHears[E]>): void
  /** Cuts every connection, and refuses new ones until told otherwise. */
  cut(down: boolean): void
  close(): Promise<void>
}

export const TOKEN = 'stage-session-token-0123456789'
export const ADMIN_KEY = 'stage-admin-key-0123456789-0123456789'
const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const FIRST = ['Alex', 'Sam', 'Maja', 'Elin', 'Omar', 'Lena', 'Noah', 'Sara', 'Ivan', 'Nils', 'Aya', 'Tove', 'Åsa', 'Björn']
const LAST = ['Berg', 'Lind', 'Holm', 'Khan', 'Nyström', 'Ek', 'Dahl', 'Sjö', 'Ali', 'Falk', 'Öberg']
const SHOPS = ['Kaffe & Co', 'Bokhandeln', 'Linnea Blommor', 'Nordisk Elektronik']
const MINUTE = 60_000
const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

interface Driver {
  row: DriverRow
  route: Route
  along: number
  speed: number
}

/** `distinct` roads are driven; `all` drivers are spread over them. `silent`: whether some are not heard. */
export async function fleetStage(options: { drivers: number; seed: number; allMoving?: boolean }): Promise<FleetStage> {
  const draw = random(options.seed)
  const city = await openCity(join(root, '.cache'))
  const places = city.places.sample(400, options.seed)
  const lines: Route[] = []
  const stopsOf: { along: number; label: string; at: readonly [number, number] }[][] = []
  for (let i = 0; lines.length < Math.min(60, options.drivers); i++) {
    const doors = Array.from({ length: 7 }, (_, k) => places[(i * 7 + k) % places.length]!)
    const planned = await city.router.route(doors.map((p) => p.at))
    const r = route(planned.line)
    lines.push(r)
    stopsOf.push(doors.slice(1).map((p, k) => ({ along: planned.waypoints[k + 1]!, label: p.label, at: p.at })))
  }
  const epoch = Date.now()
  const drivers: Driver[] = []
  const rows = new Map<string, DriverRow>()
  const orders = new Map<string, OrderRow>()
  const events = new Map<string, OrderEvent[]>()
  const runs = new Map<string, RunView>()
  const pad = (n: number): string => n.toString(16).padStart(12, '0')
  for (let i = 0; i < options.drivers; i++) {
    const r = lines[i % lines.length]!
    const fate = options.allMoving ? 0 : draw()
    const idle = fate > 0.84
    const silent = !idle && fate > 0.78
    const late = !idle && fate > 0.68 && fate < 0.8
    const along = draw() * r.length * 0.9
    const id = `00000000-0000-7000-8000-${pad(i + 1)}`
    const runId = `00000000-0000-7000-9000-${pad(i + 1)}`
    const stops = stopsOf[i % lines.length]!
    const next = stops.findIndex((s) => s.along > along)
    const arrived = !idle && !silent && !late && fate > 0.55
    const place = arrived ? stops[next]!.along : along
    const lateBy = late ? Math.round(120 + draw() * 1500) : 0
    const from = epoch + (2 + draw() * 14) * MINUTE
    const row: DriverRow = {
      id,
      no: i + 1,
      name: `${draw.pick(FIRST)} ${draw.pick(LAST)}`,
      vehicle: `Van ${101 + i}`,
      v: 1,
      run: idle ? null : { id: runId, stops: stops.length, done: next, nextStop: next },
      last: {
        at: pointAt(r, place),
        heading: headingAt(r, place),
        speed: 8,
        t: epoch - (silent ? (1.2 + draw() * 12) * MINUTE : idle && draw() > 0.5 ? 40 * MINUTE : 500),
      },
      interval: 1,
      phase: idle ? 'idle' : arrived ? 'arrived' : 'enroute',
      offRoute: !idle && fate > 0.52 && fate < 0.55,
      late: lateBy,
      window: idle ? null : { from, to: from + 8 * MINUTE, since: epoch - MINUTE, reason: 'pace' },
      kept: true,
    }
    rows.set(id, row)
    drivers.push({ row, route: r, along: place, speed: idle || arrived || silent ? 0 : 5 + draw() * 8 })
    if (i >= 300 || idle) continue
    const view: RunView = {
      id: runId,
      name: `Morning ${i + 1}`,
      status: 'started',
      version: 3,
      driverId: id,
      routeVersion: 1,
      route: {
        line: r.line.map((p): [number, number] => [p[0], p[1]]),
        length: r.length,
        seconds: r.length / 7,
        confidence: 'road',
        source: 'city',
      },
      stops: stops.map((s, k) => {
        const orderId = `00000000-0000-7000-a000-${pad(i * 10 + k + 1)}`
        const at = from + (k - next) * 9 * MINUTE
        const window =
          k < next ? null : { from: at + lateBy * 1000, to: at + lateBy * 1000 + 8 * MINUTE, since: epoch, reason: 'pace' as const }
        const promise = { from: at - 10 * MINUTE, to: at + (lateBy > 0 ? 0 : 12 * MINUTE) }
        const status = k < next ? (k === 1 && i % 5 === 0 ? 'failed' : 'done') : k === next && arrived ? 'arrived' : 'pending'
        const order: OrderRow = {
          id: orderId,
          number: `DS-${(i * 7919 + k * 104729 + 1_000_003).toString(36).toUpperCase().slice(-6)}`,
          externalRef: null,
          merchant: SHOPS[(i + k) % SHOPS.length]!,
          recipient: `${FIRST[(i + k * 3) % FIRST.length]} ${LAST[(i * 3 + k) % LAST.length]}`,
          address: { label: s.label, at: s.at },
          note: k % 3 === 1 ? 'Ring the bell at the green gate' : null,
          status: status === 'done' ? 'delivered' : status === 'failed' ? 'delivery_attempted' : 'out_for_delivery',
          version: 6,
          runId,
          stopId: `s-${orderId}`,
          driverId: id,
          window,
          promise,
          createdAt: epoch - 180 * MINUTE,
          updatedAt: epoch - 5 * MINUTE,
        }
        orders.set(orderId, order)
        events.set(orderId, historyOf(order, epoch))
        return {
          id: order.stopId!,
          orderId,
          orderNumber: order.number,
          label: s.label,
          door: s.at,
          along: s.along,
          service: 120,
          status,
          window,
          promise,
          note: order.note,
          recipient: order.recipient,
          orderStatus: order.status,
          orderVersion: order.version,
        }
      }),
      startedAt: epoch - 70 * MINUTE,
    }
    runs.set(runId, view)
  }
  const byNo = new Map(drivers.map((d) => [d.row.no, d]))

  const answers: [method: string, path: RegExp, answer: (id: string, query: URLSearchParams, body: unknown) => Answer][] = [
    ['POST', /^\/v1\/sessions$/, () => [201, { token: TOKEN, url: '', expiresAt: null }]],
    ['GET', /^\/v1\/runs$/, () => [200, { runs: [] }]],
    ['GET', /^\/v1\/runs\/([^/]+)$/, (id) => found(runs.get(id))],
    ['GET', /^\/v1\/drivers\/([^/]+)\/trail$/, (id) => [200, { points: trailOf(drivers.find((d) => d.row.id === id)) }]],
    [
      'GET',
      /^\/v1\/orders$/,
      (_id, query) => {
        const q = (query.get('q') ?? '').toLowerCase()
        const list = [...orders.values()].filter((o) => `${o.number} ${o.recipient} ${o.address.label}`.toLowerCase().includes(q))
        list.sort((x, y) => y.createdAt - x.createdAt)
        return [200, { orders: list.slice(0, Number(query.get('limit') ?? 50)), next: null }]
      },
    ],
    [
      'GET',
      /^\/v1\/orders\/([^/]+)$/,
      (id) => {
        const order = orders.get(id)
        return found(order && ({ order, events: events.get(id) ?? [] } satisfies OrderDetail))
      },
    ],
    [
      'GET',
      /^\/v1\/places$/,
      (_id, query) => {
        const [lng, lat] = (query.get('near') ?? '').split(',').map(Number)
        return [200, { places: city.places.near([lng!, lat!], 4) }]
      },
    ],
    [
      'POST',
      /^\/v1\/orders$/,
      (_id, _query, body) => {
        const order = orderOf(body as NewOrder, `00000000-0000-7000-b000-${pad(orders.size + 1)}`)
        orders.set(order.id, order)
        return [201, { order, link: { id: 'l', token: 'x'.repeat(22), url: `${url}/t/${'x'.repeat(22)}`, expiresAt: null } }]
      },
    ],
    [
      'POST',
      /^\/v1\/orders\/([^/]+)\/links$/,
      () => [201, { id: 'l', token: 'y'.repeat(22), url: `${url}/t/${'y'.repeat(22)}`, expiresAt: null }],
    ],
    [
      'POST',
      /^\/v1\/runs\/([^/]+)\/stops$/,
      (id, _query, body) => {
        const run = runs.get(id)
        const { orderId, index } = body as { orderId: string; index?: number }
        const order = orders.get(orderId)
        if (!run || !order) return found(undefined)
        const stops = [...run.stops]
        stops.splice(index ?? stops.length, 0, {
          ...stops[0]!,
          id: `s-${order.id}`,
          orderId,
          orderNumber: order.number,
          label: order.address.label,
          door: order.address.at,
          status: 'pending',
          window: null,
          promise: null,
          recipient: order.recipient,
          orderStatus: order.status,
        })
        const next = { ...run, version: run.version + 1, stops }
        runs.set(id, next)
        return [200, next]
      },
    ],
  ]
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://stage')
    response.setHeader('content-security-policy', CSP)
    if (pathname === '/dispatch') return file(response, join(root, 'web/dist/dispatch.html'))
    if (pathname.startsWith('/assets/')) return file(response, join(root, 'web/dist/assets', basename(pathname)))
    const [, z, x, y] = /^\/tiles\/(\d+)\/(\d+)\/(\d+)\.pbf$/.exec(pathname) ?? []
    if (z && x && y) {
      const tile = city.tiles.get(Number(z), Number(x), Number(y))
      response.writeHead(tile ? 200 : 204, {
        'content-type': 'application/x-protobuf',
        ...(tile ? { 'content-encoding': 'gzip' } : {}),
      })
      response.end(tile ?? undefined)
      return
    }
    if (pathname === '/v1/city') return send(response, [200, { ...city.info, mapboxToken: null }])
    const bearer = request.headers.authorization
    if (bearer !== `Bearer ${pathname === '/v1/sessions' ? ADMIN_KEY : TOKEN}`) return send(response, refused(401, 'AUTH'))
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body: unknown = chunks.length > 0 ? JSON.parse(Buffer.concat(chunks).toString()) : null
    for (const [method, path, answer] of answers) {
      const match = method === request.method ? path.exec(pathname) : null
      if (match) return send(response, answer(match[1] ?? '', searchParams, body))
    }
    send(response, found(undefined))
  }

  const http = createServer((request, response) => void handle(request, response))
  const io = new Server<Record<string, never>, Record<string, never>>(http, { serveClient: false, perMessageDeflate: false })
  let down = false
  const fleet = io.of('/fleet')
  fleet.use((socket, next) => {
    const { token } = socket.handshake.auth as { token?: string }
    if (down) return next(new Error('BUSY'))
    next(token === TOKEN ? undefined : Object.assign(new Error('AUTH'), { data: { code: 'AUTH' } }))
  })
  fleet.on('connection', (socket) => {
    const typed = socket as unknown as { on<E extends keyof FleetSays>(event: E, listener: FleetSays[E]): void }
    typed.on('roster', (ack) => ack({ ok: true, epoch: 'stage', now: Date.now(), drivers: [...rows.values()] }))
    typed.on('view', (_m, ack) => ack?.({ ok: true } as never))
  })
  const say: FleetStage['say'] = (event, ...message) =>
    void (fleet.emit as (name: string, ...args: unknown[]) => boolean).call(fleet, event, ...message)
  const step = (): void => {
    const moving: DriverNo[] = []
    const now = Date.now()
    for (const d of drivers) {
      if (d.row.phase === 'idle' && now - (d.row.last?.t ?? 0) > MINUTE) continue
      if (d.speed === 0 && d.row.last !== null && d.row.last.t < epoch - MINUTE) continue
      d.along = (d.along + d.speed) % d.route.length
      moving.push(d.row.no as DriverNo)
    }
    const of = (no: DriverNo): Mover => {
      const d = byNo.get(no)!
      return { no, at: pointAt(d.route, d.along), heading: headingAt(d.route, d.along), speed: d.speed }
    }
    const frame = fleetTick(moving, of, now).frame([-180, -90, 180, 90])
    if (frame) say('fleet', frame)
  }
  await new Promise<void>((done) => http.listen(0, '127.0.0.1', done))
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`
  let timer: ReturnType<typeof setInterval> | undefined
  const beat = setInterval(() => say('hb', { now: Date.now(), degraded: [] }), 5_000)
  return {
    url,
    token: TOKEN,
    rows,
    step,
    roll() {
      timer ??= setInterval(step, 1_000)
    },
    say,
    cut(next) {
      down = next
      if (next) fleet.disconnectSockets(true)
    },
    async close() {
      clearInterval(timer)
      clearInterval(beat)
      await io.close()
    },
  }
}

export const anAlert = (id: string, kind: Alert['kind'], driverId: string, orderId?: string): Alert => ({
  id,
  kind,
  at: Date.now(),
  driverId,
  ...(orderId ? { orderId } : {}),
})

function historyOf(order: OrderRow, now: number): OrderEvent[] {
  const event = (
    sequence: number,
    type: string,
    minutesAgo: number,
    source: OrderEvent['source'],
    facts: Record<string, unknown> = {},
  ): OrderEvent => ({
    id: `${order.id}-${sequence}`,
    type: `order.${type}`,
    version: 1,
    orderId: order.id,
    sequence,
    occurredAt: now - minutesAgo * MINUTE,
    recordedAt: now - minutesAgo * MINUTE,
    source,
    late: false,
    data: facts,
  })
  const list = [
    event(1, 'received', 180, 'merchant'),
    event(2, 'processed', 150, 'system'),
    event(3, 'assigned', 90, 'dispatcher'),
    event(4, 'started', 70, 'driver'),
  ]
  if (order.window)
    list.push(event(5, 'window_changed', 9, 'system', { from: order.window.from, to: order.window.to, reason: 'stop_took_longer' }))
  if (order.status === 'delivered') list.push(event(6, 'delivered', 5, 'driver'))
  if (order.status === 'delivery_attempted') list.push(event(6, 'failed', 5, 'driver', { reason: 'nobody_home' }))
  return list
}

type Answer = readonly [status: number, body: unknown]
const refused = (status: number, code: string): Answer => [
  status,
  { type: 'about:blank', title: code, status, code, requestId: 'stage' },
]
const found = (body: unknown): Answer => (body ? [200, body] : refused(404, 'NOT_FOUND'))

function send(response: ServerResponse, [status, body]: Answer): void {
  response
    .writeHead(status, { 'content-type': status < 400 ? 'application/json' : 'application/problem+json' })
    .end(JSON.stringify(body))
}

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
}
function file(response: ServerResponse, path: string): void {
  response.setHeader('content-type', TYPES[extname(path)] ?? 'application/octet-stream')
  createReadStream(path)
    .on('error', () => response.writeHead(404).end())
    .pipe(response)
}

function trailOf(driver: Driver | undefined): unknown[] {
  if (!driver) return []
  return Array.from({ length: 80 }, (_, k) => {
    const at = pointAt(driver.route, Math.max(0, driver.along - (79 - k) * 25))
    return { t: Date.now() - (80 - k) * 5_000, lng: at[0], lat: at[1], speed: 7, heading: null }
  })
}

const orderOf = (asked: NewOrder, id: string): OrderRow => ({
  id,
  number: 'DS-N3W0RD',
  externalRef: null,
  merchant: 'Doorstep',
  recipient: asked.recipient.name,
  address: asked.address,
  note: asked.note ?? null,
  status: 'received',
  version: 1,
  runId: null,
  stopId: null,
  driverId: null,
  window: null,
  promise: asked.window ?? null,
  createdAt: Date.now(),
  updatedAt: Date.now(),
})
