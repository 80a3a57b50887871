// The customer's built page in a real browser, under the server's own headers: every state, both map engines, and lines that break.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { OrderView } from '@doorstep/shared/track'
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { BUDGET, scriptBytes } from '../../web/scripts/size.mjs'
import { launchChromium } from '../services/chromium.ts'
import { built } from './built.ts'
import { type CustomerWorld, customerWorld } from './customer-world.ts'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
/** Of the right form and of no account: only for tests, where Mapbox is cut off. */
const TOKEN = 'pk.eyJ1IjoibmlsIiwiYSI6Im5pbCJ9.AAAAAAAAAAAAAAAAAAAAAA'
const PHONE: BrowserContextOptions = { viewport: { width: 390, height: 844 }, locale: 'en-GB' }
const DESK: BrowserContextOptions = { viewport: { width: 1440, height: 900 }, locale: 'en-GB' }

// Graphics in software on a busy machine: a whole map may take half a minute. Nothing here waits for time to pass.
vi.setConfig({ testTimeout: 240_000 })

let browser: Browser
let world: CustomerWorld
let boxed: CustomerWorld
const contexts: BrowserContext[] = []
beforeAll(async () => {
  ;[browser, world, boxed] = await Promise.all([launchChromium(), customerWorld(), customerWorld({ mapboxToken: TOKEN })])
})
afterEach(async () => {
  for (const context of contexts.splice(0)) await context.close()
})
afterAll(async () => {
  await browser?.close()
  await Promise.all([world?.close(), boxed?.close()])
})

/** A page and all that it complained of: `faults` is what the console and the CSP said. */
async function open(options: BrowserContextOptions = PHONE): Promise<{ page: Page; context: BrowserContext; faults: string[] }> {
  const context = await browser.newContext(options)
  contexts.push(context)
  context.setDefaultTimeout(90_000)
  const page = await context.newPage()
  const faults: string[] = []
  page.on('pageerror', (error) => faults.push(error.message))
  page.on('console', (message) => message.type() === 'error' && faults.push(message.text()))
  return { page, context, faults }
}
const drawn = (page: Page, engine: 'maplibre' | 'mapbox') =>
  page.waitForSelector(`[data-map="drawn ${engine}"]`, { timeout: 120_000 })
const withoutWebgl = (context: BrowserContext) =>
  context.addInitScript(() => {
    const get = HTMLCanvasElement.prototype.getContext
    HTMLCanvasElement.prototype.getContext = function (this: HTMLCanvasElement, kind: string, ...rest: unknown[]) {
      return kind.startsWith('webgl') ? null : Reflect.apply(get, this, [kind, ...rest])
    } as typeof get
  })

/** What axe finds, as lines; best practices count too. */
async function axe(page: Page): Promise<string[]> {
  await page.evaluate(AXE)
  return page.evaluate(async () => {
    const { violations } = await (
      window as unknown as { axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> } }
    ).axe.run()
    return violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)
  })
}

test.each([
  ['a light phone', { ...PHONE, colorScheme: 'light' }],
  ['a dark desk', { ...DESK, colorScheme: 'dark' }],
] as const)('axe finds nothing in any state on %s, and the console stays silent under the CSP', async (_where, options) => {
  const { page, context, faults } = await open(options)
  await withoutWebgl(context)
  for (const name of Object.keys(world.states()) as (keyof ReturnType<CustomerWorld['states']>)[]) {
    await page.goto(world.link(name))
    await page.locator('h1.headline').waitFor()
    expect([name, await axe(page)]).toEqual([name, []])
    expect(await page.title()).not.toBe('Your delivery')
    // A narrow phone never scrolls sideways.
    expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true)
  }
  expect(faults).toEqual([])
})

test('[V6] a link that is not valid says so, and axe finds nothing', async () => {
  const { page } = await open()
  await page.goto(`${world.url}/t/AAAAAAAAAAAAAAAAAAAAAA`)
  await page.getByRole('heading', { name: 'This link is not valid any more' }).waitFor()
  expect(await axe(page)).toEqual([])
})

test('the map draws with MapLibre, names and all, axe finds nothing and the CSP nothing to refuse', async () => {
  const { page, faults } = await open(DESK)
  const foreign: string[] = []
  page.on(
    'request',
    (request) => !request.url().startsWith(world.url) && !/^(data|blob):/.test(request.url()) && foreign.push(request.url()),
  )
  await page.goto(world.link('next'))
  await drawn(page, 'maplibre')
  await page.locator('.mark-van').waitFor()
  expect(await axe(page)).toEqual([])
  // Streets, water's edge, names, the way: a blank map has a handful of colours.
  const picture = (await page.locator('.map-canvas').screenshot()).toString('base64')
  const colours = await page.evaluate(async (base64) => {
    const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))
    const image = await createImageBitmap(new Blob([bytes], { type: 'image/png' }))
    const canvas = new OffscreenCanvas(image.width, image.height)
    const context = canvas.getContext('2d')!
    context.drawImage(image, 0, 0)
    return new Set(new Uint32Array(context.getImageData(0, 0, image.width, image.height).data.buffer)).size
  }, picture)
  expect(colours).toBeGreaterThan(200)
  expect(foreign).toEqual([])
  expect(faults).toEqual([])
})

test('with a token the map draws with Mapbox though its hosts are cut off', async () => {
  const { page, context } = await open(DESK)
  const asked: string[] = []
  await context.route(/mapbox\.com/, (route) => {
    asked.push(route.request().url())
    return route.abort()
  })
  await page.goto(boxed.link('next'))
  await drawn(page, 'mapbox')
  await page.locator('.mark-van').waitFor()
  expect(asked.length).toBeGreaterThan(0)
  expect(await axe(page)).toEqual([])
})

test.each([
  ['for its styles', /api\.mapbox\.com\/styles/],
  ['for its session, after the map stands', /api\.mapbox\.com\/map-sessions/],
] as const)('a token that Mapbox refuses with 401 %s falls back to MapLibre in the same place', async (_when, refused) => {
  const { page, context } = await open(PHONE)
  await context.route(/mapbox\.com/, (route) =>
    refused.test(route.request().url())
      ? route.fulfill({ status: 401, headers: { 'access-control-allow-origin': '*' }, body: '{"message":"Not Authorized"}' })
      : route.abort(),
  )
  await page.goto(boxed.link('next'))
  await drawn(page, 'maplibre')
  await page.locator('.mark-van').waitFor()
  expect(await page.locator('.map-canvas canvas').count()).toBe(1)
})

test('without WebGL the page says so and goes on', async () => {
  const { page, context } = await open()
  await withoutWebgl(context)
  await page.goto(world.link('next'))
  await page.getByText('The map can’t be drawn here right now').waitFor()
  const view: OrderView = { ...world.states().delivered, ev: 8 }
  await page.getByText('Live', { exact: true }).waitFor()
  world.tell('order', view)
  await page.getByRole('heading', { name: /^Delivered at/ }).waitFor()
})

test('without any script the first status stands in the HTML', async () => {
  const { page } = await open({ ...PHONE, javaScriptEnabled: false })
  await page.goto(world.link('far'))
  expect(await page.locator('main').textContent()).toContain('out for delivery')
})

test('[T4] the vehicle glides between two fixes, frame by frame', async () => {
  const { page } = await open()
  await page.goto(world.link('next'))
  await drawn(page, 'maplibre')
  const { track } = world.states().next
  // Ten seconds between fixes: dead reckoning goes on for fifteen.
  world.tell('track', { ...track, interval: 10, t: Date.now(), now: Date.now() })
  const places = await page.evaluate(
    () =>
      new Promise<number>((done) => {
        const seen = new Set<string>()
        const look = () => {
          seen.add((document.querySelector('.mark-van') as HTMLElement | null)?.style.transform ?? '')
          if (seen.size >= 8) done(seen.size)
          else requestAnimationFrame(look)
        }
        look()
      }),
  )
  expect(places).toBeGreaterThanOrEqual(8)
})

test('under reduced motion no frame moves anything: the vehicle is set down step by step', async () => {
  const { page, context } = await open({ ...PHONE, reducedMotion: 'reduce' })
  await context.addInitScript(() => {
    const ask = window.requestAnimationFrame.bind(window)
    const place = () => (document.querySelector('.mark-van') as HTMLElement | null)?.style.transform
    const counts = { inFrame: 0 }
    Object.assign(window, { counts })
    window.requestAnimationFrame = (callback) =>
      ask((time) => {
        const before = place()
        callback(time)
        if (before !== undefined && place() !== before) counts.inFrame++
      })
  })
  await page.goto(world.link('next'))
  await drawn(page, 'maplibre')
  const van = page.locator('.mark-van')
  const transform = () => van.evaluate((element) => (element as HTMLElement).style.transform)
  const first = await transform()
  const { next } = world.states()
  const [a, b] = next.track.path!
  world.tell('track', { ...next.track, vehicle: { ...next.track.vehicle!, at: b ?? a! }, t: Date.now(), now: Date.now() })
  await expect.poll(transform, { timeout: 15_000 }).not.toBe(first)
  expect(await page.evaluate(() => (window as unknown as { counts: { inFrame: number } }).counts.inFrame)).toBe(0)
  expect(await page.evaluate(() => document.getAnimations().length)).toBe(0)
})

test('the camera follows until a person takes it, and comes back when asked', async () => {
  const { page } = await open(DESK)
  await page.goto(world.link('next'))
  await drawn(page, 'maplibre')
  const follow = page.getByRole('button', { name: 'Follow the van' })
  expect(await follow.count()).toBe(0)
  const box = (await page.locator('.map-canvas').boundingBox())!
  await page.mouse.move(box.x + box.width / 2, box.y + 500)
  await page.mouse.down()
  await page.mouse.move(box.x + box.width / 2 - 160, box.y + 560, { steps: 5 })
  await page.mouse.up()
  await follow.waitFor()
  await follow.click()
  await follow.waitFor({ state: 'detached' })
})

test('[V4] with the end of the delivery the vehicle and the map go, and a listener hears of it', async () => {
  const { page } = await open()
  const link = world.link('next')
  await page.goto(link)
  await drawn(page, 'maplibre')
  await page.getByText('Live', { exact: true }).waitFor()
  world.tell('order', { ...world.states().delivered, ev: 8 })
  await page.getByRole('heading', { name: /^Delivered at/ }).waitFor()
  expect(await page.locator('.mark-van, .map-canvas').count()).toBe(0)
  await expect.poll(() => page.getByRole('status').textContent()).toMatch(/^Delivered at/)
  expect(await page.title()).toMatch(/^Delivered at .* · Linden Books$/)
})

test('[V6] a link that ends while it is open turns the page into that of a link that is not valid', async () => {
  const { page, context } = await open()
  await withoutWebgl(context)
  const watching = world.watched()
  await page.goto(world.link('next'))
  await watching
  world.tell('gone', {})
  await page.getByRole('heading', { name: 'This link is not valid any more' }).waitFor()
})

test('[T8] offline is said as such, and taken back when the network is', async () => {
  const { page, context } = await open()
  await withoutWebgl(context)
  await page.goto(world.link('near'))
  await page.getByText('Live', { exact: true }).waitFor()
  await context.setOffline(true)
  await page.getByText('You are offline. This was true at').waitFor()
  expect(await page.getByText('Live', { exact: true }).count()).toBe(0)
  expect(await axe(page)).toEqual([])
  await context.setOffline(false)
  // The line itself was never cut; on a slow machine the last fix is no longer live by now.
  world.tell('track', world.states().near.track)
  await page.getByText('Live', { exact: true }).waitFor()
})

test('[F] where sockets are blocked the page asks every ten seconds and says so; where nothing answers it says that', async () => {
  const { page, context } = await open()
  await withoutWebgl(context)
  await context.routeWebSocket(/socket\.io/, (socket) => socket.close())
  await page.goto(world.link('near'))
  await page.getByText('this page looks for news every ten seconds').waitFor()
  await context.route('**/state', (route) => route.abort())
  await page.getByText(/be reached right now/).waitFor()
  await page.getByRole('button', { name: 'Try now' }).waitFor()
  expect(await axe(page)).toEqual([])
})

test('[F] a dropped connection comes back by itself, and what happened meanwhile is there after one question', async () => {
  const { page, context } = await open()
  await withoutWebgl(context)
  const watching = world.watched()
  const link = world.link('near')
  await page.goto(link)
  await watching
  world.show(link, { ...world.states().delivered, ev: 9 })
  const again = world.watched()
  world.drop()
  await again
  await page.getByRole('heading', { name: /^Delivered at/ }).waitFor()
})

test('a page that came without its state fills in as soon as it gets through', async () => {
  const { page, context } = await open()
  await withoutWebgl(context)
  const link = world.link('near')
  await context.route(link, async (route) => {
    const response = await route.fetch()
    const body = (await response.text()).replace(/(id="state">).*(<\/script>)/, '$1null$2')
    return route.fulfill({ response, body })
  })
  await page.goto(link)
  await page.getByText('Live', { exact: true }).waitFor()
})

test('the theme follows the system until one is chosen, which then holds before the first paint', async () => {
  const { page, context } = await open({ ...PHONE, colorScheme: 'light' })
  await withoutWebgl(context)
  await page.goto(world.link('far'))
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor)
  const light = await ground()
  await page.keyboard.press('Tab')
  await page.keyboard.press('Enter')
  await page.getByRole('button', { name: 'Use light theme' }).waitFor()
  const dark = await ground()
  expect(dark).not.toBe(light)
  await page.reload()
  expect(await ground()).toBe(dark)
})

test('the script before the map stays in its budget, and an order without a map never asks for one', async () => {
  expect(await scriptBytes(await built(), 'customer')).toBeLessThanOrEqual(BUDGET)
  const { page } = await open()
  const asked: string[] = []
  page.on('request', (request) => asked.push(request.url()))
  const watching = world.watched()
  await page.goto(world.link('cancelled'))
  await watching
  await page.evaluate(() => new Promise((done) => requestIdleCallback(done)))
  expect(asked.filter((url) => /maplibre|mapbox|live-map|tiles/.test(url))).toEqual([])
})
