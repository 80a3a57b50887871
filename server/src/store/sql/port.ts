// SQL text and parameters in, rows out: one dialect (PostgreSQL 15 or newer) over an embedded or a real database.

export interface Query {
  /** int8 and numeric come back as numbers, timestamptz as ms since the epoch, jsonb as values. Rejects with SqlError. */
  query<R = Record<string, unknown>>(text: string, params?: readonly unknown[]): Promise<{ rows: R[]; count: number }>
}

export interface Sql extends Query {
  readonly kind: 'pglite' | 'postgres'
  /** Runs `work` in one transaction; rolls back when it throws. Resolves only after COMMIT. `lane` picks the pool (DESIGN 5). */
  tx<T>(work: (q: Query) => Promise<T>, lane?: Lane): Promise<T>
  /** Several statements without parameters. */
  exec(text: string): Promise<void>
  /** True when a trivial query answered within the last two seconds, else the reason. */
  health(): Promise<true | string>
  close(): Promise<void>
}

export type Lane = 'ingest' | 'orders' | 'reports'

/** What the database said no with. `unavailable` is a lost connection or a full pool: try again later; else the SQLSTATE tells. */
export class SqlError extends Error {
  readonly state: string
  readonly unavailable: boolean
  constructor(message: string, state: string, unavailable: boolean, options?: ErrorOptions) {
    super(message, options)
    this.state = state
    this.unavailable = unavailable
  }
}
