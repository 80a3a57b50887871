// Every sentence of the customer's page, in one place: facts in, English out. Times, durations and distances get their form from format.ts.
import type { FailReason, OrderStatus } from '@doorstep/shared/order'
import type { HiddenWhy, WindowReason } from '@doorstep/shared/track'
import { calendarDay, clockSpan, clockTime, distanceText, duration, sameDay } from './format.ts'

interface Span {
  readonly from: number
  readonly to: number
}
const span = (w: Span): string => clockSpan(w.from, w.to)
const stops = (n: number): string => (n === 1 ? '1 stop' : `${n} stops`)
/** An instant with its day where that is not today. */
const when = (t: number, now: number): string => (sameDay(t, now) ? clockTime(t) : `${calendarDay(t)}, ${clockTime(t)}`)
const upper = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)

const STEP: Record<OrderStatus, string> = {
  received: 'Order received',
  processing: 'Being prepared',
  shipped: 'Packed and ready to go',
  out_for_delivery: 'On the way',
  delivered: 'Delivered',
  completed: 'Delivered',
  on_hold: 'On hold',
  delivery_attempted: 'Delivery attempted',
  available_for_pickup: 'Ready for you to collect',
  returning: 'Going back to the shop',
  returned: 'Returned to the shop',
  cancelled: 'Cancelled',
  lost: 'Missing',
}
/** What the headline says before the van sets off and after the delivery is over. */
/** The merchant's name at the beginning of a sentence, and within one; not every order names its merchant. */
const The = (merchant: string): string => merchant || 'The shop'
const the = (merchant: string): string => merchant || 'the shop'
const QUIET: Record<Exclude<OrderStatus, 'out_for_delivery'>, (merchant: string) => readonly [headline: string, lead: string]> = {
  received: (m) => [
    'We have your order',
    `${The(m)} is about to prepare it. You will see an arrival time here as soon as a driver sets off.`,
  ],
  processing: (m) => [
    'Your order is being prepared',
    `${The(m)} is packing it now. You will see an arrival time here as soon as a driver sets off.`,
  ],
  shipped: () => [
    'Packed and ready to go',
    'It goes out with the next round. You will see an arrival time here as soon as the driver sets off.',
  ],
  on_hold: (m) => ['Your delivery is on hold', `It is safe with ${the(m)}. This page tells you the moment it goes on.`],
  delivered: () => ['Delivered', 'Your parcel is at its door. Enjoy!'],
  completed: () => ['Delivered', 'Your parcel is at its door. Enjoy!'],
  delivery_attempted: () => ['We could not deliver', ''],
  available_for_pickup: (m) => ['Ready for you to collect', `${The(m)} keeps it for you. Bring your order number.`],
  returning: (m) => ['Your parcel is going back', `It is on its way back to ${the(m)}, who can tell you what happens next.`],
  returned: (m) => ['Your parcel went back', `It is with ${the(m)} again, who can tell you what happens next.`],
  cancelled: (m) => ['This order was cancelled', `Nothing more will be delivered. ${The(m)} can tell you more.`],
  lost: (m) => ['We cannot find your parcel', `We are sorry. We are still searching, and ${the(m)} will put it right with you.`],
}
const FAILED: Record<FailReason, string> = {
  nobody_home: 'The driver rang, but nobody came to the door.',
  wrong_address: 'The driver could not find this address.',
  no_access: 'The driver could not get into the building.',
  refused: 'The parcel was not accepted at the door.',
  damaged: 'The parcel was damaged on the way, so it was not handed over.',
  other: 'It did not work out this time.',
}
const CHANGED: Record<Exclude<WindowReason, 'first'>, string> = {
  pace: 'Traffic is moving differently than planned.',
  stop_took_longer: 'An earlier stop took longer than planned.',
  stop_inserted: 'Another stop was added on the way to you.',
  detour: 'The driver is taking another way.',
  signal_lost: 'We have not heard from the van for a while, so the time is less certain.',
  stops_faster: 'Earlier stops went faster than planned.',
}
const HIDDEN: Record<HiddenWhy, (driver: string) => string> = {
  not_started: () => 'The map shows the van once it is on its way to you.',
  too_far: (d) => `The map shows ${d} when your door is at most three stops away.`,
  near_other_door: (d) => `${upper(d)} is close to another customer’s door. To keep that private, the van is hidden for a moment.`,
  no_position: () => 'The van has not sent its position yet. It appears here as soon as it does.',
  finished: () => '',
  off_duty: (d) => `${upper(d)} is on a break. The van appears again when the round goes on.`,
}

export const words = {
  /** When nothing better is known of who drives. */
  driver: 'your driver',
  step: (status: OrderStatus): string => STEP[status],
  /** A step that lies behind. */
  stepDone: (status: OrderStatus): string => (status === 'processing' ? 'Prepared' : STEP[status]),
  quiet: (status: Exclude<OrderStatus, 'out_for_delivery'>, merchant: string) => QUIET[status](merchant),
  failed: (reason: FailReason | null): string => (reason ? FAILED[reason] : FAILED.other),
  failedNext: (merchant: string): string => `${The(merchant)} will be in touch about another try.`,
  deliveredAt: (t: number, now: number): string => `Delivered at ${when(t, now)}`,
  deliveredLead: 'Your parcel is at its door. Enjoy!',

  window: span,
  by: (t: number): string => `By ${clockTime(t)}`,
  arrivingBetween: 'Arriving between',
  arriving: 'Arriving',
  arrivingOn: (t: number): string => `Arriving ${calendarDay(t)}`,
  onTheWay: 'On its way to you',
  arrived: 'Arrived',
  almost: 'Almost at your door',
  here: (driver: string): string => `${upper(driver)} is at your door`,
  hereLead: 'Time to open up.',
  late: 'A little late, sorry',
  lateLead: (to: number): string => `We expected to be with you by ${clockTime(to)}. A new time follows as soon as we know it.`,
  unknown: {
    not_started: 'Your parcel is on board. The arrival time appears as the driver comes closer.',
    no_position: 'Your parcel is on board. The arrival time appears with the first position of the van.',
    stale: 'We have lost touch with the van, so we will not guess a time. It comes back with the signal.',
    no_route: 'We are working out the way. The arrival time appears in a moment.',
    finished: 'The round is paused. The arrival time appears when it goes on.',
  },
  inAbout: (ms: number): string => (ms < 55_000 ? 'in less than a minute' : `in about ${duration(ms)}`),
  anyMoment: 'any moment now',
  stopsBefore: (left: number): string => (left <= 1 ? 'you are the next stop' : `${stops(left - 1)} before yours`),
  away: (m: number): string => `${distanceText(m)} away`,
  /** Facts in one line, the first one with a capital. */
  line: (facts: readonly string[]): string => upper(facts.join(' · ')),

  changed: (reason: WindowReason, since: number): string =>
    reason === 'first' ? '' : `Updated at ${clockTime(since)}. ${CHANGED[reason]}`,
  laterThanPlanned: (by: number, promise: Span): string => `About ${duration(by)} later than first planned (${span(promise)}).`,
  hidden: (why: HiddenWhy, driver: string): string => HIDDEN[why](driver),
  detour: 'The driver is on another way than planned. The map follows as soon as the new way is known.',

  live: 'Live',
  seen: (age: number): string => `Seen ${duration(age)} ago`,
  noSignal: 'No signal',
  staleNote: (age: number): string =>
    `No signal from the van for ${duration(age)}. Tunnels and thick walls do that. The map shows where it was last seen.`,
  staleHiddenNote: (age: number): string => `No signal from the van for ${duration(age)}. Tunnels and thick walls do that.`,
  offlineNote: (t: number, now: number): string =>
    `No signal from the van since ${when(t, now)}. Your parcel is still on board; we show more as soon as we hear from it.`,
  youAreOffline: (t: number, now: number): string =>
    `You are offline. This was true at ${when(t, now)}, and goes on by itself when you are back.`,
  unreachable: (t: number, now: number): string =>
    `We can’t be reached right now. This was true at ${when(t, now)}. We keep trying.`,
  polling: 'Your network blocks live updates, so this page looks for news every ten seconds.',
  retry: 'Try now',
  paused: 'Paused',

  loading: 'Looking for your delivery…',
  cannotLoad: 'We can’t be reached right now',
  cannotLoadLead: 'Your delivery is not affected. We keep trying, and this page fills in as soon as we get through.',
  cannotLoadOffline: 'You are offline',
  cannotLoadOfflineLead: 'Your delivery is not affected. This page fills in as soon as you are back.',
  gone: 'This link is not valid any more',
  goneLead:
    'Tracking links stop working some days after the delivery. If you are still waiting, the shop you ordered from can send you a new one.',

  steps: 'Progress of your delivery',
  details: 'Details',
  to: 'To',
  from: 'From',
  order: 'Order',
  orderNumber: (number: string): string => `Order ${number}`,
  yourDriver: 'Your driver',
  map: 'Where your delivery is',
  mapLoading: 'Drawing the map…',
  noMap: 'The map can’t be drawn here right now. Everything else on this page works.',
  follow: 'Follow the van',
  useDark: 'Use dark theme',
  useLight: 'Use light theme',
  brand: 'Doorstep',
  lastSeenHere: (age: number): string => `Last seen ${duration(age)} ago`,

  title: (headline: string, merchant: string): string => `${headline} · ${merchant || 'Doorstep'}`,
  spoken: {
    window: (w: Span): string => `Expected between ${clockTime(w.from)} and ${clockTime(w.to)}.`,
    back: 'The van is sending its position again.',
    lost: 'There is no signal from the van right now.',
    connectionLost: 'The connection is lost. The page keeps trying.',
    connectionBack: 'The connection is back.',
  },
}
