// MapLibre GL behind our surface: own tiles, own font, nothing from any other host.
import inter500 from '@fontsource/inter/files/inter-latin-500-normal.woff2?url'
import inter600 from '@fontsource/inter/files/inter-latin-600-normal.woff2?url'
import {
  AttributionControl,
  type CustomRenderMethodInput,
  Map as MapLibre,
  NavigationControl,
  type StyleSpecification,
  setWorkerUrl,
} from 'maplibre-gl'
import workerUrl from 'maplibre-gl/dist/maplibre-gl-worker.mjs?worker&url'
import 'maplibre-gl/dist/maplibre-gl.css'
import './map.css'
import type { MapOptions, Theme } from './port.ts'
import { around, baseStyle, type Style } from './style.ts'
import type { Engine, EngineMap, Surface } from './surface.ts'

const absolute = (url: string) => new URL(url, location.href).href
// The library looks for its worker beside its own module, where a bundler never puts it.
setWorkerUrl(absolute(workerUrl))

/** Resolves once the style stands; tiles follow. Throws what the engine throws, for one that there is no WebGL2. */
export async function startMapLibre(options: MapOptions, box: HTMLElement, compose: Surface['compose']): Promise<Engine> {
  const style = async (theme: Theme): Promise<Style> => ({
    ...baseStyle(theme, {
      tiles: `${location.origin}/tiles/{z}/{x}/{y}.pbf`,
      bbox: options.bbox,
      attribution: options.attribution,
      fonts: ['Inter 500', 'Inter 600'],
    }),
    'font-faces': { 'Inter 500': [{ url: absolute(inter500) }], 'Inter 600': [{ url: absolute(inter600) }] },
  })
  const map = new MapLibre({
    container: box,
    style: compose(await style(options.theme), options.theme) as unknown as StyleSpecification,
    center: [options.center[0], options.center[1]],
    zoom: options.zoom,
    minZoom: 9.5,
    maxZoom: 19,
    maxBounds: around(options.bbox, 0.1),
    attributionControl: false,
    fadeDuration: 0,
    dragRotate: false,
    pitchWithRotate: false,
    touchPitch: false,
    reduceMotion: options.reducedMotion,
  })
  map.touchZoomRotate.disableRotation()
  map.keyboard.disableRotation()
  map.addControl(new NavigationControl({ showCompass: false }), 'top-right')
  map.addControl(new AttributionControl({ compact: false }), 'bottom-right')
  const told = new Set<string>()
  map.on('error', ({ error }) => {
    if (told.size < 5 && !told.has(error.message)) console.warn('map:', error.message)
    told.add(error.message)
  })
  return {
    name: 'maplibre',
    map: map as unknown as EngineMap,
    style,
    matrix: (args) => new Float64Array((args as CustomRenderMethodInput).defaultProjectionData.mainMatrix),
  }
}
