// Ways with their tags in; the lines that the map draws, joined and classed, out.
import { type Extract, FIXED, type Tags } from '../routing/ways.ts'

/** Drawing order, small to big: `rank` is the index here. */
export const RANKS = [
  'path',
  'cycleway',
  'track',
  'pedestrian',
  'service',
  'minor',
  'tertiary_link',
  'tertiary',
  'secondary_link',
  'secondary',
  'primary_link',
  'primary',
  'trunk_link',
  'motorway_link',
  'trunk',
  'motorway',
] as const
export type RoadClass = (typeof RANKS)[number]

const CLASSES: Readonly<Record<string, RoadClass>> = {
  ...Object.fromEntries(RANKS.map((name) => [name, name])),
  residential: 'minor',
  unclassified: 'minor',
  living_street: 'minor',
  road: 'minor',
  footway: 'path',
  steps: 'path',
  bridleway: 'path',
}

/** The zoom from which a class is worth its bytes. */
const FROM_ZOOM: Readonly<Record<RoadClass, number>> = {
  motorway: 6,
  trunk: 6,
  primary: 8,
  motorway_link: 10,
  trunk_link: 10,
  secondary: 10,
  primary_link: 11,
  tertiary: 11,
  secondary_link: 12,
  tertiary_link: 12,
  minor: 12,
  pedestrian: 13,
  track: 13,
  service: 14,
  cycleway: 14,
  path: 14,
}

export interface Road {
  /** Never with an undefined value: a tile encoder may write that as a broken one. */
  readonly properties: Readonly<Record<string, string | number>>
  readonly zoom: number
  readonly line: [lng: number, lat: number][]
}

/** One line per stretch with equal properties: ways that follow each other are joined, so that names fit on them and tiles stay small. */
export function toRoads(extract: Extract): Road[] {
  const groups = new Map<string, { properties: Road['properties']; zoom: number; chains: number[][] }>()
  for (const way of extract.ways) {
    const name = CLASSES[way.tags.highway ?? '']
    if (!name) continue
    const properties = describe(way.tags, name)
    const key = JSON.stringify(properties)
    const group = groups.get(key) ?? { properties, zoom: FROM_ZOOM[name], chains: [] }
    groups.set(key, group)
    group.chains.push([...way.refs])
  }
  const roads: Road[] = []
  for (const { properties, zoom, chains } of groups.values()) {
    for (const refs of joined(chains, 'oneway' in properties)) {
      roads.push({ properties, zoom, line: refs.map((ref) => [extract.lng[ref]! / FIXED, extract.lat[ref]! / FIXED]) })
    }
  }
  return roads
}

function describe(tags: Tags, name: RoadClass): Record<string, string | number> {
  const yes = (tag: string | undefined) => tag !== undefined && tag !== 'no'
  const out: Record<string, string | number> = { class: name, rank: RANKS.indexOf(name) }
  if (tags.name) out.name = tags.name
  if (tags.ref) out.ref = tags.ref
  const oneway = tags.oneway
  if (oneway === '-1') out.oneway = -1
  else if (oneway === 'yes' || oneway === 'true' || oneway === '1') out.oneway = 1
  else if (oneway === undefined && (tags.junction === 'roundabout' || name === 'motorway')) out.oneway = 1
  if (yes(tags.bridge)) out.brunnel = 'bridge'
  else if (yes(tags.tunnel)) out.brunnel = 'tunnel'
  return out
}

/** Chains of vertices, joined end to start (and end to end where direction means nothing), each as long as it goes. */
function joined(chains: number[][], directed: boolean): number[][] {
  const ends = new Map<number, Set<number>>()
  chains.forEach((chain, i) => {
    for (const ref of [chain[0]!, chain[chain.length - 1]!]) ends.set(ref, (ends.get(ref) ?? new Set()).add(i))
  })
  const left = new Set(chains.keys())
  const take = (ref: number, fits: (chain: number[]) => boolean): number[] | null => {
    for (const i of ends.get(ref) ?? []) {
      if (!left.has(i) || !fits(chains[i]!)) continue
      left.delete(i)
      return chains[i]!
    }
    return null
  }
  const out: number[][] = []
  for (const i of chains.keys()) {
    if (!left.delete(i)) continue
    const chain = [...chains[i]!]
    for (;;) {
      const end = chain[chain.length - 1]!
      const next = take(end, (c) => c[0] === end) ?? (directed ? null : (take(end, () => true)?.reverse() ?? null))
      if (!next) break
      for (let k = 1; k < next.length; k++) chain.push(next[k]!)
    }
    for (;;) {
      const start = chain[0]!
      const before =
        take(start, (c) => c[c.length - 1] === start) ?? (directed ? null : (take(start, () => true)?.reverse() ?? null))
      if (!before) break
      chain.unshift(...before.slice(0, -1))
    }
    out.push(chain)
  }
  return out
}
