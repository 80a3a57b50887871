// The source tree in; every import that goes against the arrows of the design out.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, posix, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')

interface Source {
  /** Path from the root with forward slashes. */
  readonly file: string
  readonly text: string
  readonly imports: readonly string[]
}

const sources: Source[] = ['shared', 'server', 'web', 'driver-sim'].flatMap((name) => walk(join(root, name, 'src')))

function walk(folder: string): Source[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return walk(path)
    if (!/\.tsx?$/.test(entry.name) || /\.test\.tsx?$/.test(entry.name)) return []
    const text = readFileSync(path, 'utf8')
    const file = relative(root, path).replaceAll('\\', '/')
    const imports = [...text.matchAll(/(?:\bfrom\s*|\bimport\s*\(?\s*)['"]([^'"]+)['"]/g)].map((found) => {
      const name = found[1]!
      return name.startsWith('.') ? posix.join(posix.dirname(file), name) : name
    })
    return [{ file, text, imports }]
  })
}

const inside = (folder: string) => sources.filter((s) => s.file.startsWith(`${folder}/`))
/** Every import of the chosen files that the rule forbids, as `file → import`. */
const against = (files: readonly Source[], forbidden: (name: string, file: string) => boolean) =>
  files.flatMap((s) => s.imports.filter((name) => forbidden(name, s.file)).map((name) => `${s.file} → ${name}`))
const naming = (files: readonly Source[], pattern: RegExp) => files.filter((s) => pattern.test(strip(s.text))).map((s) => s.file)
/** Comments and strings may speak of what code may not do. */
const strip = (text: string) => text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')

test('shared knows nothing but itself: no package, no Node, no DOM', () => {
  expect(against(inside('shared'), (name) => !name.startsWith('shared/src/'))).toEqual([])
  expect(naming(inside('shared'), /\b(?:document|window|process|Buffer|localStorage)\s*\./)).toEqual([])
})

test('server, web and driver-sim never import each other', () => {
  for (const [own, others] of [
    ['server', ['web', 'driver-sim']],
    ['web', ['server', 'driver-sim']],
    ['driver-sim', ['server', 'web']],
  ] as const) {
    expect(
      against(inside(own), (name) => others.some((o) => name.startsWith(`@doorstep/${o}`) || name.startsWith(`${o}/`))),
    ).toEqual([])
  }
})

test('the tracking core imports shared alone, and its neighbours', () => {
  const allowed = /^(@doorstep\/shared\/|server\/src\/tracking\/)/
  // Types of ports cost nothing at run time and keep the words the same on both sides.
  const types = (file: string, name: string) =>
    new RegExp(`import type [^;]*?['"][^'"]*${posix.basename(name)}['"]`).test(sources.find((s) => s.file === file)?.text ?? '')
  expect(against(inside('server/src/tracking'), (name, file) => !allowed.test(name) && !types(file, name))).toEqual([])
})

test('the edges live, intake and http never import each other', () => {
  const edges = ['live', 'intake', 'http']
  for (const edge of edges) {
    expect(
      against(inside(`server/src/${edge}`), (name) => edges.some((o) => o !== edge && name.startsWith(`server/src/${o}/`))),
    ).toEqual([])
  }
})

test('the middle never imports the edges, and nothing imports app or main', () => {
  const middle = ['tracking', 'orders', 'store', 'routing', 'tiles'].flatMap((name) => inside(`server/src/${name}`))
  expect(against(middle, (name) => /^server\/src\/(live|intake|http)\//.test(name))).toEqual([])
  const all = sources.filter((s) => s.file !== 'server/src/main.ts')
  expect(against(all, (name) => /^server\/src\/(app|main)\.ts$/.test(name))).toEqual([])
})

test('redis is named in the app, main and the positions store alone', () => {
  const rest = inside('server').filter((s) => !/^server\/src\/(main|app)\.ts$|^server\/src\/store\/positions\//.test(s.file))
  expect(against(rest, (name) => name === 'redis' || name === '@socket.io/redis-adapter')).toEqual([])
})

test('pg and PGlite are named in the sql store alone', () => {
  const rest = inside('server').filter((s) => !s.file.startsWith('server/src/store/sql/'))
  expect(against(rest, (name) => name === 'pg' || name.startsWith('@electric-sql/'))).toEqual([])
})

test('socket.io is named in the app and the live edge alone', () => {
  const rest = inside('server').filter((s) => s.file !== 'server/src/app.ts' && !s.file.startsWith('server/src/live/'))
  expect(against(rest, (name) => name === 'socket.io' || name === 'engine.io')).toEqual([])
})

test('environment, clock and chance are read in main files alone', () => {
  const mains = /^(server\/src\/(main|replay|city-build)\.ts|driver-sim\/src\/main\.ts)$/
  const pure = sources.filter((s) => !mains.test(s.file) && !s.file.startsWith('web/'))
  expect(naming(pure, /\bprocess\.env\b/)).toEqual([])
  expect(naming(pure, /\bMath\.random\s*\(/)).toEqual([])
  expect(naming(pure, /\bDate\.now\s*\(|new Date\(\)/)).toEqual([])
})

test('in the web the map never imports the feed, and pages are imported by nobody', () => {
  expect(against(inside('web/src/map'), (name) => name.startsWith('web/src/feed/') || name.startsWith('web/src/pages/'))).toEqual(
    [],
  )
  expect(against([...inside('web/src/feed'), ...inside('web/src/ui')], (name) => name.startsWith('web/src/pages/'))).toEqual([])
})

test('every file opens with a line that says what comes in and what goes out', () => {
  expect(sources.filter((s) => !s.text.startsWith('//') && !s.file.endsWith('.d.ts')).map((s) => s.file)).toEqual([])
})
