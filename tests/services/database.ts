// Nothing in; a PostgreSQL database for one test file out, with all tables made.
import pg from 'pg'
import { inject } from 'vitest'

let made = 0

/** A copy of the migrated template, or an `empty` one. Some 50 ms; drop it in afterAll when nothing uses it any more. */
export async function createDatabase(empty = false): Promise<{ url: string; drop(): Promise<void> }> {
  const template = inject('postgresTemplate')
  const name = `t_${template}_${process.pid}_${++made}`
  const admin = async (text: string) => {
    const client = new pg.Client(inject('postgresUrl'))
    await client.connect()
    try {
      await client.query(text)
    } finally {
      await client.end()
    }
  }
  await admin(`create database ${name} template ${empty ? 'template0' : template}`)
  const url = new URL(inject('postgresUrl'))
  url.pathname = `/${name}`
  return { url: url.href, drop: () => admin(`drop database if exists ${name} with (force)`) }
}
