import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const css = readFileSync(new URL('./tokens.css', import.meta.url), 'utf8')
const pair = (name: string): readonly [light: string, dark: string] => {
  const both = new RegExp(`--${name}: light-dark\\((#[0-9a-f]{6}), (#[0-9a-f]{6})\\)`).exec(css)
  const one = new RegExp(`--${name}: (#[0-9a-f]{6})`).exec(css)
  if (both) return [both[1]!, both[2]!]
  if (one) return [one[1]!, one[1]!]
  throw new Error(`no colour --${name}`)
}
/** WCAG 2.2, relative luminance and contrast ratio. */
const luminance = (hex: string): number => {
  const [r, g, b] = [1, 3, 5].map((i) => {
    const c = Number.parseInt(hex.slice(i, i + 2), 16) / 255
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!
}
const contrast = (a: string, b: string): number => {
  const [x, y] = [luminance(a), luminance(b)]
  return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05)
}

const TEXT: [text: string, ground: string][] = [
  ...['text', 'text-2', 'text-3', 'brand-text', 'ok', 'warn', 'bad'].flatMap((text): [string, string][] =>
    ['bg', 'surface', 'surface-2'].map((ground) => [text, ground]),
  ),
  ...['ok', 'warn', 'bad', 'idle'].flatMap((tone): [string, string][] => [
    [tone, `${tone}-soft`],
    ['text', `${tone}-soft`],
  ]),
  ['text-2', 'idle-soft'],
  ['brand-text', 'brand-soft'],
  ['text', 'brand-soft'],
  ['on-brand', 'brand'],
  ['on-brand', 'brand-strong'],
  ['on-solid', 'bad'],
]
test.each(TEXT)('[AA] %s is readable on %s in both themes', (text, ground) => {
  for (const theme of [0, 1]) expect(contrast(pair(text)[theme]!, pair(ground)[theme]!)).toBeGreaterThanOrEqual(4.5)
})
test.each([
  ['focus', 'surface'],
  ['brand', 'surface'],
  ['line-strong', 'surface'],
])('[AA] %s can be told from %s in both themes', (mark, ground) => {
  for (const theme of [0, 1]) expect(contrast(pair(mark)[theme]!, pair(ground)[theme]!)).toBeGreaterThanOrEqual(3)
})
