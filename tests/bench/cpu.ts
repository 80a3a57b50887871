// A process id in; the processor time and memory that it has used out.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'

/** User and system time of all threads so far, µs. */
export function cpuOf(pid: number): number {
  const tasks = `/proc/${pid}/task`
  if (existsSync(`${tasks}/${pid}/schedstat`)) {
    let ns = 0
    for (const task of readdirSync(tasks)) {
      try {
        ns += Number(readFileSync(`${tasks}/${task}/schedstat`, 'utf8').split(' ')[0])
      } catch {
        // The thread has ended meanwhile.
      }
    }
    return ns / 1000
  }
  // [[dd-]hh:]mm:ss[.ss]
  const text = spawnSync('ps', ['-o', 'cputime=', '-p', String(pid)], { encoding: 'utf8' }).stdout.trim()
  const [days, clock] = text.includes('-') ? text.split('-') : ['0', text]
  const seconds = clock!.split(':').reduce((sum, part) => sum * 60 + Number(part), 0)
  return (Number(days) * 86_400 + seconds) * 1e6
}

/** Resident memory, bytes. */
export function memoryOf(pid: number): number {
  const status = `/proc/${pid}/status`
  if (existsSync(status)) return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(status, 'utf8'))?.[1]) * 1024
  return Number(spawnSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' }).stdout.trim()) * 1024
}
