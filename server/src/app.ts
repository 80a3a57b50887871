// Stores, a city and a configuration in; a serving process out: the parts, wired by hand.
import { createServer } from 'node:http'
import type { Bbox, LngLat, Millis, RunId } from '@doorstep/shared/units'
import type { Logger } from 'pino'
import { Registry } from 'prom-client'
import { Server, type ServerOptions } from 'socket.io'
import { auth as openAuth } from './auth.ts'
import type { Config } from './config.ts'
import { faultLog } from './faults.ts'
import { health as openHealth } from './health.ts'
import { httpApp, metricsApp } from './http/app.ts'
import { openIngest } from './ingest.ts'
import { listen } from './listen.ts'
import { driverEdge } from './live/driver.ts'
import { parser } from './live/fastwire.ts'
import { fleetEdge } from './live/fleet.ts'
import { type LiveParts, RATES, type Rates } from './live/parts.ts'
import { watchEdge } from './live/watch.ts'
import { meters } from './meters.ts'
import { uuid7 } from './orders/id.ts'
import { orders as openOrders } from './orders/orders.ts'
import { etas } from './plan.ts'
import type { Places } from './routing/places.ts'
import type { Router } from './routing/port.ts'
import type { Journal } from './store/journal.port.ts'
import { retain } from './store/journal.ts'
import type { Positions } from './store/positions/port.ts'
import type { Sql } from './store/sql/port.ts'
import type { Tiles } from './tiles/tiles.ts'
import { type Calibration, DEFAULT_CALIBRATION } from './tracking/calibration.ts'
import { GATES, type Gates } from './tracking/view.ts'
import { openTracks } from './tracks.ts'

export interface AppParts {
  readonly config: Config
  readonly adminKey: string
  readonly nodeId: string
  readonly sql: Sql
  readonly positions: Positions
  readonly journal: Journal
  readonly router: Router
  readonly city: { readonly name: string; readonly bbox: Bbox; readonly center: LngLat; readonly attribution: string }
  readonly places: Places
  readonly tiles: Tiles
  /** Carries the state lane between nodes; absent on one node alone. */
  readonly adapter?: ServerOptions['adapter']
  /** Folder of the built web pages. */
  readonly webDist: string
  readonly log: Logger
  readonly now: () => Millis
  readonly random: () => number
  readonly rates?: Rates
  readonly gates?: Gates
}

export interface App {
  readonly url: string
  readonly port: number
  readonly metricsPort: number
  /** Stops accepting, answers what is under way, tells clients, closes the stores. */
  close(): Promise<void>
}

const DAY = 86_400_000
/** After the bus was away rights are looked at again for so long, ms. */
const DEAF_MS = 15_000

/** Listens, then serves. Rejects when the port is taken. */
export async function openApp(parts: AppParts): Promise<App> {
  const { config, sql, positions, journal, router, log, now } = parts
  const http = createServer({ requestTimeout: 30_000, headersTimeout: 10_000, keepAliveTimeout: 10_000 })
  // Today's partition must be there before the first fix: whoever reads while rows move into one that was made too late misses them.
  await retain(sql, now(), config.retentionDays).catch((error) => log.error({ err: error, what: 'retain' }, 'failed'))
  const port = await listen(http, config.port, config.host, 'PORT')
  const url = config.publicUrl ?? `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${port}`
  const origins = new Set(config.allowedOrigins ?? [new URL(url).origin, `http://localhost:${port}`, `http://127.0.0.1:${port}`])

  const registry = new Registry()
  const meter = meters(registry)
  const onError = faultLog((line) => log.error(line, 'failed'), now)
  const newId = () => uuid7(now())

  const auth = openAuth({ sql, positions, adminKey: parts.adminKey, now })
  const orders = openOrders({ sql, router, positions, now, newId, linkDays: config.linkDays })
  const tracks = openTracks(positions, parts.nodeId, now, (error) => onError(error, 'tracks'))
  let calibration: Calibration = DEFAULT_CALIBRATION
  const etaOf = etas(() => calibration)
  const ingest = openIngest({
    orders,
    journal: meter.timed(journal),
    router,
    tracks,
    etaOf,
    now,
    newId,
    alert: (alert) => fleet.alert(alert),
    count: meter.verdict,
    onError,
  })
  const health = openHealth({ sql, positions, router, journal, now })

  const io = new Server({
    parser,
    transports: ['websocket'],
    allowUpgrades: false,
    perMessageDeflate: false,
    httpCompression: false,
    maxHttpBufferSize: 65_536,
    connectTimeout: 5_000,
    pingInterval: 10_000,
    pingTimeout: 15_000,
    serveClient: false,
    // A page of another site may open a WebSocket, whatever CORS says: the origin is compared whole. Programs send none.
    allowRequest: (request, decide) => {
      const { origin } = request.headers
      const allowed = origin === undefined || origins.has(origin)
      if (!allowed) meter.message('handshake', 'ORIGIN')
      decide(allowed ? null : 'ORIGIN', allowed)
    },
    ...(parts.adapter ? { adapter: parts.adapter } : {}),
  })
  const live: LiveParts = {
    orders,
    records: {
      drivers: () => orders.drivers(),
      row: (id) => orders.row(id as never),
      runView: (id) => orders.runView(id as never),
      epoch: () => orders.epoch(),
    },
    auth,
    ingest,
    journal,
    tracks,
    etaOf,
    door: { now, count: meter.message, bug: onError },
    rates: parts.rates ?? RATES,
    gates: parts.gates ?? GATES,
    now,
    random: parts.random,
    degraded: () => health.state().degraded,
    shared: positions.kind === 'redis',
    deaf: () => now() - health.deafAt() < DEAF_MS,
    onError,
  }
  // Nobody has business in the main namespace.
  io.of('/').use((_socket, next) => next(new Error('NOT_FOUND')))
  const driver = driverEdge(io.of('/driver'), live)
  const watch = watchEdge(io.of('/watch'), live)
  const fleet = fleetEdge(io.of('/fleet'), live)
  http.on(
    'request',
    httpApp({
      config: { publicUrl: url, mapboxToken: config.mapboxToken, trustProxy: config.trustProxy },
      city: parts.city,
      orders,
      auth,
      router,
      places: parts.places,
      tiles: parts.tiles,
      journal,
      render: (order) => watch.view(order),
      roster: () => fleet.roster(),
      ready: async () => health.state(),
      log,
      metrics: registry,
      webDist: parts.webDist,
      now,
    }),
  )
  io.attach(http)
  // The request that a socket came with is of no more use, and holds memory for as long as the socket.
  io.engine.on('connection', (connection: { request: unknown }) => {
    connection.request = null
  })
  const figures = createServer(metricsApp(registry))
  const metricsPort = await listen(figures, config.metricsPort, '127.0.0.1', 'METRICS_PORT')
  meter.watch({ sockets: () => io, journal, positions, tracks, router })

  /** Positions that the store lost are those of the newest kept fixes; then what was learned, and what has grown too old. */
  async function warm(): Promise<void> {
    await tracks.refresh()
    const runs = new Map((await orders.drivers()).map((driver) => [driver.no, driver.run?.id ?? null]))
    for (const { no, t, seq, lng, lat, speed, heading, accuracy } of await journal.last()) {
      if (tracks.get(no)) continue
      tracks.put({
        no,
        recordedAt: t,
        seq,
        at: [lng, lat],
        heading,
        speed,
        accuracy,
        // Which run, but not where on it: the first fix tells. Version 0 is no version of a route.
        run: (runs.get(no) ?? null) as RunId | null,
        routeVersion: 0,
        along: 0,
        offRoute: false,
        nextStop: 0,
        phase: 'enroute',
        arrivedAt: null,
        pace: 1,
        still: 0,
        waited: 0,
        interval: 1,
        kept: true,
      })
    }
    calibration = (await orders.calibration()) ?? DEFAULT_CALIBRATION
  }
  async function tidy(): Promise<void> {
    await retain(sql, now(), config.retentionDays)
    await orders.prune(config.retentionDays)
    calibration = await orders.learn()
  }
  await warm().catch((error) => onError(error, 'warm'))
  const daily = setInterval(() => tidy().catch((error) => onError(error, 'tidy')), DAY)
  const firstTidy = setTimeout(() => tidy().catch((error) => onError(error, 'tidy')), 60_000)
  // What Redis missed while it was away comes from the others' saves.
  const reread =
    positions.kind === 'redis' ? setInterval(() => tracks.refresh().catch((error) => onError(error, 'refresh')), 10_000) : null

  return {
    url,
    port,
    metricsPort,
    async close() {
      clearInterval(daily)
      clearTimeout(firstTidy)
      if (reread) clearInterval(reread)
      const closed = new Promise((resolve) => http.close(resolve))
      // What devices were promised first: the journal answers all that it took before sockets go.
      await journal.close()
      await ingest.close()
      await tracks.close()
      for (const edge of [driver, watch, fleet]) edge.close()
      await io.close()
      http.closeAllConnections()
      figures.close()
      figures.closeAllConnections()
      await closed
      health.close()
      await positions.close()
      await sql.close()
    },
  }
}
