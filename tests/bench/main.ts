// `npm run bench` and its flags in; a table, and with all scenarios RESULTS.md and its pictures, out. Ratios within one run are what counts.
import { createRequire } from 'node:module'
import { parseArgs } from 'node:util'
import { startPostgres } from '../services/postgres.ts'
import { startRedis } from '../services/redis.ts'
import { capacity } from './capacity.ts'
import { fleetTickFigures } from './fleet.ts'
import { NOTES } from './notes.ts'
import { progressEta } from './progress.ts'
import { number, Report } from './report.ts'

const { values } = parseArgs({ options: { only: { type: 'string' }, rounds: { type: 'string' }, seed: { type: 'string' } } })
const rounds = Number(values.rounds ?? 3)
const seed = Number(values.seed ?? 304)
const wanted = (name: string) => values.only === undefined || values.only === name
const report = new Report()
const began = performance.now()

if (wanted('progress-eta')) {
  const f = progressEta(rounds, seed)
  report.row('progress-eta', 'Turf', `${number(f.turfNs / 1000)} µs a ping`)
  report.row('progress-eta', 'windowed scan alone (floor)', `${number(f.floorNs)} ns a ping`)
  report.row('progress-eta', 'place, with prediction and direction', `${number(f.locateNs)} ns a ping`)
  report.row('progress-eta', 'gate, place, pace, arrival, track and ETA', `${number(f.doorstepNs)} ns a ping`)
  report.goal('progress-eta', 'place, of the windowed scan', f.locateNs / f.floorNs, 'at most', 1.5)
  report.goal('progress-eta', 'place, less than Turf', f.turfNs / f.locateNs, 'at least', 5_000)
}
if (wanted('fleet-tick')) {
  const f = await fleetTickFigures(rounds, seed)
  report.row('fleet-tick', 'an emit a ping in JSON, to 50 dispatchers', `${number(f.naive)} µs an update`)
  report.row('fleet-tick', 'one raw frame a tick (floor), to 50', `${number(f.floor)} µs an update`)
  report.row('fleet-tick', 'Doorstep, to 50', `${number(f.doorstep)} µs an update`)
  report.goal('fleet-tick', 'of the floor', f.doorstep / f.floor, 'at most', 1.5)
  report.goal('fleet-tick', 'less than an emit a ping', f.naive / f.doorstep, 'at least', 60)
  report.goal('fleet-tick', 'fewer bytes than JSON', f.naiveBytes / f.doorstepBytes, 'at least', 15)
}
if (['e2e-capacity', 'growth', 'e2e-latency', 'durable', 'memory', 'pubsub-constant'].some(wanted)) {
  const [postgres, redis] = await Promise.all([startPostgres(), startRedis()])
  try {
    await capacity({ report, rounds, seed, postgresUrl: postgres.url, redisUrl: redis.url, wanted })
  } finally {
    await Promise.all([postgres.stop(), redis.stop()])
  }
}

const require = createRequire(import.meta.url)
const version = (name: string) => (require(`${name}/package.json`) as { version: string }).version
if (values.only === undefined)
  report.write({
    rounds,
    seed,
    seconds: (performance.now() - began) / 1000,
    versions: `Node ${process.version}, Socket.IO ${version('socket.io')}, ws ${version('ws')}, redis ${version('redis')}, Turf ${version('@turf/turf')}`,
    notes: NOTES,
  })
process.exit(0)
