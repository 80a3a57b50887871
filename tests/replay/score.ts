// The recorded trips in, the figures of the replay and those that are missed out. Run by itself it prints them: npx tsx tests/replay/score.ts
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Where recordings and the scoring script are. */
export interface Recordings {
  readonly trips: string
  readonly pairs: string
  readonly scorer: string
  readonly inputs: string
}

/** What is promised of the recorded trips, as the scoring script takes it. */
const WANT = {
  missing: ['=', 0],
  malformed: ['=', 0],
  progress_p99_m: ['<=', 90],
  progress_over100m_share: ['<=', 0.009],
  selfcross_p99_m: ['<=', 150],
  backward_jumps: ['=', 0],
  completed_share: ['>=', 0.97],
  eta_known_share: ['>=', 0.98],
  eta_median_rel: ['<=', 0.3],
  eta_mae_s: ['<=', 300],
  eta_band_coverage: ['>=', 0.76],
  eta_band_median_width_rel: ['<=', 1],
  eta_jumps_over_60s_per_hour: ['<=', 12],
  wrong_turns_missed: ['=', 0],
  wrong_turns_early: ['=', 0],
  wrong_turn_median_s: ['<=', 12],
} as const
const COVERAGE_MAX = 0.84
const FALSE_ALARM_SHARE = 0.02

/** Null where there are none: they are not part of the project. */
export function recordings(): Recordings | null {
  const shared = process.env.SHARED_DIR ?? join(root, '..', 'shared')
  const at: Recordings = {
    trips: join(shared, 'data/trips/fcd-trips.shared.jsonl'),
    pairs: join(shared, 'data/trips/wrong-turn-pairs.shared.json'),
    scorer: join(shared, 'score/score-replay.mjs'),
    inputs: join(shared, 'score/make-inputs.mjs'),
  }
  return Object.values(at).every((file) => existsSync(file)) ? at : null
}

interface Line {
  readonly id: string | number
  readonly i?: number
}

/** Replays trips, wrong turns and shuffled trips, and judges them. */
export function score(at: Recordings): { table: string; missed: string[] } {
  const folder = mkdtempSync(join(tmpdir(), 'doorstep-score-'))
  const file = (name: string, content: string): string => {
    writeFileSync(join(folder, name), content)
    return join(folder, name)
  }
  try {
    const pairs = file('pairs.jsonl', node([at.inputs, 'pairs', at.trips, at.pairs]))
    const shuffled = file('shuffled.jsonl', node([at.inputs, 'shuffled', at.trips]))
    const clean = replay(at.trips)
    const out = file('out.jsonl', clean + replay(pairs))
    const want = file('want.json', JSON.stringify(WANT))
    const judge = (args: string[]) =>
      spawnSync(process.execPath, [at.scorer, at.trips, out, '--pairs', at.pairs, ...args], { encoding: 'utf8' })
    const figures = JSON.parse(judge(['--json']).stdout) as Record<string, number>
    const wanted = judge(['--want', want])
    const missed = wanted.status === 0 ? [] : wanted.stdout.trim().split('\n').slice(-1)
    if (!(figures.eta_band_coverage! <= COVERAGE_MAX))
      missed.push(`eta_band_coverage ${figures.eta_band_coverage} not <= ${COVERAGE_MAX}`)
    if (figures.false_alarm_trips! > FALSE_ALARM_SHARE * figures.trips!)
      missed.push(`false_alarm_trips ${figures.false_alarm_trips}`)
    const differ = different(clean, replay(shuffled))
    if (differ.length > 0) missed.push(`other final state when shuffled: ${differ.join(', ')}`)
    const table = Object.entries(figures).map(([k, v]) => `${k.padEnd(30)} ${v}`)
    return { table: [...table, `${'shuffled_differ'.padEnd(30)} ${differ.length}`].join('\n'), missed }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Trips whose last line is another one when their pings come shuffled and three times. */
function different(clean: string, shuffled: string): string[] {
  const last = (text: string): Map<string, string> => {
    const by = new Map<string, string>()
    for (const l of text.split('\n').filter(Boolean)) {
      const line = JSON.parse(l) as Line
      if (line.i !== undefined) by.set(`${line.id}`.replace('~shuffled', ''), JSON.stringify({ ...line, id: 0, i: 0 }))
    }
    return by
  }
  const b = last(shuffled)
  return [...last(clean)].filter(([id, line]) => b.get(id) !== line).map(([id]) => id)
}

const replay = (file: string): string => node(['--import', 'tsx', join(root, 'server/src/replay.ts'), file])
function node(args: string[]): string {
  const run = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 28 })
  if (run.status !== 0) throw new Error(`${args.join(' ')} ended with ${run.status}: ${run.stderr}`)
  return run.stdout
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const found = recordings()
  if (!found) process.stdout.write('The recorded trips are not at hand (SHARED_DIR): nothing to score.\n')
  else {
    const { table, missed } = score(found)
    process.stdout.write(`${table}\n${missed.length === 0 ? 'every figure is reached' : `missed: ${missed.join('; ')}`}\n`)
    process.exitCode = missed.length === 0 ? 0 : 1
  }
}
