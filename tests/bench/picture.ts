// Named series of points in; an SVG line chart that is readable on light and on dark pages, out.

export interface Chart {
  readonly title: string
  readonly x: string
  readonly y: string
  /** Both axes are logarithmic: what matters spans decades. */
  readonly series: readonly { readonly name: string; readonly points: readonly (readonly [x: number, y: number])[] }[]
}

const [W, H, LEFT, RIGHT, TOP, BOTTOM] = [760, 400, 64, 190, 48, 52]
/** Distinguishable for the colour-blind (Okabe and Ito), on white and on near-black. */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#b8860b']
const DASHES = ['', '8 4', '2 4', '10 3 2 3', '4 2']

export function draw({ title, x, y, series }: Chart): string {
  const points = series.flatMap((one) => one.points)
  const [x0, x1] = span(points.map((p) => p[0]))
  const [y0, y1] = span(points.map((p) => p[1]))
  const px = (v: number) => LEFT + ((Math.log(v) - Math.log(x0)) / (Math.log(x1) - Math.log(x0))) * (W - LEFT - RIGHT)
  const py = (v: number) => H - BOTTOM - ((Math.log(v) - Math.log(y0)) / (Math.log(y1) - Math.log(y0))) * (H - TOP - BOTTOM)
  const out: string[] = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${W} ${H}" role="img" aria-label="${text(title)}" font-family="system-ui, sans-serif" font-size="13">`,
    '<style>.ink{fill:#1a1c1e}.grid{stroke:#d0d4d8}.paper{fill:#fff}@media(prefers-color-scheme:dark){.ink{fill:#e6e8ea}.grid{stroke:#3a3f44}.paper{fill:#15181b}}</style>',
    `<rect class="paper" width="${W}" height="${H}" rx="8"/>`,
    `<text class="ink" x="${LEFT}" y="26" font-size="15" font-weight="600">${text(title)}</text>`,
  ]
  for (const v of ticks(x0, x1)) {
    out.push(`<line class="grid" x1="${r(px(v))}" x2="${r(px(v))}" y1="${TOP}" y2="${H - BOTTOM}"/>`)
    out.push(`<text class="ink" x="${r(px(v))}" y="${H - BOTTOM + 18}" text-anchor="middle">${short(v)}</text>`)
  }
  for (const v of ticks(y0, y1)) {
    out.push(`<line class="grid" x1="${LEFT}" x2="${W - RIGHT}" y1="${r(py(v))}" y2="${r(py(v))}"/>`)
    out.push(`<text class="ink" x="${LEFT - 8}" y="${r(py(v) + 4)}" text-anchor="end">${short(v)}</text>`)
  }
  out.push(`<text class="ink" x="${(LEFT + W - RIGHT) / 2}" y="${H - 12}" text-anchor="middle">${text(x)}</text>`)
  out.push(
    `<text class="ink" transform="rotate(-90 18 ${(TOP + H - BOTTOM) / 2})" x="18" y="${(TOP + H - BOTTOM) / 2}" text-anchor="middle">${text(y)}</text>`,
  )
  // Names stand at the ends of their lines, pushed apart where those meet.
  const ends = series.map((one, i) => ({ one, i, y: py(one.points.at(-1)?.[1] ?? y0) })).sort((a, b) => a.y - b.y)
  ends.forEach((end, k) => {
    if (k > 0) end.y = Math.max(end.y, ends[k - 1]!.y + 17)
  })
  for (const { one, i, y: at } of ends) {
    const colour = COLOURS[i % COLOURS.length]!
    const dash = DASHES[i % DASHES.length] ? ` stroke-dasharray="${DASHES[i % DASHES.length]}"` : ''
    out.push(
      `<polyline fill="none" stroke="${colour}" stroke-width="2.5"${dash} points="${one.points.map(([a, b]) => `${r(px(a))},${r(py(b))}`).join(' ')}"/>`,
    )
    for (const [a, b] of one.points) out.push(`<circle cx="${r(px(a))}" cy="${r(py(b))}" r="3.5" fill="${colour}"/>`)
    out.push(`<circle cx="${W - RIGHT + 16}" cy="${r(at)}" r="4" fill="${colour}"/>`)
    out.push(`<text class="ink" x="${W - RIGHT + 26}" y="${r(at + 4)}">${text(one.name)}</text>`)
  }
  out.push('</svg>', '')
  return out.join('\n')
}

/** A little more than the values take, at least an octave. */
function span(values: readonly number[]): [number, number] {
  const least = Math.min(...values)
  const most = Math.max(...values)
  return [least / 1.25, Math.max(most, least * 2) * 1.25]
}
/** 1, 2 and 5 of each decade; fewer where there are many. */
function ticks(from: number, to: number): number[] {
  const all: number[] = []
  for (let decade = 10 ** Math.floor(Math.log10(from)); decade <= to; decade *= 10) for (const k of [1, 2, 5]) all.push(k * decade)
  const inside = all.filter((v) => v >= from && v <= to)
  return inside.length > 8 ? inside.filter((v) => Number.isInteger(Math.round(Math.log10(v) * 1e6) / 1e6)) : inside
}
const r = (v: number) => v.toFixed(1)
const short = (v: number) => (v >= 1000 ? `${Number((v / 1000).toFixed(1))}k` : String(Number(v.toPrecision(2))))
const text = (s: string) => s.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`)
