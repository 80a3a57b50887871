// Named arrays in, one compact file out, and back: a city is loaded without parsing anything.
import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'

const MAGIC = 'DOORCITY'
/** Raise it whenever the meaning of a section changes: older files are then built anew. */
export const FORMAT = 2

export type Section = Int32Array | Uint32Array | Uint16Array | Float32Array | Uint8Array
export type Sections = Readonly<Record<string, Section>>

const TYPES = { Int32Array, Uint32Array, Uint16Array, Float32Array, Uint8Array } as const
type TypeName = keyof typeof TYPES

interface Header {
  meta: unknown
  sections: { name: string; type: TypeName; at: number; bytes: number; packed: boolean }[]
}

/** The file ends with the SHA-256 of all before: half a file or a flipped bit is noticed, not driven on. */
const SUM = 32
const sum = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest()

/** `stored` sections are compressed already and kept as they are. Little-endian, as every machine that Node runs on. */
export async function packSections(meta: unknown, sections: Sections, stored: ReadonlySet<string>): Promise<Uint8Array> {
  const parts: Buffer[] = []
  const list: Header['sections'] = []
  let at = 0
  for (const [name, section] of Object.entries(sections)) {
    const raw = Buffer.from(section.buffer, section.byteOffset, section.byteLength)
    const packed = !stored.has(name)
    const bytes = packed ? await promisify(gzip)(raw, { level: 6 }) : raw
    parts.push(bytes)
    list.push({ name, type: typeOf(section), at, bytes: bytes.length, packed })
    at += bytes.length
  }
  const header: Header = { meta, sections: list }
  const text = Buffer.from(JSON.stringify(header))
  const head = Buffer.alloc(16)
  head.write(MAGIC, 'latin1')
  head.writeUInt32LE(FORMAT, 8)
  head.writeUInt32LE(text.length, 12)
  const file = Buffer.concat([head, text, ...parts])
  return Buffer.concat([file, sum(file)])
}

/** By kind and not by constructor: a Buffer is bytes like any other. */
const typeOf = (section: Section): TypeName => (Object.keys(TYPES) as TypeName[]).find((name) => section instanceof TYPES[name])!

/** Throws with a plain sentence on anything but a whole file of this format. Decompression runs in Node's thread pool. */
export async function unpackSections(file: Uint8Array): Promise<{ meta: unknown; sections: Record<string, Section> }> {
  const buffer = Buffer.from(file.buffer, file.byteOffset, file.byteLength)
  if (buffer.length < 16 + SUM || buffer.toString('latin1', 0, 8) !== MAGIC) throw new Error('not a city file')
  if (buffer.readUInt32LE(8) !== FORMAT)
    throw new Error(`a city file of format ${buffer.readUInt32LE(8)}, this program reads ${FORMAT}`)
  const end = buffer.length - SUM
  if (!sum(buffer.subarray(0, end)).equals(buffer.subarray(end))) throw new Error('the city file is damaged or cut short')
  const start = 16 + buffer.readUInt32LE(12)
  const header = JSON.parse(buffer.toString('utf8', 16, start)) as Header
  const body = buffer.subarray(start, end)
  const entries = await Promise.all(
    header.sections.map(async ({ name, type, at, bytes, packed }): Promise<[string, Section]> => {
      const stored = body.subarray(at, at + bytes)
      const raw = packed ? await promisify(gunzip)(stored) : stored
      const Type = TYPES[type]
      // A copy, since sections are not aligned in the file.
      return [name, new Type(new Uint8Array(raw).buffer)]
    }),
  )
  return { meta: header.meta, sections: Object.fromEntries(entries) }
}
