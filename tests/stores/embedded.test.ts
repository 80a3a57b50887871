// The embedded database's folder: who may use it, and what is in it after its process was killed.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openJournal } from '@doorstep/server/store/journal'
import { lock } from '@doorstep/server/store/sql/lock'
import { openSql } from '@doorstep/server/store/sql/open'
import { StartFault } from '@doorstep/server/store/start-fault'
import { afterAll, expect, test } from 'vitest'
import { launch } from '../services/processes.ts'
import { deviceOf } from './batches.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const folders: string[] = []
const newFolder = () => {
  const folder = mkdtempSync(join(tmpdir(), 'doorstep-embedded-'))
  folders.push(folder)
  return folder
}
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})
const open = (dataDir: string, durability: 'strict' | 'relaxed' = 'strict', told: string[] = []) =>
  openSql({ databaseUrl: null, dataDir, durability, onProgress: (text) => told.push(text) })

test('[P3] a process killed hard at any time: every batch it acknowledged is in the folder, and nothing twice', {
  timeout: 400_000, // the first start takes 4 s on an idle machine, ten times that on a busy one
}, async () => {
  const dataDir = newFolder()
  const child = fileURLToPath(new URL('./journal-child.ts', import.meta.url))
  for (let round = 1; round <= 2; round++) {
    const writer = await launch(process.execPath, ['--import', 'tsx', child, dataDir], {
      cwd: root,
      until: /(kept \d+\n[\s\S]*){15}/,
      withinMs: 200_000,
    })
    // While it lives, nobody else gets in.
    if (round === 1) {
      const refused = await open(dataDir).catch((error: Error) => error)
      expect(refused).toBeInstanceOf(StartFault)
      expect((refused as Error).message).toContain(`process ${writer.pid}`)
    }
    writer.signal('SIGKILL')
    await writer.gone
    const acked = Math.max(...[...writer.output().matchAll(/^kept (\d+)$/gm)].map((found) => Number(found[1])))
    expect(writer.output()).not.toContain('fault')
    // Its lock is stale: the process is gone. Flushing may be switched off for once, which is told.
    const told: string[] = []
    const sql = await open(dataDir, round === 1 ? 'strict' : 'relaxed', told)
    expect((await sql.query('show fsync')).rows).toEqual([{ fsync: round === 1 ? 'on' : 'off' }])
    expect(told.filter((text) => text.includes('power cut'))).toHaveLength(round === 1 ? 0 : 1)
    const journal = openJournal(sql)
    const upto = await journal.upto(deviceOf(1), 'q')
    expect(upto.ok && upto.value.upto).toBeGreaterThanOrEqual(acked)
    const { rows } = await sql.query<{ n: number; most: number }>('select count(*) as n, max(seq) as most from fixes')
    expect(rows[0]?.n).toBe(rows[0]?.most)
    expect(rows[0]?.most).toBe(upto.ok && upto.value.upto)
    await journal.close()
    await sql.close()
  }
})

test('the same process does not take a folder twice either, and one that was given back is free', () => {
  const file = join(newFolder(), 'pglite.lock')
  const release = lock(file)
  expect(() => lock(file)).toThrow(`in use by process ${process.pid}`)
  release()
  lock(file)()
  expect(existsSync(file)).toBe(false)
})

test('a lock whose process is gone, whose number was given to another process, or that was half written, is taken over', () => {
  const file = join(newFolder(), 'pglite.lock')
  const release = lock(file)
  const mine = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>
  release()
  const gone = spawnSync('true').pid
  for (const stale of [
    { ...mine, pid: gone },
    { ...mine, started: '1' },
    { ...mine, space: 'another boot' },
  ]) {
    writeFileSync(file, JSON.stringify({ ...stale, nonce: 'x' }))
    const taken = lock(file)
    expect(() => lock(file)).toThrow(StartFault)
    taken()
  }
  writeFileSync(file, '{"pid":')
  lock(file)()
  writeFileSync(file, JSON.stringify({ ...mine, nonce: 'x' })) // this very process: alive
  expect(() => lock(file)).toThrow(StartFault)
})

test('a holder in another container can not be asked whether it lives: its beat tells', () => {
  const file = join(newFolder(), 'pglite.lock')
  lock(file)()
  const release = lock(file)
  const mine = JSON.parse(readFileSync(file, 'utf8')) as { space: string | null }
  release()
  if (mine.space === null) return // no such thing on this system
  const elsewhere = { ...mine, pid: 1, nonce: 'x', space: `${mine.space.split(' ')[0]} pid:[1]` }
  writeFileSync(file, JSON.stringify(elsewhere))
  expect(() => lock(file)).toThrow(StartFault)
  const longAgo = new Date(Date.now() - 60_000)
  utimesSync(file, longAgo, longAgo)
  lock(file)()
})

test('a folder that can not be made is said in one line', async () => {
  const file = join(newFolder(), 'file')
  writeFileSync(file, '')
  await expect(open(join(file, 'data'))).rejects.toThrow(/^DATA_DIR .*file\/data can't be made/)
})

test('a folder that holds no database of ours, or a ruined one, is said in one line, and its lock is given back', {
  timeout: 120_000,
}, async () => {
  const dataDir = newFolder()
  mkdirSync(join(dataDir, 'pglite'))
  writeFileSync(join(dataDir, 'pglite', 'PG_VERSION'), '9.6\n')
  const refused = await open(dataDir).catch((error: Error) => error)
  expect(refused).toBeInstanceOf(StartFault)
  expect((refused as Error).message).toContain(join(dataDir, 'pglite'))
  expect(existsSync(join(dataDir, 'pglite.lock'))).toBe(false)
})
