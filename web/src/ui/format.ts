// Instants, durations and distances in, text for this reader out. Intl decides the form; nothing here is English.

const locale = typeof navigator === 'undefined' ? undefined : [...navigator.languages]

// A single time and a span may differ in the leading nought of a 24-hour clock: with two digits they never do.
const { hour12 } = new Intl.DateTimeFormat(locale, { hour: 'numeric' }).resolvedOptions()
const clock = new Intl.DateTimeFormat(locale, { hour: hour12 ? 'numeric' : '2-digit', minute: '2-digit' })
const day = new Intl.DateTimeFormat(locale, { weekday: 'long', day: 'numeric', month: 'long' })
const unit = (name: string, display: 'long' | 'short', digits = 0) =>
  new Intl.NumberFormat('en', { style: 'unit', unit: name, unitDisplay: display, maximumFractionDigits: digits })
const minute = unit('minute', 'long')
const hour = unit('hour', 'long')
const second = unit('second', 'long')
const dayUnit = unit('day', 'long')
const metre = unit('meter', 'short')
const kilometre = unit('kilometer', 'short', 1)
const kilometreFar = unit('kilometer', 'short')

/** The reader's clock time, such as 14:05. `ms` since the epoch. */
export const clockTime = (ms: number): string => clock.format(ms)

/** Two clock times as this reader writes a span: 14:05 – 14:12, or 2:05 – 2:12 PM. */
export const clockSpan = (from: number, to: number): string =>
  clock
    .formatRangeToParts(from, to)
    .map(({ type, value }) => (type === 'literal' && value.includes('–') ? ' – ' : value))
    .join('')

/** Weekday, day and month. */
export const calendarDay = (ms: number): string => day.format(ms)

/** Whether two instants fall on one day of the reader's calendar. */
export const sameDay = (a: number, b: number): boolean => new Date(a).toDateString() === new Date(b).toDateString()

/** A duration in the words that fit its size: 40 seconds, 12 minutes, 2 hours, 3 days. Never less than one. `ms` ≥ 0. */
export function duration(ms: number): string {
  const s = ms / 1000
  if (s < 55) return second.format(Math.max(1, Math.round(s)))
  if (s < 3570) return minute.format(Math.max(1, Math.round(s / 60)))
  if (s < 86_400 * 1.5) return hour.format(Math.round(s / 3600))
  return dayUnit.format(Math.round(s / 86_400))
}

/** A distance rounded to what a person can use: 350 m, 2.4 km, 18 km. `m` in metres. */
export function distanceText(m: number): string {
  if (m < 975) return metre.format(m < 100 ? Math.max(10, Math.round(m / 10) * 10) : Math.round(m / 50) * 50)
  return m < 9_950 ? kilometre.format(m / 1000) : kilometreFar.format(m / 1000)
}
