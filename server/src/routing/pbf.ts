// A .osm.pbf file in; its roads, squares and waters out. Read three times, so that only what is kept is ever in memory.
import { createReadStream } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { Readable } from 'node:stream'
import parser, { type Element } from 'osm-pbf-parser'
import { type Area, type Extract, FIXED, inside, KEPT_TAGS, type Way } from './ways.ts'

/** Rejects with a plain sentence when the file can't be read, is not OSM PBF or has no roads. The sea (`natural=coastline`) is not filled. */
export async function fromPbf(path: string, name: string): Promise<Extract> {
  await assertWhole(path)
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

/** The parser takes a download that was cut for its end. The file is a chain of blobs, each with its length before it: the chain must end where the file does. */
async function assertWhole(path: string): Promise<void> {
  let file: FileHandle
  try {
    file = await open(path)
  } catch (error) {
    throw new Error(`${path} can't be read: ${error instanceof Error ? error.message : error}`)
  }
  try {
    const { size } = await file.stat()
    const head = Buffer.alloc(1024)
    let at = 0
    while (at < size) {
      const { bytesRead } = await file.read(head, 0, head.length, at)
      const length = bytesRead >= 4 ? head.readUInt32BE(0) : 0
      const bytes = length > 0 && length + 4 <= bytesRead ? blobSize(head.subarray(4, 4 + length)) : null
      if (bytes === null) throw new Error(at === 0 ? `${path} is not OSM PBF` : `${path} is damaged or cut short`)
      at += 4 + length + bytes
    }
    if (at !== size) throw new Error(`${path} is cut short`)
  } finally {
    await file.close()
  }
}

/** Field 3 of a BlobHeader, the bytes of the blob that follows it; null where there is none (protobuf wire format). */
function blobSize(header: Uint8Array): number | null {
  let at = 0
  const varint = (): number => {
    let value = 0
    for (let shift = 1; at < header.length; shift *= 128) {
      const byte = header[at++]!
      value += (byte & 127) * shift
      if (byte < 128) break
    }
    return value
  }
  while (at < header.length) {
    const key = varint()
    const value = varint()
    if (key === 3 * 8) return value
    if (key % 8 === 2) at += value
    else if (key % 8 !== 0) return null
  }
  return null
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
