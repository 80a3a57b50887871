// Where Redis is in, the Positions port out: over Redis when there is one, else in process.
import { memoryPositions } from './memory.ts'
import type { Positions } from './port.ts'
import { redisPositions } from './redis.ts'

export interface PositionsOptions {
  /** redis://… or rediss://…; several of a cluster, separated by commas; null keeps positions in this process. */
  readonly redisUrl: string | null
  /** Unlike any other node's: what a node publishes it doesn't hear. */
  readonly nodeId: string
  /** A command without an answer after so long has failed; 250 ms by default. */
  readonly commandMs?: number
}

/** Throws StartFault when a Redis is named and isn't there, or is older than 7. The bundle needs `save.lua` beside it. */
export async function openPositions({ redisUrl, nodeId, commandMs = 250 }: PositionsOptions): Promise<Positions> {
  return redisUrl ? redisPositions({ redisUrl, nodeId, commandMs }) : memoryPositions()
}
