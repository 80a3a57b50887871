// Ids in, runs and stops under lock out; runs are always locked before orders, and orders in the order of their ids.
import type { RunStop } from '@doorstep/shared/track'
import type { DriverId, Millis, RunId } from '@doorstep/shared/units'
import type { Query } from '../store/sql/port.ts'
import type { Work } from './ledger.ts'
import type { RunPlan } from './port.ts'

export type RunStatus = RunPlan['status']
/** A run under lock. */
export interface HeldRun {
  readonly id: RunId
  status: RunStatus
  version: number
  driver_id: DriverId | null
  start_lng: number
  start_lat: number
  route_version: number
}
export interface HeldStop {
  readonly id: string
  readonly order_id: string
  readonly run_id: RunId
  place: number
  status: RunStop['status']
  arrived_at: Millis | null
}

/** A stop that is not settled yet. */
export const isAhead = (status: RunStop['status']): boolean => status === 'pending' || status === 'arrived'

/** Locks a run. Runs are always locked before orders, and orders in the order of their ids. */
export async function holdRun(q: Query, id: string): Promise<HeldRun | null> {
  const { rows } = await q.query<HeldRun>(
    'select id, status, version, driver_id, start_lng, start_lat, route_version from runs where id = $1 for update',
    [id],
  )
  return rows[0] ?? null
}
export async function stopsOf(q: Query, run: string): Promise<HeldStop[]> {
  const { rows } = await q.query<HeldStop>(
    `select id, order_id, run_id, place, status, arrived_at from stops where run_id = $1 and status <> 'cancelled' order by place, id`,
    [run],
  )
  return rows
}

/** Writes a held run under its next version. */
export async function saveRun(w: Work, run: HeldRun, times: { started?: Millis; ended?: Millis } = {}): Promise<void> {
  run.version++
  await w.q.query(
    `update runs set status = $2, version = $3, driver_id = $4, route_version = $5,
       started_at = coalesce($6, started_at), ended_at = coalesce($7, ended_at) where id = $1`,
    [run.id, run.status, run.version, run.driver_id, run.route_version, times.started ?? null, times.ended ?? null],
  )
  w.runs.add(run.id)
}

export async function holdStop(q: Query, id: string): Promise<HeldStop | null> {
  const { rows } = await q.query<HeldStop>('select id, order_id, run_id, place, status, arrived_at from stops where id = $1', [id])
  return rows[0] ?? null
}
