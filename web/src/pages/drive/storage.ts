// A device token in; the queue of fixes and the list of acts, kept in this browser, out.
import { type ActStorage, memoryActs } from '@doorstep/shared/acts'
import type { RunView } from '@doorstep/shared/api'
import { memoryStorage, type OutboxHead, type OutboxStorage, type Skip } from '@doorstep/shared/outbox'
import type { WireFix } from '@doorstep/shared/ping'
import type { DriverAct } from '@doorstep/shared/protocol'
import { type DBSchema, openDB } from 'idb'

export interface DriveStorage {
  readonly fixes: OutboxStorage
  readonly acts: ActStorage
  /** The run as last heard, so that a reload without a line still shows the day. */
  loadRun(): Promise<RunView | null>
  saveRun(run: RunView | null): void
  /** False when this browser keeps nothing: what waits is gone with the page. */
  readonly durable: boolean
}
interface Schema extends DBSchema {
  fixes: { key: number; value: WireFix }
  facts: { key: string; value: OutboxHead | readonly Skip[] | readonly DriverAct[] | RunView | null }
}

/** Named by a hash, since whoever reads a list of databases must not read the token. */
export async function nameOf(token: string): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(token)))
  return `doorstep-drive-${[...hash.slice(0, 8)].map((b) => b.toString(16).padStart(2, '0')).join('')}`
}

/** Opens the database of that name, or forgetful storage where the browser has none to give. */
export async function openStorage(name: string): Promise<DriveStorage> {
  try {
    const db = await openDB<Schema>(name, 1, {
      upgrade(fresh) {
        fresh.createObjectStore('fixes', { keyPath: 'seq' })
        fresh.createObjectStore('facts')
      },
      // Another page wants to change the database: it waits until this one is reloaded, and no fix is lost by it.
      blocking: () => db.close(),
    })
    return {
      durable: true,
      fixes: {
        async load() {
          const tx = db.transaction(['fixes', 'facts'])
          const [head, skips, fixes] = await Promise.all([
            tx.objectStore('facts').get('head'),
            tx.objectStore('facts').get('skips'),
            tx.objectStore('fixes').getAll(),
          ])
          return head ? { head: head as OutboxHead, skips: (skips ?? []) as readonly Skip[], fixes } : null
        },
        async commit(change) {
          const tx = db.transaction(['fixes', 'facts'], 'readwrite', { durability: 'strict' })
          const fixes = tx.objectStore('fixes')
          const facts = tx.objectStore('facts')
          const writes: Promise<unknown>[] = []
          for (const [from, to] of change.remove ?? []) writes.push(fixes.delete(IDBKeyRange.bound(from, to)))
          for (const fix of change.put ?? []) writes.push(fixes.put(fix))
          if (change.head) writes.push(facts.put(change.head, 'head'))
          if (change.skips) writes.push(facts.put(change.skips, 'skips'))
          await Promise.all([...writes, tx.done])
        },
      },
      loadRun: async () => ((await db.get('facts', 'run')) ?? null) as RunView | null,
      saveRun: (run) => void db.put('facts', run, 'run').catch(() => {}),
      acts: {
        load: async () => ((await db.get('facts', 'acts')) ?? []) as readonly DriverAct[],
        save: async (acts) => void (await db.put('facts', acts, 'acts')),
      },
    }
  } catch {
    return { durable: false, fixes: memoryStorage(), acts: memoryActs(), loadRun: async () => null, saveRun: () => {} }
  }
}
