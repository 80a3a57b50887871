// `npm run city -- FILE.osm.pbf` in; a city file for the server's CITY variable out.
import { basename, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { buildCity, openCity, writeCity } from './city.ts'
import { fromPbf } from './routing/pbf.ts'

const USAGE = `npm run city -- [FILE.osm.pbf] [--name NAME] [--out FILE]
  FILE.osm.pbf   an OpenStreetMap extract of one city or small region (download.geofabrik.de, or osmium extract)
  --name NAME    what the city is called (the file's name)
  --out FILE     where it is written (the file's name with .city, here)
Without a file the embedded city is built into --cache DIR (CACHE_DIR, ./.cache).
Start the server with CITY=FILE to use it.`

try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { name: { type: 'string' }, out: { type: 'string' }, cache: { type: 'string' }, help: { type: 'boolean' } },
  })
  if (values.help || positionals.length > 1) {
    console.log(USAGE)
    process.exitCode = values.help ? 0 : 2
  } else {
    const started = performance.now()
    const seconds = () => `${((performance.now() - started) / 1000).toFixed(1)} s`
    const [file] = positionals
    let out: string
    if (file === undefined) out = await buildCity(values.cache ?? process.env.CACHE_DIR ?? '.cache', { here: true })
    else {
      const stem = basename(file).replace(/\.osm\.pbf$|\.pbf$/, '')
      out = resolve(values.out ?? `${stem}.city`)
      const extract = await fromPbf(file, values.name ?? stem)
      console.log(`read ${extract.ways.length} roads and ${extract.water?.length ?? 0} waters in ${seconds()}`)
      await writeCity(extract, out)
    }
    const built = seconds()
    const opened = performance.now()
    const city = await openCity('', { file: out })
    console.log(
      `${city.info.name}: ${city.places.size} doors, ${city.tiles.count} tiles; built in ${built}, opens in ${Math.round(performance.now() - opened)} ms`,
    )
    console.log(`CITY=${out}`)
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
