// `npm start` and its flags in; a server, a simulated fleet and the addresses to open out. Ends both when it is told to end.
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { build } from './build.mjs'
import { expected, root, say } from './install.mjs'

const USAGE = `npm start [-- options]
  --port N       port of the pages and the API (8080, or PORT)
  --no-sim       without the simulated fleet
  --drivers N    how many vans are simulated (12)
  --seed N       which city day is simulated (7)
  --help         this`

function options(args) {
  try {
    const { values } = parseArgs({
      args,
      options: {
        port: { type: 'string' },
        'no-sim': { type: 'boolean' },
        drivers: { type: 'string' },
        seed: { type: 'string' },
        help: { type: 'boolean' },
      },
    })
    const whole = (name, low, high) => {
      if (values[name] === undefined) return undefined
      const n = Number(values[name])
      if (!Number.isInteger(n) || n < low || n > high)
        throw expected(`--${name} takes a whole number from ${low} to ${high}.\n\n${USAGE}`)
      return n
    }
    return {
      help: values.help,
      sim: !values['no-sim'],
      port: whole('port', 0, 65_535),
      drivers: whole('drivers', 1, 5_000) ?? 12,
      seed: whole('seed', 0, 4_294_967_295) ?? 7,
    }
  } catch (error) {
    throw error.expected ? error : expected(`${error.message}\n\n${USAGE}`)
  }
}

export async function start(args) {
  const chosen = options(args)
  if (chosen.help) {
    say(USAGE)
    return 0
  }
  await build()

  const dataDir = process.env.DATA_DIR ?? join(root, 'data')
  const env = { LOG_LEVEL: 'warn', ...process.env, DATA_DIR: dataDir, CACHE_DIR: process.env.CACHE_DIR ?? join(root, '.cache') }
  if (chosen.port !== undefined) env.PORT = String(chosen.port)
  const children = new Set()
  let ending = false
  const end = () => {
    if (ending) return
    ending = true
    for (const child of children) child.kill('SIGTERM')
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, end)
  // npm's shell may be gone without having handed its signal on: then nobody would be left to end the children.
  const parent = process.ppid
  const watch = setInterval(() => process.ppid === parent || end(), 1_000)
  watch.unref()

  /** Starts a Node program; each line that is a JSON object with an `event` goes to `onEvent`, every other line to the terminal. */
  const launch = (name, argv, onEvent) => {
    // A group of its own: Ctrl-C reaches the children once, from us, and in order.
    const child = spawn(process.execPath, argv, {
      cwd: root,
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: process.platform !== 'win32',
    })
    children.add(child)
    createInterface({ input: child.stdout }).on('line', (line) => {
      const event = line.startsWith('{"event"') ? JSON.parse(line) : null
      if (event) onEvent(event)
      else process.stdout.write(`${line}\n`)
    })
    return new Promise((resolve) => {
      child.on('error', (error) => say(`${name} could not be started: ${error.message}`))
      child.on('close', (code, signal) => {
        children.delete(child)
        resolve(code ?? (signal ? 1 : 0))
      })
    })
  }

  let up
  const ready = new Promise((resolve) => {
    up = resolve
  })
  const server = launch('The server', [join(root, 'server', 'dist', 'main.js')], (event) => {
    if (event.event === 'ready') up(event.url)
  })
  const url = await Promise.race([ready, server.then(() => null)])
  if (url === null) return await server

  const key = process.env.ADMIN_KEY ?? readFileSync(join(dataDir, 'admin.key'), 'utf8').trim()
  const session = await fetch(`${url}/v1/sessions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: '{}',
  })
  if (!session.ok) throw expected(`The server refused to sign the dispatcher in (${session.status}).`)
  const dispatcher = (await session.json()).url

  if (chosen.sim) {
    env.ADMIN_KEY = key
    const argv = [
      join(root, 'driver-sim', 'dist', 'main.js'),
      '--demo',
      '--url',
      url,
      '--drivers',
      String(chosen.drivers),
      '--seed',
      String(chosen.seed),
    ]
    const sim = launch('The simulated fleet', argv, (event) => {
      if (event.event === 'links') print(url, dispatcher, event)
    })
    sim.then((code) => {
      if (!ending) say(`The simulated fleet ended (${code}). The server goes on.`)
    })
  } else print(url, dispatcher, null)

  const code = await server
  end()
  return ending ? 0 : code
}

const PHASES = [
  ['arriving', 'Customer, at the door any minute'],
  ['near', 'Customer, a few stops away'],
  ['far', 'Customer, many stops away'],
  ['delivered', 'Customer, delivered'],
  ['waiting', 'Customer, not on its way yet'],
]

function print(url, dispatcher, links) {
  const rows = []
  if (links) for (const [phase, words] of PHASES) if (links[phase]) rows.push([words, links[phase]])
  rows.push(['Dispatcher', dispatcher])
  if (links?.driver) rows.push(['Driver', links.driver])
  const width = Math.max(...rows.map(([words]) => words.length))
  console.log(`\n  Doorstep is running at ${url}\n`)
  for (const [words, link] of rows) console.log(`  ${words.padEnd(width)}  ${link}`)
  console.log('\n  Ctrl-C ends it.\n')
}
