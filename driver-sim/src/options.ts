// Words of a command line in, checked options or every fault by its name out.
import { parseArgs } from 'node:util'
import { fail, ok, type Result } from '@doorstep/shared/result'

export interface Options {
  readonly url: string
  readonly key: string
  readonly drivers: number
  readonly rate: number
  readonly speed: number
  readonly stops: number
  readonly loss: number
  readonly tunnel: boolean
  /** Phones' clocks are wrong by up to this, s. */
  readonly skew: number
  readonly seed: number
  readonly duration: number | null
  readonly trips: string | null
  readonly demo: boolean
}

export const USAGE = `npm run sim -- --url http://127.0.0.1:8080 --key KEY [options]      (the key may be in ADMIN_KEY)
  --drivers N     vans (12)
  --rate HZ       fixes a second of each van (1)
  --speed X       time runs X times faster (1); vans stay under 50 m/s, since a faster one is not believed
  --stops N       doors of a run (5)
  --loss P        share of messages and answers that the line loses (0); with it phones also lose their network now and then
  --tunnel        no fix in tunnels
  --skew          phones' clocks are wrong by up to a minute
  --seed N        the same seed drives the same fleet (1)
  --duration S    ends after so many seconds
  --trips FILE    replays recorded trips, one JSON object a line, instead
  --demo          a day in full swing, and a link for every phase on standard output`

export function parseOptions(words: readonly string[], env: { ADMIN_KEY?: string | undefined }): Result<Options, string[]> {
  const faults: string[] = []
  let values: Record<string, string | boolean | undefined>
  try {
    const text = { type: 'string' } as const
    const flag = { type: 'boolean' } as const
    values = parseArgs({
      args: [...words],
      options: {
        url: text,
        key: text,
        drivers: text,
        rate: text,
        speed: text,
        stops: text,
        loss: text,
        seed: text,
        duration: text,
        trips: text,
        tunnel: flag,
        skew: flag,
        demo: flag,
      },
    }).values
  } catch (error) {
    return fail([error instanceof Error ? error.message : String(error)])
  }
  const number = (name: string, otherwise: number, low: number, high: number, whole = false): number => {
    const text = values[name]
    const n = text === undefined ? otherwise : Number(text)
    if (text === '' || !(n >= low && n <= high) || (whole && !Number.isInteger(n))) {
      faults.push(`--${name}: ${whole ? 'a whole number' : 'a number'} from ${low} to ${high}`)
      return otherwise
    }
    return n
  }
  const url = String(values.url ?? 'http://127.0.0.1:8080')
  if (!/^https?:\/\/[^/]+/.test(url)) faults.push('--url: an http address')
  const key = String(values.key ?? env.ADMIN_KEY ?? '')
  if (key === '') faults.push('--key: the admin key of the server, or ADMIN_KEY in the environment')
  const options: Options = {
    url,
    key,
    drivers: number('drivers', 12, 1, 20_000, true),
    rate: number('rate', 1, 0.01, 20),
    speed: number('speed', 1, 0.1, 100),
    stops: number('stops', 5, 1, 50, true),
    loss: number('loss', 0, 0, 0.9),
    tunnel: values.tunnel === true,
    skew: values.skew === true ? 60 : 0,
    seed: number('seed', 1, 0, 2 ** 32 - 1, true),
    duration: values.duration === undefined ? null : number('duration', 60, 1, 1e7),
    trips: values.trips === undefined ? null : String(values.trips),
    demo: values.demo === true,
  }
  return faults.length > 0 ? fail(faults) : ok(options)
}
