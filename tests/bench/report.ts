// Figures and goals in; a table on the terminal, and RESULTS.md with its pictures, out.
import { writeFileSync } from 'node:fs'
import { cpus, loadavg, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'
import { type Chart, draw } from './picture.ts'

interface Line {
  readonly scenario: string
  readonly what: string
  readonly value: string
}
interface Goal {
  readonly scenario: string
  readonly what: string
  readonly value: number
  readonly goal: number
  readonly most: boolean
  readonly unit: string
}

export class Report {
  private readonly lines: Line[] = []
  private readonly goals: Goal[] = []
  private readonly charts: { name: string; chart: Chart }[] = []
  private readonly busiest = { load: 0 }

  row(scenario: string, what: string, value: string): void {
    this.lines.push({ scenario, what, value })
    this.busiest.load = Math.max(this.busiest.load, loadavg()[0] ?? 0)
    console.log([scenario.padEnd(18), what.padEnd(66), value.padStart(16)].join(' '))
  }
  /** A figure with a goal: `most` when less is better. */
  goal(scenario: string, what: string, value: number, kind: 'at most' | 'at least', goal: number, unit = '×'): void {
    const most = kind === 'at most'
    this.goals.push({ scenario, what, value, goal, most, unit })
    const met = most ? value <= goal : value >= goal
    console.log(
      [scenario.padEnd(18), what.padEnd(66), number(value).padStart(12), unit, `(${kind} ${goal})`, met ? 'ok' : 'MISSED'].join(
        ' ',
      ),
    )
  }
  chart(name: string, chart: Chart): void {
    this.charts.push({ name, chart })
  }

  /** `notes` says what stands in the way of goals that were missed. */
  write(about: { rounds: number; seed: number; seconds: number; versions: string; notes: string }): void {
    const here = (name: string) => fileURLToPath(new URL(`./${name}`, import.meta.url))
    for (const { name, chart } of this.charts) writeFileSync(here(`${name}.svg`), draw(chart))
    const goals = this.goals.map((g) => {
      const met = g.most ? g.value <= g.goal : g.value >= g.goal
      return `| ${g.scenario} | ${g.what} | ${number(g.value)} ${g.unit} | ${g.most ? '≤' : '≥'} ${g.goal} ${g.unit} | ${met ? 'yes' : '**no**'} |`
    })
    const lines = this.lines.map((l) => `| ${l.scenario} | ${l.what} | ${l.value} |`)
    writeFileSync(
      here('RESULTS.md'),
      [
        '# Results',
        '',
        `Written by \`npm run bench\` on ${new Date().toISOString().slice(0, 10)}, in ${Math.round(about.seconds)} s: medians of ${about.rounds} rounds after one that is thrown away, the variants in turn within each round, seed ${about.seed}.`,
        `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${process.platform}; load average up to ${this.busiest.load.toFixed(1)}, this benchmark's own processes (servers, stores, clients) included. ${about.versions}.`,
        '',
        'Server CPU is user and system time of all server processes (not of PostgreSQL and Redis) per unit of work. Absolute figures vary with the machine; the ratios within one run are what counts.',
        '"Tutorial" is `naive.ts`: Socket.IO, JSON, three awaited Redis commands, Turf and two emits a ping. "Floor" is `floor.ts`: bare `ws`, one process, no store, no rules: nothing on Node can do it for less.',
        'Doorstep does more than both: it checks every fix, stores it durably, acknowledges it, and works out what each customer may see.',
        '',
        '## Goals',
        '',
        '| scenario | figure | measured | goal | met |',
        '|---|---|---|---|---|',
        ...goals,
        '',
        ...(about.notes ? [about.notes, ''] : []),
        ...this.charts.flatMap(({ name, chart }) => [`![${chart.title}](${name}.svg)`, '']),
        '## Figures',
        '',
        '| scenario | figure | measured |',
        '|---|---|---|',
        ...lines,
        '',
      ].join('\n'),
    )
  }
}

export const number = (value: number): string =>
  !Number.isFinite(value)
    ? String(value)
    : Math.abs(value) >= 100
      ? value.toFixed(0)
      : Math.abs(value) >= 10
        ? value.toFixed(1)
        : value.toFixed(2)
