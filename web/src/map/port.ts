// One small surface over two map engines. Pages know this and nothing of MapLibre or Mapbox.
import type { LngLat } from '@doorstep/shared/units'

export type Theme = 'light' | 'dark'

export interface MapPort {
  readonly engine: 'maplibre' | 'mapbox'
  setTheme(theme: Theme): void
  /** Replaces the features of a source that `layers` named. */
  setData(source: string, data: GeoJSON.GeoJSON): void
  /** Draws with WebGL inside the map; for thousands of moving things. */
  addCustomLayer(layer: CustomLayer, before?: string): void
  setLayerVisible(layer: string, visible: boolean): void
  repaint(): void
  project(at: LngLat): { x: number; y: number }
  unproject(x: number, y: number): LngLat
  bounds(): readonly [west: number, south: number, east: number, north: number]
  /** The size of the map and what of it is covered now. */
  stage(): Stage
  zoom(): number
  bearing(): number
  fit(bounds: readonly [LngLat, LngLat], options?: { padding?: number | Padding; animate?: boolean; maxZoom?: number }): void
  ease(to: LngLat, options?: { zoom?: number; animate?: boolean; padding?: Padding }): void
  /** An element that stays at a place, moved by transform, also between whole pixels. */
  overlay(element: HTMLElement, at: LngLat, options?: { anchor?: 'center' | 'bottom' }): Overlay
  /** A person, not the program, moved the camera. */
  onUserMove(listener: () => void): () => void
  /** The view came to rest. */
  onMoveEnd(listener: () => void): () => void
  onMove(listener: () => void): () => void
  onClick(listener: (at: LngLat, point: { x: number; y: number }) => void): () => void
  destroy(): void
}
export interface Padding {
  top: number
  right: number
  bottom: number
  left: number
}
/** CSS pixels. */
export interface Stage {
  readonly width: number
  readonly height: number
  /** What controls, the credit line and `--map-top`, `--map-bottom` take from each side. */
  readonly covered: Padding
}
export interface Overlay {
  /** `heading` in degrees turns the element with the map. */
  move(at: LngLat, heading?: number): void
  remove(): void
}
/** `matrix` takes mercator units (0–1) to clip space, as doubles. */
export interface CustomLayer {
  readonly id: string
  onAdd(gl: WebGL2RenderingContext, map: MapPort): void
  render(gl: WebGL2RenderingContext, matrix: Float64Array): void
  onRemove(gl: WebGL2RenderingContext): void
}

export interface MapOptions {
  container: HTMLElement
  theme: Theme
  center: LngLat
  zoom: number
  bbox: readonly [west: number, south: number, east: number, north: number]
  attribution: string
  /** Only when the server has one; a refused token falls back to MapLibre in the same place. */
  mapboxToken: string | null
  reducedMotion: boolean
  /** Sources and layers of the page, per theme, drawn below the labels. */
  extra?: (theme: Theme) => { sources: Record<string, unknown>; layers: unknown[] }
}
/** `createMap(options)` in `engine.ts` loads an engine on demand and rejects with NoMap when none can draw (no WebGL2). */
export type CreateMap = (options: MapOptions) => Promise<MapPort>
