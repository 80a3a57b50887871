// SQL text and parameters in, rows out: one dialect (PostgreSQL 15 or newer) over an embedded or a real database.

export interface Query {
  /**
   * int8 and numeric come back as numbers, timestamptz as ms since the epoch, date and timestamp as text, jsonb as values, bytea as
   * Uint8Array, arrays of these alike. Parameters: strings, numbers, booleans, Date, Uint8Array, null, flat arrays of these, and plain
   * objects for jsonb (a jsonb array must be given as JSON text, since an array is an SQL array). Without `params` the text may hold
   * several statements; the last one's rows are answered. `count` is the rows returned or changed. Rejects with SqlError.
   */
  query<R = Record<string, unknown>>(text: string, params?: readonly unknown[]): Promise<{ rows: R[]; count: number }>
}

export interface Sql extends Query {
  readonly kind: 'pglite' | 'postgres'
  /**
   * Runs `work` in one transaction; rolls back when it throws. Resolves only after COMMIT. `lane` picks the pool (DESIGN 5).
   * Within `work` ask only its `q`: the embedded database has one session, so waiting for `sql` itself would wait for this very
   * transaction; one that asks nothing for five seconds is rolled back (25P03), on both.
   */
  tx<T>(work: (q: Query) => Promise<T>, lane?: Lane): Promise<T>
  /** Several statements without parameters. */
  exec(text: string): Promise<void>
  /** True when a trivial query answered within the last two seconds, else the reason. */
  health(): Promise<true | string>
  close(): Promise<void>
}

/** ingest: 2 s a statement · orders: 5 s · reports: 10 s · slow: no limit (migrations, retention). */
export type Lane = 'ingest' | 'orders' | 'reports' | 'slow'

/** What the database said no with. `unavailable` is a lost connection or a full pool: try again later; else the SQLSTATE tells. */
export class SqlError extends Error {
  override readonly name = 'SqlError'
  readonly state: string
  readonly unavailable: boolean
  constructor(message: string, state: string, unavailable: boolean, options?: ErrorOptions) {
    super(message, options)
    this.state = state
    this.unavailable = unavailable
  }
}

/** A transaction that asks nothing for this long is rolled back, ms. */
export const IDLE_IN_TX_MS = 5_000

/** SQLSTATEs that say "not now" rather than "not so": connection, resources, operator, cancelled by time, read-only standby. */
export function isUnavailable(state: string): boolean {
  return /^(08|53|57)/.test(state) || state === '25P03' || state === '25P04' || state === '25006' || state === 'XX001'
}
