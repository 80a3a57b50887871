// The short cuts to the wire beside the stock way: the same messages arrive by both, and whatever looks strange goes the stock way.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { compactFrame, frameOf, lineOf, onCompact, parser } from '@doorstep/server/live/fastwire'
import { Server, type ServerOptions, type Socket as ServerSocket } from 'socket.io'
import { io as client } from 'socket.io-client'
import { afterEach, expect, test } from 'vitest'
import { heard } from './world.ts'

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

async function pair(options: Partial<ServerOptions>, transports: string[] = ['websocket']) {
  const http = createServer()
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  const io = new Server(http, { serveClient: false, ...options })
  ends.push(() => io.close())
  const arrived = new Promise<ServerSocket>((resolve) => io.of('/watch').once('connection', resolve))
  const page = client(`http://127.0.0.1:${(http.address() as AddressInfo).port}/watch`, {
    transports,
    forceNew: true,
    upgrade: false,
  })
  ends.push(() => page.disconnect())
  return { io, page, socket: await arrived, nsp: io.of('/watch') }
}
const TEXT = { word: 'å → ✓ "quoted" \u2028', n: [1.5, null, true] }
const BYTES = Uint8Array.from({ length: 70_000 }, (_, i) => i % 251)

for (const [name, options, transports, direct] of [
  [
    'a plain WebSocket is written to directly',
    { parser, transports: ['websocket'], perMessageDeflate: false },
    ['websocket'],
    true,
  ],
  ['the stock parser makes no difference to that', { transports: ['websocket'], perMessageDeflate: false }, ['websocket'], true],
  ['compression goes the stock way', { parser, perMessageDeflate: { threshold: 0 } }, ['websocket'], false],
  ['long polling goes the stock way', { parser }, ['polling'], false],
] as const)
  test(`${name}: text, bytes and many in a row arrive whole and in order`, async () => {
    const { page, socket, nsp } = await pair(options as Partial<ServerOptions>, [...transports])
    const line = lineOf(socket)
    expect(line.direct).toBe(direct)
    const text = heard(page, 'text')
    const bytes = heard<ArrayBuffer>(page, 'bytes')
    const last = heard<{ i: number }>(page, 'count', (m) => m.i === 99)
    const order: number[] = []
    page.on('count', (m: { i: number }) => order.push(m.i))
    line.send(frameOf(nsp, 'text', TEXT))
    line.send(frameOf(nsp, 'bytes', BYTES))
    for (let i = 0; i < 100; i++) line.send(frameOf(nsp, 'count', { i }))
    expect(await text).toEqual(TEXT)
    expect(new Uint8Array(await bytes)).toEqual(BYTES)
    await last
    expect(order).toEqual(Array.from({ length: 100 }, (_, i) => i))
  })

test('stock and direct messages take turns on one socket and none is lost', async () => {
  const { page, socket, nsp } = await pair({ parser, transports: ['websocket'], perMessageDeflate: false })
  const line = lineOf(socket)
  const got = new Set<number>()
  page.on('n', (n: number) => got.add(n))
  const end = heard(page, 'end')
  for (let i = 0; i < 300; i++) {
    if (i % 3 === 0) line.send(frameOf(nsp, 'n', i))
    else socket.emit('n', i)
    if (i % 50 === 0) socket.emit('blob', BYTES.subarray(0, 5_000))
  }
  socket.emit('end')
  await end
  expect(got.size).toBe(300)
})

test('compact messages of a program and the stock messages of a page are heard on one server; other lone binary frames close', async () => {
  const { page, socket } = await pair({ parser, transports: ['websocket'], perMessageDeflate: false })
  const compact: number[][] = []
  let wake = () => {}
  const two = new Promise<void>((resolve) => {
    wake = () => compact.length === 2 && resolve()
  })
  expect(
    onCompact(socket, (bytes) => {
      compact.push([...bytes])
      wake()
    }),
  ).toBe(true)
  const stock = new Promise((resolve) => socket.on('stock', (...args) => resolve(args)))
  const ws = (page.io.engine.transport as unknown as { ws: { send(data: Uint8Array): void } }).ws
  ws.send(Uint8Array.from([1, 2, 3]))
  page.emit('stock', { a: 1 }, Uint8Array.from([9, 9]))
  ws.send(Uint8Array.from([0x3f]))
  expect(await stock).toEqual([{ a: 1 }, Buffer.from([9, 9])])
  await two
  expect(compact).toEqual([[1, 2, 3], [0x3f]])
  const cut = heard(page, 'disconnect')
  ws.send(Uint8Array.from([0x40]))
  await cut
})

test('a page that reads nothing makes its line wait, and is gone when it is cut', async () => {
  const { page, socket, nsp } = await pair({ parser, transports: ['websocket'], perMessageDeflate: false })
  const line = lineOf(socket)
  const tcp = (page.io.engine.transport as unknown as { ws: { _socket: { pause(): void; resume(): void } } }).ws._socket
  tcp.pause()
  const frame = frameOf(nsp, 'bytes', BYTES)
  for (let i = 0; i < 500 && line.waiting() <= 262_144; i++) {
    line.send(frame)
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(line.waiting()).toBeGreaterThan(262_144)
  const gone = new Promise((resolve) => socket.on('disconnect', resolve))
  line.cut()
  expect(await gone).toMatch(/transport/)
})

test('a server without our parser says that it hears no compact messages', async () => {
  const { socket } = await pair({ transports: ['websocket'] })
  expect(onCompact(socket, () => {})).toBe(false)
})

test('a compact frame is one binary WebSocket frame of its bytes', () => {
  expect([...compactFrame('track', Uint8Array.from([3, 1])).bytes]).toEqual([0x82, 2, 3, 1])
})
