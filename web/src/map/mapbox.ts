// Mapbox GL behind our surface: Mapbox's own streets when its API answers, our tiles when it can't be reached, a refusal when it says no.
import 'mapbox-gl/dist/mapbox-gl.css'
import { AttributionControl, Map as Mapbox, NavigationControl, type StyleSpecification } from 'mapbox-gl/esm'
import './map.css'
import type { MapOptions, Theme } from './port.ts'
import { baseStyle, type Style } from './style.ts'
import type { Engine, EngineMap, Surface } from './surface.ts'

const STYLES = { light: 'navigation-day-v1', dark: 'navigation-night-v1' } as const
/** How long the API may think before our own tiles are drawn instead, ms. */
const PATIENCE = 4_000

/**
 * Throws when the token is refused before the map stands; `refused` is called once when that happens later (the engine then blanks the map).
 * Style requests go by the Styles API, GET /styles/v1/mapbox/{id}; 401 and 403 there mean a token that is not valid or not for this page.
 */
export async function startMapbox(
  options: MapOptions,
  token: string,
  box: HTMLElement,
  compose: Surface['compose'],
  refused: () => void,
): Promise<Engine> {
  const asked = new Map<Theme, Style>()
  const style = async (theme: Theme): Promise<Style> => {
    const known = asked.get(theme)
    if (known) return known
    const theirs = await fetchStyle(theme, token)
    const ours = theirs ?? ownStyle(theme, options)
    if (theirs) asked.set(theme, theirs)
    return ours
  }
  const [first] = await Promise.all([
    style(options.theme),
    document.fonts.load('500 16px Inter'),
    document.fonts.load('600 16px Inter'),
  ])
  const map = new Mapbox({
    container: box,
    accessToken: token,
    style: compose(first, options.theme) as unknown as StyleSpecification,
    center: [options.center[0], options.center[1]],
    zoom: options.zoom,
    minZoom: 9.5,
    maxZoom: 19,
    projection: 'mercator',
    localFontFamily: 'Inter, sans-serif',
    fadeDuration: 0,
    attributionControl: false,
    dragRotate: false,
    pitchWithRotate: false,
    touchPitch: false,
    respectPrefersReducedMotion: true,
  })
  map.touchZoomRotate.disableRotation()
  map.keyboard.disableRotation()
  map.addControl(new NavigationControl({ showCompass: false }), 'top-right')
  map.addControl(new AttributionControl({ compact: false }), 'bottom-right')
  let over = false
  const told = new Set<string>()
  map.on('error', ({ error }) => {
    const status = (error as { status?: number }).status
    if (status === 401 || /access token|NO_ACCESS_TOKEN/i.test(error.message)) {
      if (!over) refused()
      over = true
      return
    }
    if (told.size < 5 && !told.has(error.message)) console.warn('map:', error.message)
    told.add(error.message)
  })
  return {
    name: 'mapbox',
    map: map as unknown as EngineMap,
    style,
    matrix: (args) => new Float64Array(args as number[]),
  }
}

function ownStyle(theme: Theme, options: MapOptions): Style {
  const style = baseStyle(theme, {
    tiles: `${location.origin}/tiles/{z}/{x}/{y}.pbf`,
    bbox: options.bbox,
    attribution: options.attribution,
    fonts: ['Inter 500', 'Inter 600'],
  })
  // The engine refuses text without an address for glyphs; with localFontFamily it never asks there.
  return { ...style, glyphs: `${location.origin}/glyphs/{fontstack}/{range}.pbf` }
}

/** Mapbox's style, null when it can't be reached in time; throws when the token is refused. */
async function fetchStyle(theme: Theme, token: string): Promise<Style | null> {
  let response: Response
  try {
    response = await fetch(`https://api.mapbox.com/styles/v1/mapbox/${STYLES[theme]}?access_token=${encodeURIComponent(token)}`, {
      signal: AbortSignal.timeout(PATIENCE),
      referrerPolicy: 'strict-origin',
    })
  } catch {
    return null
  }
  if (response.status === 401 || response.status === 403) throw new Error(`the token is refused (${response.status})`)
  if (!response.ok) return null
  const style: unknown = await response.json().catch(() => null)
  return isStyle(style) ? style : null
}

const isStyle = (value: unknown): value is Style =>
  typeof value === 'object' && value !== null && 'layers' in value && Array.isArray(value.layers) && 'sources' in value
