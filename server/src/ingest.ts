// A device's checked batch in; what is durable out by one lane, what is seen by the other: the life of a ping, ① to ⑥, in one screen.
import type { Fault } from '@doorstep/shared/codes'
import type { Batch, Fix } from '@doorstep/shared/ping'
import type { Alert, Kept } from '@doorstep/shared/protocol'
import type { Result } from '@doorstep/shared/result'
import { type ShownWindow, STALE_MS, type WindowReason } from '@doorstep/shared/track'
import type { DriverId, DriverNo, LngLat, Millis, RunId } from '@doorstep/shared/units'
import type { Device, Orders, RunPlan, WindowChange } from './orders/port.ts'
import { type EtaOf, planOf } from './plan.ts'
import type { Router } from './routing/port.ts'
import type { Journal } from './store/journal.port.ts'
import { advance, begin, type TripEvent, type TripState, toTrack } from './tracking/trip.ts'
import { reshow } from './tracking/window.ts'
import type { Tracks } from './tracks.ts'
import { atMost, turns } from './turns.ts'

export interface IngestParts {
  readonly orders: Orders
  readonly journal: Journal
  readonly router: Router
  readonly tracks: Tracks
  readonly etaOf: EtaOf
  readonly now: () => Millis
  readonly newId: () => string
  readonly alert: (alert: Alert) => void
  /** Counts what the gate said of a fix. */
  readonly count: (verdict: string) => void
  /** Something that should not happen, or a store that is away. */
  readonly onError: (error: unknown, what: string) => void
}

export interface Ingest {
  /** Takes a batch. The promise is the kept lane's answer; what is seen moves in this very turn and waits for nobody. */
  take(device: Device, batch: Batch): Promise<Result<Kept, Fault>>
  /** The run that is driven now, by what this node knows; asked of orders at most once a change. */
  runOf(driver: DriverId): Promise<RunPlan | null>
  /** Ends timers, waits for what is under way. */
  close(): Promise<void>
}

/** One driver on this node. */
interface Van {
  readonly driver: DriverId
  readonly no: DriverNo
  /** Newest known; `fresh` false means: read it again before the next fix. */
  run: RunPlan | null
  fresh: boolean
  trip: TripState | null
  /** How often fixes come, s, smoothed. */
  interval: number
  /** What was shown and is not yet in `run`, by stop. */
  readonly shown: Map<string, ShownWindow>
  /** Alerts that were given, so that each is given once. */
  readonly alerted: Set<string>
  windowsAt: Millis
  routedAt: Millis
  lastFixAt: Millis
}

/** Windows of a run are thought over so often, ms. */
const WINDOWS_MS = 3_000
/** A new route is asked for at most so often, ms (T6). */
const REROUTE_MS = 20_000
/** A driver who is not heard of for so long is forgotten; the store still knows, ms. */
const FORGET_MS = 3_600_000
/** After a start, the fixes of so long are folded again, so that the place along the route is exact, ms. */
const REFOLD_MS = 1_200_000
/** After a start all devices come at once: so few questions of each kind at a time leave the store to the others. */
const READING = 3
const WRITING = 4
/** A promise missed by more than this is an alert, ms. */
const LATE_MS = 300_000

export function openIngest(parts: IngestParts): Ingest {
  const { orders, journal, router, tracks, etaOf, now } = parts
  const vans = new Map<DriverId, Van>()
  const reading = atMost(READING)
  const laying = atMost(READING)
  /** Vans whose windows wait for a place among those that are being written. */
  const due = new Set<Van>()
  let writing = 0
  const turn = turns<DriverNo>((error) => parts.onError(error, 'ingest'))

  function take(device: Device, batch: Batch): Promise<Result<Kept, Fault>> {
    const kept = batch.to === 0 ? journal.upto(device.id, batch.qid) : journal.keep(device.id, device.no, batch, now())
    if (batch.fixes.length > 0) {
      const van = vanOf(device)
      turn.run(van.no, () => (van.fresh ? see(van, batch.fixes) : refresh(van).then(() => see(van, batch.fixes))))
    }
    return kept
  }

  /** ② gate ③ locate ④ pace, for each fix; ⑤ ⑥ the newest, once. */
  function see(van: Van, fixes: readonly Fix[]): void {
    const at = now()
    const plan = activePlan(van)
    let trip = van.trip ?? begin(plan)
    for (const fix of fixes) {
      const before = trip.head.t
      const step = advance(trip, fix, at, plan)
      trip = step.state
      parts.count(step.verdict)
      if (before > 0 && trip.head.t > before)
        van.interval += 0.2 * (Math.min(60, Math.max(1, (trip.head.t - before) / 1000)) - van.interval)
      for (const event of step.events) happen(van, event)
    }
    van.trip = trip
    van.lastFixAt = at
    show(van)
  }

  function show(van: Van): void {
    if (!van.trip) return
    const driving = van.run?.status === 'started' ? van.run : null
    const track = toTrack(van.trip, activePlan(van), van.no, driving?.id ?? null, Math.round(van.interval), journal.healthy)
    if (track === null) return
    tracks.put(track)
    if (driving === null) return
    if (track.offRoute && now() - van.routedAt >= REROUTE_MS) reroute(van, driving, track.at, track.heading)
    if (now() - van.windowsAt >= WINDOWS_MS) windows(van)
  }

  /** Reaching a stop is written down at once; a store that is away is asked again. */
  function happen(van: Van, event: TripEvent): void {
    const run = van.run
    if (event.kind === 'off_route' && run) alertOnce(van, `off:${run.id}:${event.at}`, { kind: 'off_route', at: event.at })
    if (event.kind !== 'arrived' || !run) return
    const stop = run.stops[event.stop]
    if (stop?.status === 'pending') arrive(run.id, stop.id, event.at, event.late, 0)
  }
  function arrive(run: RunId, stopId: string, at: Millis, late: boolean, tries: number): void {
    orders.arrived(run, stopId, at, late).catch((error) => {
      parts.onError(error, 'arrived')
      if (tries < 60 && !closed) later(() => arrive(run, stopId, at, late, tries + 1), 5_000)
    })
  }

  /** Asks for a way from where the driver is, past the stops still to come; the trip goes on along it (T6). */
  function reroute(van: Van, run: RunPlan, from: LngLat, heading: number | null): void {
    van.routedAt = now()
    const ahead = run.stops.filter((stop) => stop.status === 'pending' || stop.status === 'arrived').map((stop) => stop.door)
    if (ahead.length === 0) return
    turn.run(van.no, async () => {
      const plan = await router.route([from, ...ahead], heading === null ? {} : { heading })
      // A straight line would be worse than the road that was planned.
      if (plan.confidence === 'low' && run.confidence === 'road') return
      await laying(() => orders.reroute(run.id, from, plan, run.routeVersion))
      await refresh(van)
      show(van)
    })
  }

  /** Which windows to show from now on, each with its reason (T9, T10); the promise that will be missed is an alert. */
  function windows(van: Van): void {
    const run = van.run
    const track = tracks.get(van.no)
    van.windowsAt = now()
    if (run?.status !== 'started' || track?.run !== run.id) return
    if (writing >= WRITING) {
      due.add(van)
      return
    }
    const changes: WindowChange[] = []
    const silent = now() - track.recordedAt >= STALE_MS
    if (silent) alertOnce(van, `stale:${run.id}:${track.recordedAt}`, { kind: 'stale', at: now() })
    const standing = track.arrivedAt === null ? 0 : now() - track.arrivedAt
    const cause: WindowReason | undefined = silent
      ? 'signal_lost'
      : standing > ((run.stops[track.nextStop]?.service ?? 0) + 60) * 1000
        ? 'stop_took_longer'
        : undefined
    for (const [index, stop] of run.stops.entries()) {
      if (stop.status !== 'pending' || index < track.nextStop) continue
      const eta = etaOf(run, index, track, now())
      if (eta.kind !== 'window') continue
      const next = reshow(van.shown.get(stop.id) ?? stop.window, eta, now(), cause, index === 0)
      if (next?.changed) {
        van.shown.set(stop.id, next.window)
        changes.push({ stopId: stop.id, from: next.window.from, to: next.window.to, mid: eta.mid, reason: next.window.reason })
      }
      if (stop.promise && eta.mid > stop.promise.to + LATE_MS)
        alertOnce(van, `late:${stop.id}`, { kind: 'late', at: now(), orderId: stop.orderId })
    }
    if (changes.length === 0) return
    writing++
    orders
      .showWindows(run.id, now(), changes)
      .catch((error) => {
        for (const change of changes) van.shown.delete(change.stopId)
        parts.onError(error, 'windows')
      })
      .finally(() => {
        writing--
        // Who waited is looked at as things are now, not as they were.
        for (const next of due) {
          if (writing >= WRITING) break
          due.delete(next)
          windows(next)
        }
      })
  }

  function alertOnce(van: Van, name: string, alert: Pick<Alert, 'kind' | 'at' | 'orderId'>): void {
    if (van.alerted.has(name)) return
    if (van.alerted.size > 200) van.alerted.clear()
    van.alerted.add(name)
    parts.alert({ id: parts.newId(), driverId: van.driver, ...alert })
  }

  const activePlan = (van: Van) => (van.run?.status === 'started' ? planOf(van.run) : null)

  /** Reads the run anew. A store that is away leaves what is known, and is asked again with the next fix. */
  async function refresh(van: Van): Promise<void> {
    let run: RunPlan | null
    try {
      van.fresh = true
      run = await reading(() => orders.runOf(van.driver))
    } catch (error) {
      van.fresh = false
      parts.onError(error, 'run')
      return
    }
    const before = activePlan(van)
    van.run = run
    van.shown.clear()
    const plan = activePlan(van)
    const sameRoad =
      before?.routeVersion === plan?.routeVersion && before?.stops.map((s) => s.id).join() === plan?.stops.map((s) => s.id).join()
    if (van.trip === null) van.trip = await remember(van)
    else if (!sameRoad) van.trip = begin(plan, van.trip)
  }

  /** The trip as the journal tells it: a node that takes over, or starts again, knows the place along the route and what was reached meanwhile. */
  async function remember(van: Van): Promise<TripState> {
    const plan = activePlan(van)
    let trip = begin(plan)
    const startedAt = van.run?.startedAt ?? null
    // What was driven before the run says nothing of its stops.
    if (plan === null || startedAt === null) return trip
    const crumbs = await reading(() => journal.trail(van.no, Math.max(startedAt, now() - REFOLD_MS), now(), 1_200)).catch(
      (error) => {
        parts.onError(error, 'trail')
        return []
      },
    )
    for (const { t, seq, lng, lat, speed, heading, accuracy } of crumbs) {
      // The same fix by (t, seq) as the one that the device may send again: counted once (T1).
      const fix = {
        seq,
        recordedAt: t,
        at: [lng, lat] as LngLat,
        accuracy,
        speed,
        heading,
        altitude: null,
        battery: null,
        flags: [],
      }
      const step = advance(trip, fix, now(), plan)
      trip = step.state
      for (const event of step.events) if (event.kind === 'arrived') happen(van, event)
    }
    return trip
  }

  function vanOf(device: Device): Van {
    let van = vans.get(device.driver)
    if (!van) {
      van = {
        driver: device.driver,
        no: device.no,
        run: null,
        fresh: false,
        trip: null,
        interval: 1,
        shown: new Map(),
        alerted: new Set(),
        windowsAt: 0,
        routedAt: 0,
        lastFixAt: now(),
      }
      vans.set(device.driver, van)
    }
    return van
  }

  // A run that changed is read again in its driver's turn, by who has it now and by who had it.
  orders.onRun((id) => {
    const reread = (van: Van) => {
      van.fresh = false
      turn.run(van.no, async () => {
        if (van.fresh) return
        await refresh(van)
        show(van)
      })
    }
    for (const van of vans.values()) if (van.run?.id === id) reread(van)
    orders
      .run(id)
      .then((run) => {
        const van = run?.driver ? vans.get(run.driver) : undefined
        if (van && van.run?.id !== id) reread(van)
      })
      .catch((error) => parts.onError(error, 'run'))
  })

  let closed = false
  const delayed = new Set<NodeJS.Timeout>()
  function later(work: () => void, ms: Millis): void {
    const timer = setTimeout(() => {
      delayed.delete(timer)
      work()
    }, ms)
    delayed.add(timer)
  }
  /** Windows move on although a driver is silent: none is ever in the past. */
  const sweep = setInterval(() => {
    for (const [id, van] of vans) {
      if (now() - van.lastFixAt > FORGET_MS) vans.delete(id)
      else if (now() - van.windowsAt >= 2 * WINDOWS_MS && van.fresh) windows(van)
    }
  }, WINDOWS_MS)

  return {
    take,
    async runOf(driver) {
      const van = vans.get(driver)
      return van?.fresh ? van.run : orders.runOf(driver)
    },
    async close() {
      closed = true
      clearInterval(sweep)
      for (const timer of delayed) clearTimeout(timer)
      await turn.idle()
    },
  }
}
