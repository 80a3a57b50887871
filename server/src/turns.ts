// Pieces of work with a key in; each key's done one at a time and in order, different keys side by side.

export interface Turns<K> {
  /**
   * Does `work` now when nothing of this key is under way, without leaving the turn of the event loop when it answers no promise; else after what came
   * before. A rejection or throw goes to `onError` and never stops what waits behind it.
   */
  run(key: K, work: () => void | Promise<void>): void
  /** Pieces that wait, over all keys. */
  readonly waiting: number
  /** Resolves when nothing is under way. */
  idle(): Promise<void>
}

export function turns<K>(onError: (error: unknown) => void): Turns<K> {
  const queues = new Map<K, (() => void | Promise<void>)[]>()
  let waiting = 0
  let idlers: (() => void)[] = []

  function attempt(work: () => void | Promise<void>): Promise<void> | null {
    try {
      const done = work()
      return done ? done.catch(onError) : null
    } catch (error) {
      onError(error)
      return null
    }
  }
  async function drain(key: K, queue: (() => void | Promise<void>)[], first: Promise<void>): Promise<void> {
    await first
    for (let work = queue.shift(); work; work = queue.shift()) {
      waiting--
      const done = attempt(work)
      if (done) await done
    }
    queues.delete(key)
    if (queues.size === 0) {
      for (const resolve of idlers) resolve()
      idlers = []
    }
  }

  return {
    run(key, work) {
      const queue = queues.get(key)
      if (queue) {
        waiting++
        queue.push(work)
        return
      }
      const done = attempt(work)
      if (!done) return
      const own: (() => void | Promise<void>)[] = []
      queues.set(key, own)
      void drain(key, own, done)
    },
    get waiting() {
      return waiting
    },
    idle: () => (queues.size === 0 ? Promise.resolve() : new Promise((resolve) => idlers.push(resolve))),
  }
}

/** Pieces of work of which so many are done at a time; the others wait in the order in which they came. */
export function atMost(n: number): <T>(work: () => Promise<T>) => Promise<T> {
  let under = 0
  const waiting: (() => void)[] = []
  return async (work) => {
    if (under >= n) await new Promise<void>((resolve) => waiting.push(resolve))
    else under++
    try {
      return await work()
    } finally {
      // The place goes over to who waited longest.
      const next = waiting.shift()
      if (next) next()
      else under--
    }
  }
}
