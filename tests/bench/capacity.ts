// Stores in; what a ping costs end to end on one node and on two, beside the tutorial and the floor, and how that grows, out.
import pg from 'pg'
import { createClient } from 'redis'
import { memoryOf } from './cpu.ts'
import { type DoorstepStand, type Fleet, makeFleet, openDoorstep, settle, startNode } from './doorstep.ts'
import { type Figures, measure, passed, type Stand } from './e2e.ts'
import { openOther } from './others.ts'
import { roadLike } from './progress.ts'
import { number, type Report } from './report.ts'
import { median, quantile } from './wire.ts'

export interface CapacityOptions {
  readonly report: Report
  readonly rounds: number
  readonly seed: number
  readonly postgresUrl: string
  readonly redisUrl: string
  /** Which of the scenarios here are wanted. */
  readonly wanted: (name: string) => boolean
}

const DRIVERS = 1_000
const RATE = 4
const DISPATCHERS = 10
const FULL = { drivers: DRIVERS, rate: RATE, warmSeconds: 0.5, seconds: 1.8 }
/** Doorstep takes note of who paused while the others had their turn, and tells dispatchers: that is over by then. */
const REST_SECONDS = 3

export async function capacity(options: CapacityOptions): Promise<void> {
  const { report, rounds, seed, postgresUrl, redisUrl, wanted } = options
  const lines = Array.from({ length: 20 }, (_, i) => roadLike(400, seed + i))
  const others = (nodes: number) => ({ drivers: DRIVERS, dispatchers: DISPATCHERS, nodes, lines, redisUrl })
  const admin = new pg.Client(postgresUrl)
  await admin.connect()
  await admin.query('create database bench')
  await admin.end()
  const databaseUrl = new URL(postgresUrl)
  databaseUrl.pathname = '/bench'
  const database = databaseUrl.href

  const first = await startNode({ redisUrl: null, databaseUrl: database })
  const empty = memoryOf(first.pid)
  const fleet = await makeFleet(first, DRIVERS, seed)
  let ours = await openDoorstep([first], fleet, { dispatchers: DISPATCHERS, compact: true })
  await settle(ours, DRIVERS)
  const floor = await openOther('floor', others(1))

  if (wanted('e2e-capacity')) await compare(1)
  if (wanted('growth')) await growth()
  if (wanted('e2e-latency')) await latency()
  if (wanted('durable')) await durable(ours, 'PostgreSQL', 5_000)
  if (wanted('memory')) {
    report.row(
      'memory',
      `a driver with its run, order, watcher and two sockets, of ${DRIVERS} (resident)`,
      `${number((memoryOf(first.pid) - empty) / DRIVERS / 1024)} KiB`,
    )
  }
  await ours.close()

  if (wanted('durable')) await withoutJournal()

  if (wanted('e2e-capacity') || wanted('pubsub-constant')) {
    const nodes = [await startNode({ redisUrl, databaseUrl: database }), await startNode({ redisUrl, databaseUrl: database })]
    ours = await openDoorstep(nodes, fleet, { dispatchers: DISPATCHERS, compact: true })
    await settle(ours, DRIVERS, 10)
    if (wanted('e2e-capacity')) await compare(2)
    if (wanted('pubsub-constant')) await pubsub(ours)
    await ours.close()
  }
  await floor.close()
  if (wanted('durable')) await embedded()

  /** All variants in turn within each round. */
  async function compare(nodes: number): Promise<void> {
    const stands: [name: string, stand: Stand][] = [
      ['floor', floor],
      ['naive', await openOther('naive', others(nodes))],
      ['naive-no-turf', await openOther('naive-no-turf', others(nodes))],
      ['doorstep', ours],
    ]
    const all: Record<string, Figures[]> = {}
    for (let round = 0; round <= rounds; round++) {
      for (const [name, stand] of stands) {
        const figures = await measure(stand, stand === ours ? { ...FULL, warmSeconds: REST_SECONDS } : FULL)
        if (round > 0) all[name] = [...(all[name] ?? []), figures]
      }
    }
    await stands[1]![1].close()
    await stands[2]![1].close()
    const of = (name: string, figure: keyof Figures) => median(all[name]!.map((f) => f[figure]))
    const scenario = `e2e-capacity/${nodes}`
    const say = (name: string, words: string) =>
      report.row(
        scenario,
        `${words}: ${of(name, 'rate').toFixed(0)} pings/s, p50 ${of(name, 'p50')} ms, p99 ${of(name, 'p99')} ms`,
        `${number(of(name, 'cpu'))} µs a ping`,
      )
    say('naive', 'tutorial')
    say('naive-no-turf', 'tutorial without Turf')
    say('floor', 'floor')
    say('doorstep', 'Doorstep, journal and all')
    report.row(
      scenario,
      'bytes a second to a dispatcher: tutorial, Doorstep',
      `${number(of('naive-no-turf', 'fleetBytes') / 1024)}, ${number(of('doorstep', 'fleetBytes') / 1024)} KiB`,
    )
    const cpu = of('doorstep', 'cpu')
    report.goal(scenario, 'server CPU a ping, of the floor', cpu / of('floor', 'cpu'), 'at most', 1.6)
    report.goal(scenario, 'less than the tutorial', of('naive', 'cpu') / cpu, 'at least', 60)
    report.goal(scenario, 'less than the tutorial without Turf', of('naive-no-turf', 'cpu') / cpu, 'at least', 7)
    report.goal(scenario, 'delivered to watchers', 100 * of('doorstep', 'delivered'), 'at least', 99.5, '%')
  }

  /** The same pings a second by ever more drivers, and ever more pings by ever more drivers. */
  async function growth(): Promise<void> {
    const fleets = [62, 250, 1_000]
    const steady: number[][] = fleets.map(() => [])
    const growing: number[][] = fleets.map(() => [])
    const bare: number[][] = fleets.map(() => [])
    const short = { warmSeconds: 0.6, seconds: 1.4 }
    for (let round = 0; round < 2; round++) {
      for (const [i, drivers] of fleets.entries()) {
        growing[i]!.push((await measure(ours, { drivers, rate: RATE, ...short })).cpu)
        bare[i]!.push((await measure(floor, { drivers, rate: RATE, ...short })).cpu)
        steady[i]!.push(i === 0 ? growing[0]!.at(-1)! : (await measure(ours, { drivers, rate: 248 / drivers, ...short })).cpu)
      }
    }
    fleets.forEach((drivers, i) => {
      report.row('growth', `${drivers} drivers at 4 Hz: Doorstep`, `${number(median(growing[i]!))} µs a ping`)
      report.row('growth', `${drivers} drivers at 4 Hz: floor`, `${number(median(bare[i]!))} µs a ping`)
    })
    report.goal(
      'growth',
      'a ping at 16 × the fleet and 16 × the pings, of one at 1 ×',
      median(growing[2]!) / median(growing[0]!),
      'at most',
      1.15,
    )
    report.row(
      'growth',
      'a ping at 16 × the fleet and as many pings in all, of one at 1 ×',
      `${number(median(steady[2]!) / median(steady[0]!))} ×`,
    )
    report.chart('cost-against-fleet', {
      title: 'Server CPU a ping against the size of the fleet, each driver at 4 Hz',
      x: 'drivers',
      y: 'µs a ping',
      series: [
        { name: 'Doorstep', points: fleets.map((d, i) => [d, median(growing[i]!)] as const) },
        { name: 'floor (bare ws)', points: fleets.map((d, i) => [d, median(bare[i]!)] as const) },
        { name: 'Doorstep, 248 pings/s', points: fleets.map((d, i) => [d, median(steady[i]!)] as const) },
      ],
    })
  }

  async function latency(): Promise<void> {
    const rates = [0.25, 1, 2, 4]
    const noTurf = await openOther('naive-no-turf', { ...others(1) })
    const series: Record<string, [number, number][]> = {
      'Doorstep p99': [],
      'Doorstep p50': [],
      'floor p99': [],
      'no Turf p99': [],
    }
    for (const rate of rates) {
      const load = { drivers: DRIVERS, rate, warmSeconds: 0.6, seconds: 1.2 }
      const d = await measure(ours, load)
      const f = await measure(floor, load)
      const n = await measure(noTurf, load)
      const at = DRIVERS * rate
      const ms = (v: number) => Math.max(0.5, v)
      series['Doorstep p99']!.push([at, ms(d.p99)])
      series['Doorstep p50']!.push([at, ms(d.p50)])
      series['floor p99']!.push([at, ms(f.p99)])
      series['no Turf p99']!.push([at, ms(n.p99)])
      report.row(
        'e2e-latency',
        `${at} pings/s: Doorstep p50, p99; floor p99; tutorial without Turf p99`,
        `${d.p50}, ${d.p99}; ${f.p99}; ${n.p99} ms`,
      )
      if (rate === 2) report.goal('e2e-latency', 'delivered to watchers at 2,000 pings/s', 100 * d.delivered, 'at least', 99.5, '%')
    }
    await noTurf.close()
    report.chart('latency-against-load', {
      title: 'From a ping to its customer against load, one node (0.5 ms is the clock)',
      x: 'pings a second',
      y: 'ms',
      series: Object.entries(series).map(([name, points]) => ({ name, points })),
    })
  }

  /** Batches of ten, each acknowledged once it is on the disk. */
  async function durable(stand: DoorstepStand, name: string, perSecond: number): Promise<void> {
    const drivers = Math.min(DRIVERS, fleet.drivers.length)
    const every = drivers / (perSecond / 10)
    let kept: number[] = []
    stand.onKept = (ms) => kept.push(ms)
    let next = 0
    let due = performance.now()
    let sent = 0
    const timer = setInterval(() => {
      for (; due <= performance.now(); due += 10_000 / perSecond) {
        stand.sendBatch(next % drivers, 10, (every * 1000) / 10)
        next++
        sent++
      }
    }, 4)
    await passed(1.5)
    kept = []
    const [before, sentBefore, from] = [await stand.cpu(), sent, performance.now()]
    await passed(3)
    const pings = (sent - sentBefore) * 10
    const cpu = ((await stand.cpu()) - before) / pings
    const lasted = (performance.now() - from) / 1000
    clearInterval(timer)
    await passed(0.5)
    const rate = (kept.length * 10) / (lasted + 0.5)
    report.row('durable', `${name}, batches of 10: pings kept a second`, `${number(pings / lasted)}`)
    report.row('durable', `${name}, batches of 10: server CPU`, `${number(cpu)} µs a ping`)
    report.goal(
      'durable',
      `${name}: acknowledged of ${perSecond} pings/s`,
      (100 * rate * (lasted + 0.5)) / pings,
      'at least',
      99,
      '%',
    )
    report.goal('durable', `${name}: COMMIT and acknowledgement, p99`, quantile(kept, 0.99), 'at most', 250, 'ms')
  }

  /** The same server with a journal that keeps nothing: what durability costs this process. */
  async function withoutJournal(): Promise<void> {
    const program = ['--import', import.meta.resolve('tsx'), new URL('./no-journal.ts', import.meta.url).pathname]
    const nodes = [
      await startNode({ redisUrl: null, databaseUrl: database }),
      await startNode({ redisUrl: null, databaseUrl: database, program }),
    ]
    const cpu: number[][] = [[], []]
    const batch: number[][] = [[], []]
    const stands: DoorstepStand[] = []
    for (const [i, node] of nodes.entries()) {
      // Half of the fleet each, so that no driver speaks to both.
      const half: Fleet = { ...fleet, drivers: fleet.drivers.filter((_, k) => Math.floor(k / 20) % 2 === i) }
      const stand = await openDoorstep([node], half, { dispatchers: DISPATCHERS, compact: true })
      stands.push(stand)
      await settle(stand, half.drivers.length, 8)
    }
    for (let round = 0; round <= 2; round++) {
      for (const [i, stand] of stands.entries()) {
        const figures = await measure(stand, { drivers: 500, rate: RATE, warmSeconds: 0.6, seconds: 1.6 })
        if (round > 0) cpu[i]!.push(figures.cpu)
        const used = await batches(stand, 500)
        if (round > 0) batch[i]!.push(used)
      }
    }
    for (const stand of stands) await stand.close()
    report.row('durable', 'single pings: with the journal', `${number(median(cpu[0]!))} µs a ping`)
    report.row('durable', 'single pings: the same without a journal', `${number(median(cpu[1]!))} µs a ping`)
    report.row('durable', 'batches of 10: with the journal', `${number(median(batch[0]!))} µs a ping`)
    report.row('durable', 'batches of 10: the same without a journal', `${number(median(batch[1]!))} µs a ping`)
    report.goal(
      'durable',
      'a ping in a batch of 10 with its durable ack, of one without a store',
      median(batch[0]!) / median(batch[1]!),
      'at most',
      1.5,
    )
  }

  async function embedded(): Promise<void> {
    const node = await startNode({ redisUrl: null, databaseUrl: null })
    const small = await makeFleet(node, 250, seed)
    const stand = await openDoorstep([node], small, { dispatchers: DISPATCHERS, compact: true })
    await settle(stand, 250)
    const figures = await measure(stand, { drivers: 250, rate: RATE, warmSeconds: 1, seconds: 3 })
    report.row(
      'durable',
      `embedded PGlite, its own CPU included: ${figures.rate.toFixed(0)} pings/s, p99 ${figures.p99} ms`,
      `${number(figures.cpu)} µs a ping`,
    )
    await batchesKept(stand, 'PGlite', 1_000, 250)
    await stand.close()
  }
  async function batchesKept(stand: DoorstepStand, name: string, perSecond: number, drivers: number): Promise<void> {
    const kept: number[] = []
    stand.onKept = (ms) => kept.push(ms)
    const n = (perSecond / 10) * 3
    for (let i = 0; i < n; i++) {
      stand.sendBatch(i % drivers, 10, 200)
      await passed(0.0095)
    }
    await passed(1)
    report.goal('durable', `${name}: acknowledged of ${perSecond} pings/s`, (100 * kept.length) / n, 'at least', 99, '%')
    report.goal('durable', `${name}: COMMIT and acknowledgement, p99`, quantile(kept, 0.99), 'at most', 250, 'ms')
  }
  /** Server CPU a ping in batches of ten, 4,000 pings. */
  async function batches(stand: DoorstepStand, drivers: number): Promise<number> {
    const before = await stand.cpu()
    for (let i = 0; i < 400; i++) {
      stand.sendBatch(i % drivers, 10, 20)
      if (i % 4 === 3) await passed(0.008)
    }
    await passed(0.3)
    return ((await stand.cpu()) - before) / 4_000
  }

  async function pubsub(stand: Stand): Promise<void> {
    const redis = await createClient({ url: redisUrl }).connect()
    const commands = async () => Number(/total_commands_processed:(\d+)/.exec(await redis.info('stats'))?.[1])
    const perSecond: number[] = []
    for (const rate of [0.5, 4]) {
      await measure(stand, { drivers: DRIVERS, rate, warmSeconds: 0.2, seconds: 0.5 })
      const [before, from] = [await commands(), performance.now()]
      await measure(stand, { drivers: DRIVERS, rate, warmSeconds: 0.1, seconds: 3 })
      perSecond.push(((await commands()) - before) / ((performance.now() - from) / 1000))
    }
    await redis.close()
    report.row('pubsub-constant', 'Redis commands a second at 500 and at 4,000 pings/s', perSecond.map(number).join(', '))
    report.goal('pubsub-constant', 'commands at 8 × the pings, of those at 1 ×', perSecond[1]! / perSecond[0]!, 'at most', 1.1)
  }
}
