// 5,000 vehicles at 1 Hz through the page's real path (socket → decode → fleet → layer → GPU); what an update costs the main thread, out.
import type { Browser, CDPSession, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launchChromium } from '../services/chromium.ts'
import { built } from './built.ts'
import { type FleetStage, fleetStage, TOKEN } from './fleet-stage.ts'

const DRIVERS = 5_000
const UPDATES = 12

let browser: Browser
let stage: FleetStage

beforeAll(async () => {
  await built()
  stage = await fleetStage({ drivers: DRIVERS, seed: 11, allMoving: true })
  browser = await launchChromium()
}, 240_000)
afterAll(async () => {
  await browser?.close()
  await stage?.close()
})

/** CPU time of the page's main thread so far, ms. */
async function cpu(session: CDPSession): Promise<{ task: number; script: number }> {
  const { metrics } = await session.send('Performance.getMetrics')
  const of = (name: string): number => (metrics.find((m) => m.name === name)?.value ?? 0) * 1000
  return { task: of('TaskDuration'), script: of('ScriptDuration') }
}
/** CPU time of each task of the page's main thread, ms: what a busy machine does to others is not counted. */
function mainThreadTasks(trace: Buffer): number[] {
  const { traceEvents } = JSON.parse(trace.toString()) as {
    traceEvents: { name: string; ph: string; pid: number; tid: number; tdur?: number; args?: { name?: string } }[]
  }
  const mains = new Set(
    traceEvents.filter((e) => e.name === 'thread_name' && e.args?.name === 'CrRendererMain').map((e) => `${e.pid} ${e.tid}`),
  )
  return traceEvents
    .filter((e) => e.name.endsWith('RunTask') && e.tdur !== undefined && mains.has(`${e.pid} ${e.tid}`))
    .map((e) => e.tdur! / 1000)
}
const drawn = (page: Page): Promise<void> =>
  page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done()))))

test('5,000 vehicles at 1 Hz: every one is drawn and counted, at less main-thread time than one GeoJSON of them takes to cross to a worker and back', async () => {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } })
  const faults: string[] = []
  page.on('pageerror', (error) => faults.push(String(error)))
  await page.goto(`${stage.url}/dispatch#token=${TOKEN}`)
  await page.locator('.fleet-canvas[data-map]').waitFor()
  await page.getByRole('button', { name: `All ${DRIVERS.toLocaleString('en')}` }).waitFor()

  const session = await page.context().newCDPSession(page)
  await session.send('Performance.enable', { timeDomain: 'threadTicks' })
  // Warm: the first updates compile, allocate and grow.
  for (let i = 0; i < 3; i++) {
    stage.step()
    await page.waitForTimeout(1_000)
  }
  // The floor of this machine at this moment: what handing the same places to a GeoJSON source costs before anything is drawn.
  const floor = await page.evaluate((n) => {
    const features = Array.from({ length: n }, (_, i) => ({
      type: 'Feature',
      properties: { id: i, state: 'enroute', heading: i % 360 },
      geometry: { type: 'Point', coordinates: [11.9 + i / 1e5, 57.7 + i / 1e5] },
    }))
    const began = performance.now()
    for (let i = 0; i < 5; i++) structuredClone(structuredClone({ type: 'FeatureCollection', features }))
    return (performance.now() - began) / 5
  }, DRIVERS)

  const quiet = await cpu(session)
  await page.waitForTimeout(UPDATES * 500)
  const idle = await cpu(session)
  await browser.startTracing(page, { categories: ['toplevel', '__metadata'] })
  for (let i = 0; i < UPDATES; i++) {
    stage.step()
    await page.waitForTimeout(1_000)
  }
  await drawn(page)
  const busy = await cpu(session)
  const tasks = mainThreadTasks(await browser.stopTracing())
  const perSecondIdle = { task: (idle.task - quiet.task) / (UPDATES / 2), script: (idle.script - quiet.script) / (UPDATES / 2) }
  const update = {
    script: (busy.script - idle.script) / UPDATES - perSecondIdle.script,
    task: (busy.task - idle.task) / UPDATES - perSecondIdle.task,
  }
  console.log(
    JSON.stringify({
      scenario: 'fleet-page',
      drivers: DRIVERS,
      update_script_ms: round(update.script),
      update_main_thread_ms: round(update.task),
      idle_main_thread_ms_per_s: round(perSecondIdle.task),
      geojson_floor_ms: round(floor),
      tasks_over_100_ms: tasks.filter((ms) => ms > 100).length,
      longest_task_ms: round(Math.max(0, ...tasks)),
    }),
  )
  expect(faults).toEqual([])
  expect(await page.getByRole('button', { name: `On the way ${DRIVERS.toLocaleString('en')}` }).count()).toBe(1)
  // The list never grows with the fleet.
  expect(await page.getByRole('option').count()).toBeLessThan(40)
  expect(tasks.length).toBeGreaterThan(UPDATES)
  expect(update.script).toBeLessThan(floor * 2)
}, 180_000)

const round = (x: number): number => Math.round(x * 100) / 100
