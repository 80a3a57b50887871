// What is shown of one delivery on a MapPort: tracks in, moving elements, a line and camera moves out. Frames are drawn only while something moves.
import { offset } from '@doorstep/shared/geo'
import { slice } from '@doorstep/shared/route'
import type { TrackView } from '@doorstep/shared/track'
import type { LngLat, Millis } from '@doorstep/shared/units'
import type { Watch } from '../../feed/watch.ts'
import { advance, type Glide, glidePath, haloRadius, resting, sight } from '../../map/glide.ts'
import type { MapPort, Overlay, Theme } from '../../map/port.ts'
import { words } from '../../ui/words.ts'
import { framing, type Spot } from './framing.ts'

export interface Shown {
  readonly track: TrackView
  readonly path: Watch['path']
  readonly vehicle: 'live' | 'grey' | 'none'
}
export interface DeliveryScene {
  /** `now` on the server's clock. Call at each change and each second: ages grow by themselves. */
  show(shown: Shown, now: Millis): void
  setTheme(theme: Theme): void
  /** Takes the camera back. */
  follow(): void
  destroy(): void
}
interface Options {
  serverNow: () => Millis
  reducedMotion: boolean
  onFollow: (following: boolean) => void
}

/** Under reduced motion the vehicle is set down anew this often, ms. */
const STEP_MS = 3_000
/** A camera move has come to rest by then, ms. */
const SETTLED_MS = 1_500

export function wayLayers(theme: Theme): { sources: Record<string, unknown>; layers: unknown[] } {
  const layout = { 'line-cap': 'round', 'line-join': 'round' }
  const width = (a: number, b: number) => ['interpolate', ['linear'], ['zoom'], 11, a, 17, b]
  const dark = theme === 'dark'
  return {
    sources: { way: { type: 'geojson', data: line([]) } },
    layers: [
      {
        id: 'way-case',
        type: 'line',
        source: 'way',
        layout,
        paint: { 'line-color': dark ? '#0e1218' : '#ffffff', 'line-width': width(6, 14) },
      },
      {
        id: 'way',
        type: 'line',
        source: 'way',
        layout,
        paint: {
          'line-color': ['case', ['boolean', ['get', 'grey'], false], dark ? '#7d889a' : '#8a94a4', dark ? '#8b93ff' : '#4f46e5'],
          'line-width': width(3.5, 9),
        },
      },
    ],
  }
}

export function deliveryScene(port: MapPort, door: LngLat, options: Options): DeliveryScene {
  const pin = element('door', DOOR)
  const van = element('van', VAN)
  const halo = element('halo', '')
  const label = element('seen', '')
  label.hidden = true
  let vanOverlay: Overlay | null = null
  let haloOverlay: Overlay | null = null
  let labelOverlay: Overlay | null = null
  port.overlay(pin, door, { anchor: 'bottom' })

  let glide: Glide | null = null
  let path: { v: number; route: ReturnType<typeof glidePath> } = { v: 0, route: null }
  let shown: Shown | null = null
  let following = true
  let framed = false
  let looked: Millis = 0
  let frame = 0
  let stepped: Millis = 0
  let drawn = ''

  const place = () => {
    if (!glide) return
    vanOverlay?.move(glide.at, glide.heading ?? 0)
    haloOverlay?.move(glide.at)
    labelOverlay?.move(glide.at)
  }
  const draw = () => {
    frame = 0
    if (!glide || document.visibilityState === 'hidden') return
    glide = advance(glide, options.serverNow())
    place()
    if (!resting(glide)) frame = requestAnimationFrame(draw)
  }
  const animate = () => {
    if (options.reducedMotion) {
      const now = options.serverNow()
      if (!glide || now - stepped < STEP_MS) return
      stepped = now
      glide = advance(glide, now)
      place()
    } else if (!frame) frame = requestAnimationFrame(draw)
  }
  const woken = () => {
    if (document.visibilityState === 'visible' && glide) animate()
  }
  document.addEventListener('visibilitychange', woken)
  const unlisten = port.onUserMove(() => {
    if (!following) return
    following = false
    options.onFollow(false)
  })

  const hide = () => {
    for (const overlay of [vanOverlay, haloOverlay, labelOverlay]) overlay?.remove()
    vanOverlay = haloOverlay = labelOverlay = null
    glide = null
  }
  const reveal = (at: LngLat) => {
    if (vanOverlay) return
    haloOverlay = port.overlay(halo, at)
    vanOverlay = port.overlay(van, at)
    labelOverlay = port.overlay(label, at)
  }

  /** The halo in pixels, and under a grey vehicle when it was last seen. */
  const mark = (now: Millis) => {
    if (!shown?.track.vehicle || !glide) return
    const { track, vehicle } = shown
    const age = Math.max(0, now - track.t)
    const grey = vehicle === 'grey'
    const metres = haloRadius(track.vehicle!.accuracy, track.vehicle!.speed, age, track.interval)
    const a = port.project(glide.at)
    const b = port.project(offset(glide.at, 0, 100))
    const pixels = Math.round(Math.max(60, (2 * metres * Math.hypot(b.x - a.x, b.y - a.y)) / 100))
    halo.style.inlineSize = halo.style.blockSize = `${pixels}px`
    halo.classList.toggle('halo-grey', grey)
    van.classList.toggle('van-grey', grey)
    label.hidden = !grey
    if (grey) label.textContent = words.lastSeenHere(age)
  }

  /** The way still to go as far as it is told; under a silent vehicle as it was. */
  const ahead = (): readonly LngLat[] =>
    glide?.mode === 'along' && shown?.vehicle !== 'grey' ? slice(glide.path, glide.s, glide.path.length) : (shown?.path?.line ?? [])

  const way = () => {
    const grey = shown?.vehicle === 'grey'
    const rest = ahead()
    // Each change repaints the whole map: two metres are worth it, nothing is not.
    const key =
      shown?.vehicle === 'none' || rest.length < 2
        ? ''
        : `${grey} ${path.v} ${rest.length} ${glide?.mode === 'along' ? Math.round(glide.s / 2) : ''}`
    if (key === drawn) return
    drawn = key
    port.setData('way', line(key ? rest : [], grey))
  }

  /** Keeps the vehicle and the door in the open part of the view, and comes closer as they do. */
  const look = (animated: boolean) => {
    if (!following) return
    if (!glide) {
      if (framed) return
      framed = true
      port.ease(door, { zoom: 14.5, animate: false })
      return
    }
    const now = options.serverNow()
    // The last move may still be under way.
    if (framed && now - looked < SETTLED_MS) return
    const all = bounds([glide.at, door, ...ahead()])
    const [a, b] = all.map(port.project) as [Spot, Spot]
    const padding = framing(
      port.stage(),
      port.project(glide.at),
      port.project(door),
      {
        reach: { width: Math.abs(a.x - b.x), height: Math.abs(a.y - b.y) },
        labelled: shown?.vehicle === 'grey',
        canComeCloser: port.zoom() < 16,
      },
      !framed,
    )
    if (!padding) return
    framed = true
    looked = now
    port.fit(all, { padding, maxZoom: 16.2, animate: animated })
  }

  return {
    show(next, now) {
      shown = next
      const { vehicle, t, interval, offRoute, phase } = next.track
      if (next.vehicle === 'none' || !vehicle) {
        hide()
      } else {
        const v = next.path?.v ?? 0
        if (v !== path.v || (v !== 0 && !path.route && next.path)) path = { v, route: glidePath(next.path?.line ?? null) }
        const first = !glide
        const speed = phase === 'arrived' ? 0 : vehicle.speed
        glide = sight(
          glide,
          { t, at: vehicle.at, speed, heading: vehicle.heading, interval },
          offRoute ? null : path.route,
          options.serverNow(),
        )
        reveal(glide.at)
        if (first) {
          framed = false
          place()
        }
        animate()
      }
      mark(now)
      way()
      // Out of hiding it is followed by a move, not by a cut.
      look(looked > 0)
    },
    setTheme: (theme) => port.setTheme(theme),
    follow() {
      following = true
      framed = false
      options.onFollow(true)
      look(true)
    },
    destroy() {
      cancelAnimationFrame(frame)
      document.removeEventListener('visibilitychange', woken)
      unlisten()
      hide()
      port.destroy()
    },
  }
}

const bounds = (places: readonly LngLat[]): [LngLat, LngLat] => {
  const [lngs, lats] = [places.map(([lng]) => lng), places.map(([, lat]) => lat)]
  return [
    [Math.min(...lngs), Math.min(...lats)],
    [Math.max(...lngs), Math.max(...lats)],
  ]
}

const line = (coordinates: readonly LngLat[], grey = false): GeoJSON.GeoJSON =>
  coordinates.length < 2
    ? { type: 'FeatureCollection', features: [] }
    : {
        type: 'Feature',
        properties: { grey },
        geometry: { type: 'LineString', coordinates: coordinates.map(([lng, lat]) => [lng, lat]) },
      }

function element(name: string, body: string): HTMLElement {
  const made = document.createElement('div')
  made.className = `mark mark-${name} ${name}`
  made.setAttribute('aria-hidden', 'true')
  made.innerHTML = body
  return made
}

/** Drawn by ourselves and constant: never a text from outside. */
const DOOR = `<svg width="44" height="54" viewBox="0 0 44 54"><path class="door-body" d="M22 50.5C13 40.5 4.5 31.5 4.5 20.5a17.5 17.5 0 0 1 35 0C39.5 31.5 31 40.5 22 50.5Z"/><path class="door-sign" d="M13.5 20.5 22 13l8.5 7.5v8a1.5 1.5 0 0 1-1.5 1.5h-4.5v-6h-5v6H15a1.5 1.5 0 0 1-1.5-1.5z"/></svg>`
const VAN = `<svg width="44" height="44" viewBox="0 0 48 48"><rect class="van-body" x="13.5" y="4" width="21" height="40" rx="6.5"/><path class="van-glass" d="M16.5 15c0-3.6 3-5.5 7.5-5.5s7.5 1.9 7.5 5.5v2.5h-15z"/><rect class="van-roof" x="17" y="21" width="14" height="19" rx="3"/></svg>`
