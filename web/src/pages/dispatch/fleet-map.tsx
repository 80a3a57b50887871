// The fleet, a run, a trail and pins in; the map that shows them, and what was clicked on it, out.
import type { CityInfo, RunView } from '@doorstep/shared/api'
import type { LngLat } from '@doorstep/shared/units'
import { useEffect, useRef, useState } from 'react'
import { type FleetLayer, fleetLayer, metresPerPixel, type Palette, type Rgb } from '../../map/fleet-layer.ts'
import type { MapPort, Overlay, Theme } from '../../map/port.ts'
import { IconButton } from '../../ui/controls.tsx'
import { words } from '../../ui/words-dispatch.ts'
import { type Cluster, clustersFrom, clustersOf, toneOf } from './clusters.ts'
import type { Desk } from './desk.ts'
import { placeOf, type Vehicle } from './fleet.ts'
import { routeExtra, runLines, trailLine } from './map-lines.ts'
import { lookOf } from './standing.ts'

export interface Pin {
  readonly at: LngLat
  readonly label: string
  readonly tone: 'door' | 'new' | 'stop' | 'next' | 'done' | 'failed'
}
export interface MapHandle {
  middle(): LngLat
  show(at: LngLat): void
  fit(places: readonly LngLat[]): void
}
export interface FleetMapProps {
  desk: Desk
  city: CityInfo
  theme: Theme
  still: boolean
  selected: string | null
  /** Who the list shows; null: everybody. The others are drawn faint. */
  listed: ReadonlySet<string> | null
  run: RunView | null
  trail: readonly LngLat[]
  pins: readonly Pin[]
  picking: boolean
  onPick: (at: LngLat) => void
  onSelect: (driverId: string | null) => void
  onHandle: (handle: MapHandle | null) => void
}

const hex = (text: string): Rgb => [1, 3, 5].map((i) => Number.parseInt(text.slice(i, i + 2), 16) / 255) as unknown as Rgb
const PALETTES: Record<Theme, Palette> = {
  light: {
    enroute: hex('#4f46e5'),
    at_stop: hex('#047857'),
    late: hex('#d02a26'),
    silent: hex('#667085'),
    idle: hex('#667085'),
    ring: hex('#ffffff'),
    ink: hex('#10141b'),
  },
  dark: {
    enroute: hex('#8f89ff'),
    at_stop: hex('#3ddc9d'),
    late: hex('#ff746d'),
    silent: hex('#94a0b1'),
    idle: hex('#7d899a'),
    ring: hex('#0e1218'),
    ink: hex('#f2f5f9'),
  },
}
/** Below this zoom a crowd becomes counts. */
const CLUSTER_ZOOM = 12.2
/** Fewer than this are drawn one by one at every zoom. */
const CROWD = 120
const CLUSTER_PIXELS = 76
const CLUSTER_EVERY = 2_000

export function FleetMap(props: FleetMapProps) {
  const box = useRef<HTMLDivElement>(null)
  const latest = useRef(props)
  latest.current = props
  const stage = useRef<Stage | null>(null)
  const [failed, setFailed] = useState(false)
  const { desk, city, theme, still } = props

  useEffect(() => {
    let gone = false
    const container = box.current!
    const start = latest.current
    import('../../map/engine.ts')
      .then(({ createMap }) =>
        createMap({
          container,
          theme: start.theme,
          center: city.center,
          zoom: 12.8,
          bbox: city.bbox,
          attribution: city.attribution,
          mapboxToken: city.mapboxToken,
          reducedMotion: start.still,
          extra: routeExtra,
        }),
      )
      .then((port) => {
        if (gone) return port.destroy()
        stage.current = setStage(port, container, desk, latest, city)
        latest.current.onHandle(stage.current.handle)
      })
      .catch((fault: unknown) => {
        console.warn('the fleet map is not drawn:', fault)
        if (!gone) setFailed(true)
      })
    return () => {
      gone = true
      latest.current.onHandle(null)
      stage.current?.close()
      stage.current = null
    }
  }, [desk, city])

  useEffect(() => stage.current?.theme(theme), [theme])
  useEffect(() => stage.current?.still(still), [still])
  // biome-ignore lint/correctness/useExhaustiveDependencies: the stage reads the newest props; these say when
  useEffect(() => stage.current?.remark(), [props.selected, props.listed])
  useEffect(() => stage.current?.draw(props.run, props.trail), [props.run, props.trail])
  useEffect(() => stage.current?.pin(props.pins), [props.pins])

  return (
    <section className="fleet-map" aria-label={words.regions.map} data-picking={props.picking || undefined}>
      <div ref={box} className="fleet-canvas" />
      {failed && <p className="map-failed">{words.map.none}</p>}
      {!failed && (
        <div className="map-tools">
          <IconButton icon="fit" label={words.map.fit} look="plain" float onClick={() => stage.current?.handle.fit(drawn(desk))} />
        </div>
      )}
      {props.picking && (
        <>
          <p className="map-hint" aria-hidden="true">
            {words.create.cursor}
          </p>
          <span className="map-cross" aria-hidden="true" />
        </>
      )}
    </section>
  )
}

/** Where all vehicles are that the map shows. */
const drawn = (desk: Desk): LngLat[] =>
  [...desk.fleet.vehicles.values()]
    .filter((v) => lookOf(v.standing) !== null)
    .map(placeOf)
    .filter((at) => at !== null)

interface Stage {
  readonly handle: MapHandle
  theme(theme: Theme): void
  still(still: boolean): void
  /** Looks, selection or filter changed. */
  remark(): void
  draw(run: RunView | null, trail: readonly LngLat[]): void
  pin(pins: readonly Pin[]): void
  close(): void
}

/** Everything on the map that React does not draw. */
function setStage(port: MapPort, container: HTMLElement, desk: Desk, props: { current: FleetMapProps }, city: CityInfo): Stage {
  const layer: FleetLayer = fleetLayer({
    id: 'fleet',
    origin: city.center,
    capacity: 1024,
    palette: PALETTES[props.current.theme],
    still: props.current.still,
    now: () => performance.now() / 1000,
    hidden: () => document.hidden,
  })
  port.addCustomLayer(layer.layer)

  const markOne = (v: Vehicle): void => {
    const { selected, listed } = props.current
    const look = lookOf(v.standing)
    if (look === null) {
      layer.remove(v.slot)
      return
    }
    const chosen = v.row.id === selected
    layer.mark(v.slot, {
      look,
      selected: chosen,
      dim: !chosen && listed !== null && !listed.has(v.row.id),
      offRoute: v.row.offRoute,
    })
  }
  const place = (v: Vehicle): void => {
    if (v.at === 0 || lookOf(v.standing) === null) return
    // A little more than the usual gap: the next fix comes before it stands still.
    layer.place(v.slot, [v.lng, v.lat], v.heading, Math.min(6, Math.max(0.3, v.gap / 1000)) * 1.05)
  }
  const moved = (slots: readonly number[]): void => {
    for (const slot of slots) {
      const v = desk.fleet.bySlot(slot)
      if (!v) continue
      place(v)
      markOne(v)
    }
    sweep()
    layer.commit()
  }
  const stood = (slots: readonly number[]): void => {
    for (const slot of slots) {
      const v = desk.fleet.bySlot(slot)
      if (!v) continue
      if (layer.shown(slot) === null) place(v)
      markOne(v)
    }
    sweep()
    layer.commit()
  }
  const sweep = (): void => {
    for (const slot of desk.fleet.takeRemoved()) layer.remove(slot)
  }
  const remark = (): void => {
    layer.setQuiet(props.current.selected !== null)
    for (const v of desk.fleet.vehicles.values()) markOne(v)
    layer.commit()
    crowd()
  }

  // Circles with counts instead of vehicles, when zoomed out over a crowd.
  const circles = new Map<string, { element: HTMLElement; overlay: Overlay; cluster: Cluster }>()
  let clustered = false
  let clusterZoom = -1
  const crowd = (): void => {
    const counts = desk.fleet.counts
    // Whose run is open stays in sight, among the others.
    const crowded =
      counts !== null || (props.current.selected === null && port.zoom() < CLUSTER_ZOOM && desk.fleet.tally.all > CROWD)
    if (crowded !== clustered) {
      clustered = crowded
      port.setLayerVisible('fleet', !crowded)
      container.dataset.crowd = String(crowded)
    }
    const { listed } = props.current
    const clusters = !crowded
      ? []
      : counts
        ? clustersFrom(counts)
        : clustersOf(desk.fleet.vehicles.values(), port.zoom(), CLUSTER_PIXELS, (v) => listed === null || listed.has(v.row.id))
    const zoom = Math.floor(port.zoom())
    if (zoom !== clusterZoom) clearCircles()
    clusterZoom = zoom
    const seen = new Set<string>()
    for (const cluster of clusters) {
      seen.add(cluster.key)
      const at: LngLat = [cluster.lng, cluster.lat]
      let circle = circles.get(cluster.key)
      if (!circle) {
        const element = document.createElement('div')
        element.setAttribute('aria-hidden', 'true')
        element.append(document.createElement('span'), document.createElement('b'))
        circle = { element, overlay: port.overlay(element, at), cluster }
        circles.set(cluster.key, circle)
      }
      circle.cluster = cluster
      circle.overlay.move(at)
      dressCircle(circle.element, cluster)
    }
    for (const [key, circle] of circles) {
      if (seen.has(key)) continue
      circle.overlay.remove()
      circles.delete(key)
    }
  }
  const clearCircles = (): void => {
    for (const circle of circles.values()) circle.overlay.remove()
    circles.clear()
  }
  let crowdedAt = 0
  const beat = desk.subscribe(() => {
    if (document.hidden || performance.now() - crowdedAt < CLUSTER_EVERY) return
    crowdedAt = performance.now()
    crowd()
    if (props.current.run) drawRun(props.current.run)
  })

  const under = (at: LngLat, radius: number): Vehicle | null => {
    if (clustered) return null
    const slot = layer.pick(at, radius, metresPerPixel(port))
    return slot < 0 ? null : (desk.fleet.bySlot(slot) ?? null)
  }
  const stopClick = port.onClick((at, point) => {
    if (props.current.picking) return props.current.onPick(at)
    if (clustered) {
      let nearest: Cluster | null = null
      let best = 34
      for (const { cluster } of circles.values()) {
        const p = port.project([cluster.lng, cluster.lat])
        const d = Math.hypot(p.x - point.x, p.y - point.y)
        if (d < best) {
          best = d
          nearest = cluster
        }
      }
      if (nearest) port.ease([nearest.lng, nearest.lat], { zoom: Math.min(15, port.zoom() + 2) })
      return
    }
    props.current.onSelect(under(at, 16)?.row.id ?? null)
  })

  // The name of what is under the pointer.
  const tip = document.createElement('div')
  tip.className = 'map-tip'
  tip.setAttribute('aria-hidden', 'true')
  const tipAt = port.overlay(tip, city.center, { anchor: 'bottom' })
  let pointing: number | null = null
  const point = (event: PointerEvent): void => {
    if (event.pointerType !== 'mouse' || pointing !== null) return
    const { clientX, clientY } = event
    pointing = requestAnimationFrame(() => {
      pointing = null
      const rect = container.getBoundingClientRect()
      const v = props.current.picking ? null : under(port.unproject(clientX - rect.left, clientY - rect.top), 14)
      tip.hidden = v === null
      container.dataset.over = v ? 'vehicle' : ''
      if (!v) return
      const signal = words.signal(v.standing)
      tip.textContent = words.map.hover(v.row.name, words.state(v.standing, v.row.late) + (signal ? ` · ${signal}` : ''))
      tipAt.move(layer.shown(v.slot) ?? [v.lng, v.lat])
    })
  }
  const leave = (): void => {
    tip.hidden = true
  }
  tip.hidden = true
  container.addEventListener('pointermove', point)
  container.addEventListener('pointerleave', leave)

  let pinned: Overlay[] = []
  const pin = (pins: readonly Pin[]): void => {
    for (const p of pinned) p.remove()
    pinned = pins.map(({ at, label, tone }) => {
      const element = document.createElement('div')
      element.className = `pin pin-${tone}`
      element.setAttribute('aria-hidden', 'true')
      const inner = document.createElement('span')
      inner.textContent = label
      element.append(inner)
      return port.overlay(element, at, { anchor: tone === 'door' || tone === 'new' ? 'bottom' : 'center' })
    })
  }
  /** The driven part of the open run grows behind its vehicle. */
  const drawRun = (run: RunView | null): void => {
    const v = props.current.selected ? desk.fleet.vehicles.get(props.current.selected) : undefined
    port.setData('run', runLines(run, v && !v.row.offRoute ? placeOf(v) : null))
  }
  const draw = (run: RunView | null, trail: readonly LngLat[]): void => {
    drawRun(run)
    port.setData('trail', trailLine(trail))
  }

  const stopEnd = port.onMoveEnd(() => {
    desk.view(port.bounds(), port.zoom())
    crowd()
    layer.commit()
  })
  const stopMoved = desk.onMoved(moved)
  const stopStood = desk.onStanding(stood)
  layer.setQuiet(props.current.selected !== null)
  moved([...desk.fleet.vehicles.values()].map((v) => v.slot))
  draw(props.current.run, props.current.trail)
  pin(props.current.pins)
  desk.view(port.bounds(), port.zoom())
  crowd()

  /** How much of the map the open detail covers, as the style sheet has it: a column at the left, or a sheet at the bottom. */
  const covered = () => {
    const style = getComputedStyle(container)
    return { left: Number.parseFloat(style.scrollPaddingLeft) || 0, bottom: Number.parseFloat(style.scrollPaddingBottom) || 0 }
  }
  const fit = (places: readonly LngLat[], maxZoom: number, animate = true): void => {
    if (places.length === 0) return
    const { left, bottom } = covered()
    const [lngs, lats] = [places.map((p) => p[0]), places.map((p) => p[1])]
    port.fit(
      [
        [Math.min(...lngs), Math.min(...lats)],
        [Math.max(...lngs), Math.max(...lats)],
      ],
      // The zoom buttons stand at the right.
      { padding: { top: 60, right: 76, left: left + 60, bottom: bottom + 50 }, maxZoom, animate },
    )
  }
  // The first look is at the whole fleet, unless the page was opened on something or a hand was faster.
  let looked = false
  const hands = port.onUserMove(() => {
    looked = true
  })
  const firstLook = (): void => {
    if (looked) return
    const places = drawn(desk)
    if (!desk.ready() || places.length === 0) return
    looked = true
    if (props.current.selected === null && !props.current.picking) fit(places, 15.5, false)
  }
  const stopFirst = desk.subscribe(firstLook)
  firstLook()
  return {
    handle: {
      middle() {
        const { left, bottom } = covered()
        return port.unproject((container.clientWidth + left) / 2, (container.clientHeight - bottom) / 2)
      },
      // A box of one point: `ease` with padding would leave the padding behind for whatever comes next.
      show: (at) => fit([at], Math.max(14.5, port.zoom())),
      fit: (places) => fit(places, 15.5),
    },
    theme(next) {
      port.setTheme(next)
      layer.setPalette(PALETTES[next])
    },
    still: (next) => layer.setStill(next),
    remark,
    draw,
    pin,
    close() {
      for (const stop of [beat, hands, stopFirst, stopClick, stopEnd, stopMoved, stopStood]) stop()
      container.removeEventListener('pointermove', point)
      container.removeEventListener('pointerleave', leave)
      if (pointing !== null) cancelAnimationFrame(pointing)
      port.destroy()
    },
  }
}

function dressCircle(element: HTMLElement, c: Cluster): void {
  element.className = `cluster cluster-${toneOf(c)}`
  const size = Math.round(30 + Math.min(34, Math.sqrt(c.count) * 1.9))
  element.style.setProperty('--size', `${size}px`)
  element.style.setProperty('--late', `${((c.late / c.count) * 100).toFixed(1)}%`)
  const [count, late] = [element.firstElementChild as HTMLElement, element.lastElementChild as HTMLElement]
  count.textContent = c.count.toLocaleString('en')
  late.textContent = c.late > 0 ? String(c.late) : ''
  late.hidden = c.late === 0
}
