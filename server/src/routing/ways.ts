// A road network as OpenStreetMap tells it (GeoJSON text) in; vertices shared between ways, and the ways with the tags that we use, out.

/** Degrees × 1e7, as OpenStreetMap itself stores them: exact, and equal numbers are the same node. */
export type Fixed = number
export const FIXED = 1e7

export type Tags = Readonly<Record<string, string>>

export interface Way {
  /** Indices of vertices, at least two. */
  readonly refs: Uint32Array
  readonly tags: Tags
}

/** Rings of vertices in degrees; the first is the shell, holes follow. */
export interface Area {
  readonly rings: [lng: number, lat: number][][]
  readonly tags: Tags
}

export interface Extract {
  readonly name: string
  /** Longitude and latitude of vertex i. */
  readonly lng: Int32Array
  readonly lat: Int32Array
  readonly ways: readonly Way[]
  /** Closed ways that are squares and not lines. */
  readonly squares: readonly Area[]
  /** Water as mapped; null when the extract carries roads only. */
  readonly water: readonly Area[] | null
}

/** Everything else in an extract is of no use here and is dropped at once, which keeps memory small. */
export const KEPT_TAGS: ReadonlySet<string> = new Set(
  'highway name ref oneway maxspeed junction access vehicle motor_vehicle motorcar service bridge tunnel area'.split(' '),
)

/** Is a place within a ring? Even–odd rule (Shimrat 1962). */
export function inside([x, y]: readonly [number, number], ring: readonly (readonly [number, number])[]): boolean {
  let within = false
  for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
    const [ax, ay] = ring[i]!
    const [bx, by] = ring[j]!
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) within = !within
  }
  return within
}

/** Ways of an extract as GeoJSON, one feature a way, properties = tags. Throws with a plain sentence when it is not that. */
export function fromGeoJson(text: string, name: string): Extract {
  const json = JSON.parse(text) as { features?: unknown }
  if (!Array.isArray(json.features)) throw new Error(`${name} is not a GeoJSON feature collection`)
  const points = new Vertices()
  const ways: Way[] = []
  const squares: Area[] = []
  for (const feature of json.features as RawFeature[]) {
    const tags: Record<string, string> = {}
    for (const [key, value] of Object.entries(feature.properties ?? {})) if (KEPT_TAGS.has(key)) tags[key] = String(value)
    if (!tags.highway) continue
    if (feature.geometry.type === 'Polygon') squares.push({ rings: feature.geometry.coordinates as [number, number][][], tags })
    else if (feature.geometry.type === 'LineString') {
      const line = feature.geometry.coordinates as [number, number][]
      const refs = new Uint32Array(line.length)
      let n = 0
      for (const [lng, lat] of line) {
        const ref = points.at(Math.round(lng * FIXED), Math.round(lat * FIXED))
        if (n === 0 || refs[n - 1] !== ref) refs[n++] = ref
      }
      if (n > 1) ways.push({ refs: refs.slice(0, n), tags })
    }
  }
  return { name, ...points.arrays(), ways, squares, water: null }
}

interface RawFeature {
  properties: Record<string, unknown> | null
  geometry: { type: string; coordinates: unknown }
}

/** GeoJSON has no node ids, but equal coordinates are the same node: OpenStreetMap's editors join streets by sharing it. */
class Vertices {
  private readonly seen = new Map<string, number>()
  private readonly lng: Fixed[] = []
  private readonly lat: Fixed[] = []

  at(lng: Fixed, lat: Fixed): number {
    const key = `${lng},${lat}`
    const found = this.seen.get(key)
    if (found !== undefined) return found
    const index = this.lng.length
    this.lng.push(lng)
    this.lat.push(lat)
    this.seen.set(key, index)
    return index
  }

  arrays(): { lng: Int32Array; lat: Int32Array } {
    return { lng: Int32Array.from(this.lng), lat: Int32Array.from(this.lat) }
  }
}
