// Options in, a map out: MapLibre by default, Mapbox when the server has a token that Mapbox accepts. Engines load on demand.
import type { CreateMap, MapOptions, MapPort } from './port.ts'
import { surface } from './surface.ts'

/** No map can be drawn here; the page goes on without one. */
export class NoMap extends Error {
  readonly why: 'webgl2' | 'engine'
  constructor(why: 'webgl2' | 'engine', cause?: unknown) {
    super(why === 'webgl2' ? 'no WebGL2' : 'the map engine did not start', { cause })
    this.name = 'NoMap'
    this.why = why
  }
}

const hasWebgl2 = (): boolean => {
  const gl = document.createElement('canvas').getContext('webgl2')
  // A page may hold about 16 contexts: give this one back at once.
  gl?.getExtension('WEBGL_lose_context')?.loseContext()
  return gl !== null
}

/** Rejects with NoMap. The container needs a size of its own; it gets `data-map` = `drawn <engine>` once a whole picture stands. */
export const createMap: CreateMap = async (options: MapOptions): Promise<MapPort> => {
  if (!hasWebgl2()) throw new NoMap('webgl2')
  const map = surface(options)
  // Each engine in a box of its own: a refused one may still be winding down while the next starts.
  const box = () => {
    const element = document.createElement('div')
    element.style.inlineSize = '100%'
    element.style.blockSize = '100%'
    options.container.replaceChildren(element)
    return element
  }
  const plain = async (camera = map.camera()) => {
    try {
      const { startMapLibre } = await import('./maplibre.ts')
      map.attach(await startMapLibre({ ...options, ...camera }, box(), map.compose))
    } catch (cause) {
      throw new NoMap('engine', cause)
    }
  }
  if (options.mapboxToken) {
    const refused = () => {
      const camera = map.camera()
      map.detach()
      void plain(camera).catch((fault: unknown) => console.warn('the map could not go on without Mapbox', fault))
    }
    try {
      const { startMapbox } = await import('./mapbox.ts')
      map.attach(await startMapbox(options, options.mapboxToken, box(), map.compose, refused))
      return map.port
    } catch (fault) {
      console.warn('Mapbox is not used:', fault instanceof Error ? fault.message : fault)
    }
  }
  await plain()
  return map.port
}
