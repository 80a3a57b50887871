// The bytes of a request's body in, a JSON value without traps or a coded fault out.
import type { IncomingMessage } from 'node:http'
import type { Fault } from '@doorstep/shared/codes'
import { fail, ok, type Result } from '@doorstep/shared/result'

export const BODY_LIMITS = { bytes: 65_536, depth: 6, nodes: 5_000 } as const

/**
 * Reads the whole body, at most 64 KiB. Compressed bodies are refused unread (a bomb costs nothing to send); an empty one is undefined.
 * Faults: BAD_TYPE, TOO_LARGE, and those of `parseJson`.
 */
export async function readBody(request: IncomingMessage): Promise<Result<unknown, Fault>> {
  const encoding = request.headers['content-encoding']
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') return fail({ code: 'BAD_TYPE', field: 'content-encoding' })
  if (Number(request.headers['content-length'] ?? 0) > BODY_LIMITS.bytes) return fail({ code: 'TOO_LARGE' })
  const bytes = await collect(request)
  if (typeof bytes === 'string') return fail({ code: bytes })
  if (bytes.length === 0) return ok(undefined)
  if (!/^application\/json\s*(;\s*charset="?utf-8"?\s*)?$/i.test(request.headers['content-type'] ?? ''))
    return fail({ code: 'BAD_TYPE', field: 'content-type' })
  return parseJson(bytes)
}

/** The rest of a body that is too long is left unread, and the connection has to be closed. A sender who went away hears nothing anyhow. */
function collect(request: IncomingMessage): Promise<Buffer | 'TOO_LARGE' | 'BAD_JSON'> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let size = 0
    const done = (bytes: Buffer | 'TOO_LARGE' | 'BAD_JSON'): void => {
      request.off('data', take).off('end', end).off('error', broke).off('close', broke)
      resolve(bytes)
    }
    const take = (chunk: Buffer): void => {
      size += chunk.length
      if (size <= BODY_LIMITS.bytes) return void chunks.push(chunk)
      request.pause()
      done('TOO_LARGE')
    }
    const end = (): void => done(Buffer.concat(chunks, size))
    const broke = (): void => done('BAD_JSON')
    request.on('data', take).on('end', end).on('error', broke).on('close', broke)
  })
}

/** Strict UTF-8 without a mark at its beginning, strict JSON, at most 6 deep and 5,000 values. */
export function parseJson(bytes: Uint8Array): Result<unknown, Fault> {
  let text: string
  let value: unknown
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    value = JSON.parse(text)
  } catch {
    return fail({ code: 'BAD_JSON' })
  }
  const trap = look(text)
  return trap ? fail({ code: trap }) : ok(value)
}

/** Keys that reach an object's prototype in careless code. */
const DANGEROUS = new Set(['__proto__', 'constructor', 'prototype'])
/** With the u flag a pair of surrogates is one character, so this finds the lone ones. */
const LONE = /\p{Surrogate}/u

/** What `JSON.parse` does not tell: depth, number of values, keys given twice (it keeps the last), keys that are traps. The text is valid JSON. */
function look(text: string): 'TOO_DEEP' | 'DUP_KEY' | 'BAD_KEY' | 'BAD_JSON' | null {
  const open: (Set<string> | null)[] = []
  let nodes = 0
  for (let i = 0; i < text.length; i++) {
    const c = text[i]
    if (c === '{' || c === '[') {
      open.push(c === '{' ? new Set() : null)
      if (open.length > BODY_LIMITS.depth || ++nodes > BODY_LIMITS.nodes) return 'TOO_DEEP'
    } else if (c === '}' || c === ']') open.pop()
    else if (c === '"') {
      const start = i
      while (text[++i] !== '"') if (text[i] === '\\') i++
      const string = JSON.parse(text.slice(start, i + 1)) as string
      if (string.includes('\0') || LONE.test(string)) return 'BAD_JSON'
      if (isKey(text, i)) {
        const keys = open.at(-1)
        if (DANGEROUS.has(string)) return 'BAD_KEY'
        if (keys?.has(string)) return 'DUP_KEY'
        keys?.add(string)
      }
    } else if (c === ',' && ++nodes > BODY_LIMITS.nodes) return 'TOO_DEEP' // one comma more is one value more
  }
  return null
}

/** In valid JSON a string is a key exactly when a colon follows. */
function isKey(text: string, end: number): boolean {
  let i = end + 1
  while (text[i] === ' ' || text[i] === '\n' || text[i] === '\r' || text[i] === '\t') i++
  return text[i] === ':'
}
