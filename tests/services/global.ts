// The start of a test run in; a built server, one Redis and one PostgreSQL for all of its files out, gone when the run is over, Ctrl-C or not.
import { fileURLToPath } from 'node:url'
import { openCity } from '@doorstep/server/city'
import { retain } from '@doorstep/server/store/journal'
import { openSql } from '@doorstep/server/store/sql/open'
import pg from 'pg'
import type { TestProject } from 'vitest/node'
import { startPostgres } from './postgres.ts'
import { startRedis } from './redis.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** A Redis that all test files share: use keys or node ids of your own, or start one (tests/services/redis.ts). */
    redisUrl: string
    /** A server where createDatabase() makes a database for each file. */
    postgresUrl: string
    /** Database with all migrations applied, to be copied. */
    postgresTemplate: string
  }
}

/** TEST_REDIS_URL and TEST_DATABASE_URL name servers that are there already; those are left running. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const ends: (() => unknown)[] = []
  const end = async () => {
    for (const one of ends.reverse()) await one()
  }
  try {
    // What server processes are started from: built once, before any file runs. Plain JavaScript that has no types to import.
    const builder = new URL('../../scripts/build.mjs', import.meta.url).href
    await ((await import(builder)) as { build(what: { only: string[] }): Promise<void> }).build({ only: ['server'] })
    const redis = async () => {
      const given = process.env.TEST_REDIS_URL
      if (given) return given
      const started = await startRedis()
      ends.push(() => started.stop())
      return started.url
    }
    const postgres = async () => {
      const given = process.env.TEST_DATABASE_URL
      if (given) return given
      const started = await startPostgres()
      ends.push(() => started.stop())
      return started.url
    }
    // The city is built once, before many servers want it at the same moment.
    const city = openCity(fileURLToPath(new URL('../../.cache/', import.meta.url)))
    const [redisUrl, postgresUrl] = await Promise.all([redis(), postgres(), city])
    const template = `doorstep_template_${process.pid}`
    const admin = new pg.Client(postgresUrl)
    await admin.connect()
    await admin.query(`drop database if exists ${template}`)
    await admin.query(`create database ${template}`)
    const url = new URL(postgresUrl)
    url.pathname = `/${template}`
    const sql = await openSql({ databaseUrl: url.href, dataDir: '', durability: 'strict' })
    await retain(sql, Date.now(), 60)
    await sql.close()
    if (process.env.TEST_DATABASE_URL) ends.push(() => dropAll(postgresUrl, template))
    await admin.end()
    project.provide('redisUrl', redisUrl)
    project.provide('postgresUrl', postgresUrl)
    project.provide('postgresTemplate', template)
  } catch (error) {
    await end()
    throw error
  }
  return end
}

/** On a server that goes on: the template and what was copied from it. */
async function dropAll(postgresUrl: string, template: string): Promise<void> {
  const admin = new pg.Client(postgresUrl)
  await admin.connect()
  const { rows } = await admin.query('select datname from pg_database where datname = $1 or datname like $2', [
    template,
    `t\\_${template}\\_%`,
  ])
  for (const { datname } of rows) await admin.query(`drop database if exists ${datname} with (force)`)
  await admin.end()
}
