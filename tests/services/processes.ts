// A command in, a running process of ours out that can be stopped, killed, frozen, and that never outlives us.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'

export interface Launched {
  readonly pid: number
  /** All that it has said so far. */
  output(): string
  signal(name: NodeJS.Signals): void
  /** Resolves when the process is gone. */
  readonly gone: Promise<void>
}

const running = new Set<ChildProcess>()
const folders = new Set<string>()
let guarded = false

/** However this process ends, its children end with it: by their own ids, none other. */
function guard(): void {
  if (guarded) return
  guarded = true
  const end = () => {
    for (const child of running) child.kill('SIGKILL')
    for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  }
  process.on('exit', end)
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      end()
      // Whoever else listens (vitest does) decides on the exit; alone, we are the last word.
      if (process.listenerCount(name) === 1) process.exit(1)
    })
  }
}

/** A folder below the system's own for such; gone when we are. */
export function newFolder(name: string): string {
  guard()
  const folder = mkdtempSync(join(tmpdir(), `doorstep-${name}-`))
  folders.add(folder)
  return folder
}

/** Where a program stands on PATH, or null. */
export function which(name: string): string | null {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(folder, name)
    if (folder && existsSync(path)) return path
  }
  return null
}

/** On Linux the kernel itself ends the child when we are killed hard. */
const dieWithUs = (signal: string): string[] =>
  process.platform === 'linux' && which('setpriv') && spawnSync('setpriv', ['--pdeathsig', 'KILL', 'true']).status === 0
    ? ['setpriv', '--pdeathsig', signal]
    : []

export interface LaunchOptions {
  readonly env?: NodeJS.ProcessEnv
  readonly uid?: number
  readonly cwd?: string
  /** What it is told when we die: KILL, unless it has children of its own to see to. */
  readonly deathSignal?: string
  /** Ready when its output matches. */
  readonly until: RegExp
  readonly withinMs?: number
}

/** Starts a program and resolves when it says that it is ready. Rejects with its output when it ends or stays silent. */
export async function launch(program: string, args: readonly string[], options: LaunchOptions): Promise<Launched> {
  guard()
  const [first, ...rest] = [...dieWithUs(options.deathSignal ?? 'KILL'), program, ...args] as [string, ...string[]]
  const child = spawn(first, rest, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
    ...(options.cwd ? { cwd: options.cwd } : {}),
    ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
  })
  running.add(child)
  let said = ''
  const gone = new Promise<void>((resolve) => {
    child.once('exit', () => {
      running.delete(child)
      resolve()
    })
    child.once('error', () => {
      running.delete(child)
      resolve()
    })
  })
  await new Promise<void>((resolve, reject) => {
    const name = `${program} ${args.join(' ')}`
    const late = setTimeout(() => {
      child.kill('SIGKILL')
      reject(new Error(`${name} was not ready within ${options.withinMs ?? 30_000} ms:\n${said}`))
    }, options.withinMs ?? 30_000)
    const hear = (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-20_000)
      if (!options.until.test(said)) return
      clearTimeout(late)
      resolve()
    }
    child.stdout.on('data', hear)
    child.stderr.on('data', hear)
    child.once('error', (error) => {
      clearTimeout(late)
      reject(error)
    })
    child.once('exit', (code, signal) => {
      clearTimeout(late)
      reject(new Error(`${name} ended with ${signal ?? code}:\n${said}`))
    })
  })
  return { pid: child.pid!, output: () => said, signal: (name) => void child.kill(name), gone }
}

/** Runs a program to its end; rejects with its output when it fails. */
export async function run(program: string, args: readonly string[], options: Partial<LaunchOptions> = {}): Promise<string> {
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
    ...(options.cwd ? { cwd: options.cwd } : {}),
    ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
  })
  let said = ''
  child.stdout.on('data', (chunk) => {
    said += chunk
  })
  child.stderr.on('data', (chunk) => {
    said += chunk
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => {
      if (code === 0) resolve(said)
      else reject(new Error(`${program} ${args.join(' ')} ended with ${signal ?? code}:\n${said.slice(-4_000)}`))
    })
  })
}

/** A port of the loopback that nobody has just now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}

/** Tries again on another port when somebody took it in the meantime. */
export async function onFreePort<T>(start: (port: number) => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await start(await freePort())
    } catch (error) {
      if (attempt >= 3 || !/in use/i.test(String(error))) throw error
    }
  }
}
