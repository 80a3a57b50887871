// The simulator as a command against a real server: it drives, delivers and keeps everything on a bad line, and a second start cleans up after the first.
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { DriverRow, OrderRow, RunView } from '@doorstep/shared/api'
import type { OrderView } from '@doorstep/shared/track'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { ADMIN_KEY, ask, type Node, startNode } from './world.ts'

let node: Node
const children: ChildProcess[] = []
beforeAll(async () => {
  node = await startNode()
})
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    const gone = new Promise((done) => child.once('exit', done))
    child.kill('SIGTERM')
    await gone
  }
})
afterAll(async () => {
  await node?.stop()
})

function sim(...flags: string[]) {
  const root = fileURLToPath(new URL('../../', import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', `${root}driver-sim/src/main.ts`, '--url', node.url, ...flags], {
    cwd: root,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ADMIN_KEY },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.push(child)
  const waiting: { test: RegExp; found: (line: string) => void; lost: (error: Error) => void }[] = []
  const said: string[] = []
  const hear = (line: string) => {
    said.push(line)
    for (const w of [...waiting]) {
      if (!w.test.test(line)) continue
      waiting.splice(waiting.indexOf(w), 1)
      w.found(line)
    }
  }
  createInterface({ input: child.stdout }).on('line', hear)
  createInterface({ input: child.stderr }).on('line', hear)
  const gone = new Promise<number | null>((done) => child.once('exit', done))
  void gone.then((code) => waiting.map((w) => w.lost(new Error(`the simulator ended with ${code}:\n${said.join('\n')}`))))
  return {
    gone,
    /** The first line that matches, said already or still to come. */
    says: (wanted: RegExp) =>
      new Promise<string>((found, lost) => {
        const before = said.find((line) => wanted.test(line))
        if (before !== undefined) found(before)
        else waiting.push({ test: wanted, found, lost })
      }),
  }
}
const state = async (url: string): Promise<OrderView> => (await fetch(`${url}/state`)).json() as Promise<OrderView>
const started = () => ask<{ runs: RunView[] }>(node, 'GET', '/v1/runs?status=started')

test('on a line that loses a twentieth, with skewed clocks and tunnels, time-lapsed vans deliver their whole runs and everything is kept', async () => {
  const fleet = sim(
    '--drivers',
    '2',
    '--stops',
    '1',
    '--speed',
    '20',
    '--rate',
    '2',
    '--loss',
    '0.05',
    '--tunnel',
    '--skew',
    '--seed',
    '7',
  )
  // Three doors of two vans: at least one of them has begun its next run by itself.
  const line = await fleet.says(/ (?:[3-9]|\d\d) doors$/)
  expect(Number(/(\d+) kept /.exec(line)?.[1])).toBeGreaterThan(20)
  const { orders } = await ask<{ orders: OrderRow[] }>(node, 'GET', '/v1/orders?limit=100')
  const settled = orders.filter((o) => ['delivered', 'completed', 'delivery_attempted'].includes(o.status))
  expect(settled.length).toBeGreaterThanOrEqual(3)
  const { drivers } = await ask<{ drivers: DriverRow[] }>(node, 'GET', '/v1/drivers')
  expect(drivers.map((d) => d.vehicle).sort()).toEqual(['Van 01', 'Van 02'])
  expect(drivers.every((d) => d.last !== null)).toBe(true)
}, 180_000)

test('the demo has a customer in every phase within seconds, and a second start leaves nothing of the first under way', async () => {
  const first = sim('--demo', '--drivers', '4', '--seed', '3')
  const links = JSON.parse(await first.says(/^\{"event":"links"/)) as Record<string, string>
  const view = Object.fromEntries(
    await Promise.all(
      ['far', 'near', 'arriving', 'delivered', 'failed', 'waiting'].map(async (p) => [p, await state(links[p]!)] as const),
    ),
  )
  expect(view.far).toMatchObject({ status: 'out_for_delivery', track: { vehicle: null, hidden: 'too_far' } })
  expect(view.near).toMatchObject({ status: 'out_for_delivery', track: { stopsLeft: 2 } })
  expect(view.arriving).toMatchObject({ status: 'out_for_delivery', track: { stopsLeft: 1 } })
  expect(view.delivered).toMatchObject({ status: 'delivered', track: { vehicle: null } })
  expect(view.failed).toMatchObject({ status: 'delivery_attempted', attempt: { reason: 'nobody_home' } })
  expect(view.waiting).toMatchObject({ status: 'shipped', track: { vehicle: null, hidden: 'not_started' } })
  expect(links.driver).toMatch(/\/drive\/[\w-]{22,}$/)
  await first.says(/vans on their way/)
  children[0]!.kill('SIGTERM')
  await first.gone
  const before = (await started()).runs.map((r) => r.id)

  const second = sim('--demo', '--drivers', '4', '--seed', '4')
  await second.says(/vans on their way/)
  const after = (await started()).runs
  expect(after.filter((r) => before.includes(r.id))).toEqual([])
  expect(after.length).toBeGreaterThanOrEqual(4)
  const { drivers } = await ask<{ drivers: DriverRow[] }>(node, 'GET', '/v1/drivers')
  expect(drivers.filter((d) => d.vehicle.startsWith('Van 0'))).toHaveLength(4)
  expect(await state(links.far!)).toMatchObject({ status: 'cancelled' })
}, 180_000)

test('a command line that is wrong says what is wrong and ends with 78', async () => {
  const bad = sim('--drivers', 'many')
  const line = bad.says(/--drivers: a whole number/)
  await line
  expect(await bad.gone).toBe(78)
})
