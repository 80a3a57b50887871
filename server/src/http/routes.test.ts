// The table of routes: closed where it must be, and printed for people.
import { expect, test } from 'vitest'
import { z } from 'zod'
import type { HttpParts } from './parts.ts'
import { routes } from './routes.ts'

// the table itself needs no parts, only its handlers do
const table = routes({} as HttpParts)

/** What a schema lets in, and what of it must be there. */
function fields(schema: z.ZodType | undefined): string {
  if (!schema) return ''
  const shape = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Shape
  return (shape.anyOf ?? [shape]).map(names).join(' or ')
}
interface Shape {
  properties?: Record<string, unknown>
  required?: string[]
  additionalProperties?: boolean
  anyOf?: Shape[]
}
const names = (shape: Shape): string =>
  Object.keys(shape.properties ?? {})
    .map((name) => (shape.required?.includes(name) ? name : `${name}?`))
    .join(', ')

test('every body and query is a closed object: what is not named is refused', () => {
  for (const route of table)
    for (const schema of [route.body, route.query]) {
      if (!schema) continue
      const shape = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Shape
      for (const one of shape.anyOf ?? [shape]) expect([route.path, one.additionalProperties]).toEqual([route.path, false])
    }
})

test('every POST says what its body may be, and no other method has one', () => {
  for (const route of table) expect([route.path, route.body !== undefined]).toEqual([route.path, route.method === 'POST'])
})

test('API.md prints the table that the server serves', async () => {
  const head = ['route', 'who', 'body or query']
  const rows = table.map((r) => [`\`${r.method} ${r.path}\``, r.who, fields(r.body ?? r.query)])
  const widths = head.map((_, i) => Math.max(...[head, ...rows].map((row) => row[i]!.length)))
  const line = (row: string[], fill = ' '): string => `| ${row.map((cell, i) => cell.padEnd(widths[i]!, fill)).join(' | ')} |`
  const rule = line(
    head.map(() => '-'),
    '-',
  )
  await expect(`# The HTTP API

Printed from \`src/http/routes.ts\` by its test; the shapes are in \`shared/src/api.ts\`, limits in \`src/http/fields.ts\`. JSON both ways, bodies of
at most 64 KiB, no unknown fields. \`Authorization: Bearer\` the admin key or a session's token. A POST may carry an \`Idempotency-Key\`:
repeated with the same body within a week, it answers what it answered (sealed with the key itself, so take a random one). Errors are problem
details (RFC 9457) with a \`code\` of \`shared/src/codes.ts\`; \`VERSION\` and \`TRANSITION\` tell the current version.

${[line(head), rule, ...rows.map((row) => line(row))].join('\n')}

Beside the table: \`GET /t/:token\` (the customer's page), \`GET /t/:token/state\` (its state, with an ETag), \`GET /dispatch\`, \`GET /drive/:token\`,
\`GET /assets/*\`, \`GET /tiles/:z/:x/:y.pbf\`, \`GET /healthz\`, \`GET /readyz\`; \`GET /metrics\` on the port for figures, loopback only.
`).toMatchFileSnapshot('../../API.md')
})
