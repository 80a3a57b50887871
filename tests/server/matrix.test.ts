// Who may say and see what, generated: every event × every principal × own, another's and none; and ten customers along one run.
import { distance } from '@doorstep/shared/geo'
import type { OrderView, TrackView } from '@doorstep/shared/track'
import type { LngLat } from '@doorstep/shared/units'
import type { Socket } from 'socket.io-client'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { createDatabase } from '../services/database.ts'
import {
  ADMIN_KEY,
  ask,
  batch,
  type Company,
  call,
  company,
  connect,
  hangUp,
  heard,
  type Node,
  newQid,
  startNode,
} from './world.ts'

let node: Node
let mine: Company
let theirs: Company
let session: string
beforeAll(async () => {
  node = await startNode({ DATABASE_URL: (await createDatabase()).url })
  mine = await company(node, 2, 31)
  theirs = await company(node, 2, 32)
  session = (await ask<{ token: string }>(node, 'POST', '/v1/sessions', {})).token
})
afterAll(() => node.stop())
afterEach(hangUp)

/** What each namespace understands, with a message that is right in form. */
const EVENTS: Record<string, Record<string, () => unknown[]>> = {
  '/driver': {
    hello: () => [{ v: 1, qid: newQid(), sentAt: Date.now() }],
    pings: () => [batch(newQid(), [mine.fix(1, 5)])],
    'ping:live': () => [{ v: 1, qid: newQid(), sentAt: Date.now(), item: mine.fix(1, 5) }],
    skip: () => [{ v: 1, qid: newQid(), sentAt: Date.now(), from: 1, to: 3, reason: 'full' }],
    act: () => [{ idemKey: newQid(), type: 'arrived', stopId: theirs.run.stops[0]!.id, at: Date.now() }],
  },
  '/watch': { watch: () => [], sync: () => [{ since: 0 }] },
  '/fleet': { roster: () => [], view: () => [{ bbox: [11, 57, 12, 58], zoom: 12 }] },
}
const PRINCIPALS = ['device', 'link', 'session', 'admin', 'none'] as const
const ADMITTED: Record<string, readonly string[]> = { '/driver': ['device'], '/watch': ['link'], '/fleet': ['session', 'admin'] }
const tokenOf = (who: (typeof PRINCIPALS)[number]) =>
  ({ device: mine.driver.device.token, link: mine.orders[0]!.link.token, session, admin: ADMIN_KEY, none: 'x'.repeat(43) })[who]

for (const nsp of Object.keys(EVENTS))
  for (const who of PRINCIPALS) {
    const admitted = ADMITTED[nsp]!.includes(who)
    test(`[V1] ${who} at ${nsp}: ${admitted ? 'understood where it is its own, and nowhere else' : 'AUTH'}`, async () => {
      if (!admitted) {
        await expect(connect(node, nsp, tokenOf(who))).rejects.toThrow('AUTH')
        return
      }
      for (const [place, events] of Object.entries(EVENTS))
        for (const [event, message] of Object.entries(events)) {
          const socket = await connect(node, nsp, tokenOf(who))
          const answer = await call(socket, event, ...message())
          if (place !== nsp) expect(answer, event).toEqual({ ok: false, code: 'BAD_EVENT' })
          else if (event === 'act') expect(answer).toMatchObject({ ok: false, code: 'NOT_YOURS' })
          else if (event === 'skip') expect(answer).toMatchObject({ ok: true, upto: 3 })
          else expect(answer, event).toMatchObject({ ok: true })
          socket.disconnect()
        }
    })
  }

test('[V1][V5] what a link shows is its own order: no id, name or token of the other order, the driver or the run is in any byte of it', async () => {
  const customer = await connect(node, '/watch', mine.orders[0]!.link.token)
  const bytes: string[] = []
  customer.onAny((event, message) => bytes.push(JSON.stringify([event, message])))
  bytes.push(JSON.stringify(await call(customer, 'watch')))
  const second = await connect(node, '/watch', mine.orders[1]!.link.token)
  const theirView = JSON.stringify(await call(second, 'watch'))
  const phone = await connect(node, '/driver', mine.driver.device.token)
  const seen = heard(customer, 'track')
  await call(phone, 'pings', batch(newQid(), [mine.fix(1, mine.run.stops[0]!.along - 200)]))
  await seen
  const said = bytes.join('\n')
  const secrets = [
    mine.driver.driver.id,
    mine.driver.device.id,
    mine.driver.device.token,
    mine.run.id,
    mine.run.stops[0]!.id,
    mine.run.stops[1]!.id,
    mine.orders[0]!.order.id,
    mine.orders[1]!.order.id,
    mine.orders[1]!.order.number,
    mine.orders[1]!.order.address.label,
    theirs.orders[0]!.order.number,
    `"no":${mine.driver.driver.no}`,
  ]
  for (const secret of secrets) expect(said).not.toContain(secret)
  const alias = (text: string) => /"alias":"([^"]*)"/.exec(text)![1]!
  expect(alias(said)).not.toBe(alias(theirView))
})

/** Every pair of numbers in a message that could be a place of this city. */
function places(value: unknown, out: LngLat[] = []): LngLat[] {
  if (Array.isArray(value)) {
    if (value.length === 2 && Math.abs((value[0] as number) - 12) < 1 && Math.abs((value[1] as number) - 57.7) < 1)
      out.push(value as never)
    else for (const v of value) places(v, out)
  } else if (typeof value === 'object' && value !== null) for (const v of Object.values(value)) places(v, out)
  return out
}

test('[V2][V3][V4] ten customers along one run: each sees the van from three stops before, never near another door, and nothing once it is over', async () => {
  const c = await company(node, 10, 33)
  const doors = c.run.stops.map((stop) => stop.door)
  const orderOf = (i: number) => c.orders.find(({ order }) => order.id === c.run.stops[i]!.orderId)!
  const heardBy: { from: string; at: number; message: TrackView | OrderView }[][] = []
  const over: number[] = Array.from({ length: 10 }, () => Number.POSITIVE_INFINITY)
  const customers: Socket[] = []
  for (let i = 0; i < 10; i++) {
    const customer = await connect(node, '/watch', orderOf(i).link.token)
    heardBy[i] = []
    for (const from of ['track', 'order']) customer.on(from, (message) => heardBy[i]!.push({ from, at: Date.now(), message }))
    await call(customer, 'watch')
    customers.push(customer)
  }
  const phone = await connect(node, '/driver', c.driver.device.token)
  const qid = newQid()
  let seq = 0
  let done = 0
  /** Says it again when the server asks for patience, as a device does. */
  const say = async (event: string, message: object) => {
    for (;;) {
      const answer = await call(phone, event, message)
      if (answer.code !== 'RATE') return answer
      await new Promise((resolve) => setTimeout(resolve, answer.retryAfterMs))
    }
  }
  // 20 m/s, so that no fix is a jump, and the last one is now.
  const t = Date.now() - (c.run.stops[9]!.along / 20) * 1_000
  for (let along = 0; done < 10; along += 500) {
    const stop = c.run.stops[done]!
    const at = Math.min(along, stop.along)
    seq++
    expect(await say('pings', batch(qid, [c.fix(seq, at, { t: Math.round(t + at * 50) + seq })]))).toMatchObject({ ok: true })
    if (at < stop.along) continue
    expect(await say('act', { idemKey: newQid(), type: 'delivered', stopId: stop.id, at: Date.now() })).toMatchObject({ ok: true })
    over[done] = Date.now()
    done++
  }
  for (const customer of customers) await call(customer, 'sync', { since: 0 })
  let shown = 0
  for (const [i, list] of heardBy.entries()) {
    for (const { from, at, message } of list) {
      const track = from === 'track' ? (message as TrackView) : (message as OrderView).track
      for (const place of places(message))
        for (const [j, door] of doors.entries())
          if (j !== i && distance(place, door) <= 150)
            expect(distance(place, doors[i]!), `order ${i} near door ${j}`).toBeLessThanOrEqual(150)
      if (track.vehicle) {
        shown++
        expect(track.stopsLeft).toBeLessThanOrEqual(3)
        expect(at).toBeLessThan(over[i]! + 1_000)
      }
      if (track.pathV !== 0) expect(track.stopsLeft).toBe(1)
    }
    expect(list.at(-1)!.from).toBe('order')
    expect((list.at(-1)!.message as OrderView).track).toMatchObject({ vehicle: null, hidden: 'finished' })
  }
  // The rule must not be kept by showing nothing.
  expect(shown).toBeGreaterThan(10)
}, 90_000)
