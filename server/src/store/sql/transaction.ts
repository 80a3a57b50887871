// One session and some work in, begin and commit around it: the same promises over both drivers.
import { IDLE_IN_TX_MS, type Query, SqlError } from './port.ts'

/**
 * Runs `work` between begin and commit on the session that `ask` speaks to. Rejects unless COMMIT truly happened: a database answers
 * COMMIT with a silent ROLLBACK when a statement had failed, even if `work` caught that. `lost` says that the session is gone, so that
 * nobody waits for its rollback.
 */
export async function transaction<T>(ask: Query['query'], lost: () => boolean, work: (q: Query) => Promise<T>): Promise<T> {
  await ask('begin')
  let over = false
  let failed = false
  let asking = 0
  let idle: NodeJS.Timeout | undefined
  let giveUp: (error: SqlError) => void = () => {}
  const gaveUp = new Promise<never>((_, reject) => {
    giveUp = reject
  })
  const watch = () => {
    clearTimeout(idle)
    if (asking > 0 || over) return
    idle = setTimeout(() => {
      over = true
      giveUp(new SqlError('a transaction asked nothing for five seconds: does it wait for a query outside itself?', '25P03', true))
    }, IDLE_IN_TX_MS)
  }
  const q: Query = {
    async query<R>(text: string, params?: readonly unknown[]) {
      if (over) throw new SqlError('the transaction is over', '25P01', false)
      asking++
      clearTimeout(idle)
      try {
        return await ask<R>(text, params)
      } catch (error) {
        failed = true
        throw error
      } finally {
        asking--
        watch()
      }
    },
  }
  try {
    watch()
    const value = await Promise.race([work(q), gaveUp])
    over = true
    clearTimeout(idle)
    if (failed) await ask('select 1') // 25P02 unless a savepoint mended it
    await ask('commit')
    return value
  } catch (error) {
    over = true
    clearTimeout(idle)
    if (!lost()) await ask('rollback').catch(() => {})
    throw error
  }
}
