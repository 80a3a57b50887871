// A device's token in; a phone out: the outbox and uplink that drivers' devices run, over a real socket, its acknowledgements in a ledger.
import { memoryActs, openActs } from '@doorstep/shared/acts'
import type { DriverCreated } from '@doorstep/shared/api'
import { memoryStorage, type Outbox, openOutbox } from '@doorstep/shared/outbox'
import type { WireFix } from '@doorstep/shared/ping'
import type { Kept } from '@doorstep/shared/protocol'
import type { Random } from '@doorstep/shared/random'
import { openUplink, UPLINK_SOCKET, type Uplink, type UplinkSocket } from '@doorstep/shared/uplink'
import { io } from 'socket.io-client'
import { ask, type Node, newQid } from '../server/world.ts'
import type { Ledger } from './ledger.ts'

export interface Phone {
  readonly device: string
  readonly uplink: Uplink
  readonly outbox: Outbox
  /** Fix time of each seq that was ever stored on it, from seq 1 on. */
  readonly times: readonly number[]
  /** Stores `n` fixes at once, `apart` ms from each other, the newest now (or at `last`), and sends what may be sent. */
  fixes(n: number, apart?: number, last?: number): Promise<void>
  stop(): void
}
export interface PhoneOptions {
  readonly url: string
  readonly driver: DriverCreated
  readonly ledger: Ledger
  readonly rng: Random
  /** Where it is with its `n`-th fix; by default somewhere on a straight line. */
  readonly place?: (n: number) => Pick<WireFix, 'lat' | 'lon'>
}

export async function openPhone({ url, driver, ledger, rng, place }: PhoneOptions): Promise<Phone> {
  const outbox = await openOutbox(memoryStorage(), { newQid })
  const device = driver.device.id
  const uplink = openUplink({
    socket: hearingFirst(
      io(`${url}/driver`, { ...UPLINK_SOCKET, auth: { token: driver.device.token }, forceNew: true }) as unknown as UplinkSocket,
      (kept) => ledger.heard(device, kept),
    ),
    outbox,
    acts: await openActs(memoryActs()),
    clock: {
      now: Date.now,
      after: (ms, run) => {
        const timer = setTimeout(run, ms)
        return () => clearTimeout(timer)
      },
    },
    // The lower tenth of the jitter: a phone that waits half a minute would only make the rounds longer.
    random: () => rng() / 10,
  })
  uplink.start()
  const times: number[] = []
  const where = place ?? ((n: number) => ({ lat: 57.7 + (n % 1_000) * 1e-5, lon: 11.96 }))
  return {
    device,
    uplink,
    outbox,
    times,
    async fixes(n, apart = 1, last = Date.now()) {
      for (let i = 1; i <= n; i++) {
        const t = Math.max(last - (n - i) * apart, (times.at(-1) ?? 0) + 1)
        const { lat, lon } = where(times.length + 1)
        const fix = { t, lat, lon, acc: 5, spd: 8 }
        times.push(t)
        // All but the last go past the uplink, so that they leave as one batch.
        const stored = i < n ? await outbox.add(fix) : await uplink.add(fix)
        if (!stored.ok) throw stored.fault.cause
      }
    },
    stop: () => uplink.stop(),
  }
}

/** Whatever says `kept`, an answer or an event, is heard by the ledger first. */
function hearingFirst(socket: UplinkSocket, hear: (kept: Kept) => void): UplinkSocket {
  return {
    get connected() {
      return socket.connected
    },
    connect: () => socket.connect(),
    disconnect: () => socket.disconnect(),
    on: (event, listener) =>
      socket.on(event, (message: never) => {
        if (event === 'kept') hear(message)
        listener(message)
      }),
    emit(event, message, ack) {
      if (ack === undefined) return socket.emit(event, message)
      return socket.emit(event, message, (answer: { ok: boolean } & Kept) => {
        if (answer.ok && typeof answer.upto === 'number') hear(answer)
        ;(ack as (answer: unknown) => void)(answer)
      })
    },
  }
}

/** New drivers, each with a phone that goes through `url`. */
export async function hire(node: Pick<Node, 'url'>, n: number, options: Omit<PhoneOptions, 'driver'>): Promise<Phone[]> {
  const phones: Phone[] = []
  for (let i = 0; i < n; i++) {
    const driver = await ask<DriverCreated>(node, 'POST', '/v1/drivers', { name: `Driver ${i}`, vehicle: 'van' })
    phones.push(await openPhone({ ...options, driver, rng: options.rng.fork(i) }))
  }
  return phones
}

/** All of them store `n` fixes each 100 ms until the returned function is called; it resolves when the last is stored. */
export function driving(phones: readonly Phone[], n: number): () => Promise<void> {
  let last: Promise<unknown> = Promise.resolve()
  const timer = setInterval(() => {
    const before = last
    last = Promise.all([before, ...phones.map((phone) => phone.fixes(n, 10))])
  }, 100)
  return async () => {
    clearInterval(timer)
    await last
  }
}

/** Looks again and again until it is so; rejects, saying what was waited for, when the time is over. */
export async function until(what: string, isSo: () => boolean | Promise<boolean>, ms = 30_000): Promise<void> {
  const end = performance.now() + ms
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error(`after ${ms} ms still not: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** Everything that these phones hold is kept. */
export const drained = (phones: readonly Phone[]): Promise<void> =>
  until('every phone’s queue is empty', () => phones.every((phone) => phone.outbox.queued === 0), 60_000)

/** FAULT_ROUNDS=full runs the long form. */
export const full = process.env.FAULT_ROUNDS === 'full'
