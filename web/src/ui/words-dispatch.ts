// Every sentence of the dispatcher's page: facts in, English out. Times and distances take their form from format.ts.
import type { OrderEvent, OrderStatus } from '@doorstep/shared/order'
import type { Alert } from '@doorstep/shared/protocol'
import type { Freshness, RunStop, ShownWindow } from '@doorstep/shared/track'
import { clockTime, distanceText, duration } from './format.ts'

type Filter = 'all' | 'late' | 'silent' | 'enroute' | 'at_stop' | 'idle'
interface Standing {
  readonly work: 'late' | 'at_stop' | 'enroute' | 'idle'
  readonly signal: Freshness | 'none'
  /** Age of the newest fix, ms. */
  readonly age: number | null
}
type Span = { readonly from: number; readonly to: number }
export const span = (w: Span): string => `${clockTime(w.from)} – ${clockTime(w.to)}`
const stops = (n: number): string => (n === 1 ? '1 stop' : `${n} stops`)
const plural = (n: number, one: string, many: string): string => `${n.toLocaleString('en')} ${n === 1 ? one : many}`

const FILTER: Record<Filter, string> = {
  all: 'All',
  late: 'Late',
  silent: 'No signal',
  enroute: 'On the way',
  at_stop: 'At a stop',
  idle: 'Idle',
}
const STATUS: Record<OrderStatus, string> = {
  received: 'Received',
  processing: 'Being prepared',
  shipped: 'Ready to go',
  out_for_delivery: 'Out for delivery',
  delivered: 'Delivered',
  completed: 'Completed',
  on_hold: 'On hold',
  delivery_attempted: 'Delivery failed',
  available_for_pickup: 'Waiting for pickup',
  returning: 'Going back',
  returned: 'Returned',
  cancelled: 'Cancelled',
  lost: 'Lost',
}
const STOP: Record<RunStop['status'], string> = {
  pending: 'To do',
  arrived: 'Driver is there',
  done: 'Delivered',
  failed: 'Failed',
  cancelled: 'Cancelled',
}
const RUN = { draft: 'Draft', assigned: 'Not started', started: 'Under way', finished: 'Finished', cancelled: 'Cancelled' } as const
const FAIL: Record<string, string> = {
  nobody_home: 'Nobody home',
  wrong_address: 'Wrong address',
  no_access: 'No access',
  refused: 'Refused',
  damaged: 'Damaged',
  other: 'Another reason',
}
const REASON: Record<ShownWindow['reason'], string> = {
  first: 'first estimate',
  pace: 'traffic is slower or faster than planned',
  stop_took_longer: 'a stop took longer',
  stop_inserted: 'a stop was added',
  detour: 'the driver left the route',
  signal_lost: 'the signal was lost',
  stops_faster: 'stops went faster',
}
const SOURCE: Record<OrderEvent['source'], string> = {
  driver: 'driver',
  dispatcher: 'dispatch',
  geofence: 'arrival detected',
  system: 'system',
  merchant: 'shop',
  customer: 'customer',
}
const EVENT: Record<string, string> = {
  'order.received': 'Order received',
  'order.processed': 'Put on a run',
  'order.shipped': 'Ready to go',
  'order.held': 'Put on hold',
  'order.released': 'Taken off hold',
  'order.assigned': 'Given to a driver',
  'order.unassigned': 'Taken off its run',
  'order.started': 'Out for delivery',
  'order.arrived': 'Driver arrived at the door',
  'order.delivered': 'Delivered',
  'order.failed': 'Delivery failed',
  'order.retried': 'Another attempt',
  'order.made_available': 'Waiting for pickup',
  'order.return_started': 'Going back to the shop',
  'order.returned': 'Back at the shop',
  'order.completed': 'Completed',
  'order.cancelled': 'Cancelled',
  'order.lost': 'Lost',
  'order.found': 'Found again',
  'order.window_changed': 'Arrival window changed',
  'order.link_created': 'Customer link made',
  'order.link_revoked': 'Customer link withdrawn',
  'order.conflict': 'The driver reported what no longer applied',
}
const PROBLEM: Record<string, string> = {
  AUTH: 'You are signed out. Sign in again.',
  ORIGIN: 'This address may not use the server.',
  FORBIDDEN: 'You may not do that.',
  NOT_FOUND: 'It is no longer there.',
  RATE: 'Too many requests. Wait a moment and try again.',
  BUSY: 'The server is busy. Try again in a moment.',
  RETRY: 'The database is away, so nothing was changed. Try again in a moment.',
  TOO_LARGE: 'That is too long.',
  BAD_FIELD: 'Something in the form is not right.',
  VERSION: 'Somebody changed this meanwhile. Look again, then repeat if it still applies.',
  CONFLICT: 'Somebody changed this meanwhile. Look again, then repeat if it still applies.',
  TRANSITION: 'That is not possible in its present state.',
  NO_ROUTE: 'No road leads there.',
  IDEM_REUSED: 'That was already sent with other contents.',
  OFFLINE: 'The server can’t be reached. Nothing was changed.',
}
const FIELD: Record<string, string> = {
  'recipient.name': 'name',
  'recipient.phone': 'phone',
  'recipient.email': 'email',
  'address.label': 'address',
  'address.at': 'place',
  note: 'note',
  service: 'time at the door',
  window: 'promised window',
  reason: 'reason',
}
const DEGRADED: Record<string, string> = {
  redis: 'Redis is away: vehicles of other servers may lag up to 15 s.',
  positions: 'The position store is away: vehicles of other servers may lag up to 15 s.',
  database: 'The database is away: the map moves but nothing is saved, and changes are refused.',
  router: 'The router is away: new routes are straight lines, and arrival windows wait.',
  slow: 'The server is slow: positions may lag.',
  journal: 'Fixes are not being saved: devices keep them until this is mended.',
}

export const words = {
  title: 'Dispatch',
  pageTitle: (late: number) => (late > 0 ? `(${late} late) Dispatch · Doorstep` : 'Dispatch · Doorstep'),
  regions: { list: 'Drivers', map: 'Fleet map', detail: 'Details', alerts: 'Alerts' },
  brand: 'Doorstep',

  signIn: {
    title: 'Sign in to dispatch',
    why: 'Paste the server’s admin key. It stays on this page: only a session token is kept, in this tab.',
    key: 'Admin key',
    where: 'It is in data/admin.key on the server, or in its ADMIN_KEY.',
    go: 'Sign in',
    going: 'Signing in…',
    wrong: 'That key is not right.',
    ended: 'Your session has ended. Sign in again.',
  },
  signOut: 'Sign out',

  connection: {
    connecting: 'Connecting…',
    live: 'Live',
    offline: 'No connection',
    retry: 'No connection to the server. What you see is from before; it catches up by itself.',
  },
  degraded: (name: string): string => DEGRADED[name] ?? `Running without: ${name}.`,

  filter: FILTER,
  filters: 'Filter the drivers',
  search: { label: 'Search drivers and orders', hint: 'Driver, vehicle, order or address', clear: 'Clear the search' },
  found: (drivers: number): string => plural(drivers, 'driver', 'drivers'),
  foundOrders: 'Orders',
  noDrivers: 'No drivers yet.',
  noDriversHow: 'Drivers appear here as soon as one is added and signs in.',
  noMatch: 'Nobody matches.',
  noMatchHow: 'Try another word or show all drivers.',
  showAll: 'Show all',
  loadingRoster: 'Fetching the roster…',

  /** The state of a driver in a few words; `now` decides nothing, ages are in the standing. */
  state(s: Standing, late: number): string {
    if (s.work === 'late') return `Late by ${duration(late * 1000)}`
    if (s.work === 'at_stop') return 'At a stop'
    if (s.work === 'enroute') return 'On the way'
    return 'Idle'
  },
  /** What there is to say of the signal; null while all is well. */
  signal(s: Standing): string | null {
    if (s.signal === 'live') return null
    if (s.signal === 'none' || s.age === null) return s.work === 'idle' ? null : 'No position yet'
    if (s.work === 'idle' && s.signal === 'offline') return `Seen ${duration(s.age)} ago`
    return s.signal === 'delayed' ? `${duration(s.age)} ago` : `No signal for ${duration(s.age)}`
  },
  offRoute: 'Off route',
  unsaved: 'Not saved',
  stopsLeft: (n: number): string => (n === 0 ? 'No stops left' : `${stops(n)} left`),
  noRun: 'No run',
  nextLabel: (w: ShownWindow): string => `next stop between ${clockTime(w.from)} and ${clockTime(w.to)}`,
  unknownWindow: 'No estimate',

  tabs: { list: 'Drivers', map: 'Map', alerts: 'Alerts' },
  close: 'Close',
  theme: (next: 'light' | 'dark') => (next === 'dark' ? 'Use the dark theme' : 'Use the light theme'),

  driver: {
    idleTitle: 'No run at the moment',
    idleWhy: 'Make an order on the map and assign it here, or wait for the next run.',
    stops: 'Stops',
    trail: 'Where it has been',
    showTrail: 'Show the trail',
    hideTrail: 'Hide the trail',
    locate: 'Show on the map',
    trailOf: (n: number, from: number): string => `${plural(n, 'place', 'places')} since ${clockTime(from)}`,
    trailNone: 'No trail in this time',
    progress: (done: number, all: number): string => `${done} of ${all} stops done`,
    length: (m: number, s: number): string => `${distanceText(m)}, ${duration(s * 1000)} of driving`,
    lowConfidence: 'The route is a straight-line estimate: no router could be asked.',
    start: 'Start the run',
    finish: 'Finish the run',
    cancel: 'Cancel the run',
    cancelSure: 'Really cancel this run?',
    finished: (n: number): string => `${stops(n)} finished`,
    assign: 'Give this run to',
    assignGo: 'Assign',
    assignNobody: 'Everybody has a run already.',
    handOver: 'Hand over',
    draft: 'Runs that wait for a driver',
    stopCount: (n: number): string => stops(n),
    insert: 'Add an order',
    insertWhat: 'Order to add',
    insertNone: 'There is no order without a run.',
    insertWhere: 'Where',
    insertBest: (after: number): string => (after === 0 ? 'Best place: first' : `Best place: after stop ${after}`),
    insertNext: 'As the next stop',
    insertLast: 'As the last stop',
    insertGo: 'Add',
  },
  run: RUN,
  stop: {
    status: STOP,
    promised: (w: Span): string => `Promised ${span(w)}`,
    expected: (w: Span): string => `Expected ${span(w)}`,
    late: (ms: number): string => `${duration(ms)} late`,
    arrived: 'Arrived',
    done: 'Delivered',
    failed: 'Failed…',
    failedWhy: 'Why did it fail?',
    failGo: 'Record the failure',
    more: (label: string): string => `Actions for ${label}`,
    actions: 'Actions',
    order: 'Order',
  },
  fail: FAIL,

  order: {
    timeline: 'What happened',
    window: 'Expected',
    promise: 'Promised',
    to: 'To',
    shop: 'Shop',
    note: 'Note',
    driver: 'Driver',
    none: 'Nobody yet',
    copyLink: 'Copy a customer link',
    linkIs: 'New customer link',
    linkOnce: 'Earlier links go on working. This one is shown once.',
    cancel: 'Cancel the order',
    cancelSure: 'Really cancel this order?',
    cancelYes: 'Yes, cancel it',
    keep: 'Keep it',
    assign: 'Assign to a driver',
    status: STATUS,
  },

  /** One line of an order's history, and what there is to add to it. */
  event(e: OrderEvent): { text: string; detail: string | null; by: string } {
    const text = EVENT[e.type] ?? e.type.replace(/^order\./, '').replaceAll('_', ' ')
    return { text, detail: detailOf(e), by: SOURCE[e.source] ?? e.source }
  },
  eventLate: (recordedAt: number): string => `became known at ${clockTime(recordedAt)}`,

  create: {
    open: 'New order',
    title: 'New order',
    where: 'Where does it go?',
    click: 'Click the map at the door. Without a mouse, use the middle of the map or its coordinates.',
    address: 'Latitude, longitude',
    addressHint: '57.7072, 11.9668',
    centre: 'Use the middle of the map',
    look: 'Find',
    looking: 'Looking for the nearest address…',
    nothing: 'No address is known near there. The order needs a place on a street.',
    notCoordinates: 'Write latitude and longitude, such as 57.7072, 11.9668.',
    nearest: 'Nearest addresses',
    away: (m: number): string => `${distanceText(m)} away`,
    change: 'Choose another place',
    who: 'Who gets it?',
    name: 'Name',
    phone: 'Phone',
    email: 'Email',
    optional: 'optional',
    note: 'Note for the driver',
    service: 'Minutes at the door',
    promise: 'Promise',
    promiseNone: 'No promise',
    promiseIn: (w: Span): string => span(w),
    nameMissing: 'A name is needed.',
    go: 'Create the order',
    going: 'Creating…',
    made: (number: string): string => `Order ${number} is made`,
    assign: 'Who drives it?',
    assignWhy: 'Nearest first. It goes where it adds the least way.',
    assignTo: (name: string): string => `Assign to ${name}`,
    onRun: (left: number): string => `${stops(left)} left`,
    newRun: 'idle, gets a new run',
    noPlace: 'no position yet',
    noCandidates: 'Nobody is free or can be heard. Assign it later.',
    another: 'Another order',
    linkOnce: 'For the customer. It is shown this once; a new one can be made at any time.',
    assigned: (name: string): string => `${name} takes it`,
    cursor: 'Click or tap the door',
  },

  alerts: {
    title: 'Alerts',
    open: (unread: number): string => (unread === 0 ? 'Alerts' : `Alerts, ${unread} new`),
    none: 'All calm.',
    noneWhy: 'When somebody gets late, leaves the route, falls silent or fails a delivery, it is told here.',
    text(a: Alert, name: string): string {
      if (a.kind === 'late') return `${name} is getting late`
      if (a.kind === 'off_route') return `${name} left the route`
      if (a.kind === 'stale') return `${name} can’t be heard`
      return `${name} could not deliver`
    },
    gone: 'A driver who is no longer here',
  },

  map: {
    none: 'The map can’t be drawn in this browser. The list has everything.',
    fit: 'Show all vehicles',
    hover: (name: string, state: string): string => `${name} · ${state}`,
  },

  done: {
    copied: 'Link copied.',
    copyRefused: 'Copying was refused. The link is shown instead.',
    orderCancelled: 'The order is cancelled.',
    runCancelled: 'The run is cancelled.',
    runStarted: 'The run is under way.',
    runFinished: 'The run is finished.',
    stopDone: 'Recorded as delivered.',
    stopArrived: 'Recorded as arrived.',
    stopFailed: 'Recorded as failed.',
    assigned: (name: string): string => `The run belongs to ${name}.`,
    inserted: 'The order is on the run.',
  },

  problem(code: string, field?: string): string {
    const text = PROBLEM[code] ?? 'That did not work. Try again.'
    const name = field ? FIELD[field] : undefined
    return name ? `${text} Look at: ${name}.` : text
  },
  reference: (requestId: string): string => `Reference ${requestId}`,
  retry: 'Try again',
}

function detailOf(e: OrderEvent): string | null {
  const d = e.data
  if (e.type === 'order.window_changed') {
    const window = spanIn(d.window) ?? spanIn(d)
    const reason = REASON[String(d.reason ?? (d.window as { reason?: string } | undefined)?.reason) as ShownWindow['reason']]
    return [window ? span(window) : null, reason ?? null].filter(Boolean).join(', ') || null
  }
  if (typeof d.reason === 'string') return FAIL[d.reason] ?? d.reason
  if (typeof d.note === 'string') return d.note
  return null
}

function spanIn(value: unknown): Span | null {
  if (typeof value !== 'object' || value === null) return null
  const { from, to } = value as { from?: unknown; to?: unknown }
  return typeof from === 'number' && typeof to === 'number' ? { from, to } : null
}
