// `npm run profile` in: a load as in `e2e-capacity` on one node under Node's own profiler; a .cpuprofile in .cache, and where the time went, out.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { startPostgres } from '../services/postgres.ts'
import { startRedis } from '../services/redis.ts'
import { makeFleet, openDoorstep, settle, startNode } from './doorstep.ts'
import { measure } from './e2e.ts'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '6' },
    drivers: { type: 'string', default: '1000' },
    nodes: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
    top: { type: 'string', default: '20' },
  },
})

interface Profile {
  nodes: { id: number; callFrame: { functionName: string; url: string; lineNumber: number }; children?: number[] }[]
  startTime: number
  endTime: number
  samples: number[]
  timeDeltas: number[]
}

const cache = fileURLToPath(new URL('../../.cache', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'doorstep-profile-'))
const seconds = Number(values.seconds)
const drivers = Number(values.drivers)
const [postgres, redis] = await Promise.all([startPostgres(), startRedis()])
try {
  const two = values.nodes === '2'
  const stores = { databaseUrl: postgres.url, redisUrl: two ? redis.url : null }
  const flags = ['--cpu-prof', '--cpu-prof-interval', '500', '--cpu-prof-dir', folder, '--enable-source-maps']
  const nodes = [await startNode({ ...stores, flags })]
  if (two) nodes.push(await startNode(stores))
  const fleet = await makeFleet(nodes[0]!, drivers, 304)
  const stand = await openDoorstep(nodes, fleet, { dispatchers: 10, compact: !values.json })
  await settle(stand, drivers)
  const figures = await measure(stand, { drivers, rate: 4, warmSeconds: 2, seconds })
  const loaded = performance.now()
  await stand.close()
  const lag = (performance.now() - loaded) / 1000
  const file = readdirSync(folder).find((name) => name.endsWith('.cpuprofile'))!
  const whole = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Profile
  const cut = window(whole, whole.endTime - (lag + seconds) * 1e6, whole.endTime - lag * 1e6)
  mkdirSync(cache, { recursive: true })
  const path = join(cache, 'doorstep.cpuprofile')
  writeFileSync(path, JSON.stringify(cut))
  console.log(
    `${figures.cpu.toFixed(1)} µs a ping with the profiler on, at ${figures.rate.toFixed(0)}/s, ${(100 * figures.delivered).toFixed(1)} % delivered, p50 ${figures.p50} ms, p99 ${figures.p99} ms`,
  )
  console.log(`${path} opens in a browser's developer tools and in editors. Self time, µs a ping:`)
  for (const [name, us] of selfTimes(cut).slice(0, Number(values.top)))
    console.log(`${(us / (figures.rate * seconds)).toFixed(2).padStart(8)}  ${name}`)
} finally {
  await Promise.all([postgres.stop(), redis.stop()])
  rmSync(folder, { recursive: true, force: true })
}
process.exit(0)

/** The part of a profile between two instants, µs on its own clock. */
function window(profile: Profile, from: number, to: number): Profile {
  const samples: number[] = []
  const timeDeltas: number[] = []
  let at = profile.startTime
  profile.samples.forEach((sample, i) => {
    at += profile.timeDeltas[i]!
    if (at < from || at > to) return
    samples.push(sample)
    timeDeltas.push(profile.timeDeltas[i]!)
  })
  return { ...profile, startTime: from, endTime: to, samples, timeDeltas }
}

function selfTimes({ nodes, samples, timeDeltas }: Profile): [name: string, us: number][] {
  const names = new Map(
    nodes.map(({ id, callFrame: { functionName, url, lineNumber } }) => [
      id,
      `${functionName || '(anonymous)'} ${url.replace(/^.*\/node_modules\//, '').replace(/^.*\/dist\//, '')}:${lineNumber + 1}`,
    ]),
  )
  const sums = new Map<string, number>()
  samples.forEach((id, i) => {
    const name = names.get(id)!
    if (!name.startsWith('(idle)')) sums.set(name, (sums.get(name) ?? 0) + timeDeltas[i]!)
  })
  return [...sums].sort((a, b) => b[1] - a[1])
}
