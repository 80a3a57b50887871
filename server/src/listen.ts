// A server and where it is to listen in; the port it got, or one clear line about why it can't, out.
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { StartFault } from './store/start-fault.ts'

const WHY: Record<string, string> = {
  EADDRINUSE: 'is in use by another program; stop that one, or choose another port',
  EACCES: 'may not be opened by this user; choose a port from 1024 on',
  EADDRNOTAVAIL: 'is no address of this machine',
  ENOTFOUND: 'is no address that this machine knows',
}

/** Resolves to the port; 0 takes any that is free. `name` is the variable that decides. Rejects with a StartFault where the configuration is to blame. */
export function listen(server: Server, port: number, host: string, name: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const refuse = (error: NodeJS.ErrnoException) => {
      const why = WHY[error.code ?? '']
      reject(why ? new StartFault(`${name}: ${host.includes(':') ? `[${host}]` : host}:${port} ${why}`) : error)
    }
    server.once('error', refuse)
    server.listen(port, host, () => {
      server.off('error', refuse)
      resolve((server.address() as AddressInfo).port)
    })
  })
}
