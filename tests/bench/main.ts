// `npm run bench` and its flags in; a table, and tests/bench/RESULTS.md, out. Ratios within one run are what counts.
import { writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { LngLat } from '@doorstep/shared/units'
import { startPostgres } from '../services/postgres.ts'
import { startRedis } from '../services/redis.ts'
import { type Figures, type Load, Measured, type Variant } from './e2e.ts'
import { fleetTickFigures } from './fleet.ts'
import { progressEta, roadLike } from './progress.ts'
import { median } from './wire.ts'

const { values } = parseArgs({ options: { only: { type: 'string' }, rounds: { type: 'string' }, seed: { type: 'string' } } })
const rounds = Number(values.rounds ?? 3)
const seed = Number(values.seed ?? 304)
const wanted = (name: string) => values.only === undefined || values.only === name

interface Row {
  readonly scenario: string
  readonly what: string
  readonly value: string
  readonly naive: string
  readonly floor: string
}
const rows: Row[] = []
const row = (scenario: string, what: string, value: string, naive = '', floor = '') => {
  rows.push({ scenario, what, value, naive, floor })
  console.log([scenario.padEnd(16), what.padEnd(46), value.padStart(14), naive.padStart(16), floor.padStart(14)].join(' '))
}
const times = (a: number, b: number) => `${(a / b).toFixed(a / b < 10 ? 2 : 0)} ×`

if (wanted('progress-eta')) {
  const f = progressEta(rounds, seed)
  row('progress-eta', 'Turf, a ping', `${(f.turfNs / 1000).toFixed(0)} µs`)
  row('progress-eta', 'windowed scan (floor), a ping', `${f.floorNs.toFixed(0)} ns`)
  row(
    'progress-eta',
    'locate alone, a ping',
    `${f.locateNs.toFixed(0)} ns`,
    times(f.turfNs, f.locateNs),
    times(f.locateNs, f.floorNs),
  )
  row(
    'progress-eta',
    'gate, locate, pace, arrival, ETA, a ping',
    `${f.doorstepNs.toFixed(0)} ns`,
    times(f.turfNs, f.doorstepNs),
    times(f.doorstepNs, f.floorNs),
  )
}
if (wanted('fleet-tick')) {
  const f = await fleetTickFigures(rounds, seed)
  row('fleet-tick', 'emit per ping, JSON, an update to 50', `${f.naive.toFixed(1)} µs`)
  row('fleet-tick', 'one raw frame a tick (floor), an update to 50', `${f.floor.toFixed(2)} µs`)
  row(
    'fleet-tick',
    'Doorstep, an update to 50',
    `${f.doorstep.toFixed(2)} µs`,
    times(f.naive, f.doorstep),
    times(f.doorstep, f.floor),
  )
  row('fleet-tick', 'bytes an update and dispatcher', f.doorstepBytes.toFixed(1), times(f.naiveBytes, f.doorstepBytes))
}
if (wanted('e2e-capacity')) {
  const [postgres, redis] = await Promise.all([startPostgres(), startRedis()])
  try {
    for (const nodes of [1, 2]) await capacity(nodes)
  } finally {
    await Promise.all([postgres.stop(), redis.stop()])
  }

  async function capacity(nodes: number) {
    const load: Load = { drivers: 1_000, rate: 4, dispatchers: 10, nodes, warmSeconds: 3, seconds: 4 }
    const lines = Array.from({ length: 20 }, (_, i) => roadLike(400, seed + i)) as LngLat[][]
    const results: Partial<Record<Variant, Figures[]>> = {}
    // One after the other, each in rounds of its own: two of them at once would share the cores.
    for (const variant of ['floor', 'naive', 'naive-no-turf', 'doorstep'] as const) {
      const stand = await Measured.open(variant, load, lines, { redisUrl: redis.url, databaseUrl: await database(nodes) })
      const figures: Figures[] = []
      for (let round = 0; round <= rounds; round++) {
        const f = await stand.round()
        if (round > 0) figures.push(f)
      }
      await stand.close()
      results[variant] = figures
    }
    const of = (variant: Variant, figure: keyof Figures) => median(results[variant]!.map((f) => f[figure]))
    const name = `e2e-capacity/${nodes}`
    const floor = of('floor', 'cpu')
    const naive = of('naive', 'cpu')
    const ours = of('doorstep', 'cpu')
    const say = (variant: Variant, words: string, a = '', b = '') =>
      row(
        name,
        `${words}, a ping (at ${of(variant, 'rate').toFixed(0)}/s, p50 ${of(variant, 'p50')} ms, p99 ${of(variant, 'p99')} ms)`,
        `${of(variant, 'cpu').toFixed(1)} µs`,
        a,
        b,
      )
    say('naive', 'tutorial')
    say('naive-no-turf', 'tutorial without Turf')
    say('floor', 'bare ws, one node (floor)')
    say(
      'doorstep',
      'Doorstep, journal and all',
      `${times(naive, ours)}, ${times(of('naive-no-turf', 'cpu'), ours)}`,
      times(ours, floor),
    )
    row(name, 'delivered to watchers', `${(100 * of('doorstep', 'delivered')).toFixed(1)} %`)
  }
  async function database(nodes: number) {
    const { default: pg } = await import('pg')
    const admin = new pg.Client(postgres.url)
    await admin.connect()
    const name = `bench_${nodes}`
    await admin.query(`drop database if exists ${name} with (force)`)
    await admin.query(`create database ${name}`)
    await admin.end()
    const url = new URL(postgres.url)
    url.pathname = `/${name}`
    return url.href
  }
}

if (values.only === undefined) {
  const head = `| scenario | what | measured | naive ÷ ours | ours ÷ floor |\n|---|---|---|---|---|\n`
  const body = rows.map((r) => `| ${r.scenario} | ${r.what} | ${r.value} | ${r.naive} | ${r.floor} |`).join('\n')
  writeFileSync(
    fileURLToPath(new URL('./RESULTS.md', import.meta.url)),
    `# Results\n\nWritten by \`npm run bench\`: medians of ${rounds} rounds after one that is thrown away, seed ${seed}, ${new Date().toISOString().slice(0, 10)}.\n` +
      `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}, ${process.platform}.\n` +
      `Server CPU time (user and system, all server processes) per unit of work; ratios within this run are what counts.\n\n${head}${body}\n`,
  )
}
process.exit(0)
