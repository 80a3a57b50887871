// Every sentence of the driver's page: facts in, English out. Times and distances take their form from format.ts.
import type { Code } from '@doorstep/shared/codes'
import type { FailReason } from '@doorstep/shared/order'
import type { DriverAct } from '@doorstep/shared/protocol'
import type { RunStop } from '@doorstep/shared/track'
import type { Millis } from '@doorstep/shared/units'
import { clockTime, distanceText, duration } from './format.ts'

const n = (count: number): string => count.toLocaleString('en')
const REASON: Record<FailReason, string> = {
  nobody_home: 'Nobody home',
  wrong_address: 'Wrong address',
  no_access: 'No way in',
  refused: 'Refused at the door',
  damaged: 'Parcel damaged',
  other: 'Another reason',
}
const STATUS: Record<RunStop['status'], string> = {
  pending: 'To do',
  arrived: 'You are here',
  done: 'Delivered',
  failed: 'Not delivered',
  cancelled: 'Cancelled',
}
const ACT: Record<DriverAct['type'], string> = { arrived: 'Arrived', delivered: 'Delivered', failed: 'Could not deliver' }

/** What the page knows of its line to the server. */
interface LineFacts {
  readonly online: boolean
  readonly link: 'closed' | 'connecting' | 'online' | 'waiting' | 'stopped'
  readonly retryAt: Millis | null
  readonly unsaved: boolean
}
type GpsFacts =
  | { readonly kind: 'off' | 'asking' | 'denied' }
  | { readonly kind: 'impossible'; readonly why: 'insecure' | 'unsupported' }
  | { readonly kind: 'searching'; readonly since: Millis }
  | { readonly kind: 'fixed'; readonly at: Millis; readonly accuracy: number | null }

export const words = {
  product: 'Doorstep Drive',
  opening: 'Opening…',
  duty: { label: 'On duty', on: 'Your position is shared.', off: 'Nothing is recorded or shared.' },
  stayOpen:
    'Keep this page open and in front. A browser stops sharing your position when the page is closed or the screen is locked.',
  awake: 'The screen stays on while you are on duty.',
  theme: (dark: boolean): string => (dark ? 'Use light colours' : 'Use dark colours'),

  line: ({ online, link, retryAt, unsaved }: LineFacts, now: Millis): string => {
    if (link === 'stopped') return 'Not connected'
    if (!online) return 'Offline'
    if (link === 'online') return unsaved ? 'Connected, saving later' : 'Connected'
    if (link === 'waiting' && retryAt !== null && retryAt - now > 1500) return `Trying again in ${duration(retryAt - now)}`
    return 'Connecting…'
  },
  lineHelp: 'Go on as usual. Everything is kept on this phone and sent when the connection is back.',
  unsavedHelp: 'The server is reached but can’t save right now. Everything stays on this phone until it can.',

  gps: (gps: GpsFacts, now: Millis): string => {
    switch (gps.kind) {
      case 'off':
        return 'Position is off'
      case 'impossible':
        return 'Position is not available'
      case 'asking':
        return 'Waiting for your permission'
      case 'denied':
        return 'Position is blocked'
      case 'searching':
        return 'Looking for your position'
      case 'fixed':
        if (now - gps.at > 20_000) return `No position for ${duration(now - gps.at)}`
        return gps.accuracy === null ? 'Position found' : `Position within ${distanceText(gps.accuracy)}`
    }
  },
  gpsHelp: (gps: GpsFacts): string | null => {
    switch (gps.kind) {
      case 'impossible':
        return gps.why === 'insecure'
          ? 'Browsers give a position only to pages with https. Ask your dispatcher for the right address.'
          : 'This browser can’t tell where it is. Your run and the buttons work without it.'
      case 'asking':
        return 'Your browser asks whether this page may use your position. Please allow it.'
      case 'denied':
        return 'You or your browser said no. Open the settings of this page (the icon beside the address), allow “Location”, and come back.'
      case 'searching':
        return 'It works best outdoors. Your run and the buttons work meanwhile.'
      default:
        return null
    }
  },
  queue: { waiting: 'waiting here', kept: 'kept by the server', count: n },
  queueHelp: 'A position is deleted from this phone only when the server has kept it.',
  thinned: (count: number): string => `The phone was full: ${n(count)} older positions were thinned out. The server knows which.`,
  unsafe:
    'This browser can’t store anything now. Positions and buttons work while the page is open, but what waits is lost with it.',

  none: { title: 'No run yet', body: 'Your run appears here by itself as soon as it is assigned to you.' },
  done: { title: 'All done', body: 'Every stop of this run is settled. The next run appears here by itself.' },
  planned: { title: 'Your run has not started', body: 'You can look at it now. The buttons work once your dispatcher starts it.' },
  gone: {
    title: 'This link is no longer valid',
    body: 'Ask your dispatcher for a new one. What waits on this phone stays here.',
  },
  elsewhere: {
    title: 'Open in another tab',
    body: 'Another tab or window of this browser is already sharing your position.',
    button: 'Use it here',
  },
  noToken: { title: 'Not a driver’s link', body: 'Open the link that your dispatcher sent you.' },

  next: 'Next stop',
  stop: (number: number, of: number): string => `Stop ${number} of ${of}`,
  progress: (settled: number, of: number): string => `${settled} of ${of} done`,
  run: (name: string): string => name || 'Your run',
  window: (w: { from: Millis; to: Millis } | null): string => (w ? `${clockTime(w.from)} – ${clockTime(w.to)}` : 'No time yet'),
  promised: (w: { from: Millis; to: Millis }): string => `Promised ${clockTime(w.from)} – ${clockTime(w.to)}`,
  note: 'Note',
  navigate: 'Directions',
  navigateTo: (label: string): string => `Directions to ${label}, in your maps app`,
  map: { title: 'Map', failed: 'The map can’t be drawn here. Everything else works without it.' },
  status: (status: RunStop['status']): string => STATUS[status],
  sending: 'not sent yet',

  arrived: 'I’m at the door',
  delivered: 'Delivered',
  failed: 'Can’t deliver',
  sheet: {
    title: (label: string): string => `Why not, at ${label}?`,
    note: 'Add a note (optional)',
    back: 'Back',
  },
  reason: (reason: FailReason): string => REASON[reason],
  refused: (type: DriverAct['type'], label: string, code: Code): string => {
    const why =
      code === 'TRANSITION' || code === 'CONFLICT' || code === 'VERSION'
        ? 'the order had changed meanwhile'
        : code === 'NOT_YOURS' || code === 'NOT_FOUND' || code === 'FORBIDDEN'
          ? 'the stop is no longer yours'
          : 'the server could not accept it'
    return `“${ACT[type]}” at ${label} was not taken: ${why}. Please tell your dispatcher.`
  },
  dismiss: 'Dismiss',
  /** Spoken once when it changes. */
  spoken: (facts: { line: string; gps: string; next: string | null }): string =>
    [facts.line, facts.gps, facts.next ? `Next stop: ${facts.next}` : null].filter(Boolean).join('. '),
}
