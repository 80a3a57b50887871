// One contract, two databases: the embedded one and a real PostgreSQL must keep the same promises.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { migrate, openSql, readMigrations } from '@doorstep/server/store/sql/open'
import { type Sql, SqlError } from '@doorstep/server/store/sql/port'
import { StartFault } from '@doorstep/server/store/start-fault'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createDatabase } from '../services/database.ts'
import { freePort } from '../services/processes.ts'

const silent = () => {}

describe.each(['pglite', 'postgres'] as const)('%s', (kind) => {
  let sql: Sql
  let open: () => Promise<Sql>
  let drop: () => unknown
  beforeAll(async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'doorstep-sql-'))
    const database = kind === 'postgres' ? await createDatabase() : null
    open = () => openSql({ databaseUrl: database?.url ?? null, dataDir, durability: 'strict' })
    sql = await open()
    drop = () => {
      rmSync(dataDir, { recursive: true, force: true })
      return database?.drop()
    }
    await sql.exec('create table things (id int primary key, n int not null default 0); create table spare (id int)')
  })
  afterAll(async () => {
    await sql?.close()
    await drop?.()
  })

  test('values come back as the port says, whichever database they were in', async () => {
    const { rows } = await sql.query(
      `select 9007199254740991::int8 as int8, 12.5::numeric as numeric, timestamptz '2026-03-01 00:30:00+01' as timestamptz,
         date '2026-01-02' as date, timestamp '2026-01-02 03:04:05' as timestamp, '{"a":[1,null]}'::jsonb as jsonb,
         '\\x0102ff'::bytea as bytea, array[1,null]::int8[] as int8s, array[1.5]::numeric[] as numerics,
         array[to_timestamp(1.5)] as timestamptzs, array['a','b,"c']::text[] as texts, null as nothing, true as bool,
         1.5::float8 as float8, 0.25::float4 as float4, 'x' as text`,
    )
    expect(rows[0]).toEqual({
      int8: 9007199254740991,
      numeric: 12.5,
      timestamptz: Date.UTC(2026, 1, 28, 23, 30),
      date: '2026-01-02',
      timestamp: '2026-01-02 03:04:05',
      jsonb: { a: [1, null] },
      bytea: Uint8Array.of(1, 2, 255),
      int8s: [1, null],
      numerics: [1.5],
      timestamptzs: [1500],
      texts: ['a', 'b,"c'],
      nothing: null,
      bool: true,
      float8: 1.5,
      float4: 0.25,
      text: 'x',
    })
    expect(Object.getPrototypeOf(rows[0]!.bytea)).toBe(Uint8Array.prototype)
  })

  test('parameters go in as the port says', async () => {
    const { rows } = await sql.query(
      `select $1::text as text, $2::int8 as int8, $3::bool as bool, $4::timestamptz as time, $5::bytea as bytea, $6::jsonb as json,
         $7::jsonb as list, $8::text as nothing, $9::float8[] as floats, $10::bool[] as bools, $11::timestamptz[] as times,
         $12::uuid[] as uuids, $13::text[] as texts`,
      [
        'a\'b"c\\',
        2 ** 40,
        false,
        new Date(1_700_000_000_123),
        Buffer.from([0, 255]),
        { a: { b: null } },
        '[1,2]',
        undefined,
        [1.5, null],
        [true, false, null],
        [new Date(5)],
        ['0199b0c4-1111-7222-8333-944455556666'],
        ['', 'NULL', 'a,b', '{}', '"'],
      ],
    )
    expect(rows[0]).toEqual({
      text: 'a\'b"c\\',
      int8: 2 ** 40,
      bool: false,
      time: 1_700_000_000_123,
      bytea: Uint8Array.of(0, 255),
      json: { a: { b: null } },
      list: [1, 2],
      nothing: null,
      floats: [1.5, null],
      bools: [true, false, null],
      times: [5],
      uuids: ['0199b0c4-1111-7222-8333-944455556666'],
      texts: ['', 'NULL', 'a,b', '{}', '"'],
    })
  })

  test('count tells the rows returned or changed', async () => {
    expect((await sql.query('insert into spare select generate_series(1, 5)')).count).toBe(5)
    expect((await sql.query('update spare set id = id + 10 where id > $1 returning id', [2])).count).toBe(3)
    expect((await sql.query('update spare set id = id where id < $1', [3])).count).toBe(2)
    expect((await sql.query('select from spare')).count).toBe(5)
    expect((await sql.query('delete from spare where id = 99')).count).toBe(0)
    expect((await sql.query('select 1 as a; select 2 as b')).rows).toEqual([{ b: 2 }])
  })

  test('what the database refuses is told by its SQLSTATE, and is not "try again"', async () => {
    await sql.query('insert into things (id) values (1)')
    await expect(sql.query('insert into things (id) values (1)')).rejects.toMatchObject({ state: '23505', unavailable: false })
    await expect(sql.query('select from nowhere')).rejects.toMatchObject({ state: '42P01', unavailable: false })
    await expect(sql.query('selec')).rejects.toBeInstanceOf(SqlError)
    await expect(sql.query('select $1::int', ['x'])).rejects.toMatchObject({ unavailable: false })
  })

  test('a parameter of the wrong kind is refused as a bug of the caller, and the database goes on as it was', async () => {
    await sql.tx(async (q) => {
      await q.query('create temporary table here (id int) on commit drop')
      await q.query('savepoint s')
      await expect(q.query('select $1::int8', [{ not: 'a number' }])).rejects.toMatchObject({ unavailable: false })
      await q.query('rollback to s')
      // The session is the same one: its temporary table is there.
      expect((await q.query('select from here')).count).toBe(0)
    })
    await expect(sql.query('select $1::bytea', ['no bytes \\x'])).rejects.toMatchObject({ unavailable: false })
  })

  test('a transaction whose work throws leaves nothing behind', async () => {
    const bug = new Error('bug')
    await expect(
      sql.tx(async (q) => {
        await q.query('insert into things (id) values (2)')
        throw bug
      }),
    ).rejects.toBe(bug)
    expect((await sql.query('select from things where id = 2')).count).toBe(0)
  })

  test('[P3] a transaction resolves only when COMMIT was one: a failed statement that the work swallowed rejects it', async () => {
    await expect(
      sql.tx(async (q) => {
        await q.query('insert into things (id) values (3)')
        await q.query('insert into things (id) values (3)').catch(silent)
        return 'done'
      }),
    ).rejects.toMatchObject({ state: '25P02' })
    expect((await sql.query('select from things where id = 3')).count).toBe(0)
    // A savepoint mends it.
    const done = await sql.tx(async (q) => {
      await q.query('insert into things (id) values (3)')
      await q.query('savepoint s')
      await q.query('insert into things (id) values (3)').catch(() => q.query('rollback to s'))
      return 'done'
    })
    expect(done).toBe('done')
    expect((await sql.query('select from things where id = 3')).count).toBe(1)
  })

  test('[O2] two writers race for a row and both are counted; none sees the half of the other', async () => {
    await sql.query('insert into things (id) values (4)')
    const add = () =>
      sql.tx(async (q) => {
        const { rows } = await q.query<{ n: number }>('select n from things where id = 4 for update')
        await q.query('update things set n = $1 where id = 4', [rows[0]!.n + 1])
      })
    await Promise.all(Array.from({ length: 20 }, add))
    expect((await sql.query('select n from things where id = 4')).rows).toEqual([{ n: 20 }])
  })

  test('queries outside a transaction wait for their turn and deadlock nothing', async () => {
    const outside: Promise<unknown>[] = []
    await sql.tx(async (q) => {
      outside.push(
        sql.query('select 1'),
        sql.tx((inner) => inner.query('select 2'), 'reports'),
      )
      await q.query('select 3')
    })
    await expect(Promise.all(outside)).resolves.toHaveLength(2)
  })

  test('a transaction that asks nothing for five seconds is rolled back, and the next one goes on', async () => {
    const stuck = sql.tx(async (q) => {
      await q.query('insert into things (id) values (5)')
      await new Promise(silent)
    })
    await expect(stuck).rejects.toMatchObject({ state: '25P03', unavailable: true })
    expect((await sql.query('select from things where id = 5')).count).toBe(0)
  })

  test('a query of a transaction that is over is refused', async () => {
    let leaked: { query(text: string): Promise<unknown> } | undefined
    await sql.tx(async (q) => {
      leaked = q
    })
    await expect(leaked?.query('select 1')).rejects.toMatchObject({ state: '25P01' })
  })

  test('migrations that were applied are not applied again, and none may change afterwards', async () => {
    const told: string[] = []
    const ours = readMigrations()
    await migrate(sql, ours, (text) => told.push(text))
    expect(told).toEqual([])
    const changed = ours.map((one) => ({ ...one, sha256: `${one.sha256}x` }))
    await expect(migrate(sql, changed, silent)).rejects.toBeInstanceOf(StartFault)
    await expect(migrate(sql, ours.slice(1), silent)).rejects.toBeInstanceOf(StartFault)
  })

  test('a migration that fails leaves nothing of itself, and the next start tries it again', async () => {
    const late = (text: string) => [...readMigrations(), { number: 999, name: '999-late.sql', text, sha256: 'x' }]
    await expect(migrate(sql, late('create table late (id int); select nonsense'), silent)).rejects.toBeInstanceOf(SqlError)
    expect((await sql.query("select to_regclass('late') as there")).rows).toEqual([{ there: null }])
    await migrate(sql, late('create table late (id int)'), silent)
    expect((await sql.query("select to_regclass('late')::text as there")).rows).toEqual([{ there: 'late' }])
    await sql.exec('drop table late; delete from migration where number = 999')
  })

  test('rows of a day without a partition wait in the default one and move when it is made', async () => {
    await sql.query(
      `insert into fixes (device_id, qid, seq, day, driver_no, fix_time, received_at, lng, lat)
       values ('0199b0c4-1111-7222-8333-944455556666', 'q', 1, '2020-02-29', 1, '2020-02-29Z', '2020-02-29Z', 12, 57)`,
    )
    const where = async () =>
      (await sql.query<{ part: string }>("select tableoid::regclass::text as part from fixes where day = '2020-02-29'")).rows
    expect(await where()).toEqual([{ part: 'fixes_default' }])
    expect((await sql.query("select ensure_fix_partitions('2020-02-28', 3) as n")).rows).toEqual([{ n: 3 }])
    expect((await sql.query("select ensure_fix_partitions('2020-02-28', 3) as n")).rows).toEqual([{ n: 0 }])
    expect(await where()).toEqual([{ part: 'fixes_20200229' }])
    expect((await sql.query("select drop_fix_partitions('2020-03-01') as n")).rows).toEqual([{ n: 2 }])
    expect(await where()).toEqual([])
  })

  test('it says that it is well, and after it was closed that it is not', async () => {
    const other = kind === 'postgres' ? await open() : sql
    expect(await other.health()).toBe(true)
    await other.close()
    expect(await other.health()).toBe('closed')
    await expect(other.query('select 1')).rejects.toMatchObject({ unavailable: true })
    await other.close()
    if (kind === 'pglite') sql = await open()
    expect((await sql.query('select n from things where id = 4')).rows).toEqual([{ n: 20 }])
  })
})

describe('a real PostgreSQL', () => {
  const dataDir = tmpdir()

  test('four nodes that start at once on an empty database migrate it once', async () => {
    const database = await createDatabase(true)
    const told: string[] = []
    const nodes = await Promise.all(
      Array.from({ length: 4 }, () =>
        openSql({ databaseUrl: database.url, dataDir, durability: 'strict', onProgress: (text) => told.push(text) }),
      ),
    )
    expect(told.sort()).toEqual(readMigrations().map((one) => `migration ${one.name}`))
    await Promise.all(nodes.map((one) => one.close()))
    await database.drop()
  })

  test.each(['synchronous_commit'])(
    '[P3] with %s off it refuses to start, unless told DURABILITY=relaxed, which it prints',
    async (name) => {
      const database = await createDatabase()
      const admin = new pg.Client(database.url)
      await admin.connect()
      await admin.query(`alter database ${new URL(database.url).pathname.slice(1)} set ${name} = off`)
      await admin.end()
      await expect(openSql({ databaseUrl: database.url, dataDir, durability: 'strict' })).rejects.toThrow(name)
      const told: string[] = []
      const sql = await openSql({
        databaseUrl: database.url,
        dataDir,
        durability: 'relaxed',
        onProgress: (text) => told.push(text),
      })
      expect(told.join()).toContain(name)
      await sql.close()
      await database.drop()
    },
  )

  test('a database that is not there is one line that names the place and not the password', async () => {
    const url = `postgres://someone:hunter2@127.0.0.1:${await freePort()}/nowhere`
    const refused = await openSql({ databaseUrl: url, dataDir, durability: 'strict' }).catch((error: Error) => error)
    expect(refused).toBeInstanceOf(StartFault)
    expect((refused as Error).message).toMatch(/^DATABASE_URL: .*127\.0\.0\.1:\d+\/nowhere/)
    expect((refused as Error).message).not.toMatch(/hunter2|\n/)
  })

  test('a line that is cut in the middle of a transaction is "try again", and the next one is new', async () => {
    const database = await createDatabase()
    const sql = await openSql({ databaseUrl: database.url, dataDir, durability: 'strict' })
    const cut = sql.tx(async (q) => {
      const { rows } = await q.query<{ pid: number }>('select pg_backend_pid() as pid')
      await sql.query('select pg_terminate_backend($1)', [rows[0]!.pid])
      await q.query('select 1')
    }, 'ingest')
    await expect(cut).rejects.toMatchObject({ unavailable: true })
    expect((await sql.tx((q) => q.query('select 1 as one'), 'ingest')).rows).toEqual([{ one: 1 }])
    await sql.close()
    await database.drop()
  })

  test('a statement of the ingest lane ends after its two seconds, and a report may go on', async () => {
    const database = await createDatabase()
    const sql = await openSql({ databaseUrl: database.url, dataDir, durability: 'strict' })
    const sleep = (lane: 'ingest' | 'reports') => sql.tx((q) => q.query('select pg_sleep(2.5)'), lane)
    const [ingest, report] = await Promise.allSettled([sleep('ingest'), sleep('reports')])
    expect(ingest).toMatchObject({ status: 'rejected', reason: { state: '57014', unavailable: true } })
    expect(report.status).toBe('fulfilled')
    await sql.close()
    await database.drop()
  })
})
