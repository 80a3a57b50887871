// What a shop and its dispatcher ask of the server over HTTP, each call repeated until it is answered; the server's answer or its code out.
import type { DriverCreated, DriverRow, NewOrder, NewRun, OrderCreated, Place, RunView } from '@doorstep/shared/api'
import { fail, ok, type Result } from '@doorstep/shared/result'
import type { LngLat } from '@doorstep/shared/units'
import type { Clock } from '@doorstep/shared/uplink'

export interface Refusal {
  readonly status: number
  readonly code: string
  readonly title: string
}
type Asked<T> = Promise<Result<T, Refusal>>

export interface Office {
  places(sample: number, seed: number): Asked<{ places: Place[] }>
  city(): Asked<{ bbox: [number, number, number, number] }>
  drivers(): Asked<{ drivers: DriverRow[] }>
  hire(name: string, vehicle: string): Asked<DriverCreated>
  phone(driverId: string): Asked<DriverCreated['device']>
  order(order: NewOrder): Asked<OrderCreated>
  cancelOrder(id: string): Asked<unknown>
  run(run: NewRun): Asked<RunView>
  runs(status: RunView['status']): Asked<{ runs: RunView[] }>
  runById(id: string): Asked<RunView>
  start(runId: string): Asked<RunView>
  cancelRun(runId: string): Asked<unknown>
  settle(runId: string, stopId: string, as: 'done' | 'failed'): Asked<RunView>
}
export interface OfficeOptions {
  readonly url: string
  readonly key: string
  readonly clock: Clock
  /** A random name for each command, so that a repetition is recognised. */
  readonly newKey: () => string
  readonly random: () => number
  /** Calls under way at once. */
  readonly most?: number
}

export function openOffice(options: OfficeOptions): Office {
  const base = options.url.replace(/\/$/, '')
  let free = options.most ?? 8
  const waiting: (() => void)[] = []
  const enter = (): Promise<void> => {
    if (free > 0) {
      free--
      return Promise.resolve()
    }
    return new Promise((go) => waiting.push(go))
  }
  const leave = (): void => {
    const next = waiting.shift()
    if (next) next()
    else free++
  }
  const pause = (ms: number): Promise<void> => new Promise((done) => options.clock.after(ms, done))

  const ask = async <T>(method: 'GET' | 'POST', path: string, body?: unknown): Asked<T> => {
    const headers: Record<string, string> = { authorization: `Bearer ${options.key}` }
    if (method === 'POST') {
      headers['content-type'] = 'application/json'
      headers['idempotency-key'] = options.newKey()
    }
    const request: RequestInit = { method, headers, ...(method === 'POST' ? { body: JSON.stringify(body ?? {}) } : {}) }
    await enter()
    try {
      for (let tries = 0; ; tries++) {
        const answer = await fetch(base + path, request).catch(() => null)
        const text = answer ? await answer.text().catch(() => null) : null
        if (answer && text !== null && answer.status !== 503 && answer.status !== 429) {
          const json = parsed(text)
          if (answer.ok) return ok(json as T)
          const { code, title } = (json ?? {}) as { code?: string; title?: string }
          return fail({ status: answer.status, code: code ?? 'INTERNAL', title: title ?? `${method} ${path}` })
        }
        const after = Number(answer?.headers.get('retry-after') ?? 0) * 1000
        await pause(
          Math.max(Number.isFinite(after) ? after : 0, 100 + options.random() * Math.min(10_000, 250 * 2 ** Math.min(tries, 6))),
        )
      }
    } finally {
      leave()
    }
  }
  const id = encodeURIComponent
  return {
    places: (sample, seed) => ask('GET', `/v1/places?sample=${sample}&seed=${seed}`),
    city: () => ask('GET', '/v1/city'),
    drivers: () => ask('GET', '/v1/drivers'),
    hire: (name, vehicle) => ask('POST', '/v1/drivers', { name, vehicle }),
    phone: (driverId) => ask('POST', `/v1/drivers/${id(driverId)}/devices`),
    order: (order) => ask('POST', '/v1/orders', order),
    cancelOrder: (orderId) => ask('POST', `/v1/orders/${id(orderId)}/cancel`),
    run: (run) => ask('POST', '/v1/runs', run),
    runs: (status) => ask('GET', `/v1/runs?status=${status}`),
    runById: (runId) => ask('GET', `/v1/runs/${id(runId)}`),
    start: (runId) => ask('POST', `/v1/runs/${id(runId)}/start`),
    cancelRun: (runId) => ask('POST', `/v1/runs/${id(runId)}/cancel`),
    settle: (runId, stopId, as) =>
      ask('POST', `/v1/runs/${id(runId)}/stops/${id(stopId)}/${as}`, as === 'failed' ? { reason: 'nobody_home' } : {}),
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** A round tour in driving order: from `from` always to the nearest of what is left. Indexes of `doors`. */
export function tour(from: LngLat, doors: readonly LngLat[], metres: (a: LngLat, b: LngLat) => number): number[] {
  const left = doors.map((_, i) => i)
  const out: number[] = []
  let here = from
  while (left.length > 0) {
    let best = 0
    for (let i = 1; i < left.length; i++) if (metres(here, doors[left[i]!]!) < metres(here, doors[left[best]!]!)) best = i
    const [next] = left.splice(best, 1)
    out.push(next!)
    here = doors[next!]!
  }
  return out
}
