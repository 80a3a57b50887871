// A place clicked on the map in; an order made for it and given to a driver, out.
import type { OrderCreated, Place } from '@doorstep/shared/api'
import { distance } from '@doorstep/shared/geo'
import type { LngLat, Millis } from '@doorstep/shared/units'
import { type FormEvent, useEffect, useId, useRef, useState } from 'react'
import { Button, Note } from '../../ui/controls.tsx'
import { words } from '../../ui/words-dispatch.ts'
import type { Api, ApiFault } from './api.ts'
import { Candidates } from './candidates.tsx'
import type { Desk } from './desk.ts'
import { PanelHead, Trouble, Waiting } from './mark.tsx'
import { copied, LinkField } from './order-panel.tsx'
import { promisesFrom, readPlace } from './read-place.ts'
import { useAsk } from './use.ts'

export interface CreatePanelProps {
  api: Api
  desk: Desk
  /** Where the map was clicked; null until it was. */
  clicked: LngLat | null
  onClicked: (at: LngLat | null) => void
  /** The address chosen, for the pin. */
  onDoor: (place: Place | null) => void
  middle: () => LngLat | null
  onDriver: (id: string) => void
  onClose: () => void
  say: (text: string) => void
}

export function CreatePanel(props: CreatePanelProps) {
  const { api, clicked, onDoor } = props
  const [made, setMade] = useState<OrderCreated | null>(null)
  const [choice, setChoice] = useState(0)
  const [places, again] = useAsk(clicked && !made ? clicked.join() : null, () => api.places(clicked!))
  const list = places.kind === 'ready' ? places.value.places.slice(0, 4) : []
  const place = list[choice] ?? null
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new click starts with the nearest again
  useEffect(() => setChoice(0), [clicked])
  useEffect(() => onDoor(made ? { label: made.order.address.label, at: made.order.address.at } : place), [onDoor, place, made])
  useEffect(() => () => onDoor(null), [onDoor])

  const another = () => {
    setMade(null)
    props.onClicked(null)
  }
  if (made) return <Made {...props} made={made} onAnother={another} />
  return (
    <>
      <PanelHead title={words.create.title} onClose={props.onClose} />
      <div className="panel-body">
        {!clicked ? (
          <Where {...props} />
        ) : (
          <>
            <h3 className="section-title">{words.create.where}</h3>
            {places.kind === 'waiting' && (
              <>
                <p className="small hush">{words.create.looking}</p>
                <Waiting lines={3} />
              </>
            )}
            {places.kind === 'failed' && <Trouble fault={places.fault} again={again} />}
            {places.kind === 'ready' && list.length === 0 && <Note tone="warn">{words.create.nothing}</Note>}
            {list.length > 0 && (
              <fieldset className="places">
                <legend className="unseen">{words.create.nearest}</legend>
                {list.map((p, i) => (
                  <label key={`${p.label}${p.at.join()}`} className="place">
                    <input type="radio" name="place" checked={i === choice} onChange={() => setChoice(i)} />
                    <span>{p.label}</span>
                    <span className="small hush">{words.create.away(distance(p.at, clicked))}</span>
                  </label>
                ))}
              </fieldset>
            )}
            <Button size="small" look="quiet" icon="pin" onClick={() => props.onClicked(null)}>
              {words.create.change}
            </Button>
            {place && <Who api={api} place={place} now={props.desk.now()} onMade={setMade} />}
          </>
        )}
      </div>
    </>
  )
}

function Where({ middle, onClicked }: CreatePanelProps) {
  const [text, setText] = useState('')
  const [wrong, setWrong] = useState(false)
  const hint = useId()
  const find = (event: FormEvent) => {
    event.preventDefault()
    const at = readPlace(text)
    setWrong(at === null)
    if (at) onClicked(at)
  }
  return (
    <>
      <h3 className="section-title">{words.create.where}</h3>
      <p className="hush">{words.create.click}</p>
      <div className="actions">
        <Button
          size="small"
          icon="follow"
          onClick={() => {
            const at = middle()
            if (at) onClicked(at)
          }}
        >
          {words.create.centre}
        </Button>
      </div>
      <form className="inline-form" onSubmit={find} noValidate>
        <label className="field">
          <span>{words.create.address}</span>
          <input
            value={text}
            placeholder={words.create.addressHint}
            maxLength={60}
            aria-invalid={wrong}
            aria-describedby={wrong ? hint : undefined}
            onChange={(event) => setText(event.target.value)}
          />
          {wrong && (
            <span id={hint} className="small bad" role="alert">
              {words.create.notCoordinates}
            </span>
          )}
        </label>
        <Button size="small" type="submit" icon="search">
          {words.create.look}
        </Button>
      </form>
    </>
  )
}

function Who(props: { api: Api; place: Place; now: Millis; onMade: (made: OrderCreated) => void }) {
  const [busy, setBusy] = useState(false)
  const [fault, setFault] = useState<ApiFault | null>(null)
  const [missing, setMissing] = useState(false)
  // The same key for every try of this form: a lost answer can't make two orders.
  const [key] = useState(() => crypto.randomUUID())
  const [promises] = useState(() => promisesFrom(props.now))
  const name = useRef<HTMLInputElement>(null)
  useEffect(() => name.current?.focus(), [])

  const create = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    const said = (field: string): string => String(form.get(field) ?? '').trim()
    if (said('name') === '') {
      setMissing(true)
      name.current?.focus()
      return
    }
    setBusy(true)
    setFault(null)
    const window = promises[Number(said('promise'))]
    const answer = await props.api.createOrder(
      {
        recipient: {
          name: said('name'),
          ...(said('phone') ? { phone: said('phone') } : {}),
          ...(said('email') ? { email: said('email') } : {}),
        },
        address: props.place,
        service: Math.round(Number(said('service')) * 60),
        ...(window ? { window } : {}),
        ...(said('note') ? { note: said('note') } : {}),
      },
      `${key}-${props.place.label}`.slice(0, 64).replace(/[^\w-]/g, '_'),
    )
    setBusy(false)
    if (answer.ok) props.onMade(answer.value)
    else setFault(answer.fault)
  }
  return (
    <form className="who" onSubmit={create} noValidate>
      <h3 className="section-title">{words.create.who}</h3>
      <label className="field">
        <span>{words.create.name}</span>
        <input
          ref={name}
          name="name"
          required
          maxLength={80}
          autoComplete="off"
          aria-invalid={missing}
          onChange={() => setMissing(false)}
        />
        {missing && (
          <span className="small bad" role="alert">
            {words.create.nameMissing}
          </span>
        )}
      </label>
      <div className="pair">
        <label className="field">
          <span>
            {words.create.phone} <i>{words.create.optional}</i>
          </span>
          <input name="phone" type="tel" maxLength={32} autoComplete="off" />
        </label>
        <label className="field">
          <span>
            {words.create.email} <i>{words.create.optional}</i>
          </span>
          <input name="email" type="email" maxLength={120} autoComplete="off" />
        </label>
      </div>
      <div className="pair">
        <label className="field">
          <span>{words.create.promise}</span>
          <select name="promise" defaultValue="none">
            <option value="none">{words.create.promiseNone}</option>
            {promises.map((w, i) => (
              <option key={w.from} value={i}>
                {words.create.promiseIn(w)}
              </option>
            ))}
          </select>
        </label>
        <label className="field">
          <span>{words.create.service}</span>
          <input name="service" type="number" min={0} max={60} step={1} defaultValue={2} />
        </label>
      </div>
      <label className="field">
        <span>
          {words.create.note} <i>{words.create.optional}</i>
        </span>
        <textarea name="note" rows={2} maxLength={280} />
      </label>
      {fault && <Trouble fault={fault} />}
      <Button look="primary" type="submit" disabled={busy}>
        {busy ? words.create.going : words.create.go}
      </Button>
    </form>
  )
}

function Made(props: CreatePanelProps & { made: OrderCreated; onAnother: () => void }) {
  const { made, say } = props
  const title = useRef<HTMLDivElement>(null)
  useEffect(() => title.current?.querySelector<HTMLElement>('.panel-title')?.focus(), [])
  return (
    <div ref={title} className="made">
      <PanelHead title={words.create.made(made.order.number)} sub={made.order.address.label} onClose={props.onClose} />
      <div className="panel-body">
        <LinkField url={made.link.url} hint={words.create.linkOnce} />
        <div className="actions">
          <Button
            size="small"
            icon="link"
            onClick={async () => say((await copied(made.link.url)) ? words.done.copied : words.done.copyRefused)}
          >
            {words.order.copyLink}
          </Button>
          <Button size="small" icon="plus" look="quiet" onClick={props.onAnother}>
            {words.create.another}
          </Button>
        </div>
        <Candidates api={props.api} desk={props.desk} order={made.order} onAssigned={props.onDriver} say={say} />
      </div>
    </div>
  )
}
