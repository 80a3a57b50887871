// A desk in, its HTTP edge on a free port of loopback out, with one principal of each kind.
import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync } from 'node:zlib'
import { httpApp } from '@doorstep/server/http/app'
import type { HttpParts } from '@doorstep/server/http/parts'
import type { DriverRow } from '@doorstep/shared/api'
import type { TrackView } from '@doorstep/shared/track'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { ADMIN_KEY, START, type TestDesk } from './orders-desk.ts'

export interface Told {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: whatever the server said; each test says what it expects
  readonly json: any
}
export interface HttpDesk {
  readonly url: string
  readonly parts: HttpParts
  /** Every line that was logged. */
  readonly log: string[]
  ask(
    method: string,
    path: string,
    options?: { key?: string | null; body?: unknown; headers?: Record<string, string> },
  ): Promise<Told>
  /** The first line logged from now on that fits. */
  logged(pattern: RegExp): Promise<string>
  /** A connection of one's own, with this said on it. */
  say(text: string): Promise<Socket>
  /** Bytes as they are, on a socket of their own; what came back before it closed. */
  raw(text: string | Uint8Array): Promise<string>
  close(): Promise<void>
}

/** Nothing to be seen of a driver: who may see what has its own tests. */
const DARK: TrackView = {
  t: 0,
  now: 0,
  vehicle: null,
  hidden: 'no_position',
  eta: { kind: 'unknown', why: 'no_position' },
  stopsLeft: null,
  remaining: null,
  phase: 'enroute',
  offRoute: false,
  interval: 5,
  kept: true,
  pathV: 0,
}

const WEB = fileURLToPath(new URL('../../web/', import.meta.url))

export async function openHttp(desk: TestDesk, dir: string, over: Partial<HttpParts> = {}): Promise<HttpDesk> {
  const webDist = join(dir, 'dist')
  await mkdir(join(webDist, 'assets'), { recursive: true })
  for (const page of ['customer.html', 'dispatch.html', 'drive.html']) await copyFile(join(WEB, page), join(webDist, page))
  await writeFile(join(webDist, 'assets/main-1a2b.js'), 'export {}\n')
  await writeFile(join(webDist, 'assets/main-1a2b.js.br'), brotliCompressSync('export {}\n'))
  const log: string[] = []
  const waiting = new Set<(line: string) => void>()
  const { orders, auth, router, now } = desk
  const server: Server = createServer()
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const parts: HttpParts = {
    config: { publicUrl: url, mapboxToken: null, trustProxy: false },
    city: { name: 'Test', bbox: [11.86, 57.66, 12.06, 57.75], center: START, attribution: '© OpenStreetMap contributors' },
    orders,
    auth,
    router,
    places: { near: (at) => [{ label: 'Linnégatan 12', at }], sample: (n) => Array(n).fill({ label: 'Linnégatan 12', at: START }) },
    tiles: { get: (z) => (z === 14 ? new Uint8Array([31, 139]) : null) },
    journal: {
      trail: async () => [{ t: now(), seq: 1, lng: START[0], lat: START[1], speed: null, heading: null, accuracy: 5 }],
    },
    async render(id) {
      const base = await orders.order(id)
      return base && { ...base.view, now: now(), track: { ...DARK, now: now() } }
    },
    roster: async () =>
      (await orders.drivers()).map(
        (d): DriverRow => ({ ...d, v: 1, last: null, interval: 5, phase: 'idle', offRoute: false, late: 0, kept: true }),
      ),
    ready: async () => ({ ready: true, database: true, positions: true, router: true, degraded: [] }),
    log: pino(
      { level: 'debug' },
      {
        write(line: string) {
          log.push(line)
          for (const hear of waiting) hear(line)
        },
      },
    ),
    metrics: new Registry(),
    webDist,
    now,
    ...over,
  }
  server.on('request', httpApp(parts))
  return {
    url,
    parts,
    log,
    async ask(method, path, { key = ADMIN_KEY, body, headers = {} } = {}) {
      const response = await fetch(url + path, {
        method,
        redirect: 'manual',
        headers: {
          ...(key !== null && { authorization: `Bearer ${key}` }),
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body !== undefined && {
          body: typeof body === 'string' || body instanceof Uint8Array ? (body as string) : JSON.stringify(body),
        }),
      })
      const text = await response.text()
      let json: unknown = null
      if (/json/.test(response.headers.get('content-type') ?? '')) json = JSON.parse(text)
      return { status: response.status, headers: response.headers, text, json }
    },
    logged: (pattern) =>
      new Promise((resolve) => {
        const hear = (line: string): void => {
          if (!pattern.test(line)) return
          waiting.delete(hear)
          resolve(line)
        }
        waiting.add(hear)
      }),
    say: (text) =>
      new Promise((resolve, reject) => {
        const socket: Socket = connect((server.address() as AddressInfo).port, '127.0.0.1', () =>
          socket.write(text, () => resolve(socket)),
        )
        socket.once('error', reject)
      }),
    raw: (text) =>
      new Promise((resolve, reject) => {
        let heard = ''
        const socket = connect((server.address() as AddressInfo).port, '127.0.0.1', () => socket.write(text))
        socket.setEncoding('latin1')
        socket.on('data', (chunk) => {
          heard += chunk
        })
        socket.on('close', () => resolve(heard))
        socket.on('error', (error: NodeJS.ErrnoException) => (error.code === 'ECONNRESET' ? resolve(heard) : reject(error)))
      }),
    close: () => {
      server.closeAllConnections()
      return new Promise((closed) => server.close(() => closed()))
    },
  }
}
