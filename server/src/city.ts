// A road network in, once; a city that routes, finds doors and draws itself out, loaded from one file in a fraction of a second.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Bbox, LngLat } from '@doorstep/shared/units'
import { plan } from './routing/city.ts'
import { openFinder } from './routing/finder.ts'
import { openPlaces, type Places, toDoors } from './routing/places.ts'
import type { Router } from './routing/port.ts'
import { FORMAT, packSections, unpackSections } from './routing/sections.ts'
import { straight } from './routing/straight.ts'
import { type Streets, toStreets } from './routing/streets.ts'
import { type Extract, FIXED, fromGeoJson } from './routing/ways.ts'
import { river } from './tiles/river.ts'
import { toRoads } from './tiles/roads.ts'
import { cutTiles, openTiles, type Tiles } from './tiles/tiles.ts'

export interface City {
  readonly info: { readonly name: string; readonly bbox: Bbox; readonly center: LngLat; readonly attribution: string }
  readonly router: Router
  readonly places: Places
  readonly tiles: Tiles
}

/** Raise it when the same extract must be built anew: new speeds, doors, tiles. */
const BUILD = 3
const ATTRIBUTION = '© OpenStreetMap contributors'
/** Beyond this the embedded extract has trunk roads alone. */
const GOTHENBURG = { bbox: [11.86, 57.66, 12.06, 57.75] as Bbox, center: [11.9668, 57.7072] as LngLat }

/**
 * The embedded city, or the one in `file` (made by `npm run city`). Without a file it is built into `cacheDir` where it is not there yet: some seconds,
 * once, told to `say`. Rejects with a plain sentence when `file` can't be read or is not a city.
 */
export async function openCity(
  cacheDir: string,
  options: { file?: string | undefined; say?: (line: string) => void } = {},
): Promise<City> {
  if (options.file !== undefined) {
    try {
      return await load(await readFile(options.file))
    } catch (fault) {
      throw new Error(`the city in ${options.file} can't be used: ${fault instanceof Error ? fault.message : fault}`)
    }
  }
  const path = await buildCity(cacheDir, options)
  try {
    return await load(await readFile(path))
  } catch (damage) {
    // A cache can always be made again; a disk that was full once must not stop the next start.
    options.say?.(`${damage instanceof Error ? damage.message : damage}: building it again`)
    await rm(path, { force: true })
    return load(await readFile(await buildCity(cacheDir, options)))
  }
}

/**
 * Makes sure that the embedded city's file is in `cacheDir`, and returns its path. From the bundle it is built by another process: a server that starts
 * goes on with its other work, and does not keep the 150 MB that building takes.
 */
export async function buildCity(cacheDir: string, options: { say?: (line: string) => void; here?: boolean } = {}): Promise<string> {
  const source = createRequire(import.meta.url).resolve('geojson-path-finder/test/large-network.json')
  const path = join(cacheDir, `city-${FORMAT}.${BUILD}-${(await stat(source)).size.toString(36)}.bin`)
  if (await stat(path).catch(() => null)) return path
  options.say?.('building the city of Gothenburg from OpenStreetMap roads (once)')
  const program = fileURLToPath(new URL('./city-build.js', import.meta.url))
  if (!options.here && (await stat(program).catch(() => null))) {
    const child = spawn(process.execPath, [program, '--cache', cacheDir], { stdio: ['ignore', 'ignore', 'inherit'] })
    await once(child, 'close').catch(() => undefined)
    // If it could not, this process tries, and says why when it can't either.
    if (await stat(path).catch(() => null)) return path
  }
  const extract = fromGeoJson(await readFile(source, 'utf8'), 'Gothenburg')
  await writeCity({ ...extract, water: river(extract) }, path, GOTHENBURG)
  return path
}

/** Derives all that a city needs from an extract and writes it to `path`, whole or not at all. */
export async function writeCity(
  extract: Extract,
  path: string,
  view: { bbox: Bbox; center: LngLat } = viewOf(extract),
): Promise<void> {
  const streets = toStreets(extract)
  const doors = toDoors(streets, await openFinder(streets), view.bbox, extract.water ?? [])
  const tiles = cutTiles(toRoads(extract), extract.squares, extract.water ?? [])
  const { names, ...arrays } = streets
  const bytes = await packSections(
    { info: { name: extract.name, ...view, attribution: ATTRIBUTION }, names },
    {
      ...arrays,
      doorLng: doors.lng,
      doorLat: doors.lat,
      doorStreet: doors.street,
      doorNumber: doors.number,
      tileIndex: tiles.index,
      tileBytes: tiles.bytes,
    },
    new Set(['tileBytes']),
  )
  await mkdir(dirname(path), { recursive: true })
  const half = `${path}.${process.pid}.tmp`
  await writeFile(half, bytes)
  await rename(half, path)
}

async function load(file: Uint8Array): Promise<City> {
  const { meta, sections } = await unpackSections(file)
  const { info, names } = meta as { info: City['info']; names: string[] }
  const { doorLng, doorLat, doorStreet, doorNumber, tileIndex, tileBytes, ...arrays } = sections as Record<string, never>
  const streets: Streets = { ...(arrays as unknown as Omit<Streets, 'names'>), names }
  const finder = await openFinder(streets)
  return {
    info,
    router: {
      name: 'city',
      route: async (waypoints, options) => (await plan(streets, finder, waypoints, options?.heading)) ?? straight(waypoints),
      health: async () => true,
    },
    places: openPlaces({ lng: doorLng!, lat: doorLat!, street: doorStreet!, number: doorNumber! }, names),
    tiles: openTiles({ index: tileIndex!, bytes: tileBytes! }),
  }
}

/** Where all but the outermost hundredths of the vertices are: one far trunk road must not make the map twice as wide. */
function viewOf({ lng, lat }: Extract): { bbox: Bbox; center: LngLat } {
  const xs = lng.slice().sort()
  const ys = lat.slice().sort()
  const at = (sorted: Int32Array, part: number) => sorted[Math.floor((sorted.length - 1) * part)]! / FIXED
  const margin = 0.005
  return {
    bbox: [at(xs, 0.01) - margin, at(ys, 0.01) - margin, at(xs, 0.99) + margin, at(ys, 0.99) + margin],
    center: [at(xs, 0.5), at(ys, 0.5)],
  }
}
