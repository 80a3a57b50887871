// The built pages and their assets in; the customer's page with its first status in words, static files and tiles out.
import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { extname, join } from 'node:path'
import type { OrderStatus } from '@doorstep/shared/order'
import type { OrderView } from '@doorstep/shared/track'
import { type Request, type Response, Router } from 'express'
import { SqlError } from '../store/sql/port.ts'
import { limit } from './limit.ts'
import type { HttpParts } from './parts.ts'
import { sendProblem } from './problem.ts'

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.webp': 'image/webp',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.json': 'application/json; charset=utf-8',
  '.webmanifest': 'application/manifest+json; charset=utf-8',
}

/** What the page says before any script has run. The page's own sentences are richer; these are for a screen reader, a preview, no script. */
const SENTENCES: Readonly<Record<OrderStatus, string>> = {
  received: 'We have your order.',
  processing: 'Your order is being prepared.',
  shipped: 'Your order is loaded and will be on its way soon.',
  out_for_delivery: 'Your order is out for delivery.',
  delivered: 'Your order has been delivered.',
  completed: 'Your order has been delivered.',
  on_hold: 'Your order is on hold.',
  delivery_attempted: 'We tried to deliver your order and did not reach you.',
  available_for_pickup: 'Your order is ready to be picked up.',
  returning: 'Your order is on its way back to the shop.',
  returned: 'Your order has been returned to the shop.',
  cancelled: 'Your order has been cancelled.',
  lost: 'Your order could not be found. The shop will contact you.',
}
const NO_LINK = '<h1>This link is no longer valid. Please ask the shop for a new one.</h1>'
const NOT_NOW = '<h1>Your order can’t be reached just now. This page tries again by itself.</h1>'

const LINK = /^[A-Za-z0-9_-]{22}$/
/** Links that do not exist which one address may try: 10 a minute. */
const MISSES = 10

export function pages(parts: Pick<HttpParts, 'auth' | 'render' | 'webDist' | 'tiles' | 'now' | 'log'>): Router {
  const { auth, render, webDist, tiles, now } = parts
  const router = Router({ caseSensitive: true })
  const wrong = limit(MISSES)
  const html = new Map<string, Promise<string>>()

  /** Read once: a page changes with a new build, and that with a new start. */
  function page(name: string): Promise<string> {
    const there = html.get(name)
    if (there) return there
    const reading = readFile(join(webDist, name), 'utf8')
    html.set(name, reading)
    reading.catch(() => html.delete(name))
    return reading
  }

  /** What a link shows, or null: alike for unknown, expired, revoked and malformed (V6). Rejects when the store is down. */
  async function seen(token: string | undefined): Promise<OrderView | null> {
    const link = token !== undefined && LINK.test(token) ? await auth.link(token) : null
    return link ? render(link.order) : null
  }
  /** 0, or how long an address that guesses has to wait. Who has a valid link never waits. */
  const guessed = (request: Request): number => wrong.take(request.ip ?? '', now())

  async function customer(token: string | undefined, request: Request, response: Response): Promise<void> {
    response.locals.route = '/t/:token'
    quiet(response)
    const html = await page('customer.html')
    let view: OrderView | null
    try {
      view = await seen(token)
    } catch (error) {
      if (!(error instanceof SqlError && error.unavailable)) throw error
      // the page itself asks again, and says so
      return void response
        .status(503)
        .set('retry-after', '2')
        .type('html')
        .send(fill(html, NOT_NOW, null))
    }
    if (view) return void response.type('html').send(fill(html, inWords(view), view))
    const wait = guessed(request)
    if (wait > 0) response.set('retry-after', String(Math.ceil(wait / 1000)))
    response
      .status(wait > 0 ? 429 : 404)
      .type('html')
      .send(fill(html, NO_LINK, { gone: true }))
  }

  async function state(token: string | undefined, request: Request, response: Response): Promise<void> {
    response.locals.route = '/t/:token/state'
    quiet(response)
    const view = await seen(token)
    if (!view) {
      const wait = guessed(request)
      return sendProblem(response, wait > 0 ? { code: 'RATE', retryAfterMs: wait } : { code: 'NOT_FOUND' })
    }
    // the clock ticks in every answer and is no news: the tag is made of the rest
    const { now: _now, track, ...rest } = view
    const { now: _track, ...still } = track
    const tag = `"${createHash('sha256')
      .update(JSON.stringify([rest, still]))
      .digest('base64url')
      .slice(0, 22)}"`
    response.set('etag', tag).set('cache-control', 'private, no-cache')
    if (request.headers['if-none-match'] === tag) return void response.status(304).end()
    response.json(view)
  }

  const guarded =
    (handler: (request: Request, response: Response) => Promise<void>) =>
    async (request: Request, response: Response): Promise<void> => {
      try {
        await handler(request, response)
      } catch (error) {
        const away = error instanceof SqlError && error.unavailable
        if (!away) parts.log.error({ err: error, requestId: response.locals.requestId }, 'a page failed')
        sendProblem(response, { code: away ? 'RETRY' : 'INTERNAL' })
      }
    }

  router.get('/', (_request, response) => response.redirect('/dispatch'))
  // by hand: a router that decodes the path would answer a malformed one in another way than an unknown one
  router.use('/t', (request, response, next) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') return next()
    const [token, more, ...rest] = request.path.slice(1).split('/')
    const isState = more === 'state' && rest.length === 0
    const asked = more === undefined || isState ? token : undefined
    return guarded((q, r) => (isState ? state(asked, q, r) : customer(asked, q, r)))(request, response)
  })
  router.get(
    '/dispatch',
    guarded((request, response) => file(webDist, 'dispatch.html', request, response)),
  )
  router.get(
    ['/drive', '/drive/:token'],
    guarded((request, response) => {
      response.locals.route = '/drive/:token'
      quiet(response)
      return file(webDist, 'drive.html', request, response)
    }),
  )
  router.get(
    '/assets/*path',
    guarded((request, response) => file(webDist, request.path.slice(1), request, response)),
  )
  router.get('/tiles/:z/:x/:file', (request, response) => {
    response.locals.route = '/tiles/:z/:x/:y'
    const { z, x, file: last } = request.params as Record<string, string>
    const y = /^(\d{1,8})\.pbf$/.exec(last!)?.[1]
    const numbers = [z!, x!, y ?? '']
    const bytes = numbers.every((n) => /^\d{1,8}$/.test(n)) ? tiles.get(Number(z), Number(x), Number(y)) : null
    response.set('cache-control', 'public, max-age=86400').set('access-control-allow-origin', '*')
    // an empty tile is an answer: the map asks no more
    if (!bytes) return void response.status(y === undefined ? 404 : 204).end()
    response.set('content-type', 'application/vnd.mapbox-vector-tile').set('content-encoding', 'gzip').end(bytes)
  })
  return router
}

/** Nobody stores, indexes or passes on an address that is a secret. */
function quiet(response: Response): void {
  response.set('cache-control', 'no-store').set('x-robots-tag', 'noindex, nofollow').set('referrer-policy', 'no-referrer')
}

function inWords(view: OrderView): string {
  const of = [view.number, view.merchant].filter(Boolean).join(' · ')
  const { window } = view
  const when = window ? `<p>Expected between <time>${clock(window.from)}</time> and <time>${clock(window.to)}</time> UTC.</p>` : ''
  return `<h1>${SENTENCES[view.status]}</h1><p>${plain(of)}</p>${when}`
}

/** Puts the first status, in words and as JSON, into the page. A page without the marks stays as it is. */
function fill(html: string, words: string, state: OrderView | { gone: true } | null): string {
  const json = JSON.stringify(state).replaceAll('<', '\\u003c').replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029')
  return html
    .replace('<!--status-->', () => `<main class="page-wait">${words}</main>`)
    .replace(/(<script type="application\/json" id="state">)null(<\/script>)/, (_all, open, close) => open + json + close)
}
const plain = (text: string): string => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`)
const clock = (t: number): string => new Date(t).toISOString().slice(11, 16)

/** A file of the build, in the smallest form that the client reads. Paths are those of the build alone: no dots at a name's beginning. */
async function file(root: string, path: string, request: Request, response: Response): Promise<void> {
  if (!/^([A-Za-z0-9_~-][A-Za-z0-9_.~-]*\/)*[A-Za-z0-9_~-][A-Za-z0-9_.~-]*$/.test(path) || /\.(br|gz)$/.test(path))
    return sendProblem(response, { code: 'NOT_FOUND' })
  const type = TYPES[extname(path)]
  const accepted = String(request.headers['accept-encoding'] ?? '')
  for (const [encoding, suffix] of [
    ['br', '.br'],
    ['gzip', '.gz'],
    ['', ''],
  ] as const) {
    if (encoding && !new RegExp(`\\b${encoding}\\b(?!\\s*;\\s*q=0(?:\\.0*)?\\s*(?:,|$))`).test(accepted)) continue
    const full = join(root, path + suffix)
    const found = await stat(full).catch(() => null)
    if (!found?.isFile()) continue
    response.set('content-type', type ?? 'application/octet-stream').set('vary', 'accept-encoding')
    if (encoding) response.set('content-encoding', encoding)
    const forEver = path.startsWith('assets/')
    if (!response.hasHeader('cache-control'))
      response.set('cache-control', forEver ? 'public, max-age=31536000, immutable' : 'no-cache')
    response.end(await readFile(full))
    return
  }
  sendProblem(response, { code: 'NOT_FOUND' })
}
