// The repository in; format, lint, types and every test run; one closing line `N passed, N failed` out.
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { build } from './build.mjs'
import { root, say } from './install.mjs'

/** Runs a program of node_modules by this very Node; resolves to its exit code. */
function run(argv, env = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, argv, { cwd: root, stdio: 'inherit', env: { ...process.env, ...env } })
    child.on('error', reject)
    child.on('exit', (code) => resolve(code ?? 1))
  })
}
const packaged = (...path) => join(root, 'node_modules', ...path)

/** Builds, runs every test and counts them. A run that could not even start counts as one failure. */
async function suite(args, env = {}) {
  await build()
  const report = join(root, '.cache', 'vitest.json')
  mkdirSync(dirname(report), { recursive: true })
  rmSync(report, { force: true })
  const code = await run(
    [packaged('vitest', 'vitest.mjs'), 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...args],
    env,
  )
  if (!existsSync(report)) return { passed: 0, failed: 1 }
  const { numPassedTests, numFailedTests, numFailedTestSuites } = JSON.parse(readFileSync(report, 'utf8'))
  // A file that fails to load has no failed test of its own, and an unhandled error fails the run alone.
  const failed = Math.max(
    numFailedTests,
    numFailedTestSuites > 0 && numFailedTests === 0 ? numFailedTestSuites : 0,
    code !== 0 ? 1 : 0,
  )
  return { passed: numPassedTests, failed }
}

const CHECKS = [
  ['format and lint', [packaged('@biomejs', 'biome', 'bin', 'biome'), 'check', '--error-on-warnings', '.']],
  ['types of shared (no Node, no DOM)', [packaged('typescript', 'bin', 'tsc'), '-p', 'shared']],
  ['types of everything', [packaged('typescript', 'bin', 'tsc'), '--noEmit', '-p', '.']],
]

async function checks() {
  let failed = 0
  for (const [name, argv] of CHECKS) {
    const code = await run(argv)
    say(`${code === 0 ? 'ok' : 'FAILED'}: ${name}`)
    if (code !== 0) failed++
  }
  return { passed: CHECKS.length - failed, failed }
}

function close(...parts) {
  const passed = parts.reduce((sum, part) => sum + part.passed, 0)
  const failed = parts.reduce((sum, part) => sum + part.failed, 0)
  console.log(`\n${passed} passed, ${failed} failed`)
  return failed === 0 && passed > 0 ? 0 : 1
}

export const test = async (args) => close(await suite(args))
export const faults = async (args) => close(await suite(['--project', 'real', 'tests/fault', ...args], { FAULT_ROUNDS: 'full' }))
export const check = async () => close(await checks())
export async function ci() {
  const first = await checks()
  return close(first, await suite([]))
}
