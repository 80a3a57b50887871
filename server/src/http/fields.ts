// What may stand in a field of the API: closed schemas, typed and in range, never coerced.
import { FAIL_REASONS, STATUSES } from '@doorstep/shared/order'
import { z } from 'zod'

/** C0, C1, line separators, and what turns the direction of text around: fit for hiding and for breaking headers, not for names. */
const CONTROLS = /[\p{Cc}\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/u

/** Text of 1 (or `least`) to `most` characters, NFC, trimmed. A person's characters are code points, so that is what is counted. */
export const text = (most: number, least = 1) =>
  z
    .string()
    .max(most * 8)
    .refine((s) => !CONTROLS.test(s) && !/\p{Surrogate}/u.test(s))
    .transform((s) => s.normalize('NFC').trim())
    .refine((s) => {
      const length = [...s].length
      return length >= least && length <= most
    })

export const id = z.string().regex(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/)
/** Longitude, latitude; 0,0 is where broken devices think they are, and open sea. */
export const place = z
  .tuple([z.number().min(-180).max(180), z.number().min(-90).max(90)])
  .refine(([lng, lat]) => lng !== 0 || lat !== 0)
/** 2000–2100: a year 9999 is a mistake somewhere. */
const instant = z.number().int().min(946_684_800_000).max(4_102_444_800_000)
export const version = z.number().int().min(1).max(2_147_483_647)

export const nothing = z.strictObject({})

export const newDriver = z.strictObject({ name: text(120), vehicle: text(60, 0).optional() })

export const newOrder = z.strictObject({
  externalRef: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,64}$/)
    .optional(),
  merchant: text(120, 0).optional(),
  recipient: z.strictObject({
    name: text(120),
    phone: z
      .string()
      .regex(/^\+[1-9][0-9]{5,14}$/)
      .optional(),
    email: z
      .string()
      .max(254)
      .regex(/^[^\s@<>,;:"\p{Cc}]+@[^\s@<>,;:"\p{Cc}]+\.[^\s@<>,;:"\p{Cc}]+$/u)
      .optional(),
  }),
  address: z.strictObject({ label: text(200), at: place }),
  service: z.number().int().min(0).max(7_200).optional(),
  window: z
    .strictObject({ from: instant, to: instant })
    .refine((w) => w.from < w.to)
    .optional(),
  note: text(1_000, 0).optional(),
})

/** Each order once: a second stop for the same parcel is a mistake. */
const orderIds = z
  .array(id)
  .min(1)
  .max(200)
  .refine((ids) => new Set(ids).size === ids.length)

export const newRun = z.strictObject({
  name: text(120, 0).optional(),
  driverId: id.optional(),
  start: place,
  orders: orderIds,
})

export const change = z.strictObject({ expectedVersion: version.optional(), reason: text(500, 0).optional() })
export const assignment = z.strictObject({ driverId: id })
export const insertion = z.strictObject({ orderId: id, index: z.number().int().min(0).max(200).optional() })
export const arrival = z.strictObject({ expectedVersion: version.optional() })
export const failure = z.strictObject({ reason: z.enum(FAIL_REASONS), expectedVersion: version.optional() })

// Query strings are text: what is a number there is read here, strictly.
const digits = (most: number, least = 0) =>
  z
    .string()
    .regex(/^[0-9]{1,15}$/)
    .transform(Number)
    .pipe(z.number().min(least).max(most))
const DECIMAL = '-?[0-9]{1,3}(?:\\.[0-9]{1,15})?'
const toPlace = (s: string): [number, number] => s.split(',').map(Number) as [number, number]

export const orderQuery = z.strictObject({
  status: z.enum(STATUSES).optional(),
  q: text(100).optional(),
  runId: id.optional(),
  limit: digits(200, 1).default(50),
  cursor: z.string().max(256).optional(),
})
export const runQuery = z.strictObject({ status: z.enum(['draft', 'assigned', 'started', 'finished', 'cancelled']).optional() })
export const trailQuery = z
  .strictObject({ from: digits(4_102_444_800_000), to: digits(4_102_444_800_000) })
  .refine((q) => q.from < q.to, { path: ['from'] })
export const placesQuery = z.union([
  z.strictObject({
    near: z
      .string()
      .regex(new RegExp(`^${DECIMAL},${DECIMAL}$`))
      .transform(toPlace)
      .pipe(place),
  }),
  z.strictObject({ sample: digits(1_000, 1), seed: digits(4_294_967_295).default(1) }),
])
/** `to=lng,lat;lng,lat;…`: 2 to 50 places. */
export const routeQuery = z.strictObject({
  to: z
    .string()
    .max(2_500)
    .regex(new RegExp(`^${DECIMAL},${DECIMAL}(;${DECIMAL},${DECIMAL}){1,49}$`))
    .transform((s) => s.split(';').map(toPlace))
    .pipe(z.array(place)),
})
