// A call in, JSON or a problem in words out: the only file of this page that speaks HTTP.
import type { CityInfo, NewOrder, NewRun, OrderCreated, OrderDetail, OrderRow, Place, Problem, RunView } from '@doorstep/shared/api'
import type { FailReason } from '@doorstep/shared/order'
import { fail, ok, type Result } from '@doorstep/shared/result'
import type { LngLat, Millis } from '@doorstep/shared/units'

/** `code` is one of shared/codes, or OFFLINE when no answer came. */
export interface ApiFault {
  readonly code: string
  readonly field?: string
  readonly requestId?: string
}
export type Answer<T> = Promise<Result<T, ApiFault>>

export interface TrailPoint {
  t: Millis
  lng: number
  lat: number
  speed: number | null
  heading: number | null
}

export interface Api {
  city(): Answer<CityInfo>
  runs(status: RunView['status']): Answer<{ runs: RunView[] }>
  run(id: string): Answer<RunView>
  trail(driverId: string, from: Millis, to: Millis): Answer<{ points: TrailPoint[] }>
  orders(query: {
    q?: string
    status?: string
    runId?: string
    limit?: number
  }): Answer<{ orders: OrderRow[]; next: string | null }>
  order(id: string): Answer<OrderDetail>
  places(near: LngLat): Answer<{ places: Place[] }>
  createOrder(order: NewOrder, idemKey: string): Answer<OrderCreated>
  cancelOrder(id: string, expectedVersion: number): Answer<{ order: OrderRow }>
  newLink(orderId: string): Answer<{ id: string; token: string; url: string; expiresAt: Millis | null }>
  createRun(run: NewRun, idemKey: string): Answer<RunView>
  assign(runId: string, driverId: string): Answer<RunView>
  start(runId: string): Answer<RunView>
  finish(runId: string): Answer<RunView>
  cancelRun(runId: string): Answer<RunView>
  insert(runId: string, orderId: string, index: number | null): Answer<RunView>
  stopArrived(runId: string, stopId: string): Answer<RunView>
  stopDone(runId: string, stopId: string, expectedVersion: number): Answer<RunView>
  stopFailed(runId: string, stopId: string, reason: FailReason, expectedVersion: number): Answer<RunView>
}

/** Waits no longer than this for an answer, ms. */
const PATIENCE = 15_000

/** `token` is a session's; `signedOut` hears of a 401. */
export function api(token: string, signedOut: () => void): Api {
  const call = <T>(method: string, path: string, body?: unknown, idemKey?: string): Answer<T> =>
    request<T>(token, method, path, body, idemKey).then((r) => {
      if (!r.ok && r.fault.code === 'AUTH') signedOut()
      return r
    })
  const get = <T>(path: string): Answer<T> => call<T>('GET', path)
  const post = <T>(path: string, body: unknown = {}, idemKey?: string): Answer<T> => call<T>('POST', path, body, idemKey)
  const id = encodeURIComponent
  return {
    city: () => get('/v1/city'),
    runs: (status) => get(`/v1/runs?status=${status}`),
    run: (runId) => get(`/v1/runs/${id(runId)}`),
    trail: (driverId, from, to) => get(`/v1/drivers/${id(driverId)}/trail?from=${Math.floor(from)}&to=${Math.ceil(to)}`),
    orders: (query) => {
      const params = new URLSearchParams()
      for (const [name, value] of Object.entries(query)) if (value !== undefined) params.set(name, String(value))
      return get(`/v1/orders?${params}`)
    },
    order: (orderId) => get(`/v1/orders/${id(orderId)}`),
    places: ([lng, lat]) => get(`/v1/places?near=${lng.toFixed(6)},${lat.toFixed(6)}`),
    createOrder: (order, idemKey) => post('/v1/orders', order, idemKey),
    cancelOrder: (orderId, expectedVersion) => post(`/v1/orders/${id(orderId)}/cancel`, { expectedVersion }),
    newLink: (orderId) => post(`/v1/orders/${id(orderId)}/links`),
    createRun: (run, idemKey) => post('/v1/runs', run, idemKey),
    assign: (runId, driverId) => post(`/v1/runs/${id(runId)}/assign`, { driverId }),
    start: (runId) => post(`/v1/runs/${id(runId)}/start`),
    finish: (runId) => post(`/v1/runs/${id(runId)}/finish`),
    cancelRun: (runId) => post(`/v1/runs/${id(runId)}/cancel`),
    insert: (runId, orderId, index) => post(`/v1/runs/${id(runId)}/stops`, index === null ? { orderId } : { orderId, index }),
    stopArrived: (runId, stopId) => post(`/v1/runs/${id(runId)}/stops/${id(stopId)}/arrived`),
    stopDone: (runId, stopId, expectedVersion) => post(`/v1/runs/${id(runId)}/stops/${id(stopId)}/done`, { expectedVersion }),
    stopFailed: (runId, stopId, reason, expectedVersion) =>
      post(`/v1/runs/${id(runId)}/stops/${id(stopId)}/failed`, { reason, expectedVersion }),
  }
}

/** Trades the admin key for a session token. */
export async function signIn(adminKey: string): Answer<string> {
  const answer = await request<{ token: string }>(adminKey, 'POST', '/v1/sessions', {})
  return answer.ok ? ok(answer.value.token) : answer
}

async function request<T>(bearer: string, method: string, path: string, body?: unknown, idemKey?: string): Answer<T> {
  let response: Response
  let json: unknown
  try {
    response = await fetch(path, {
      method,
      headers: {
        authorization: `Bearer ${bearer}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(idemKey ? { 'idempotency-key': idemKey } : {}),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(PATIENCE),
    })
    json = response.status === 204 ? null : await response.json()
  } catch {
    return fail({ code: 'OFFLINE' })
  }
  if (response.ok) return ok(json as T)
  const problem = json as Partial<Problem> | null
  return fail({
    code: typeof problem?.code === 'string' ? problem.code : response.status === 401 ? 'AUTH' : 'INTERNAL',
    ...(typeof problem?.field === 'string' ? { field: problem.field } : {}),
    ...(typeof problem?.requestId === 'string' ? { requestId: problem.requestId } : {}),
  })
}
