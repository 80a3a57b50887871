// Nothing in, a fresh credential out; a credential in, the digest that is stored instead of it.
import { createHash, randomBytes } from 'node:crypto'

/** `bytes` random bytes in base64url: 16 make the 22 characters of a tracking link, 32 the 43 of a device or a session. */
export const mint = (bytes: 16 | 32): string => randomBytes(bytes).toString('base64url')

/** SHA-256. Fit for tokens alone, which have 128 bits of their own: a password would need a slow hash. */
export const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
