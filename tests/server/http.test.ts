// The HTTP edge as shops, dispatchers and customers meet it: what a good request gets.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type HttpDesk, openHttp } from './http-desk.ts'
import { openDesk, START, type TestDesk } from './orders-desk.ts'

let desk: TestDesk
let http: HttpDesk
let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'doorstep-http-'))
  desk = await openDesk(dir)
  http = await openHttp(desk, dir)
})
afterAll(async () => {
  await http?.close()
  await desk?.sql.close()
  await rm(dir, { recursive: true, force: true })
})

const anOrder = {
  recipient: { name: 'Karin Boye' },
  address: { label: 'Linnégatan 12', at: [11.95, 57.695] },
  merchant: 'Bokhandeln',
}

test('a shop orders, a dispatcher plans and sends, and the customer reads each step on her link', async () => {
  const signedIn = await http.ask('POST', '/v1/sessions', { body: {} })
  expect(signedIn.status).toBe(201)
  const key = signedIn.json.token as string
  expect(signedIn.json.url).toBe(`${http.url}/dispatch#token=${key}`)
  const driver = await http.ask('POST', '/v1/drivers', { key, body: { name: 'Anna Lind', vehicle: 'van' } })
  expect(driver.status).toBe(201)
  expect(driver.json.device.url).toBe(`${http.url}/drive/${driver.json.device.token}`)
  const made = await http.ask('POST', '/v1/orders', { key, body: anOrder })
  expect(made.status).toBe(201)
  expect(made.json.order.number).toMatch(/^DS-[0-9A-HJKMNP-TV-Z]{6}$/)
  const { token, url } = made.json.link as { token: string; url: string }
  expect(token).toMatch(/^[A-Za-z0-9_-]{22}$/)
  expect(url).toBe(`${http.url}/t/${token}`)

  const status = async () => (await http.ask('GET', `/t/${token}/state`, { key: null })).json.status
  expect(await status()).toBe('received')
  const run = await http.ask('POST', '/v1/runs', { key, body: { start: START, orders: [made.json.order.id] } })
  expect(run.status).toBe(201)
  expect(run.json).toMatchObject({ status: 'draft', driverId: null })
  expect(await status()).toBe('processing')
  const at = `/v1/runs/${run.json.id}`
  expect((await http.ask('POST', `${at}/assign`, { key, body: { driverId: driver.json.driver.id } })).json.status).toBe('assigned')
  expect(await status()).toBe('shipped')
  expect((await http.ask('POST', `${at}/start`, { key, body: {} })).json.status).toBe('started')
  expect(await status()).toBe('out_for_delivery')
  const stop = run.json.stops[0].id
  expect((await http.ask('POST', `${at}/stops/${stop}/arrived`, { key, body: {} })).status).toBe(200)
  expect((await http.ask('POST', `${at}/stops/${stop}/done`, { key })).json.status).toBe('finished')
  expect(await status()).toBe('delivered')
  const page = await http.ask('GET', `/t/${token}`, { key: null })
  expect(page.status).toBe(200)
  expect(page.text).toContain('Your order has been delivered.')
})
