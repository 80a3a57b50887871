// A seed in, a repeatable stream of numbers out. Nothing here is fit for secrets.

export interface Random {
  /** Uniform in 0 ≤ x < 1. */
  (): number
  /** Uniform integer in 0 ≤ x < n. */
  int(n: number): number
  /** Normal with mean 0 and deviation 1 (Box and Muller, 1958). */
  normal(): number
  /** One of the things; throws on an empty list, which is a bug of the caller. */
  pick<T>(things: readonly T[]): T
  /** A stream of its own that depends on this seed and the name alone, not on how much was drawn. */
  fork(name: string | number): Random
}

/** Mulberry32 (T. Ettinger): 2^32 states, passes gjrand for our lengths, the same on every machine. */
export function random(seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
  return Object.assign(next, {
    int: (n: number) => Math.floor(next() * n),
    normal: () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
    pick: <T>(things: readonly T[]): T => {
      if (things.length === 0) throw new Error('pick from an empty list')
      return things[Math.floor(next() * things.length)] as T
    },
    fork: (name: string | number) => random(hash(`${seed}/${name}`)),
  })
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let h = 0x811c9dc5
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193)
  return h >>> 0
}
