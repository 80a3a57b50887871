// The dispatcher's page in a real browser: the server's fleet on its list and map, work done through it, and every state of it accessible.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { DriverCreated, DriverRow, OrderDetail, RunView } from '@doorstep/shared/api'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { ask, batch, call, company, connect, hangUp, type Node, newQid, startNode } from '../server/world.ts'
import { launchChromium } from '../services/chromium.ts'
import { built } from './built.ts'
import { anAlert, type FleetStage, fleetStage, ADMIN_KEY as STAGE_KEY, TOKEN } from './fleet-stage.ts'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core'), 'utf8')
const wide: BrowserContextOptions = { viewport: { width: 1440, height: 900 } }
const phone: BrowserContextOptions = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true }

let browser: Browser
let stage: FleetStage
let node: Node
beforeAll(async () => {
  const dist = await built()
  ;[browser, stage, node] = await Promise.all([
    launchChromium(),
    fleetStage({ drivers: 80, seed: 5 }),
    startNode({ WEB_DIST: dist }),
  ])
}, 240_000)
afterAll(async () => {
  await browser?.close()
  await stage?.close()
  await node?.stop()
})
afterEach(async () => {
  hangUp()
  for (const context of browser.contexts()) await context.close()
})

const faults: string[] = []
async function open(url: string, options: BrowserContextOptions = wide): Promise<Page> {
  const context = await browser.newContext({ locale: 'en-GB', reducedMotion: 'reduce', ...options })
  const page = await context.newPage()
  faults.length = 0
  page.on('pageerror', (error) => faults.push(String(error)))
  page.on('console', (message) => {
    if (/content security policy/i.test(message.text())) faults.push(message.text())
  })
  await page.goto(url)
  return page
}
const onStage = (options?: BrowserContextOptions): Promise<Page> => open(`${stage.url}/dispatch#token=${TOKEN}`, options)
const rows = (page: Page) => page.getByRole('option')
const chip = (page: Page, name: RegExp) => page.getByRole('button', { name })
/** Every violation that axe finds, with where. */
async function violations(page: Page): Promise<string[]> {
  // The page's own policy forbids foreign scripts: axe comes in by the debugger.
  await page.evaluate(AXE)
  return page.evaluate(async () => {
    const { axe } = window as unknown as {
      axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> }
    }
    return (await axe.run()).violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html.slice(0, 160)).join(' | ')}`)
  })
}
const drawn = (page: Page) => page.locator('.fleet-canvas[data-map]').waitFor()

test('the token leaves the address at once, stays in this tab alone, and no other words of it are in the page', async () => {
  const page = await onStage()
  await rows(page).first().waitFor()
  expect(page.url()).toBe(`${stage.url}/dispatch`)
  expect(
    await page.evaluate(() => [Object.keys(localStorage).filter((k) => k.includes('session')), Object.values(sessionStorage)]),
  ).toEqual([[], [TOKEN]])
  await page.reload()
  await rows(page).first().waitFor()
  expect(faults).toEqual([])
})

test('without a token the admin key signs in, a wrong one is refused in words, and signing out forgets the session', async () => {
  const page = await open(`${stage.url}/dispatch`)
  await page.getByLabel('Admin key').fill('not the key')
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByText('That key is not right.').waitFor()
  expect(await violations(page)).toEqual([])
  await page.getByLabel('Admin key').fill(STAGE_KEY)
  await page.keyboard.press('Enter')
  await rows(page).first().waitFor()
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.getByLabel('Admin key').waitFor()
  expect(await page.evaluate(() => Object.values(sessionStorage))).toEqual([])
})

test('late and silent drivers come first, filters tell their counts, and the search finds people and orders', async () => {
  const page = await onStage()
  await rows(page).first().waitFor()
  const late = [...stage.rows.values()].filter((r) => r.run && r.late >= 60)
  expect(await rows(page).first().textContent()).toContain('Late by')
  const worst = late.sort((a, b) => b.late - a.late)[0]!
  expect(await rows(page).first().textContent()).toContain(worst.name)
  await chip(page, /^Late /).click()
  expect(await chip(page, /^Late /).textContent()).toBe(`Late ${late.length}`)
  expect(await rows(page).first().getAttribute('aria-setsize')).toBe(String(late.length))
  await chip(page, /^All /).click()
  await page.keyboard.press('/')
  await page.keyboard.type(worst.vehicle)
  await page.locator('[role=option][aria-setsize="1"]').waitFor()
  expect(await rows(page).first().textContent()).toContain(worst.name)
  await page.keyboard.press('Escape')
  expect(await page.getByRole('searchbox').inputValue()).toBe('')
  await page.keyboard.type('DS-')
  await page.getByRole('region', { name: 'Orders' }).getByRole('button').first().waitFor()
})

test('by keyboard alone: into the list, down, open the driver, close it, and the focus is where it was', async () => {
  const page = await onStage()
  await rows(page).first().waitFor()
  await page.keyboard.press('/')
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('ArrowDown')
  const active = await page.getByRole('listbox').getAttribute('aria-activedescendant')
  const name = await page.locator(`[id="${active}"] .row-name`).textContent()
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: name!, level: 2 }).waitFor()
  expect(await page.evaluate(() => document.activeElement?.textContent)).toBe(name)
  expect(page.url()).toMatch(/#\/driver\//)
  await page.keyboard.press('Escape')
  await page.locator('.detail').waitFor({ state: 'detached' })
  expect(await page.evaluate(() => document.activeElement?.getAttribute('role'))).toBe('listbox')
})

test('[T8] whoever falls silent is told of with its age, and is live again with the next fix', async () => {
  const page = await onStage()
  await rows(page).first().waitFor()
  const quiet = [...stage.rows.values()].find((r) => r.run && r.late === 0 && Date.now() - r.last!.t < 60_000)!
  const silentRow: DriverRow = { ...quiet, v: quiet.v + 1, last: { ...quiet.last!, t: Date.now() } }
  stage.say('driver', silentRow)
  await page.getByRole('searchbox').fill(quiet.vehicle)
  const row = page.getByRole('option', { name: new RegExp(quiet.name) })
  await row.locator('.mark-enroute, .mark-at_stop').waitFor()
  // Nothing is heard for longer than its interval allows.
  await row.locator('.mark-silent').waitFor({ timeout: 25_000 })
  expect(await row.textContent()).toMatch(/\d+ seconds ago/)
  stage.say('driver', { ...silentRow, v: quiet.v + 2, last: { ...quiet.last!, t: Date.now() } })
  await row.locator('.mark-enroute, .mark-at_stop').waitFor()
})

test('a lost connection is told, and after it the roster is exact again: who came, who went, who changed', async () => {
  const page = await onStage()
  await page.getByText('Live', { exact: true }).waitFor()
  const [first, second] = [...stage.rows.values()]
  stage.cut(true)
  await page.getByText('No connection', { exact: true }).waitFor()
  stage.rows.delete(first!.id)
  const changed = { ...second!, v: second!.v + 5, name: 'Renamed Meanwhile' }
  stage.rows.set(second!.id, changed)
  stage.cut(false)
  await page.getByText('Live', { exact: true }).waitFor()
  await chip(page, new RegExp(`^All ${stage.rows.size}$`)).waitFor()
  await page.getByRole('searchbox').fill('renamed meanwhile')
  await page.getByRole('option', { name: /Renamed Meanwhile/ }).waitFor()
})

test('alerts wait quietly with a count, and reading them clears it', async () => {
  const page = await onStage()
  await page.getByText('Live', { exact: true }).waitFor()
  const row = [...stage.rows.values()].at(-1)!
  for (const kind of ['late', 'off_route', 'stale'] as const) stage.say('alert', anAlert(`t-${kind}`, kind, row.id))
  await page.getByRole('button', { name: 'Alerts, 3 new' }).click()
  await page.getByText(`${row.name} left the route`).waitFor()
  await page.getByRole('button', { name: 'Alerts', exact: true }).first().waitFor()
})

for (const [name, options] of [
  ['desktop, light', { ...wide, colorScheme: 'light' }],
  ['desktop, dark', { ...wide, colorScheme: 'dark' }],
  ['phone, dark', { ...phone, colorScheme: 'dark' }],
] as const)
  test(`axe finds nothing on the list, a run, an order, a new order and the alerts: ${name}`, async () => {
    const page = await onStage(options)
    await rows(page).first().waitFor()
    await drawn(page)
    expect(await violations(page)).toEqual([])
    await rows(page).first().click()
    await page.locator('.stop').first().waitFor()
    expect(await violations(page)).toEqual([])
    await page.locator('.stop[aria-current] .stop-label').click()
    await page.locator('.timeline').waitFor()
    expect(await violations(page)).toEqual([])
    for (const hash of ['#/new', '#/alerts']) {
      await page.evaluate((h) => {
        location.hash = h
      }, hash)
      await page.getByRole('heading', { level: 2 }).first().waitFor()
      expect(await violations(page)).toEqual([])
    }
    expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0)
    expect(faults).toEqual([])
  })

test('the map draws the fleet: marks appear where vehicles are, in both themes, and a click on one opens its driver', async () => {
  const page = await onStage()
  await drawn(page)
  const lone = await page.evaluate(() => document.querySelectorAll('.cluster').length)
  expect(lone).toBe(0)
  // The vehicle of the open driver is brought to where the map is not covered, at rest, and is what lies there.
  await rows(page).first().click()
  await page.getByRole('button', { name: 'Show on the map' }).click()
  const title = await page.locator('.panel-title').textContent()
  await page.keyboard.press('Escape')
  const box = (await page.locator('.fleet-canvas').boundingBox())!
  const covered = await page.evaluate(() => 23.5 * Number.parseFloat(getComputedStyle(document.documentElement).fontSize))
  const at = { x: box.x + (box.width + covered) / 2, y: box.y + (box.height + 10) / 2 }
  for (let tries = 0; tries < 8; tries++) {
    await page.mouse.move(at.x + tries, at.y)
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))))
    if ((await page.locator('.fleet-canvas').getAttribute('data-over')) === 'vehicle') break
  }
  expect(await page.locator('.map-tip').textContent()).toContain(title)
  await page.mouse.click(at.x, at.y)
  await page.getByRole('heading', { name: title!, level: 2 }).waitFor()
  await page.getByRole('button', { name: 'Use the dark theme' }).click()
  await drawn(page)
  expect(faults).toEqual([])
})

async function signedIn(): Promise<Page> {
  const { token } = await ask<{ token: string }>(node, 'POST', '/v1/sessions', {})
  return open(`${node.url}/dispatch#token=${token}`)
}

test('with the real server: a van drives, and its row, its mark and its run are live without a reload', async () => {
  const c = await company(node, 3, 21)
  const page = await signedIn()
  const row = page.getByRole('option', { name: new RegExp(c.driver.driver.name) })
  await row.waitFor()
  expect(await row.textContent()).toContain('3 stops left')
  const phoneLine = await connect(node, '/driver', c.driver.device.token)
  const qid = newQid()
  await call(phoneLine, 'hello', { v: 1, qid, sentAt: Date.now() })
  await call(phoneLine, 'pings', batch(qid, [c.fix(1, 5)]))
  await row.locator('.mark-enroute').waitFor()
  await row.click()
  await page.locator('.stop').nth(2).waitFor()
  expect(await page.locator('.stop').count()).toBe(3)
  await page.locator('.stop[aria-current]').getByRole('button', { name: 'Delivered' }).click()
  await page.getByText('1 of 3 stops done').first().waitFor()
  await row.getByText('2 stops left').waitFor()
  const { order } = await ask<OrderDetail>(node, 'GET', `/v1/orders/${c.run.stops[0]!.orderId}`)
  expect(order.status).toBe('delivered')
  expect(faults).toEqual([])
}, 90_000)

test('with the real server: an order is made by a click on the map, put on a run, and its customer link opens', async () => {
  const c = await company(node, 2, 22)
  const phoneLine = await connect(node, '/driver', c.driver.device.token)
  const qid = newQid()
  await call(phoneLine, 'hello', { v: 1, qid, sentAt: Date.now() })
  await call(phoneLine, 'pings', batch(qid, [c.fix(1, 5)]))
  const page = await signedIn()
  await drawn(page)
  await page.getByRole('button', { name: 'New order' }).first().click()
  const box = (await page.locator('.fleet-canvas').boundingBox())!
  // A click that comes before the map takes it is made again, as a person would.
  const name = page.getByLabel('Name')
  const clicked = async () => {
    if ((await name.count()) === 0) await page.mouse.click(box.x + box.width * 0.6, box.y + box.height * 0.62)
    return name.count()
  }
  await expect.poll(clicked, { timeout: 30_000, interval: 2_000 }).toBe(1)
  await name.fill('Greta Lindqvist')
  await page.getByLabel('Note for the driver').fill('Second floor')
  await page.getByRole('button', { name: 'Create the order' }).click()
  await page.getByRole('heading', { name: /^Order DS-.* is made$/ }).waitFor()
  const link = await page.getByLabel('New customer link').inputValue()
  expect((await fetch(link)).status).toBe(200)
  await page.getByRole('button', { name: `Assign to ${c.driver.driver.name}` }).click()
  await page.getByRole('heading', { name: c.driver.driver.name, level: 2 }).waitFor()
  await page.getByText('Greta Lindqvist').waitFor()
  const run = await ask<RunView>(node, 'GET', `/v1/runs/${c.run.id}`)
  expect(run.stops.map((s) => s.recipient)).toContain('Greta Lindqvist')
  expect(run.routeVersion).toBeGreaterThan(c.run.routeVersion)
}, 90_000)

test('with the real server: a delivery fails with its reason, the run is handed over, and both are told on the order', async () => {
  const c = await company(node, 2, 23)
  const other = await ask<DriverCreated>(node, 'POST', '/v1/drivers', { name: 'Relief Driver', vehicle: 'Spare van' })
  const page = await signedIn()
  await page.getByRole('option', { name: new RegExp(c.driver.driver.name) }).click()
  await page.locator('.stop[aria-current]').getByRole('button', { name: 'Failed…' }).click()
  await page.getByLabel('Why did it fail?').selectOption({ label: 'Refused' })
  await page.getByRole('button', { name: 'Record the failure' }).click()
  await page.getByText('1 of 2 stops done').first().waitFor()
  const failed = await ask<OrderDetail>(node, 'GET', `/v1/orders/${c.run.stops[0]!.orderId}`)
  expect(failed.order.status).toBe('delivery_attempted')
  await page.getByRole('button', { name: 'Hand over' }).click()
  await page.getByLabel('Give this run to').selectOption({ label: 'Relief Driver · Spare van' })
  await page.getByRole('button', { name: 'Assign', exact: true }).click()
  await page.getByRole('heading', { name: 'Relief Driver', level: 2 }).waitFor()
  await page.locator('.stop').first().waitFor()
  expect((await ask<RunView>(node, 'GET', `/v1/runs/${c.run.id}`)).driverId).toBe(other.driver.id)
  await page.locator('.stop-failed .stop-label').click()
  await page.getByText('Delivery failed').first().waitFor()
  await page.locator('.timeline').getByText('Refused').waitFor()
}, 90_000)

test('with the real server: an order is found by its number and cancelled, but only when asked twice', async () => {
  const c = await company(node, 2, 24)
  const { order } = c.orders[1]!
  const page = await signedIn()
  await page.getByRole('searchbox').fill(order.number)
  await page
    .getByRole('region', { name: 'Orders' })
    .getByRole('button', { name: new RegExp(order.number) })
    .click()
  await page.getByRole('button', { name: 'Cancel the order' }).click()
  await page.getByRole('button', { name: 'Keep it' }).click()
  expect((await ask<OrderDetail>(node, 'GET', `/v1/orders/${order.id}`)).order.status).toBe('out_for_delivery')
  await page.getByRole('button', { name: 'Cancel the order' }).click()
  await page.getByRole('button', { name: 'Yes, cancel it' }).click()
  await page.locator('.facts').getByText('Cancelled').waitFor()
  await page.locator('.timeline').getByText('Cancelled').waitFor()
  expect((await ask<OrderDetail>(node, 'GET', `/v1/orders/${order.id}`)).order.status).toBe('cancelled')
}, 90_000)

test('with the real server: a session that is revoked ends on the page at once', async () => {
  const made = await ask<{ id: string; token: string }>(node, 'POST', '/v1/sessions', {})
  const page = await open(`${node.url}/dispatch#token=${made.token}`)
  await page.getByText('Live', { exact: true }).waitFor()
  await ask(node, 'DELETE', `/v1/sessions/${made.id}`)
  await page.getByText('Your session has ended. Sign in again.').waitFor()
})
