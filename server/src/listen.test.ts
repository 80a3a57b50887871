// What a person reads when the port is taken.
import { createServer } from 'node:http'
import { expect, test } from 'vitest'
import { listen } from './listen.ts'
import { StartFault } from './store/start-fault.ts'

test('a port that is taken refuses the start with one line that names the variable and the port', async () => {
  const first = createServer()
  const port = await listen(first, 0, '127.0.0.1', 'PORT')
  const refusal = await listen(createServer(), port, '127.0.0.1', 'PORT').catch((error: unknown) => error)
  expect(refusal).toBeInstanceOf(StartFault)
  expect((refusal as Error).message).toBe(
    `PORT: 127.0.0.1:${port} is in use by another program; stop that one, or choose another port`,
  )
  first.close()
})

test('an address of another machine refuses the start in the same way', async () => {
  await expect(listen(createServer(), 0, '192.0.2.1', 'HOST')).rejects.toThrow('HOST: 192.0.2.1:0 is no address of this machine')
})
