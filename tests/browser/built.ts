// Nothing in; the folder of the built pages out, built anew when a source is newer.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const web = fileURLToPath(new URL('../../web/', import.meta.url))
const dist = join(web, 'dist')
const lock = join(web, 'node_modules/.building')

/** Test files run side by side: one of them builds, the others wait for it. */
export async function built(): Promise<string> {
  const end = Date.now() + 120_000
  while (stale()) {
    if (Date.now() > end) throw new Error(`the pages were not built within two minutes; if no build runs, remove ${lock}`)
    try {
      mkdirSync(lock)
    } catch {
      await new Promise((done) => setTimeout(done, 250))
      continue
    }
    try {
      if (!stale()) break
      const vite = join(dirname(createRequire(join(web, 'package.json')).resolve('vite/package.json')), 'bin/vite.js')
      const run = spawnSync(process.execPath, [vite, 'build', '--logLevel', 'warn'], {
        cwd: web,
        encoding: 'utf8',
        // The test runner's own would build React for development.
        env: { ...process.env, NODE_ENV: 'production' },
      })
      if (run.status !== 0) throw new Error(`the pages do not build:\n${run.stdout}${run.stderr}`)
    } finally {
      rmSync(lock, { recursive: true, force: true })
    }
  }
  return dist
}

function stale(): boolean {
  let made: number
  try {
    made = statSync(join(dist, 'manifest.json')).mtimeMs
  } catch {
    return true
  }
  const sources = ['src', 'public', 'scripts'].flatMap((name) =>
    readdirSync(join(web, name), { recursive: true, encoding: 'utf8' }).map((file) => join(web, name, file)),
  )
  const shared = fileURLToPath(new URL('../../shared/src/', import.meta.url))
  sources.push(...readdirSync(shared).map((file) => join(shared, file)))
  sources.push(...['vite.config.ts', 'customer.html', 'dispatch.html', 'drive.html'].map((file) => join(web, file)))
  return sources.some((file) => statSync(file).isFile() && !/\.test\.tsx?$/.test(file) && statSync(file).mtimeMs > made)
}
