// Environments in; what the server is told of them.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseConfig } from './config.ts'

const faultsOf = (env: Record<string, string>) => {
  const parsed = parseConfig(env)
  return parsed.ok ? [] : parsed.fault
}

test('an empty environment is a whole configuration: everything embedded, on the loopback', () => {
  expect(parseConfig({})).toEqual({
    ok: true,
    value: {
      port: 8080,
      host: '127.0.0.1',
      dataDir: './data',
      cacheDir: './.cache',
      adminKey: null,
      redisUrl: null,
      databaseUrl: null,
      durability: 'strict',
      mapboxToken: null,
      osrmUrl: null,
      valhallaUrl: null,
      city: null,
      metricsPort: 8081,
      publicUrl: null,
      allowedOrigins: null,
      logLevel: 'info',
      nodeId: null,
      trustProxy: false,
      linkDays: 14,
      retentionDays: 60,
    },
  })
})

test('all faults are told at once, each by the name of its variable', () => {
  const faults = faultsOf({
    PORT: '70000',
    ADMIN_KEY: 'short',
    REDIS_URL: 'http://localhost',
    DATABASE_URL: 'mysql://localhost/x',
    DURABILITY: 'maybe',
    LOG_LEVEL: 'loud',
    RETENTION_DAYS: '0',
    DOORSTEP_PORT: '1',
    DOORSTEP_COLOUR: 'red',
  })
  expect(faults.map((fault) => fault.split(':')[0]).sort()).toEqual([
    'ADMIN_KEY',
    'DATABASE_URL',
    'DOORSTEP_COLOUR',
    'DOORSTEP_PORT',
    'DURABILITY',
    'LOG_LEVEL',
    'PORT',
    'REDIS_URL',
    'RETENTION_DAYS',
  ])
  expect(faults).toContain('DOORSTEP_PORT: did you mean PORT?')
})

test('a fault never repeats the value, which may be a secret', () => {
  const secret = 'hunter2hunter2'
  for (const name of [
    'ADMIN_KEY',
    'REDIS_URL',
    'DATABASE_URL',
    'MAPBOX_TOKEN',
    'PUBLIC_URL',
    'NODE_ID',
    'OSRM_URL',
    'VALHALLA_URL',
  ]) {
    const faults = faultsOf({ [name]: `${secret} %` })
    expect(faults.length).toBeGreaterThan(0)
    expect(faults.every((fault) => fault.startsWith(`${name}: `) && !fault.includes(secret))).toBe(true)
  }
})

test.each([
  ['PORT', '0', true],
  ['PORT', '65535', true],
  ['PORT', '65536', false],
  ['PORT', '-1', false],
  ['PORT', '1e3', false],
  ['PORT', '80.5', false],
  ['ADMIN_KEY', 'k'.repeat(32), true],
  ['ADMIN_KEY', 'k'.repeat(31), false],
  ['ADMIN_KEY', `${'k'.repeat(32)} x`, false],
  ['REDIS_URL', 'redis://127.0.0.1:6379', true],
  ['REDIS_URL', 'redis://a:1,redis://b:2, redis://c:3', true],
  ['REDIS_URL', 'redis://a:1,b:2', false],
  ['DATABASE_URL', 'postgres://u:p@host:5432/name', true],
  ['DATABASE_URL', 'host=localhost', false],
  ['MAPBOX_TOKEN', 'pk.eyJ1IjoiYSJ9.abcdefgh', true],
  ['MAPBOX_TOKEN', 'sk.eyJ1IjoiYSJ9.abcdefgh', false],
  ['PUBLIC_URL', 'https://track.example/', true],
  ['PUBLIC_URL', 'https://track.example/?a=1', false],
  ['PUBLIC_URL', 'track.example', false],
  ['ALLOWED_ORIGINS', 'https://a.example,http://localhost:5173', true],
  ['ALLOWED_ORIGINS', 'https://a.example/', false],
  ['ALLOWED_ORIGINS', '*', false],
  ['ALLOWED_ORIGINS', 'null', false],
  ['NODE_ID', 'node-1.eu', true],
  ['NODE_ID', 'node 1', false],
  ['TRUST_PROXY', '2', true],
  ['TRUST_PROXY', '10.0.0.0/8', true],
  ['TRUST_PROXY', '$(x)', false],
  ['LINK_DAYS', '366', false],
])('%s=%s is taken: %s', (name, value, taken) => {
  expect(parseConfig({ [name]: value }).ok).toBe(taken)
})

test('an empty value is an absent one', () => {
  expect(parseConfig({ REDIS_URL: '', DATABASE_URL: ' ', PORT: '' })).toEqual(parseConfig({}))
})

test('nothing that an environment can hold makes it throw', () => {
  const names = [
    'PORT',
    'HOST',
    'ADMIN_KEY',
    'REDIS_URL',
    'DATABASE_URL',
    'PUBLIC_URL',
    'ALLOWED_ORIGINS',
    'TRUST_PROXY',
    'DOORSTEP_X',
  ]
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...names), fc.string({ unit: 'binary' })), (env) => {
      const parsed = parseConfig(env)
      expect(parsed.ok || parsed.fault.length > 0).toBe(true)
    }),
  )
})
