// Nothing in, a real Redis 7 (or Valkey) out: the one on PATH, one fetched before, or Debian's own package, unpacked and never installed.
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Launched, launch, newFolder, onFreePort, run, which } from './processes.ts'

const cache = fileURLToPath(new URL('../../.cache/redis/', import.meta.url))

interface Program {
  readonly path: string
  readonly cli: string | null
  readonly env: NodeJS.ProcessEnv
}

export interface RedisServer extends Launched {
  readonly url: string
  readonly port: number
  stop(): Promise<void>
  /** kill -9, and gone when it resolves. */
  kill(): Promise<void>
  /** The same address again, with the same data or, as here without persistence, empty. */
  restart(): Promise<RedisServer>
}

/** Starts a Redis of our own on a free port (or `port`), without persistence. It ends with us. */
export async function startRedis(options: { port?: number; args?: readonly string[] } = {}): Promise<RedisServer> {
  const program = await findRedis()
  const args = options.args ?? []
  const folder = newFolder('redis')
  const on = async (port: number): Promise<RedisServer> => {
    const redis = await launch(
      program.path,
      ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder, ...args],
      { env: program.env, until: /Ready to accept connections/ },
    )
    const end = async (signal: NodeJS.Signals) => {
      redis.signal('SIGCONT')
      redis.signal(signal)
      await redis.gone
    }
    return {
      ...redis,
      port,
      url: `redis://127.0.0.1:${port}`,
      async stop() {
        await end('SIGTERM')
        rmSync(folder, { recursive: true, force: true })
      },
      kill: () => end('SIGKILL'),
      restart: () => on(port),
    }
  }
  return options.port ? on(options.port) : onFreePort(on)
}

/** Three masters that share the slots. Resolves when all of them agree that the cluster is whole. */
export async function startRedisCluster(): Promise<{ url: string; masters: RedisServer[]; stop(): Promise<void> }> {
  const { cli, env } = await findRedis()
  const masters: RedisServer[] = []
  for (let i = 0; i < 3; i++)
    masters.push(await startRedis({ args: ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000'] }))
  const hosts = masters.map((one) => `127.0.0.1:${one.port}`)
  if (!cli) throw new Error('redis-cli is needed to form a cluster, and is not beside redis-server')
  await run(cli, ['--cluster', 'create', ...hosts, '--cluster-yes'], { env })
  // `create` waits until the nodes know each other; each of them must also see all slots served.
  for (const host of hosts) {
    const [, port] = host.split(':')
    for (let n = 0; !/cluster_state:ok/.test(await run(cli, ['-p', port!, 'cluster', 'info'], { env })); n++) {
      if (n > 200) throw new Error('the cluster did not form')
    }
  }
  return {
    masters,
    url: masters.map((one) => one.url).join(','),
    stop: async () => void (await Promise.all(masters.map((one) => one.stop()))),
  }
}

let found: Promise<Program> | undefined
function findRedis(): Promise<Program> {
  found ??= find()
  return found
}

async function find(): Promise<Program> {
  for (const name of ['redis-server', 'valkey-server']) {
    const path = which(name)
    if (path && major(path, {}) >= 7) return { path, cli: which(name.replace('server', 'cli')), env: {} }
  }
  const had = unpacked(cache)
  if (had) return had
  const faults: string[] = []
  for (const packages of [
    ['redis-server', 'redis-tools', 'libjemalloc2', 'liblzf1'],
    ['valkey-server', 'valkey-tools', 'libjemalloc2', 'liblzf1'],
  ]) {
    try {
      return await fromApt(packages)
    } catch (error) {
      faults.push(error instanceof Error ? error.message : String(error))
    }
  }
  throw new Error(
    `These tests need a real Redis 7 or newer (or Valkey): none is on PATH, and none could be fetched.
Install it (Debian, Ubuntu: apt-get install redis-server; macOS: brew install redis; Windows: in WSL), or set TEST_REDIS_URL.
${faults.join('\n')}`,
  )
}

/** The major version that a program says it is; 0 when it doesn't run. Valkey began at 7.2. */
function major(path: string, env: NodeJS.ProcessEnv): number {
  const told = spawnSync(path, ['--version'], { env: { ...process.env, ...env }, encoding: 'utf8' })
  return Number(/\bv=(\d+)/.exec(told.stdout ?? '')?.[1] ?? 0)
}

function unpacked(folder: string): Program | null {
  const bin = join(folder, 'usr', 'bin')
  const lib = join(folder, 'usr', 'lib')
  if (!existsSync(bin)) return null
  const libs = [lib, ...(existsSync(lib) ? readdirSync(lib).map((name) => join(lib, name)) : [])]
  const env = { LD_LIBRARY_PATH: [...libs, process.env.LD_LIBRARY_PATH].filter(Boolean).join(':') }
  for (const name of ['redis', 'valkey']) {
    const path = join(bin, `${name}-server`)
    if (existsSync(path) && major(path, env) >= 7) return { path, cli: join(bin, `${name}-cli`), env }
  }
  return null
}

/** Which package brings a library that a slim image lacks. */
const LIBRARIES: Record<string, string> = {
  'libatomic.so.1': 'libatomic1',
  'libssl.so.3': 'libssl3',
  'libcrypto.so.3': 'libssl3',
  'libsystemd.so.0': 'libsystemd0',
  'liblua5.1.so.0': 'liblua5.1-0',
  'libcap.so.2': 'libcap2',
  'libgcrypt.so.20': 'libgcrypt20',
  'libgpg-error.so.0': 'libgpg-error0',
  'liblzma.so.5': 'liblzma5',
  'libzstd.so.1': 'libzstd1',
  'liblz4.so.1': 'liblz4-1',
  'libhiredis.so.1.1.0': 'libhiredis1.1.0',
  'libhiredis.so.0.14': 'libhiredis0.14',
}

/** Downloads the packages and unpacks them into the cache: nothing is installed, no service is started, no root is needed. */
async function fromApt(packages: readonly string[]): Promise<Program> {
  if (!which('apt-get') || !which('dpkg')) throw new Error('apt-get: not here')
  mkdirSync(join(cache, '..'), { recursive: true })
  const draft = mkdtempSync(join(cache, '..', 'redis-'))
  chmodSync(draft, 0o755)
  const wanted = [...packages]
  try {
    for (let round = 0; round < 12; round++) {
      await download(wanted, draft)
      for (const name of readdirSync(draft)) {
        if (!name.endsWith('.deb')) continue
        await run('dpkg', ['-x', join(draft, name), draft])
        rmSync(join(draft, name))
      }
      const program = unpacked(draft)
      if (program) {
        rmSync(cache, { recursive: true, force: true })
        renameSync(draft, cache)
        const kept = unpacked(cache)
        if (kept) return kept
      }
      const bin = join(draft, 'usr', 'bin', packages[0]!)
      const lib = join(draft, 'usr', 'lib')
      const libs = readdirSync(lib).map((name) => join(lib, name))
      const told = spawnSync(bin, ['--version'], { encoding: 'utf8', env: { ...process.env, LD_LIBRARY_PATH: libs.join(':') } })
      const missing = /(lib[\w.+-]+\.so[\w.]*): cannot open/.exec(told.stderr ?? '')?.[1]
      const bring = missing && LIBRARIES[missing]
      if (!bring) throw new Error(`${packages[0]} from apt does not run: ${told.stderr || told.stdout || told.error?.message}`)
      wanted.splice(0, wanted.length, bring)
    }
    throw new Error(`${packages[0]} from apt lacks too many libraries`)
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
}

async function download(packages: readonly string[], cwd: string): Promise<void> {
  try {
    await run('apt-get', ['download', ...packages], { cwd })
  } catch (error) {
    // A fresh container has no package lists, and a cached image old ones.
    if (process.getuid?.() !== 0) throw error
    await run('apt-get', ['update', '-q'])
    await run('apt-get', ['download', ...packages], { cwd })
  }
}
