// A van along ten doors, and ten customers who listen to everything: nobody ever hears what is not theirs (V1–V5).
import { distance, toSegment } from '@doorstep/shared/geo'
import type { OrderView, TrackView } from '@doorstep/shared/track'
import type { LngLat } from '@doorstep/shared/units'
import type { Socket } from 'socket.io-client'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { ask, batch, call, company, connect, hangUp, heard, type Node, neighbours, newQid, startNode } from './world.ts'

let node: Node
beforeAll(async () => {
  node = await startNode()
})
afterEach(hangUp)
afterAll(() => node?.stop())

/** No coordinate this near another's door, m (V3). */
const APART_M = 150

interface Ear {
  readonly socket: Socket
  readonly said: { track: TrackView; whole: string; status: OrderView['status'] }[]
}

test('[V1] [V2] [V3] [V4] [V5] along a run of ten stops no customer hears a place, a path or a name beyond the gates', {
  timeout: 120_000,
}, async () => {
  const of = await company(node, 10, 21, true, await neighbours(node, 11, 21))
  const { run } = of
  const doors = run.stops.map((stop) => stop.door)
  const ears: Ear[] = []
  for (const { link } of of.orders) {
    const socket = await connect(node, '/watch', link.token)
    const ear: Ear = { socket, said: [] }
    let status: OrderView['status'] = 'received'
    const note = (track: TrackView, message: unknown) => ear.said.push({ track, whole: JSON.stringify(message), status })
    socket.on('track', (m: TrackView) => note(m, m))
    socket.on('order', (m: OrderView) => {
      status = m.status
      note(m.track, m)
    })
    const answer = await call(socket, 'watch')
    status = answer.view.status
    note(answer.view.track, answer)
    ears.push(ear)
  }
  const phone = await connect(node, '/driver', of.driver.device.token)
  const qid = newQid()
  await call(phone, 'hello', { v: 1, qid, sentAt: Date.now() })
  // Driven in time-lapse: the first fixes are almost two minutes old, and the van is as fast as a fix is believed.
  let t = Date.now() - 115_000
  let seq = 0
  let done = 0
  for (let along = 0; done < 10; along += 60) {
    t = Math.min(t + 1_000, Date.now())
    const message = batch(qid, [of.fix(++seq, Math.min(along, run.route.length), { t, spd: 30 })])
    let answer = await call(phone, 'pings', message)
    while (answer.code === 'RATE') {
      await new Promise<void>((later) => setTimeout(later, answer.retryAfterMs))
      answer = await call(phone, 'pings', message)
    }
    expect(answer).toMatchObject({ ok: true })
    while (done < 10 && (run.stops[done]!.along <= along || along >= run.route.length)) {
      const ear = ears[done]!
      const last = heard<OrderView>(ear.socket, 'order', (m) => m.status === 'delivered')
      await ask(node, 'POST', `/v1/runs/${run.id}/stops/${run.stops[done]!.id}/done`, {})
      await last
      done++
    }
  }
  await Promise.all(ears.map((ear) => call(ear.socket, 'sync', { since: 0 })))

  const aliases = new Set<string>()
  let vehicles = 0
  let paths = 0
  for (const [own, ear] of ears.entries()) {
    const others = doors.filter((_, k) => k !== own)
    const secret = (at: LngLat) => distance(at, doors[own]!) > APART_M && others.some((door) => distance(at, door) < APART_M)
    let over = false
    for (const { track, whole, status } of ear.said) {
      // Whatever has the form of a place is one: nothing may hide in a field that nobody thought of.
      const places = [...whole.matchAll(/\[(1[12]\.\d+),(57\.\d+)\]/g)].map((m): LngLat => [Number(m[1]), Number(m[2])])
      for (const at of places) if (secret(at)) expect({ own, at, whole }).toBe('not to be heard')
      if (track.vehicle) {
        vehicles++
        expect(track.stopsLeft).toBeLessThanOrEqual(3)
        expect(over).toBe(false)
      }
      if (track.path && track.path.length > 0) {
        paths++
        expect(track.stopsLeft).toBe(1)
        for (const [i, a] of track.path.entries()) {
          const b = track.path[i + 1]
          if (b && distance(a, doors[own]!) > APART_M && distance(b, doors[own]!) > APART_M)
            for (const door of others) expect(toSegment(door, a, b)).toBeGreaterThanOrEqual(APART_M - 1)
        }
      }
      if (status === 'delivered') over = true
      for (const foreign of [
        of.driver.driver.id,
        of.driver.device.id,
        run.id,
        ...of.orders.filter((_, k) => k !== own).flatMap(({ order }) => [order.id, order.number]),
      ])
        expect(whole).not.toContain(foreign)
      const alias = /"alias":"([^"]+)"/.exec(whole)?.[1]
      if (alias) aliases.add(`${own} ${alias}`)
    }
    expect(over).toBe(true)
  }
  // The gates were open at times, else this would show nothing.
  expect(vehicles).toBeGreaterThan(20)
  expect(paths).toBeGreaterThan(3)
  expect(new Set([...aliases].map((a) => a.split(' ')[1])).size).toBe(aliases.size)
})
