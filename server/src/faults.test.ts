// What is logged: every bug, and a store that is away once.
import { expect, test } from 'vitest'
import { faultLog } from './faults.ts'
import { SqlError } from './store/sql/port.ts'

test('a database that is away is logged once until it was back, a bug each time', () => {
  let now = 1_000
  const said: { what: string; unlogged?: number }[] = []
  const log = faultLog(
    ({ what, unlogged }) => void said.push(unlogged === undefined ? { what } : { what, unlogged }),
    () => now,
  )
  const away = new SqlError('no line', '08006', true)
  for (let i = 0; i < 50; i++) {
    log(away, `w${i}`)
    now += 1_000
  }
  log(new Error('bug'), 'bug')
  log(new SqlError('no such column', '42703', false), 'statement')
  now += 60_000
  log(away, 'again')
  expect(said).toEqual([{ what: 'w0' }, { what: 'bug' }, { what: 'statement' }, { what: 'again', unlogged: 49 }])
})
