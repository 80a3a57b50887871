// Fixed views in, the customer's real page under them out: the server's own HTTP edge with its headers and tiles, and a feed that a test speaks through.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { openCity } from '@doorstep/server/city'
import { httpApp } from '@doorstep/server/http/app'
import type { HttpParts } from '@doorstep/server/http/parts'
import type { WatchHears, WatchSays } from '@doorstep/shared/protocol'
import type { OrderView } from '@doorstep/shared/track'
import type { LngLat } from '@doorstep/shared/units'
import { customerStates, type StateName } from '@doorstep/web/pages/customer/states'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { Server } from 'socket.io'
import { built } from './built.ts'

export interface CustomerWorld {
  readonly url: string
  /** A link that shows this view from now on, without a feed when `mute`. */
  link(view: OrderView | StateName, options?: { mute?: boolean }): string
  /** What a link shows from now on to who asks. */
  show(link: string, view: OrderView | StateName): void
  states(): Record<StateName, OrderView>
  /** Sends to everybody who watches; `hears` of a link that ended is `gone`. */
  tell<E extends keyof WatchHears>(event: E, ...args: Parameters<WatchHears[E]>): void
  /** Cuts every connection, as a server that restarts does. */
  drop(): void
  /** Resolves when somebody watches. */
  watched(): Promise<void>
  close(): Promise<void>
}

const START: LngLat = [11.9745, 57.6985]
const DOOR: LngLat = [11.9608, 57.6962]

/** `port` 0 is any. Everything is on 127.0.0.1. */
export async function customerWorld(options: { mapboxToken?: string; port?: number } = {}): Promise<CustomerWorld> {
  const webDist = await built()
  const city = await openCity(fileURLToPath(new URL('../../.cache/', import.meta.url)))
  const plan = await city.router.route([START, DOOR])
  const street = plan?.line ?? [START, DOOR]
  const links = new Map<string, { view: OrderView | StateName; mute: boolean }>()
  const states = () => customerStates(Date.now(), street)
  const viewOf = (token: string): OrderView | null => {
    const link = links.get(token)
    return link ? (typeof link.view === 'string' ? states()[link.view] : link.view) : null
  }

  const http = createServer()
  await new Promise<void>((done) => http.listen(options.port ?? 0, '127.0.0.1', done))
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`
  // The customer's page needs these parts alone; whatever else it asked for would throw.
  const parts: Partial<HttpParts> = {
    config: { publicUrl: url, mapboxToken: options.mapboxToken ?? null, trustProxy: false },
    city: city.info,
    tiles: city.tiles,
    auth: { link: async (token: string) => (links.has(token) ? { order: token } : null) } as unknown as HttpParts['auth'],
    render: async (order) => viewOf(order),
    log: pino({ level: 'silent' }),
    metrics: new Registry(),
    webDist,
    now: () => Date.now(),
  }
  http.on('request', httpApp(parts as HttpParts))

  const io = new Server<WatchSays, WatchHears>(http, { serveClient: false, transports: ['websocket'] })
  let seen: (() => void)[] = []
  const nsp = io.of('/watch')
  nsp.use((socket, next) => {
    const link = links.get(String(socket.handshake.auth.token))
    if (!link) next(new Error('AUTH'))
    else if (!link.mute) next()
  })
  nsp.on('connection', (socket) => {
    const token = String(socket.handshake.auth.token)
    const answer = (ack: (answer: never) => void) => {
      const view = viewOf(token)
      ack((view ? { ok: true, view } : { ok: false, code: 'NOT_FOUND' }) as never)
    }
    socket.on('watch', (ack) => {
      answer(ack)
      for (const done of seen) done()
      seen = []
    })
    socket.on('sync', (_since, ack) => answer(ack))
  })

  let made = 0
  return {
    url,
    states,
    link(view, how = {}) {
      const token = `fixture${String(++made).padStart(15, '0')}`
      links.set(token, { view, mute: how.mute ?? false })
      return `${url}/t/${token}`
    },
    show(link, view) {
      const token = link.slice(link.lastIndexOf('/') + 1)
      links.set(token, { view, mute: links.get(token)?.mute ?? false })
    },
    tell: (event, ...args) => void nsp.emit(event, ...(args as never)),
    drop: () => nsp.disconnectSockets(true),
    watched: () => new Promise((done) => seen.push(done)),
    async close() {
      await io.close()
      http.closeAllConnections()
    },
  }
}
