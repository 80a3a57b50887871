// A folder of built files in; beside each text file worth it a .br and a .gz out, so that the server never compresses on demand.
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'

// Above 400 kB the last steps of brotli take ten times as long for two per cent.
const TEXT = /\.(?:js|mjs|css|svg|json|webmanifest|map)$/

/** Compresses every text file over 1 KiB under `folder`; a result that is not smaller is not kept. */
export async function compress(folder) {
  const files = (await readdir(folder, { recursive: true })).filter((name) => TEXT.test(name)).map((name) => join(folder, name))
  const one = async (file) => {
    const plain = await readFile(file)
    const made = {
      br: await promisify(brotliCompress)(plain, {
        params: {
          [constants.BROTLI_PARAM_QUALITY]: plain.length < 400_000 ? 11 : 9,
          [constants.BROTLI_PARAM_SIZE_HINT]: plain.length,
        },
      }),
      gz: await promisify(gzip)(plain, { level: 9 }),
    }
    for (const [ending, bytes] of Object.entries(made)) {
      if (plain.length > 1024 && bytes.length < plain.length) await writeFile(`${file}.${ending}`, bytes)
      else await rm(`${file}.${ending}`, { force: true })
    }
  }
  await Promise.all(files.map(one))
}
