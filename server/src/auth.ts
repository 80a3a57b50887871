// Tokens in, who that is out: unknown, expired, revoked and malformed are one answer, null (V6). Only SHA-256 of tokens is stored.
import { timingSafeEqual } from 'node:crypto'
import type { DeviceId, DriverId, DriverNo, LinkId, Millis, OrderId } from '@doorstep/shared/units'
import type { Auth, Device, Granted, Link, Session } from './orders/port.ts'
import { digest, mint } from './secret.ts'
import type { Positions } from './store/positions/port.ts'
import type { Sql } from './store/sql/port.ts'

export type Kind = 'link' | 'device' | 'session'

/** Auth, and the rights that a dispatcher gives and takes. */
export interface Rights extends Auth {
  newSession(role: 'admin' | 'dispatcher'): Promise<Granted>
  /** Ends a right on every node; false when there is none such. Repeating it changes nothing. */
  revoke(kind: Kind, id: string): Promise<boolean>
}

export interface AuthParts {
  readonly sql: Sql
  readonly positions: Pick<Positions, 'signal' | 'onSignal'>
  readonly adminKey: string
  readonly now: () => Millis
}

/** What is known of a token is believed for so long: a revocation that no signal told of bites within it (FAULTS X7). */
const BELIEVED_MS = 10_000
const MOST_BELIEVED = 20_000
const SESSION_DAYS = 7

type Known = { readonly kind: Kind; readonly until: Millis; readonly who: Device | Link | Session }

export function auth(parts: AuthParts): Rights {
  const { sql, positions, now } = parts
  const believed = new Map<string, Known>()
  const listeners = new Set<(kind: Kind, id: string) => void>()
  const adminKey = digest(parts.adminKey)
  let revocations = 0

  function ended(kind: Kind, id: string): void {
    revocations++
    for (const [key, known] of believed) if (known.kind === kind && known.who.id === id) believed.delete(key)
    for (const tell of listeners) tell(kind, id)
  }
  positions.onSignal((signal) => {
    if (signal.type === 'revoked') ended(signal.kind, signal.id)
  })

  async function look<T extends Device | Link | Session>(
    kind: Kind,
    token: string,
    shape: RegExp,
    ask: (hash: Buffer) => Promise<T | null>,
  ): Promise<T | null> {
    if (typeof token !== 'string' || !shape.test(token)) return null
    const hash = digest(token)
    const key = `${kind} ${hash.toString('base64')}`
    const known = believed.get(key)
    if (known && now() < known.until) return stands(known.who, now()) ? (known.who as T) : null
    const before = revocations
    const who = await ask(hash)
    // only who is known is remembered, and not when a revocation came by while we asked
    if (!who || !stands(who, now())) {
      believed.delete(key)
      return null
    }
    if (before === revocations) {
      believed.delete(key)
      believed.set(key, { kind, until: now() + BELIEVED_MS, who })
      if (believed.size > MOST_BELIEVED) believed.delete(believed.keys().next().value as string)
    }
    return who
  }

  return {
    onRevoked: (listener) => void listeners.add(listener),

    device: (token) =>
      look<Device>('device', token, LONG, async (hash) => {
        const { rows } = await sql.query<{ id: DeviceId; driver: DriverId; no: DriverNo; name: string }>(
          `select v.id, d.id as driver, d.no, d.name from devices v join drivers d on d.no = v.driver_no
           where v.token_sha256 = $1 and v.revoked_at is null`,
          [hash],
        )
        return rows[0] ?? null
      }),

    link: (token) =>
      look<Link>('link', token, LINK, async (hash) => {
        const { rows } = await sql.query<{ id: LinkId; order_id: OrderId; expires_at: Millis | null }>(
          'select id, order_id, expires_at from links where token_sha256 = $1 and revoked_at is null',
          [hash],
        )
        return rows[0] ? { id: rows[0].id, order: rows[0].order_id, expiresAt: rows[0].expires_at } : null
      }),

    async session(token) {
      if (typeof token !== 'string' || token.length > 512) return null
      // both are digests of the same length, so the comparison tells nothing of either
      if (timingSafeEqual(digest(token), adminKey)) return { id: 'admin', role: 'admin', expiresAt: null }
      return look<Session>('session', token, LONG, async (hash) => {
        const { rows } = await sql.query<{ id: string; role: 'admin' | 'dispatcher'; expires_at: Millis | null }>(
          'select id, role, expires_at from sessions where token_sha256 = $1 and revoked_at is null',
          [hash],
        )
        return rows[0] ? { id: rows[0].id, role: rows[0].role, expiresAt: rows[0].expires_at } : null
      })
    },

    async newSession(role) {
      const expiresAt = now() + SESSION_DAYS * 86_400_000
      const token = mint(32)
      const { rows } = await sql.query<{ id: string }>(
        `insert into sessions (id, token_sha256, role, created_at, expires_at)
         values (gen_random_uuid(), $1, $2, $3, $4) returning id`,
        [digest(token), role, now(), expiresAt],
      )
      return { id: rows[0]!.id, token, expiresAt }
    },

    async revoke(kind, id) {
      const { count } = await sql.query(REVOKE[kind], kind === 'device' ? [id] : [id, now()])
      if (count === 0) return false
      ended(kind, id)
      positions.signal({ type: 'revoked', kind, id })
      return true
    },
  }
}

const LINK = /^[A-Za-z0-9_-]{22}$/
const LONG = /^[A-Za-z0-9_-]{43}$/
const REVOKE: Record<Kind, string> = {
  link: 'update links set revoked_at = coalesce(revoked_at, $2) where id = $1',
  session: 'update sessions set revoked_at = coalesce(revoked_at, $2) where id = $1',
  device: 'update devices set revoked_at = coalesce(revoked_at, now()) where id = $1',
}

const stands = (who: Device | Link | Session, now: Millis): boolean =>
  !('expiresAt' in who) || who.expiresAt === null || now < who.expiresAt
