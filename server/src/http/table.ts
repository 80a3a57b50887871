// A table of routes in, an express router out: every request passes the same wrapper, so that no handler can forget a check.
import type { Fault } from '@doorstep/shared/codes'
import { fail, ok, type Result } from '@doorstep/shared/result'
import { type Request, type Response, Router } from 'express'
import type { z } from 'zod'
import type { By, Session } from '../orders/port.ts'
import { SqlError } from '../store/sql/port.ts'
import { id as idField, nothing } from './fields.ts'
import { readBody } from './json.ts'
import { limit } from './limit.ts'
import type { HttpParts } from './parts.ts'
import { sendProblem } from './problem.ts'

/** What a handler is given: everything has been checked. */
export interface Asked<Body, Query> {
  readonly params: Readonly<Record<string, string>>
  readonly body: Body
  readonly query: Query
  /** Null on public routes. */
  readonly session: Session | null
  readonly by: By
}
export interface Answer {
  readonly status?: 200 | 201 | 204
  readonly body?: unknown
}
type Handle<Body, Query> = (asked: Asked<Body, Query>) => Promise<Result<Answer, Fault>>

export interface Entry {
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** Parameters called `id` or ending in `Id` are uuids; anything else there is NOT_FOUND, like an unknown one. */
  readonly path: string
  /** Who may: everybody, whoever is signed in, or the holder of the admin key and admin sessions. */
  readonly who: 'public' | 'dispatcher' | 'admin'
  readonly body?: z.ZodType
  readonly query?: z.ZodType
  readonly handle: Handle<never, never>
}

/** One route; the schemas give the handler its types. */
export function entry<B extends z.ZodType = z.ZodUndefined, Q extends z.ZodType = z.ZodUndefined>(
  method: Entry['method'],
  path: string,
  who: Entry['who'],
  schemas: { body?: B; query?: Q },
  handle: Handle<z.infer<B>, z.infer<Q>>,
): Entry {
  return { method, path, who, ...schemas, handle: handle as Handle<never, never> }
}

type Guard = Pick<HttpParts, 'auth' | 'log' | 'now'>

/** Wrong credentials that one address may try: 20 a minute. */
const misses = () => limit(20)

export function serve(entries: readonly Entry[], guard: Guard): Router {
  const router = Router({ caseSensitive: true, strict: true })
  const wrong = misses()
  for (const route of entries) {
    const method = route.method.toLowerCase() as 'get' | 'post' | 'delete'
    router[method](route.path, async (request, response) => {
      response.locals.route = route.path
      const fault = await answer(route, guard, wrong, request, response).catch((error: unknown): Fault => {
        if (error instanceof SqlError && error.unavailable) return { code: 'RETRY' }
        guard.log.error({ err: error, requestId: response.locals.requestId, route: route.path }, 'a handler failed')
        return { code: 'INTERNAL' }
      })
      if (!fault) return
      // what was left unread of a body must not be taken for the next request
      if (fault.code === 'TOO_LARGE' || !request.complete) response.set('connection', 'close')
      sendProblem(response, fault)
    })
  }
  return router
}

async function answer(
  route: Entry,
  guard: Guard,
  wrong: ReturnType<typeof misses>,
  request: Request,
  response: Response,
): Promise<Fault | null> {
  let session: Session | null = null
  if (route.who !== 'public') {
    const token = /^Bearer ([\x20-\x7e]{1,512})$/.exec(request.headers.authorization ?? '')?.[1]
    session = token ? await guard.auth.session(token) : null
    if (!session) {
      const wait = wrong.take(request.ip ?? '', guard.now())
      return wait > 0 ? { code: 'RATE', retryAfterMs: wait } : { code: 'AUTH' }
    }
    if (route.who === 'admin' && session.role !== 'admin') return { code: 'FORBIDDEN' }
  }
  const params = request.params as Record<string, string>
  for (const [name, value] of Object.entries(params))
    if (/^id$|Id$/.test(name) && !idField.safeParse(value).success) return { code: 'NOT_FOUND' }

  const asks = queryOf(request)
  if (!asks.ok) return asks.fault
  const query = checked(route.query, asks.value)
  if (!query.ok) return query.fault
  let body: unknown
  let idem: string | undefined
  if (route.method === 'POST') {
    const read = await readBody(request)
    if (!read.ok) return read.fault
    const fits = checked(route.body, read.value ?? {})
    if (!fits.ok) return fits.fault
    body = fits.value
    const key = request.headers['idempotency-key']
    if (key !== undefined) {
      if (typeof key !== 'string' || !/^[\x21-\x7e]{1,255}$/.test(key)) return { code: 'IDEM_KEY' }
      idem = key
    }
  } else if (Number(request.headers['content-length'] ?? 0) > 0 || request.headers['transfer-encoding'] !== undefined)
    return { code: 'BAD_FIELD', field: 'body' }

  const by: By = {
    source: 'dispatcher',
    principal: session?.id ?? 'public',
    ...(idem !== undefined && {
      idem: { key: idem, body: `${route.method} ${request.path}\n${JSON.stringify(body)}` },
    }),
  }
  const asked = { params, query: query.value, body, session, by }
  const done = await route.handle(asked as Asked<never, never>)
  if (!done.ok) return done.fault
  const { status = 200, body: told } = done.value
  response.status(status).set('cache-control', 'no-store')
  if (status === 204) response.end()
  else response.json(told)
  return null
}

/** A parameter given twice is a fault: which one counts is anybody's guess. */
function queryOf(request: Request): Result<Record<string, string>, Fault> {
  const at = request.originalUrl.indexOf('?')
  const found: Record<string, string> = Object.create(null)
  for (const [name, value] of new URLSearchParams(at < 0 ? '' : request.originalUrl.slice(at + 1))) {
    if (name in found) return fail({ code: 'DUP_KEY', field: 'query' })
    found[name] = value
  }
  return ok(found)
}

/** Without a schema nothing may be there. A fault names a field of ours, never a name or a value of the sender's. */
function checked(schema: z.ZodType | undefined, value: unknown): Result<unknown, Fault> {
  const parsed = (schema ?? nothing).safeParse(value)
  if (parsed.success) return ok(schema ? parsed.data : undefined)
  const path = parsed.error.issues[0]?.path.join('.') ?? ''
  const code = path === 'limit' ? 'LIMIT' : path === 'cursor' ? 'CURSOR' : 'BAD_FIELD'
  return fail({ code, ...(path && { field: path }) })
}
