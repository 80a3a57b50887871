// Checked batches in; a promise that resolves only after COMMIT out.
import type { Fault } from '@doorstep/shared/codes'
import type { Batch } from '@doorstep/shared/ping'
import type { Kept } from '@doorstep/shared/protocol'
import type { Result } from '@doorstep/shared/result'
import type { DeviceId, DriverNo, Millis } from '@doorstep/shared/units'

/** A kept fix. `seq` tells it from others of the same instant. */
export interface Crumb {
  readonly t: Millis
  readonly seq: number
  readonly lng: number
  readonly lat: number
  readonly speed: number | null
  readonly heading: number | null
  readonly accuracy: number | null
}

export interface Journal {
  /** Joins the group commit (10 ms or 500 rows). Faults: BUSY (20,000 rows wait), RETRY (database away), GAP {expect} (stored, but `upto` can't move). */
  keep(device: DeviceId, driver: DriverNo, batch: Batch, receivedAt: Millis): Promise<Result<Kept, Fault>>
  /** The device thinned from..to: counted, and `upto` passes it. */
  skip(device: DeviceId, qid: string, from: number, to: number, at: Millis): Promise<Result<Kept, Fault>>
  /** How far a queue is kept; 0 for a new one. */
  upto(device: DeviceId, qid: string): Promise<Result<Kept, Fault>>
  /** Breadcrumbs of a driver, oldest first. */
  trail(driver: DriverNo, from: Millis, to: Millis, most: number): Promise<Crumb[]>
  /** Newest kept fix of every driver, for a start with an empty position store. */
  last(): Promise<
    {
      no: DriverNo
      t: Millis
      seq: number
      lng: number
      lat: number
      speed: number | null
      heading: number | null
      accuracy: number | null
    }[]
  >
  /** False while the database can't be written. */
  readonly healthy: boolean
  readonly waiting: number
  /** Flushes what waits, then refuses. */
  close(): Promise<void>
}
