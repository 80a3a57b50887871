// Sources in, dist folders out, each only when something that it is made of changed.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { expected, root, say } from './install.mjs'

const SHARED = ['shared/src', 'shared/package.json', 'scripts/build.mjs', 'pnpm-lock.yaml']

/** What each part is made of, and how. `files` are folders or files below the root. */
const PARTS = {
  server: { files: [...SHARED, 'server/src', 'server/package.json'], make: makeServer },
  'driver-sim': {
    files: [...SHARED, 'driver-sim/src', 'driver-sim/package.json'],
    make: () => bundle('driver-sim', ['main.ts']),
  },
  web: { files: [...SHARED, 'web'], make: makeWeb },
}

/** Builds what is stale. `only` names parts; `force` builds even what is fresh. Throws an expected error when a part can't be built. */
export async function build({ only = Object.keys(PARTS), force = false } = {}) {
  for (const name of only) {
    const part = PARTS[name]
    const want = hashOf(part.files)
    const stamp = join(root, name, 'dist', '.stamp')
    if (!force && existsSync(stamp) && readFileSync(stamp, 'utf8') === want) continue
    const started = Date.now()
    say(`Building ${name} …`)
    rmSync(join(root, name, 'dist'), { recursive: true, force: true })
    await part.make()
    mkdirSync(dirname(stamp), { recursive: true })
    writeFileSync(stamp, want)
    say(`Built ${name} in ${((Date.now() - started) / 1000).toFixed(1)} s.`)
  }
}

async function makeServer() {
  const source = join(root, 'server', 'src')
  const entries = ['main.ts', 'replay.ts', 'city-build.ts']
  await bundle(
    'server',
    entries.filter((entry) => existsSync(join(source, entry))),
  )
  // What is read as files at run time stands beside the bundle as it stands beside its reader in the source.
  for (const folder of ['store/sql/migrations', 'store/sql', 'store/positions']) {
    for (const name of existsSync(join(source, folder)) ? readdirSync(join(source, folder)) : []) {
      const to = name.endsWith('.sql') ? join('migrations', name) : /\.(lua|mjs)$/.test(name) ? name : null
      if (!to) continue
      mkdirSync(dirname(join(root, 'server', 'dist', to)), { recursive: true })
      cpSync(join(source, folder, name), join(root, 'server', 'dist', to))
    }
  }
}

async function makeWeb() {
  const folder = join(root, 'web')
  await spawned([join(folder, 'node_modules', 'vite', 'bin', 'vite.js'), 'build', '--logLevel', 'warn'], folder)
  const compress = join(folder, 'scripts', 'compress.mjs')
  if (existsSync(compress)) await spawned([compress], folder)
}

async function bundle(name, entries) {
  const esbuild = createRequire(join(root, 'package.json'))('esbuild')
  await esbuild.build({
    entryPoints: entries.map((entry) => join(root, name, 'src', entry)),
    outdir: join(root, name, 'dist'),
    entryNames: '[name]',
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    sourcemap: 'linked',
    logLevel: 'warning',
    plugins: [ownCodeIn],
  })
  // Its helper process would live as long as we do.
  await esbuild.stop()
}

/** Packages stay where pnpm put them; only our own code is compiled in. */
const ownCodeIn = {
  name: 'own-code-in',
  setup(build) {
    build.onResolve({ filter: /^[^./]/ }, (found) =>
      found.kind === 'entry-point' || found.path.startsWith('@doorstep/') ? undefined : { path: found.path, external: true },
    )
  },
}

function spawned(argv, cwd) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, argv, { cwd, stdio: ['ignore', 2, 2], env: { ...process.env, NODE_ENV: 'production' } })
    child.on('error', reject)
    child.on('exit', (code) => (code === 0 ? resolve() : reject(expected(`${argv[0].slice(root.length + 1)} ended with ${code}`))))
  })
}

const SKIPPED = new Set(['node_modules', 'dist', '.cache'])

function hashOf(files) {
  const hash = createHash('sha256').update(process.version)
  const add = (path) => {
    if (!existsSync(path)) return
    if (!statSync(path).isDirectory()) return void hash.update(path.slice(root.length)).update(readFileSync(path))
    for (const name of readdirSync(path).sort()) if (!SKIPPED.has(name) && !/\.test\.tsx?$/.test(name)) add(join(path, name))
  }
  for (const file of files) add(join(root, file))
  return hash.digest('hex')
}
