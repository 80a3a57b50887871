// What the driver did at a door, in the order in which it was done; kept on the device until the server has answered for it.
import type { Fault } from './codes.ts'
import type { DriverAct } from './protocol.ts'

/** Where the few open acts live: the whole list is written each time. */
export interface ActStorage {
  load(): Promise<readonly DriverAct[]>
  save(acts: readonly DriverAct[]): Promise<void>
}
export interface Acts {
  /** Done, not yet answered; the first is sent first. */
  readonly open: readonly DriverAct[]
  /** Resolves when the act is stored; rejects when it can't be, so that nobody believes in it. */
  add(act: DriverAct): Promise<void>
  /** The server answered for good, with yes or with a fault that no repetition mends. */
  settle(idemKey: string): Promise<void>
}
/** An act that the server did not accept, and why: a person must hear of it. */
export interface RefusedAct {
  readonly act: DriverAct
  readonly fault: Fault
}

export async function openActs(storage: ActStorage): Promise<Acts> {
  let open = await storage.load()
  let tail: Promise<unknown> = Promise.resolve()
  const write = (next: (now: readonly DriverAct[]) => readonly DriverAct[]): Promise<void> => {
    const done = tail.then(async () => {
      const after = next(open)
      await storage.save(after)
      open = after
    })
    tail = done.catch(() => {})
    return done
  }
  return {
    get open() {
      return open
    },
    add: (act) => write((now) => (now.some((a) => a.idemKey === act.idemKey) ? now : [...now, act])),
    settle: (idemKey) => write((now) => now.filter((a) => a.idemKey !== idemKey)),
  }
}

export function memoryActs(): ActStorage {
  let saved: readonly DriverAct[] = []
  return {
    load: async () => saved,
    save: async (acts) => {
      saved = acts
    },
  }
}
