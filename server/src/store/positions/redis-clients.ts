// Addresses in, clients of one Redis or of a cluster out, seen through the few commands that we use. node-redis is tamed here:
// no command is queued while the line is down, nothing rejects unhandled, and a server too old is refused at the start.
import { createClient, createCluster, RESP_TYPES } from 'redis'
import { StartFault } from '../start-fault.ts'

/** The little that positions and bus need; keys and channels decide the cluster's node. */
export interface RedisLine {
  readonly ready: boolean
  eval(script: { text: string; sha1: string }, key: string, args: readonly (string | Buffer)[]): Promise<unknown>
  /** Values of a hash. */
  hvals(key: string): Promise<Buffer[]>
  /** Sets a key for `seconds`; answers whether it was there. */
  mark(key: string, seconds: number): Promise<boolean>
  publish(channel: string, message: Buffer): Promise<unknown>
  subscribe(channel: string, listener: (message: Buffer) => void): Promise<void>
  /** Called whenever a line is ready again after it was lost. */
  onReady(listener: () => void): void
  onError(listener: (why: string) => void): void
  close(): void
}

const RECONNECT_MOST_MS = 1_000
const CONNECT_MS = 2_000

/** One address, or several of a cluster separated by commas. */
export function addresses(redisUrl: string): string[] {
  return redisUrl
    .split(',')
    .map((one) => one.trim())
    .filter(Boolean)
}

/** Without passwords. */
export const placeOf = (redisUrl: string): string =>
  addresses(redisUrl)
    .map((one) => (URL.canParse(one) ? new URL(one).host : 'an address that is no URL'))
    .join(', ')

type Client = ReturnType<typeof createClient>
type Cluster = ReturnType<typeof createCluster>

/** `state.started` turns true after the first connect: before, a failure is final; after, it is tried for ever. */
function make(redisUrl: string, state: { started: boolean }): Client | Cluster {
  const urls = addresses(redisUrl)
  const socket = {
    connectTimeout: CONNECT_MS,
    keepAlive: true,
    keepAliveInitialDelay: 5_000,
    // Spread, so that many nodes don't knock at once; by the retry alone, since chance belongs to main.
    reconnectStrategy: (retries: number, cause: Error) =>
      state.started ? Math.min(50 * 2 ** Math.min(retries, 5), RECONNECT_MOST_MS) + ((process.pid * 7) % 97) : cause,
  }
  const common = { disableOfflineQueue: true, pingInterval: 10_000 } as const
  if (urls.length === 1) return createClient({ url: urls[0]!, socket, ...common }) as Client
  const { username, password, protocol } = new URL(urls[0]!)
  return createCluster({
    rootNodes: urls.map((url) => ({ url, socket: { ...socket } })),
    defaults: {
      ...common,
      socket: protocol === 'rediss:' ? { ...socket, tls: true as const } : socket,
      ...(username ? { username: decodeURIComponent(username) } : {}),
      ...(password ? { password: decodeURIComponent(password) } : {}),
    },
  }) as Cluster
}

const isCluster = (client: Client | Cluster): client is Cluster => 'masters' in client
const BYTES = { typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } }

/** Connects. Throws StartFault when nothing is there, or it is older than 7 (sharded pub/sub). */
export async function redisLine(redisUrl: string): Promise<RedisLine> {
  const state = { started: false }
  const client = make(redisUrl, state)
  const ready: (() => void)[] = []
  const errors: ((why: string) => void)[] = []
  client.on('error', (error: Error) => {
    for (const tell of errors) tell(error.message || error.name)
  })
  client.on(isCluster(client) ? 'node-ready' : 'ready', () => {
    if (state.started) for (const tell of ready) tell()
  })
  const send = (key: string, args: (string | Buffer)[], options = {}): Promise<unknown> =>
    isCluster(client) ? client.sendCommand(key, false, args, options) : client.sendCommand(args, options)
  try {
    await client.connect()
    const info = String(await send('x', ['INFO', 'server']))
    const version = /redis_version:(\d+)[.\d]*/.exec(info)
    if (Number(version?.[1] ?? 0) < 7) throw new Error(`Redis 7 or newer is needed, this is ${version?.[0] ?? 'unknown'}`)
  } catch (error) {
    quietly(() => client.destroy())
    throw new StartFault(`REDIS_URL: no Redis at ${placeOf(redisUrl)}: ${reason(error)}`)
  }
  state.started = true
  return {
    get ready() {
      return client.isReady
    },
    async eval({ text, sha1 }, key, args) {
      try {
        return await send(key, ['EVALSHA', sha1, '1', key, ...args])
      } catch (error) {
        if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error
        return send(key, ['EVAL', text, '1', key, ...args])
      }
    },
    hvals: async (key) => (await send(key, ['HVALS', key], BYTES)) as Buffer[],
    mark: async (key, seconds) => (await send(key, ['SET', key, '1', 'EX', String(seconds), 'GET'])) !== null,
    publish: (channel, message) => send(channel, ['SPUBLISH', channel, message]),
    subscribe: (channel, listener) =>
      isCluster(client) ? client.sSubscribe(channel, listener, true) : client.sSubscribe(channel, listener, true),
    onReady: (listener) => ready.push(listener),
    onError: (listener) => errors.push(listener),
    close: () => quietly(() => client.destroy()),
  }
}

/**
 * The pair that `createShardedAdapter(pub, sub, {subscriptionMode: 'dynamic'})` of @socket.io/redis-adapter asks for. The adapter drops
 * the promise of a publish: here it counts the failure and never rejects (measured: one unhandled rejection ends Node). What is lost
 * while Redis is away is mended by `hb`.
 */
export async function adapterClients(redisUrl: string): Promise<{
  pub: Client | Cluster
  sub: Client | Cluster
  dropped(): number
  close(): void
}> {
  let dropped = 0
  let closed = false
  const states = [{ started: false }, { started: false }]
  const [pub, sub] = states.map((state) => make(redisUrl, state)) as [Client | Cluster, Client | Cluster]
  for (const client of [pub, sub]) client.on('error', () => {})
  const tamed = pub as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>
  for (const name of ['publish', 'sPublish', 'PUBLISH', 'SPUBLISH']) {
    const plain = tamed[name]!.bind(pub)
    tamed[name] = (...args) =>
      plain(...args).catch(() => {
        dropped++
        return 0
      })
  }
  // The adapter drops these promises too, and asks once: what was asked for while the line is down is asked again, in its order.
  const subscribing = sub as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>
  let pending: (() => Promise<unknown>)[] = []
  let again: NodeJS.Timeout | undefined
  const askAgain = async () => {
    again = undefined
    const asked = pending
    pending = []
    for (const ask of asked) await ask()
  }
  for (const name of ['sSubscribe', 'sUnsubscribe']) {
    const plain = subscribing[name]!.bind(sub)
    const ask = (...args: unknown[]): Promise<unknown> =>
      plain(...args).catch(() => {
        if (closed) return
        pending.push(() => ask(...args))
        again ??= setTimeout(askAgain, RECONNECT_MOST_MS / 4).unref()
      })
    subscribing[name] = ask
  }
  try {
    await Promise.all([pub.connect(), sub.connect()])
  } catch (error) {
    for (const client of [pub, sub]) quietly(() => client.destroy())
    throw new StartFault(`REDIS_URL: no Redis at ${placeOf(redisUrl)}: ${reason(error)}`)
  }
  for (const state of states) state.started = true
  return {
    pub,
    sub,
    dropped: () => dropped,
    close() {
      closed = true
      clearTimeout(again)
      for (const client of [pub, sub]) quietly(() => client.destroy())
    },
  }
}

/** destroy() throws on a client that is closed already. */
function quietly(work: () => unknown): void {
  try {
    work()
  } catch {
    // Nothing is left to close.
  }
}

function reason(error: unknown): string {
  const first = error instanceof AggregateError ? error.errors[0] : error
  return first instanceof Error ? first.message || first.name : String(first)
}
