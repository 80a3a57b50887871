// A driver and its run in; the run's stops with what can be done about them, out.
import type { OrderRow, RunView } from '@doorstep/shared/api'
import { FAIL_REASONS, type FailReason } from '@doorstep/shared/order'
import { useEffect, useState } from 'react'
import { Badge, Button, Note } from '../../ui/controls.tsx'
import { words } from '../../ui/words-dispatch.ts'
import type { Answer, Api } from './api.ts'
import type { Desk } from './desk.ts'
import { placeOf, type Vehicle } from './fleet.ts'
import { DraftRuns, HandOver } from './hand-over.tsx'
import { cheapest } from './insertion.ts'
import { Mark, markOf, PanelHead, Trouble, Waiting } from './mark.tsx'
import { isSilent } from './standing.ts'
import { type Asked, useAsk } from './use.ts'

export interface DriverPanelProps {
  api: Api
  desk: Desk
  vehicle: Vehicle
  run: Asked<RunView>
  onRun: (run: RunView) => void
  again: () => void
  trailShown: boolean
  trailText: string | null
  onTrail: () => void
  onLocate: () => void
  onOrder: (id: string) => void
  onDriver: (id: string) => void
  onClose: () => void
  say: (text: string) => void
}

export function DriverPanel(props: DriverPanelProps) {
  const { vehicle: v, run } = props
  const { row, standing: s } = v
  const signal = words.signal(s)
  return (
    <>
      <PanelHead title={row.name} sub={row.vehicle} onClose={props.onClose}>
        <Mark look={markOf(s)} />
      </PanelHead>
      <div className="panel-body">
        <p className="facts">
          <Badge tone={s.work === 'late' ? 'bad' : s.work === 'at_stop' ? 'ok' : s.work === 'enroute' ? 'brand' : 'idle'}>
            {words.state(s, row.late)}
          </Badge>
          {signal && (
            <Badge tone={isSilent(s) ? 'warn' : 'idle'} icon="signal-off">
              {signal}
            </Badge>
          )}
          {row.offRoute && row.run && (
            <Badge tone="warn" icon="route">
              {words.offRoute}
            </Badge>
          )}
          {!row.kept && <Badge tone="warn">{words.unsaved}</Badge>}
        </p>
        <div className="actions">
          <Button size="small" icon="follow" onClick={props.onLocate} disabled={placeOf(v) === null}>
            {words.driver.locate}
          </Button>
          <Button size="small" icon="route" aria-pressed={props.trailShown} onClick={props.onTrail}>
            {props.trailShown ? words.driver.hideTrail : words.driver.showTrail}
          </Button>
        </div>
        {props.trailShown && props.trailText && <p className="hush small">{props.trailText}</p>}
        {row.run === null ? (
          <>
            <div className="empty">
              <p>{words.driver.idleTitle}</p>
              <p className="hush">{words.driver.idleWhy}</p>
            </div>
            <DraftRuns api={props.api} vehicle={v} say={props.say} />
          </>
        ) : run.kind === 'waiting' ? (
          <Waiting lines={6} />
        ) : run.kind === 'failed' ? (
          <Trouble fault={run.fault} again={props.again} />
        ) : (
          <Run {...props} run={run.value} />
        )}
      </div>
    </>
  )
}

function Run(props: Omit<DriverPanelProps, 'run'> & { run: RunView }) {
  const { api, run, onRun, say, vehicle } = props
  const [busy, setBusy] = useState(false)
  const [fault, setFault] = useState<{ code: string } | null>(null)
  const [sure, setSure] = useState(false)
  const [adding, setAdding] = useState(false)
  const [giving, setGiving] = useState(false)

  const act = async (what: Answer<RunView>, done: string): Promise<void> => {
    setBusy(true)
    setFault(null)
    const answer = await what
    setBusy(false)
    setSure(false)
    if (answer.ok) {
      onRun(answer.value)
      say(done)
      return
    }
    setFault(answer.fault)
    // Somebody was faster: show what is true now beside the refusal.
    if (answer.fault.code === 'VERSION' || answer.fault.code === 'CONFLICT' || answer.fault.code === 'TRANSITION') props.again()
  }
  const done = run.stops.filter((x) => x.status !== 'pending' && x.status !== 'arrived').length
  const next = run.stops.findIndex((x) => x.status === 'pending' || x.status === 'arrived')
  const open = run.status === 'assigned' || run.status === 'started'

  // What is over stands folded above what is ahead.
  const finished = next === -1 ? 0 : next
  const shownFrom = finished >= 2 ? finished : 0
  const stopAt = (stop: RunView['stops'][number], i: number) => (
    <Stop
      key={stop.id}
      stop={stop}
      index={i}
      next={i === next}
      busy={busy}
      open={run.status === 'started'}
      onOrder={() => props.onOrder(stop.orderId)}
      onArrived={() => act(api.stopArrived(run.id, stop.id), words.done.stopArrived)}
      onDone={() => act(api.stopDone(run.id, stop.id, stop.orderVersion), words.done.stopDone)}
      onFailed={(reason) => act(api.stopFailed(run.id, stop.id, reason, stop.orderVersion), words.done.stopFailed)}
    />
  )
  return (
    <>
      <div className="run-head">
        <h3>{run.name || words.driver.stops}</h3>
        <Badge tone={run.status === 'started' ? 'brand' : 'idle'}>{words.run[run.status]}</Badge>
      </div>
      <div className="progress">
        <progress value={done} max={Math.max(1, run.stops.length)} aria-label={words.driver.progress(done, run.stops.length)} />
        <p className="small hush">
          {words.driver.progress(done, run.stops.length)} · {words.driver.length(run.route.length, run.route.seconds)}
        </p>
      </div>
      {run.route.confidence === 'low' && <Note icon="alert">{words.driver.lowConfidence}</Note>}
      {fault && <Trouble fault={fault} />}
      <div className="actions">
        {run.status === 'assigned' && (
          <Button size="small" look="primary" disabled={busy} onClick={() => act(api.start(run.id), words.done.runStarted)}>
            {words.driver.start}
          </Button>
        )}
        {open && (
          <Button size="small" icon="plus" aria-expanded={adding} disabled={busy} onClick={() => setAdding(!adding)}>
            {words.driver.insert}
          </Button>
        )}
        {open && (
          <Button size="small" icon="user" aria-expanded={giving} disabled={busy} onClick={() => setGiving(!giving)}>
            {words.driver.handOver}
          </Button>
        )}
        {run.status === 'started' && next === -1 && (
          <Button size="small" look="primary" disabled={busy} onClick={() => act(api.finish(run.id), words.done.runFinished)}>
            {words.driver.finish}
          </Button>
        )}
        {open && !sure && (
          <Button size="small" look="quiet" disabled={busy} onClick={() => setSure(true)}>
            {words.driver.cancel}
          </Button>
        )}
      </div>
      {sure && (
        <Sure
          text={words.driver.cancelSure}
          yes={words.driver.cancel}
          busy={busy}
          onNo={() => setSure(false)}
          onYes={() => act(api.cancelRun(run.id), words.done.runCancelled)}
        />
      )}
      {giving && <HandOver api={api} desk={props.desk} run={run} onDriver={props.onDriver} say={say} />}
      {adding && (
        <Insert
          api={api}
          run={run}
          vehicle={vehicle}
          onInsert={(orderId, index) => act(api.insert(run.id, orderId, index), words.done.inserted).then(() => setAdding(false))}
        />
      )}
      <div className="stops">
        {finished >= 2 && (
          <details className="stops-done">
            <summary>{words.driver.finished(finished)}</summary>
            <ol>{run.stops.slice(0, finished).map(stopAt)}</ol>
          </details>
        )}
        <ol aria-label={words.driver.stops} start={shownFrom + 1}>
          {run.stops.slice(shownFrom).map((stop, i) => stopAt(stop, shownFrom + i))}
        </ol>
      </div>
    </>
  )
}

interface StopProps {
  stop: RunView['stops'][number]
  index: number
  next: boolean
  busy: boolean
  /** The run is under way: stops can be closed. */
  open: boolean
  onOrder: () => void
  onArrived: () => void
  onDone: () => void
  onFailed: (reason: FailReason) => void
}

function Stop({ stop, index, next, busy, open, onOrder, onArrived, onDone, onFailed }: StopProps) {
  const [failing, setFailing] = useState(false)
  const [reason, setReason] = useState<FailReason>('nobody_home')
  const ahead = stop.status === 'pending' || stop.status === 'arrived'
  const late = ahead && stop.window && stop.promise ? stop.window.from - stop.promise.to : 0
  return (
    <li className={`stop stop-${stop.status}`} aria-current={next ? 'step' : undefined}>
      <span className="stop-no" aria-hidden="true">
        {stop.status === 'done' ? '✓' : stop.status === 'failed' ? '!' : stop.status === 'cancelled' ? '–' : index + 1}
      </span>
      <div className="stop-main">
        <button type="button" className="stop-label" onClick={onOrder}>
          {stop.label}
        </button>
        <p className="small hush">
          {stop.recipient} · {stop.orderNumber}
        </p>
        <p className="small tabular stop-times">
          {!ahead && <span>{words.stop.status[stop.status]}</span>}
          {stop.status === 'arrived' && <b className="ok">{words.stop.status.arrived}</b>}
          {ahead && stop.status !== 'arrived' && stop.window && <b>{words.stop.expected(stop.window)}</b>}
          {stop.promise && <span className="hush">{words.stop.promised(stop.promise)}</span>}
          {late > 60_000 && <span className="bad">{words.stop.late(late)}</span>}
        </p>
        {stop.note && <p className="small stop-note">{stop.note}</p>}
        {open && ahead && (
          <details className="stop-actions" open={next}>
            <summary>
              <span className="unseen">{words.stop.more(stop.label)}</span>
              <span aria-hidden="true">{words.stop.actions}</span>
            </summary>
            <div className="actions">
              {stop.status === 'pending' && (
                <Button size="small" disabled={busy} onClick={onArrived}>
                  {words.stop.arrived}
                </Button>
              )}
              <Button size="small" icon="check" disabled={busy} onClick={onDone}>
                {words.stop.done}
              </Button>
              <Button size="small" look="quiet" aria-expanded={failing} disabled={busy} onClick={() => setFailing(!failing)}>
                {words.stop.failed}
              </Button>
            </div>
            {failing && (
              <div className="inline-form">
                <label>
                  <span>{words.stop.failedWhy}</span>
                  <select value={reason} onChange={(event) => setReason(event.target.value as FailReason)}>
                    {FAIL_REASONS.map((r) => (
                      <option key={r} value={r}>
                        {words.fail[r]}
                      </option>
                    ))}
                  </select>
                </label>
                <Button size="small" look="danger" disabled={busy} onClick={() => onFailed(reason)}>
                  {words.stop.failGo}
                </Button>
              </div>
            )}
          </details>
        )}
      </div>
    </li>
  )
}

/** A second question before what can't be undone. */
export function Sure(props: { text: string; yes: string; busy: boolean; onYes: () => void; onNo: () => void }) {
  return (
    <fieldset className="sure">
      <legend>{props.text}</legend>
      <div className="actions">
        <Button size="small" look="danger" disabled={props.busy} onClick={props.onYes}>
          {props.yes}
        </Button>
        <Button size="small" look="quiet" autoFocus onClick={props.onNo}>
          {words.order.keep}
        </Button>
      </div>
    </fieldset>
  )
}

/** Orders that wait for a run. */
export const isLoose = (order: OrderRow): boolean =>
  order.runId === null && ['received', 'processing', 'shipped', 'delivery_attempted'].includes(order.status)

function Insert(props: { api: Api; run: RunView; vehicle: Vehicle; onInsert: (orderId: string, index: number | null) => void }) {
  const { api, run, vehicle } = props
  const [asked, again] = useAsk('loose', () => api.orders({ limit: 100 }))
  const [orderId, setOrderId] = useState('')
  const [where, setWhere] = useState<'best' | 'next' | 'last'>('best')
  const loose = asked.kind === 'ready' ? asked.value.orders.filter(isLoose) : []
  const first = loose[0]?.id ?? ''
  useEffect(() => {
    setOrderId((id) => id || first)
  }, [first])
  if (asked.kind === 'waiting') return <Waiting lines={2} />
  if (asked.kind === 'failed') return <Trouble fault={asked.fault} again={again} />
  const order = loose.find((o) => o.id === orderId)
  if (!order) return <p className="hush small">{words.driver.insertNone}</p>
  const next = Math.max(
    0,
    run.stops.findIndex((x) => x.status === 'pending'),
  )
  const best = bestPlace(run, vehicle, order)
  const index = where === 'best' ? best : where === 'next' ? next : run.stops.length
  return (
    <div className="inline-form">
      <label>
        <span>{words.driver.insertWhat}</span>
        <select value={orderId} onChange={(event) => setOrderId(event.target.value)}>
          {loose.map((o) => (
            <option key={o.id} value={o.id}>
              {o.number} · {o.address.label}
            </option>
          ))}
        </select>
      </label>
      <label>
        <span>{words.driver.insertWhere}</span>
        <select value={where} onChange={(event) => setWhere(event.target.value as 'best')}>
          <option value="best">{words.driver.insertBest(best)}</option>
          <option value="next">{words.driver.insertNext}</option>
          <option value="last">{words.driver.insertLast}</option>
        </select>
      </label>
      <Button size="small" look="primary" onClick={() => props.onInsert(order.id, index)}>
        {words.driver.insertGo}
      </Button>
    </div>
  )
}

/** Index among the run's stops where an order adds the least way; never before the stop that the driver is at or was at. */
export function bestPlace(run: RunView, vehicle: Vehicle, order: Pick<OrderRow, 'address'>): number {
  const open = run.stops.findIndex((x) => x.status === 'pending')
  return cheapest(
    run.stops.map((x) => x.door),
    open === -1 ? run.stops.length : open,
    placeOf(vehicle),
    order.address.at,
  ).index
}
