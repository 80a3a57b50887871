// The driver's page in a real browser against a real server: what it captures is kept, what is done at the door reaches the order.

import { createRequire } from 'node:module'
import type { OrderDetail } from '@doorstep/shared/api'
import { pointAt, route } from '@doorstep/shared/route'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { ask, type Company, company, type Node, startNode } from '../server/world.ts'
import { launchChromium } from '../services/chromium.ts'
import { built } from './built.ts'

let browser: Browser
let node: Node
const contexts: BrowserContext[] = []
beforeAll(async () => {
  const dist = await built()
  ;[browser, node] = await Promise.all([launchChromium(), startNode({ WEB_DIST: dist })])
})
afterEach(async () => {
  for (const context of contexts.splice(0)) await context.close()
})
afterAll(async () => {
  await browser?.close()
  await node?.stop()
})

interface Phone {
  page: Page
  context: BrowserContext
  faults: string[]
  /** Moves the phone along its route; each place is another position. */
  at(along: number): Promise<void>
  /** Resolves when the page says so many. */
  counts(which: 'queued' | 'kept', holds: (n: number) => boolean): Promise<number>
  relay: { down: boolean }
}
let seed = 100
async function phone(of: Company, options: { width?: number; dark?: boolean; permission?: boolean } = {}): Promise<Phone> {
  const line = route(of.run.route.line)
  const place = (along: number) => {
    const [longitude, latitude] = pointAt(line, along)
    return { longitude, latitude, accuracy: 6 }
  }
  const context = await browser.newContext({
    viewport: { width: options.width ?? 390, height: 844 },
    colorScheme: options.dark ? 'dark' : 'light',
    geolocation: place(0),
    permissions: options.permission === false ? [] : ['geolocation'],
    locale: 'en-GB',
  })
  contexts.push(context)
  // Offline mode of a browser leaves open WebSockets alone: the line is cut where it passes through us.
  const relay = { down: false }
  const page = await context.newPage()
  const faults: string[] = []
  page.on('pageerror', (error) => faults.push(error.message))
  page.on(
    'console',
    (message) => message.type() === 'error' && !/WebSocket|ERR_/.test(message.text()) && faults.push(message.text()),
  )
  await context.routeWebSocket(/socket\.io/, (socket) => {
    if (relay.down) return socket.close()
    const server = socket.connectToServer()
    socket.onMessage((message) => (relay.down ? undefined : server.send(message)))
    server.onMessage((message) => (relay.down ? undefined : socket.send(message)))
  })
  await page.goto(`${node.url}/drive/${of.driver.device.token}`)
  const counts: Phone['counts'] = async (which, holds) => {
    const read = async () => Number((await page.getByTestId(which).textContent())?.replace(/\D/g, ''))
    await expect.poll(async () => holds(await read()), { timeout: 20_000, interval: 100 }).toBe(true)
    return read()
  }
  return { page, context, faults, counts, relay, at: (along) => context.setGeolocation(place(along)) }
}
const order = (id: string): Promise<OrderDetail> => ask<OrderDetail>(node, 'GET', `/v1/orders/${id}`)

test('nothing is captured off duty; on duty the kept count grows and the trail is in the database', async () => {
  const firm = await company(node, 2, seed++)
  const p = await phone(firm)
  const { page } = p
  await page.getByRole('heading', { name: firm.run.stops[0]!.label }).waitFor()
  await p.at(30)
  expect(await p.counts('kept', () => true)).toBe(0)
  expect(await page.getByRole('switch').getAttribute('aria-checked')).toBe('false')
  await page.getByRole('switch').click()
  for (let i = 1; i <= 4; i++) {
    await p.at(30 + i * 12)
    await p.counts('kept', (n) => n >= i)
  }
  const kept = await p.counts('queued', (n) => n === 0).then(() => p.counts('kept', (n) => n >= 4))
  const now = Date.now()
  const { points } = await ask<{ points: unknown[] }>(
    node,
    'GET',
    `/v1/drivers/${firm.driver.driver.id}/trail?from=${now - 600_000}&to=${now + 60_000}`,
  )
  expect(points.length).toBe(kept)
  await page.getByRole('switch').click()
  await p.at(300)
  await p.at(320)
  expect(await p.counts('kept', () => true)).toBe(kept)
  expect(p.faults).toEqual([])
})

test('[P2] what is captured without a line waits in the browser, survives a reload, and is kept when the line is back', async () => {
  const firm = await company(node, 2, seed++)
  const p = await phone(firm)
  const { page } = p
  await page.getByRole('switch').click()
  await p.counts('kept', (n) => n >= 1)
  p.relay.down = true
  await p.context.setOffline(true)
  await page.getByText('Offline', { exact: true }).waitFor()
  for (let i = 1; i <= 5; i++) {
    await p.at(40 + i * 15)
    await p.counts('queued', (n) => n >= i)
  }
  await page.getByRole('button', { name: 'Delivered' }).click()
  await page.getByText('not sent yet').waitFor()
  const waiting = await p.counts('queued', (n) => n >= 6)
  // The page's files come from the server, the sockets do not yet.
  await p.context.setOffline(false)
  await page.reload()
  await p.counts('queued', (n) => n >= waiting)
  await page.getByText('Stop 2 of 2').waitFor()
  expect((await order(firm.orders[0]!.order.id)).order.status).toBe('out_for_delivery')
  p.relay.down = false
  await p.counts('queued', (n) => n === 0)
  expect(await p.counts('kept', (n) => n >= 6)).toBeGreaterThanOrEqual(6)
  await expect.poll(async () => (await order(firm.orders[0]!.order.id)).order.status, { timeout: 10_000 }).toBe('delivered')
  const { events } = await order(firm.orders[0]!.order.id)
  expect(events.filter((e) => e.type === 'order.delivered')).toHaveLength(1)
})

test('a delivery, a failure with its reason and the end of the run, by keyboard alone', async () => {
  const firm = await company(node, 2, seed++)
  const { page, faults } = await phone(firm, { dark: true, width: 320 })
  const press = async (name: string) => {
    await page.getByRole('button', { name }).focus()
    await page.keyboard.press('Enter')
  }
  await page.getByText('Stop 1 of 2').waitFor()
  await press('I’m at the door')
  await page.getByText('You are here').waitFor()
  await press('Delivered')
  await page.getByText('Stop 2 of 2').waitFor()
  await press('Can’t deliver')
  await page.getByRole('dialog').waitFor()
  await page.keyboard.press('Escape')
  await page.getByRole('dialog').waitFor({ state: 'hidden' })
  await press('Can’t deliver')
  await page.getByLabel('Add a note (optional)').fill('Dog in the garden')
  await press('No way in')
  await page.getByRole('heading', { name: 'All done' }).waitFor()
  await expect
    .poll(async () => (await order(firm.orders[1]!.order.id)).order.status, { timeout: 10_000 })
    .toBe('delivery_attempted')
  expect((await order(firm.orders[0]!.order.id)).order.status).toBe('delivered')
  const failed = (await order(firm.orders[1]!.order.id)).events.at(-1)
  expect(failed?.data).toMatchObject({ reason: 'no_access' })
  expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true)
  expect(faults).toEqual([])
})

test('a second tab does not send the same queue: it says so and can take over', async () => {
  const firm = await company(node, 1, seed++)
  const one = await phone(firm)
  await one.page.getByRole('switch').click()
  await one.counts('kept', (n) => n >= 1)
  const two = await one.context.newPage()
  await two.goto(one.page.url())
  await two.getByRole('heading', { name: 'Open in another tab' }).waitFor()
  await two.getByRole('button', { name: 'Use it here' }).click()
  await two.getByRole('switch', { checked: true }).waitFor()
  await one.page.getByRole('heading', { name: 'Open in another tab' }).waitFor()
})

test('[V6] a revoked phone says so at once, an unknown link too', async () => {
  const firm = await company(node, 1, seed++)
  const p = await phone(firm)
  await p.page.getByText('Stop 1 of 1').waitFor()
  await ask(node, 'DELETE', `/v1/devices/${firm.driver.device.id}`)
  await p.page.getByRole('heading', { name: 'This link is no longer valid' }).waitFor()
  await p.page.goto(`${node.url}/drive/${'x'.repeat(43)}`)
  await p.page.getByRole('heading', { name: 'This link is no longer valid' }).waitFor()
})

test('a refused permission is told in plain words, and the run works without it; axe finds nothing in either theme', async () => {
  const firm = await company(node, 3, seed++)
  const axe = createRequire(import.meta.url).resolve('axe-core')
  for (const dark of [false, true]) {
    const { page } = await phone(firm, { dark, permission: false })
    await page.getByRole('switch').click()
    await page.getByRole('heading', { name: 'Position is blocked' }).waitFor()
    await page.getByRole('button', { name: 'Can’t deliver' }).click()
    const check = async () => {
      const found = await page.evaluate(async () => {
        const { axe } = window as unknown as {
          axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> }
        }
        return (await axe.run()).violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join(' ')}`)
      })
      expect(found).toEqual([])
    }
    // The page's own policy forbids scripts that are not its own: axe comes in through the debugger.
    await page.evaluate(await import('node:fs').then((fs) => fs.readFileSync(axe, 'utf8')))
    await check()
    await page.keyboard.press('Escape')
    await check()
    expect(await page.getByRole('button', { name: 'I’m at the door' }).isEnabled()).toBe(true)
  }
})
