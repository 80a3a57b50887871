// The pictures inside the map (arrows, road shields), from SVG text to pixels that either engine takes.
import type { Theme } from './port.ts'

export interface MapIcon {
  id: string
  pixels: ImageData
  options: {
    pixelRatio: number
    stretchX?: [number, number][]
    stretchY?: [number, number][]
    content?: [number, number, number, number]
  }
}

const RATIO = 2
const svg = (width: number, height: number, body: string) =>
  `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">${body}</svg>`
const arrow = (colour: string) =>
  svg(
    24,
    12,
    `<path d="M2 6h17M14 2l5 4-5 4" fill="none" stroke="${colour}" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"/>`,
  )
const shield = (colour: string) =>
  svg(24, 16, `<rect x="1" y="1" width="22" height="14" rx="4" fill="${colour}" stroke="#ffffff" stroke-width="1.5"/>`)
/** Where a shield may stretch and where its text stands, in pixels of the 2× picture. */
const SHIELD: Omit<MapIcon['options'], 'pixelRatio'> = { stretchX: [[10, 38]], stretchY: [[10, 22]], content: [8, 4, 40, 28] }

async function draw(source: string): Promise<ImageData> {
  const image = new Image()
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(source)}`
  await image.decode()
  const canvas = document.createElement('canvas')
  canvas.width = image.width * RATIO
  canvas.height = image.height * RATIO
  const context = canvas.getContext('2d', { willReadFrequently: true })
  if (!context) throw new Error('no 2d canvas')
  context.drawImage(image, 0, 0, canvas.width, canvas.height)
  return context.getImageData(0, 0, canvas.width, canvas.height)
}

/** Every icon that the base style names, ready before the style needs one. */
export async function mapIcons(theme: Theme): Promise<MapIcon[]> {
  const icon = async (id: string, source: string, options: Omit<MapIcon['options'], 'pixelRatio'> = {}): Promise<MapIcon> => ({
    id,
    pixels: await draw(source),
    options: { pixelRatio: RATIO, ...options },
  })
  return Promise.all([
    icon('oneway', arrow(theme === 'dark' ? '#8491a5' : '#8b95a3')),
    icon('shield-e', shield(theme === 'dark' ? '#2b6b47' : '#2e7d4f'), SHIELD),
    icon('shield', shield(theme === 'dark' ? '#34588c' : '#3b6fb5'), SHIELD),
  ])
}
