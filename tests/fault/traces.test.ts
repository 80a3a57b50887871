// Traces of fixes, cut into batches, repeated and shuffled at random, in; the same history and the same track as in order, by the real journal and ingest.
import { openIngest } from '@doorstep/server/ingest'
import type { Orders, RunPlan } from '@doorstep/server/orders/port'
import { etas, planOf } from '@doorstep/server/plan'
import { straight } from '@doorstep/server/routing/straight'
import { openJournal } from '@doorstep/server/store/journal'
import { memoryPositions } from '@doorstep/server/store/positions/memory'
import { openSql } from '@doorstep/server/store/sql/open'
import { DEFAULT_CALIBRATION } from '@doorstep/server/tracking/calibration'
import { advance, begin, toTrack } from '@doorstep/server/tracking/trip'
import { openTracks } from '@doorstep/server/tracks'
import { type Fix, parseBatch, type WireFix } from '@doorstep/shared/ping'
import { type Random, random } from '@doorstep/shared/random'
import { pointAt, route } from '@doorstep/shared/route'
import type { RunStop } from '@doorstep/shared/track'
import type { DriverId, DriverNo, RunId } from '@doorstep/shared/units'
import { expect, test } from 'vitest'
import { createDatabase } from '../services/database.ts'
import { deviceOf } from '../stores/batches.ts'
import { full } from './phones.ts'

const SEEDS = full ? 5_000 : 300
/** Traces under way at once: their batches meet in one flush, as those of many drivers do. */
const AT_ONCE = 10
const NOW = Date.now()
const QID = 'feedfacefeedface'

const line = route([
  [11.95, 57.7],
  [11.96, 57.7],
  [11.96, 57.706],
  [11.975, 57.706],
  [11.975, 57.7],
])
/** A run that nobody changes: what orders would say of it is known beforehand. */
function runOf(n: number): RunPlan {
  const stops = [600, 1_400].map(
    (along, i): RunStop => ({
      id: `stop-${i}`,
      orderId: `order-${i}`,
      orderNumber: `DS-${i}`,
      label: 'A door',
      door: pointAt(line, along),
      along,
      service: 60,
      status: 'pending',
      window: null,
      promise: null,
    }),
  )
  return {
    id: `run-${n}` as RunId,
    version: 1,
    driver: `driver-${n}` as DriverId,
    driverNo: n as DriverNo,
    status: 'started',
    startedAt: NOW - 300_000,
    route: line,
    routeVersion: 1,
    confidence: 'road',
    stops,
  }
}

/** Three minutes of driving as a phone tells it: noise, fixes out of order by time, wild ones, and some that can never be right. */
function trace(rng: Random): WireFix[] {
  const length = 40 + rng.int(60)
  const speed = 4 + 8 * rng()
  return Array.from({ length }, (_, i) => {
    const [lon, lat] = pointAt(line, i * 1.8 * speed)
    // The newest is honest: a wild one that was shown while nothing else was known is put right by the next fix alone, since nothing goes back.
    const honest = i === length - 1
    const wild = !honest && rng() < 0.03
    const fix: WireFix = {
      seq: i + 1,
      t: NOW - 185_000 + i * 1_800 + (rng() < 0.1 ? rng.int(4_000) - 2_000 : 0) + (honest ? 3_000 : 0),
      lat: lat + (wild ? 0.1 : 4e-5 * rng.normal()),
      lon: lon + (wild ? 0.1 : 6e-5 * rng.normal()),
      acc: 5,
      ...(rng() < 0.8 ? { spd: speed } : {}),
    }
    return !honest && rng() < 0.03 ? { ...fix, lat: 91 } : fix
  })
}

/** Pieces of it in a random order, some twice, some across each other; and at last, as a phone that hears GAP does, all of it in order. */
function batches(rng: Random, fixes: readonly WireFix[]): WireFix[][] {
  const pieces = Array.from({ length: 2 + rng.int(8) }, () => {
    const from = rng.int(fixes.length)
    return fixes.slice(from, from + 1 + rng.int(25))
  })
  const inOrder: WireFix[][] = []
  for (let from = 0; from < fixes.length; ) {
    const n = 10 + rng.int(60)
    inOrder.push(fixes.slice(from, from + n))
    from += n
  }
  return [...pieces, ...inOrder]
}

test(`[T1] [T3] [P1] [P5] [F9] ${SEEDS} traces shuffled, repeated and in batches: history, newest fix and track are those of the trace in order`, async () => {
  const database = await createDatabase()
  const sql = await openSql({ databaseUrl: database.url, dataDir: '', durability: 'strict' })
  const journal = openJournal(sql, { flushMs: 1 })
  const errors: unknown[] = []
  const onError = (error: unknown) => errors.push(error)

  const one = async (seed: number): Promise<void> => {
    const rng = random(seed)
    const run = runOf(seed)
    const device = { id: deviceOf(seed), driver: run.driver!, no: run.driverNo!, name: 'A driver' }
    const arrived = new Set<string>()
    const orders: Orders = {
      runOf: async () => run,
      run: async () => run,
      order: async () => null,
      act: () => Promise.reject(new Error('nobody acts here')),
      arrived: async (_run, stop) => void arrived.add(stop),
      showWindows: async () => {},
      reroute: async () => null,
      onOrder: () => {},
      onRun: () => {},
    }
    const tracks = openTracks(memoryPositions(), 'here', () => NOW, onError)
    const ingest = openIngest({
      orders,
      journal,
      router: { name: 'straight', route: async (waypoints) => straight(waypoints), health: async () => true },
      tracks,
      etaOf: etas(() => DEFAULT_CALIBRATION),
      now: () => NOW,
      newId: () => 'alert',
      alert: () => {},
      count: () => {},
      onError,
    })
    const fixes = trace(rng)
    let upto = 0
    const answers: Promise<void>[] = []
    for (const items of batches(rng, fixes)) {
      const batch = parseBatch({ v: 1, qid: QID, sentAt: NOW, items }, NOW)
      if (!batch.ok) throw new Error(batch.fault.code)
      const kept = ingest.take(device, batch.value).then((answer) => {
        if (answer.ok) upto = Math.max(upto, answer.value.upto)
        else expect(answer.fault.code).toBe('GAP')
      })
      answers.push(kept)
      if (rng() < 0.5) await kept
    }
    await Promise.all(answers)
    await ingest.close()

    const model = parseBatch({ v: 1, qid: QID, sentAt: NOW, items: fixes }, NOW)
    if (!model.ok) throw new Error(model.fault.code)
    const right = [...model.value.fixes].sort((a, b) => a.recordedAt - b.recordedAt || a.seq - b.seq)
    const plan = planOf(run)
    let trip = begin(plan)
    for (const fix of right) trip = advance(trip, fix, NOW, plan).state

    const { rows } = await sql.query<{ seq: number; t: number; lat: number }>(
      'select seq, (extract(epoch from fix_time) * 1000)::float8 as t, lat from fixes where device_id = $1 order by seq',
      [device.id],
    )
    expect(rows, `seed ${seed}`).toEqual(model.value.fixes.map((fix) => ({ seq: fix.seq, t: fix.recordedAt, lat: fix.at[1] })))
    const quarantine = await sql.query('select seq, code from fix_quarantine where device_id = $1 order by seq', [device.id])
    expect(quarantine.rows, `seed ${seed}`).toEqual(model.value.rejected)
    const newest = right.at(-1) as Fix
    const last = await sql.query(
      'select (extract(epoch from fix_time) * 1000)::float8 as t, seq from device_last where device_id = $1',
      [device.id],
    )
    expect(last.rows, `seed ${seed}`).toEqual([{ t: newest.recordedAt, seq: newest.seq }])
    expect(upto, `seed ${seed}`).toBe(fixes.length)
    // How often fixes come is measured on arrival; all else is the trace's alone.
    const track = tracks.get(run.driverNo!)
    const told = toTrack(trip, plan, run.driverNo!, run.id, track?.interval ?? 0, true)
    if (!track || !told) throw new Error(`seed ${seed}: no track`)
    // The journal keeps speeds in four bytes, and a part of the trip may have come from there.
    const { speed, pace, ...rest } = told
    expect(track, `seed ${seed}`).toEqual({ ...rest, speed: expect.closeTo(speed!, 4), pace: expect.closeTo(pace, 4) })
    for (const [i, stop] of plan.stops.entries())
      if (trip.head.arrived[i]! >= 0) expect(arrived.has(stop.id), `seed ${seed}: ${stop.id}`).toBe(true)
    await tracks.close()
  }

  try {
    const started = performance.now()
    for (let seed = 1; seed <= SEEDS; seed += AT_ONCE)
      await Promise.all(Array.from({ length: Math.min(AT_ONCE, SEEDS - seed + 1) }, (_, i) => one(seed + i)))
    console.log(`${SEEDS} traces in ${((performance.now() - started) / 1000).toFixed(1)} s`)
    expect(errors).toEqual([])
  } finally {
    await journal.close()
    await sql.close()
    await database.drop()
  }
}, 600_000)
