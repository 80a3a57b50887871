// For developers alone, under `vite` at /gallery.html: every designed state of the customer's page, one at a time. Not part of the build.
import '../../ui/base.css'
import './customer.css'
import type { LngLat } from '@doorstep/shared/units'
import { useEffect, useState } from 'react'
import { createRoot } from 'react-dom/client'
import { NOTHING, stepWatch } from '../../feed/watch.ts'
import { Delivery } from './page.tsx'
import { customerStates, type StateName } from './states.ts'

const STREET: LngLat[] = [
  [11.9745, 57.6985],
  [11.968, 57.6972],
  [11.9661, 57.6991],
  [11.9608, 57.6962],
]

function Gallery() {
  const [start] = useState(() => Date.now())
  const [now, setNow] = useState(start)
  const states = customerStates(start, STREET)
  const names = Object.keys(states) as StateName[]
  const [name, setName] = useState<StateName>((location.hash.slice(1) as StateName) || 'next')
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000)
    return () => clearInterval(timer)
  }, [])
  const view = states[name] ?? states.next
  const watch = stepWatch(NOTHING, { type: 'snapshot', view, at: start })
  return (
    <>
      <select
        aria-label="State"
        value={name}
        onChange={(event) => {
          location.hash = event.target.value
          setName(event.target.value as StateName)
        }}
        style={{ position: 'fixed', insetBlockStart: 8, insetInlineStart: 8, zIndex: 9 }}
      >
        {names.map((one) => (
          <option key={one}>{one}</option>
        ))}
      </select>
      <Delivery
        key={name}
        feed={{ watch, link: { kind: 'live', since: start, attempt: 0 }, polled: 0 }}
        view={view}
        track={view.track}
        now={now}
        retry={() => {}}
      />
    </>
  )
}

createRoot(document.getElementById('root')!).render(<Gallery />)
