// One contract, two databases: what the journal acknowledges is there, once, and far enough to be deleted on the device.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openJournal, retain } from '@doorstep/server/store/journal'
import type { Journal } from '@doorstep/server/store/journal.port'
import { openSql } from '@doorstep/server/store/sql/open'
import type { Sql } from '@doorstep/server/store/sql/port'
import type { Batch } from '@doorstep/shared/ping'
import type { DeviceId, DriverNo } from '@doorstep/shared/units'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createDatabase } from '../services/database.ts'
import { startPostgres } from '../services/postgres.ts'
import { batchOf, deviceOf, fixOf } from './batches.ts'

const DAY = 86_400_000
/** A quarter of a second before midnight, UTC. */
const EVENING = Date.UTC(2026, 4, 10, 23, 59, 59, 750)
const T = EVENING - 3_600_000
const driver = 7 as DriverNo

let devices = 0
const newDevice = (): DeviceId => deviceOf(++devices)
const upto = (qid: string, n: number) => ({ ok: true, value: { qid, upto: n, rejected: [] } })
const gap = (expectSeq: number) => ({ ok: false, fault: { code: 'GAP', expect: expectSeq } })

describe.each(['pglite', 'postgres'] as const)('%s', (kind) => {
  let sql: Sql
  let journal: Journal
  let end: () => Promise<void>
  const bugs: unknown[] = []
  beforeAll(async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'doorstep-journal-'))
    const database = kind === 'postgres' ? await createDatabase() : null
    sql = await openSql({ databaseUrl: database?.url ?? null, dataDir, durability: 'strict' })
    await retain(sql, EVENING, 60)
    journal = openJournal(sql, { onBug: (bug) => bugs.push(bug) })
    end = async () => {
      await journal.close()
      await sql.close()
      rmSync(dataDir, { recursive: true, force: true })
      await database?.drop()
    }
  })
  afterAll(() => end?.())

  const stored = async (device: DeviceId) =>
    (
      await sql.query<{ seq: number; n: number }>(
        'select seq, count(*) as n from fixes where device_id = $1 group by seq order by seq',
        [device],
      )
    ).rows
  const seqs = async (device: DeviceId) => {
    const rows = await stored(device)
    expect(rows.filter((row) => row.n !== 1)).toEqual([])
    return rows.map((row) => row.seq)
  }
  const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)

  test('[P1] a fix sent again is stored once, and answered as before', async () => {
    const device = newDevice()
    const batch = batchOf('q', 1, 5, T)
    expect(await journal.keep(device, driver, batch, T)).toEqual(upto('q', 5))
    expect(await journal.keep(device, driver, batch, T)).toEqual(upto('q', 5))
    expect(await Promise.all([1, 2, 3].map(() => journal.keep(device, driver, batchOf('q', 3, 5, T), T)))).toEqual(
      [1, 2, 3].map(() => upto('q', 7)),
    )
    expect(await seqs(device)).toEqual(range(1, 7))
  })

  test('[P1] a new queue begins again at 1 beside the old one', async () => {
    const device = newDevice()
    await journal.keep(device, driver, batchOf('old', 1, 3, T), T)
    expect(await journal.keep(device, driver, batchOf('new', 1, 2, T), T)).toEqual(upto('new', 2))
    expect(await journal.upto(device, 'old')).toEqual(upto('old', 3))
    expect(await journal.upto(device, 'never')).toEqual(upto('never', 0))
  })

  test('[P2] beyond a gap the fixes are stored, but nothing is claimed until the gap is closed', async () => {
    const device = newDevice()
    expect(await journal.keep(device, driver, batchOf('q', 4, 3, T), T)).toEqual(gap(1))
    expect(await journal.upto(device, 'q')).toEqual(upto('q', 0))
    expect(await journal.keep(device, driver, batchOf('q', 1, 2, T), T)).toEqual(upto('q', 2))
    expect(await journal.keep(device, driver, batchOf('q', 3, 4, T), T)).toEqual(upto('q', 6))
    expect(await seqs(device)).toEqual(range(1, 6))
  })

  test('[P2] a batch that leaves a seq out can not claim it', async () => {
    const device = newDevice()
    expect(await journal.keep(device, driver, batchOf('q', 1, 5, T, [3]), T)).toEqual(gap(3))
    expect(await journal.upto(device, 'q')).toEqual(upto('q', 2))
    expect(await journal.keep(device, driver, batchOf('q', 3, 3, T), T)).toEqual(upto('q', 5))
    expect(await seqs(device)).toEqual(range(1, 5))
  })

  test('[P2] a batch of nothing is answered with how far the queue is kept', async () => {
    const device = newDevice()
    await journal.keep(device, driver, batchOf('q', 1, 2, T), T)
    const nothing: Batch = { qid: 'q', sentAt: T, from: 0, to: 0, fixes: [], rejected: [] }
    expect(await journal.keep(device, driver, nothing, T)).toEqual(upto('q', 2))
  })

  test('[P3] what is acknowledged is seen by another connection at once', async () => {
    const device = newDevice()
    for (let seq = 1; seq <= 10; seq++) {
      await journal.keep(device, driver, batchOf('q', seq, 1, T), T)
      expect(await seqs(device)).toEqual(range(1, seq))
    }
  })

  test('[P4] the newest fix of a long queue comes first, and once more in its turn, over midnight: it is stored once', async () => {
    const device = newDevice()
    expect(await journal.keep(device, driver, batchOf('q', 10, 1, T), EVENING)).toEqual(gap(1))
    expect(await journal.keep(device, driver, batchOf('q', 1, 12, T), EVENING + 500)).toEqual(upto('q', 12))
    expect(await seqs(device)).toEqual(range(1, 12))
    // A batch whose acknowledgement was lost comes again on the next day.
    expect(await journal.keep(device, driver, batchOf('q', 1, 12, T), EVENING + DAY)).toEqual(upto('q', 12))
    expect(await seqs(device)).toEqual(range(1, 12))
  })

  test('[P5] fixes that can never be right count as taken, and block nothing behind them', async () => {
    const device = newDevice()
    const rejected = [
      { seq: 1, code: 'LAT' as const },
      { seq: 3, code: 'TS_OLD' as const },
    ]
    const batch: Batch = { ...batchOf('q', 1, 4, T, [1, 3]), rejected }
    expect(await journal.keep(device, driver, batch, T)).toEqual({ ok: true, value: { qid: 'q', upto: 4, rejected } })
    await journal.keep(device, driver, batch, T)
    expect(await seqs(device)).toEqual([2, 4])
    const { rows } = await sql.query('select seq, code from fix_quarantine where device_id = $1 order by seq', [device])
    expect(rows).toEqual(rejected)
  })

  test('[P6] what the device thinned out is written down and passed over', async () => {
    const device = newDevice()
    await journal.keep(device, driver, batchOf('q', 1, 2, T), T)
    expect(await journal.skip(device, 'q', 5, 9, T)).toEqual(gap(3))
    expect(await journal.skip(device, 'q', 3, 9, T)).toEqual(upto('q', 9))
    expect(await journal.skip(device, 'q', 3, 9, T)).toEqual(upto('q', 9))
    expect(await journal.keep(device, driver, batchOf('q', 10, 1, T), T)).toEqual(upto('q', 10))
    const { rows } = await sql.query('select from_seq, to_seq from fix_skips where device_id = $1', [device])
    expect(rows).toEqual([{ from_seq: 3, to_seq: 9 }])
    expect(await journal.skip(device, 'q', 9, 3, T)).toMatchObject({ ok: false, fault: { code: 'BAD_BATCH' } })
  })

  test('a seq beyond any honest queue is refused and not stored', async () => {
    const device = newDevice()
    expect(await journal.keep(device, driver, batchOf('q', 200_000, 1, T), T)).toMatchObject({
      ok: false,
      fault: { code: 'BAD_BATCH' },
    })
    expect(await seqs(device)).toEqual([])
  })

  test('[T3] the newest fix of a device moves only forward, by fix time and then by seq', async () => {
    const device = newDevice()
    const own = 4_000 + devices
    const last = async () => (await journal.last()).find((one) => one.no === own)
    const keep = (seq: number, t: number) =>
      journal.keep(device, own as DriverNo, { ...batchOf('q', seq, 1, T), fixes: [fixOf(seq, 0, { recordedAt: t })] }, T)
    await keep(1, T + 5_000)
    await keep(2, T + 4_000)
    expect(await last()).toMatchObject({ t: T + 5_000, seq: 1 })
    await keep(3, T + 5_000)
    expect(await last()).toEqual({
      no: own,
      t: T + 5_000,
      seq: 3,
      lng: fixOf(3, 0).at[0],
      lat: 57.7,
      speed: 8.5,
      heading: 90,
      accuracy: 5,
    })
  })

  test('[T1] any shuffle and repetition of the batches gives the same history, queue and newest fix', async () => {
    const total = 60
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.integer({ min: 1, max: total }), fc.integer({ min: 1, max: 25 })), { maxLength: 12 }),
        fc.infiniteStream(fc.integer({ min: -1, max: 1 })),
        async (pieces, days) => {
          const device = newDevice()
          const own = (10_000 + devices) as DriverNo
          const send = (from: number, length: number) => {
            const day = days.next().value ?? 0
            return journal.keep(device, own, batchOf('q', from, Math.min(length, total - from + 1), T), EVENING + day * DAY)
          }
          await Promise.all(pieces.map(([from, length]) => send(from, length)))
          for (let from = 1; from <= total; from += 20) await send(from, 20)
          expect(await seqs(device)).toEqual(range(1, total))
          expect(await journal.upto(device, 'q')).toEqual(upto('q', total))
          expect((await journal.last()).find((one) => one.no === own)).toMatchObject({ seq: total, t: T + total * 1000 })
        },
      ),
      { numRuns: 25 },
    )
  })

  test('two nodes that hold one device for a moment store nothing twice and never deadlock', async () => {
    const other = openJournal(sql)
    const both = [journal, other]
    const some = range(1, 10).map(() => newDevice())
    await Promise.all(
      range(0, 19).flatMap((n) =>
        both.flatMap((node, at) =>
          (at === 0 ? some : some.toReversed()).map((device) => node.keep(device, driver, batchOf('q', 1 + n * 5, 5, T), T)),
        ),
      ),
    )
    await other.close()
    for (const device of some) {
      expect(await seqs(device)).toEqual(range(1, 100))
      // On either node an early batch may have met a gap; the queue is whole when the device sends it again, as it does.
      expect(await journal.keep(device, driver, batchOf('q', 1, 100, T), T)).toEqual(upto('q', 100))
    }
  })

  test('when more rows wait than may, the next are told BUSY, and nobody is forgotten', async () => {
    const small = openJournal(sql, { most: 30 })
    const device = newDevice()
    const answers = await Promise.all(range(0, 9).map((n) => small.keep(device, driver, batchOf('q', 1 + n * 10, 10, T), T)))
    expect(answers.slice(0, 3)).toEqual([upto('q', 10), upto('q', 20), upto('q', 30)])
    expect(answers.slice(3).every((answer) => !answer.ok && answer.fault.code === 'BUSY')).toBe(true)
    expect(await small.keep(device, driver, batchOf('q', 31, 10, T), T)).toEqual(upto('q', 40))
    expect(small.waiting).toBe(0)
    await small.close()
    expect(await small.keep(device, driver, batchOf('q', 41, 1, T), T)).toMatchObject({ ok: false, fault: { code: 'RETRY' } })
  })

  test('one batch that the database refuses costs its neighbours nothing', async () => {
    const [good, bad] = [newDevice(), newDevice()]
    const answers = await Promise.all([
      journal.keep(good, driver, batchOf('q', 1, 2, T), T),
      journal.keep(bad, driver, batchOf('nul\0', 1, 2, T), T), // the parser lets no such qid through
      journal.keep(good, driver, batchOf('q', 3, 2, T), T),
    ])
    expect(answers).toEqual([upto('q', 2), { ok: false, fault: { code: 'INTERNAL' } }, upto('q', 4)])
    expect(bugs.splice(0)).toHaveLength(1)
    expect(journal.healthy).toBe(true)
  })

  test('the trail of a driver is told oldest first, whatever the order and the day of receipt, and no more than asked for', async () => {
    const device = newDevice()
    const own = 5_000 as DriverNo
    await journal.keep(device, own, batchOf('q', 3, 2, T), EVENING)
    await journal.keep(device, own, batchOf('q', 1, 3, T), EVENING + DAY)
    const trail = await journal.trail(own, T, T + 60_000, 100)
    expect(trail.map((point) => point.t)).toEqual(range(1, 4).map((seq) => T + seq * 1000))
    expect(trail[0]).toEqual({ t: T + 1000, seq: 1, lng: fixOf(1, 0).at[0], lat: 57.7, speed: 8.5, heading: 90, accuracy: 5 })
    expect((await journal.trail(own, T + 2000, T + 4000, 100)).map((point) => point.t)).toEqual([T + 2000, T + 3000])
    expect(await journal.trail(own, T, T + 60_000, 1)).toHaveLength(1)
  })

  test('days that are too old are forgotten whole, and their queues still know what was kept', async () => {
    const device = newDevice()
    await journal.keep(device, driver, batchOf('q', 1, 5, T), EVENING)
    const rejected = [{ seq: 6, code: 'LON' as const }]
    await journal.keep(device, driver, { ...batchOf('q', 6, 1, T, [6]), rejected }, EVENING)
    const done = await retain(sql, EVENING + 40 * DAY, 30)
    expect(done.partitionsDropped).toBeGreaterThan(0)
    expect(done.partitionsMade).toBe(9)
    expect(await seqs(device)).toEqual([])
    expect((await sql.query('select from fix_quarantine where device_id = $1', [device])).count).toBe(0)
    expect((await sql.query('select from fix_recent r join device_queue d using (device_id, qid) where r.seq <= d.hi')).count).toBe(
      0,
    )
    expect(await journal.keep(device, driver, batchOf('q', 7, 1, T), EVENING + 40 * DAY)).toEqual(upto('q', 7))
    expect(await retain(sql, EVENING + 40 * DAY, 30)).toEqual({ partitionsMade: 0, partitionsDropped: 0, forgotten: 0 })
  })
})

test('[P3] [F2] PostgreSQL killed hard under load: all that was acknowledged is there, the rest is told RETRY, and it goes on by itself', async () => {
  let server = await startPostgres()
  const options = { databaseUrl: server.url, dataDir: '', durability: 'strict' } as const
  const sql = await openSql(options)
  const journal = openJournal(sql)
  const acked = new Map<DeviceId, number>()
  const codes = new Set<string>()
  let done = false
  const drive = async (device: DeviceId) => {
    for (let from = 1; !done; ) {
      const answer = await journal.keep(device, driver, batchOf('q', from, 5, T), T)
      if (answer.ok) {
        acked.set(device, answer.value.upto)
        from = answer.value.upto + 1
      } else {
        codes.add(answer.fault.code)
        // As a device does: the same batch again, a little later.
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }
  }
  const some = Array.from({ length: 10 }, () => newDevice())
  const driving = some.map(drive)
  const until = async (what: () => boolean) => {
    while (!what()) await new Promise((resolve) => setTimeout(resolve, 10))
  }
  for (let round = 0; round < 2; round++) {
    const before = journal.stats().flushes
    await until(() => journal.healthy && journal.stats().flushes > before + 20)
    await server.kill()
    await until(() => !journal.healthy)
    server = await server.restart()
  }
  const before = journal.stats().flushes
  await until(() => journal.healthy && journal.stats().flushes > before + 5)
  done = true
  await Promise.all(driving)
  expect([...codes]).toEqual(['RETRY'])
  const { rows } = await sql.query<{ device_id: DeviceId; n: number; most: number }>(
    'select device_id, count(*) as n, max(seq) as most from fixes group by device_id',
  )
  for (const device of some) {
    const row = rows.find((one) => one.device_id === device)
    expect(row?.n).toBe(row?.most) // no hole, nothing twice
    expect(row?.most).toBeGreaterThanOrEqual(acked.get(device) ?? 0)
  }
  await journal.close()
  await sql.close()
  await server.stop()
})

test('[F3] a PostgreSQL that hangs is told apart from one that answers: nobody waits for it for ever', async () => {
  const server = await startPostgres()
  const sql = await openSql({ databaseUrl: server.url, dataDir: '', durability: 'strict' })
  const journal = openJournal(sql)
  const device = newDevice()
  expect(await journal.keep(device, driver, batchOf('q', 1, 5, T), T)).toEqual(upto('q', 5))
  const { rows } = await sql.query<{ pid: number }>("select pid from pg_stat_activity where application_name like 'doorstep%'")
  // The lines themselves hang, as behind a broken switch: neither an answer nor an end.
  for (const { pid } of rows) process.kill(pid, 'SIGSTOP')
  server.signal('SIGSTOP')
  expect(await journal.keep(device, driver, batchOf('q', 6, 5, T), T)).toMatchObject({ ok: false, fault: { code: 'RETRY' } })
  expect(journal.healthy).toBe(false)
  expect(await journal.keep(device, driver, batchOf('q', 6, 5, T), T)).toMatchObject({ ok: false, fault: { code: 'RETRY' } })
  expect(await sql.health()).not.toBe(true)
  for (const { pid } of rows) process.kill(pid, 'SIGCONT')
  server.signal('SIGCONT')
  await expect.poll(() => journal.keep(device, driver, batchOf('q', 6, 5, T), T), { timeout: 20_000 }).toEqual(upto('q', 10))
  await journal.close()
  await sql.close()
  await server.stop()
})
