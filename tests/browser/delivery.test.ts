// Real driver's socket and real browser around a real server: one ping to the pixel, and one delivery from "not yet on its way" to "delivered".
import type { RunView } from '@doorstep/shared/api'
import { bearing, distance } from '@doorstep/shared/geo'
import { pointAt, route } from '@doorstep/shared/route'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import type { Socket } from 'socket.io-client'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { ask, batch, type Company, call, company, connect, hangUp, type Node, newQid, startNode } from '../server/world.ts'
import { launchChromium } from '../services/chromium.ts'
import { built } from './built.ts'

let browser: Browser
let node: Node
let webDist: string
const contexts: BrowserContext[] = []
beforeAll(async () => {
  webDist = await built()
  ;[browser, node] = await Promise.all([launchChromium(), startNode({ WEB_DIST: webDist })])
})
afterEach(async () => {
  hangUp()
  for (const context of contexts.splice(0)) await context.close()
})
afterAll(async () => {
  await browser?.close()
  await node?.stop()
})

const linkOf = (of: Company, stop: number) => `${node.url}/t/${of.orders[stop]!.link.token}`

async function customer(url: string): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 390, height: 844 }, locale: 'en-GB' })
  contexts.push(context)
  const page = await context.newPage()
  await page.goto(url)
  return page
}

/** A driver's device on duty, its fixes kept one by one. */
async function device(of: Company): Promise<{ socket: Socket; at(along: number, speed?: number): Promise<void> }> {
  const socket = await connect(node, '/driver', of.driver.device.token)
  const qid = newQid()
  await call(socket, 'hello', { v: 1, qid, sentAt: Date.now() })
  let seq = 0
  return {
    socket,
    async at(along, speed = 10) {
      expect((await call(socket, 'pings', batch(qid, [of.fix(++seq, along, { spd: speed })]))).ok).toBe(true)
    },
  }
}

/** Where an element of the map stands, CSS pixels; a pin points with its foot, a van with its middle. */
async function placeOf(page: Page, mark: '.mark-van' | '.mark-door'): Promise<{ x: number; y: number }> {
  const box = (await page.locator(mark).boundingBox())!
  return { x: box.x + box.width / 2, y: mark === '.mark-door' ? box.y + box.height : box.y + box.height / 2 }
}

test('a ping travels from the driver’s socket to the pixel: the van stands where the fix was, seen from the door', async () => {
  const of = await company(node, 1, 11)
  const line = route(of.run.route.line)
  const door = of.run.stops[0]!.door
  const van = await device(of)
  const page = await customer(linkOf(of, 0))
  const seen: { metres: number; pixels: number }[] = []
  for (const share of [0.35, 0.36]) {
    const along = line.length * share
    // The same place until the page has come to rest on it: it glides, and its camera follows.
    const settled = async () => {
      await van.at(along, 0)
      if ((await page.locator('.mark-van').count()) === 0) return false
      const [a, b] = [await placeOf(page, '.mark-van'), await placeOf(page, '.mark-door')]
      const truth = bearing(pointAt(line, along), door)
      const shown = (Math.atan2(b.x - a.x, a.y - b.y) * 180) / Math.PI
      const off = Math.abs(((shown - truth + 540) % 360) - 180)
      seen.push({ metres: distance(pointAt(line, along), door), pixels: Math.hypot(b.x - a.x, b.y - a.y) })
      return off < 2
    }
    await expect.poll(settled, { timeout: 45_000, interval: 500 }).toBe(true)
  }
  const { metres, pixels } = seen.at(-1)!
  expect(pixels / metres).toBeGreaterThan(0)
  // And something of the van's own colour is drawn there.
  const at = await placeOf(page, '.mark-van')
  const shot = await page.screenshot({ clip: { x: at.x - 12, y: at.y - 12, width: 24, height: 24 } })
  const blank = await contexts[0]!.newPage()
  const indigo = await blank.evaluate(async (png) => {
    const picture = await createImageBitmap(await (await fetch(`data:image/png;base64,${png}`)).blob())
    const canvas = new OffscreenCanvas(picture.width, picture.height)
    const pen = canvas.getContext('2d')!
    pen.drawImage(picture, 0, 0)
    const { data } = pen.getImageData(0, 0, picture.width, picture.height)
    let n = 0
    for (let i = 0; i < data.length; i += 4)
      if (data[i + 2]! > 150 && data[i + 2]! > data[i]! + 60 && data[i + 2]! > data[i + 1]! + 60) n++
    return n
  }, shot.toString('base64'))
  expect(indigo).toBeGreaterThan(20)
})

test('a whole delivery, watched: not yet on its way, far, near, next, at the door, delivered', { timeout: 180_000 }, async () => {
  const of = await company(node, 5, 12, false)
  const last = 4
  const page = await customer(linkOf(of, last))
  const main = page.locator('main')
  const says = (words: RegExp) => expect.poll(() => main.textContent(), { timeout: 20_000, interval: 200 }).toMatch(words)
  await says(/prepared|Packed/)
  expect(await page.locator('.mark-van').count()).toBe(0)

  await ask<RunView>(node, 'POST', `/v1/runs/${of.run.id}/start`, {})
  const run = await ask<RunView>(node, 'GET', `/v1/runs/${of.run.id}`)
  const van = await device(of)
  await van.at(0)
  await says(/4 stops before yours/)
  await says(/at most three stops away/)
  expect(await page.locator('.mark-van').count()).toBe(0)

  // Two doors are done: the third before hers, so the van may be seen from now on, wherever it is not at another's door.
  for (const stop of run.stops.slice(0, 2)) await ask(node, 'POST', `/v1/runs/${run.id}/stops/${stop.id}/done`, {})
  await says(/2 stops before yours/)
  for (const stop of run.stops.slice(2, 4)) await ask(node, 'POST', `/v1/runs/${run.id}/stops/${stop.id}/done`, {})
  await says(/you are the next stop/i)

  // The last leg at 60 m/s, as fast as a fix is believed.
  const door = run.stops[last]!.along
  let along = Math.max(0, door - 1_500)
  for (let i = 0; i < 3; i++) {
    await van.at(along + i * 5)
    await new Promise<void>((later) => setTimeout(later, 300))
  }
  await page.waitForSelector('.mark-van', { timeout: 40_000 })
  await says(/away/)
  while (along < door) {
    along = Math.min(door, along + 15)
    await van.at(along, 60)
    // A phone's own rhythm: what stands still here is the road, not the test.
    await new Promise<void>((later) => setTimeout(later, 250))
  }
  await says(/is at your door|Almost at your door|Arrived/)
  const said = await call(van.socket, 'act', { idemKey: newQid(), type: 'delivered', stopId: run.stops[last]!.id, at: Date.now() })
  expect(said.ok).toBe(true)
  await page.getByRole('heading', { name: /^Delivered at/ }).waitFor()
  expect(await page.locator('.mark-van').count()).toBe(0)
  expect(await page.title()).toMatch(/^Delivered at/)
})

test('[F] a server that restarts is found again by the page, which is exact after it', { timeout: 120_000 }, async () => {
  const { mkdtempSync } = await import('node:fs')
  const { tmpdir } = await import('node:os')
  const { join } = await import('node:path')
  const own = { WEB_DIST: webDist, DATA_DIR: mkdtempSync(join(tmpdir(), 'doorstep-again-')) }
  const first = await startNode(own)
  const of = await company(first, 1, 13)
  const page = await customer(`${first.url}/t/${of.orders[0]!.link.token}`)
  await expect.poll(() => page.locator('main').textContent(), { timeout: 20_000 }).toMatch(/on its way|Arriving/i)
  await first.stop('SIGKILL')
  const again = await startNode({ ...own, PORT: String(first.port) })
  // What happened while the page was cut off is on it without a reload.
  await ask(again, 'POST', `/v1/runs/${of.run.id}/stops/${of.run.stops[0]!.id}/done`, {})
  await expect.poll(() => page.locator('main').textContent(), { timeout: 60_000, interval: 250 }).toMatch(/Delivered at/)
  await again.stop()
})
