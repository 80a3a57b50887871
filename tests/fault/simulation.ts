// A seed in, what happened in its world out; throws at the first step after which a promise is broken. Nothing here knows the real time.
import { memoryActs, openActs } from '@doorstep/shared/acts'
import { memoryStorage, type Outbox, type OutboxStorage, openOutbox } from '@doorstep/shared/outbox'
import type { WireFix } from '@doorstep/shared/ping'
import type { Kept } from '@doorstep/shared/protocol'
import { type Random, random } from '@doorstep/shared/random'
import type { OrderView, TrackView } from '@doorstep/shared/track'
import { type Clock, openUplink, type Uplink, type UplinkSocket } from '@doorstep/shared/uplink'
import { NOTHING, stepWatch, type Watch, type WatchEvent } from '@doorstep/web/feed/watch'

export interface Simulated {
  readonly trace: readonly string[]
  readonly steps: number
  readonly fixes: number
  readonly acks: number
  readonly crashes: number
}

const PHONES = 2
const PAGES = 2
/** How long faults go on, and how long the world then has to be whole again, ms of its clock. */
const STORM_MS = 30_000
const CALM_MS = 240_000
const START = 1_700_000_000_000

class World {
  now = START
  readonly trace: string[] = []
  readonly rng: Random
  steps = 0
  acks = 0
  crashes = 0
  private queue: { at: number; n: number; run: () => void }[] = []
  private n = 0

  constructor(seed: number) {
    this.rng = random(seed)
  }
  after(ms: number, run: () => void): () => void {
    const job = { at: this.now + ms, n: this.n++, run }
    // Few are ever due at once: the list is kept in order.
    let i = this.queue.length
    while (i > 0 && this.queue[i - 1]!.at > job.at) i--
    this.queue.splice(i, 0, job)
    return () => {
      job.run = () => {}
    }
  }
  readonly clock: Clock = { now: () => this.now, after: (ms, run) => this.after(ms, run) }
  say(what: string): void {
    this.trace.push(`${this.now - START} ${what}`)
  }
  /** Does all that is due until `end`; lets promises settle, and then judges, after each step. */
  async run(end: number, judge: () => void): Promise<void> {
    await settled()
    for (let job = this.queue[0]; job && job.at <= end; job = this.queue[0]) {
      this.queue.shift()
      this.now = job.at
      this.steps++
      job.run()
      await settled()
      judge()
    }
    this.now = end
  }
}
const settled = () => new Promise((resolve) => setImmediate(resolve))

/** Chances of the net; all 0 in calm weather. */
interface Weather {
  lose: number
  repeat: number
  late: number
}

interface Queue {
  hi: number
  readonly fixes: Map<number, WireFix>
}
/** What PostgreSQL holds: it outlives every crash of the server. */
class Store {
  readonly queues = new Map<string, Queue>()
  ev = 1
  of(key: string): Queue {
    let queue = this.queues.get(key)
    if (!queue) {
      queue = { hi: 0, fixes: new Map() }
      this.queues.set(key, queue)
    }
    return queue
  }
}

type Answer = Record<string, unknown> & { ok: boolean }
interface Incoming {
  readonly v: number
  readonly qid: string
  readonly items?: WireFix[]
  readonly item?: WireFix
  readonly from?: number
  readonly to?: number
}

/**
 * The server by its contract: a batch waits for the group commit, is stored in one transaction, and only then answered. A crash loses what waits and
 * every answer that is not out yet. What is seen moves at once, newest by fix time wins.
 */
class Server {
  private readonly world: World
  private readonly store: Store
  life = 0
  down = false
  /** Newest fix that this process knows, of the one driver that is watched. */
  seen: WireFix | null = null
  readonly pages = new Set<(event: string, message: unknown) => void>()
  constructor(world: World, store: Store) {
    this.world = world
    this.store = store
  }
  crash(): void {
    this.life++
    this.down = true
    this.pages.clear()
    // A start is warmed with the newest kept fix (T3).
    this.seen = null
    this.world.after(500 + this.world.rng.int(3_000), () => {
      this.down = false
      for (const fix of this.store.of(WATCHED()).fixes.values()) this.see(fix)
      this.world.say('server up')
    })
  }
  see(fix: WireFix): void {
    if (this.seen && (fix.t < this.seen.t || (fix.t === this.seen.t && fix.seq <= this.seen.seq))) return
    this.seen = fix
    for (const tell of this.pages) tell('track', this.track())
  }
  track(): TrackView {
    return {
      t: this.seen?.t ?? 0,
      now: this.world.now,
      vehicle: this.seen ? { at: [this.seen.lon, this.seen.lat], heading: null, speed: null, accuracy: null } : null,
      hidden: this.seen ? null : 'no_position',
      eta: { kind: 'unknown', why: 'no_position' },
      stopsLeft: 1,
      remaining: null,
      phase: 'enroute',
      offRoute: false,
      interval: 1,
      kept: true,
      pathV: 0,
    }
  }
  view(): OrderView {
    return {
      epoch: 'a',
      ev: this.store.ev,
      now: this.world.now,
      number: 'DS-1',
      merchant: 'A shop',
      recipient: 'Ann',
      status: 'out_for_delivery',
      steps: [],
      door: { at: [11.97, 57.7], label: 'A door' },
      window: null,
      promise: null,
      attempt: null,
      driver: null,
      track: this.track(),
    }
  }
  /** Takes a message of a phone; `reply` is called after COMMIT, unless the process died before. */
  take(phone: number, event: string, m: Incoming, reply: (answer: Answer) => void): void {
    const { world } = this
    const key = `${phone} ${m.qid}`
    const life = this.life
    const queue = this.store.of(key)
    const kept = (): Answer => ({ ok: true, qid: m.qid, upto: queue.hi, rejected: [] })
    if (event === 'hello') {
      reply({ ...kept(), policy: { interval: 1 }, run: null, now: world.now })
      return
    }
    const items = event === 'ping:live' ? [m.item!] : (m.items ?? [])
    if (phone === 0) for (const fix of items) this.see(fix)
    // Now and then the database is away, or too much waits.
    if (world.rng() < 0.03) {
      reply({ ok: false, code: world.rng() < 0.5 ? 'RETRY' : 'BUSY', retryAfterMs: 1_000 })
      return
    }
    world.after(2 + world.rng.int(20), () => {
      if (life !== this.life) return
      const from = event === 'skip' ? m.from! : items[0]!.seq
      if (event === 'skip') {
        if (from <= queue.hi + 1) queue.hi = Math.max(queue.hi, m.to!)
      } else
        for (const fix of items) {
          if (!queue.fixes.has(fix.seq)) queue.fixes.set(fix.seq, fix)
          if (fix.seq === queue.hi + 1) queue.hi = fix.seq
        }
      world.say(`commit ${key} ${from} hi ${queue.hi}`)
      // Between COMMIT and the answer there is time enough to die.
      world.after(world.rng.int(5), () => {
        if (life !== this.life) return
        const gap = from > queue.hi + 1 && event !== 'ping:live'
        reply(gap ? { ok: false, code: 'GAP', expect: queue.hi + 1 } : kept())
      })
    })
  }
}
/** The queue whose driver is watched: the first phone's, whatever it is called now. */
let watched = ''
const WATCHED = () => watched

/** A line between a phone and the server: what is sent may be lost, come twice, or come late and overtake. */
class Line implements UplinkSocket {
  connected = false
  private readonly world: World
  private readonly server: Server
  private readonly weather: Weather
  private readonly phone: number
  private readonly hear: (kept: Kept) => void
  private generation = 0
  private opening = false
  private readonly listeners = new Map<string, ((message: never) => void)[]>()
  constructor(world: World, server: Server, weather: Weather, phone: number, hear: (kept: Kept) => void) {
    this.world = world
    this.server = server
    this.weather = weather
    this.phone = phone
    this.hear = hear
  }
  on(event: string, listener: (message: never) => void): void {
    this.listeners.set(event, [...(this.listeners.get(event) ?? []), listener])
  }
  private tell(event: string, message: unknown): void {
    for (const listener of this.listeners.get(event) ?? []) listener(message as never)
  }
  connect(): void {
    const mine = ++this.generation
    this.opening = true
    this.world.after(10 + this.world.rng.int(50), () => {
      if (mine !== this.generation) return
      this.opening = false
      if (this.server.down || this.world.rng() < this.weather.lose) this.tell('connect_error', {})
      else {
        this.connected = true
        this.tell('connect', undefined)
      }
    })
  }
  /** By the phone itself: it hears no more than that it is so. */
  disconnect(): void {
    this.end()
  }
  cut(): void {
    if (this.opening) {
      this.end()
      this.tell('connect_error', {})
    } else this.end()
  }
  private end(): void {
    this.generation++
    this.opening = false
    if (!this.connected) return
    this.connected = false
    this.tell('disconnect', 'transport close')
  }
  /** The phone is no more: nothing is told to it. */
  forget(): void {
    this.generation++
    this.connected = this.opening = false
    this.listeners.clear()
  }
  emit(event: string, message: unknown, ack?: unknown): void {
    const { world, server } = this
    const mine = this.generation
    const life = server.life
    const m = structuredClone(message) as Incoming
    this.carry(() => {
      if (server.down || life !== server.life) return
      server.take(this.phone, event, m, (answer) => {
        if (this.phone === 0) watched = `0 ${m.qid}`
        const deliver = (run: () => void) => this.carry(() => mine === this.generation && this.connected && run())
        if (ack)
          deliver(() => {
            this.note(answer)
            ;(ack as (answer: Answer) => void)(answer)
          })
        if (answer.ok && event !== 'hello')
          deliver(() => {
            this.note(answer)
            this.tell('kept', answer)
          })
        else if (!answer.ok && !ack) deliver(() => this.tell('fault', { ...answer, event }))
      })
    })
    world.say(`phone ${this.phone} ${event} ${m.items?.[0]?.seq ?? m.item?.seq ?? m.from ?? ''}`)
  }
  private note(answer: Answer): void {
    if (answer.ok) this.hear(answer as unknown as Kept)
  }
  private carry(run: () => void): void {
    const { world, weather } = this
    if (world.rng() < weather.lose) return
    const times = world.rng() < weather.repeat ? 2 : 1
    for (let i = 0; i < times; i++)
      world.after(3 + world.rng.int(20) + (world.rng() < weather.late ? world.rng.int(4_000) : 0), run)
  }
}

interface Device {
  readonly storage: OutboxStorage
  line: Line
  outbox: Outbox
  uplink: Uplink
  /** Fix times of each queue that this device ever had, by seq. */
  added: number
  on: boolean
}

/** Plays one seed to its end. */
export async function simulate(seed: number): Promise<Simulated> {
  const world = new World(seed)
  const { rng } = world
  const weather: Weather = { lose: 0.12 * rng(), repeat: 0.15 * rng(), late: 0.1 * rng() }
  const store = new Store()
  const server = new Server(world, store)
  watched = ''
  let names = 0
  /** The most that each queue was ever told, checked after each step. */
  const told = new Map<string, number>()
  const fail = (what: string): never => {
    throw new Error(`${what}, at ${world.now - START} ms, after\n${world.trace.slice(-12).join('\n')}`)
  }

  const boot = async (phone: number, storage: OutboxStorage, added: number): Promise<Device> => {
    const line = new Line(world, server, weather, phone, ({ qid, upto }) => {
      world.acks++
      const key = `${phone} ${qid}`
      const before = told.get(key) ?? 0
      told.set(key, Math.max(before, upto))
      // P2 and P3 at the very moment in which the device may delete.
      const queue = store.of(key)
      for (let seq = before + 1; seq <= upto; seq++)
        if (!queue.fixes.has(seq)) fail(`[P2] phone ${phone} was told that ${seq} is kept, and it is not`)
    })
    const outbox = await openOutbox(storage, { newQid: () => (++names).toString(16).padStart(16, '0') })
    const uplink = openUplink({
      socket: line,
      outbox,
      acts: await openActs(memoryActs()),
      clock: world.clock,
      random: rng,
    })
    uplink.start()
    return { storage, line, outbox, uplink, added, on: true }
  }
  const devices: Device[] = []
  for (let phone = 0; phone < PHONES; phone++) devices.push(await boot(phone, memoryStorage(), 0))
  watched = `0 ${devices[0]!.outbox.head.qid}`

  // A page: its own reducer, on a line that loses, repeats and overtakes too; when that is cut it subscribes anew.
  const pages = Array.from({ length: PAGES }, () => ({ watch: NOTHING as Watch, shown: 0, line: 0 }))
  const step = (page: (typeof pages)[number], event: WatchEvent): void => {
    page.watch = stepWatch(page.watch, event)
    const t = page.watch.track?.t ?? 0
    // 0 is no vehicle at all: a server that forgot what it could not keep says so.
    if (t > 0 && t < page.shown) fail(`[T3] a marker went back from ${page.shown} to ${t}`)
    page.shown = Math.max(page.shown, t)
    const { ask } = page.watch
    if (ask) {
      page.watch = stepWatch(page.watch, { type: 'asked' })
      question(page, 0)
    }
  }
  const carry = (page: (typeof pages)[number], run: () => void): void => {
    const line = page.line
    if (rng() < weather.lose) return
    const times = rng() < weather.repeat ? 2 : 1
    for (let i = 0; i < times; i++)
      world.after(3 + rng.int(20) + (rng() < weather.late ? rng.int(4_000) : 0), () => {
        if (line === page.line) run()
      })
  }
  /** `watch` and `sync` answer the same: the room is joined, then the order is read; asked again until it is answered. */
  const question = (page: (typeof pages)[number], tries: number): void => {
    const line = page.line
    let answered = false
    carry(page, () => {
      if (server.down) return
      server.pages.add(tellers.get(page)!)
      const view = server.view()
      carry(page, () => {
        answered = true
        step(page, { type: 'snapshot', view, at: world.now })
      })
    })
    world.after(8_000, () => {
      if (!answered && line === page.line && tries < 100) question(page, tries + 1)
    })
  }
  const tellers = new Map(
    pages.map((page) => [
      page,
      (event: string, message: unknown) =>
        carry(page, () =>
          step(
            page,
            event === 'track'
              ? { type: 'track', track: message as TrackView, at: world.now }
              : event === 'order'
                ? { type: 'order', view: message as OrderView, at: world.now }
                : { type: 'hb', ...(message as { ev: number; t: number; now: number }), at: world.now },
          ),
        ),
    ]),
  )
  const link = (page: (typeof pages)[number]): void => {
    page.line++
    server.pages.delete(tellers.get(page)!)
    step(page, { type: 'linked' })
  }
  const beat = (): void => {
    for (const tell of server.pages) tell('hb', { ev: store.ev, t: server.seen?.t ?? 0, now: world.now })
    world.after(9_000 + rng.int(2_000), beat)
  }
  world.after(5_000, beat)
  for (const page of pages) link(page)

  const crash = (): void => {
    world.crashes++
    world.say('server crash')
    server.crash()
    for (const device of devices) device.line.cut()
    for (const page of pages) world.after(200 + rng.int(2_000), () => link(page))
  }
  const reboot = async (phone: number): Promise<void> => {
    const old = devices[phone]!
    world.crashes++
    world.say(`phone ${phone} crash`)
    old.on = false
    old.line.forget()
    devices[phone] = await boot(phone, old.storage, old.added)
  }
  let busy = 0
  const drive = (phone: number): void => {
    world.after(200 + rng.int(1_500), () => drive(phone))
    const device = devices[phone]!
    if (world.now > START + STORM_MS) return
    const burst = rng() < 0.03 ? 150 + rng.int(250) : 1 + rng.int(3)
    for (let i = 0; i < burst; i++) {
      device.added++
      busy++
      // Each fix has its own instant, in the order of seq: a reinstalled clock is another test's matter.
      void device.uplink.add({ t: START + device.added * 50, lat: 57.7, lon: 11.97 + device.added * 1e-6 }).then(() => busy--)
    }
  }
  for (let phone = 0; phone < PHONES; phone++) drive(phone)
  const mischief = (): void => {
    if (world.now > START + STORM_MS) return
    world.after(300 + rng.int(3_000), mischief)
    const what = rng()
    const phone = rng.int(PHONES)
    if (what < 0.25) crash()
    else if (what < 0.5) void reboot(phone)
    else if (what < 0.75) {
      world.say(`phone ${phone} cut`)
      devices[phone]!.line.cut()
    } else if (what < 0.9) link(pages[rng.int(PAGES)]!)
    else if (!server.down) {
      store.ev++
      world.say(`event ${store.ev}`)
      for (const tell of server.pages) tell('order', server.view())
    }
  }
  world.after(1_000, mischief)

  const judge = (): void => {
    for (const [key, upto] of told)
      if (upto > store.of(key).hi) fail(`[P2] ${key} was told ${upto} and is kept to ${store.of(key).hi}`)
    for (const [phone, { outbox, added, on }] of devices.entries()) {
      const queue = store.of(`${phone} ${outbox.head.qid}`)
      // Deleted on the phone, or kept by the server, or still there: never neither.
      if (on && outbox.head.upto > queue.hi) fail(`[P2] phone ${phone} deleted up to ${outbox.head.upto}, kept is ${queue.hi}`)
      if (on && busy === 0 && outbox.head.last !== added)
        fail(`[P1] phone ${phone} stored ${added} fixes and counts ${outbox.head.last}`)
    }
  }
  await world.run(START + STORM_MS, judge)
  Object.assign(weather, { lose: 0, repeat: 0, late: 0 })
  world.say('calm')
  const newest = START + devices[0]!.added * 50
  const whole = () =>
    devices.every(({ outbox }) => outbox.queued === 0) &&
    pages.every(({ watch }) => watch.track?.t === newest && watch.view?.ev === store.ev)
  for (let end = STORM_MS; end < STORM_MS + CALM_MS && !whole(); end += 5_000) await world.run(START + end + 5_000, judge)

  for (const [phone, { outbox, uplink, added }] of devices.entries()) {
    if (outbox.queued > 0) fail(`phone ${phone} still holds ${outbox.queued} fixes (${uplink.state.link})`)
    // Whatever a queue was called: each instant of this phone is there, and there once.
    const times = [...store.queues]
      .flatMap(([key, queue]) => (key.startsWith(`${phone} `) ? [...queue.fixes.values()] : []))
      .map(({ t }) => t)
    if (times.length !== added || new Set(times).size !== added || times.some((t) => t <= START || t > START + added * 50))
      fail(`[P1] of ${added} fixes of phone ${phone} ${new Set(times).size} are stored, in ${times.length} rows`)
  }
  for (const { watch } of pages)
    if (!whole()) fail(`[F] a page knows fix ${watch.track?.t} and event ${watch.view?.ev}, not ${newest} and ${store.ev}`)
  return {
    trace: world.trace,
    steps: world.steps,
    fixes: devices.reduce((sum, device) => sum + device.added, 0),
    acks: world.acks,
    crashes: world.crashes,
  }
}
