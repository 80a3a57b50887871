// A session in; what a driver sees and presses with one thumb out.

import type { LngLat } from '@doorstep/shared/units'
import { lazy, type ReactNode, Suspense, useEffect, useState, useSyncExternalStore } from 'react'
import { Button, IconButton, Note } from '../../ui/controls.tsx'
import { Icon, type IconName } from '../../ui/icon.tsx'
import { useTheme } from '../../ui/theme.ts'
import { words } from '../../ui/words-drive.ts'
import { Next } from './next.tsx'
import type { DriveSession, DriveView } from './session.ts'
import { Stops } from './stops.tsx'

export function Page({ session }: { session: DriveSession }) {
  const view = useSyncExternalStore(session.subscribe, session.get)
  if (view.stage === 'elsewhere')
    return (
      <Notice icon="phone" title={words.elsewhere.title} body={words.elsewhere.body}>
        <Button look="primary" size="large" onClick={session.useHere}>
          {words.elsewhere.button}
        </Button>
      </Notice>
    )
  if (view.stage === 'opening' || (view.link.link === 'connecting' && view.day.kind === 'none' && view.queued === 0 && view.online))
    return <main className="page-wait">{words.opening}</main>
  if (view.link.link === 'stopped') return <Notice icon="link" title={words.gone.title} body={words.gone.body} />
  return <Day view={view} session={session} />
}

/** One thing to say, on a page of its own. */
export function Notice({ icon, title, body, children }: { icon: IconName; title: string; body: string; children?: ReactNode }) {
  return (
    <main className="drive-notice">
      <Icon name={icon} />
      <h1>{title}</h1>
      <p>{body}</p>
      {children}
    </main>
  )
}

function Day({ view, session }: { view: DriveView; session: DriveSession }) {
  const { day } = view
  return (
    <div className="drive">
      <Top view={view} session={session} />
      <main className="drive-main">
        <Refused view={view} session={session} />
        {day.kind === 'none' && <Empty icon="box" {...words.none} />}
        {day.kind === 'done' && <Empty icon="check" {...words.done} />}
        {day.kind === 'planned' && (
          <Note tone="brand" icon="clock">
            <strong>{words.planned.title}.</strong> {words.planned.body}
          </Note>
        )}
        <div className="drive-side">
          {day.next && (
            <Next key={day.next.stop.id} next={day.next} of={day.stops.length} may={day.kind === 'under_way'} act={session.act} />
          )}
          <Signal view={view} />
        </div>
        {day.stops.length > 0 && (
          <div className="drive-side">
            <Stops day={day} />
            <MapCard day={day} me={view.gps.kind === 'fixed' ? view.gps.place : null} />
          </div>
        )}
      </main>
      <Spoken view={view} />
    </div>
  )
}

function Top({ view, session }: { view: DriveView; session: DriveSession }) {
  const [theme, choose] = useTheme()
  const other = theme === 'dark' ? 'light' : 'dark'
  return (
    <header className="drive-top">
      <div className="drive-duty">
        <button
          type="button"
          role="switch"
          aria-checked={view.duty}
          aria-describedby="duty-now"
          className="drive-switch"
          onClick={() => session.setDuty(!view.duty)}
        >
          <span className="drive-knob" aria-hidden="true" />
          <span>{words.duty.label}</span>
        </button>
        <p id="duty-now" className="hush">
          {view.duty ? words.duty.on : words.duty.off}
        </p>
      </div>
      <Line view={view} />
      <IconButton icon={theme === 'dark' ? 'sun' : 'moon'} label={words.theme(theme === 'dark')} onClick={() => choose(other)} />
    </header>
  )
}

function Line({ view }: { view: DriveView }) {
  const now = useNow()
  const text = words.line({ ...view.link, online: view.online }, now)
  const good = view.online && view.link.link === 'online'
  const tone = good ? (view.link.unsaved ? 'warn' : 'ok') : 'warn'
  return (
    <span className={`badge badge-${tone} drive-line`}>
      <Icon name={good ? 'signal' : 'offline'} />
      {text}
    </span>
  )
}

const RunMap = lazy(() => import('./run-map.tsx').catch(() => ({ default: () => <p className="hush">{words.map.failed}</p> })))

/** On a phone the map is asked for, since it costs battery and bytes; a wide screen has room for it. */
function MapCard({ day, me }: { day: DriveView['day']; me: LngLat | null }) {
  const [open, setOpen] = useState(() => matchMedia('(min-width: 52rem)').matches)
  return (
    <details className="drive-card drive-map" open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{words.map.title}</summary>
      {open && (
        <Suspense fallback={<div className="drive-map-canvas" />}>
          <RunMap day={day} me={me} />
        </Suspense>
      )}
    </details>
  )
}

/** Where the position stands: permission, fix, what waits and what is kept. */
function Signal({ view }: { view: DriveView }) {
  const now = useNow()
  const { gps, link } = view
  const help = words.gpsHelp(gps)
  const cut = !view.online || link.link === 'waiting'
  return (
    <section className="drive-card drive-signal" aria-labelledby="signal-title">
      <h2 id="signal-title" className="drive-signal-title">
        <Icon name={gps.kind === 'fixed' ? 'follow' : 'signal-off'} />
        {words.gps(gps, now)}
      </h2>
      {help && <Note tone={gps.kind === 'denied' || gps.kind === 'impossible' ? 'bad' : 'idle'}>{help}</Note>}
      <dl className="drive-counts tabular">
        <div>
          <dd data-testid="queued">{words.queue.count(view.queued + view.acts)}</dd>
          <dt>{words.queue.waiting}</dt>
        </div>
        <div>
          <dd data-testid="kept">{words.queue.count(view.kept)}</dd>
          <dt>{words.queue.kept}</dt>
        </div>
      </dl>
      {cut && (
        <Note tone="warn" icon="offline">
          {words.lineHelp}
        </Note>
      )}
      {!cut && link.unsaved && (
        <Note tone="warn" icon="alert">
          {words.unsavedHelp}
        </Note>
      )}
      {!view.safe && (
        <Note tone="bad" icon="alert">
          {words.unsafe}
        </Note>
      )}
      {view.thinned > 0 && <Note tone="warn">{words.thinned(view.thinned)}</Note>}
      <p className="hush drive-small">
        {words.stayOpen} {view.awake ? words.awake : ''} {words.queueHelp}
      </p>
    </section>
  )
}

function Refused({ view, session }: { view: DriveView; session: DriveSession }) {
  return view.refused.map(({ act, fault }) => {
    const stop = view.day.stops.find((s) => s.stop.id === act.stopId)
    return (
      <Note key={act.idemKey} tone="bad" icon="alert">
        <p>{words.refused(act.type, stop?.stop.label ?? '?', fault.code)}</p>
        <Button size="small" onClick={() => session.dismiss(act.idemKey)}>
          {words.dismiss}
        </Button>
      </Note>
    )
  })
}

function Empty({ icon, title, body }: { icon: IconName; title: string; body: string }) {
  return (
    <section className="drive-empty">
      <Icon name={icon} />
      <h1>{title}</h1>
      <p className="hush">{body}</p>
    </section>
  )
}

/** What changed, for those who do not see it; never for each second or each fix. */
function Spoken({ view }: { view: DriveView }) {
  const line =
    view.online && view.link.link === 'online'
      ? words.line({ ...view.link, online: true }, 0)
      : words.line({ ...view.link, online: view.online, retryAt: null }, 0)
  const gps = view.gps.kind === 'fixed' ? '' : words.gps(view.gps, 0)
  return (
    <div role="status" className="unseen">
      {words.spoken({ line, gps, next: view.day.next?.stop.label ?? null })}
    </div>
  )
}

/** The clock, once a second. */
function useNow(): number {
  const [now, set] = useState(() => Date.now())
  useEffect(() => {
    const timer = setInterval(() => set(Date.now()), 1000)
    return () => clearInterval(timer)
  }, [])
  return now
}
