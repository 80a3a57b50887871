// A device token in, a socket to /driver out; on a bad line some of what is said and heard never arrives.
import type { Random } from '@doorstep/shared/random'
import { UPLINK_SOCKET, type UplinkSocket } from '@doorstep/shared/uplink'
import { io } from 'socket.io-client'

/** `loss` is the share of messages and of answers that vanish; the connection itself stays. */
export function line(url: string, token: string, loss: number, rng: Random): UplinkSocket {
  const socket = io(`${url.replace(/\/$/, '')}/driver`, { ...UPLINK_SOCKET, auth: { token }, forceNew: true })
  return loss > 0 ? lossy(socket, loss, rng) : socket
}

export function lossy(socket: UplinkSocket, loss: number, rng: Random): UplinkSocket {
  const own = new Set(['connect', 'disconnect', 'connect_error'])
  return {
    get connected() {
      return socket.connected
    },
    connect: () => socket.connect(),
    disconnect: () => socket.disconnect(),
    on: (event, listener) =>
      socket.on(event, own.has(event) ? listener : (message: never) => (rng() < loss ? undefined : listener(message))),
    emit: (event, ...args) => {
      if (rng() < loss) return
      const ack = args[args.length - 1]
      if (typeof ack !== 'function') return socket.emit(event, ...args)
      return socket.emit(event, ...args.slice(0, -1), (answer: unknown) => (rng() < loss ? undefined : ack(answer)))
    },
  }
}
