// The HTTP edge as shops, dispatchers and customers meet it: what a good request gets.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SqlError } from '@doorstep/server/store/sql/port'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createDatabase } from '../services/database.ts'
import { type HttpDesk, openHttp } from './http-desk.ts'
import { ADMIN_KEY, openDesk, START, type TestDesk } from './orders-desk.ts'

let desk: TestDesk
let http: HttpDesk
let dir: string
let database: Awaited<ReturnType<typeof createDatabase>>
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'doorstep-http-'))
  database = await createDatabase()
  desk = await openDesk('', database.url)
  http = await openHttp(desk, dir)
})
afterAll(async () => {
  await http?.close()
  await desk?.sql.close()
  await database?.drop()
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

test('every page refuses to be framed, to leak its address and to run what is not its own', async () => {
  const { link } = (await http.ask('POST', '/v1/orders', { body: anOrder })).json
  for (const path of [`/t/${link.token}`, '/t/x', '/dispatch', '/drive/x', '/v1/city', '/healthz', '/nowhere']) {
    const { headers } = await http.ask('GET', path, { key: null })
    const policy = headers.get('content-security-policy')!
    expect(policy).toContain("default-src 'none'")
    expect(policy).toContain("script-src 'self';")
    expect(policy).toContain("frame-ancestors 'none'")
    expect(policy).toContain(http.url.replace('http', 'ws'))
    expect(policy).not.toMatch(/unsafe|mapbox|\*/)
    expect(headers.get('referrer-policy')).toBe('no-referrer')
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('x-powered-by')).toBeNull()
  }
  const page = await http.ask('GET', `/t/${link.token}`, { key: null })
  expect(page.headers.get('x-robots-tag')).toBe('noindex, nofollow')
  expect(page.headers.get('cache-control')).toBe('no-store')
})

test('a page that polls is told only what is new', async () => {
  const { order, link } = (await http.ask('POST', '/v1/orders', { body: anOrder })).json
  const first = await http.ask('GET', `/t/${link.token}/state`, { key: null })
  const tag = first.headers.get('etag')!
  const poll = () => http.ask('GET', `/t/${link.token}/state`, { key: null, headers: { 'if-none-match': tag } })
  desk.tick(10_000)
  expect([(await poll()).status, (await poll()).text]).toEqual([304, ''])
  await http.ask('POST', `/v1/orders/${order.id}/hold`, { body: {} })
  const changed = await poll()
  expect([changed.status, changed.json.status, changed.json.ev]).toEqual([200, 'on_hold', 2])
})

test('assets come in the smallest form that the browser reads, for ever, and no path leads out of their folder', async () => {
  const get = (path: string, encoding = 'identity') =>
    http.ask('GET', path, { key: null, headers: { 'accept-encoding': encoding } })
  const plain = await get('/assets/main-1a2b.js')
  expect(plain.text).toBe('export {}\n')
  expect(plain.headers.get('content-type')).toBe('text/javascript; charset=utf-8')
  expect(plain.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
  const small = await get('/assets/main-1a2b.js', 'gzip, br')
  expect([small.headers.get('content-encoding'), small.headers.get('vary'), small.text]).toEqual([
    'br',
    'accept-encoding',
    plain.text,
  ])
  expect((await get('/assets/main-1a2b.js', 'br;q=0')).headers.get('content-encoding')).toBeNull()
  for (const path of [
    '/assets/nothing.js',
    '/assets/..%2fcustomer.html',
    '/assets/%2e%2e/dispatch.html',
    '/assets/.env',
    '/assets/',
    '/assets/main-1a2b.js.br',
  ])
    expect([path, (await get(path)).status]).toEqual([path, 404])
  const raw = await http.raw('GET /assets/../../../../etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  expect(raw).toMatch(/^HTTP\/1\.1 404 /)
})

test('tiles are sent as they are, and where there is nothing the map is told so', async () => {
  const tile = await http.raw('GET /tiles/14/8737/4912.pbf HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  expect(tile).toMatch(/^HTTP\/1\.1 200 /)
  expect(tile.toLowerCase()).toContain('content-encoding: gzip')
  expect((await http.ask('GET', '/tiles/3/1/1.pbf', { key: null })).status).toBe(204)
  for (const path of ['/tiles/a/b/c.pbf', '/tiles/1/1/1.png', '/tiles/-1/1/1.pbf', '/tiles/1/1/1e3.pbf'])
    expect([204, 404]).toContain((await http.ask('GET', path, { key: null })).status)
})

test('a node says that it lives, and whether it is ready', async () => {
  expect((await http.ask('GET', '/healthz', { key: null })).json).toEqual({ ok: true })
  expect(await http.ask('GET', '/readyz', { key: null })).toMatchObject({ status: 200, json: { ready: true, degraded: [] } })
})

test('[F] while the database is away the API says try again, and the page comes up and asks by itself', async () => {
  const away = () => Promise.reject(new SqlError('connection refused', '08006', true))
  const down = await openHttp(desk, dir, { auth: { ...desk.auth, link: away, session: away } })
  try {
    const told = await down.ask('GET', '/v1/runs')
    expect([told.status, told.json.code, told.headers.get('retry-after')]).toEqual([503, 'RETRY', '2'])
    const page = await down.ask('GET', `/t/${'A'.repeat(22)}`, { key: null })
    expect([page.status, page.headers.get('retry-after')]).toEqual([503, '2'])
    expect(page.text).toContain('<script type="application/json" id="state">null</script>')
    expect((await down.ask('GET', `/t/${'A'.repeat(22)}/state`, { key: null })).json.code).toBe('RETRY')
    expect((await down.ask('GET', '/v1/city', { key: null })).status).toBe(200)
    expect(down.log.filter((line) => /"level":50/.test(line))).toEqual([])
  } finally {
    await down.close()
  }
})

test('a bug in a handler is logged with the number that the answer carries, and tells nothing else', async () => {
  const broken = await openHttp(desk, dir, { roster: () => Promise.reject(new Error('a secret of the inside')) })
  try {
    const told = await broken.ask('GET', '/v1/drivers')
    expect([told.status, told.json.code]).toEqual([500, 'INTERNAL'])
    expect(told.text).not.toContain('secret')
    const line = broken.log.find((l) => /"level":50/.test(l))!
    expect(line).toContain(told.json.requestId)
    expect(line).toContain('a secret of the inside')
  } finally {
    await broken.close()
  }
})

test('a sender who goes away in the middle of a body is no error of ours', async () => {
  const before = http.log.length
  const ended = http.logged(/"route":"\/v1\/orders"/)
  const begun = 'Content-Type: application/json\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n{"a":'
  const sender = await http.say(`POST /v1/orders HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ADMIN_KEY}\r\n${begun}`)
  // the server has asked for the body: it is reading now
  await new Promise((reading) => sender.once('data', reading))
  sender.destroy()
  await ended
  expect(http.log.slice(before).filter((line) => /"level":50/.test(line))).toEqual([])
})
