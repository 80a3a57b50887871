// web/dist in; the weight of each page's script before its map out, exit 1 when the customer's is over its budget. Run after `vite build`.
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'

/** Bytes of gzip that the customer's phone may fetch before the map: 90 KB of 1,024 bytes. React and its DOM are three quarters of it. */
export const BUDGET = 90 * 1024

/** Bytes of script, gzip -9, that `page`.html loads at once: what it names and what that imports statically. */
export async function scriptBytes(dist, page) {
  const manifest = JSON.parse(await readFile(join(dist, 'manifest.json'), 'utf8'))
  const html = await readFile(join(dist, `${page}.html`), 'utf8')
  const files = new Set([...html.matchAll(/(?:src|href)="\/([^"]+\.js)"/g)].map((match) => match[1]))
  const wait = Object.values(manifest).filter((chunk) => files.has(chunk.file))
  for (let chunk = wait.pop(); chunk; chunk = wait.pop()) {
    files.add(chunk.file)
    for (const name of chunk.imports ?? []) if (!files.has(manifest[name].file)) wait.push(manifest[name])
  }
  let bytes = 0
  for (const file of files) bytes += gzipSync(await readFile(join(dist, file)), { level: 9 }).length
  return bytes
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const dist = join(dirname(fileURLToPath(import.meta.url)), '../dist')
  for (const page of ['customer', 'dispatch', 'drive']) {
    const bytes = await scriptBytes(dist, page)
    const over = page === 'customer' && bytes > BUDGET
    console.log(`${page}: ${(bytes / 1024).toFixed(1)} KB of script, gzip${over ? `, over its ${BUDGET / 1024} KB` : ''}`)
    if (over) process.exitCode = 1
  }
}
