// The table of O1: closed, reachable, terminal where it says so, and printed for people.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ACTIONS, LIFE, next, type OrderAction, type OrderStatus, STATUSES } from './order.ts'

const actions = Object.keys(ACTIONS) as OrderAction[]
const terminal = (s: OrderStatus): boolean => Object.keys(LIFE[s].on).length === 0

test('[O1] the main road is received → processing → shipped → out_for_delivery → delivered → completed', () => {
  const road: OrderAction[] = ['process', 'assign', 'start', 'arrive', 'deliver', 'complete']
  const seen: (OrderStatus | null)[] = ['received']
  for (const action of road) seen.push(next(seen.at(-1)!, action))
  expect(seen).toEqual(['received', 'processing', 'shipped', 'out_for_delivery', 'out_for_delivery', 'delivered', 'completed'])
})

test('[O1] every status can be reached from received, and a terminal one is left by no action', () => {
  const reached = new Set<OrderStatus>(['received'])
  for (const status of reached) for (const action of actions) reached.add(next(status, action) ?? status)
  expect([...reached].sort()).toEqual([...STATUSES].sort())
  expect(STATUSES.filter(terminal)).toEqual(['completed', 'returned', 'cancelled'])
})

test('[O1] whatever is done, in any order, an order stays in a status of the table, and a terminal one never changes', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...actions), { maxLength: 40 }), (done) => {
      let status: OrderStatus = 'received'
      for (const action of done) {
        const after = next(status, action)
        if (terminal(status)) expect(after).toBeNull()
        if (after === null) continue
        expect(STATUSES).toContain(after)
        status = after
      }
    }),
  )
})

test('[O1] a delivered parcel is never out for delivery again without coming back first', () => {
  const ahead = (from: OrderStatus, without: readonly OrderStatus[]): Set<OrderStatus> => {
    const seen = new Set<OrderStatus>([from])
    for (const status of seen)
      for (const action of actions) {
        const after = next(status, action)
        if (after && !without.includes(after)) seen.add(after)
      }
    return seen
  }
  expect(ahead('delivered', ['returning'])).toEqual(new Set(['delivered', 'completed']))
  expect(ahead('delivered', []).has('out_for_delivery')).toBe(true)
})

test('[V4] only an order that is out for delivery may show a position', () => {
  expect(STATUSES.filter((s) => LIFE[s].live)).toEqual(['out_for_delivery'])
})

test('[O1] the event types are nouns and verbs, each the type of one action', () => {
  const types = Object.values(ACTIONS)
  expect(new Set(types).size).toBe(types.length)
  for (const type of types) expect(type).toMatch(/^order\.[a-z_]+$/)
})

test('[O1] ORDERS.md prints the table that the code uses', async () => {
  const statuses = STATUSES.map((status) => {
    const arrows = Object.entries(LIFE[status].on).map(([action, to]) => `${action} → ${to === status ? '(stays)' : to}`)
    return [status, arrows.join(', ') || 'terminal', LIFE[status].live ? 'window, position by its gate' : '']
  })
  const text = `# The life of an order

Printed from \`src/order.ts\` by its test; anything that is not in the table is refused with \`TRANSITION\` and the current version (O1).
In this product an order is \`processing\` when it was put on a run, \`shipped\` when the run has a driver, and \`out_for_delivery\` when
the run has started. A late event is written down with its true time and turns no status back (O4).

${table(['status', 'action → next status', 'shown to the customer'], statuses)}

${table(
  ['action', 'event'],
  actions.map((a) => [a, `\`${ACTIONS[a]}\``]),
)}

Events that change no status: \`order.window_changed\` (a window shown, with its reason), \`order.arrived\` (the vehicle stands at the
door), \`order.conflict\` (said too late to be applied: a dispatcher should look). The first event of every order is \`order.received\`.
`
  await expect(text).toMatchFileSnapshot('../ORDERS.md')
})

/** A Markdown table with its columns aligned. */
function table(head: string[], rows: string[][]): string {
  const widths = head.map((_, i) => Math.max(...[head, ...rows].map((row) => row[i]!.length)))
  const line = (row: string[], fill = ' ') => `| ${row.map((cell, i) => cell.padEnd(widths[i]!, fill)).join(' | ')} |`
  return [
    line(head),
    line(
      head.map(() => '-'),
      '-',
    ),
    ...rows.map((row) => line(row)),
  ].join('\n')
}
