// Nothing in, a real Chromium under Playwright out: the one named, the one on PATH, the one inside npm, or Debian's.
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliDecompressSync } from 'node:zlib'
import { type Browser, chromium } from 'playwright-core'
import { run, which } from './processes.ts'

/** No sandbox, since tests run as root in containers; WebGL in software, since there is no graphics card; no calls home. */
const FLAGS = [
  '--no-sandbox',
  '--disable-dev-shm-usage',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--use-gl=angle',
  '--use-angle=swiftshader',
  '--enable-unsafe-swiftshader',
  '--ignore-gpu-blocklist',
]

export interface Program {
  readonly path: string
  readonly env: Record<string, string>
}

/** Starts a headless Chromium; close it in afterAll. Fails with what to do when there is none: a browser test is never skipped. */
export async function launchChromium(extra: readonly string[] = []): Promise<Browser> {
  const { path, env } = await findChromium()
  return chromium.launch({
    executablePath: path,
    headless: true,
    args: [...FLAGS, ...extra],
    env: { ...(process.env as Record<string, string>), ...env },
  })
}

let found: Promise<Program> | undefined
export function findChromium(): Promise<Program> {
  found ??= find()
  return found
}

async function find(): Promise<Program> {
  const named = process.env.CHROME_PATH
  if (named) return { path: named, env: {} }
  for (const name of ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']) {
    const path = which(name)
    if (path) return { path, env: {} }
  }
  const faults: string[] = []
  for (const way of [packagedChromium, fromApt]) {
    try {
      return await way()
    } catch (error) {
      faults.push(error instanceof Error ? error.message : String(error))
    }
  }
  throw new Error(
    `These tests need a Chromium: none is on PATH, and none could be fetched. Install one, or set CHROME_PATH.\n${faults.join('\n')}`,
  )
}

/** Unpacks the Chromium of @sparticuz/chromium (Linux x64) with the few libraries that a bare image lacks. No root, no network. */
export async function packagedChromium(): Promise<Program> {
  if (process.platform !== 'linux' || process.arch !== 'x64') throw new Error('@sparticuz/chromium: for Linux on x64 only')
  const bin = join(dirname(createRequire(import.meta.url).resolve('@sparticuz/chromium')), '..', '..', 'bin')
  const cache = fileURLToPath(new URL('../../.cache/chromium/', import.meta.url))
  if (!existsSync(join(cache, 'chromium'))) {
    const draft = `${cache.replace(/\/$/, '')}-${process.pid}`
    mkdirSync(draft, { recursive: true })
    const unpack = (name: string) => brotliDecompressSync(readFileSync(join(bin, name)))
    writeFileSync(join(draft, 'chromium'), unpack('chromium.br'), { mode: 0o755 })
    for (const name of ['al2023.tar', 'fonts.tar', 'swiftshader.tar']) {
      writeFileSync(join(draft, name), unpack(`${name}.br`))
      await run('tar', ['-xf', join(draft, name), '-C', draft])
      rmSync(join(draft, name))
    }
    try {
      renameSync(draft, cache)
    } catch {
      rmSync(draft, { recursive: true, force: true }) // another run was faster
    }
  }
  const env = {
    LD_LIBRARY_PATH: [join(cache, 'lib'), join(cache, 'al2023', 'lib'), cache, process.env.LD_LIBRARY_PATH]
      .filter(Boolean)
      .join(':'),
    FONTCONFIG_PATH: join(cache, 'fonts'),
  }
  const path = join(cache, 'chromium')
  await run(path, ['--version', '--no-sandbox'], { env })
  return { path, env }
}

async function fromApt(): Promise<Program> {
  if (process.getuid?.() !== 0 || !which('apt-get')) throw new Error('apt-get install chromium: only as root, where there is apt')
  const env = { DEBIAN_FRONTEND: 'noninteractive' }
  const install = () => run('apt-get', ['install', '-y', '-q', '--no-install-recommends', 'chromium', 'fonts-dejavu'], { env })
  await install().catch(async () => {
    await run('apt-get', ['update', '-q'], { env })
    await install()
  })
  const path = which('chromium')
  if (!path) throw new Error('apt-get installed chromium, but it is not on PATH')
  return { path, env: {} }
}
