// The lockfile and this Node in, an installed workspace out: pnpm runs only when one of them changed.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = dirname(dirname(fileURLToPath(import.meta.url)))
const PNPM = 'pnpm@10.34.9'

/** Words to the person go to stderr: the standard output belongs to the command (replay prints JSON lines). */
export const say = (text) => process.stderr.write(`${text}\n`)

/** An error whose message is meant for the person, without a stack. */
export function expected(message) {
  return Object.assign(new Error(message), { expected: true })
}

/** npm hands its own settings down as npm_* variables, which pnpm then warns about or obeys: they are not meant for it. */
export function cleanEnv() {
  const env = { ...process.env, PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH ?? ''}` }
  const keep = /^npm_config_(registry|cafile|proxy|https_proxy|noproxy|nodedir|cache)$/i
  for (const key of Object.keys(env)) if (/^npm_/i.test(key) && !keep.test(key)) delete env[key]
  return env
}

/** Runs `npx -y …` with the npm that started us, else the one beside Node, else the one on the PATH. Resolves to the exit code. */
export function npx(args, { stdio = 'inherit' } = {}) {
  const beside = dirname(process.execPath)
  const cli = [
    process.env.npm_execpath && join(dirname(process.env.npm_execpath), 'npx-cli.js'),
    join(beside, '..', 'lib', 'node_modules', 'npm', 'bin', 'npx-cli.js'),
    join(beside, 'node_modules', 'npm', 'bin', 'npx-cli.js'),
  ].find((file) => file && existsSync(file))
  return new Promise((resolve, reject) => {
    const [command, argv] = cli ? [process.execPath, [cli, '-y', ...args]] : ['npx', ['-y', ...args]]
    const child = spawn(command, argv, { cwd: root, env: cleanEnv(), stdio, shell: !cli && process.platform === 'win32' })
    child.on('error', (error) => reject(expected(`npx could not be run (${error.message}); is npm installed?`)))
    child.on('exit', (code) => resolve(code ?? 1))
  })
}

export async function ensureInstalled() {
  const hash = createHash('sha256').update(process.version)
  const packages = ['shared', 'server', 'web', 'driver-sim', 'tests'].map((name) => join(name, 'package.json'))
  for (const file of ['pnpm-lock.yaml', 'pnpm-workspace.yaml', 'package.json', ...packages])
    hash.update(readFileSync(join(root, file)))
  const want = hash.digest('hex')
  const stamp = join(root, 'node_modules', '.doorstep', 'installed')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === want) return
  say('Installing packages (the first time takes about half a minute) …')
  const started = Date.now()
  const quiet = process.stderr.isTTY ? [] : ['--reporter=append-only']
  const code = await npx([PNPM, 'install', '--frozen-lockfile', '--config.confirmModulesPurge=false', ...quiet], {
    stdio: ['ignore', 2, 2],
  })
  if (code !== 0) throw expected(`The packages could not be installed (pnpm ended with ${code}).`)
  mkdirSync(dirname(stamp), { recursive: true })
  writeFileSync(stamp, want)
  say(`Packages installed in ${((Date.now() - started) / 1000).toFixed(0)} s.`)
}
