// What happens in; Prometheus figures out. Counting is a map entry on the hot path, and becomes a metric only when one is asked for.
import { Counter, collectDefaultMetrics, Gauge, Histogram, type Registry } from 'prom-client'
import type { Router } from './routing/port.ts'
import type { Journal } from './store/journal.port.ts'
import type { Positions } from './store/positions/port.ts'
import type { Tracks } from './tracks.ts'

export interface Meters {
  /** What the gate said of a fix. */
  verdict(verdict: string): void
  /** What came of a socket's message. */
  message(event: string, outcome: string): void
  /** The same journal, with the time until it answers. */
  timed(journal: Journal): Journal
  /** Figures that are read when they are asked for. */
  watch(parts: {
    sockets: () => { of(name: string): { sockets: { size: number } } }
    journal: Journal
    positions: Positions
    tracks: Tracks
    router: Router
  }): void
}

export function meters(registry: Registry): Meters {
  collectDefaultMetrics({ register: registry, prefix: 'doorstep_' })
  const verdicts = new Map<string, number>()
  const messages = new Map<string, Map<string, number>>()
  new Counter({
    name: 'doorstep_fixes_total',
    help: 'Fixes by what the gate said of them',
    labelNames: ['verdict'],
    registers: [registry],
    collect() {
      this.reset()
      for (const [verdict, n] of verdicts) this.inc({ verdict }, n)
    },
  })
  new Counter({
    name: 'doorstep_messages_total',
    help: 'Messages of sockets by what came of them',
    labelNames: ['event', 'outcome'],
    registers: [registry],
    collect() {
      this.reset()
      for (const [event, outcomes] of messages) for (const [outcome, n] of outcomes) this.inc({ event, outcome }, n)
    },
  })
  const kept = new Histogram({
    name: 'doorstep_kept_seconds',
    help: 'From a batch to its COMMIT',
    buckets: [0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [registry],
  })

  return {
    verdict: (verdict) => void verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1),
    message(event, outcome) {
      let outcomes = messages.get(event)
      if (!outcomes) {
        outcomes = new Map()
        messages.set(event, outcomes)
      }
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    },
    timed: (journal) => ({
      keep(...batch) {
        const began = performance.now()
        const answer = journal.keep(...batch)
        void answer.then(() => kept.observe((performance.now() - began) / 1000))
        return answer
      },
      skip: (...skip) => journal.skip(...skip),
      upto: (...queue) => journal.upto(...queue),
      trail: (...span) => journal.trail(...span),
      last: () => journal.last(),
      close: () => journal.close(),
      get healthy() {
        return journal.healthy
      },
      get waiting() {
        return journal.waiting
      },
    }),
    watch({ sockets, journal, positions, tracks, router }) {
      const gauge = (name: string, help: string, read: () => number) =>
        new Gauge({
          name,
          help,
          registers: [registry],
          collect() {
            this.set(read())
          },
        })
      new Gauge({
        name: 'doorstep_sockets',
        help: 'Connected sockets by kind',
        labelNames: ['kind'],
        registers: [registry],
        collect() {
          for (const kind of ['driver', 'watch', 'fleet']) this.set({ kind }, sockets().of(`/${kind}`).sockets.size)
        },
      })
      new Counter({
        name: 'doorstep_routes_total',
        help: 'Questions to each router by what came of them',
        labelNames: ['router', 'outcome'],
        registers: [registry],
        collect() {
          this.reset()
          for (const [what, n] of Object.entries(router.counts?.() ?? {})) {
            const [name = '', outcome = ''] = what.split(' ')
            this.inc({ router: name, outcome }, n)
          }
        },
      })
      gauge('doorstep_journal_waiting', 'Rows that wait for a COMMIT', () => journal.waiting)
      gauge('doorstep_tracks', 'Drivers whose position is known', () => [...tracks.all()].length)
      gauge('doorstep_bus_dropped', 'Messages that no other node heard', () => positions.stats().dropped)
      gauge('doorstep_positions_failed', 'Positions that met a store that was down', () => positions.stats().failed)
    },
  }
}
