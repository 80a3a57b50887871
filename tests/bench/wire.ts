// A port in, a bare WebSocket client out: it counts and hands on frames, and costs so little that the server is what is measured.
import { randomBytes } from 'node:crypto'
import type { Server } from 'node:http'
import { connect, type Socket } from 'node:net'

/** A client's frame: masked, final. `opcode` 1 is text, 2 binary. */
export function clientFrame(body: string | Uint8Array, opcode: 1 | 2 = typeof body === 'string' ? 1 : 2): Buffer {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  const n = bytes.length
  const head = n < 126 ? 6 : 8
  if (n > 65_535) throw new Error(`a frame of ${n} bytes`)
  const out = Buffer.allocUnsafe(head + n)
  out[0] = 0x80 | opcode
  if (n < 126) out[1] = 0x80 | n
  else {
    out[1] = 0x80 | 126
    out.writeUInt16BE(n, 2)
  }
  const mask = randomBytes(4)
  mask.copy(out, head - 4)
  for (let i = 0; i < n; i++) out[head + i] = bytes[i]! ^ mask[i & 3]!
  return out
}

const PONG = clientFrame('3')

export class WireClient {
  bytes = 0
  frames = 0
  onFrame: ((body: Buffer, opcode: number) => void) | null = null
  readonly socket: Socket
  private rest: Buffer | null = null
  private up = false

  private constructor(socket: Socket) {
    this.socket = socket
  }

  /** Resolves once the upgrade is through; rejects on a refusal. */
  static open(port: number, path = '/'): Promise<WireClient> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1' })
      socket.setNoDelay(true)
      const client = new WireClient(socket)
      socket.on('error', reject)
      socket.on('connect', () => {
        const key = randomBytes(16).toString('base64')
        socket.write(
          `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
        )
      })
      socket.on('data', (chunk) => {
        client.bytes += chunk.length
        if (client.up) return client.read(chunk)
        client.rest = client.rest ? Buffer.concat([client.rest, chunk]) : chunk
        const end = client.rest.indexOf('\r\n\r\n')
        if (end < 0) return
        if (!client.rest.subarray(0, 12).toString().includes('101'))
          return reject(new Error(client.rest.subarray(0, 200).toString()))
        client.up = true
        const after = client.rest.subarray(end + 4)
        client.rest = null
        resolve(client)
        if (after.length) queueMicrotask(() => client.read(after))
      })
    })
  }

  /**
   * Opens a Socket.IO namespace: engine open, namespace connect, then `onFrame` gets what follows. Rejects with the server's own words.
   */
  static async socketIo(port: number, namespace: string, auth: Record<string, unknown> | null): Promise<WireClient> {
    const client = await WireClient.open(port, '/socket.io/?EIO=4&transport=websocket')
    const prefix = namespace === '/' ? '' : `${namespace},`
    await new Promise<void>((resolve, reject) => {
      client.onFrame = (body) => {
        const text = body.toString()
        if (text.startsWith('0')) client.send(`40${prefix}${auth ? JSON.stringify(auth) : ''}`)
        else if (text.startsWith(`40${prefix}`) || (prefix && text.startsWith(`40${namespace}`))) resolve()
        else if (text.startsWith('44')) reject(new Error(text))
      }
    })
    client.onFrame = null
    return client
  }

  send(body: string | Uint8Array): void {
    this.socket.write(clientFrame(body))
  }

  /** An event with an acknowledgement: resolves to its JSON. What else comes meanwhile is not handed on. */
  async asks(namespace: string, event: readonly unknown[]): Promise<unknown> {
    const before = this.onFrame
    const answer = await new Promise<string>((resolve) => {
      this.onFrame = (body) => {
        const text = body.toString()
        if (text.startsWith(`43${namespace},7`)) resolve(text)
      }
      this.send(`42${namespace},7${JSON.stringify(event)}`)
    })
    this.onFrame = before
    return JSON.parse(answer.slice(namespace.length + 4))
  }

  close(): void {
    this.socket.destroy()
  }

  private read(chunk: Buffer): void {
    const data = this.rest ? Buffer.concat([this.rest, chunk]) : chunk
    this.rest = null
    let o = 0
    while (data.length - o >= 2) {
      let n = data[o + 1]! & 127
      let head = 2
      if (n === 126) {
        if (data.length - o < 4) break
        n = data.readUInt16BE(o + 2)
        head = 4
      } else if (n === 127) {
        if (data.length - o < 10) break
        n = Number(data.readBigUInt64BE(o + 2))
        head = 10
      }
      if (data.length - o < head + n) break
      const opcode = data[o]! & 15
      const body = data.subarray(o + head, o + head + n)
      o += head + n
      this.frames++
      // The engine's ping is answered here, so that no measurement is cut short by a missed heartbeat.
      if (opcode === 1 && n === 1 && body[0] === 50) this.socket.write(PONG)
      else this.onFrame?.(body, opcode)
    }
    if (o < data.length) this.rest = Buffer.from(data.subarray(o))
  }
}

export const median = (numbers: readonly number[]): number => quantile(numbers, 0.5)
export function quantile(numbers: readonly number[], q: number): number {
  const sorted = Float64Array.from(numbers).sort()
  return sorted.length ? sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))]! : Number.NaN
}
/** Runs `work` for 0..n-1, at most `width` at a time. */
export async function pool(n: number, width: number, work: (i: number) => Promise<void>): Promise<void> {
  let next = 0
  const lane = async () => {
    while (next < n) await work(next++)
  }
  await Promise.all(Array.from({ length: Math.min(width, n) }, lane))
}

/** Listens on a free port of 127.0.0.1 and resolves to it. */
export function listen(http: Server): Promise<number> {
  return new Promise((resolve) => {
    http.listen(0, '127.0.0.1', () => {
      const address = http.address()
      resolve(typeof address === 'object' && address ? address.port : 0)
    })
  })
}
