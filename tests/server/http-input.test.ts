// Bad requests of every kind in; the right code, nothing echoed, nothing written, and a server that answers the next good one.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import type { NewOrder } from '@doorstep/shared/api'
import { CODES, type Code } from '@doorstep/shared/codes'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { createDatabase } from '../services/database.ts'
import { type HttpDesk, openHttp, type Told } from './http-desk.ts'
import { ADMIN_KEY, openDesk, type TestDesk } from './orders-desk.ts'

let desk: TestDesk
let http: HttpDesk
const ends: (() => Promise<unknown>)[] = []
beforeAll(async () => {
  const database = await createDatabase()
  const dir = await mkdtemp(join(tmpdir(), 'doorstep-input-'))
  ends.push(
    () => database.drop(),
    () => rm(dir, { recursive: true, force: true }),
  )
  desk = await openDesk('', database.url)
  ends.push(() => desk.sql.close())
  http = await openHttp(desk, dir)
  ends.push(() => http.close())
})
afterAll(async () => {
  for (const end of ends.reverse()) await end()
})
afterEach(async () => {
  expect((await http.ask('GET', '/v1/orders?limit=1')).status).toBe(200)
  expect(http.log.filter((line) => /"level":50/.test(line))).toEqual([])
})

/** Must come back in no answer. */
const MARK = 'Zx9marker'
const order = (over: object = {}): NewOrder & object => ({
  recipient: { name: 'Karin Boye' },
  address: { label: 'Linnégatan 12', at: [11.95, 57.695] },
  ...over,
})
const count = async () => (await desk.sql.query<{ n: number }>('select count(*) as n from orders')).rows[0]!.n

/** RFC 9457, our code, a number for the request, and nothing of what was sent. */
function expectProblem(told: Told, code: Code, field?: string): void {
  expect([told.status, told.json?.code, told.json?.field]).toEqual([CODES[code].status, code, field])
  expect(told.headers.get('content-type')).toBe('application/problem+json; charset=utf-8')
  expect(told.json).toMatchObject({ type: `urn:doorstep:problem:${code}`, status: told.status, title: expect.any(String) })
  expect(told.json.requestId).toBe(told.headers.get('x-request-id'))
  expect(told.text).not.toContain(MARK)
}

const bomb = Buffer.alloc(5_000_000, '[')
test.each([
  ['B33 a gzip bomb', gzipSync(bomb), { 'content-encoding': 'gzip' }, 'BAD_TYPE', 'content-encoding'],
  ['B33 a brotli bomb', brotliCompressSync(bomb), { 'content-encoding': 'br' }, 'BAD_TYPE', 'content-encoding'],
  ['B33 two encodings', '{}', { 'content-encoding': 'identity, gzip' }, 'BAD_TYPE', 'content-encoding'],
  ['a form', 'a=1', { 'content-type': 'application/x-www-form-urlencoded' }, 'BAD_TYPE', 'content-type'],
  ['text, as a form of another site would send it', '{}', { 'content-type': 'text/plain' }, 'BAD_TYPE', 'content-type'],
  ['another charset', '{}', { 'content-type': 'application/json; charset=utf-16' }, 'BAD_TYPE', 'content-type'],
  ['B34 truncated JSON', '{"recipient":', {}, 'BAD_JSON', undefined],
  ['B34 a byte order mark', '\ufeff{}', {}, 'BAD_JSON', undefined],
  ['B34 UTF-16', Buffer.from('{}', 'utf16le'), {}, 'BAD_JSON', undefined],
  ['B34 overlong UTF-8', Buffer.from([0x22, 0xc0, 0xaf, 0x22]), {}, 'BAD_JSON', undefined],
  ['B34 a lone surrogate', '{"note":"\\ud800"}', {}, 'BAD_JSON', undefined],
  ['B34 NUL in a string', `{"note":"${MARK}\\u0000"}`, {}, 'BAD_JSON', undefined],
  ['B35 a key given twice', '{"note":"a","note":"b"}', {}, 'DUP_KEY', undefined],
  ['B36 __proto__', '{"__proto__":{"isAdmin":true}}', {}, 'BAD_KEY', undefined],
  ['B36 constructor.prototype', '{"constructor":{"prototype":{}}}', {}, 'BAD_KEY', undefined],
  ['too deep', `${'['.repeat(7)}${']'.repeat(7)}`, {}, 'TOO_DEEP', undefined],
  ['B7 thirty thousand deep', '['.repeat(30_000) + ']'.repeat(30_000), {}, 'TOO_DEEP', undefined],
  ['too many values', `[${Array(5_001).fill(0)}]`, {}, 'TOO_DEEP', undefined],
  ['B57 a name of 10 MB', JSON.stringify(order({ recipient: { name: 'x'.repeat(10_000_000) } })), {}, 'TOO_LARGE', undefined],
  ['an array', '[]', {}, 'BAD_FIELD', undefined],
  ['null', 'null', {}, 'BAD_FIELD', 'recipient'],
  ['a number', '42', {}, 'BAD_FIELD', undefined],
] as const)('%s is refused', async (_name, body, headers, code, field) => {
  const before = await count()
  const told = await http.ask('POST', '/v1/orders', { body, headers: { 'content-type': 'application/json', ...headers } })
  expectProblem(told, code, field)
  expect(await count()).toBe(before)
})

const at = (value: unknown) => order({ address: { label: 'x', at: value } })
const named = (name: unknown) => order({ recipient: { name } })
test.each([
  ['an unknown field', order({ [MARK]: 1 }), undefined],
  ['an unknown field inside', order({ recipient: { name: 'x', admin: true } }), 'recipient'],
  ['no recipient', { address: { label: 'x', at: [11.9, 57.7] } }, 'recipient'],
  ['B9 a latitude as text', at([11.95, '57.7']), 'address.at.1'],
  ['B9 a latitude in an array', at([11.95, [57.7]]), 'address.at.1'],
  ['B9 empty text', at([11.95, '']), 'address.at.1'],
  ['null', at([11.95, null]), 'address.at.1'],
  ['B10 a latitude beyond the pole', at([11.95, 90.0000001]), 'address.at.1'],
  ['B10 a longitude beyond the date line', at([-180.0000001, 57]), 'address.at.0'],
  ['B11 swapped beyond range', at([57.7, 121]), 'address.at.1'],
  ['B12 0,0', at([0, 0]), 'address.at'],
  ['B13 -0,0', at([-0, 0]), 'address.at'],
  ['one coordinate', at([11.95]), 'address.at'],
  ['three coordinates', at([11.95, 57.7, 3]), 'address.at'],
  ['an object with a way in', named({ $gt: '' }), 'recipient.name'],
  ['an empty name', named('   '), 'recipient.name'],
  ['a name too long', named(`${MARK}${'x'.repeat(120)}`), 'recipient.name'],
  ['B57 CRLF, as for another header', named(`${MARK}\r\nBcc: all@example.com`), 'recipient.name'],
  ['B57 right-to-left override', named(`${MARK}\u202egpj.exe`), 'recipient.name'],
  ['an isolate', named(`${MARK}\u2066x`), 'recipient.name'],
  ['a C1 control', named(`${MARK}\u0085`), 'recipient.name'],
  ['a line separator', named(`${MARK}\u2028`), 'recipient.name'],
  ['B57 a phone number with an extension', order({ recipient: { name: 'x', phone: '+1;ext=5' } }), 'recipient.phone'],
  ['a phone number that is too long', order({ recipient: { name: 'x', phone: '+1234567890123456' } }), 'recipient.phone'],
  ['an address that is two', order({ recipient: { name: 'x', email: 'a@b.se, c@d.se' } }), 'recipient.email'],
  ['a mail address with a header', order({ recipient: { name: 'x', email: 'a@b.se\r\nBcc: c@d.se' } }), 'recipient.email'],
  ['B58 a window that ends before it begins', order({ window: { from: 1_763_700_000_000, to: 1_763_600_000_000 } }), 'window'],
  ['B58 the year 9999', order({ window: { from: 253_370_764_800_000, to: 253_370_764_900_000 } }), 'window.from'],
  ['B14 half a millisecond', order({ window: { from: 1_763_700_000_000.5, to: 1_763_800_000_000 } }), 'window.from'],
  ['seconds at the door as text', order({ service: '120' }), 'service'],
  ['a negative stay', order({ service: -1 }), 'service'],
  ['a reference with a path', order({ externalRef: `../${MARK}` }), 'externalRef'],
])('a field that does not hold is named and not echoed: %s', async (_name, body, field) => {
  const before = await count()
  expectProblem(await http.ask('POST', '/v1/orders', { body }), 'BAD_FIELD', field)
  expect(await count()).toBe(before)
})

test('B8 1e999 parses to Infinity, and is no coordinate', async () => {
  const body = JSON.stringify(at([11.95, 57])).replace('57]', '1e999]')
  expectProblem(await http.ask('POST', '/v1/orders', { body }), 'BAD_FIELD', 'address.at.1')
})

test.each([
  `<img src=x onerror=alert(1)>`,
  `</script><script>alert(1)</script>`,
  `'; drop table orders; --`,
  `Robert"); DELETE FROM orders;`,
  '=HYPERLINK("http://evil.example")',
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a template's injection, as text
  '${7*7}{{7*7}}$&$1',
  '👩‍👩‍👧‍👦'.repeat(17),
  'Zoe\u0301',
])('text is text, whatever it looks like: %s', async (name) => {
  const made = await http.ask('POST', '/v1/orders', { body: order({ recipient: { name }, merchant: name }) })
  expect(made.status).toBe(201)
  const kept = name.normalize('NFC')
  expect(made.json.order.recipient).toBe(kept)
  const page = await http.ask('GET', `/t/${made.json.link.token}`, { key: null })
  expect(page.text).not.toMatch(/<img|<script>alert/)
  // the page's own scripts and the state, nothing more
  expect(page.text.match(/<script/g)?.length).toBe(3)
  const state = /<script type="application\/json" id="state">(.*?)<\/script>/s.exec(page.text)?.[1]
  expect(JSON.parse(state!).recipient).toBe(kept)
  expect(JSON.parse(state!).merchant).toBe(kept)
})

test('B60 a key for repeated requests is 1 to 255 visible characters, and the same key with another body is refused', async () => {
  for (const key of ['', ' ', 'x'.repeat(256), 'a b'])
    expectProblem(await http.ask('POST', '/v1/orders', { body: order(), headers: { 'idempotency-key': key } }), 'IDEM_KEY')
  const headers = { 'idempotency-key': 'x'.repeat(255) }
  const first = await http.ask('POST', '/v1/orders', { body: order(), headers })
  const again = await http.ask('POST', '/v1/orders', { body: order(), headers })
  expect(first.status).toBe(201)
  expect([again.status, again.json]).toEqual([201, first.json])
  expectProblem(await http.ask('POST', '/v1/orders', { body: order({ note: MARK }), headers }), 'IDEM_REUSED')
  expectProblem(await http.ask('POST', '/v1/drivers', { body: { name: 'Eva' }, headers }), 'IDEM_REUSED')
})

test.each([
  ['/v1/orders?limit=0', 'LIMIT', 'limit'],
  ['/v1/orders?limit=-1', 'LIMIT', 'limit'],
  ['/v1/orders?limit=1e9', 'LIMIT', 'limit'],
  ['/v1/orders?limit=201', 'LIMIT', 'limit'],
  ['/v1/orders?limit=1&limit=2', 'DUP_KEY', 'query'],
  ['/v1/orders?cursor=x', 'CURSOR', 'cursor'],
  [`/v1/orders?cursor=${'A'.repeat(300)}`, 'CURSOR', 'cursor'],
  ['/v1/orders?status=gone', 'BAD_FIELD', 'status'],
  ['/v1/orders?status[$ne]=x', 'BAD_FIELD', undefined],
  ['/v1/orders?__proto__=x', 'BAD_FIELD', undefined],
  ['/v1/orders?q=%00', 'BAD_FIELD', 'q'],
  ['/v1/orders?runId=x', 'BAD_FIELD', 'runId'],
  ['/v1/runs?status=x', 'BAD_FIELD', 'status'],
  ['/v1/places', 'BAD_FIELD', undefined],
  ['/v1/places?near=11.95', 'BAD_FIELD', 'near'],
  ['/v1/places?near=NaN,57', 'BAD_FIELD', 'near'],
  ['/v1/places?near=1e2,57', 'BAD_FIELD', 'near'],
  ['/v1/places?sample=1001', 'BAD_FIELD', 'sample'],
  ['/v1/route?to=11.95,57.7', 'BAD_FIELD', 'to'],
  ['/v1/route?to=11.95,57.7;200,57.7', 'BAD_FIELD', 'to.1.0'],
] as const)('B61 %s is refused', async (path, code, field) => {
  expectProblem(await http.ask('GET', path), code, field)
})

test('[O2] B48 versions, transitions and repeated words over HTTP have their codes, and the current version', async () => {
  const { run, orders } = await desk.aStartedRun(1)
  const stop = `/v1/runs/${run.id}/stops/${run.stops[0]!.id}`
  const stale = await http.ask('POST', `${stop}/done`, { body: { expectedVersion: 1 } })
  expectProblem(stale, 'VERSION')
  expect(stale.json.version).toBe(4)
  expect((await http.ask('POST', `${stop}/done`, { body: { expectedVersion: 4 } })).status).toBe(200)
  const twice = await http.ask('POST', `${stop}/done`, { body: {} })
  expectProblem(twice, 'TRANSITION')
  expect(twice.json).toMatchObject({ status: 422, version: 5 })
  expectProblem(await http.ask('POST', `/v1/orders/${orders[0]!.id}/cancel`, { body: {} }), 'TRANSITION')
  expectProblem(await http.ask('POST', `/v1/runs/${run.id}/start`, { body: {} }), 'TRANSITION')
})

test('a body that is too long is not read to its end, with or without its length told', async () => {
  const head = `POST /v1/orders HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ADMIN_KEY}\r\nContent-Type: application/json\r\n`
  const told = await http.raw(`${head}Content-Length: 1000000000\r\n\r\n{`)
  expect(told).toMatch(/^HTTP\/1\.1 413 /)
  expect(told.toLowerCase()).toContain('connection: close')
  const chunk = 'x'.repeat(0x8000)
  const chunked = await http.raw(`${head}Transfer-Encoding: chunked\r\n\r\n${`8000\r\n${chunk}\r\n`.repeat(3)}`)
  expect(chunked).toMatch(/^HTTP\/1\.1 413 /)
})

test.each([
  ['B64 two lengths', 'Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}'],
  ['two different lengths', 'Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}'],
  ['a header without a name', ': x\r\n\r\n'],
  ['headers of 20 KiB', `X-Long: ${'x'.repeat(20_000)}\r\n\r\n`],
])('%s never reaches a handler', async (_name, rest) => {
  const told = await http.raw(`POST /v1/sessions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ADMIN_KEY}\r\n${rest}`)
  expect(told).toMatch(/^HTTP\/1\.1 4\d\d /)
  expect(told).not.toContain('token')
})

test('B37 a header called __proto__ is a header like any other', async () => {
  const told = await http.raw(
    `GET /v1/city HTTP/1.1\r\nHost: x\r\n__proto__: x\r\nconstructor: y\r\n__proto__: z\r\nConnection: close\r\n\r\n`,
  )
  expect(told).toMatch(/^HTTP\/1\.1 200 /)
  expect(({} as Record<string, unknown>).x).toBeUndefined()
})

test('a body where none belongs is refused, and so are methods and paths that are not in the table', async () => {
  const id = '019a0000-0000-7000-8000-000000000000'
  const told = await http.ask('DELETE', `/v1/links/${id}`, { body: { a: 1 } })
  expectProblem(told, 'BAD_FIELD', 'body')
  for (const [method, path] of [
    ['PUT', '/v1/orders'],
    ['PATCH', `/v1/orders/${id}`],
    ['POST', '/t/x'],
    ['GET', '/v1'],
    ['GET', '/V1/orders'],
    ['GET', '/v1/orders/'],
    ['GET', '/metrics'],
    ['GET', '/v1/__proto__'],
    ['GET', '/.env'],
    ['GET', '/customer.html'],
  ] as const)
    expectProblem(await http.ask(method, path), 'NOT_FOUND')
})
