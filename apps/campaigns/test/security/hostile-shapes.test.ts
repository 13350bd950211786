import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { attempt, type Described, sampleOf, withAt } from './described-api.ts'
import { openTarget, type Target } from './target.ts'

const FOREIGN = {
  id: 'mine',
  role: 'admin',
  status: 'published',
  created_by: 'me',
  password_hash: 'none',
  session_epoch: 99,
  published_version: 1,
  base_url: 'https://evil.example.com',
  created_at: 1,
  total: 7,
  constructor: 'x',
  toString: 'x',
}

/** The names in the body's own schema are not foreign there. */
function foreignTo({ properties = {} }: Described): readonly (readonly [string, unknown])[] {
  return Object.entries(FOREIGN).filter(([name]) => !Object.hasOwn(properties, name))
}

const partsOf = <T>(list: readonly T[]): readonly (readonly T[])[] =>
  Array.from({ length: Math.ceil(list.length / 6) }, (_, index) => list.slice(6 * index, 6 * index + 6))

const objectOf = (schema: Described): Described => schema.anyOf?.find(({ type }) => type === 'object') ?? schema

const ODD = [7, true, [[]], { length: 1 }, 1e300]

async function rowsOf({ services }: Target): Promise<string> {
  const tables = ['users', 'contacts', 'campaigns', 'content', 'wa_accounts', 'categories'] as const
  const rows = await Promise.all(tables.map(table => services.database.writer.selectFrom(table).selectAll().execute()))
  return JSON.stringify(rows)
}

test('no write takes a field that its schema does not name', async () => {
  const target = await openTarget()
  const { visitor, operations, ids } = target
  const writes = operations.filter(({ body }) => body !== undefined)
  expect(writes.length).toBeGreaterThan(20)
  const before = await rowsOf(target)
  const wrong: string[] = []
  for (const operation of writes) {
    const schema = objectOf(operation.body ?? {})
    const whole = sampleOf(schema, '', false)
    // A few at once: not more faults than these are told.
    for (const part of partsOf(foreignTo(schema))) {
      const body = part.reduce((sent, [name, value]) => withAt(sent, [name], value), whole)
      const answer = await attempt(visitor.send, operation, ids, { body })
      const fault = answer.statusCode === 400 ? answer.json<{ detail: string }>().detail : ''
      const missed = part.filter(([name]) => !fault.includes(`body.${name}: expected no such field`))
      for (const [name] of missed) wrong.push(`${operation.line} ${name}: ${answer.statusCode} ${fault}`)
    }
    for (const odd of [[], 7, 'text', [[whole]]]) {
      const { statusCode } = await attempt(visitor.send, operation, ids, { body: odd })
      if (statusCode !== 400) wrong.push(`${operation.line} as ${JSON.stringify(odd).slice(0, 20)}: ${statusCode}`)
    }
  }
  expect(wrong).toEqual([])
  expect(await rowsOf(target)).toBe(before)
  expect(({} as Record<string, unknown>)['role']).toBeUndefined()
})

test('a value of another type in a field, alone, is never an error of ours', async () => {
  const { visitor, operations, ids } = await openTarget()
  const wrong: string[] = []
  for (const operation of operations) {
    const schema = objectOf(operation.body ?? {})
    const whole = sampleOf(schema, '', false)
    for (const name of Object.keys(schema.properties ?? {})) {
      for (const value of ODD) {
        const { statusCode } = await attempt(visitor.send, operation, ids, { body: withAt(whole, [name], value) })
        if (statusCode >= 500)
          wrong.push(`${operation.line} ${name} ${JSON.stringify(value).slice(0, 20)}: ${statusCode}`)
      }
    }
    for (const { name } of operation.query) {
      for (const value of ['', '-1', 'NaN', 'x'.repeat(5000)]) {
        const { statusCode } = await attempt(visitor.send, operation, ids, { query: { [name]: value } })
        if (statusCode >= 500) wrong.push(`${operation.line}?${name}=${value.slice(0, 20)}: ${statusCode}`)
      }
    }
  }
  expect(wrong).toEqual([])
})

const JSON_TYPE = { 'content-type': 'application/json' }

test('endless nesting, thousands of parameters and poisoned names are refused as what they are', async () => {
  const { visitor, app } = await openTarget()
  const post = (payload: string) =>
    visitor.send({ method: 'POST', url: '/api/v1/contacts', headers: JSON_TYPE, payload })
  const deep = 100_000
  for (const payload of [
    `${'['.repeat(deep)}${']'.repeat(deep)}`,
    `${'{"name":'.repeat(20_000)}1${'}'.repeat(20_000)}`,
    `{"name":"Ada","phone":"+33612345678","attributes":${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}}`,
    '{"name":"Ada","phone":"+33612345678","__proto__":{"role":"admin"}}',
    '{"name":"Ada","phone":"+33612345678","attributes":{"__proto__":{"x":"y"}}}',
    '{"name":"Ada","phone":"+33612345678","constructor":{"prototype":{}}}',
  ]) {
    const answer = await post(payload)
    expect([payload.slice(0, 20), answer.statusCode]).toEqual([payload.slice(0, 20), 400])
    expect(answer.body.length).toBeLessThan(5000)
  }
  const many = Array.from({ length: 10_000 }, (_, index) => `p${index}=1`).join('&')
  const answer = await visitor.get(`/api/v1/contacts?${many}`)
  expect(answer.statusCode).toBe(400)
  expect(answer.json<{ errors: unknown[] }>().errors.length).toBeLessThanOrEqual(20)
  const repeated = Array.from({ length: 10_000 }, () => 'q=a').join('&')
  for (const query of [repeated, 'q[]=a', 'q[a]=b', '__proto__=x', 'constructor=x', 'limit=1&limit=2']) {
    expect([query.slice(0, 20), (await visitor.get(`/api/v1/contacts?${query}`)).statusCode]).toEqual([
      query.slice(0, 20),
      400,
    ])
  }
  for (const url of [
    '/api/v1/contacts/%00',
    '/api/v1/users/%ff',
    '/p/%00',
    '/api/v1/pages/%2e%2e',
    '/media/%00',
    '/api/v1/contacts?q=%00',
  ]) {
    const { statusCode } = await visitor.get(url)
    expect([url, statusCode >= 400 && statusCode < 500]).toEqual([url, true])
  }
  expect((await app.inject({ url: '/healthz' })).statusCode).toBe(200)
})

test('bodies at the limit are read, those over it are not, and nothing packed is unpacked', async () => {
  const { visitor, app } = await openTarget()
  const send = (url: string, payload: string | Buffer, headers: object = {}) =>
    visitor.send({ method: 'POST', url, headers: { ...JSON_TYPE, ...headers }, payload })
  const limit = 256 * 1024
  const filled = (bytes: number): string => `{"name":"${'x'.repeat(bytes - 11)}"}`
  expect((await send('/api/v1/contacts', filled(limit))).statusCode).toBe(400)
  for (const url of [
    '/api/v1/contacts',
    '/api/v1/content',
    '/api/v1/auth/login',
    '/api/v1/campaigns',
    '/api/cache/settings',
  ]) {
    expect([url, (await send(url, filled(limit + 1))).statusCode]).toEqual([url, 413])
  }
  const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024, 'x'))
  for (const url of ['/api/v1/contacts', '/api/v1/auth/login', '/webhooks/whatsapp', '/api/v1/contacts/import']) {
    const answer = await send(url, bomb, { 'content-encoding': 'gzip' })
    expect([url, answer.statusCode]).toEqual([url, 415])
    expect(answer.headers['content-type']).toContain('application/problem+json')
  }
  // A body that trickles in ends, if not soon.
  expect(app.server.requestTimeout).toBeGreaterThan(0)
  expect(app.server.headersTimeout).toBeGreaterThan(0)
})

/** Texts that come near to a pattern for as long as they can, and then do not match. */
const NEAR = ['a', ' ', '1', '-', '!', 'a ', '1-', '+1 ', 'a@', 'a.', '@', "'=", ';', '\t', 'Aa', '%'].map(part =>
  part.repeat(50_000 / part.length),
)
const SLOW_MS = 1000

test('no pattern takes long over a long text that nearly matches it', async () => {
  const { visitor, operations, ids } = await openTarget()
  const slow: string[] = []
  const texts = NEAR.map((text, index) => text + (index % 2 === 0 ? '\n' : '\u{1f600}'))
  for (const operation of operations) {
    const schema = objectOf(operation.body ?? {})
    const names = Object.keys(schema.properties ?? {})
    // What can be changed has the fields of what can be made.
    if (names.length === 0 || operation.method === 'PATCH') continue
    for (const text of texts) {
      // All fields at once: the sum of their times is bounded, so each is.
      const body = Object.fromEntries(names.map(name => [name, text]))
      if (JSON.stringify(body).length > 250_000) for (const name of names.slice(4)) delete body[name]
      const began = process.cpuUsage()
      const { statusCode } = await attempt(visitor.send, operation, ids, { body })
      // Of this process alone, however busy the machine is.
      const took = process.cpuUsage(began).user / 1000
      if (took > SLOW_MS || statusCode >= 500)
        slow.push(`${operation.line} ${JSON.stringify(text.slice(0, 4))}: ${Math.round(took)} ms, ${statusCode}`)
    }
  }
  expect(slow).toEqual([])
})
