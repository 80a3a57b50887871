// A fleet in, a day in full swing out: within seconds one customer link for every phase worth seeing, and ever new ones as the day goes on.

import type { Random } from '@doorstep/shared/random'
import type { Clock } from '@doorstep/shared/uplink'
import type { Fleet, Load, Van } from './fleet.ts'
import { driverName, GUEST } from './names.ts'

/** One customer link a phase; `driver` opens the page of a driver whom nobody simulates. */
export interface Links {
  far?: string
  near?: string
  arriving?: string
  delivered?: string
  failed?: string
  waiting?: string
  driver?: string
}
type Phase = Exclude<keyof Links, 'driver'>
const PHASES: readonly Phase[] = ['far', 'near', 'arriving', 'delivered', 'failed', 'waiting']

/** Begins the day and tells the links, again whenever one of them has left its phase. Resolves when all vans are on their way. */
export async function demo(
  fleet: Fleet,
  options: { clock: Clock; rng: Random; drivers: number; tell: (links: Links) => void; say: (line: string) => void },
): Promise<void> {
  const { clock, rng } = options
  const pause = (ms: number): Promise<void> => new Promise((done) => clock.after(ms, done))
  const guest = guestDriver(fleet, rng)
  // Van 1 has many doors, van 2 is two doors from one of its customers, van 3 is about to ring.
  await Promise.all([
    fleet.begin(0, { stops: 10, done: 0 }),
    fleet.begin(1, { stops: 5, done: 2, before: 170 }),
    fleet.begin(2, { stops: 5, done: 2, before: 100, failed: 0 }),
  ])
  const first = fleet.vans.slice(0, 3)
  const deadline = clock.now() + 20_000
  while (clock.now() < deadline && !(first.length > 0 && first.every((v) => v.load && v.driver.outbox.head.kept > 3)))
    await pause(100)
  const loadLater = async (van: Van | undefined): Promise<void> => {
    if (van?.driver.at) van.next = await fleet.load(van.id, van.driver.at, 4, rng)
  }
  await loadLater(first[0])
  const driver = await guest
  let told: Partial<Record<Phase, string>> = {}
  const look = (): void => {
    const now = phases(fleet.vans)
    const next: Partial<Record<Phase, string>> = {}
    for (const phase of PHASES) {
      const url = told[phase] !== undefined && now[phase].includes(told[phase]) ? told[phase] : now[phase][0]
      if (url !== undefined) next[phase] = url
    }
    if (PHASES.every((p) => next[p] === told[p])) return
    told = next
    options.tell({ ...next, ...(driver ? { driver } : {}) })
  }
  look()
  for (let n = 3; n < options.drivers; n++)
    await fleet.begin(n, { stops: 4 + (n % 2), done: rng.int(3), before: 30 + rng.int(170) })
  options.say(`${options.drivers} vans on their way, the first is ${driverName(0).name}`)
  const again = (): void => {
    look()
    if (!fleet.vans.some((v) => v.next)) void loadLater(fleet.vans.find((v) => v.driver.ahead.length > 1))
    clock.after(15_000, again)
  }
  clock.after(15_000, again)
}

/** Which links are in which phase now, by what the vans have yet to do. */
export function phases(vans: readonly Pick<Van, 'load' | 'next' | 'driver'>[]): Record<Phase, string[]> {
  const out: Record<Phase, string[]> = { far: [], near: [], arriving: [], delivered: [], failed: [], waiting: [] }
  const near: { url: string; toNext: number; load: Load }[] = []
  const arriving: typeof near = []
  for (const { load, next, driver } of vans) {
    if (next) out.waiting.push(...next.parcels.map((p) => p.url))
    if (!load) continue
    const url = new Map(load.parcels.map((p) => [p.stopId, p.url]))
    const ahead = driver.ahead.map((d) => url.get(d.stopId) ?? '')
    const { toNext } = driver
    if (ahead[0] && toNext !== null && toNext > 10 && toNext < 150) arriving.push({ url: ahead[0], toNext, load })
    if (ahead[1] && toNext !== null) near.push({ url: ahead[1], toNext, load })
    out.far.push(...ahead.slice(5).reverse())
    for (const stop of load.run.stops) {
      if (stop.status === 'done') out.delivered.push(url.get(stop.id) ?? '')
      if (stop.status === 'failed') out.failed.push(url.get(stop.id) ?? '')
    }
  }
  // Whoever opens such a page now still sees the van come; close to the door of somebody else it would be hidden.
  const best = (found: typeof near, seconds: number): typeof near =>
    found.sort((a, b) => Math.abs(a.toNext - seconds) - Math.abs(b.toNext - seconds))
  out.arriving.push(...best(arriving, 90).map((f) => f.url))
  // Two pages side by side are better with two vans.
  const another = near.filter((f) => f.load !== arriving[0]?.load)
  out.near.push(...[...best(another, 150), ...near.filter((f) => !another.includes(f))].map((f) => f.url))
  return out
}

/** A driver of flesh and blood, with a run that has begun; the page's address. */
async function guestDriver(fleet: Fleet, rng: Random): Promise<string | null> {
  const hired = await fleet.hire(GUEST)
  if (!hired) return null
  const loaded: Load | null = await fleet.load(hired.id, fleet.centre, 4, rng.fork('guest'))
  if (loaded) await fleet.start(loaded)
  return hired.url
}
