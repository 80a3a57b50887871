// The ports that may fail in; what works less well now, by name, out. Entered within two seconds of the cause, left within ten (DESIGN 7).
import type { Millis } from '@doorstep/shared/units'
import type { Router } from './routing/port.ts'
import type { Journal } from './store/journal.port.ts'
import type { Positions } from './store/positions/port.ts'
import type { Sql } from './store/sql/port.ts'

export interface State {
  /** Whether this node should get traffic. */
  readonly ready: boolean
  readonly database: true | string
  readonly positions: true | string
  readonly router: true | string
  readonly degraded: readonly string[]
}
export interface Health {
  state(): State
  /** When the bus between nodes was last found away; 0 when never. */
  deafAt(): Millis
  close(): void
}

const EVERY_MS = 1_000
/** The event loop was held up by more than this, and nobody was served meanwhile, ms. */
const LAG_MS = 500
/** No answer for so long is an answer, ms. */
const PATIENCE_MS = 1_500

interface Parts {
  readonly sql: Pick<Sql, 'health'>
  readonly positions: Pick<Positions, 'health'>
  readonly router: Pick<Router, 'health'>
  readonly journal: Pick<Journal, 'healthy'>
  readonly now: () => Millis
}

export function health({ sql, positions, router, journal, now }: Parts): Health {
  let seen: Pick<State, 'database' | 'positions' | 'router'> = { database: true, positions: true, router: true }
  let slow = false
  let deafAt = 0
  let due = now() + EVERY_MS
  let looking = false
  const timer = setInterval(async () => {
    slow = now() - due > LAG_MS
    due = now() + EVERY_MS
    if (looking) return
    looking = true
    const [database, store, roads] = await Promise.all([ask(sql), ask(positions), ask(router)])
    seen = { database, positions: store, router: roads }
    if (store !== true) deafAt = now()
    looking = false
  }, EVERY_MS)

  return {
    state() {
      const database = seen.database === true && !journal.healthy ? 'can not be written' : seen.database
      const degraded = [
        database === true ? '' : 'database',
        seen.positions === true ? '' : 'positions',
        seen.router === true ? '' : 'router',
        slow ? 'slow' : '',
      ].filter(Boolean)
      return { ready: database === true, ...seen, database, degraded }
    },
    deafAt: () => deafAt,
    close: () => clearInterval(timer),
  }
}

/** What a part says of itself; silence and a throw are reasons too. */
async function ask(part: { health(): Promise<true | string> }): Promise<true | string> {
  let timer: NodeJS.Timeout | undefined
  const silence = new Promise<string>((resolve) => {
    timer = setTimeout(resolve, PATIENCE_MS, 'no answer')
  })
  try {
    return await Promise.race([part.health(), silence])
  } catch (error) {
    return error instanceof Error ? error.message : 'failed'
  } finally {
    clearTimeout(timer)
  }
}
