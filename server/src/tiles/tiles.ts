// Roads, squares and water in; vector tiles (MVT 2, gzip) out. Cut once, when a city is built, and looked up ever after.
//
// What a style can count on (zooms 6–14, overzoom beyond 14 is fine; extent 4096):
//   road             lines   class     motorway motorway_link trunk trunk_link primary primary_link secondary secondary_link tertiary tertiary_link
//                                      minor service pedestrian path cycleway track
//                            rank      0 (path) … 15 (motorway): features come in this order, small roads first
//                            name, ref only where there is one ("E 6;E 20" for several refs)
//                            oneway    1 along the line, −1 against it, absent: both ways
//                            brunnel   bridge | tunnel, absent: on the ground
//   pedestrian_area  areas   class     pedestrian; name where there is one
//   water            areas   class     river | water; in the embedded city an approximation (river.ts)
// Classes begin at: motorway trunk 6 · primary 8 · motorway_link trunk_link secondary 10 · primary_link tertiary 11 · secondary_link tertiary_link minor 12 ·
// pedestrian track 13 · service cycleway path 14.
import { gzipSync } from 'node:zlib'
import { fromGeojsonVt } from '@maplibre/vt-pbf'
import GeoJSONVT, { type LegacyFeature } from 'geojson-vt'
import type { Area } from '../routing/ways.ts'
import type { Road } from './roads.ts'

export const MIN_ZOOM = 6
export const MAX_ZOOM = 14
/** A bigger extract than this is a country and not a city. */
const MOST_TILES = 60_000

export interface Tiles {
  readonly count: number
  /** Gzipped bytes, to be sent as they are; null where there is nothing, and for coordinates that are no tile. */
  get(z: number, x: number, y: number): Uint8Array | null
}

export interface TileFile {
  /** z, x, y, end of the bytes; four numbers a tile. */
  readonly index: Uint32Array
  readonly bytes: Uint8Array
}

export function openTiles({ index, bytes }: TileFile): Tiles {
  const tiles = new Map<number, Uint8Array>()
  let start = 0
  for (let i = 0; i < index.length; i += 4) {
    tiles.set(key(index[i]!, index[i + 1]!, index[i + 2]!), bytes.subarray(start, index[i + 3]!))
    start = index[i + 3]!
  }
  return {
    count: tiles.size,
    get: (z, x, y) => (isTile(z, x, y) ? (tiles.get(key(z, x, y)) ?? null) : null),
  }
}

/** One number for a tile of zoom ≤ 14: 4 + 14 + 14 bits, below 2^53. */
const key = (z: number, x: number, y: number): number => (z * 16_384 + x) * 16_384 + y

const isTile = (z: number, x: number, y: number): boolean =>
  Number.isInteger(z) &&
  Number.isInteger(x) &&
  Number.isInteger(y) &&
  z >= MIN_ZOOM &&
  z <= MAX_ZOOM &&
  x >= 0 &&
  y >= 0 &&
  x < 2 ** z &&
  y < 2 ** z

/** Cuts every tile that has something on it. Takes seconds: done when a city is built, never while people wait. */
export function cutTiles(roads: readonly Road[], squares: readonly Area[], water: readonly Area[]): TileFile {
  const options = { maxZoom: MAX_ZOOM, indexMaxZoom: 5, indexMaxPoints: 0, tolerance: 3, extent: 4096, buffer: 80 }
  const slicer = (features: GeoJSON.Feature[]) => new GeoJSONVT({ type: 'FeatureCollection', features }, options)
  const byZoom = new Map<number, GeoJSON.Feature[]>()
  const box = { west: 180, south: 90, east: -180, north: -90 }
  for (const road of roads) {
    const list = byZoom.get(road.zoom) ?? []
    byZoom.set(road.zoom, list)
    list.push({ type: 'Feature', properties: road.properties, geometry: { type: 'LineString', coordinates: road.line } })
    for (const [lng, lat] of road.line) {
      box.west = Math.min(box.west, lng)
      box.east = Math.max(box.east, lng)
      box.south = Math.min(box.south, lat)
      box.north = Math.max(box.north, lat)
    }
  }
  const roadSlicers = [...byZoom].map(([zoom, features]) => ({ zoom, slicer: slicer(features) }))
  const areas = [
    { layer: 'water', slicer: slicer(water.map((area) => polygon(area, area.tags.water === 'river' ? 'river' : 'water'))) },
    { layer: 'pedestrian_area', slicer: slicer(squares.filter(isSquare).map((area) => polygon(area, 'pedestrian'))) },
  ]
  const index: number[] = []
  const parts: Buffer[] = []
  let end = 0
  for (let z = MIN_ZOOM; z <= MAX_ZOOM; z++) {
    const [x0, y0] = tileAt(box.west, box.north, z)
    const [x1, y1] = tileAt(box.east, box.south, z)
    if ((x1 - x0 + 1) * (y1 - y0 + 1) > MOST_TILES)
      throw new Error('this extract is larger than a city: cut it down first (osmium extract)')
    for (let x = x0; x <= x1; x++) {
      for (let y = y0; y <= y1; y++) {
        const layers: Record<string, { features: LegacyFeature[] }> = {}
        for (const { layer, slicer } of areas) {
          const tile = slicer.getTile(z, x, y)
          if (tile && tile.features.length > 0) layers[layer] = tile
        }
        const lines = roadSlicers.flatMap(({ zoom, slicer }) => (z >= zoom ? (slicer.getTile(z, x, y)?.features ?? []) : []))
        if (lines.length > 0) layers.road = { features: lines.sort((a, b) => Number(a.tags?.rank) - Number(b.tags?.rank)) }
        if (Object.keys(layers).length === 0) continue
        const bytes = gzipSync(fromGeojsonVt(layers as Parameters<typeof fromGeojsonVt>[0], { version: 2, extent: 4096 }), {
          level: 9,
        })
        parts.push(bytes)
        end += bytes.length
        index.push(z, x, y, end)
      }
    }
  }
  return { index: Uint32Array.from(index), bytes: Buffer.concat(parts) }
}

const isSquare = ({ tags }: Area): boolean => tags.highway === 'pedestrian' || tags.highway === 'footway'

const polygon = (area: Area, name: string): GeoJSON.Feature => ({
  type: 'Feature',
  properties: { class: name, ...(area.tags.name && { name: area.tags.name }) },
  geometry: { type: 'Polygon', coordinates: area.rings },
})

/** The tile of a zoom that holds a place (web mercator). */
function tileAt(lng: number, lat: number, z: number): [x: number, y: number] {
  const sin = Math.sin((lat * Math.PI) / 180)
  const most = 2 ** z - 1
  const whole = (v: number) => Math.min(most, Math.max(0, Math.floor(v * 2 ** z)))
  return [whole((lng + 180) / 360), whole(0.5 - Math.log((1 + sin) / (1 - sin)) / (4 * Math.PI))]
}
