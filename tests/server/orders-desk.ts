// A folder in, a desk of orders over a real database and a real router out, with a clock that the test turns.

import { auth, type Rights } from '@doorstep/server/auth'
import { uuid7 } from '@doorstep/server/orders/id'
import { orders as openOrders } from '@doorstep/server/orders/orders'
import type { By, Desk, DriverBase, Orders } from '@doorstep/server/orders/port'
import type { Router } from '@doorstep/server/routing/port'
import { straight } from '@doorstep/server/routing/straight'
import type { Positions, Signal } from '@doorstep/server/store/positions/port'
import { openSql } from '@doorstep/server/store/sql/open'
import type { Sql } from '@doorstep/server/store/sql/port'
import type { NewOrder, OrderRow, RunView } from '@doorstep/shared/api'
import { random } from '@doorstep/shared/random'
import type { DriverId, LngLat } from '@doorstep/shared/units'

export const ADMIN_KEY = 'a-key-of-this-test-alone-32-characters-long'
export const START: LngLat = [11.9668, 57.7072]

/** Nodes that share one database hear each other's signals. */
export function aBus(): (kind: Positions['kind']) => Pick<Positions, 'kind' | 'all' | 'signal' | 'onSignal'> {
  const nodes: ((s: Signal) => void)[][] = []
  return (kind) => {
    const mine: ((s: Signal) => void)[] = []
    nodes.push(mine)
    return {
      kind,
      all: async () => [],
      signal: (s) => {
        for (const node of nodes) if (node !== mine) for (const listener of node) listener(s)
      },
      onSignal: (listener) => void mine.push(listener),
    }
  }
}

export interface TestDesk {
  readonly sql: Sql
  readonly orders: Orders & Desk
  readonly auth: Rights
  readonly router: Router
  now(): number
  tick(ms: number): void
  by(key?: string, body?: string): By
  /** A second node on the same database (or on `sql`), which hears signals unless it is deaf. */
  node(options?: { deaf?: boolean; sql?: Sql }): { orders: Orders & Desk; auth: Rights }
  anOrder(over?: Partial<NewOrder>): Promise<OrderRow>
  aDriver(): Promise<DriverBase & { id: DriverId }>
  aStartedRun(stops: number): Promise<{ run: RunView; orders: OrderRow[]; driver: DriverBase & { id: DriverId } }>
  say(
    driver: { id: DriverId },
    stopId: string,
    type: 'arrived' | 'delivered' | 'failed',
    how?: { key?: string; at?: number },
  ): Promise<unknown>
}

/** A straight line is a road here: only the city's own tests know better. */
const router: Router = {
  name: 'test',
  health: async () => true,
  route: async (waypoints) => ({ ...straight(waypoints), confidence: 'road', source: 'city' }),
}

export async function openDesk(dir: string, databaseUrl: string | null = null): Promise<TestDesk> {
  const sql = await openSql({ databaseUrl, dataDir: dir, durability: 'relaxed' })
  let clock = Date.parse('2026-11-21T08:00:00Z')
  const now = () => clock
  const bus = aBus()
  const rnd = random(7)
  const node = (kind: Positions['kind'], deaf = false, store = sql) => {
    const positions = deaf ? aBus()(kind) : bus(kind)
    const newId = () => uuid7(clock)
    return {
      orders: openOrders({ sql: store, router, positions, now, newId, linkDays: 14 }),
      auth: auth({ sql: store, positions, adminKey: ADMIN_KEY, now }),
    }
  }
  const here = node('redis')
  let keys = 0
  const by = (key?: string, body = 'body'): By => ({
    source: 'dispatcher',
    principal: 'admin',
    ...(key !== undefined && { idem: { key, body } }),
  })
  const must = <T>(r: { ok: true; value: T } | { ok: false; fault: unknown }): T => {
    if (!r.ok) throw new Error(JSON.stringify(r.fault))
    return r.value
  }
  const t: TestDesk = {
    sql,
    ...here,
    router,
    now,
    tick: (ms) => {
      clock += ms
    },
    by,
    node: (options) => node('redis', options?.deaf, options?.sql),
    async anOrder(over) {
      const at: LngLat = [START[0] + (rnd() - 0.5) * 0.05, START[1] + (rnd() - 0.5) * 0.03]
      const order = { recipient: { name: 'Karin Boye' }, address: { label: 'Linnégatan 12', at }, merchant: 'Bokhandeln', ...over }
      return must(await here.orders.newOrder(order, by())).order
    },
    async aDriver() {
      return must(await here.orders.newDriver({ name: 'Anna Lind', vehicle: 'van' }, by())).driver as DriverBase & { id: DriverId }
    },
    async aStartedRun(stops) {
      const driver = await t.aDriver()
      const orders = await Promise.all(Array.from({ length: stops }, () => t.anOrder()))
      const run = must(await here.orders.newRun({ start: START, orders: orders.map((o) => o.id), driverId: driver.id }, by()))
      return { run: must(await here.orders.start(run.id as never, by())), orders, driver }
    },
    say: (driver, stopId, type, how = {}) =>
      here.orders.act(driver.id, { idemKey: how.key ?? `key-${keys++}`, type, stopId, at: how.at ?? clock }),
  }
  return t
}
