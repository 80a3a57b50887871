// A fault in, RFC 9457 problem details out: the code, the field that it is about, and facts. Never the value, never prose from inside.
import type { Problem } from '@doorstep/shared/api'
import { CODES, type Code, type Fault } from '@doorstep/shared/codes'
import type { Response } from 'express'

const TITLES: Record<Code, string> = {
  AUTH: 'A valid credential is needed',
  ORIGIN: 'This origin may not',
  FORBIDDEN: 'This credential may not',
  NOT_FOUND: 'Not found',
  NOT_YOURS: 'It is not yours',
  OFF_SHIFT: 'Off duty',
  RATE: 'Too many requests',
  BUSY: 'Too much is waiting',
  RETRY: 'Not now: try again',
  ABUSE: 'Too many faults',
  TOO_LARGE: 'The body is too large',
  BAD_TYPE: 'The body must be JSON, not encoded otherwise',
  BAD_JSON: 'The body is not valid JSON in UTF-8',
  TOO_DEEP: 'The body is nested too deeply or has too many values',
  DUP_KEY: 'A key is given twice',
  BAD_KEY: 'A key is not allowed',
  BAD_EVENT: 'Unknown event',
  BAD_BATCH: 'The batch is not valid',
  BAD_FIELD: 'A field is not valid',
  BAD_VERSION: 'This protocol version is not spoken',
  NO_ACK: 'An acknowledgement is needed',
  CURSOR: 'The cursor is not valid',
  LIMIT: 'The limit is not valid',
  IDEM_KEY: 'The idempotency key is not valid',
  IDEM_REUSED: 'The idempotency key was used for another request',
  GAP: 'Something before this is missing',
  VERSION: 'It has changed since you read it',
  TRANSITION: 'Not possible in this status',
  CONFLICT: 'It conflicts with something else',
  NO_ROUTE: 'There is no route',
  INTERNAL: 'Our fault',
}

/** How long to wait when the fault itself does not say, s. */
const RETRY_AFTER_S = 2

export function sendProblem(response: Response, fault: Fault): void {
  const { code, retryAfterMs, ...facts } = fault
  const { status } = CODES[code]
  const body: Problem = {
    ...facts,
    type: `urn:doorstep:problem:${code}`,
    title: TITLES[code],
    status,
    code,
    requestId: String(response.locals.requestId),
  }
  if (status === 401) response.set('www-authenticate', 'Bearer')
  if (status === 429 || status === 503)
    response.set('retry-after', String(Math.ceil(Number(retryAfterMs ?? RETRY_AFTER_S * 1000) / 1000)))
  response.status(status).set('cache-control', 'no-store').type('application/problem+json').send(JSON.stringify(body))
}
