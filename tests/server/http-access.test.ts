// Every route × every kind of principal × own, other and none: who may not gets the same refusal, and nothing of the thing behind it.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { routes } from '@doorstep/server/http/routes'
import type { Entry } from '@doorstep/server/http/table'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createDatabase } from '../services/database.ts'
import { type HttpDesk, openHttp, type Told } from './http-desk.ts'
import { ADMIN_KEY, openDesk, START, type TestDesk } from './orders-desk.ts'

let desk: TestDesk
let http: HttpDesk
let table: Entry[]
const ends: (() => Promise<unknown>)[] = []
beforeAll(async () => {
  const database = await createDatabase()
  const dir = await mkdtemp(join(tmpdir(), 'doorstep-access-'))
  ends.push(
    () => database.drop(),
    () => rm(dir, { recursive: true, force: true }),
  )
  desk = await openDesk('', database.url)
  ends.push(() => desk.sql.close())
  http = await openHttp(desk, dir)
  ends.push(() => http.close())
  table = routes(http.parts)
})
afterAll(async () => {
  for (const end of ends.reverse()) await end()
})

const NONE = '019a0000-0000-7000-8000-000000000000'

/** One of everything: what a path's parameters may stand for. */
async function aWorld() {
  const session = await desk.auth.newSession('dispatcher')
  const driver = await http.ask('POST', '/v1/drivers', { body: { name: 'Anna Lind', vehicle: 'van' } })
  const order = async (name: string) =>
    (
      await http.ask('POST', '/v1/orders', {
        body: { recipient: { name, phone: '+46700000000' }, address: { label: `${name}s väg 1`, at: [11.95, 57.695] } },
      })
    ).json
  const [first, second, third] = [await order('Karin'), await order('Selma'), await order('Moa')]
  const run = await http.ask('POST', '/v1/runs', { body: { start: START, orders: [first.order.id, second.order.id] } })
  return {
    session,
    driver: driver.json.driver.id as string,
    device: driver.json.device as { id: string; token: string },
    order: first.order.id as string,
    spare: third.order.id as string,
    link: first.link as { id: string; token: string },
    otherLink: second.link as { id: string; token: string },
    run: run.json.id as string,
    stop: run.json.stops[0].id as string,
  }
}
type World = Awaited<ReturnType<typeof aWorld>>

/** A request that would succeed, or be refused for a reason of the order's life. */
function asked(route: Entry, w: World, ids: 'own' | 'none'): { path: string; body: unknown } {
  const what = route.path.split('/')[2]!
  const own = { sessions: w.session.id, devices: w.device.id, links: w.link.id, drivers: w.driver, orders: w.order, runs: w.run }[
    what
  ]
  const path = route.path.replace(':id', ids === 'own' ? (own ?? NONE) : NONE).replace(':stopId', ids === 'own' ? w.stop : NONE)
  const bodies: Record<string, unknown> = {
    '/v1/drivers': { name: 'Eva' },
    '/v1/orders': { recipient: { name: 'Eva' }, address: { label: 'Haga 1', at: START } },
    '/v1/runs': { start: START, orders: [w.spare] },
    '/v1/runs/:id/assign': { driverId: w.driver },
    '/v1/runs/:id/stops': { orderId: w.spare },
    '/v1/runs/:id/stops/:stopId/failed': { reason: 'other' },
  }
  const queries: Record<string, string> = {
    '/v1/drivers/:id/trail': '?from=1763700000000&to=1763800000000',
    '/v1/places': '?sample=3&seed=1',
    '/v1/route': '?to=11.95,57.69;11.96,57.70',
  }
  return {
    path: path + (route.method === 'GET' ? (queries[route.path] ?? '') : ''),
    body: route.method === 'POST' ? (bodies[route.path] ?? {}) : undefined,
  }
}
/** Wrong credentials are limited by the minute; this test turns the clock. */
const ask = (route: Entry, key: string | null, { path, body }: { path: string; body: unknown }): Promise<Told> => {
  desk.tick(4_000)
  return http.ask(route.method, path, { key, ...(body !== undefined && { body }) })
}
const written = async () =>
  (
    await desk.sql.query(
      `select (select count(*) from order_events) as events, (select count(*) from runs) as runs, (select count(*) from links) as links,
         (select count(*) from drivers) as drivers, (select count(*) from devices where revoked_at is null) as devices,
         (select count(*) from sessions where revoked_at is null) as sessions, (select sum(version) from runs) as versions`,
    )
  ).rows[0]

test('the table has all routes of the API, each once', () => {
  const all = table.map((r) => `${r.method} ${r.path}`)
  expect(new Set(all).size).toBe(all.length)
  expect(all.length).toBeGreaterThanOrEqual(35)
  expect(table.filter((r) => r.who === 'public').map((r) => r.path)).toEqual(['/v1/city'])
})

test('[V1] every route × everybody who may not: the same 401, no byte of the thing, nothing written', async () => {
  const w = await aWorld()
  const expired = await desk.auth.newSession('dispatcher')
  await desk.sql.query('update sessions set expires_at = 1 where id = $1', [expired.id])
  const revoked = await desk.auth.newSession('dispatcher')
  await desk.auth.revoke('session', revoked.id)
  const nobody: Record<string, string | null> = {
    anonymous: null,
    garbage: 'x',
    'a well-formed guess': 'A'.repeat(43),
    'a customer': w.link.token,
    'the driver': w.device.token,
    'an expired session': expired.token,
    'a revoked session': revoked.token,
    'almost the admin key': `${ADMIN_KEY.slice(0, -1)}!`,
    SQL: "' or 1=1--",
  }
  const before = await written()
  const secrets = new RegExp(`Karin|Selma|Anna|\\+467|${w.order}|${w.link.token}|57\\.69`)
  for (const route of table.filter((r) => r.who !== 'public'))
    for (const [who, key] of Object.entries(nobody))
      for (const ids of ['own', 'none'] as const) {
        const told = await ask(route, key, asked(route, w, ids))
        const at = `${who}: ${route.method} ${route.path}`
        expect([at, told.status, told.json.code]).toEqual([at, 401, 'AUTH'])
        expect(told.headers.get('www-authenticate')).toBe('Bearer')
        expect(told.text).not.toMatch(secrets)
      }
  expect(await written()).toEqual(before)
}, 120_000)

test('every route × a dispatcher and the admin: own is answered, unknown and malformed ids are the same 404', async () => {
  for (const who of ['dispatcher', 'admin'] as const) {
    let w = await aWorld()
    for (const route of table) {
      // what a request changes is not there for the next one
      if (route.method !== 'GET') w = await aWorld()
      const key = who === 'admin' ? ADMIN_KEY : w.session.token
      const at = `${who}: ${route.method} ${route.path}`
      if (route.path.includes(':')) {
        const request = asked(route, w, 'none')
        const unknown = await ask(route, key, request)
        expect([at, unknown.status, unknown.json.code]).toEqual([at, 404, 'NOT_FOUND'])
        for (const id of ['x', '1%27%20or%201%3D1', '..%2f..%2fetc', '%00', 'NaN', w.order.toUpperCase(), `${w.order}%20`]) {
          const malformed = await ask(route, key, { ...request, path: request.path.replace(NONE, id) })
          expect([at, id, malformed.status]).toEqual([at, id, 404])
          expect({ ...malformed.json, requestId: '' }).toEqual({ ...unknown.json, requestId: '' })
        }
      }
      const own = await ask(route, key, asked(route, w, 'own'))
      if (route.who === 'admin' && who === 'dispatcher') expect([at, own.json.code]).toEqual([at, 'FORBIDDEN'])
      else if (own.status < 400) expect([200, 201, 204]).toContain(own.status)
      else expect([at, own.json.code]).toEqual([at, 'TRANSITION'])
    }
  }
}, 120_000)

test('a dispatcher ends her own session and no other; the admin ends any', async () => {
  const [one, two] = [await desk.auth.newSession('dispatcher'), await desk.auth.newSession('dispatcher')]
  expect((await http.ask('DELETE', `/v1/sessions/${two.id}`, { key: one.token })).status).toBe(404)
  expect((await http.ask('GET', '/v1/runs', { key: two.token })).status).toBe(200)
  expect((await http.ask('DELETE', `/v1/sessions/${one.id}`, { key: one.token })).status).toBe(204)
  expect((await http.ask('GET', '/v1/runs', { key: one.token })).status).toBe(401)
  expect((await http.ask('DELETE', `/v1/sessions/${two.id}`)).status).toBe(204)
  expect((await http.ask('GET', '/v1/runs', { key: two.token })).status).toBe(401)
})

test('[V6] links that are unknown, malformed, expired or revoked get the same page, byte for byte', async () => {
  const w = await aWorld()
  expect((await http.ask('DELETE', `/v1/links/${w.otherLink.id}`)).status).toBe(204)
  const expired = (await http.ask('POST', `/v1/orders/${w.order}/links`, { body: {} })).json
  await desk.sql.query('update links set expires_at = 1 where id = $1', [expired.id])
  const dead = [
    'A'.repeat(22),
    w.otherLink.token,
    expired.token,
    w.device.token,
    w.session.token,
    ADMIN_KEY,
    'x',
    '',
    '%00',
    '%E0%A4%A',
    '..%2f..%2fetc%2fpasswd',
    `${w.link.token}/`,
    `${w.link.token}x`,
    `${w.link.token}/state/`,
    w.link.token.toLowerCase() === w.link.token ? 'b'.repeat(22) : w.link.token.toLowerCase(),
    "'%20or%201=1--",
    'A'.repeat(2_000),
  ]
  const bodies = new Set<string>()
  for (const token of dead) {
    desk.tick(10_000)
    const told = await http.ask('GET', `/t/${token}`, { key: null })
    expect([token, told.status]).toEqual([token, 404])
    bodies.add(`${told.headers.get('content-type')} ${told.headers.get('cache-control')} ${told.text}`)
  }
  expect(bodies.size).toBe(1)
  expect([...bodies][0]).toContain('{"gone":true}')
  const states = new Set<string>()
  for (const token of dead.filter((t) => !t.includes('/'))) {
    desk.tick(10_000)
    const told = await http.ask('GET', `/t/${token}/state`, { key: null })
    states.add(JSON.stringify({ ...told.json, requestId: '' }))
  }
  expect(states.size).toBe(1)
  // her own still shows her own order, and nothing of the other customer
  const own = await http.ask('GET', `/t/${w.link.token}`, { key: null })
  expect(own.status).toBe(200)
  expect(own.text).toContain('Karin')
  expect(own.text).not.toMatch(/Selma|Lind|\+467/)
})

test('who guesses links or keys waits after ten or twenty wrong ones a minute; who has the right one never does', async () => {
  const w = await aWorld()
  desk.tick(3_600_000)
  const guess = async () => (await http.ask('GET', `/t/${'B'.repeat(22)}/state`, { key: null })).status
  for (let i = 0; i < 10; i++) expect(await guess()).toBe(404)
  expect(await guess()).toBe(429)
  const page = await http.ask('GET', `/t/${'B'.repeat(22)}`, { key: null })
  expect([page.status, page.text.includes('{"gone":true}')]).toEqual([429, true])
  expect((await http.ask('GET', `/t/${w.link.token}`, { key: null })).status).toBe(200)
  for (let i = 0; i < 20; i++) expect((await http.ask('GET', '/v1/runs', { key: 'wrong' })).status).toBe(401)
  const late = await http.ask('GET', '/v1/runs', { key: 'wrong' })
  expect([late.status, late.json.code]).toEqual([429, 'RATE'])
  expect(Number(late.headers.get('retry-after'))).toBeGreaterThan(0)
  // a header cannot make one address many: no proxy is trusted
  const forged = await http.ask('GET', '/v1/runs', { key: 'wrong', headers: { 'x-forwarded-for': '203.0.113.7' } })
  expect(forged.status).toBe(429)
  expect((await http.ask('GET', '/v1/runs', { key: w.session.token })).status).toBe(200)
})

test('no token, name, phone number or place is in any line that was logged, whatever was asked', async () => {
  const w = await aWorld()
  await http.ask('GET', `/t/${w.link.token}`, { key: null })
  await http.ask('GET', `/t/${w.link.token}/state`, { key: null })
  await http.ask('GET', `/drive/${w.device.token}`, { key: null })
  const log = http.log.join('')
  expect(log).toContain('"route":"/t/:token"')
  for (const secret of [w.link.token, w.device.token, w.session.token, ADMIN_KEY, 'Karin', '+467', '57.69', 'B'.repeat(22)])
    expect(log).not.toContain(secret)
})
