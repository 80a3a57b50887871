// Tracks through bytes and back, and bytes that no honest node has sent.
import type { Track } from '@doorstep/shared/track'
import type { DriverNo, RunId } from '@doorstep/shared/units'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { HEAD_BYTES, packMessage, packTrack, unpackMessage, unpackTrack } from './pack.ts'

const maybe = <T>(some: fc.Arbitrary<T>) => fc.option(some, { nil: null })
const tracks: fc.Arbitrary<Track> = fc.record({
  no: fc.integer({ min: 1, max: 2 ** 31 - 1 }).map((n) => n as DriverNo),
  recordedAt: fc.integer({ min: 0, max: 4e12 }),
  seq: fc.maxSafeNat(),
  at: fc.tuple(fc.double({ min: -180, max: 180, noNaN: true }), fc.double({ min: -90, max: 90, noNaN: true })),
  heading: maybe(fc.double({ min: 0, max: 359.99, noNaN: true })),
  speed: maybe(fc.double({ min: 0, max: 120, noNaN: true })),
  accuracy: maybe(fc.double({ min: 0, max: 10_000, noNaN: true })),
  run: maybe(fc.oneof(fc.uuid(), fc.string({ minLength: 1, maxLength: 60 }))).map((id) => id as RunId | null),
  routeVersion: fc.nat(),
  along: fc.double({ min: 0, max: 4e6, noNaN: true }),
  offRoute: fc.boolean(),
  nextStop: fc.nat({ max: 200 }),
  phase: fc.constantFrom('enroute', 'approaching', 'arrived'),
  arrivedAt: maybe(fc.integer({ min: 0, max: 4e12 })),
  pace: fc.double({ min: 0.1, max: 10, noNaN: true }),
  interval: fc.double({ min: 0.5, max: 600, noNaN: true }),
  kept: fc.boolean(),
  still: fc.nat({ max: 10_000 }),
  waited: fc.nat({ max: 10_000 }),
}) as fc.Arbitrary<Track>

const near = (a: number | null, b: number | null, by: number) =>
  a === null || b === null ? expect(a).toBe(b) : expect(Math.abs(a - b)).toBeLessThanOrEqual(by)

function expectSame(got: Track | null | undefined, want: Track): void {
  expect(got).toMatchObject({
    no: want.no,
    recordedAt: want.recordedAt,
    seq: want.seq,
    run: want.run,
    routeVersion: want.routeVersion,
    offRoute: want.offRoute,
    nextStop: want.nextStop,
    phase: want.phase,
    arrivedAt: want.arrivedAt,
    kept: want.kept,
    still: want.still,
    waited: want.waited,
  })
  near(got!.at[0], want.at[0], 6e-8)
  near(got!.at[1], want.at[1], 6e-8)
  near(got!.heading, want.heading, 0.006)
  near(got!.speed, want.speed, 0.006)
  near(got!.accuracy, want.accuracy, 0.126)
  near(got!.along, want.along, 0.000_51)
  near(got!.pace, want.pace, 1e-6)
  near(got!.interval, want.interval, 1e-4)
}

test('a track comes back within the steps that pack.ts promises', () => {
  fc.assert(fc.property(tracks, (track) => expectSame(unpackTrack(packTrack(track)), track)))
})

test('many tracks come back from one message, with the node that sent them', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, maxLength: 40 }), fc.array(tracks, { maxLength: 20 }), (node, some) => {
      const got = unpackMessage(packMessage(node, some))
      expect(got?.node).toBe(node)
      expect(got?.tracks).toHaveLength(some.length)
      some.forEach((track, i) => {
        expectSame(got?.tracks[i], track)
      })
    }),
  )
})

test('[T4] packing never changes which of two is further along', () => {
  const one = fc.sample(tracks, 1)[0]!
  const along = (metres: number) => unpackTrack(packTrack({ ...one, along: metres }))!.along
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1e6, noNaN: true }), fc.double({ min: 0, max: 1e6, noNaN: true }), (a, b) => {
      expect(along(Math.min(a, b))).toBeLessThanOrEqual(along(Math.max(a, b)))
    }),
  )
})

test('a record of an older version, with fewer fields, is read with defaults; one of a newer version, with more, is read as far as known', () => {
  const [sample] = fc.sample(tracks, 1) as [Track]
  const track = { ...sample, no: 5 as DriverNo, kept: false }
  const whole = packTrack(track)
  const body = (bytes: Uint8Array) => {
    new DataView(bytes.buffer).setUint16(HEAD_BYTES, bytes.length - HEAD_BYTES - 2)
    return bytes
  }
  expectSame(unpackTrack(body(Uint8Array.from([...whole, 1, 2, 3]))), track)
  const first = unpackTrack(body(whole.slice(0, HEAD_BYTES + 3))) // the length, and one byte: the driver's number
  expect(first).toMatchObject({ no: 5, recordedAt: track.recordedAt, seq: track.seq, run: null, along: 0, kept: true })
})

test('noise is answered with null, never with a throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      unpackTrack(bytes)
      const message = unpackMessage(bytes)
      expect(message === null || message.tracks.length >= 0).toBe(true)
    }),
  )
  const cut = packMessage('a', fc.sample(tracks, 3))
  for (let n = 0; n < cut.length; n++) expect(unpackMessage(cut.subarray(0, n))).toBeNull()
})
