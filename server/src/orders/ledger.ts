// A command in, one transaction with its events out: locks, versions, idempotency, and who must be told after COMMIT (O2).
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import type { Fault } from '@doorstep/shared/codes'
import { ACTIONS, next, type OrderAction, type OrderEvent, type OrderStatus } from '@doorstep/shared/order'
import { fail, ok, type Result } from '@doorstep/shared/result'
import type { Millis } from '@doorstep/shared/units'
import { digest } from '../secret.ts'
import { type Query, type Sql, SqlError } from '../store/sql/port.ts'
import type { By } from './port.ts'

/** An order under lock; kept in step with the row by `record` and `apply`. */
export interface Held {
  readonly id: string
  status: OrderStatus
  version: number
  status_at: Millis
  run_id: string | null
  stop_id: string | null
  readonly number: string
  readonly lng: number
  readonly lat: number
  promise_from: Millis | null
  promise_to: Millis | null
}

/** One transaction under way, and what it changed. */
export interface Work {
  readonly q: Query
  readonly now: Millis
  readonly by: By
  readonly newId: () => string
  /** Newest sequence of each order changed. */
  readonly orders: Map<string, number>
  readonly runs: Set<string>
  /** Set by a refusal that must be written down nevertheless. */
  keep: boolean
}

export interface Changed {
  readonly orders: ReadonlyMap<string, number>
  readonly runs: ReadonlySet<string>
}

export interface Ledger {
  /**
   * Runs `work` in one transaction, again after a race that it lost. A fault rolls back, unless the work asked to keep what it wrote.
   * With an idempotency key: the same key and body answers what was answered then; another body is IDEM_REUSED.
   */
  command<T>(by: By, work: (w: Work) => Promise<Result<T, Fault>>): Promise<Result<T, Fault>>
}

/** Deadlock, serialization failure, and a unique key that somebody else took a moment ago: the second try sees what the other did. */
const LOST_RACE = new Set(['40P01', '40001', '23505'])

class Refused extends Error {
  readonly fault: Fault
  constructor(fault: Fault) {
    super(fault.code)
    this.fault = fault
  }
}

/** `told` is called after each COMMIT and before the answer, so that whoever commanded reads what he wrote. */
export function ledger(sql: Sql, now: () => Millis, newId: () => string, told: (changed: Changed) => Promise<void>): Ledger {
  async function once<T>(by: By, work: (w: Work) => Promise<Result<T, Fault>>): Promise<Result<T, Fault>> {
    const orders = new Map<string, number>()
    const runs = new Set<string>()
    const answer = await sql.tx(async (q): Promise<Result<T, Fault>> => {
      const w: Work = { q, now: now(), by, newId, orders, runs, keep: false }
      const before = by.idem ? await claim<T>(w, by.idem) : null
      if (before) return before
      const done = await work(w)
      if (!done.ok && !w.keep) throw new Refused(done.fault)
      if (by.idem) await settle(w, by.idem, done)
      return done
    }, 'orders')
    if (orders.size > 0 || runs.size > 0) await told({ orders, runs })
    return answer
  }

  return {
    async command(by, work) {
      for (let attempt = 1; ; attempt++) {
        try {
          return await once(by, work)
        } catch (error) {
          if (error instanceof Refused) return fail(error.fault)
          if (!(error instanceof SqlError && LOST_RACE.has(error.state)) || attempt === 4) throw error
        }
      }
    },
  }
}

/** Takes the key, or answers what it stands for. A running twin is waited for by the insert itself. */
async function claim<T>(w: Work, idem: { key: string; body: string }): Promise<Result<T, Fault> | null> {
  const key = digest(idem.key)
  const body = digest(idem.body)
  const { count } = await w.q.query(
    'insert into idem (principal, key_sha256, body_sha256, at) values ($1, $2, $3, $4) on conflict do nothing',
    [w.by.principal, key, body, w.now],
  )
  if (count === 1) return null
  const { rows } = await w.q.query<{ body_sha256: Uint8Array; answer: Uint8Array | null }>(
    'select body_sha256, answer from idem where principal = $1 and key_sha256 = $2',
    [w.by.principal, key],
  )
  const row = rows[0]
  if (!row?.answer) return fail({ code: 'CONFLICT' })
  if (!body.equals(row.body_sha256)) return fail({ code: 'IDEM_REUSED' })
  return JSON.parse(open(w.by.principal, idem.key, Buffer.from(row.answer))) as Result<T, Fault>
}

async function settle(w: Work, idem: { key: string }, answer: unknown): Promise<void> {
  await w.q.query('update idem set answer = $3 where principal = $1 and key_sha256 = $2', [
    w.by.principal,
    digest(idem.key),
    seal(w.by.principal, idem.key, JSON.stringify(answer)),
  ])
}

// An answer may hold a token, and only hashes of tokens are stored: it is sealed with the key that only the caller knows.
const sealing = (principal: string, key: string): Uint8Array =>
  new Uint8Array(hkdfSync('sha256', key, principal, 'doorstep idempotent answer', 32))
function seal(principal: string, key: string, text: string): Buffer {
  const iv = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', sealing(principal, key), iv)
  const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
  return Buffer.concat([iv, cipher.getAuthTag(), body])
}
function open(principal: string, key: string, sealed: Buffer): string {
  const cipher = createDecipheriv('aes-256-gcm', sealing(principal, key), sealed.subarray(0, 12))
  cipher.setAuthTag(sealed.subarray(12, 28))
  return Buffer.concat([cipher.update(sealed.subarray(28)), cipher.final()]).toString('utf8')
}

/** Locks orders in the order of their ids, which keeps two commands from waiting for each other. Unknown ids are absent. */
export async function hold(q: Query, ids: readonly string[]): Promise<Map<string, Held>> {
  const { rows } = await q.query<Held>(
    `select id, status, version, status_at, run_id, stop_id, number, lng, lat, promise_from, promise_to
     from orders where id = any($1::uuid[]) order by id for update`,
    [ids],
  )
  return new Map(rows.map((row) => [row.id, row]))
}

export interface Told {
  readonly type: string
  /** Present when the event changes the status. */
  readonly status?: OrderStatus
  /** When it happened; now by default. */
  readonly at?: Millis
  readonly late?: boolean
  readonly data?: Record<string, unknown>
  readonly source?: OrderEvent['source']
}

/** Writes the next event of a held order, and the order's new version with it. */
export async function record(w: Work, order: Held, told: Told): Promise<void> {
  const at = told.at ?? w.now
  order.version++
  if (told.status) {
    order.status = told.status
    order.status_at = Math.max(order.status_at, at)
  }
  await w.q.query(
    `with told as (
       insert into order_events (order_id, sequence, id, type, status, occurred_at, recorded_at, source, late, data)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::jsonb))
     update orders set version = $2, status = $11, status_at = $12, run_id = $13, stop_id = $14,
       promise_from = $15, promise_to = $16, updated_at = $7 where id = $1`,
    [
      order.id,
      order.version,
      w.newId(),
      told.type,
      told.status ?? null,
      at,
      w.now,
      told.source ?? w.by.source,
      told.late ?? false,
      JSON.stringify(told.data ?? {}),
      order.status,
      order.status_at,
      order.run_id,
      order.stop_id,
      order.promise_from,
      order.promise_to,
    ],
  )
  w.orders.set(order.id, order.version)
}

/** Does an action of the table, or answers TRANSITION with the current version (O1). `change` sets columns in the same event. */
export async function apply(
  w: Work,
  order: Held,
  action: OrderAction,
  told: Omit<Told, 'type' | 'status'> & { change?: Partial<Pick<Held, 'run_id' | 'stop_id'>> } = {},
): Promise<Result<Held, Fault>> {
  const to = next(order.status, action)
  if (to === null) return fail({ code: 'TRANSITION', status: order.status, version: order.version })
  const { change, ...rest } = told
  Object.assign(order, change)
  await record(w, order, { ...rest, type: ACTIONS[action], ...(to !== order.status && { status: to }) })
  return ok(order)
}
