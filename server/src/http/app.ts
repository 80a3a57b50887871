// The parts in, an express app for people and shops out; and a second one, for loopback, that prints the figures.
import { randomUUID } from 'node:crypto'
import express, { type Express, type NextFunction, type Request, type Response } from 'express'
import helmet from 'helmet'
import { Histogram, type Registry } from 'prom-client'
import { pages } from './pages.ts'
import type { HttpParts } from './parts.ts'
import { sendProblem } from './problem.ts'
import { routes } from './routes.ts'
import { serve } from './table.ts'

/** Everything that this process answers over HTTP, except sockets and figures. */
export function httpApp(parts: HttpParts): Express {
  const app = express()
  app.disable('x-powered-by')
  app.disable('etag')
  app.set('trust proxy', parts.config.trustProxy)
  app.set('query parser', () => ({}))
  app.use(identify(parts))
  app.use(headers(parts))
  app.get('/healthz', (_request, response) => {
    response.locals.route = '/healthz'
    response.set('cache-control', 'no-store').json({ ok: true })
  })
  app.get('/readyz', async (_request, response) => {
    response.locals.route = '/readyz'
    const ready = await parts.ready()
    response
      .status(ready.ready ? 200 : 503)
      .set('cache-control', 'no-store')
      .json(ready)
  })
  app.use(serve(routes(parts), parts))
  app.use(pages(parts))
  app.use((_request: Request, response: Response) => sendProblem(response, { code: 'NOT_FOUND' }))
  // four parameters make it the handler of errors; what comes here is a path that can't be decoded, or a bug
  app.use((error: unknown, request: Request, response: Response, _next: NextFunction) => {
    const asked = error instanceof URIError || (error as { status?: number } | null)?.status === 400
    if (!asked) parts.log.error({ err: error, requestId: response.locals.requestId }, 'a request failed')
    if (response.headersSent) return void request.socket.destroy()
    sendProblem(response, { code: asked ? 'NOT_FOUND' : 'INTERNAL' })
  })
  return app
}

/** Prometheus figures; `app` binds it to loopback only. */
export function metricsApp(metrics: Registry): Express {
  const app = express()
  app.disable('x-powered-by')
  app.get('/metrics', async (_request, response) => {
    response.type(metrics.contentType).send(await metrics.metrics())
  })
  return app
}

/** A number for each request, one log line when it ends, and its duration. Lines hold the route, never the path: a path may be a secret. */
function identify(parts: HttpParts): express.RequestHandler {
  const seconds = new Histogram({
    name: 'doorstep_http_seconds',
    help: 'Time to answer a request, by route',
    labelNames: ['method', 'route', 'status'] as const,
    buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
    registers: [parts.metrics],
  })
  return (request, response, next) => {
    const began = performance.now()
    response.locals.requestId = randomUUID()
    response.set('x-request-id', response.locals.requestId)
    response.once('close', () => {
      const took = performance.now() - began
      const route = String(response.locals.route ?? 'other')
      const method = /^(GET|POST|DELETE|HEAD|OPTIONS)$/.test(request.method) ? request.method : 'other'
      seconds.observe({ method, route, status: String(response.statusCode) }, took / 1000)
      parts.log.debug(
        { requestId: response.locals.requestId, method, route, status: response.statusCode, ms: Math.round(took) },
        'request',
      )
    })
    next()
  }
}

function headers(parts: HttpParts): express.RequestHandler {
  const secure = parts.config.publicUrl.startsWith('https:')
  // 'self' does not mean sockets in every browser that people still use
  const sockets = parts.config.publicUrl.replace(/^http/, 'ws')
  const mapbox = parts.config.mapboxToken
    ? ['https://api.mapbox.com', 'https://events.mapbox.com', 'https://*.tiles.mapbox.com']
    : []
  const safe = helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'"],
        imgSrc: ["'self'", 'data:', 'blob:'],
        fontSrc: ["'self'"],
        connectSrc: ["'self'", sockets, ...mapbox],
        workerSrc: ["'self'"],
        manifestSrc: ["'self'"],
        baseUri: ["'none'"],
        formAction: ["'self'"],
        frameAncestors: ["'none'"],
      },
    },
    referrerPolicy: { policy: 'no-referrer' },
    strictTransportSecurity: secure ? { maxAge: 31_536_000 } : false,
    xFrameOptions: { action: 'deny' },
  })
  return (request, response, next) => {
    response.set('permissions-policy', 'geolocation=(self), screen-wake-lock=(self), camera=(), microphone=()')
    safe(request, response, next)
  }
}
