// The server's own parts but for the journal, which takes everything and keeps nothing: what durability costs is the difference.
import { randomUUID } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { openApp } from '@doorstep/server/app'
import { openCity } from '@doorstep/server/city'
import { parseConfig } from '@doorstep/server/config'
import { openRouter } from '@doorstep/server/routing/open'
import type { Journal } from '@doorstep/server/store/journal.port'
import { openPositions } from '@doorstep/server/store/positions/open'
import { openSql } from '@doorstep/server/store/sql/open'
import { pino } from 'pino'

const parsed = parseConfig(process.env)
if (!parsed.ok) throw new Error(parsed.fault.join('\n'))
const config = parsed.value
const now = () => Date.now()
const say = () => {}
const journal: Journal = {
  keep: async (_device, _driver, batch) => ({ ok: true, value: { qid: batch.qid, upto: batch.to, rejected: [] } }),
  skip: async (_device, qid, _from, to) => ({ ok: true, value: { qid, upto: to, rejected: [] } }),
  upto: async (_device, qid) => ({ ok: true, value: { qid, upto: 0, rejected: [] } }),
  trail: async () => [],
  last: async () => [],
  healthy: true,
  waiting: 0,
  close: async () => {},
}
const nodeId = randomUUID()
const [sql, positions, city] = await Promise.all([
  openSql({ databaseUrl: config.databaseUrl, dataDir: config.dataDir, durability: config.durability, onProgress: say }),
  openPositions({ redisUrl: config.redisUrl, nodeId }),
  openCity(config.cacheDir, { say }),
])
const app = await openApp({
  config,
  adminKey: config.adminKey!,
  nodeId,
  sql,
  positions,
  journal,
  router: openRouter({ city: city.router, now }),
  city: city.info,
  places: city.places,
  tiles: city.tiles,
  webDist: fileURLToPath(new URL('../../web/dist', import.meta.url)),
  log: pino({ level: 'warn' }, pino.destination(2)),
  now,
  random: Math.random,
})
process.on('SIGTERM', () => void app.close().then(() => process.exit(0)))
process.stdout.write(`${JSON.stringify({ event: 'ready', url: app.url, port: app.port, metricsPort: app.metricsPort })}\n`)
