// A port in, a port before it out that can delay, trickle, stall and cut what passes: one connection or all, one way or both, to the byte.
import { createServer, connect as dial, type Socket } from 'node:net'

/** up: from the client to the server · down: back. */
export type Way = 'up' | 'down'
export interface Toxics {
  readonly latencyMs?: number
  readonly bytesPerSecond?: number
  /** Nothing passes and nothing is told: what a cut cable looks like to TCP, and a peer that reads nothing. What was sent waits, as it would. */
  readonly stalled?: boolean
}
export interface Pair {
  /** Bytes that came through. */
  readonly passed: Readonly<Record<Way, number>>
  set(way: Way, toxics: Toxics): void
  /** Exactly so many more bytes pass this way; the one after them tears the connection. */
  cutAfter(way: Way, bytes: number): void
  /** Both ends lose the connection now. */
  cut(): void
  /** Resolves when it is over, whoever ended it. */
  readonly gone: Promise<void>
}
export interface TcpProxy {
  readonly port: number
  readonly url: string
  /** Connections that stand, oldest first. */
  readonly pairs: readonly Pair[]
  /** Where new connections go from now on: to one port, in turn to several, or, with none, nowhere: they are refused. */
  target(...ports: readonly number[]): void
  /** For all that stand and all to come. */
  set(way: Way, toxics: Toxics): void
  cut(): void
  close(): Promise<void>
}

const WAYS = ['up', 'down'] as const
/** More than this waiting inside pauses the sender, bytes. */
const HELD_MOST = 65_536

export async function openProxy(...ports: readonly number[]): Promise<TcpProxy> {
  let targets = ports
  let turn = 0
  const all: Record<Way, Toxics> = { up: {}, down: {} }
  const pairs = new Set<Pair>()
  const server = createServer((client) => {
    const port = targets[turn++ % Math.max(1, targets.length)]
    if (port === undefined) {
      client.destroy()
      return
    }
    const pair = join(client, dial(port, '127.0.0.1'), all)
    pairs.add(pair)
    void pair.gone.then(() => pairs.delete(pair))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as { port: number }
  const cut = () => {
    for (const pair of pairs) pair.cut()
  }
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    get pairs() {
      return [...pairs]
    },
    target(...next) {
      targets = next
    },
    set(way, toxics) {
      all[way] = toxics
      for (const pair of pairs) pair.set(way, toxics)
    },
    cut,
    close() {
      cut()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

function join(client: Socket, server: Socket, toxics: Readonly<Record<Way, Toxics>>): Pair {
  const cut = () => {
    client.destroy()
    server.destroy()
  }
  const pipes = { up: pipe(client, server, toxics.up, cut), down: pipe(server, client, toxics.down, cut) }
  const gone = Promise.all(
    [client, server].map(
      (one) =>
        new Promise<void>((resolve) => {
          one.setNoDelay(true)
          one.on('error', () => {})
          one.on('close', () => {
            cut()
            resolve()
          })
        }),
    ),
  ).then(() => {
    for (const way of WAYS) pipes[way].end()
  })
  return {
    passed: {
      get up() {
        return pipes.up.passed()
      },
      get down() {
        return pipes.down.passed()
      },
    },
    set: (way, next) => pipes[way].set(next),
    cutAfter: (way, bytes) => pipes[way].allow(bytes),
    cut,
    gone,
  }
}

interface Pipe {
  passed(): number
  set(toxics: Toxics): void
  allow(bytes: number): void
  end(): void
}
function pipe(from: Socket, to: Socket, first: Toxics, cut: () => void): Pipe {
  let toxics = first
  let passed = 0
  let allowed = Number.POSITIVE_INFINITY
  let held: { bytes: Buffer; due: number }[] = []
  let heldBytes = 0
  let timer: NodeJS.Timeout | undefined
  let full = false
  let over = false

  const deliver = (bytes: Buffer): void => {
    if (bytes.length > allowed) {
      over = true
      passed += allowed
      // An orderly end behind the last byte: a reset could overtake it.
      if (allowed > 0) to.end(bytes.subarray(0, allowed), cut)
      else cut()
      return
    }
    allowed -= bytes.length
    passed += bytes.length
    full = !to.write(bytes)
  }
  const pump = (): void => {
    clearTimeout(timer)
    timer = undefined
    while (!over && !full && !toxics.stalled) {
      const next = held[0]
      if (!next) break
      const now = performance.now()
      if (next.due > now) {
        timer = setTimeout(pump, next.due - now)
        break
      }
      const rate = toxics.bytesPerSecond
      const piece = rate ? next.bytes.subarray(0, Math.max(1, Math.floor(rate / 20))) : next.bytes
      heldBytes -= piece.length
      if (piece.length < next.bytes.length)
        held[0] = { bytes: next.bytes.subarray(piece.length), due: now + (piece.length / rate!) * 1000 }
      else {
        held.shift()
        const after = held[0]
        if (rate && after) after.due = Math.max(after.due, now + (piece.length / rate) * 1000)
      }
      deliver(piece)
    }
    if (over) held = []
    else if (toxics.stalled || heldBytes > HELD_MOST) from.pause()
    else from.resume()
  }
  from.on('data', (bytes) => {
    held.push({ bytes: bytes as Buffer, due: performance.now() + (toxics.latencyMs ?? 0) })
    heldBytes += bytes.length
    pump()
  })
  to.on('drain', () => {
    full = false
    pump()
  })
  // What is held still arrives; the end comes behind it.
  from.on('end', () => {
    if (held.length === 0 && !toxics.stalled) to.end()
  })
  if (toxics.stalled) from.pause()
  return {
    passed: () => passed,
    set(next) {
      toxics = next
      pump()
    },
    allow(bytes) {
      allowed = bytes
    },
    end() {
      over = true
      clearTimeout(timer)
    },
  }
}
