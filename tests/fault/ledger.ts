// Every acknowledgement that a device hears, written to a file before the device may use it, in; what of it the database lacks, out.
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Kept } from '@doorstep/shared/protocol'
import pg from 'pg'

/** Kept after the run: a failure can be looked into. */
const folder = fileURLToPath(new URL('../../.cache/faults/', import.meta.url))

export interface Verdict {
  /** Fixes that some device was told are kept. */
  readonly acked: number
  /** Fixes stored, and rows for them. */
  readonly stored: number
  /** `device qid seq` of a fix that was acknowledged and is nowhere: not stored, not quarantined, not skipped. */
  readonly lost: readonly string[]
  /** Stored more than once. */
  readonly twice: readonly string[]
  /** Below what the database itself says it keeps (device_queue.hi), and nowhere; or a queue that is behind what was told. */
  readonly gaps: readonly string[]
}
export const CLEAN = { lost: [], twice: [], gaps: [] }

export interface Ledger {
  readonly path: string
  /** Acknowledgements so far. */
  readonly count: number
  /** To be called with each acknowledgement before anything else is done with it. Written when it returns. */
  heard(device: string, kept: Kept): void
  /** Joins all that was heard with what the database holds. */
  check(databaseUrl: string): Promise<Verdict>
}

export function openLedger(name: string): Ledger {
  mkdirSync(folder, { recursive: true })
  const path = `${folder}${name}.ndjson`
  writeFileSync(path, '')
  let count = 0
  return {
    path,
    get count() {
      return count
    },
    heard(device, { qid, upto, rejected }) {
      appendFileSync(path, `${JSON.stringify({ device, qid, upto, rejected: rejected.length })}\n`)
      count++
    },
    async check(databaseUrl) {
      const told = new Map<string, number>()
      for (const line of readFileSync(path, 'utf8').split('\n').filter(Boolean)) {
        const { device, qid, upto } = JSON.parse(line) as { device: string; qid: string; upto: number }
        const key = `${device} ${qid}`
        told.set(key, Math.max(told.get(key) ?? 0, upto))
      }
      return join(told, await read(databaseUrl))
    },
  }
}

interface Stored {
  /** `device qid` → seq → rows. */
  readonly rows: Map<string, Map<number, number>>
  readonly taken: Map<string, Set<number>>
  readonly hi: Map<string, number>
}

async function read(databaseUrl: string): Promise<Stored> {
  const client = new pg.Client(databaseUrl)
  await client.connect()
  try {
    const rows = new Map<string, Map<number, number>>()
    const fixes = await client.query<{ key: string; seq: string; n: number }>(
      `select device_id || ' ' || qid as key, seq, count(*)::int as n from fixes group by 1, 2`,
    )
    for (const { key, seq, n } of fixes.rows) {
      const queue = rows.get(key) ?? new Map<number, number>()
      rows.set(key, queue.set(Number(seq), n))
    }
    const taken = new Map<string, Set<number>>()
    const others = await client.query<{ key: string; from: string; to: string }>(
      `select device_id || ' ' || qid as key, seq as from, seq as to from fix_quarantine
       union all select device_id || ' ' || qid, from_seq, to_seq from fix_skips`,
    )
    for (const { key, from, to } of others.rows) {
      const queue = taken.get(key) ?? new Set<number>()
      for (let seq = Number(from); seq <= Number(to); seq++) queue.add(seq)
      taken.set(key, queue)
    }
    const queues = await client.query<{ key: string; hi: string }>(`select device_id || ' ' || qid as key, hi from device_queue`)
    return { rows, taken, hi: new Map(queues.rows.map(({ key, hi }) => [key, Number(hi)])) }
  } finally {
    await client.end()
  }
}

function join(told: ReadonlyMap<string, number>, kept: Stored): Verdict {
  const lost: string[] = []
  const gaps: string[] = []
  const twice: string[] = []
  const missing = (key: string, from: number, to: number, into: string[]) => {
    for (let seq = from; seq <= to; seq++)
      if (!kept.rows.get(key)?.has(seq) && !kept.taken.get(key)?.has(seq)) into.push(`${key} ${seq}`)
  }
  let acked = 0
  for (const [key, upto] of told) {
    acked += upto
    missing(key, 1, upto, lost)
    if ((kept.hi.get(key) ?? 0) < upto) gaps.push(`${key} is told kept to ${upto} and is kept to ${kept.hi.get(key) ?? 0}`)
  }
  for (const [key, hi] of kept.hi) missing(key, 1, hi, gaps)
  let stored = 0
  for (const [key, queue] of kept.rows)
    for (const [seq, n] of queue) {
      stored++
      if (n > 1) twice.push(`${key} ${seq}`)
    }
  return { acked, stored, lost, twice, gaps }
}
