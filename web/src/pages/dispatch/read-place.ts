// What a person typed, or what time it is, in; a place, or windows to promise, out. Pure.
import type { LngLat, Millis } from '@doorstep/shared/units'

/** "57.7072, 11.9668" (latitude first, as people copy it), also with spaces or semicolons and decimal commas; null for anything else. */
export function readPlace(text: string): LngLat | null {
  const numbers = text
    .trim()
    .replace(/(\d),(\d)/g, (_, a: string, b: string) => (/[;\s]/.test(text.trim()) && !/\./.test(text) ? `${a}.${b}` : `${a} ${b}`))
    .split(/[\s,;]+/)
    .filter(Boolean)
  if (numbers.length !== 2 || !numbers.every((n) => /^[-+]?\d{1,3}(\.\d+)?$/.test(n))) return null
  const [lat, lng] = numbers.map(Number) as [number, number]
  return Math.abs(lat) <= 85 && Math.abs(lng) <= 180 ? [lng, lat] : null
}

const HALF_HOUR: Millis = 1_800_000

/** Four windows of an hour each, from the next half hour on. */
export function promisesFrom(now: Millis): { from: Millis; to: Millis }[] {
  const first = Math.ceil((now + HALF_HOUR / 2) / HALF_HOUR) * HALF_HOUR
  return [0, 1, 2, 3].map((i) => ({ from: first + i * 2 * HALF_HOUR, to: first + (i + 1) * 2 * HALF_HOUR }))
}
