// The services that other tests stand on, as they come up on this machine.

import pg from 'pg'
import { createClient } from 'redis'
import { expect, inject, test } from 'vitest'
import { createDatabase } from '../services/database.ts'

test('a real Redis, 7 or newer, answers', async () => {
  const client = createClient({ url: inject('redisUrl') })
  await client.connect()
  expect(Number(/redis_version:(\d+)/.exec(await client.info('server'))?.[1])).toBeGreaterThanOrEqual(7)
  client.destroy()
})

test('a real PostgreSQL, 15 or newer and durable, makes a database of our own with all tables', async () => {
  const database = await createDatabase()
  const client = new pg.Client(database.url)
  await client.connect()
  const { rows } = await client.query(
    "select current_setting('fsync') as fsync, current_setting('server_version_num')::int as version, to_regclass('fixes')::text as fixes",
  )
  expect(rows[0]).toMatchObject({ fsync: 'on', fixes: 'fixes' })
  expect(rows[0].version).toBeGreaterThanOrEqual(150_000)
  await client.end()
  await database.drop()
})
