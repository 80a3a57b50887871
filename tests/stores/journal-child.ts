// A folder in; an embedded database written to until it is killed, one line for each acknowledged batch out.
import { openJournal, retain } from '@doorstep/server/store/journal'
import { openSql } from '@doorstep/server/store/sql/open'
import type { DriverNo } from '@doorstep/shared/units'
import { batchOf, deviceOf } from './batches.ts'

const [dataDir = ''] = process.argv.slice(2)
const sql = await openSql({ databaseUrl: null, dataDir, durability: 'strict' })
await retain(sql, Date.now(), 60)
const journal = openJournal(sql)
console.log('ready')
for (let seq = 1; ; seq += 20) {
  const kept = await journal.keep(deviceOf(1), 1 as DriverNo, batchOf('q', seq, 20, Date.now()), Date.now())
  console.log(kept.ok ? `kept ${kept.value.upto}` : `fault ${kept.fault.code}`)
}
