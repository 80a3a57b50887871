// Units and ids: the words in which everything else speaks. Numbers are SI; a name says its unit, a brand says whose id it is.

/** Metres. */
export type Metres = number
/** Metres a second. */
export type MetresPerSecond = number
/** Seconds (durations). */
export type Seconds = number
/** Milliseconds since 1970-01-01T00:00Z (instants). */
export type Millis = number
/** Degrees clockwise from north, 0 ≤ d < 360. */
export type Degrees = number
/** A place: longitude, latitude in degrees (WGS84), in that order. */
export type LngLat = readonly [lng: number, lat: number]
/** West, south, east, north in degrees. */
export type Bbox = readonly [west: number, south: number, east: number, north: number]

declare const brand: unique symbol
export type Brand<T, B extends string> = T & { readonly [brand]: B }

export type DriverId = Brand<string, 'DriverId'>
export type DeviceId = Brand<string, 'DeviceId'>
export type OrderId = Brand<string, 'OrderId'>
export type RunId = Brand<string, 'RunId'>
export type StopId = Brand<string, 'StopId'>
export type LinkId = Brand<string, 'LinkId'>
/** A small integer that stands for a driver in packed messages; given once by the database, never reused. */
export type DriverNo = Brand<number, 'DriverNo'>
