// A command's name and arguments in, its exit code out: the one door for `npm start`, `npm test` and the rest. Needs nothing but Node and npm.
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build } from './build.mjs'
import { ensureInstalled, npx, root, say } from './install.mjs'

const [command = 'start', ...args] = process.argv.slice(2)

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`Doorstep needs Node 20.19 or newer (24 is best); this is ${process.version}.`)
  process.exit(1)
}

/** Runs a Node program with the terminal handed through; resolves to its exit code. */
function node(argv, cwd = root) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, argv, { cwd, stdio: 'inherit' })
    for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal))
    child.on('error', reject)
    child.on('exit', (code) => resolve(code ?? 1))
  })
}
/** Runs a TypeScript program of ours. */
function typed(file) {
  const tsx = pathToFileURL(join(root, 'node_modules', 'tsx', 'dist', 'loader.mjs')).href
  return node(['--import', tsx, join(root, file), ...args])
}
/** Where the person stood when typing `npm run …`: file names among the arguments mean files there. */
const here = process.env.INIT_CWD ?? root

const commands = {
  start: async () => (await import('./start.mjs')).start(args),
  async build() {
    await build({ force: args.includes('--force') })
    return 0
  },
  test: async () => (await import('./test.mjs')).test(args),
  // The long form of tests/fault: 100 kills of a server, 30 of PostgreSQL, 20,000 simulated worlds … three quarters of an hour.
  'test:faults': async () => (await import('./test.mjs')).faults(args),
  'test:mutants': async () => ((await (await import('./mutants.mjs')).mutants(args)) === 0 ? 0 : 1),
  check: async () => (await import('./test.mjs')).check(),
  ci: async () => (await import('./test.mjs')).ci(),
  // The registry's own `node` package carries the binary of Node 24 for this machine.
  'test:node24': () => npx(['node@24', join(root, 'scripts', 'run.mjs'), 'test', ...args]),
  async sim() {
    await build({ only: ['driver-sim'] })
    // The server that was started here keeps its key here.
    const kept = join(process.env.DATA_DIR ?? join(root, 'data'), 'admin.key')
    if (!process.env.ADMIN_KEY && existsSync(kept)) process.env.ADMIN_KEY = readFileSync(kept, 'utf8').trim()
    return node([join(root, 'driver-sim', 'dist', 'main.js'), ...args], here)
  },
  async replay() {
    await build({ only: ['server'] })
    return node([join(root, 'server', 'dist', 'replay.js'), ...args], here)
  },
  async city() {
    await build({ only: ['server'] })
    return node([join(root, 'server', 'dist', 'city-build.js'), ...args], here)
  },
  async bench() {
    await build({ only: ['server'] })
    return typed('tests/bench/main.ts')
  },
  async profile() {
    await build({ only: ['server'] })
    return typed('tests/bench/profile.ts')
  },
}

const run = commands[command]
if (!run) {
  console.error(`There is no command ${command}. There are: ${Object.keys(commands).join(', ')}`)
  process.exit(2)
}
try {
  if (command !== 'test:node24') await ensureInstalled()
  process.exitCode = await run()
} catch (error) {
  say(error?.expected ? error.message : String(error?.stack ?? error))
  process.exitCode = 1
}
