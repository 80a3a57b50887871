// A theme and a city's tiles in, a style for either engine out: streets by class with casings, tunnels, bridges, names, shields, one-way arrows.
// Fifteen data-driven layers over the tile layers road, water and pedestrian_area; colours and widths by class stand in two tables below.
import type { Bbox } from '@doorstep/shared/units'
import type { Theme } from './port.ts'

export interface Style {
  version: 8
  name: string
  sources: Record<string, unknown>
  layers: Layer[]
  glyphs?: string
  'font-faces'?: Record<string, { url: string }[]>
}
export interface Layer {
  id: string
  type: string
  [key: string]: unknown
}
type Expression = readonly unknown[]

const PALETTES = {
  light: {
    land: '#f4f3ef',
    water: '#a8d2ea',
    shore: '#8fc0dd',
    waterText: '#3f7da3',
    plaza: '#e9e4da',
    motorway: ['#f8bb74', '#d9924a'],
    trunk: ['#fbd18d', '#dcab5c'],
    primary: ['#fde4ab', '#d9bf80'],
    secondary: ['#ffffff', '#c9ced5'],
    tertiary: ['#ffffff', '#ccd2d9'],
    minor: ['#ffffff', '#d2d7de'],
    service: ['#ffffff', '#dde1e6'],
    pedestrian: ['#efeae0', '#ddd6c8'],
    path: ['#c8bdac', ''],
    cycleway: ['#92c09d', ''],
    track: ['#cdbfa5', ''],
    tunnel: ['#fbe6c6', '#edebe6'],
    text: '#3f4856',
    textMinor: '#667083',
    halo: 'rgba(255,255,255,0.94)',
  },
  dark: {
    land: '#161b23',
    water: '#0c2436',
    shore: '#17384f',
    waterText: '#5b93b5',
    plaza: '#1d2430',
    motorway: ['#8d6f3c', '#3a2f1b'],
    trunk: ['#75603a', '#332a1a'],
    primary: ['#525b6c', '#11151c'],
    secondary: ['#424b5b', '#11151c'],
    tertiary: ['#3a4250', '#11151c'],
    minor: ['#2f3744', '#11151c'],
    service: ['#272e39', '#12161d'],
    pedestrian: ['#252c37', '#12161d'],
    path: ['#303846', ''],
    cycleway: ['#2a463e', ''],
    track: ['#353427', ''],
    tunnel: ['#3b3222', '#212731'],
    text: '#b3bdcb',
    textMinor: '#8b96a7',
    halo: 'rgba(16,20,27,0.94)',
  },
} as const
type Kind =
  | 'motorway'
  | 'trunk'
  | 'primary'
  | 'secondary'
  | 'tertiary'
  | 'minor'
  | 'service'
  | 'pedestrian'
  | 'path'
  | 'cycleway'
  | 'track'

/** Tile classes drawn alike: a ramp has the colour of its road and the width of a link. */
const CLASSES: readonly (readonly [kind: Kind, width: Kind | 'link', classes: readonly string[]])[] = [
  ['motorway', 'motorway', ['motorway']],
  ['trunk', 'trunk', ['trunk']],
  ['trunk', 'link', ['motorway_link', 'trunk_link']],
  ['primary', 'primary', ['primary']],
  ['primary', 'link', ['primary_link']],
  ['secondary', 'secondary', ['secondary']],
  ['tertiary', 'tertiary', ['tertiary']],
  ['secondary', 'link', ['secondary_link', 'tertiary_link']],
  ['minor', 'minor', ['minor']],
  ['pedestrian', 'pedestrian', ['pedestrian']],
  ['service', 'service', ['service']],
  ['track', 'track', ['track']],
  ['cycleway', 'cycleway', ['cycleway']],
  ['path', 'path', ['path']],
]

const ZOOMS = [6, 10, 11, 12, 13, 14, 15, 16, 18] as const
/** Pixels at each of ZOOMS. */
const WIDTHS: Record<Kind | 'link', readonly number[]> = {
  motorway: [0.9, 1.9, 2.6, 3.7, 5.2, 8, 13, 19, 40],
  trunk: [0.8, 1.6, 2.2, 3.2, 4.7, 7.4, 12, 18, 38],
  link: [0.3, 0.5, 0.7, 1.1, 1.9, 3, 5, 8, 18],
  primary: [0.6, 1.2, 1.7, 2.7, 4.2, 6.7, 11, 17, 36],
  secondary: [0.5, 0.9, 1.3, 2.2, 3.6, 5.7, 9.5, 15, 32],
  tertiary: [0.4, 0.6, 0.8, 1.5, 2.7, 4.6, 8, 13, 28],
  minor: [0.3, 0.4, 0.5, 0.8, 1.5, 3, 5.5, 9.5, 22],
  pedestrian: [0.3, 0.4, 0.5, 0.6, 0.9, 1.8, 3.2, 6, 16],
  service: [0.2, 0.3, 0.3, 0.4, 0.6, 1.1, 2.2, 4.4, 12],
  track: [0.2, 0.2, 0.3, 0.4, 0.6, 0.9, 1.3, 2, 5],
  cycleway: [0.2, 0.2, 0.3, 0.4, 0.5, 0.8, 1.2, 1.9, 4],
  path: [0.2, 0.2, 0.2, 0.3, 0.4, 0.6, 0.9, 1.4, 3],
}

const byClass = (value: (kind: Kind, width: Kind | 'link') => unknown, other: unknown): Expression => [
  'match',
  ['get', 'class'],
  ...CLASSES.flatMap(([kind, width, classes]) => [classes, value(kind, width)]),
  other,
]
/** `edge` pixels are added on both sides together, more the closer one looks. */
const widths = (edge: readonly number[] = ZOOMS.map(() => 0)): Expression => [
  'interpolate',
  ['exponential', 1.5],
  ['zoom'],
  ...ZOOMS.flatMap((zoom, i) => [zoom, byClass((_, width) => Number((WIDTHS[width][i]! + edge[i]!).toFixed(2)), 1)]),
]
const CASING = [0.4, 0.6, 0.6, 1, 1.4, 1.6, 2, 2.2, 2.4]
const is = (...classes: string[]): Expression => ['in', ['get', 'class'], ['literal', classes]]
const SLIM = is('path', 'cycleway', 'track')

export interface StyleSource {
  /** Address of the tiles with {z}/{x}/{y}, absolute: a worker asks for them. */
  tiles: string
  bbox: Bbox
  attribution: string
  /** Names of the faces that the engine is given for regular and strong text. */
  fonts: readonly [regular: string, strong: string]
}

/** The base map. The layers of a page belong below `oneway`, so that names stay readable above them. */
export function baseStyle(theme: Theme, source: StyleSource): Style {
  const c = PALETTES[theme]
  const base = (id: string, type: string, layer: string, rest: Record<string, unknown>): Layer => ({
    id,
    type,
    source: 'base',
    'source-layer': layer,
    ...rest,
  })
  const road = (id: string, filter: Expression[], layout: object, paint: object): Layer =>
    base(id, 'line', 'road', {
      filter: ['all', ...filter],
      layout: { 'line-join': 'round', 'line-sort-key': ['get', 'rank'], ...layout },
      paint,
    })
  const fill = byClass((kind) => c[kind][0], c.minor[0])
  const covered = byClass((kind) => c.tunnel[kind === 'motorway' || kind === 'trunk' ? 0 : 1], c.tunnel[1])
  const casing = byClass((kind) => c[kind][1] || c.minor[1], c.minor[1])

  const level = (name: 'tunnel' | 'ground' | 'bridge'): Layer[] => {
    const here: Expression = name === 'ground' ? ['!', ['has', 'brunnel']] : ['==', ['get', 'brunnel'], name]
    const tunnel = name === 'tunnel'
    return [
      road(
        `${name}-case`,
        [here, ['!', SLIM]],
        { 'line-cap': name === 'ground' ? 'round' : 'butt' },
        {
          'line-color': casing,
          'line-width': widths(name === 'bridge' ? CASING.map((w) => w * 1.4) : CASING),
          ...(tunnel ? { 'line-dasharray': [0.6, 0.4], 'line-opacity': 0.6 } : {}),
        },
      ),
      road(
        `${name}-slim`,
        [here, SLIM],
        {},
        { 'line-color': fill, 'line-width': widths(), 'line-dasharray': [3, 1.5], 'line-opacity': tunnel ? 0.3 : 0.85 },
      ),
      road(
        `${name}-fill`,
        [here, ['!', SLIM]],
        { 'line-cap': tunnel ? 'butt' : 'round' },
        { 'line-color': tunnel ? covered : fill, 'line-width': widths() },
      ),
    ]
  }

  const along = { 'symbol-placement': 'line', 'text-max-angle': 30, 'text-rotation-alignment': 'map' }
  const halo = { 'text-halo-color': c.halo, 'text-halo-width': 1.5, 'text-halo-blur': 0.25 }
  const name = ['get', 'name']
  const semicolon = ['index-of', ';', ['get', 'ref']]
  return {
    version: 8,
    name: `doorstep-${theme}`,
    sources: {
      base: {
        type: 'vector',
        tiles: [source.tiles],
        minzoom: 6,
        maxzoom: 14,
        bounds: around(source.bbox, 0.12),
        attribution: source.attribution,
      },
    },
    layers: [
      { id: 'land', type: 'background', paint: { 'background-color': c.land } },
      base('water', 'fill', 'water', { paint: { 'fill-color': c.water } }),
      base('shore', 'line', 'water', {
        paint: { 'line-color': c.shore, 'line-width': ['interpolate', ['linear'], ['zoom'], 10, 0.5, 16, 1.6] },
      }),
      base('plaza', 'fill', 'pedestrian_area', { minzoom: 13, paint: { 'fill-color': c.plaza } }),
      ...level('tunnel'),
      ...level('ground'),
      ...level('bridge'),
      base('oneway', 'symbol', 'road', {
        minzoom: 15.2,
        filter: ['all', ['has', 'oneway'], ['!', is('path', 'cycleway', 'track', 'motorway', 'trunk')]],
        layout: {
          'symbol-placement': 'line',
          'symbol-spacing': 120,
          'icon-image': 'oneway',
          'icon-size': ['interpolate', ['linear'], ['zoom'], 15, 0.5, 18, 0.9],
          'icon-rotation-alignment': 'map',
          'icon-rotate': ['case', ['==', ['get', 'oneway'], -1], 180, 0],
          'icon-padding': 2,
        },
        paint: { 'icon-opacity': 0.8 },
      }),
      base('label-minor', 'symbol', 'road', {
        minzoom: 14.4,
        filter: ['all', ['has', 'name'], is('minor', 'service', 'pedestrian', 'tertiary')],
        layout: {
          ...along,
          'text-field': name,
          'text-font': [source.fonts[0]],
          'text-size': ['interpolate', ['linear'], ['zoom'], 14, 10.5, 18, 14],
          'symbol-spacing': 280,
          'text-padding': 4,
        },
        paint: { 'text-color': c.textMinor, ...halo },
      }),
      base('label-major', 'symbol', 'road', {
        minzoom: 12.2,
        filter: ['all', ['has', 'name'], is('secondary', 'primary', 'trunk', 'motorway')],
        layout: {
          ...along,
          'text-field': name,
          'text-font': [source.fonts[1]],
          'text-size': ['interpolate', ['linear'], ['zoom'], 12, 10.5, 18, 15],
          'symbol-spacing': 360,
          'text-padding': 6,
        },
        paint: { 'text-color': c.text, ...halo },
      }),
      base('label-water', 'symbol', 'water', {
        minzoom: 11.5,
        filter: ['has', 'name'],
        layout: {
          'text-field': name,
          'text-font': [source.fonts[0]],
          'text-size': ['interpolate', ['linear'], ['zoom'], 11, 11, 16, 16],
          'text-letter-spacing': 0.08,
          // One name for a stretch of water, however many pieces the tiles cut it into.
          'text-padding': 160,
        },
        paint: { 'text-color': c.waterText, 'text-halo-color': c.water, 'text-halo-width': 1 },
      }),
      base('shield', 'symbol', 'road', {
        minzoom: 10.5,
        filter: ['all', ['has', 'ref'], is('motorway', 'trunk', 'primary', 'secondary')],
        layout: {
          'symbol-placement': 'line',
          'symbol-spacing': 420,
          // Where two roads share a street (E 6;E 20), the first name.
          'text-field': ['slice', ['get', 'ref'], 0, ['case', ['>=', semicolon, 0], semicolon, 8]],
          'text-font': [source.fonts[1]],
          'text-size': 10,
          'icon-image': ['case', ['==', ['slice', ['get', 'ref'], 0, 1], 'E'], 'shield-e', 'shield'],
          'icon-text-fit': 'both',
          'icon-text-fit-padding': [1, 4, 1, 4],
          'text-rotation-alignment': 'viewport',
          'icon-rotation-alignment': 'viewport',
        },
        paint: { 'text-color': '#ffffff' },
      }),
    ],
  }
}

/** A box grown by degrees on every side, within the world that mercator can show. */
export const around = (b: Bbox, by: number): [number, number, number, number] => [
  Math.max(-180, b[0] - by),
  Math.max(-85, b[1] - by),
  Math.min(180, b[2] + by),
  Math.min(85, b[3] + by),
]
