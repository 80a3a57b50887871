// A folder in, the sole right to use it out, or who holds it: PGlite opens a folder twice without complaint and then ruins it.
import { randomBytes } from 'node:crypto'
import { linkSync, readFileSync, readlinkSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { StartFault } from '../start-fault.ts'

interface Holder {
  readonly pid: number
  /** When the process started, in the system's own words; null where it can't be told. */
  readonly started: string | null
  /** Which boot and which set of process numbers `pid` belongs to (containers have their own). */
  readonly space: string | null
  readonly nonce: string
}

const BEAT_MS = 5_000
/** A holder in another container can't be asked whether it lives; its beat tells. */
const SILENT_MS = 20_000

/**
 * Takes the lock file or throws StartFault. A lock whose process is gone (kill -9, power cut, reused number) is taken over.
 * Answers the function that gives it back.
 */
export function lock(file: string): () => void {
  const mine: Holder = { pid: process.pid, started: startOf(process.pid), space: space(), nonce: randomBytes(8).toString('hex') }
  const draft = `${file}.${mine.nonce}`
  writeFileSync(draft, JSON.stringify(mine), { mode: 0o600 })
  try {
    for (let attempt = 0; ; attempt++) {
      try {
        linkSync(draft, file) // atomic: only one of many wins
        break
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      }
      const seen = read(file)
      if (seen.text !== null && (attempt > 3 || holds(seen.holder, file, draft))) {
        throw new StartFault(
          `the embedded database in ${file.replace(/\.lock$/, '')} is in use by process ${seen.holder?.pid ?? '?'}; stop that one, or set DATA_DIR or DATABASE_URL`,
        )
      }
      takeAway(file, seen.text, `${draft}.old`)
    }
  } finally {
    rmSync(draft, { force: true })
  }
  const beat = setInterval(() => {
    try {
      const at = (performance.timeOrigin + performance.now()) / 1000
      utimesSync(file, at, at)
    } catch {
      // The folder was removed under us; the database itself will say so.
    }
  }, BEAT_MS)
  beat.unref()
  return () => {
    clearInterval(beat)
    if (read(file).holder?.nonce === mine.nonce) rmSync(file, { force: true })
  }
}

function holds(holder: Holder | null, file: string, draft: string): boolean {
  if (!holder) return false // half written by a process that died
  if (holder.space !== space()) {
    const age = statSync(draft).mtimeMs - (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0)
    return holder.space?.split(' ')[0] === space()?.split(' ')[0] && age < SILENT_MS
  }
  try {
    process.kill(holder.pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
  }
  return holder.started === null || startOf(holder.pid) === holder.started
}

/** Removes a stale lock, and puts it back when another took it in the meantime. */
function takeAway(file: string, stale: string | null, aside: string): void {
  if (stale === null) return
  try {
    renameSync(file, aside)
  } catch {
    return // somebody else was faster
  }
  if (read(aside).text !== stale) linkSync(aside, file)
  rmSync(aside, { force: true })
}

function read(file: string): { text: string | null; holder: Holder | null } {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch {
    return { text: null, holder: null }
  }
  try {
    return { text, holder: JSON.parse(text) as Holder }
  } catch {
    return { text, holder: null }
  }
}

/** Start of a process in clock ticks since boot (proc(5), field 22); null off Linux and for a process that is gone. */
function startOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null
  } catch {
    return null
  }
}

function space(): string | null {
  try {
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${readlinkSync('/proc/self/ns/pid')}`
  } catch {
    return null
  }
}
