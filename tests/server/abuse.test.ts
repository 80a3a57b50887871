// Bad input over sockets, by the numbers of the list: the right code, the same process, and the next good request works.
import { connect as tcp } from 'node:net'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import WebSocket from 'ws'
import { createDatabase } from '../services/database.ts'
import {
  ADMIN_KEY,
  ask,
  batch,
  type Company,
  call,
  company,
  connect,
  hangUp,
  heard,
  type Node,
  newQid,
  startNode,
} from './world.ts'

let node: Node
let c: Company
let other: Company
const opened = new Set<WebSocket>()
beforeAll(async () => {
  node = await startNode({ DATABASE_URL: (await createDatabase()).url })
  c = await company(node, 2, 11)
  other = await company(node, 1, 12)
})
afterAll(async () => {
  expect(node.log()).not.toMatch(/"level":(50|60)|fatal/)
  for (const secret of [c.driver.device.token, c.orders[0]!.link.token, ADMIN_KEY, 'Ann Person'])
    expect(node.log()).not.toContain(secret)
  await node.stop()
})
/** After each: the very process that was there before answers a well-behaved device. */
afterEach(async () => {
  const phone = await connect(node, '/driver', c.driver.device.token)
  const qid = newQid()
  expect(await call(phone, 'pings', batch(qid, [c.fix(1, 10)]))).toEqual({ ok: true, qid, upto: 1, rejected: [] })
  expect(() => process.kill(node.pid, 0)).not.toThrow()
  hangUp()
  for (const ws of opened) ws.terminate()
  opened.clear()
})

/** A bare WebSocket that speaks engine.io by hand: what a stock client would never send. */
class Raw {
  readonly frames: string[] = []
  readonly ws: WebSocket
  readonly closed: Promise<number>
  constructor(options: object = {}, query = '') {
    this.ws = new WebSocket(`${node.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket${query}`, options)
    opened.add(this.ws)
    this.ws.on('error', () => {})
    this.closed = new Promise((resolve) => this.ws.on('close', resolve))
    this.ws.on('message', (data, binary) => {
      this.frames.push(binary ? `<${(data as Buffer).length}>` : data.toString())
      this.wake()
    })
  }
  private waiting: { fits: (frame: string) => boolean; resolve: (frame: string) => void }[] = []
  private wake(): void {
    this.waiting = this.waiting.filter(({ fits, resolve }) => {
      const found = this.frames.find(fits)
      if (found === undefined) return true
      resolve(found)
      return false
    })
  }
  hears(start: string): Promise<string> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ fits: (frame) => frame.startsWith(start), resolve })
      this.wake()
      void this.closed.then((code) => reject(new Error(`closed with ${code} before ${start}; heard ${this.frames.join(' ')}`)))
    })
  }
  /** Signs in as a device. */
  async device(): Promise<this> {
    await this.hears('0')
    this.ws.send(`40/driver,${JSON.stringify({ token: c.driver.device.token })}`)
    await this.hears('40/driver')
    return this
  }
  /** Sends, and expects to be told of a fault with this code. */
  async fault(text: string | Buffer, code: string): Promise<void> {
    const told = new Promise<string>((resolve) => {
      const listen = (data: WebSocket.RawData) => {
        if (!data.toString().includes('"fault"')) return
        this.ws.off('message', listen)
        resolve(data.toString())
      }
      this.ws.on('message', listen)
    })
    this.ws.send(text)
    expect(await told).toContain(`"code":"${code}"`)
  }
}

test('B1 a call that needs an answer and asks for none is NO_ACK', async () => {
  const raw = await new Raw().device()
  await raw.fault('42/driver,["hello",{}]', 'NO_ACK')
})

test('B2 B3 no message, or one that is no object, is BAD_EVENT; five such in a minute end the connection with ABUSE', async () => {
  const raw = await new Raw().device()
  raw.ws.send('42/driver,1["pings"]')
  expect(await raw.hears('43/driver,1')).toContain('BAD_EVENT')
  for (const [i, payload] of ['null', '[]', '"x"', '42', 'true'].entries()) {
    raw.ws.send(`42/driver,${i + 2}["pings",${payload}]`)
    expect(await raw.hears(`43/driver,${i + 2}`)).toContain('BAD_EVENT')
  }
  expect(await raw.hears('42/driver,["fault",{"code":"ABUSE"')).toBeTruthy()
  await raw.closed
})

test.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'error', 'newConnection', '', 'b:x'])(
  'B4 B6 an event named %j is BAD_EVENT and nothing else',
  async (name) => {
    const raw = await new Raw().device()
    await raw.fault(`42/driver,[${JSON.stringify(name)},1]`, 'BAD_EVENT')
  },
)

test.each(['connect', 'disconnect', 'newListener', 'removeListener', 'connect_error', 'disconnecting'])(
  'B5 an event named %s closes the connection',
  async (name) => {
    const raw = await new Raw().device()
    raw.ws.send(`42/driver,["${name}",1]`)
    await raw.closed
  },
)

test('B7 B30 a frame above 64 KiB closes the connection, however it is nested', async () => {
  for (const text of ['['.repeat(400_000) + ']'.repeat(400_000), 'x'.repeat(1_100_000)]) {
    const raw = await new Raw().device()
    raw.ws.send(`42/driver,["pings",${text}]`)
    expect(await raw.closed).toBe(1009)
  }
  const deep = await new Raw().device()
  deep.ws.send(`42/driver,7["pings",{"v":1,"qid":${'['.repeat(30_000)}${']'.repeat(30_000)}}]`)
  expect(await deep.hears('43/driver,7')).toContain('BAD_BATCH')
})

test('B19 B20 B22 a seq that is sent again with another place changes nothing, and another device has a key space of its own', async () => {
  const phone = await connect(node, '/driver', c.driver.device.token)
  const qid = newQid()
  const t = Date.now()
  await call(phone, 'pings', batch(qid, [c.fix(1, 100, { t, lat: 57.70001 })]))
  expect(await call(phone, 'pings', batch(qid, [c.fix(1, 100, { t, lat: 57.80001 })]))).toMatchObject({ ok: true, upto: 1 })
  const mine = await ask<{ points: { lat: number }[] }>(
    node,
    'GET',
    `/v1/drivers/${c.driver.driver.id}/trail?from=${t}&to=${t + 1}`,
  )
  expect(mine.points.map((p) => p.lat)).toEqual([57.70001])
  const second = await connect(node, '/driver', other.driver.device.token)
  expect(await call(second, 'pings', batch(qid, [other.fix(1, 5)]))).toMatchObject({ ok: true, upto: 1 })
})

test('B21 a batch that begins beyond the next seq is kept and answered GAP with what is expected; far beyond it is BAD_BATCH', async () => {
  const phone = await connect(node, '/driver', c.driver.device.token)
  const qid = newQid()
  await call(phone, 'hello', { v: 1, qid, sentAt: Date.now() })
  expect(await call(phone, 'pings', batch(qid, [c.fix(3, 10)]))).toMatchObject({ ok: false, code: 'GAP', expect: 1 })
  expect(await call(phone, 'pings', batch(qid, [c.fix(200_000, 10)]))).toMatchObject({ ok: false, code: 'BAD_BATCH' })
  expect(await call(phone, 'ping:live', { v: 1, qid, sentAt: Date.now(), item: c.fix(7, 20) })).toEqual({
    ok: true,
    qid,
    upto: 0,
    rejected: [],
  })
  expect(await call(phone, 'pings', batch(qid, [c.fix(1, 10), c.fix(2, 10)]))).toMatchObject({ ok: true })
})

test('B23 an empty batch keeps nothing and is right; 201 fixes are BAD_BATCH', async () => {
  const phone = await connect(node, '/driver', c.driver.device.token)
  const qid = newQid()
  expect(await call(phone, 'pings', batch(qid, []))).toEqual({ ok: true, qid, upto: 0, rejected: [] })
  const many = Array.from({ length: 201 }, (_, i) => c.fix(i + 1, i))
  expect(await call(phone, 'pings', batch(qid, many))).toMatchObject({ ok: false, code: 'BAD_BATCH' })
  expect(await call(phone, 'pings', { ...batch(qid, []), v: 9 })).toMatchObject({ ok: false, code: 'BAD_VERSION', min: 1, max: 1 })
})

test('B25 one device on two lines: the newer speaks for it, and a batch sent on both is there once', async () => {
  const first = await connect(node, '/driver', c.driver.device.token)
  const cut = heard(first, 'disconnect')
  const second = await connect(node, '/driver', c.driver.device.token)
  const qid = newQid()
  const message = batch(qid, [c.fix(1, 30), c.fix(2, 40)])
  first.emit('pings', message)
  expect(await call(second, 'pings', message)).toMatchObject({ ok: true, upto: 2 })
  await cut
})

test('B26 a thousand connections that come and go leave nothing behind', async () => {
  for (let round = 0; round < 20; round++) {
    const raws = Array.from({ length: 50 }, () => new Raw())
    await Promise.all(raws.map((raw) => raw.hears('0')))
    for (const raw of raws) raw.ws.terminate()
  }
  const sockets = async () =>
    (await (await fetch(`http://127.0.0.1:${node.metricsPort}/metrics`)).text()).match(
      /doorstep_sockets\{kind="driver"\} (\d+)/,
    )![1]
  expect(Number(await sockets())).toBeLessThan(3)
}, 30_000)

test('B27 B28 B29 attachments that nobody asked for close the connection; a placeholder in a plain event is a wrong field', async () => {
  const eleven = await new Raw().device()
  eleven.ws.send('4511-/driver,["pings",{"_placeholder":true,"num":0}]')
  await eleven.closed
  const ten = await new Raw().device()
  ten.ws.send('4510-/driver,["pings",{"_placeholder":true,"num":0}]')
  await ten.closed
  const plain = await new Raw().device()
  plain.ws.send('42/driver,5["pings",{"_placeholder":true,"num":0}]')
  expect(await plain.hears('43/driver,5')).toContain('BAD_BATCH')
})

test('B31 a hundred thousand one-byte fragments that never end close the connection', async () => {
  const socket = tcp(node.port, '127.0.0.1')
  const gone = new Promise<void>((resolve) => socket.on('close', () => resolve()))
  socket.on('error', () => {})
  socket.write(
    'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n',
  )
  await new Promise((resolve) => socket.once('data', resolve))
  const fragment = Buffer.from([0x00, 0x81, 0, 0, 0, 0, 0x5b])
  const first = Buffer.from(fragment)
  first[0] = 0x01
  socket.write(Buffer.concat([first, ...Array.from({ length: 100_000 }, () => fragment)]))
  await gone
})

test('B32 compression is offered in vain', async () => {
  const raw = new Raw({ perMessageDeflate: true })
  await raw.hears('0')
  expect(raw.ws.extensions).toBe('')
})

test('B38 B39 an unknown namespace, an event before signing in, a packet that is none: refused or closed, never half open', async () => {
  const unknown = new Raw()
  await unknown.hears('0')
  unknown.ws.send('40/admin,')
  expect(await unknown.hears('44/admin')).toContain('Invalid namespace')
  const root = new Raw()
  await root.hears('0')
  root.ws.send('40')
  expect(await root.hears('44')).toContain('NOT_FOUND')
  for (const frame of ['42/driver,["pings",{}]', '49/driver,', '9', '4', '45', '4{}', '40/driver,x']) {
    const raw = new Raw()
    await raw.hears('0')
    raw.ws.send(frame)
    await raw.closed
  }
  const twice = await new Raw().device()
  twice.ws.send(`40/driver,${JSON.stringify({ token: c.driver.device.token })}`)
  await twice.closed
})

test('B40 who says nothing is closed after five seconds', async () => {
  const raw = new Raw()
  const began = Date.now()
  await raw.closed
  expect(Date.now() - began).toBeGreaterThan(4_000)
})

test('B41 B42 a token in the query, of another kind, too short, too long or no string at all is AUTH, in the same words', async () => {
  const inQuery = new Raw({}, `&token=${c.driver.device.token}`)
  await inQuery.hears('0')
  inQuery.ws.send('40/driver,')
  const words = await inQuery.hears('44/driver,')
  expect(words).toContain('"code":"AUTH"')
  const tokens: unknown[] = [
    undefined,
    null,
    42,
    {},
    [c.driver.device.token],
    '',
    'x'.repeat(19),
    'x'.repeat(43),
    'x'.repeat(2_049),
    'x'.repeat(60_000),
    `${c.driver.device.token.slice(0, -1)}!`,
    c.orders[0]!.link.token,
    ADMIN_KEY,
    'eyJhbGciOiJub25lIn0.eyJzdWIiOiJkcml2ZXIifQ.',
  ]
  for (const token of tokens) {
    const raw = new Raw()
    await raw.hears('0')
    raw.ws.send(`40/driver,${JSON.stringify({ token })}`)
    expect(await raw.hears('44/driver,')).toBe(words)
  }
  for (const [nsp, token] of [
    ['/watch', c.driver.device.token],
    ['/watch', ADMIN_KEY],
    ['/fleet', c.driver.device.token],
    ['/fleet', c.orders[0]!.link.token],
  ] as const)
    await expect(connect(node, nsp, token)).rejects.toThrow('AUTH')
}, 30_000)

test('[F] B43 a page of any other origin is refused before it is a WebSocket; our own and programs are not', async () => {
  const origins = [
    'https://evil.example',
    'null',
    `http://127.0.0.1.evil.example:${node.port}`,
    node.url.toUpperCase(),
    `${node.url}.`,
    `${node.url}/`,
    'http://127.0.0.1',
    `https://127.0.0.1:${node.port}`,
    `http://127.0.0.1:${node.port + 1}`,
  ]
  for (const origin of origins) {
    const raw = new Raw({ origin })
    const status = await new Promise((resolve) => {
      raw.ws.on('unexpected-response', (_request, response) => resolve(response.statusCode))
      raw.ws.on('open', () => resolve('open'))
    })
    expect(status, origin).toBe(400)
  }
  for (const origin of [node.url, `http://localhost:${node.port}`, undefined]) await new Raw(origin ? { origin } : {}).hears('0')
})

test('B44 B45 a customer names no room: arguments to watch are BAD_EVENT, and any since gets one order, her own', async () => {
  for (const argument of [other.orders[0]!.order.id, '*', 'order:1', { $gt: '' }, ['a', 'b']]) {
    const customer = await connect(node, '/watch', c.orders[0]!.link.token)
    expect(await call(customer, 'watch', argument)).toEqual({ ok: false, code: 'BAD_EVENT' })
    customer.disconnect()
  }
  const customer = await connect(node, '/watch', c.orders[0]!.link.token)
  for (const since of [-1, 1e18, 0]) {
    const answer = await call(customer, 'sync', { since })
    expect(answer.view.number).toBe(c.orders[0]!.order.number)
  }
  for (const message of [{}, { since: '1' }, { since: 0, order: other.orders[0]!.order.id }, { since: null }])
    expect(await call(customer, 'sync', message)).toMatchObject({ ok: false, code: 'BAD_FIELD' })
})

test('B46 a customer who speaks like a driver or a dispatcher is not understood', async () => {
  for (const event of ['pings', 'ping:live', 'hello', 'act', 'skip', 'view', 'roster', 'b']) {
    const customer = await connect(node, '/watch', c.orders[0]!.link.token)
    expect(await call(customer, event, {})).toEqual({ ok: false, code: 'BAD_EVENT' })
    customer.disconnect()
  }
})

test('B47 B48 a driver acts on his own stops alone, once, and not on what is over', async () => {
  const own = await company(node, 2, 13)
  const phone = await connect(node, '/driver', own.driver.device.token)
  const act = (over: object) =>
    call(phone, 'act', { idemKey: newQid(), type: 'delivered', stopId: own.run.stops[0]!.id, at: Date.now(), ...over })
  expect(await act({ stopId: other.run.stops[0]!.id })).toMatchObject({ ok: false, code: 'NOT_YOURS' })
  expect(await act({ type: 'arrived', stopId: '00000000-0000-7000-8000-000000000000' })).toMatchObject({ ok: false })
  for (const over of [
    { type: 'lost' },
    { stopId: "' OR 1=1--" },
    { at: '5' },
    { reason: 'because' },
    { note: 'a\u0000b' },
    { note: '\ud800' },
    { extra: 1 },
  ])
    expect(await act(over)).toMatchObject({ ok: false, code: 'BAD_FIELD' })
  const key = newQid()
  const [one, two] = await Promise.all([act({ idemKey: key }), act({ idemKey: key })])
  expect([one.ok, two.ok]).toContain(true)
  expect(await act({ idemKey: key, type: 'failed', reason: 'refused' })).toMatchObject({ ok: false, code: 'IDEM_REUSED' })
  await ask(node, 'POST', `/v1/orders/${own.orders[1]!.order.id}/cancel`, {})
  expect((await act({ stopId: own.run.stops[1]!.id })).ok).toBe(false)
})

test('compact frames: a fix is kept, garbage is refused, and without hello it is BAD_BATCH', async () => {
  const { decodeTrack, encodePings } = await import('@doorstep/shared/compact')
  const raw = await new Raw().device()
  const bytes = Buffer.from(encodePings({ live: false, sentAt: Date.now(), items: [c.fix(1, 60), c.fix(2, 70)] }))
  await raw.fault(bytes, 'BAD_BATCH')
  const qid = newQid()
  raw.ws.send(`42/driver,1["hello",${JSON.stringify({ v: 1, qid, sentAt: Date.now() })}]`)
  await raw.hears('43/driver,1')
  raw.ws.send(bytes)
  expect(await raw.hears('42/driver,["kept"')).toContain(`"upto":2`)
  await raw.fault(Buffer.from([1, 2, 3, 4]), 'BAD_BATCH')
  const page = new Raw()
  await page.hears('0')
  page.ws.send(`40/watch,${JSON.stringify({ token: c.orders[0]!.link.token, compact: true })}`)
  await page.hears('40/watch')
  page.ws.send('42/watch,1["watch"]')
  await page.hears('43/watch,1')
  const track = new Promise<Buffer>((resolve) => page.ws.on('message', (data, binary) => binary && resolve(data as Buffer)))
  raw.ws.send(Buffer.from(encodePings({ live: false, sentAt: Date.now(), items: [c.fix(3, 80)] })))
  await raw.hears('42/driver,["kept",{"qid"')
  raw.ws.send(Buffer.from(encodePings({ live: false, sentAt: Date.now(), items: [c.fix(4, 90)] })))
  expect(decodeTrack(await track)).toMatchObject({ ok: true, value: { kept: true, stopsLeft: 1 } })
  raw.ws.send(Buffer.from([0x77]))
  await raw.closed
})

test('too many messages at once are RATE with the time to wait, and the device that goes on is cut', async () => {
  const customer = await connect(node, '/watch', c.orders[0]!.link.token)
  const answers = await Promise.all(Array.from({ length: 40 }, () => call(customer, 'sync', { since: 0 })))
  expect(answers.filter((a) => a.ok).length).toBe(30)
  expect(answers.at(-1)).toMatchObject({ ok: false, code: 'RATE', retryAfterMs: expect.any(Number) })
  const cut = heard(customer, 'disconnect')
  for (let i = 0; i < 80; i++) customer.emit('sync', { since: 0 }, () => {})
  await cut
})
