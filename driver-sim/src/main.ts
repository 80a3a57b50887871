// A command line in, a running fleet out: figures on standard error, links as JSON lines on standard output. The only reader of clock, chance and environment.
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { type Random, random } from '@doorstep/shared/random'
import type { Clock, UplinkSocket } from '@doorstep/shared/uplink'
import { demo } from './demo.ts'
import { type Figures, figuresOf, openFleet, type Phone } from './fleet.ts'
import { HONEST } from './gps.ts'
import { line } from './line.ts'
import { openOffice } from './office.ts'
import { parseOptions, USAGE } from './options.ts'
import { parseTrips, replayTrips } from './trips.ts'

const parsed = parseOptions(process.argv.slice(2), { ADMIN_KEY: process.env.ADMIN_KEY })
if (!parsed.ok) {
  console.error(`${parsed.fault.join('\n')}\n\n${USAGE}`)
  process.exit(78)
}
const options = parsed.value
const clock: Clock = {
  now: () => Date.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, ms)
    return () => clearTimeout(timer)
  },
}
const newId = (): string => randomBytes(8).toString('hex')
const say = (text: string): void => console.error(text)
const rng = random(options.seed)
const office = openOffice({ url: options.url, key: options.key, clock, newKey: newId, random: Math.random })
const connect = (token: string, noise: Random): UplinkSocket => line(options.url, token, options.loss, noise)
const fleet = await openFleet({
  office,
  connect,
  clock,
  rng,
  newId,
  rate: options.rate,
  speed: options.speed,
  stops: options.stops,
  gps: { ...HONEST, tunnels: options.tunnel },
  skew: options.skew * 1000,
  outages: options.loss > 0 ? 1 / 600 : 0,
  say,
})

const end = (): never => {
  fleet.stop()
  process.exit(0)
}
process.once('SIGINT', end)
process.once('SIGTERM', end)
if (options.duration !== null) clock.after(options.duration * 1000, end)

let riders: readonly Phone[] = []
let before: Figures = fleet.figures()
const every = 5
const figures = (): void => {
  const now = riders.length > 0 ? figuresOf(riders) : fleet.figures()
  const rate = (of: (f: Figures) => number): string => (Math.max(0, of(now) - of(before)) / every).toFixed(1)
  say(
    `${now.online}/${now.drivers} vans  ${rate((f) => f.stored)} pings/s  ${rate((f) => f.kept)} kept/s  ${now.kept} kept  ${now.queued} queued  ` +
      `${now.reconnects} reconnects  ${now.refused} refused  ${now.delivered} doors`,
  )
  before = now
  clock.after(every * 1000, figures)
}
// The demo stands behind `npm start`, whose screen shows the links.
if (!options.demo) clock.after(every * 1000, figures)

if (options.trips !== null) {
  const trips = parseTrips(await readFile(options.trips, 'utf8'))
  for (const fault of trips.faults) say(`${options.trips}: ${fault}`)
  riders = await replayTrips(trips.trips.slice(0, options.drivers), {
    fleet,
    office,
    connect,
    clock,
    newId,
    rng,
    speed: options.speed,
    say,
  })
} else if (options.demo)
  await demo(fleet, {
    clock,
    rng: rng.fork('demo'),
    drivers: options.drivers,
    tell: (links) => console.log(JSON.stringify({ event: 'links', ...links })),
    say,
  })
else {
  const starts = Array.from({ length: options.drivers }, (_, n) => n)
  // A few at a time, so that a big fleet does not drown the server before it drives.
  await Promise.all(
    Array.from({ length: 4 }, async () => {
      for (let n = starts.shift(); n !== undefined; n = starts.shift()) await fleet.begin(n, { stops: options.stops, done: 0 })
    }),
  )
}
