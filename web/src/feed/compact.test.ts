// Compact messages: a lone binary frame below 0x40 is ours, everything else is Socket.IO's, and a client that hides its decoder is left alone.
import { expect, test } from 'vitest'
import { hearCompact } from './compact.ts'

const client = () => {
  const stock: unknown[] = []
  const decoder = { reconstructor: undefined as unknown, add: (frame: unknown) => void stock.push(frame) }
  return { stock, decoder, socket: { io: { decoder } } as never }
}

test('a lone binary frame below 0x40 goes to the listener, text and attachments to Socket.IO', () => {
  const { stock, decoder, socket } = client()
  const heard: number[][] = []
  expect(hearCompact(socket, (bytes) => heard.push([...bytes]))).toBe(true)
  decoder.add(Uint8Array.of(3, 1).buffer)
  decoder.add('2["hb"]')
  decoder.add(Uint8Array.of(0x40, 1).buffer)
  // What a text frame announced is an attachment, whatever its first byte.
  decoder.reconstructor = {}
  decoder.add(Uint8Array.of(3, 2).buffer)
  expect(heard).toEqual([[3, 1]])
  expect(stock).toHaveLength(3)
})

test('without a decoder to be seen nothing is asked for', () => {
  expect(hearCompact({ io: {} } as never, () => {})).toBe(false)
})
