import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deflateSync } from 'node:zlib'
import { PbfWriter } from 'pbf'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openCity, writeCity } from '../city.ts'
import { fromPbf } from './pbf.ts'

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pbf-'))
})
afterAll(() => rm(dir, { recursive: true, force: true }))

type Tags = Record<string, string>
interface Osm {
  nodes: { id: number; lng: number; lat: number }[]
  ways: { id: number; refs: number[]; tags: Tags }[]
  relations: { id: number; members: { id: number; role: string }[]; tags: Tags }[]
}

/** A .osm.pbf as the format's description says (wiki.openstreetmap.org/wiki/PBF_Format): a header, then all in one block. */
function encode({ nodes, ways, relations }: Osm): Uint8Array {
  const strings = ['']
  const string = (text: string): number => {
    const known = strings.indexOf(text)
    return known >= 0 ? known : strings.push(text) - 1
  }
  const deltas = (values: number[]) => values.map((value, i) => value - (i > 0 ? values[i - 1]! : 0))
  const tagged = (pbf: PbfWriter, id: number, tags: Tags) => {
    pbf.writeVarintField(1, id)
    pbf.writePackedVarint(2, Object.keys(tags).map(string))
    pbf.writePackedVarint(3, Object.values(tags).map(string))
  }
  const groups = new PbfWriter()
  groups.writeMessage(
    2,
    (_: null, group: PbfWriter) => {
      group.writeMessage(
        2,
        (__: null, dense: PbfWriter) => {
          dense.writePackedSVarint(1, deltas(nodes.map(({ id }) => id)))
          dense.writePackedSVarint(8, deltas(nodes.map(({ lat }) => Math.round(lat * 1e7))))
          dense.writePackedSVarint(9, deltas(nodes.map(({ lng }) => Math.round(lng * 1e7))))
          dense.writePackedVarint(
            10,
            nodes.map(() => 0),
          )
        },
        null,
      )
    },
    null,
  )
  groups.writeMessage(
    2,
    (_: null, group: PbfWriter) => {
      for (const way of ways) {
        group.writeMessage(
          3,
          (__: null, out: PbfWriter) => {
            tagged(out, way.id, way.tags)
            out.writePackedSVarint(8, deltas(way.refs))
          },
          null,
        )
      }
    },
    null,
  )
  groups.writeMessage(
    2,
    (_: null, group: PbfWriter) => {
      for (const relation of relations) {
        group.writeMessage(
          4,
          (__: null, out: PbfWriter) => {
            tagged(out, relation.id, relation.tags)
            out.writePackedVarint(
              8,
              relation.members.map(({ role }) => string(role)),
            )
            out.writePackedSVarint(9, deltas(relation.members.map(({ id }) => id)))
            out.writePackedVarint(
              10,
              relation.members.map(() => 1),
            )
          },
          null,
        )
      }
    },
    null,
  )
  const block = new PbfWriter()
  block.writeMessage(
    1,
    (_: null, table: PbfWriter) => {
      for (const text of strings) table.writeBytesField(1, Buffer.from(text))
    },
    null,
  )
  const header = new PbfWriter()
  for (const feature of ['OsmSchema-V0.6', 'DenseNodes']) header.writeStringField(4, feature)
  return Buffer.concat([blob('OSMHeader', header.finish()), blob('OSMData', Buffer.concat([block.finish(), groups.finish()]))])
}

function blob(type: string, content: Uint8Array): Buffer {
  const body = new PbfWriter()
  body.writeVarintField(2, content.length)
  body.writeBytesField(3, deflateSync(content))
  const bytes = body.finish()
  const head = new PbfWriter()
  head.writeStringField(1, type)
  head.writeVarintField(3, bytes.length)
  const headBytes = head.finish()
  const length = Buffer.alloc(4)
  length.writeUInt32BE(headBytes.length)
  return Buffer.concat([length, headBytes, bytes])
}

/** Nodes 1–36 on a grid of 6 × 6, 120 m apart; streets along every row and column, one of them one-way; a lake with an island; a pond; a square. */
function town(): Osm {
  const nodes = Array.from({ length: 36 }, (_, i) => ({
    id: i + 1,
    lng: 1.5 + (i % 6) * 0.0015,
    lat: 42.5 + Math.floor(i / 6) * 0.0011,
  }))
  const ring = (id: number, lng: number, lat: number, r: number) => {
    for (const [k, [x, y]] of [
      [-1, -1],
      [1, -1],
      [1, 1],
      [-1, 1],
    ].entries())
      nodes.push({ id: id + k, lng: lng + x! * r, lat: lat + y! * r })
    return [id, id + 1, id + 2, id + 3, id]
  }
  const lake = ring(100, 1.52, 42.502, 0.003)
  const island = ring(110, 1.52, 42.502, 0.001)
  const pond = ring(120, 1.5022, 42.5016, 0.0002)
  const square = ring(130, 1.5037, 42.5027, 0.0002)
  const street = (name: string, refs: number[], tags: Tags = {}) => ({ name, refs, tags })
  const streets = [0, 1, 2, 3, 4, 5].flatMap((k) => [
    street(
      `Row ${'ABCDEF'[k]}`,
      [1, 2, 3, 4, 5, 6].map((i) => 6 * k + i),
      k === 2 ? { oneway: 'yes' } : {},
    ),
    street(
      `Column ${'ABCDEF'[k]}`,
      [0, 1, 2, 3, 4, 5].map((i) => 6 * i + k + 1),
    ),
  ])
  return {
    nodes,
    ways: [
      ...streets.map(({ name, refs, tags }, i) => ({
        id: 1000 + i,
        refs,
        tags: { highway: 'residential', name, maxspeed: '30', surface: 'asphalt', ...tags },
      })),
      { id: 2000, refs: lake.slice(0, 3), tags: {} },
      { id: 2001, refs: lake.slice(2).reverse(), tags: {} },
      { id: 2002, refs: island, tags: {} },
      { id: 2003, refs: pond, tags: { natural: 'water' } },
      { id: 2004, refs: square, tags: { highway: 'pedestrian', area: 'yes', name: 'Square' } },
      // Cut at the extract's edge: node 999 is not in the file.
      { id: 2005, refs: [36, 999], tags: { highway: 'residential' } },
    ],
    relations: [
      {
        id: 3000,
        members: [
          { id: 2000, role: 'outer' },
          { id: 2001, role: 'outer' },
          { id: 2002, role: 'inner' },
        ],
        tags: { type: 'multipolygon', natural: 'water' },
      },
    ],
  }
}

test('an extract gives its roads, its squares, and its waters with their islands', async () => {
  const file = join(dir, 'town.osm.pbf')
  await writeFile(file, encode(town()))
  const extract = await fromPbf(file, 'Town')
  expect(extract.ways).toHaveLength(12)
  expect(extract.ways[0]!.tags).toEqual({ highway: 'residential', name: 'Row A', maxspeed: '30' })
  expect([extract.lng[extract.ways[0]!.refs[1]!], extract.lat[extract.ways[0]!.refs[1]!]]).toEqual([15_015_000, 425_000_000])
  expect(extract.squares.map(({ tags }) => tags.name)).toEqual(['Square'])
  expect(extract.water!.map(({ rings }) => rings.map((ring) => ring.length)).sort()).toEqual([[5], [5, 5]])
})

test('a city made of an extract routes, keeps to its one-way street, has doors, and draws itself', async () => {
  const file = join(dir, 'town.osm.pbf')
  const out = join(dir, 'town.city')
  await writeFile(file, encode(town()))
  await writeCity(await fromPbf(file, 'Town'), out)
  const city = await openCity('', { file: out })
  expect(city.info).toMatchObject({ name: 'Town', attribution: '© OpenStreetMap contributors' })
  // Row C runs east; westward one goes round the block.
  const west = [1.5 + 3.5 * 0.0015, 42.5 + 2 * 0.0011] as const
  const east = [1.5 + 4.5 * 0.0015, 42.5 + 2 * 0.0011] as const
  expect((await city.router.route([west, east])).length).toBeLessThan(140)
  expect((await city.router.route([east, west])).length).toBeGreaterThan(450)
  const doors = city.places.sample(1000, 1)
  expect(doors.length).toBeGreaterThan(50)
  expect(new Set(doors.map(({ label }) => label.replace(/ \d+$/, ''))).size).toBe(12)
  expect(city.tiles.count).toBeGreaterThanOrEqual(9)
})

test.each([
  ['nothing', Buffer.alloc(0), /has no roads/],
  ['another format', Buffer.from('<osm version="0.6"></osm>'.repeat(50)), /is not OSM PBF/],
  ['half a file', encode(town()).subarray(0, -1), /is cut short/],
  ['no roads', encode({ ...town(), ways: [] }), /has no roads/],
])('%s is refused with a sentence', async (name, bytes, sentence) => {
  const file = join(dir, `${name}.osm.pbf`)
  await writeFile(file, bytes)
  await expect(fromPbf(file, 'Town')).rejects.toThrow(sentence)
})

test('a city file that is missing, damaged or of another kind says so', async () => {
  await expect(openCity('', { file: join(dir, 'none.city') })).rejects.toThrow(/none\.city can't be used/)
  const file = join(dir, 'odd.city')
  await writeFile(file, 'x'.repeat(200))
  await expect(openCity('', { file })).rejects.toThrow(/not a city file/)
})
