// A message in, bytes on the socket out: the parser that is a superset of the stock one, and frames encoded once for all who hear them.
import type { EventEmitter } from 'node:events'
import type { Socket as TcpSocket } from 'node:net'
import type { Namespace, Socket } from 'socket.io'
import { Encoder, PacketType, protocol, Decoder as StockDecoder } from 'socket.io-parser'

/*
 * Everything here that is more than Socket.IO promises has a stock fallback: an update of it may cost speed, never delivery.
 *  - A lone binary frame whose first byte is below 0x40 is one compact message (shared/compact.ts). Stock packets never look like that: their
 *    binary frames follow a text frame that announces them.
 *  - A frame for many is built once and written straight to their TCP sockets; the stock way builds it anew for each.
 */

/** Takes a compact message; throws on nothing. */
export type CompactListener = (bytes: Uint8Array) => void

class Decoder extends StockDecoder {
  compact: CompactListener | null = null
  constructor() {
    // One attachment is the most that any message of ours has; what is announced and never sent is held for as long as the socket.
    super({ maxAttachments: 1 })
  }
  /** A packet was announced whose attachment is still to come. */
  get waits(): boolean {
    return Boolean((this as unknown as { reconstructor?: unknown }).reconstructor)
  }
  override add(frame: unknown): void {
    if (typeof frame !== 'string' && !this.waits && this.compact && frame instanceof Uint8Array && frame[0]! < 0x40)
      this.compact(frame)
    else super.add(frame)
  }
}

/** For `new Server(…, { parser })`. */
export const parser = { protocol, Encoder, Decoder, PacketType }

/** Compact messages of this connection go to `listener` from now on; false when this Socket.IO hides its decoder: stock messages still work. */
export function onCompact(socket: Socket, listener: CompactListener): boolean {
  const decoder = (socket.client as unknown as { decoder?: unknown }).decoder
  if (!(decoder instanceof Decoder)) return false
  decoder.compact = listener
  shorten(socket, decoder, listener)
  return true
}

/** Compact messages skip the engine's and the parser's layers, which only hand them on; everything else goes its stock way. */
function shorten(socket: Socket, decoder: Decoder, listener: CompactListener): void {
  const { conn } = socket
  const transport = conn.transport as unknown as Transport
  const ws = transport.socket as unknown as EventEmitter | undefined
  const heard = ws?.listeners?.('message') ?? []
  if (transport.name !== 'websocket' || ws === undefined || heard.length !== 1) return
  const stock = heard[0] as (data: Uint8Array, isBinary: boolean) => void
  ws.off('message', stock)
  ws.on('message', (data: Uint8Array, isBinary: boolean) => {
    if (isBinary && data[0]! < 0x40 && conn.readyState === 'open' && !decoder.waits) listener(data)
    else stock.call(ws, data, isBinary)
  })
}

/** A message, encoded once for everyone in a namespace. */
export interface Frame {
  readonly event: string
  readonly value: unknown
  readonly bytes: Buffer
}

/** An event with one JSON or binary argument, as the WebSocket frames that Socket.IO's own encoder leads to. */
export function frameOf(nsp: Namespace, event: string, value: unknown): Frame {
  const name = nsp.name === '/' ? '' : `${nsp.name},`
  const bytes =
    value instanceof Uint8Array
      ? Buffer.concat([wsFrame(1, Buffer.from(`451-${name}["${event}",{"_placeholder":true,"num":0}]`)), wsFrame(2, value)])
      : wsFrame(1, Buffer.from(`42${name}["${event}",${JSON.stringify(value)}]`))
  return { event, value, bytes }
}

/** A compact message as the one binary frame that it is. */
export const compactFrame = (event: string, bytes: Uint8Array): Frame => ({ event, value: bytes, bytes: wsFrame(2, bytes) })

/** One unmasked, final frame (RFC 6455, 5.2). */
function wsFrame(opcode: 1 | 2, body: Uint8Array): Buffer {
  const n = body.length
  const head = n < 126 ? 2 : n < 65_536 ? 4 : 10
  const out = Buffer.allocUnsafe(head + n)
  out[0] = 0x80 | opcode
  if (head === 2) out[1] = n
  else if (head === 4) {
    out[1] = 126
    out.writeUInt16BE(n, 2)
  } else {
    out[1] = 127
    out.writeBigUInt64BE(BigInt(n), 2)
  }
  out.set(body, head)
  return out
}

/** How a frame reaches one socket, and how much of what went before still waits there. */
export interface Line {
  readonly direct: boolean
  send(frame: Frame): void
  /** Bytes not yet taken by the network; by the stock way those that Socket.IO holds. */
  waiting(): number
  /** Ends the connection without waiting for what is not read. */
  cut(): void
}

/** The line of a socket: straight to TCP when everything looks as we know it, else as Socket.IO sends. */
export function lineOf(socket: Socket): Line {
  const conn = socket.conn as unknown as {
    readonly writeBuffer: readonly { readonly data?: { readonly length?: number } }[]
    readonly transport: { readonly writable?: unknown }
  }
  const tcp = tcpOf(socket)
  const stock = (frame: Frame) => void socket.emit(frame.event, frame.value)
  if (tcp === null)
    return { direct: false, send: stock, waiting: () => held(conn.writeBuffer), cut: () => void socket.disconnect(true) }
  return {
    direct: true,
    send(frame) {
      // Behind packets that Socket.IO still holds: overtaking them could come between a packet and its attachment.
      if (conn.writeBuffer.length > 0 || conn.transport.writable !== true) stock(frame)
      else if (tcp.writable) tcp.write(frame.bytes)
    },
    waiting: () => tcp.writableLength + held(conn.writeBuffer),
    cut: () => void tcp.destroy(),
  }
}
/** Packets that Socket.IO holds back until the transport has taken those before, bytes; nearly always none. */
function held(packets: readonly { readonly data?: { readonly length?: number } }[]): number {
  let bytes = 0
  for (const packet of packets) bytes += (packet.data?.length ?? 0) + PACKET
  return bytes
}
/** What a packet costs beside what is in it. */
const PACKET = 64

interface Transport {
  readonly name?: unknown
  readonly perMessageDeflate?: unknown
  readonly socket?: { readonly _socket?: TcpSocket; readonly _extensions?: object; readonly readyState?: number }
}
function tcpOf(socket: Socket): TcpSocket | null {
  const transport = socket.conn.transport as unknown as Transport
  const ws = transport.socket
  const tcp = ws?._socket
  const plain = transport.name === 'websocket' && !transport.perMessageDeflate && Object.keys(ws?._extensions ?? {}).length === 0
  return plain && typeof tcp?.write === 'function' && typeof tcp.writableLength === 'number' ? tcp : null
}
