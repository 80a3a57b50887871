// An order without a run in; the nearest drivers who could take it, and the order on the run of the one chosen, out.
import type { OrderRow } from '@doorstep/shared/api'
import { distance } from '@doorstep/shared/geo'
import type { LngLat } from '@doorstep/shared/units'
import { useState } from 'react'
import { Button } from '../../ui/controls.tsx'
import { words } from '../../ui/words-dispatch.ts'
import type { Api, ApiFault } from './api.ts'
import type { Desk } from './desk.ts'
import { bestPlace } from './driver-panel.tsx'
import { placeOf, type Vehicle } from './fleet.ts'
import { Mark, markOf, Trouble } from './mark.tsx'

const SHOWN = 6

/**
 * Drivers who can be heard, nearest to the door first: idle counts as if 1 km nearer, for a van that stands keeps nobody waiting; late as if 3 km farther.
 * Then who is idle and has not opened the page yet, those without any position last (`metres` null).
 */
export function nearest(vehicles: Iterable<Vehicle>, door: LngLat, count: number): { v: Vehicle; metres: number | null }[] {
  const out: { v: Vehicle; metres: number | null; cost: number }[] = []
  for (const v of vehicles) {
    const at = placeOf(v)
    const { work, signal } = v.standing
    const heard = signal === 'live' || signal === 'delayed'
    if (!heard && work !== 'idle') continue
    const metres = at ? distance(at, door) : null
    const cost = (metres ?? 1e8) + (!heard ? 1e8 : work === 'idle' ? -1000 : work === 'late' ? 3000 : 0)
    out.push({ v, metres, cost })
  }
  return out.sort((x, y) => x.cost - y.cost || x.v.row.no - y.v.row.no).slice(0, count)
}

/** Who has no run, nearest to the door first, those without a position last. */
export function candidatesFor(vehicles: Iterable<Vehicle>, door: LngLat | null): Vehicle[] {
  const away = (v: Vehicle): number => {
    const at = placeOf(v)
    return at && door ? distance(at, door) : Number.MAX_SAFE_INTEGER
  }
  return [...vehicles]
    .filter((v) => v.row.run === null)
    .sort((a, b) => away(a) - away(b) || a.row.no - b.row.no)
    .slice(0, 100)
}

export function Candidates(props: {
  api: Api
  desk: Desk
  order: OrderRow
  onAssigned: (driverId: string) => void
  say: (text: string) => void
}) {
  const { api, desk, order } = props
  // Chosen once: rows that change places under the pointer would be pressed by mistake.
  const [list] = useState(() => nearest(desk.fleet.vehicles.values(), order.address.at, SHOWN))
  const [busy, setBusy] = useState(false)
  const [fault, setFault] = useState<ApiFault | null>(null)

  const give = async (v: Vehicle) => {
    setBusy(true)
    setFault(null)
    const problem = await assign(api, v, order)
    setBusy(false)
    if (problem) {
      // Whoever was faster has changed what is shown here: this list may be gone.
      props.say(words.problem(problem.code, problem.field))
      return setFault(problem)
    }
    props.say(words.create.assigned(v.row.name))
    props.onAssigned(v.row.id)
  }
  if (list.length === 0) return <p className="hush small">{words.create.noCandidates}</p>
  return (
    <section className="candidates" aria-label={words.create.assign}>
      <h3 className="section-title">{words.create.assign}</h3>
      <p className="small hush">{words.create.assignWhy}</p>
      {fault && <Trouble fault={fault} />}
      <ul>
        {list.map(({ v, metres }) => {
          const left = v.row.run ? Math.max(0, v.row.run.stops - v.row.run.done) : null
          return (
            <li key={v.row.id}>
              <Mark look={markOf(v.standing)} />
              <span className="found-main">
                <b>{v.row.name}</b>
                <span className="hush">
                  {metres === null ? words.create.noPlace : words.create.away(metres)} ·{' '}
                  {left === null ? words.create.newRun : words.create.onRun(left)}
                </span>
              </span>
              <Button size="small" disabled={busy} aria-label={words.create.assignTo(v.row.name)} onClick={() => give(v)}>
                {words.driver.assignGo}
              </Button>
            </li>
          )
        })}
      </ul>
    </section>
  )
}

/** On a run: inserted where it adds the least way. Idle: a new run from where the van was last, or from the door where that is not known yet. Null when all went well. */
async function assign(api: Api, v: Vehicle, order: OrderRow): Promise<ApiFault | null> {
  if (v.row.run) {
    const run = await api.run(v.row.run.id)
    if (!run.ok) return run.fault
    const put = await api.insert(run.value.id, order.id, bestPlace(run.value, v, order))
    return put.ok ? null : put.fault
  }
  const start = placeOf(v) ?? order.address.at
  const made = await api.createRun({ driverId: v.row.id, start, orders: [order.id] }, `run-${order.id}-${v.row.id}`)
  return made.ok ? null : made.fault
}
