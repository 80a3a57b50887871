// An engine in, the MapPort that pages know out. What a page has put on the map is remembered here, so that a new style or another engine
// in the same place shows all of it again.
import type { LngLat } from '@doorstep/shared/units'
import { type MapIcon, mapIcons } from './icons.ts'
import type { CustomLayer, MapOptions, MapPort, Overlay, Stage, Theme } from './port.ts'
import type { Layer, Style } from './style.ts'

/** What is alike in MapLibre GL 6 and Mapbox GL 3, as far as we use it. */
export interface EngineMap {
  on(event: string, listener: (event: EngineEvent) => void): unknown
  setStyle(style: Style, options: { diff: false }): unknown
  hasImage(id: string): boolean
  addImage(id: string, image: ImageData, options: MapIcon['options']): unknown
  getSource(id: string): { setData?: (data: GeoJSON.GeoJSON) => unknown } | undefined
  getLayer(id: string): unknown
  addLayer(layer: object, before?: string): unknown
  setLayoutProperty(layer: string, name: string, value: unknown): unknown
  triggerRepaint(): void
  project(at: [number, number]): { x: number; y: number }
  unproject(point: [number, number]): { lng: number; lat: number }
  getBounds(): { getWest(): number; getSouth(): number; getEast(): number; getNorth(): number } | null
  getZoom(): number
  getBearing(): number
  getCenter(): { lng: number; lat: number }
  getCanvasContainer(): HTMLElement
  fitBounds(bounds: [[number, number], [number, number]], options: object): unknown
  easeTo(options: object): unknown
  resize(): unknown
  remove(): void
}
export interface EngineEvent {
  originalEvent?: unknown
  lngLat?: { lng: number; lat: number }
  point?: { x: number; y: number }
  error?: { message?: string; status?: number }
}
export interface Engine {
  readonly name: MapPort['engine']
  readonly map: EngineMap
  /** The base style without the page's layers. */
  style(theme: Theme): Promise<Style>
  /** Mercator to clip space, out of what the engine hands a custom layer. */
  matrix(args: unknown): Float64Array
}

export interface Surface {
  readonly port: MapPort
  /** The style to start an engine with: its base and the page's layers. */
  compose(base: Style, theme: Theme): Style
  attach(engine: Engine): void
  /** Takes the engine away and leaves everything else as it is. */
  detach(): void
  camera(): { center: LngLat; zoom: number }
}

interface Placed {
  element: HTMLElement
  at: LngLat
  heading: number | null
  anchor: string
}
type Listeners = Record<'user' | 'end' | 'move', Set<() => void>>

/** Overlays, sources, custom layers and listeners outlive the engine below; calls before the first `attach` are kept. */
export function surface(options: MapOptions): Surface {
  let engine: Engine | null = null
  let theme = options.theme
  let icons: MapIcon[] = []
  let gone = false
  const data = new Map<string, GeoJSON.GeoJSON>()
  const hidden = new Map<string, boolean>()
  const custom = new Map<string, { layer: CustomLayer; before: string | undefined }>()
  const placed = new Set<Placed>()
  const listeners: Listeners = { user: new Set(), end: new Set(), move: new Set() }
  const clicks = new Set<(at: LngLat, point: { x: number; y: number }) => void>()

  const put = (p: Placed) => {
    if (!engine) return
    const { x, y } = engine.map.project([p.at[0], p.at[1]])
    const turned = p.heading === null ? '' : ` rotate(${(p.heading - engine.map.getBearing()).toFixed(1)}deg)`
    p.element.style.transform = `translate(${x.toFixed(2)}px, ${y.toFixed(2)}px) ${p.anchor}${turned}`
  }
  const putAll = () => {
    for (const p of placed) put(p)
  }

  const addCustom = (layer: CustomLayer, before: string | undefined) => {
    const on = engine
    if (!on || on.map.getLayer(layer.id)) return
    const wrapped = {
      id: layer.id,
      type: 'custom',
      renderingMode: '2d',
      onAdd: (_map: unknown, gl: WebGL2RenderingContext) => layer.onAdd(gl, port),
      render: (gl: WebGL2RenderingContext, args: unknown) => layer.render(gl, on.matrix(args)),
      onRemove: (_map: unknown, gl: WebGL2RenderingContext) => layer.onRemove(gl),
    }
    try {
      on.map.addLayer(wrapped, before && on.map.getLayer(before) ? before : undefined)
    } catch {
      // Both engines throw while the style is still loading, and neither says so beforehand: `style.load` adds it then.
    }
  }

  const compose = (base: Style, forTheme: Theme): Style => {
    const extra = options.extra?.(forTheme) ?? { sources: {}, layers: [] }
    const sources: Record<string, unknown> = { ...base.sources }
    for (const [id, source] of Object.entries(extra.sources))
      sources[id] = { ...(source as object), ...(data.has(id) ? { data: data.get(id) } : {}) }
    const ours = (extra.layers as Layer[]).map((layer) =>
      hidden.has(layer.id)
        ? { ...layer, layout: { ...(layer.layout as object | undefined), visibility: hidden.get(layer.id) ? 'none' : 'visible' } }
        : layer,
    )
    const at = base.layers.findIndex((layer) => layer.id === 'oneway')
    const below = at >= 0 ? at : base.layers.findIndex((layer) => layer.type === 'symbol')
    const cut = below < 0 ? base.layers.length : below
    return { ...base, sources, layers: [...base.layers.slice(0, cut), ...ours, ...base.layers.slice(cut)] }
  }

  const port: MapPort = {
    get engine() {
      return engine?.name ?? 'maplibre'
    },
    setTheme(next) {
      if (next === theme) return
      theme = next
      const on = engine
      if (!on) return
      Promise.all([on.style(next), mapIcons(next)])
        .then(([base, drawn]) => {
          if (engine !== on || theme !== next) return
          icons = drawn
          on.map.setStyle(compose(base, next), { diff: false })
        })
        .catch((fault: unknown) => console.warn('the map keeps its theme:', fault))
    },
    setData(source, value) {
      data.set(source, value)
      engine?.map.getSource(source)?.setData?.(value)
    },
    addCustomLayer(layer, before) {
      custom.set(layer.id, { layer, before })
      addCustom(layer, before)
    },
    setLayerVisible(layer, visible) {
      hidden.set(layer, !visible)
      if (engine?.map.getLayer(layer)) engine.map.setLayoutProperty(layer, 'visibility', visible ? 'visible' : 'none')
    },
    repaint: () => engine?.map.triggerRepaint(),
    project: (at) => engine?.map.project([at[0], at[1]]) ?? { x: 0, y: 0 },
    unproject(x, y) {
      const p = engine?.map.unproject([x, y])
      return p ? [p.lng, p.lat] : options.center
    },
    bounds() {
      const b = engine?.map.getBounds()
      return b ? [b.getWest(), b.getSouth(), b.getEast(), b.getNorth()] : options.bbox
    },
    stage: () => stageOf(options.container),
    zoom: () => engine?.map.getZoom() ?? options.zoom,
    bearing: () => engine?.map.getBearing() ?? 0,
    fit([a, b], how = {}) {
      engine?.map.fitBounds(
        [
          [Math.min(a[0], b[0]), Math.min(a[1], b[1])],
          [Math.max(a[0], b[0]), Math.max(a[1], b[1])],
        ],
        {
          padding: how.padding ?? 60,
          maxZoom: how.maxZoom ?? 16,
          duration: how.animate === false || options.reducedMotion ? 0 : 700,
        },
      )
    },
    ease(to, how = {}) {
      engine?.map.easeTo({
        center: [to[0], to[1]],
        duration: how.animate === false || options.reducedMotion ? 0 : 800,
        ...(how.zoom === undefined ? {} : { zoom: how.zoom }),
        ...(how.padding ? { padding: how.padding } : {}),
      })
    },
    overlay(element, at, how = {}): Overlay {
      const p: Placed = {
        element,
        at,
        heading: null,
        anchor: how.anchor === 'bottom' ? 'translate(-50%, -100%)' : 'translate(-50%, -50%)',
      }
      Object.assign(element.style, { position: 'absolute', left: '0', top: '0', willChange: 'transform' })
      placed.add(p)
      engine?.map.getCanvasContainer().append(element)
      put(p)
      return {
        move(to, heading) {
          p.at = to
          if (heading !== undefined) p.heading = heading
          put(p)
        },
        remove() {
          placed.delete(p)
          element.remove()
        },
      }
    },
    onUserMove: (listener) => heard(listeners.user, listener),
    onMoveEnd: (listener) => heard(listeners.end, listener),
    onMove: (listener) => heard(listeners.move, listener),
    onClick: (listener) => heard(clicks, listener),
    destroy() {
      gone = true
      for (const p of placed) p.element.remove()
      placed.clear()
      const on = engine
      engine = null
      on?.map.remove()
      options.container.replaceChildren()
      delete options.container.dataset.map
    },
  }

  return {
    port,
    compose,
    camera() {
      const c = engine?.map.getCenter()
      return c ? { center: [c.lng, c.lat], zoom: port.zoom() } : { center: options.center, zoom: options.zoom }
    },
    attach(next) {
      if (gone) {
        next.map.remove()
        return
      }
      engine = next
      const { map } = next
      const mine = () => engine === next
      const dress = () => {
        if (!mine()) return
        for (const icon of icons) if (!map.hasImage(icon.id)) map.addImage(icon.id, icon.pixels, icon.options)
        for (const { layer, before } of custom.values()) addCustom(layer, before)
        for (const [id, value] of data) map.getSource(id)?.setData?.(value)
        for (const [id, off] of hidden) if (map.getLayer(id)) map.setLayoutProperty(id, 'visibility', off ? 'none' : 'visible')
      }
      map.on('style.load', dress)
      void mapIcons(theme).then((drawn) => {
        icons = drawn
        dress()
      })
      map.on('move', () => {
        putAll()
        for (const listener of listeners.move) listener()
      })
      map.on('resize', putAll)
      map.on('movestart', (event) => {
        if (event.originalEvent) for (const listener of listeners.user) listener()
      })
      map.on('moveend', () => {
        for (const listener of listeners.end) listener()
      })
      map.on('click', (event) => {
        const { lngLat, point } = event
        if (lngLat && point) for (const listener of clicks) listener([lngLat.lng, lngLat.lat], { x: point.x, y: point.y })
      })
      map.on('idle', () => {
        if (mine()) options.container.dataset.map = `drawn ${next.name}`
      })
      for (const p of placed) map.getCanvasContainer().append(p.element)
      putAll()
    },
    detach() {
      delete options.container.dataset.map
      const on = engine
      engine = null
      on?.map.remove()
    },
  }
}

/** Measured, since the page's style decides which controls there are and where. Zoom buttons take a strip of the side, the credit one of the foot. */
function stageOf(container: HTMLElement): Stage {
  const box = container.getBoundingClientRect()
  const corner = (name: string): DOMRect | null => {
    const found = container.querySelector(`[class*="gl-ctrl-${name}"]`)?.getBoundingClientRect()
    return found && found.width > 0 && found.height > 0 ? found : null
  }
  const zoom = corner('top-right')
  const credit = corner('bottom-right')
  return {
    width: box.width,
    height: box.height,
    covered: { top: 0, left: 0, right: zoom ? box.right - zoom.left : 0, bottom: credit ? box.bottom - credit.top : 0 },
  }
}

function heard<T>(set: Set<T>, listener: T): () => void {
  set.add(listener)
  return () => set.delete(listener)
}
