// An order's id in; where it stands, what happened to it and what can be done, out.
import type { OrderDetail, OrderRow } from '@doorstep/shared/api'
import { useEffect, useRef, useState } from 'react'
import { Badge, Button, type Tone } from '../../ui/controls.tsx'
import { calendarDay, clockTime, sameDay } from '../../ui/format.ts'
import { words } from '../../ui/words-dispatch.ts'
import type { Api, ApiFault } from './api.ts'
import { Candidates } from './candidates.tsx'
import type { Desk } from './desk.ts'
import { isLoose, Sure } from './driver-panel.tsx'
import { PanelHead, Trouble, Waiting } from './mark.tsx'
import type { Asked } from './use.ts'

export interface OrderPanelProps {
  api: Api
  desk: Desk
  asked: Asked<OrderDetail>
  again: () => void
  onDriver: (id: string) => void
  onClose: () => void
  say: (text: string) => void
}

const TONES: Partial<Record<OrderRow['status'], Tone>> = {
  out_for_delivery: 'brand',
  delivered: 'ok',
  completed: 'ok',
  delivery_attempted: 'bad',
  lost: 'bad',
  on_hold: 'warn',
}
const FINAL: readonly OrderRow['status'][] = ['delivered', 'completed', 'cancelled', 'returned', 'lost']

export function OrderPanel(props: OrderPanelProps) {
  const { asked } = props
  if (asked.kind === 'ready') return <Order {...props} detail={asked.value} />
  return (
    <>
      <PanelHead title={words.stop.order} onClose={props.onClose} />
      <div className="panel-body">
        {asked.kind === 'failed' ? <Trouble fault={asked.fault} again={props.again} /> : <Waiting lines={8} />}
      </div>
    </>
  )
}

function Order({ api, desk, detail, again, onDriver, onClose, say }: OrderPanelProps & { detail: OrderDetail }) {
  const { order, events } = detail
  const [busy, setBusy] = useState(false)
  const [fault, setFault] = useState<ApiFault | null>(null)
  const [sure, setSure] = useState(false)
  const [link, setLink] = useState<string | null>(null)
  const [assigning, setAssigning] = useState(false)
  const driver = order.driverId ? desk.fleet.vehicles.get(order.driverId) : undefined

  const cancel = async () => {
    setBusy(true)
    const answer = await api.cancelOrder(order.id, order.version)
    setBusy(false)
    setSure(false)
    setFault(answer.ok ? null : answer.fault)
    if (answer.ok) say(words.done.orderCancelled)
    again()
  }
  const copy = async () => {
    setBusy(true)
    const answer = await api.newLink(order.id)
    setBusy(false)
    setFault(answer.ok ? null : answer.fault)
    if (!answer.ok) return
    setLink(answer.value.url)
    say((await copied(answer.value.url)) ? words.done.copied : words.done.copyRefused)
  }

  return (
    <>
      <PanelHead title={order.number} sub={order.recipient} onClose={onClose} />
      <div className="panel-body">
        <p className="facts">
          <Badge tone={TONES[order.status] ?? 'idle'}>{words.order.status[order.status]}</Badge>
        </p>
        <dl className="pairs">
          <dt>{words.order.to}</dt>
          <dd>{order.address.label}</dd>
          {order.merchant && (
            <>
              <dt>{words.order.shop}</dt>
              <dd>{order.merchant}</dd>
            </>
          )}
          {order.window && (
            <>
              <dt>{words.order.window}</dt>
              <dd className="tabular">
                <b>
                  {clockTime(order.window.from)} – {clockTime(order.window.to)}
                </b>
              </dd>
            </>
          )}
          {order.promise && (
            <>
              <dt>{words.order.promise}</dt>
              <dd className="tabular">
                {clockTime(order.promise.from)} – {clockTime(order.promise.to)}
              </dd>
            </>
          )}
          <dt>{words.order.driver}</dt>
          <dd>
            {driver ? (
              <button type="button" className="link" onClick={() => onDriver(driver.row.id)}>
                {driver.row.name}
              </button>
            ) : (
              <span className="hush">{words.order.none}</span>
            )}
          </dd>
          {order.note && (
            <>
              <dt>{words.order.note}</dt>
              <dd>{order.note}</dd>
            </>
          )}
        </dl>
        {fault && <Trouble fault={fault} />}
        <div className="actions">
          {isLoose(order) && (
            <Button size="small" look="primary" icon="van" aria-expanded={assigning} onClick={() => setAssigning(!assigning)}>
              {words.order.assign}
            </Button>
          )}
          <Button size="small" icon="link" disabled={busy} onClick={copy}>
            {words.order.copyLink}
          </Button>
          {!FINAL.includes(order.status) && !sure && (
            <Button size="small" look="quiet" disabled={busy} onClick={() => setSure(true)}>
              {words.order.cancel}
            </Button>
          )}
        </div>
        {sure && (
          <Sure text={words.order.cancelSure} yes={words.order.cancelYes} busy={busy} onNo={() => setSure(false)} onYes={cancel} />
        )}
        {link && <LinkField url={link} />}
        {assigning && isLoose(order) && <Candidates api={api} desk={desk} order={order} onAssigned={onDriver} say={say} />}
        <h3 className="section-title">{words.order.timeline}</h3>
        <ol className="timeline">
          {[...events].reverse().map((e, i, all) => {
            const { text, detail: more, by } = words.event(e)
            const before = all[i - 1]
            return (
              <li key={e.id} className={`event event-${e.type.replace('order.', '')}`}>
                {(before ? !sameDay(before.occurredAt, e.occurredAt) : !sameDay(e.occurredAt, desk.now())) && (
                  <p className="event-day">{calendarDay(e.occurredAt)}</p>
                )}
                <time dateTime={new Date(e.occurredAt).toISOString()}>{clockTime(e.occurredAt)}</time>
                <div>
                  <p>{text}</p>
                  {more && <p className="small">{more}</p>}
                  <p className="small hush">
                    {by}
                    {e.late && ` · ${words.eventLate(e.recordedAt)}`}
                  </p>
                </div>
              </li>
            )
          })}
        </ol>
      </div>
    </>
  )
}

/** False when the browser refuses, as it may without a gesture or on plain http. */
export async function copied(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    return false
  }
}

export function LinkField({ url, hint = words.order.linkOnce }: { url: string; hint?: string }) {
  const field = useRef<HTMLInputElement>(null)
  useEffect(() => field.current?.select(), [])
  return (
    <label className="field">
      <span>{words.order.linkIs}</span>
      <input ref={field} readOnly value={url} onFocus={(event) => event.target.select()} />
      <span className="small hush">{hint}</span>
    </label>
  )
}
