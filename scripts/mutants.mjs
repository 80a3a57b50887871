// Nothing in; each of the known bugs, planted alone in a copy of the tree, and whether the test that is for it fails there, out.
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { root, say } from './install.mjs'

/** `from` must stand in the file exactly once; `test` is a file and a part of its name. */
const MUTANTS = [
  {
    id: 'M1',
    what: 'acknowledged before COMMIT',
    file: 'server/src/store/journal.ts',
    from: "return join({ kind: 'batch', device, driver, batch, at: receivedAt }, batch.fixes.length + batch.rejected.length)",
    to: "void join({ kind: 'batch', device, driver, batch, at: receivedAt }, 1)\n      return Promise.resolve(ok({ qid: batch.qid, upto: batch.to, rejected: [] }))",
    test: ['tests/fault/server-kill.test.ts', 'servers killed hard'],
  },
  {
    id: 'M3',
    what: 'nothing is recognised when it comes again',
    file: 'server/src/store/journal-write.ts',
    from: 'if (fix.seq <= known || queue.stored.has(fix.seq)) {',
    to: 'if (fix.seq < 0) {',
    test: ['tests/stores/journal.test.ts', 'over midnight'],
  },
  {
    id: 'M4',
    what: '`upto` is the highest seq seen, with or without a gap',
    file: 'server/src/store/journal-write.ts',
    from: 'if (seq > hi + 1) break\n    if (seq === hi + 1) hi = seq',
    to: 'hi = Math.max(hi, seq)',
    test: ['tests/stores/journal.test.ts', 'leaves a seq out'],
  },
  {
    id: 'M5',
    what: 'the device deletes what it has sent, not what is kept',
    file: 'shared/src/uplink.ts',
    from: 'sending = true\n    outbox.sent(step.to)',
    to: 'sending = true\n    outbox.sent(step.to)\n    void outbox.kept({ qid: outbox.head.qid, upto: step.to, rejected: [] })',
    test: ['tests/fault/simulation.test.ts', 'seeds'],
  },
  {
    id: 'M6',
    what: 'the queue’s name is no part of the key',
    file: 'server/src/store/journal.ts',
    from: 'where device_id = $1 and qid = $2',
    to: 'where device_id = $1 and $2::text is not null order by hi desc',
    test: ['tests/stores/journal.test.ts', 'a new queue begins again'],
  },
  {
    id: 'M7',
    what: 'live state by order of arrival',
    file: 'server/src/tracks.ts',
    from: 'if (known && (known.recordedAt',
    to: 'if (known && known.seq < 0 && (known.recordedAt',
    test: ['tests/server/cluster.test.ts', 'the newer fix wins'],
  },
  {
    id: 'M9',
    what: 'no heartbeats',
    file: 'server/src/live/watch.ts',
    from: 'const room = watcher.room\n      if (!room) return\n      watcher.socket.emit',
    to: 'const room = watcher.room\n      if (room || !room) return\n      watcher.socket.emit',
    test: ['tests/fault/redis.test.ts', 'killed hard'],
  },
  {
    id: 'M11',
    what: 'a page applies what is older',
    file: 'web/src/feed/watch.ts',
    from: 'if (track.t < state.pv && track.t !== 0) return state',
    to: '',
    test: ['tests/fault/simulation.test.ts', 'seeds'],
  },
  {
    id: 'M22',
    what: 'who is revoked is not cut off',
    file: 'server/src/live/watch.ts',
    from: "if (kind === 'link') for",
    to: "if (kind === 'session') for",
    test: ['tests/server/live.test.ts', 'revoked'],
  },
  {
    id: 'M24',
    what: 'who does not read is kept',
    file: 'server/src/live/guard.ts',
    from: 'else if (now - served.fullSince >= FULL_MS) {',
    to: 'else if (now < served.fullSince) {',
    test: ['tests/fault/stalled.test.ts', 'reads nothing'],
  },
]

/** Plants the mutants whose ids are given, or all; answers how many were not caught. */
export async function mutants(ids) {
  const copy = mkdtempSync(join(tmpdir(), 'doorstep-mutants-'))
  let missed = 0
  try {
    plant(copy)
    for (const mutant of MUTANTS.filter(({ id }) => ids.length === 0 || ids.includes(id))) {
      const { file, from, to } = mutant
      const path = join(copy, file)
      const right = readFileSync(path, 'utf8')
      if (right.split(from).length !== 2) throw new Error(`${mutant.id}: ${file} does not hold once: ${from}`)
      writeFileSync(
        path,
        right.replace(from, () => to),
      )
      const started = Date.now()
      const run = spawnSync(
        process.execPath,
        [join(copy, 'node_modules', 'vitest', 'vitest.mjs'), 'run', mutant.test[0], '-t', mutant.test[1]],
        { cwd: copy, encoding: 'utf8', timeout: 300_000 },
      )
      writeFileSync(path, right)
      const caught = run.status !== 0 && /\d+ failed/.test(run.stdout)
      if (!caught) missed++
      say(
        `${caught ? 'caught' : 'MISSED'} ${mutant.id} ${mutant.what} (${mutant.test[0]}, ${((Date.now() - started) / 1000).toFixed(0)} s)`,
      )
      if (!caught) say(run.stdout.slice(-2_000))
    }
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
  return missed
}

/** The tracked files and, as links, the packages: links between our own packages lead to the copy, all others to where pnpm put them. */
function plant(copy) {
  const listed = spawnSync('git', ['ls-files'], { cwd: root, encoding: 'utf8', maxBuffer: 1 << 26 })
  if (listed.status !== 0) throw new Error('the mutants need a git checkout')
  for (const file of listed.stdout.split('\n').filter((name) => name && existsSync(join(root, name)))) {
    mkdirSync(dirname(join(copy, file)), { recursive: true })
    cpSync(join(root, file), join(copy, file))
  }
  mkdirSync(join(copy, 'node_modules'))
  for (const name of readdirSync(join(root, 'node_modules'))) {
    if (name === '.pnpm') symlinkSync(join(root, 'node_modules', name), join(copy, 'node_modules', name))
    else if (!name.startsWith('.')) cpSync(join(root, 'node_modules', name), join(copy, 'node_modules', name), links)
  }
  for (const part of ['server', 'web', 'driver-sim', 'shared', 'tests']) {
    const from = join(root, part, 'node_modules')
    if (existsSync(from)) cpSync(from, join(copy, part, 'node_modules'), links)
  }
  if (existsSync(join(root, '.cache'))) symlinkSync(join(root, '.cache'), join(copy, '.cache'))
}
const links = { recursive: true, verbatimSymlinks: true }
