// Every code that a sender can be told, with what the sender should do about it. Prose belongs to the pages, not here.

/** retry: the same message again, later · resync: ask for the state anew · reauth: get a new credential · fix: change the message · stop: never again. */
export type Remedy = 'retry' | 'resync' | 'reauth' | 'fix' | 'stop'

export const CODES = {
  // who you are
  AUTH: { status: 401, remedy: 'reauth' },
  ORIGIN: { status: 403, remedy: 'stop' },
  FORBIDDEN: { status: 403, remedy: 'stop' },
  NOT_FOUND: { status: 404, remedy: 'stop' },
  NOT_YOURS: { status: 403, remedy: 'stop' },
  OFF_SHIFT: { status: 409, remedy: 'stop' },
  // how much
  RATE: { status: 429, remedy: 'retry' },
  BUSY: { status: 503, remedy: 'retry' },
  RETRY: { status: 503, remedy: 'retry' },
  ABUSE: { status: 429, remedy: 'stop' },
  TOO_LARGE: { status: 413, remedy: 'fix' },
  // what it is
  BAD_TYPE: { status: 415, remedy: 'fix' },
  BAD_JSON: { status: 400, remedy: 'fix' },
  TOO_DEEP: { status: 400, remedy: 'fix' },
  DUP_KEY: { status: 400, remedy: 'fix' },
  BAD_KEY: { status: 400, remedy: 'fix' },
  BAD_EVENT: { status: 400, remedy: 'fix' },
  BAD_BATCH: { status: 400, remedy: 'fix' },
  BAD_FIELD: { status: 400, remedy: 'fix' },
  BAD_VERSION: { status: 400, remedy: 'stop' },
  NO_ACK: { status: 400, remedy: 'fix' },
  CURSOR: { status: 400, remedy: 'fix' },
  LIMIT: { status: 400, remedy: 'fix' },
  IDEM_KEY: { status: 400, remedy: 'fix' },
  IDEM_REUSED: { status: 422, remedy: 'fix' },
  GAP: { status: 409, remedy: 'resync' },
  // orders and runs
  VERSION: { status: 409, remedy: 'resync' },
  TRANSITION: { status: 422, remedy: 'stop' },
  CONFLICT: { status: 409, remedy: 'resync' },
  NO_ROUTE: { status: 422, remedy: 'fix' },
  // our own fault
  INTERNAL: { status: 500, remedy: 'retry' },
} as const satisfies Record<string, { status: number; remedy: Remedy }>

export type Code = keyof typeof CODES

/** What a sender is told: the code, the field that it is about, and facts such as `expect`, `version`, `retryAfterMs`. Never the value itself. */
export interface Fault {
  readonly code: Code
  readonly field?: string
  readonly [fact: string]: string | number | boolean | undefined
}
