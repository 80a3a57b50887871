// What we use of osm-pbf-parser, which brings no types: bytes of a .osm.pbf in, lists of elements out.
declare module 'osm-pbf-parser' {
  import type { Duplex } from 'node:stream'
  export type Element =
    | { type: 'node'; id: number; lat: number; lon: number; tags: Record<string, string> }
    | { type: 'way'; id: number; refs: number[]; tags: Record<string, string> }
    | { type: 'relation'; id: number; members: { type: string; id: number; role: string }[]; tags: Record<string, string> }
  export default function parser(): Duplex
}
