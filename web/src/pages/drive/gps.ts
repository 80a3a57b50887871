// The browser's geolocation in, fixes as often as the server wants them and a state in plain terms out.
import type { WireFix } from '@doorstep/shared/ping'
import type { LngLat, Millis } from '@doorstep/shared/units'

export type GpsState =
  | { readonly kind: 'off' }
  /** No secure page, or no such thing in this browser. */
  | { readonly kind: 'impossible'; readonly why: 'insecure' | 'unsupported' }
  | { readonly kind: 'asking' }
  | { readonly kind: 'denied' }
  | { readonly kind: 'searching'; readonly since: Millis }
  | { readonly kind: 'fixed'; readonly at: Millis; readonly place: LngLat; readonly accuracy: number | null }

type Fix = Omit<WireFix, 'seq'>

/** A phone that stands still may say nothing for minutes: then it is asked. */
const SILENT_MS = 15_000

export interface Gps {
  /** Nothing is asked of the phone before this, nor after `stop`. */
  start(): void
  stop(): void
  /** The page is seen again: don't wait for the next report. */
  ask(): void
}

export function openGps(options: {
  readonly onFix: (fix: Fix) => void
  readonly onState: (state: GpsState) => void
  /** Seconds between fixes, as the server wants them now. */
  readonly interval: () => number
}): Gps {
  let watch: number | null = null
  let timer: ReturnType<typeof setInterval> | undefined
  let last: Fix | null = null
  /** When a report last came, by this page's clock. */
  let found: Millis = 0
  let early: ReturnType<typeof setTimeout> | undefined
  const settings: PositionOptions = { enableHighAccuracy: true, maximumAge: 0, timeout: 30_000 }

  const seen = (position: GeolocationPosition): void => {
    if (watch === null) return
    const fix = toFix(position)
    found = Date.now()
    options.onState({ kind: 'fixed', at: Date.now(), place: [fix.lon, fix.lat], accuracy: fix.acc ?? null })
    // The first report after a start is often an old one told again.
    if (last && fix.t <= last.t) return
    // One that comes too early waits its turn: it may be the last for a while.
    clearTimeout(early)
    const wait = last ? last.t + 1000 * options.interval() - fix.t : 0
    if (wait > 200) early = setTimeout(take, wait, fix)
    else take(fix)
  }
  const take = (fix: Fix): void => {
    if (watch === null) return
    last = fix
    options.onFix(fix)
  }
  const failed = (error: GeolocationPositionError): void => {
    if (watch === null) return
    if (error.code === error.PERMISSION_DENIED) options.onState({ kind: 'denied' })
    // Phones lose their place for a moment all the time: what was found lately is not lost yet.
    else if (Date.now() - found > SILENT_MS) options.onState({ kind: 'searching', since: last?.t ?? Date.now() })
  }
  const ask = (): void => {
    if (watch !== null) navigator.geolocation.getCurrentPosition(seen, failed, settings)
  }
  const stop = (): void => {
    if (watch !== null) navigator.geolocation.clearWatch(watch)
    clearInterval(timer)
    clearTimeout(early)
    watch = null
    last = null
    found = 0
    options.onState({ kind: 'off' })
  }
  const start = (): void => {
    if (watch !== null) return
    const why = !isSecureContext ? 'insecure' : 'geolocation' in navigator ? null : 'unsupported'
    if (why) {
      options.onState({ kind: 'impossible', why })
      return
    }
    options.onState({ kind: 'asking' })
    watch = navigator.geolocation.watchPosition(seen, failed, settings)
    timer = setInterval(() => {
      if (!last || Date.now() - last.t > SILENT_MS) ask()
    }, SILENT_MS / 3)
    // The watch of a page that was refused stays silent for ever: when the person changes her mind it is begun anew.
    void navigator.permissions
      ?.query({ name: 'geolocation' })
      .then((permission) => {
        if (watch === null) return
        if (permission.state === 'denied') options.onState({ kind: 'denied' })
        permission.onchange = () => {
          if (watch === null || permission.state !== 'granted') return
          stop()
          start()
        }
      })
      .catch(() => {})
  }
  return { start, stop, ask }
}

/** Seven decimals are a centimetre; what the phone does not know stays null. */
export function toFix({ coords, timestamp }: GeolocationPosition): Fix {
  const known = (x: number | null, digits: number): number | null =>
    x === null || !Number.isFinite(x) ? null : Math.round(x * 10 ** digits) / 10 ** digits
  return {
    t: Math.round(timestamp),
    lat: known(coords.latitude, 7) ?? 0,
    lon: known(coords.longitude, 7) ?? 0,
    acc: known(coords.accuracy, 1),
    spd: known(coords.speed, 2),
    hdg: coords.heading === 360 ? 0 : known(coords.heading, 1),
    alt: known(coords.altitude, 1),
  }
}
