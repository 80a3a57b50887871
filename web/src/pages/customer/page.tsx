// The customer's page: a feed in, the story of one delivery out. Useful before the map, without it, and while nothing can be reached.
import type { OrderView, TrackView } from '@doorstep/shared/track'
import { lazy, type ReactNode, Suspense, useEffect, useRef, useState } from 'react'
import { type Feed, type FeedStore, useFeed } from '../../feed/watch-feed.ts'
import { Badge, Button, IconButton, Note } from '../../ui/controls.tsx'
import { clockTime } from '../../ui/format.ts'
import { Icon, type IconName } from '../../ui/icon.tsx'
import { useReducedMotion, useTheme } from '../../ui/theme.ts'
import { words } from '../../ui/words.ts'
import { announcement, heardNow, type Spoken, type Step, type Story, tellStory } from './story.ts'

/** A server that goes just while the map is fetched must not take the page with it. */
function Mapless({ onNoMap }: { onNoMap: () => void }) {
  useEffect(onNoMap, [onNoMap])
  return <MapWait />
}
const LiveMap = lazy(() => import('./live-map.tsx').catch(() => ({ default: Mapless })))

export function Customer({ store }: { store: FeedStore }) {
  const feed = useFeed(store)
  const now = useNow()
  const { view, track } = feed.watch
  if (feed.link.kind === 'gone') return <Gone />
  if (!view || !track) return <Waiting feed={feed} now={now} retry={store.retry} />
  return <Delivery feed={feed} view={view} track={track} now={now} retry={store.retry} />
}

interface DeliveryProps {
  feed: Feed
  view: OrderView
  track: TrackView
  /** Page clock. */
  now: number
  retry: () => void
}

export function Delivery({ feed, view, track, now, retry }: DeliveryProps) {
  const { watch, link, polled } = feed
  const serverNow = now + watch.offset
  const story = tellStory({ view, track, link, polled, heard: Math.max(view.now, track.now) }, serverNow, now)
  const said = useSaid(story.spoken)
  const [theme] = useTheme()
  const reducedMotion = useReducedMotion()
  const idle = useIdle()
  const [mapless, setMapless] = useState(false)
  useTitle(story.title)
  const map = story.map && !mapless

  return (
    <Page
      stage={
        map ? (
          <section className="stage stage-map" aria-label={words.map}>
            {idle ? (
              <Suspense fallback={<MapWait />}>
                <LiveMap
                  door={view.door.at}
                  track={track}
                  path={watch.path}
                  offset={watch.offset}
                  vehicle={story.vehicle}
                  now={serverNow}
                  theme={theme}
                  reducedMotion={reducedMotion}
                  onNoMap={() => setMapless(true)}
                />
              </Suspense>
            ) : (
              <MapWait />
            )}
          </section>
        ) : (
          <Hero tone={story.tone} icon={story.icon} />
        )
      }
      map={map}
    >
      <Top name={view.merchant || words.brand} />
      <section className={`status tone-${story.tone}`}>
        <div className="eyebrow">
          <p aria-hidden={story.isWindow}>{story.eyebrow}</p>
          {story.badge && (
            <Badge tone={story.badge.tone} icon={story.badge.icon}>
              {story.badge.text}
            </Badge>
          )}
        </div>
        <h1 className={story.isWindow ? 'headline figures' : 'headline'}>
          {story.isWindow && <span className="unseen">{story.eyebrow} </span>}
          {story.headline}
        </h1>
        {story.lead && <p className="lead">{story.lead}</p>}
        {story.stopsLeft !== null && <StopsLine left={story.stopsLeft} away={story.away} />}
      </section>
      {(story.remarks.length > 0 || (mapless && story.map)) && (
        <div className="remarks">
          {story.remarks.map((remark) => (
            <Note key={remark.key} tone={remark.tone} icon={remark.icon}>
              <p>{remark.text}</p>
              {remark.retry && (
                <Button size="small" onClick={retry}>
                  {words.retry}
                </Button>
              )}
            </Note>
          ))}
          {mapless && story.map && (
            <Note icon="info">
              <p>{words.noMap}</p>
            </Note>
          )}
        </div>
      )}
      <Steps steps={story.steps} />
      <Details view={view} />
      <p className="unseen" role="status">
        {said}
      </p>
    </Page>
  )
}

/** Nothing is known yet: the page came without a view. */
function Waiting({ feed, now, retry }: { feed: Feed; now: number; retry: () => void }) {
  const { link } = feed
  const off = link.kind === 'offline'
  const stuck = off || (link.kind !== 'live' && now - link.since > 4_000)
  const headline = off ? words.cannotLoadOffline : stuck ? words.cannotLoad : words.loading
  useTitle(headline)
  return (
    <Page stage={<Hero tone={stuck ? 'warn' : 'brand'} icon={stuck ? 'offline' : 'box'} />} map={false}>
      <Top name={words.brand} />
      <section className="status">
        <h1 className="headline">{headline}</h1>
        {stuck && <p className="lead">{off ? words.cannotLoadOfflineLead : words.cannotLoadLead}</p>}
      </section>
      {stuck && !off && (
        <div>
          <Button look="primary" icon="refresh" onClick={retry}>
            {words.retry}
          </Button>
        </div>
      )}
    </Page>
  )
}

/** Unknown, expired, revoked and malformed links look alike (V6). */
export function Gone() {
  useTitle(words.gone)
  return (
    <Page stage={<Hero tone="idle" icon="link" />} map={false}>
      <Top name={words.brand} />
      <section className="status">
        <h1 className="headline">{words.gone}</h1>
        <p className="lead">{words.goneLead}</p>
      </section>
    </Page>
  )
}

/** The words come first in the document, the stage above or beside them on the screen. */
function Page({ children, stage, map }: { children: ReactNode; stage: ReactNode; map: boolean }) {
  return (
    <div className={map ? 'page page-map' : 'page page-plain'}>
      <main className="panel">
        <div className="handle" aria-hidden="true" />
        {children}
      </main>
      {stage}
    </div>
  )
}

function Top({ name }: { name: string }) {
  const [theme, choose] = useTheme()
  const dark = theme === 'dark'
  return (
    <header className="top">
      <p className="merchant">{name}</p>
      <IconButton
        icon={dark ? 'sun' : 'moon'}
        label={dark ? words.useLight : words.useDark}
        onClick={() => choose(dark ? 'light' : 'dark')}
      />
    </header>
  )
}

const Hero = ({ tone, icon }: { tone: Story['tone']; icon: IconName }) => (
  <div className={`stage stage-hero tone-${tone}`} aria-hidden="true">
    <span className="hero-ring">
      <span className="hero-disc">
        <Icon name={icon} />
      </span>
    </span>
  </div>
)

const MapWait = () => (
  <div className="map-wait">
    <p>{words.mapLoading}</p>
  </div>
)

/** The stops still to come as a row of dots that ends at home, and how far it is; the sentence above says the stops. */
function StopsLine({ left, away }: { left: number; away: string }) {
  const dots = Math.min(9, Math.max(0, left - 1))
  return (
    <div className="stops">
      <Icon name="van" />
      <span className="stops-way" />
      {away && <p>{away}</p>}
      {Array.from({ length: dots }, (_, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the dots are alike
        <span key={i} className="stops-dot" />
      ))}
      <Icon name="home" />
    </div>
  )
}

function Steps({ steps }: { steps: readonly Step[] }) {
  return (
    <section aria-label={words.steps}>
      <ol className="steps">
        {steps.map(({ label, at, state }) => (
          <li key={label} className={`step step-${state}`} aria-current={state === 'now' || state === 'bad' ? 'step' : undefined}>
            <span className="step-mark">
              {state === 'done' && <Icon name="check" />}
              {state === 'bad' && <Icon name="close" />}
            </span>
            <span className="step-label">{label}</span>
            {at !== null && <time dateTime={new Date(at).toISOString()}>{clockTime(at)}</time>}
          </li>
        ))}
      </ol>
    </section>
  )
}

function Details({ view }: { view: OrderView }) {
  const { driver, door } = view
  return (
    <section className="details" aria-label={words.details}>
      {driver && (
        <div className="driver">
          <span className="driver-face" aria-hidden="true">
            {driver.name.slice(0, 1)}
          </span>
          <div>
            <p className="driver-name">{driver.name}</p>
            <p className="hush">
              {words.yourDriver}
              {driver.vehicle && ` · ${driver.vehicle}`}
            </p>
          </div>
        </div>
      )}
      <dl className="facts">
        <div>
          <dt>{words.to}</dt>
          <dd>
            {view.recipient}
            <br />
            {door.label}
          </dd>
        </div>
        {view.merchant && (
          <div>
            <dt>{words.from}</dt>
            <dd>{view.merchant}</dd>
          </div>
        )}
        <div>
          <dt>{words.order}</dt>
          <dd className="tabular">{view.number}</dd>
        </div>
      </dl>
    </section>
  )
}

/** Page clock, each second while somebody looks. */
function useNow(): number {
  const [now, setNow] = useState(() => Date.now())
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout>
    const tick = () => {
      clearTimeout(timer)
      setNow(Date.now())
      if (document.visibilityState === 'visible') timer = setTimeout(tick, 1_000)
    }
    timer = setTimeout(tick, 1_000)
    document.addEventListener('visibilitychange', tick)
    return () => {
      clearTimeout(timer)
      document.removeEventListener('visibilitychange', tick)
    }
  }, [])
  return now
}

/** The map waits until the words are on the screen. */
function useIdle(): boolean {
  const [idle, setIdle] = useState(false)
  useEffect(() => {
    if (typeof requestIdleCallback === 'function') {
      const id = requestIdleCallback(() => setIdle(true), { timeout: 2_000 })
      return () => cancelIdleCallback(id)
    }
    const id = setTimeout(() => setIdle(true), 200)
    return () => clearTimeout(id)
  }, [])
  return idle
}

function useTitle(title: string): void {
  useEffect(() => {
    document.title = title
  }, [title])
}

/** What the live region says: only what is news, never per message. */
function useSaid(spoken: Spoken): string {
  const heard = useRef(spoken)
  const [said, setSaid] = useState('')
  useEffect(() => {
    const news = announcement(heard.current, spoken)
    heard.current = heardNow(heard.current, spoken)
    if (news) setSaid(news)
  })
  return said
}
