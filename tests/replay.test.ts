// The replay command as a person runs it, and, where the recorded trips are at hand, its figures.
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { recordings, score } from './replay/score.ts'

const folder = mkdtempSync(join(tmpdir(), 'doorstep-replay-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const root = new URL('..', import.meta.url).pathname
const command = ['--import', 'tsx', 'server/src/replay.ts']

function replay(lines: readonly string[]): { status: number | null; out: Record<string, unknown>[]; stderr: string } {
  const file = join(folder, 'trips.jsonl')
  writeFileSync(file, lines.map((l) => `${l}\n`).join(''))
  const run = spawnSync(process.execPath, [...command, file], { cwd: root, encoding: 'utf8', maxBuffer: 1 << 28 })
  const out = run.stdout
    .split('\n')
    .filter(Boolean)
    .map((l) => JSON.parse(l) as Record<string, unknown>)
  return { status: run.status, out, stderr: run.stderr }
}

const street = [
  [11.97, 57.7],
  [11.98, 57.7],
  [11.99, 57.7],
]
const trip = (over: object = {}): string =>
  JSON.stringify({ id: 'a', route: street, pings: [0, 1, 2, 3, 4, 5].map((k) => [k * 20, 11.97 + k * 0.004, 57.7]), ...over })

test('a line after each ping in input order, with every field a number or known to be unknown', () => {
  const { status, out, stderr } = replay([trip({ start: 1_700_000_000, note: 'other keys are ignored' })])
  expect(stderr).toBe('')
  expect(status).toBe(0)
  expect(out.map((l) => l.i)).toEqual([0, 1, 2, 3, 4, 5])
  for (const line of out) {
    expect(Object.keys(line)).toEqual([
      ...['id', 'i', 't', 'along_m', 'remaining_m', 'eta_s', 'eta_low_s', 'eta_high_s', 'off_route', 'phase', 'lng', 'lat'],
    ])
    for (const key of ['t', 'along_m', 'remaining_m', 'eta_s', 'eta_low_s', 'eta_high_s', 'lng', 'lat'])
      expect(line[key]).toBeTypeOf('number')
    expect(line.eta_low_s).toBeGreaterThanOrEqual(0)
    expect(line.eta_high_s).toBeGreaterThanOrEqual(line.eta_s as number)
  }
  expect(out.map((l) => l.phase)).toEqual(['enroute', 'enroute', 'enroute', 'enroute', 'approaching', 'arrived'])
  expect(out.at(-1)).toMatchObject({ t: 100, remaining_m: 0, off_route: false })
})

test('[T1] late, shuffled and repeated pings give the same last line and the same arrivals', () => {
  const stops = [
    [11.98, 57.7001],
    [11.99, 57.7],
  ]
  const pings = Array.from({ length: 60 }, (_, k) => [k * 5, 11.97 + k * 0.00034, 57.7])
  const clean = replay([trip({ pings, stops })])
  const mixed = [...pings, ...pings].sort((a, b) => ((a[0]! * 7919) % 61) - ((b[0]! * 7919) % 61))
  const shuffled = replay([trip({ pings: mixed, stops })])
  const last = (run: typeof clean) => ({ ...run.out.filter((l) => 'i' in l).at(-1), i: 0 })
  const arrivals = (run: typeof clean) => Object.fromEntries(run.out.filter((l) => l.event === 'arrived').map((l) => [l.stop, l.t]))
  expect(Object.keys(arrivals(clean))).toEqual(['0', '1'])
  expect(last(shuffled)).toEqual(last(clean))
  expect(arrivals(shuffled)).toEqual(arrivals(clean))
})

test('no pings is no line; a route over the antimeridian, of no length, or with times below zero is like any other', () => {
  const { status, out } = replay([
    trip({ id: 'none', pings: [] }),
    trip({ id: 'still', route: [street[0], street[0]], pings: [[-5, ...street[0]!]], start: -4 }),
    trip({
      id: 'fiji',
      route: [
        [179.99, -17],
        [-179.99, -17],
      ],
      pings: [
        [0, 179.99, -17],
        [90, 179.9999, -17],
        [180, -179.99, -17],
      ],
    }),
  ])
  expect(status).toBe(0)
  expect(out.map((l) => l.id)).toEqual(['still', 'fiji', 'fiji', 'fiji'])
  expect(out[0]).toMatchObject({ t: -5, phase: 'arrived' })
  expect(out[3]).toMatchObject({ phase: 'arrived', remaining_m: 0 })
})

test('a line that is no trip is told with its number and why, the others are replayed, and the exit code says so', () => {
  const bad = [
    'nonsense',
    '[]',
    trip({ id: null }),
    trip({ route: [[0, 0]] }),
    trip({
      route: [
        [0, 0],
        [0, 91],
      ],
    }),
    trip({ pings: [[0, 'x', 0]] }),
    trip({ pings: [[1e300, 11.97, 57.7]] }),
    trip({ pings: 7 }),
    trip({ start: 'noon' }),
    trip({ stops: [1] }),
  ]
  const { status, out, stderr } = replay([...bad, '', trip()])
  expect(status).toBe(1)
  expect(out).toHaveLength(6)
  const told = stderr.trim().split('\n')
  expect(told).toHaveLength(bad.length)
  for (const [k, line] of told.entries()) expect(line).toMatch(new RegExp(`trips\\.jsonl:${k + 1}: .+`))
  expect(stderr).not.toContain('    at ')
})

test('a file that is not there, or none given, is one clear line and exit code 2', () => {
  for (const args of [[join(folder, 'nowhere')], []]) {
    const run = spawnSync(process.execPath, [...command, ...args], { cwd: root, encoding: 'utf8' })
    expect(run.status).toBe(2)
    expect(run.stderr.trim().split('\n')).toHaveLength(1)
  }
})

test('a reader that goes away is an end, not a crash', async () => {
  const file = join(folder, 'long.jsonl')
  const pings = Array.from({ length: 4000 }, (_, k) => [k, 11.97 + k * 5e-6, 57.7])
  writeFileSync(file, Array.from({ length: 10 }, () => trip({ pings })).join('\n'))
  const child = spawn(process.execPath, [...command, file], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  let stderr = ''
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  child.stdout.once('data', () => child.stdout.destroy())
  const status = await new Promise((done) => child.on('close', done))
  expect(stderr).toBe('')
  expect(status).toBe(0)
})

const found = recordings()
if (!found) process.stdout.write('The recorded trips are not at hand (SHARED_DIR): their figures are not scored.\n')
test.skipIf(!found)(
  'the recorded trips reach every figure that is promised',
  () => {
    const result = score(found!)
    expect(result.missed, result.table).toEqual([])
  },
  120_000,
)
