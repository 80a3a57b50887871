// A measured server in a process of its own: orders come by IPC, its port goes back.
import { floor } from './floor.ts'
import { naive } from './naive.ts'

export type ChildOrder =
  | { do: 'start'; variant: 'naive' | 'naive-no-turf' | 'floor'; lines: [number, number][][]; redisUrl: string }
  | { do: 'end' }

process.on('message', async (order: ChildOrder) => {
  if (order.do === 'start') {
    const port =
      order.variant === 'floor' ? await floor(order.lines) : await naive(order.lines, order.redisUrl, order.variant === 'naive')
    process.send?.({ port })
  } else process.exit(0)
})
