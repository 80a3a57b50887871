// What is known of an order and the server's time in, everything that the page shows and says out. Pure: components only draw it.
import type { OrderStatus } from '@doorstep/shared/order'
import { type EtaUnknown, type Freshness, freshness, type OrderView, type TrackView } from '@doorstep/shared/track'
import type { Millis } from '@doorstep/shared/units'
import type { Link } from '../../feed/link.ts'
import type { Tone } from '../../ui/controls.tsx'
import type { IconName } from '../../ui/icon.tsx'
import { words } from '../../ui/words.ts'

export interface Known {
  readonly view: OrderView
  readonly track: TrackView
  readonly link: Link
  /** Page clock of the last poll that worked; 0 while sockets do. */
  readonly polled: Millis
  /** Server time of the last message of any kind. */
  readonly heard: Millis
}
export type Scene = 'waiting' | 'coming' | 'near' | 'almost' | 'here' | 'late' | 'delivered' | 'trouble' | 'over'
export interface Step {
  readonly label: string
  readonly at: Millis | null
  readonly state: 'done' | 'now' | 'todo' | 'bad'
}
export interface Remark {
  readonly key: string
  readonly tone: Tone
  readonly icon: IconName
  readonly text: string
  readonly retry?: true
}
export interface Story {
  readonly scene: Scene
  readonly tone: Tone
  readonly icon: IconName
  readonly eyebrow: string
  readonly headline: string
  /** The headline is a window of time: set in large figures. */
  readonly isWindow: boolean
  readonly lead: string
  readonly badge: { readonly tone: Tone; readonly icon: IconName; readonly text: string } | null
  readonly remarks: readonly Remark[]
  readonly steps: readonly Step[]
  /** Stops that remain, this one included; null when not told. */
  readonly stopsLeft: number | null
  /** How far it is, in words; '' when not told or not known any more. */
  readonly away: string
  /** How the vehicle may be drawn: `grey` is where it was, not where it is. */
  readonly vehicle: 'live' | 'grey' | 'none'
  readonly map: boolean
  readonly title: string
  /** Changes exactly when a listener should hear of it. */
  readonly spoken: Spoken
}
export interface Spoken {
  readonly headline: string
  readonly window: { readonly from: Millis; readonly to: Millis } | null
  readonly signal: 'ok' | 'lost' | 'none'
  readonly connection: 'ok' | 'lost'
}

/** A connection may be away this long before the page speaks of it, ms. */
const GRACE = 4_000
const OVER: readonly OrderStatus[] = [
  'delivered',
  'completed',
  'cancelled',
  'returned',
  'returning',
  'lost',
  'delivery_attempted',
  'available_for_pickup',
]

/** `now` on the server's clock, `pageNow` on the page's: links are timed by the page. */
export function tellStory(known: Known, now: Millis, pageNow: Millis): Story {
  const { view, track, link } = known
  const out = view.status === 'out_for_delivery'
  const cut = link.kind !== 'live' && known.polled === 0 && (link.kind === 'offline' || pageNow - link.since > GRACE)
  const age = track.t > 0 ? Math.max(0, now - track.t) : null
  // While we ourselves hear nothing, silence says nothing about the van.
  const fresh = age === null ? null : freshness(age, track.interval)
  const main = out ? onTheWay(known, now, fresh) : quiet(view, now)
  const steps = stepsOf(view)
  const vehicle = !out || track.vehicle === null ? 'none' : cut || fresh === 'stale' || fresh === 'offline' ? 'grey' : 'live'
  const remarks = [...connection(known, cut, now), ...(out ? remarksOf(known, now, fresh, age, cut, main.scene) : [])]
  return {
    ...main,
    badge: out ? badgeOf(fresh, age, cut, track) : null,
    remarks,
    steps,
    stopsLeft: out && main.scene !== 'here' ? track.stopsLeft : null,
    away:
      out && (fresh === 'live' || fresh === 'delayed') && !cut && track.remaining !== null && track.remaining > 30
        ? words.away(track.remaining)
        : '',
    vehicle,
    map: !OVER.includes(view.status),
    title: words.title(main.headline, view.merchant),
    spoken: {
      headline: main.isWindow ? '' : main.headline,
      window: main.isWindow && view.window ? { from: view.window.from, to: view.window.to } : null,
      signal: !out || fresh === null ? 'none' : fresh === 'stale' || fresh === 'offline' ? 'lost' : 'ok',
      connection: cut ? 'lost' : 'ok',
    },
  }
}

type Main = Pick<Story, 'scene' | 'tone' | 'icon' | 'eyebrow' | 'headline' | 'isWindow' | 'lead'>

function onTheWay({ view, track }: Known, now: Millis, fresh: Freshness | null): Main {
  const driver = view.driver?.name || words.driver
  const base = { tone: 'brand', icon: 'van', eyebrow: words.onTheWay, isWindow: false } as const
  const seen = fresh === 'live' || fresh === 'delayed'
  if (track.phase === 'arrived' && seen)
    return {
      ...base,
      scene: 'here',
      icon: 'home',
      tone: 'ok',
      eyebrow: words.arrived,
      headline: words.here(driver),
      lead: words.hereLead,
    }
  const { window: w } = view
  if (!w) {
    const why: EtaUnknown = track.eta.kind === 'unknown' ? track.eta.why : 'no_route'
    return { ...base, scene: 'coming', headline: words.onTheWay, eyebrow: words.step('out_for_delivery'), lead: words.unknown[why] }
  }
  if (w.to <= now) return { ...base, scene: 'late', tone: 'warn', icon: 'clock', headline: words.late, lead: words.lateLead(w.to) }
  const facts = factsOf(track, w, now, seen)
  if (track.phase === 'approaching' && seen) {
    return {
      ...base,
      scene: 'almost',
      eyebrow: words.arriving,
      headline: words.almost,
      lead: words.line([words.by(w.to), ...facts]),
    }
  }
  const begun = w.from <= now
  const today = new Date(w.from).toDateString() === new Date(now).toDateString()
  return {
    ...base,
    scene: track.vehicle ? 'near' : 'coming',
    eyebrow: !today ? words.arrivingOn(w.from) : begun ? words.arriving : words.arrivingBetween,
    headline: begun ? words.by(w.to) : words.window(w),
    isWindow: true,
    lead: facts.length ? words.line(facts) : '',
  }
}

function factsOf(track: TrackView, w: { from: Millis; to: Millis }, now: Millis, seen: boolean): string[] {
  const facts: string[] = []
  // Minutes are a promise of precision: only what was heard lately may make it.
  if (seen && track.eta.kind === 'window') {
    const left = Math.min(w.to, Math.max(w.from, track.eta.mid)) - now
    facts.push(left > 30_000 ? words.inAbout(left) : words.anyMoment)
  }
  if (track.stopsLeft !== null) facts.push(words.stopsBefore(track.stopsLeft))
  return facts
}

function quiet(view: OrderView, now: Millis): Main {
  const status = view.status as Exclude<OrderStatus, 'out_for_delivery'>
  const [headline, lead] = words.quiet(status, view.merchant)
  const base = { eyebrow: words.orderNumber(view.number), headline, lead, isWindow: false }
  switch (status) {
    case 'delivered':
    case 'completed': {
      const at = view.steps.find((step) => step.status === 'delivered')?.at
      return {
        ...base,
        scene: 'delivered',
        tone: 'ok',
        icon: 'check',
        headline: at ? words.deliveredAt(at, now) : headline,
        lead: words.deliveredLead,
      }
    }
    case 'delivery_attempted':
      return {
        ...base,
        scene: 'trouble',
        tone: 'warn',
        icon: 'alert',
        lead: `${words.failed(view.attempt?.reason ?? null)} ${words.failedNext(view.merchant)}`,
      }
    case 'on_hold':
      return { ...base, scene: 'trouble', tone: 'warn', icon: 'hand' }
    case 'lost':
      return { ...base, scene: 'trouble', tone: 'bad', icon: 'alert' }
    case 'cancelled':
      return { ...base, scene: 'over', tone: 'idle', icon: 'close' }
    case 'returning':
    case 'returned':
      return { ...base, scene: 'over', tone: 'idle', icon: 'back' }
    case 'available_for_pickup':
      return { ...base, scene: 'over', tone: 'brand', icon: 'store' }
    default:
      return { ...base, scene: 'waiting', tone: 'brand', icon: status === 'received' ? 'check' : 'box' }
  }
}

function badgeOf(fresh: Freshness | null, age: Millis | null, cut: boolean, track: TrackView): Story['badge'] {
  if (cut) return { tone: 'warn', icon: 'offline', text: words.paused }
  if (fresh === null || age === null) return null
  if (fresh === 'live') return { tone: 'ok', icon: 'signal', text: words.live }
  if (fresh === 'delayed') return { tone: 'idle', icon: 'clock', text: words.seen(age) }
  return { tone: 'warn', icon: 'signal-off', text: track.vehicle ? words.seen(age) : words.noSignal }
}

function connection({ link, polled, heard }: Known, cut: boolean, now: Millis): Remark[] {
  if (polled > 0) return [{ key: 'polling', tone: 'idle', icon: 'refresh', text: words.polling }]
  if (!cut) return []
  if (link.kind === 'offline') return [{ key: 'offline', tone: 'warn', icon: 'offline', text: words.youAreOffline(heard, now) }]
  return [{ key: 'unreachable', tone: 'warn', icon: 'offline', text: words.unreachable(heard, now), retry: true }]
}

function remarksOf(
  { view, track }: Known,
  now: Millis,
  fresh: Freshness | null,
  age: Millis | null,
  cut: boolean,
  scene: Scene,
): Remark[] {
  const remarks: Remark[] = []
  const { window: w, promise } = view
  const driver = view.driver?.name || words.driver
  if (!cut && age !== null && (fresh === 'stale' || fresh === 'offline')) {
    const text =
      fresh === 'offline' ? words.offlineNote(track.t, now) : track.vehicle ? words.staleNote(age) : words.staleHiddenNote(age)
    remarks.push({ key: 'silent', tone: 'warn', icon: 'signal-off', text })
  }
  const behind = w && promise && w.to > now ? (w.from + w.to - promise.from - promise.to) / 2 : 0
  if (promise && w && behind >= 300_000 && w.to > promise.to) {
    // That the signal is lost has just been said.
    const why = w.reason === 'signal_lost' && remarks.length > 0 ? '' : words.changed(w.reason, w.since)
    remarks.push({
      key: 'late',
      tone: 'warn',
      icon: 'clock',
      text: `${words.laterThanPlanned(behind, promise)}${why && ` ${why}`}`,
    })
  } else if (w && w.reason !== 'first' && w.to > now && scene !== 'here' && !(w.reason === 'signal_lost' && remarks.length > 0)) {
    remarks.push({ key: 'changed', tone: 'idle', icon: 'clock', text: words.changed(w.reason, w.since) })
  }
  if (track.offRoute && fresh === 'live') remarks.push({ key: 'detour', tone: 'idle', icon: 'route', text: words.detour })
  // Where a silent van is close to now, nobody knows.
  const told = track.hidden !== 'near_other_door' || (!cut && (fresh === 'live' || fresh === 'delayed'))
  const hidden = track.hidden && track.vehicle === null && told ? words.hidden(track.hidden, driver) : ''
  if (hidden && !(track.hidden === 'no_position' && track.eta.kind === 'unknown' && track.eta.why === 'no_position')) {
    remarks.push({ key: 'hidden', tone: 'brand', icon: 'info', text: hidden })
  }
  return remarks
}

const USUAL: readonly OrderStatus[] = ['received', 'processing', 'out_for_delivery', 'delivered']

/** The usual way, with what else happened in its place, and the present step marked. */
function stepsOf(view: OrderView): Step[] {
  const status = view.status === 'completed' ? 'delivered' : view.status
  const at = (s: OrderStatus) => view.steps.findLast((step) => step.status === s)?.at ?? null
  const reached = Math.max(-1, ...USUAL.map((s, i) => (s === status || at(s) !== null ? i : -1)))
  const steps: Step[] = []
  const usual = USUAL.includes(status)
  const bad = status === 'cancelled' || status === 'lost' || status === 'delivery_attempted' || status === 'on_hold'
  for (const [i, s] of USUAL.entries()) {
    if (s === status) steps.push({ label: words.step(s), at: at(s), state: s === 'delivered' ? 'done' : 'now' })
    else if (i <= reached) steps.push({ label: words.stepDone(s), at: at(s), state: 'done' })
    else if (usual || status === 'shipped' || status === 'on_hold') steps.push({ label: words.step(s), at: null, state: 'todo' })
    if (s === 'processing' && (status === 'shipped' || at('shipped') !== null)) {
      steps.push({ label: words.step('shipped'), at: at('shipped'), state: status === 'shipped' ? 'now' : 'done' })
    }
  }
  if (!usual && status !== 'shipped') {
    const step: Step = { label: words.step(status), at: at(status), state: bad ? 'bad' : 'now' }
    const first = steps.findIndex(({ state }) => state === 'todo')
    steps.splice(first < 0 ? steps.length : first, 0, step)
  }
  return steps
}

/** Two minutes: less is no news. */
const NEWS = 120_000

/** What a screen reader should hear after a change, or '' for nothing; the first story of a page is read, not announced. */
export function announcement(before: Spoken, after: Spoken): string {
  const said: string[] = []
  if (before.connection !== after.connection)
    said.push(after.connection === 'lost' ? words.spoken.connectionLost : words.spoken.connectionBack)
  else if (before.signal === 'ok' && after.signal === 'lost') said.push(words.spoken.lost)
  else if (before.signal === 'lost' && after.signal === 'ok') said.push(words.spoken.back)
  if (after.headline && after.headline !== before.headline) said.push(`${after.headline}.`)
  const { window: a } = before
  const { window: b } = after
  if (b && (!a || Math.abs(a.from - b.from) >= NEWS || Math.abs(a.to - b.to) >= NEWS)) said.push(words.spoken.window(b))
  return said.join(' ')
}

/** What `announcement` should be compared with next time: a window that was not news stays the last one told. */
export function heardNow(before: Spoken, after: Spoken): Spoken {
  const { window: a } = before
  const { window: b } = after
  const small = a && b && Math.abs(a.from - b.from) < NEWS && Math.abs(a.to - b.to) < NEWS
  return small ? { ...after, window: a } : after
}
