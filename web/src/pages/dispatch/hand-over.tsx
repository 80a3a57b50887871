// A run in, or a driver; the run given to a driver who is chosen, out.
import type { RunView } from '@doorstep/shared/api'
import { useState } from 'react'
import { Button } from '../../ui/controls.tsx'
import { words } from '../../ui/words-dispatch.ts'
import type { Api, ApiFault } from './api.ts'
import { candidatesFor } from './candidates.tsx'
import type { Desk } from './desk.ts'
import type { Vehicle } from './fleet.ts'
import { Trouble } from './mark.tsx'
import { useAsk } from './use.ts'

/** Gives a run, also one under way, to somebody without one: the nearest to its next door stands first. */
export function HandOver(props: {
  api: Api
  desk: Desk
  run: RunView
  onDriver: (id: string) => void
  say: (text: string) => void
}) {
  const { api, desk, run } = props
  const ahead = run.stops.find((s) => s.status === 'pending' || s.status === 'arrived') ?? run.stops[0]
  const [choices] = useState(() => candidatesFor(desk.fleet.vehicles.values(), ahead?.door ?? null))
  const [chosen, setChosen] = useState(choices[0]?.row.id ?? '')
  const [busy, setBusy] = useState(false)
  const [fault, setFault] = useState<ApiFault | null>(null)
  if (choices.length === 0) return <p className="hush small">{words.driver.assignNobody}</p>
  const give = async () => {
    setBusy(true)
    const answer = await api.assign(run.id, chosen)
    setBusy(false)
    if (!answer.ok) return setFault(answer.fault)
    props.say(words.done.assigned(choices.find((v) => v.row.id === chosen)?.row.name ?? ''))
    props.onDriver(chosen)
  }
  return (
    <div className="inline-form">
      <label>
        <span>{words.driver.assign}</span>
        <select value={chosen} onChange={(event) => setChosen(event.target.value)}>
          {choices.map((v) => (
            <option key={v.row.id} value={v.row.id}>
              {v.row.name} · {v.row.vehicle}
            </option>
          ))}
        </select>
      </label>
      {fault && <Trouble fault={fault} />}
      <Button size="small" look="primary" disabled={busy} onClick={give}>
        {words.driver.assignGo}
      </Button>
    </div>
  )
}

/** Runs that nobody drives yet, for a driver without one; nothing when there are none. */
export function DraftRuns(props: { api: Api; vehicle: Vehicle; say: (text: string) => void }) {
  const { api, vehicle } = props
  const [asked, again] = useAsk('drafts', () => api.runs('draft'))
  const [chosen, setChosen] = useState('')
  const [fault, setFault] = useState<ApiFault | null>(null)
  const drafts = asked.kind === 'ready' ? asked.value.runs : []
  const run = drafts.find((r) => r.id === chosen) ?? drafts[0]
  if (!run) return null
  const take = async () => {
    const answer = await api.assign(run.id, vehicle.row.id)
    setFault(answer.ok ? null : answer.fault)
    if (answer.ok) props.say(words.done.assigned(vehicle.row.name))
    again()
  }
  return (
    <div className="inline-form">
      <label>
        <span>{words.driver.draft}</span>
        <select value={run.id} onChange={(event) => setChosen(event.target.value)}>
          {drafts.map((r) => (
            <option key={r.id} value={r.id}>
              {r.name} · {words.driver.stopCount(r.stops.length)}
            </option>
          ))}
        </select>
      </label>
      {fault && <Trouble fault={fault} />}
      <Button size="small" look="primary" onClick={take}>
        {words.driver.assignGo}
      </Button>
    </div>
  )
}
