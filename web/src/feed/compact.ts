// A client socket in; whether it can hear compact messages (PROTOCOL.md 6), and each of them as bytes, out.
import type { Socket } from 'socket.io-client'

interface Decoder {
  add(frame: unknown): void
  reconstructor?: unknown
}

/**
 * From now on lone binary frames below 0x40 go to `listener`. False when this Socket.IO hides its decoder: then the server must not be asked for them,
 * and everything comes as JSON.
 */
export function hearCompact(socket: Pick<Socket, 'io'>, listener: (bytes: Uint8Array) => void): boolean {
  const decoder = (socket.io as unknown as { decoder?: Decoder }).decoder
  if (typeof decoder?.add !== 'function') return false
  const add = decoder.add.bind(decoder)
  decoder.add = (frame) => {
    const bytes = frame instanceof ArrayBuffer ? new Uint8Array(frame) : frame instanceof Uint8Array ? frame : null
    if (bytes && !decoder.reconstructor && bytes[0]! < 0x40) listener(bytes)
    else add(frame)
  }
  return true
}
