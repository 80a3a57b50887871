// A session token in; the dispatcher's page, out: the list, the map, one thing in detail, and what connects them.
import type { CityInfo, Place, RunView } from '@doorstep/shared/api'
import type { LngLat } from '@doorstep/shared/units'
import { useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from 'react'
import { Button, IconButton, Note } from '../../ui/controls.tsx'
import { Icon } from '../../ui/icon.tsx'
import { useReducedMotion, useTheme } from '../../ui/theme.ts'
import { words } from '../../ui/words-dispatch.ts'
import { AlertsPanel } from './alerts-panel.tsx'
import { type Api, api as openApi } from './api.ts'
import { CreatePanel } from './create-panel.tsx'
import { type Desk, openDesk } from './desk.ts'
import { DriverList } from './driver-list.tsx'
import { DriverPanel } from './driver-panel.tsx'
import { placeOf } from './fleet.ts'
import { FleetMap, type MapHandle, type Pin } from './fleet-map.tsx'
import { listOf } from './list.ts'
import { PanelHead } from './mark.tsx'
import { OrderPanel } from './order-panel.tsx'
import { forgetToken, hashOf, keepToken, type Spot, spotOf, takeToken } from './session.ts'
import { SignIn } from './sign-in.tsx'
import type { Filter } from './standing.ts'
import { useAsk, useCalm, useDesk, useSettled } from './use.ts'

export function App({ first }: { first: string | null }) {
  const [token, setToken] = useState(first)
  const [ended, setEnded] = useState(false)
  // A fresh link opened in this very tab changes the fragment alone.
  useEffect(() => {
    const fresh = () => {
      if (location.hash.startsWith('#token=')) setToken(takeToken())
    }
    window.addEventListener('hashchange', fresh)
    return () => window.removeEventListener('hashchange', fresh)
  }, [])
  const signOut = useCallback((why: 'ended' | 'asked') => {
    forgetToken()
    setEnded(why === 'ended')
    setToken(null)
  }, [])
  if (token === null)
    return (
      <SignIn
        ended={ended}
        onToken={(fresh) => {
          keepToken(fresh)
          setToken(fresh)
        }}
      />
    )
  return <Session key={token} token={token} signOut={signOut} />
}

function Session({ token, signOut }: { token: string; signOut: (why: 'ended' | 'asked') => void }) {
  const [desk, setDesk] = useState<Desk | null>(null)
  const api = useMemo(() => openApi(token, () => signOut('ended')), [token, signOut])
  useEffect(() => {
    const opened = openDesk({ token, signedOut: () => signOut('ended'), clock: () => Date.now() })
    setDesk(opened)
    return () => opened.close()
  }, [token, signOut])
  return desk ? (
    <Dispatch api={api} desk={desk} signOut={() => signOut('asked')} />
  ) : (
    <main className="page-wait">{words.loadingRoster}</main>
  )
}

const listenHash = (listener: () => void): (() => void) => {
  window.addEventListener('hashchange', listener)
  return () => window.removeEventListener('hashchange', listener)
}
const HOUR = 3_600_000
const NOBODY: ReadonlySet<string> = new Set()

function Dispatch({ api, desk, signOut }: { api: Api; desk: Desk; signOut: () => void }) {
  useDesk(desk)
  const { shape } = desk.fleet
  const [theme, chooseTheme] = useTheme()
  const still = useReducedMotion()
  const hash = useSyncExternalStore(listenHash, () => location.hash)
  const spot = useMemo(() => spotOf(hash), [hash])
  const [view, setView] = useState<'list' | 'map'>('list')
  const [filter, setFilter] = useState<Filter>('all')
  const [text, setText] = useState('')
  const [said, say] = useSaying()
  const map = useRef<MapHandle | null>(null)
  const [city, askCity] = useAsk<CityInfo>('city', () => api.city())

  const go = useCallback((next: Spot) => {
    const to = hashOf(next)
    if (to === location.hash) return
    // Without a fragment the address keeps its path; `location.hash = ''` would leave a lone #.
    if (to === '') {
      history.pushState(null, '', location.pathname + location.search)
      window.dispatchEvent(new HashChangeEvent('hashchange'))
    } else location.hash = to
  }, [])
  const close = useCallback(() => {
    go({ kind: 'none' })
    document.querySelector<HTMLElement>('.rows')?.focus({ preventScroll: true })
  }, [go])
  const toDriver = useCallback((id: string) => go({ kind: 'driver', id }), [go])
  const toOrder = useCallback((id: string) => go({ kind: 'order', id }), [go])

  // Orders that the search finds, and who carries them.
  const query = useSettled(text.trim(), 250)
  const [foundOrders] = useAsk(query.length >= 2 ? `q ${query}` : null, () => api.orders({ q: query, limit: 8 }))
  const orders = query.length >= 2 && foundOrders.kind === 'ready' ? foundOrders.value.orders : []
  const carriers = useMemo(
    () => (orders.length === 0 ? NOBODY : new Set(orders.map((o) => o.driverId).filter((id) => id !== null))),
    [orders],
  )
  // biome-ignore lint/correctness/useExhaustiveDependencies: the fleet changes in place; its shape says when
  const rows = useMemo(
    () => listOf(desk.fleet.vehicles.values(), { filter, text, carriers }),
    [desk, shape, filter, text, carriers],
  )
  const narrowed = filter !== 'all' || text.trim() !== ''
  const listed = useStableIds(narrowed ? rows.map((v) => v.row.id) : null)

  // One thing in detail.
  const [order, againOrder] = useAsk(spot.kind === 'order' ? spot.id : null, () => api.order(spot.kind === 'order' ? spot.id : ''))
  const driverId =
    spot.kind === 'driver' ? spot.id : spot.kind === 'order' && order.kind === 'ready' ? order.value.order.driverId : null
  const vehicle = driverId ? desk.fleet.vehicles.get(driverId) : undefined
  const runId = vehicle?.row.run?.id ?? null
  const [run, againRun, setRun] = useAsk<RunView>(runId, () => api.run(runId ?? ''))
  const shownRun = run.kind === 'ready' ? run.value : null
  const calmRun = useCalm(againRun, 400)
  const calmOrder = useCalm(againOrder, 400)
  const rowVersion = vehicle?.row.v
  // biome-ignore lint/correctness/useExhaustiveDependencies: each new version of the row may have changed its run
  useEffect(() => calmRun(), [rowVersion, calmRun])
  useEffect(
    () =>
      desk.onOrder((changed) => {
        if (spot.kind === 'order' && changed.id === spot.id) calmOrder()
        if (runId !== null && changed.runId === runId) calmRun()
      }),
    [desk, spot, runId, calmOrder, calmRun],
  )
  // After an interruption what is open is asked for anew, like the roster.
  const connection = desk.connection()
  useEffect(() => {
    if (connection !== 'live') return
    againRun()
    againOrder()
  }, [connection, againRun, againOrder])

  // The trail of the chosen driver, of the last hour or since the run began.
  const [trailOf, setTrailOf] = useState<string | null>(null)
  const trailShown = driverId !== null && trailOf === driverId
  const [trail, againTrail] = useAsk(trailShown ? `trail ${driverId}` : null, () => {
    const now = desk.now()
    return api.trail(driverId!, Math.max(now - 12 * HOUR, shownRun?.startedAt ?? now - HOUR), now)
  })
  useEffect(() => {
    if (!trailShown) return
    const timer = setInterval(() => !document.hidden && againTrail(), 15_000)
    return () => clearInterval(timer)
  }, [trailShown, againTrail])
  const points = trailShown && trail.kind === 'ready' ? trail.value.points : null
  const trailLine = useMemo(() => points?.map((p): LngLat => [p.lng, p.lat]) ?? [], [points])
  const trailText = points ? (points.length > 1 ? words.driver.trailOf(points.length, points[0]!.t) : words.driver.trailNone) : null

  // A new order.
  const [clicked, setClicked] = useState<LngLat | null>(null)
  const [door, setDoor] = useState<Place | null>(null)
  const picking = spot.kind === 'new' && clicked === null
  useEffect(() => {
    if (spot.kind !== 'new') setClicked(null)
  }, [spot.kind])
  const pins = useMemo(
    () => pinsOf(shownRun, spot, door, clicked, order.kind === 'ready' ? order.value.order.address.at : null),
    [shownRun, spot, door, clicked, order],
  )

  // What was opened is brought into view, once.
  const broughtFor = useRef('')
  useEffect(() => {
    const name = hashOf(spot)
    if (broughtFor.current === name || !map.current) return
    if (spot.kind === 'driver') {
      if (!vehicle || (runId !== null && run.kind === 'waiting')) return
      const at = placeOf(vehicle)
      const doors = shownRun?.stops.filter((x) => x.status === 'pending' || x.status === 'arrived').map((x) => x.door) ?? []
      if (at && doors.length > 0) map.current.fit([at, ...doors])
      else if (at) map.current.show(at)
    } else if (spot.kind === 'order') {
      if (order.kind !== 'ready') return
      const at = vehicle ? placeOf(vehicle) : null
      map.current.fit(at ? [at, order.value.order.address.at] : [order.value.order.address.at])
    }
    broughtFor.current = name
  }, [spot, vehicle, runId, run, shownRun, order])

  // Focus follows what was opened.
  const detail = useRef<HTMLElement>(null)
  const opened = hashOf(spot)
  useEffect(() => {
    if (opened !== '') detail.current?.querySelector<HTMLElement>('.panel-title')?.focus({ preventScroll: true })
    if (opened === '#/alerts') desk.fleet.readAlerts()
  }, [opened, desk])
  const unread = spot.kind === 'alerts' ? 0 : desk.fleet.unread
  useEffect(() => {
    if (spot.kind === 'alerts') desk.fleet.readAlerts()
  })
  useEffect(() => {
    const key = (event: KeyboardEvent) => {
      if (event.key === 'Escape' && spot.kind !== 'none' && !event.defaultPrevented) close()
    }
    document.addEventListener('keydown', key)
    return () => document.removeEventListener('keydown', key)
  }, [spot.kind, close])
  const late = desk.fleet.tally.late
  useEffect(() => {
    document.title = words.pageTitle(late)
  }, [late])

  const tab = spot.kind === 'alerts' ? 'alerts' : view
  const onHandle = useCallback((handle: MapHandle | null) => {
    map.current = handle
  }, [])
  const onSelect = useCallback((id: string | null) => (id ? toDriver(id) : undefined), [toDriver])

  return (
    <main className="desk" data-view={view} data-detail={spot.kind}>
      <h1 className="unseen">{words.title}</h1>
      <aside className="side" aria-label={words.regions.list}>
        <div className="side-head">
          <span className="brand-mark" aria-hidden="true">
            <Icon name="van" />
          </span>
          <span className="brand-name">{words.title}</span>
          <Live state={connection} ready={desk.ready()} />
          <span className="grow" />
          <IconButton
            icon={theme === 'dark' ? 'sun' : 'moon'}
            label={words.theme(theme === 'dark' ? 'light' : 'dark')}
            onClick={() => chooseTheme(theme === 'dark' ? 'light' : 'dark')}
          />
          <span className="bell">
            <IconButton
              icon="bell"
              label={words.alerts.open(unread)}
              onClick={() => go(spot.kind === 'alerts' ? { kind: 'none' } : { kind: 'alerts' })}
            />
            {unread > 0 && (
              <span className="bell-count" aria-hidden="true">
                {unread > 99 ? '99+' : unread}
              </span>
            )}
          </span>
          <IconButton icon="leave" label={words.signOut} onClick={signOut} />
        </div>
        <DriverList
          rows={rows}
          tally={desk.fleet.tally}
          ready={desk.ready()}
          filter={filter}
          onFilter={setFilter}
          text={text}
          onText={setText}
          orders={orders}
          selected={driverId}
          onDriver={toDriver}
          onOrder={toOrder}
        />
        <div className="side-foot">
          <Button look="primary" icon="plus" onClick={() => go({ kind: 'new' })}>
            {words.create.open}
          </Button>
        </div>
      </aside>

      {spot.kind !== 'none' && (
        <section ref={detail} className="detail" aria-label={words.regions.detail}>
          {spot.kind === 'driver' &&
            (vehicle ? (
              <DriverPanel
                api={api}
                desk={desk}
                vehicle={vehicle}
                run={run}
                onRun={setRun}
                again={againRun}
                trailShown={trailShown}
                trailText={trailText}
                onTrail={() => setTrailOf(trailShown ? null : driverId)}
                onLocate={() => {
                  const at = placeOf(vehicle)
                  if (at) map.current?.show(at)
                }}
                onOrder={toOrder}
                onDriver={toDriver}
                onClose={close}
                say={say}
              />
            ) : (
              <PanelHead title={desk.ready() ? words.alerts.gone : words.loadingRoster} onClose={close} />
            ))}
          {spot.kind === 'order' && (
            <OrderPanel api={api} desk={desk} asked={order} again={againOrder} onDriver={toDriver} onClose={close} say={say} />
          )}
          {spot.kind === 'new' && (
            <CreatePanel
              api={api}
              desk={desk}
              clicked={clicked}
              onClicked={setClicked}
              onDoor={setDoor}
              middle={() => map.current?.middle() ?? null}
              onDriver={toDriver}
              onClose={close}
              say={say}
            />
          )}
          {spot.kind === 'alerts' && <AlertsPanel desk={desk} onDriver={toDriver} onOrder={toOrder} onClose={close} />}
        </section>
      )}

      <div className="stage">
        <Banners desk={desk} />
        {city.kind === 'ready' && (
          <FleetMap
            desk={desk}
            city={city.value}
            theme={theme}
            still={still}
            selected={driverId}
            listed={listed}
            run={shownRun}
            trail={trailLine}
            pins={pins}
            picking={picking}
            onPick={setClicked}
            onSelect={onSelect}
            onHandle={onHandle}
          />
        )}
        {city.kind === 'failed' && (
          <div className="map-failed">
            <p>{words.problem(city.fault.code)}</p>
            <Button size="small" icon="refresh" onClick={askCity}>
              {words.retry}
            </Button>
          </div>
        )}
      </div>

      <nav className="tabs" aria-label={words.title}>
        <button
          type="button"
          aria-current={tab === 'list' ? 'page' : undefined}
          onClick={() => {
            go({ kind: 'none' })
            setView('list')
          }}
        >
          <Icon name="van" />
          {words.tabs.list}
        </button>
        <button
          type="button"
          aria-current={tab === 'map' ? 'page' : undefined}
          onClick={() => {
            if (spot.kind === 'alerts') go({ kind: 'none' })
            setView('map')
          }}
        >
          <Icon name="pin" />
          {words.tabs.map}
        </button>
        <button type="button" aria-current={tab === 'alerts' ? 'page' : undefined} onClick={() => go({ kind: 'alerts' })}>
          <Icon name="bell" />
          {words.tabs.alerts}
          {unread > 0 && <span className="tab-count">{unread > 99 ? '99+' : unread}</span>}
        </button>
        <button type="button" onClick={() => go({ kind: 'new' })}>
          <Icon name="plus" />
          {words.create.open}
        </button>
      </nav>
      <p className="toast" role="status" data-on={said !== '' || undefined}>
        {said}
      </p>
    </main>
  )
}

function Live({ state, ready }: { state: 'connecting' | 'live' | 'offline'; ready: boolean }) {
  const shown = state === 'live' && !ready ? 'connecting' : state
  return <span className={`live live-${shown}`}>{words.connection[shown]}</span>
}

function Banners({ desk }: { desk: Desk }) {
  const offline = desk.connection() === 'offline'
  const degraded = desk.degraded()
  return (
    <div className="banners" role="status">
      {offline && (
        <Note tone="warn" icon="offline">
          {words.connection.retry}
        </Note>
      )}
      {!offline &&
        degraded.map((name) => (
          <Note key={name} tone="warn" icon="alert">
            {words.degraded(name)}
          </Note>
        ))}
    </div>
  )
}

function pinsOf(run: RunView | null, spot: Spot, door: Place | null, clicked: LngLat | null, orderAt: LngLat | null): Pin[] {
  if (spot.kind === 'new') {
    const at = door?.at ?? clicked
    return at ? [{ at, label: '', tone: 'new' }] : []
  }
  const next = run?.stops.findIndex((x) => x.status === 'pending' || x.status === 'arrived') ?? -1
  const pins: Pin[] = (run?.stops ?? []).flatMap((stop, i): Pin[] => {
    if (stop.status === 'cancelled') return []
    if (spot.kind === 'order' && stop.orderId === spot.id) return []
    if (stop.status === 'done') return [{ at: stop.door, label: '✓', tone: 'done' }]
    if (stop.status === 'failed') return [{ at: stop.door, label: '!', tone: 'failed' }]
    return [{ at: stop.door, label: String(i + 1), tone: i === next ? 'next' : 'stop' }]
  })
  if (spot.kind === 'order' && orderAt) pins.push({ at: orderAt, label: '', tone: 'door' })
  return pins
}

/** One sentence for a while: what was done. */
function useSaying(): [string, (text: string) => void] {
  const [text, setText] = useState('')
  useEffect(() => {
    if (text === '') return
    const timer = setTimeout(() => setText(''), 5_000)
    return () => clearTimeout(timer)
  }, [text])
  return [text, setText]
}

/** The same set as long as the same ids are in it, so that the map is not marked anew each second. */
function useStableIds(ids: readonly string[] | null): ReadonlySet<string> | null {
  const held = useRef<ReadonlySet<string> | null>(null)
  const now = held.current
  if (ids === null) held.current = null
  else if (now === null || now.size !== ids.length || !ids.every((id) => now.has(id))) held.current = new Set(ids)
  return held.current
}
