// Made-up people, shops and notes for a simulated day; any likeness is by chance.
import type { Random } from '@doorstep/shared/random'

const FIRST =
  'Astrid Björn Cecilia David Elsa Farid Greta Hugo Ingrid Jonas Karin Leo Maja Nils Olivia Petra Rasmus Sara Theo Ulla Vera Wilma Yusuf Zara'.split(
    ' ',
  )
const LAST =
  'Lind Berg Holm Dahl Ek Strand Nyman Falk Sund Åberg Lund Hassan Norén Ström Vik Alm Frisk Rask Kask Moberg Sjö Torn'.split(' ')
const SHOPS = [
  'Lindgren & Lera',
  'Haga Bokhandel',
  'Fiskekyrkans Kök',
  'Norrsken Cykel',
  'Kaffe & Kardemumma',
  'Majornas Blommor',
  'Västkust Vinyl',
]
const NOTES = [
  'Ring the upper bell.',
  'Leave it with the neighbour if nobody answers.',
  'The door code is sent by SMS.',
  'Fragile, please.',
]

/** The n-th driver of every fleet: always the same name and van, so that a second start finds them again. */
export const driverName = (n: number): { name: string; vehicle: string } => ({
  name: `${FIRST[n % FIRST.length]} ${LAST[(n * 7 + Math.floor(n / FIRST.length)) % LAST.length]}`,
  vehicle: `Van ${String(n + 1).padStart(2, '0')}`,
})
/** The driver whose page a person may open: nobody simulates this one. */
export const GUEST = { name: 'Alex Guest', vehicle: 'Your van' }
export const recipient = (rng: Random): string => `${rng.pick(FIRST)} ${rng.pick(LAST)}`
export const shop = (rng: Random): string => rng.pick(SHOPS)
export const note = (rng: Random): string | undefined => (rng() < 0.25 ? rng.pick(NOTES) : undefined)
