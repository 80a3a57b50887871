// A .osm.pbf file in; its roads, squares and waters out. Read three times, so that only what is kept is ever in memory.
import { createReadStream } from 'node:fs'
import { Readable } from 'node:stream'
import parser, { type Element } from 'osm-pbf-parser'
import { type Area, type Extract, FIXED, KEPT_TAGS, type Way } from './ways.ts'

/** Rejects with a plain sentence when the file can't be read, is not OSM PBF or has no roads. The sea (`natural=coastline`) is not filled. */
export async function fromPbf(path: string, name: string): Promise<Extract> {
  const waterRelations: { outer: number[]; inner: number[] }[] = []
  const members = new Set<number>()
  for await (const element of elements(path)) {
    if (element.type !== 'relation' || !isWater(element.tags)) continue
    const relation = { outer: [] as number[], inner: [] as number[] }
    for (const { type, id, role } of element.members) {
      if (type !== 'way') continue
      members.add(id)
      relation[role === 'inner' ? 'inner' : 'outer'].push(id)
    }
    waterRelations.push(relation)
  }

  const roads: { ids: number[]; tags: Record<string, string> }[] = []
  const squares: number[][] = []
  const squareTags: Record<string, string>[] = []
  const ponds: number[][] = []
  const memberWays = new Map<number, number[]>()
  const wanted = new Set<number>()
  for await (const element of elements(path)) {
    if (element.type !== 'way' || element.refs.length < 2) continue
    const { refs, tags } = element
    const closed = refs[0] === refs[refs.length - 1]
    const isRoad = tags.highway !== undefined && tags.highway !== 'construction' && tags.highway !== 'proposed'
    const keep = isRoad || isWater(tags) || members.has(element.id)
    if (!keep) continue
    for (const ref of refs) wanted.add(ref)
    if (members.has(element.id)) memberWays.set(element.id, refs)
    if (closed && isWater(tags)) ponds.push(refs)
    if (!isRoad) continue
    const kept = Object.fromEntries(Object.entries(tags).filter(([key]) => KEPT_TAGS.has(key)))
    if (closed && tags.area === 'yes') {
      squares.push(refs)
      squareTags.push(kept)
    } else roads.push({ ids: refs, tags: kept })
  }
  if (roads.length === 0) throw new Error(`${name} has no roads`)

  const index = new Map<number, number>()
  const lng = new Int32Array(wanted.size)
  const lat = new Int32Array(wanted.size)
  for await (const element of elements(path)) {
    if (element.type !== 'node' || !wanted.has(element.id) || index.has(element.id)) continue
    lng[index.size] = Math.round(element.lon * FIXED)
    lat[index.size] = Math.round(element.lat * FIXED)
    index.set(element.id, index.size)
  }

  // An extract cuts ways at its edge: nodes outside it are named and not there.
  const known = (ids: readonly number[]) => ids.map((id) => index.get(id)).filter((ref) => ref !== undefined)
  const ring = (ids: readonly number[]) => known(ids).map((ref): [number, number] => [lng[ref]! / FIXED, lat[ref]! / FIXED])
  const ways = roads
    .map(({ ids, tags }): Way => ({ refs: Uint32Array.from(known(ids)), tags }))
    .filter(({ refs }) => refs.length > 1)
  const rings = (ids: readonly number[]) =>
    joinedRings(ids.map((id) => memberWays.get(id)).filter((refs) => refs !== undefined)).map(ring)
  const water: Area[] = ponds.map((ids) => ({ rings: [ring(ids)], tags: { water: 'water' } }))
  for (const { outer, inner } of waterRelations) {
    const holes = rings(inner)
    for (const shell of rings(outer)) {
      water.push({ rings: [shell, ...holes.filter(([at]) => at !== undefined && inside(at, shell))], tags: { water: 'water' } })
    }
  }
  return {
    name,
    lng: lng.subarray(0, index.size),
    lat: lat.subarray(0, index.size),
    ways,
    squares: squares.map((ids, i): Area => ({ rings: [ring(ids)], tags: squareTags[i]! })),
    water: water.filter(({ rings: [shell] }) => shell !== undefined && shell.length > 3),
  }
}

async function* elements(path: string): AsyncGenerator<Element> {
  const file = createReadStream(path)
  const parse = parser()
  // The parser is a stream of an older kind, which can't be iterated and does not pass errors on.
  const lists = new Readable({ objectMode: true }).wrap(parse)
  const stop = (error: Error) => lists.destroy(error)
  file.on('error', stop)
  parse.on('error', stop)
  file.pipe(parse)
  try {
    for await (const list of lists) yield* list as Element[]
  } catch (error) {
    throw new Error(`${path} can't be read as .osm.pbf: ${error instanceof Error ? error.message : error}`)
  } finally {
    file.destroy()
  }
}

const isWater = (tags: Record<string, string>): boolean =>
  tags.natural === 'water' ||
  tags.waterway === 'riverbank' ||
  tags.waterway === 'dock' ||
  tags.landuse === 'reservoir' ||
  tags.natural === 'bay'

/** Ways of a multipolygon, put end to end until each ring closes; what never closes is left out. */
function joinedRings(ways: readonly (readonly number[])[]): number[][] {
  const left = new Set(ways)
  const out: number[][] = []
  for (const first of ways) {
    if (!left.delete(first)) continue
    const ring = [...first]
    for (;;) {
      const end = ring[ring.length - 1]!
      if (end === ring[0]) break
      const next = [...left].find((way) => way[0] === end || way[way.length - 1] === end)
      if (!next) break
      left.delete(next)
      ring.push(...(next[0] === end ? next : [...next].reverse()).slice(1))
    }
    if (ring.length > 3 && ring[0] === ring[ring.length - 1]) out.push(ring)
  }
  return out
}

/** Even–odd rule (Shimrat 1962). */
function inside([x, y]: [number, number], ring: readonly [number, number][]): boolean {
  let within = false
  for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
    const [ax, ay] = ring[i]!
    const [bx, by] = ring[j]!
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) within = !within
  }
  return within
}
