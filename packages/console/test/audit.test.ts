import { createCache } from 'palier'
import { describe, expect, test } from 'vitest'
import { createAudit } from '../src/audit.ts'
import type { AuditEntry } from '../src/index.ts'
import { SHARED } from './support/backends.ts'
import { startRedis, until } from './support/redis.ts'
import { ask, asAdmin, asPerson, BEARER, type Rig, rig } from './support/rig.ts'

const entriesOf = (body: unknown): readonly (AuditEntry & { id: string })[] =>
  (body as { entries: (AuditEntry & { id: string })[] }).entries

const auditOf = async ({ console }: Rig) => entriesOf((await asAdmin(console, 'GET /api/cache/audit')).body)

test('each change is written down, also one that was refused: who, what, how many, from where', async () => {
  const told: AuditEntry[] = []
  await using own = await rig({ types: { mine: { scope: 'user' } } }, { audit: entry => void told.push(entry) })
  const { console, cache } = own
  await cache.type('product').set('17', 'secret-value')
  await asPerson(console, 'operator:ann', 'POST /api/cache/invalidate/product')
  await asPerson(console, 'viewer:bob', 'POST /api/cache/invalidate/product')
  await asPerson(console, 'operator:ann', 'POST /api/cache/clear-all', { body: { confirm: 'shop' } })
  const body = { tag: 'org:1' }
  const headers = { origin: 'https://evil.example' }
  await asPerson(console, 'admin:eve', 'POST /api/cache/invalidate-tag', { body, headers })
  await asAdmin(console, 'POST /api/cache/invalidate-tag', { tag: 7 })
  await asAdmin(console, 'POST /api/cache/clear-all', { confirm: 'no' })
  await asAdmin(console, 'DELETE /api/cache/keys/inbox?type=mine&subject=user:4711')
  await asAdmin(console, 'PUT /api/cache/config', { types: { dashboard: { ttl: '10m' } } })
  await asAdmin(console, 'POST /api/cache/undo', { token: 'secret-undo' })
  // What only looks is none.
  await asAdmin(console, 'POST /api/cache/preview', { target: { kind: 'all' } })
  await ask(console, 'POST /api/cache/clear-all', { body: { confirm: 'shop' } })

  const ann = { role: 'operator', name: 'ann' }
  const token = { role: 'admin', name: 'token' }
  const from = '192.0.2.1'
  const refused = { outcome: 'refused', status: 403, from }
  const wrong = { outcome: 'refused', status: 400, code: 'PALIER_BAD_OPTION', who: token, from }
  const expected = [
    { who: ann, what: 'invalidate-type', target: 'type product', count: 1, outcome: 'done', status: 200, from },
    {
      ...refused,
      who: { role: 'viewer', name: 'bob' },
      what: 'invalidate-type',
      target: 'product',
      code: 'role-too-low',
    },
    { ...refused, who: ann, what: 'clear-all', code: 'role-too-low' },
    { ...refused, who: { role: 'admin', name: 'eve' }, what: 'invalidate-tag', code: 'cross-origin' },
    { ...wrong, what: 'invalidate-tag' },
    { ...wrong, what: 'clear-all', target: 'everything' },
    { who: token, what: 'delete-key', target: 'key inbox of type mine of one subject', count: 0, outcome: 'done' },
    { who: token, what: 'set-config', target: 'types dashboard {"ttl":"10m"}', count: 1, outcome: 'done' },
    { who: token, what: 'undo', outcome: 'failed', status: 409, code: 'not-restored' },
  ]
  expect(told).toMatchObject(expected)
  expect(await auditOf(own)).toMatchObject(expected.toReversed())
  const lines = own.lines.filter(line => line.startsWith('[CACHE AUDIT]'))
  expect(lines).toHaveLength(expected.length)
  expect(lines[0]).toBe(
    '[CACHE AUDIT] operator "ann" from 192.0.2.1: invalidate-type type product (count 1): done (200)',
  )
  expect(JSON.stringify([told, lines])).not.toMatch(/secret|4711/)
})

test('names cannot begin a line of their own in the log', async () => {
  const authorize = () => ({ role: 'admin', name: 'ann\n[CACHE AUDIT] admin "bob"' }) as const
  await using own = await rig({}, { authorize })
  await asAdmin(own.console, `DELETE /api/cache/keys/${encodeURIComponent('a\r\n[CACHE AUDIT] b')}`)
  expect(own.lines.join('\n')).not.toMatch(/[\r\n]\[CACHE AUDIT\] b/)
  expect(own.lines).toHaveLength(1)
})

describe.each(Object.entries(SHARED))('on %s', (_name, open) => {
  test('the log outlives the process, and is one for all', async () => {
    await using place = await open()
    {
      await using first = await rig(place.options)
      await asAdmin(first.console, 'POST /api/cache/invalidate-tag', { tag: 'one' })
    }
    await using second = await rig(place.options)
    await using third = await rig(place.options)
    const tags = Array.from({ length: 6 }, (_, i) => `at once ${i}`)
    await Promise.all(
      tags.map((tag, i) => asAdmin((i % 2 ? second : third).console, 'POST /api/cache/invalidate-tag', { tag })),
    )
    await second.cache.clear()
    for (const one of [second, third]) {
      const targets = (await auditOf(one)).map(({ target }) => target)
      expect(targets.at(-1)).toBe('tag one')
      expect(new Set(targets)).toEqual(new Set([...tags, 'one'].map(tag => `tag ${tag}`)))
      expect(targets).toHaveLength(7)
    }
  })
})

test('it is read in pages, newest first, and is bounded', async () => {
  const cache = createCache({ backend: 'memory', logger: false })
  const nothing = () => undefined
  const audit = createAudit(cache, { log: { info: nothing, warn: nothing }, tell: undefined })
  const record = (at: number) =>
    audit.record({ at, who: { role: 'admin' }, what: 'warm', outcome: 'done', status: 200 })
  const all = async () => {
    const seen: number[] = []
    for (let after: string | undefined, more = true; more; ) {
      const page = await audit.read(after)
      expect(page.entries.length).toBeLessThanOrEqual(100)
      seen.push(...page.entries.map(({ at }) => at))
      after = page.after
      more = after !== undefined
    }
    return seen
  }
  expect(await all()).toEqual([])
  for (let at = 0; at < 450; at++) await record(at)
  expect(await all()).toEqual(Array.from({ length: 450 }, (_, i) => 449 - i))
  const [newest] = (await audit.read(undefined)).entries
  expect(newest).toMatchObject({ at: 449, id: '3.49' })
  await expect(audit.read('../1')).rejects.toThrow(/^after: /)

  // As if very many had been written since.
  await cache.documents<number>('palier-console-audit-head').change('newest', () => ({ value: 52, ttl: 60_000 }))
  await record(1000)
  expect(await all()).toEqual([1000, ...Array.from({ length: 50 }, (_, i) => 449 - i)])
  await cache.close()
})

test('while the backend is out a change is answered truthfully, and told to the callback and the log', async () => {
  const redis = await startRedis()
  const told: AuditEntry[] = []
  try {
    const audit = (entry: AuditEntry) => void told.push(entry)
    await using own = await rig(
      { backend: 'redis', redisUrl: redis.url, detectBudget: '30s', outage: { journal: false } },
      { audit },
    )
    const set = () => own.cache.set('a', 1, { tags: ['org:1'] })
    await until('Redis is in use', async () => (await set()).shared === 'acked')
    redis.pause()
    const answer = await ask(own.console, 'POST /api/cache/invalidate-tag', {
      body: { tag: 'org:1' },
      headers: BEARER,
    })
    expect(answer).toMatchObject({ status: 202, body: { receipt: { local: true, shared: 'pending' } } })
    expect(answer.body['undo']).toBeUndefined()
    expect(told).toMatchObject([{ what: 'invalidate-tag', target: 'tag org:1', outcome: 'pending', status: 202 }])
    expect(own.lines).toEqual([
      expect.stringContaining('invalidate-tag tag org:1'),
      expect.stringContaining('[CACHE AUDIT] not kept: '),
    ])
    const reading = await asAdmin(own.console, 'GET /api/cache/audit')
    expect(reading).toMatchObject({ status: 503 })
    expect(reading.body['code']).toMatch(/^PALIER_STORE_/)
    const { body } = await asAdmin(own.console, 'GET /api/cache/stats')
    expect(body).toMatchObject({ status: 'DEGRADED', is_available: false })
  } finally {
    await redis.stop()
  }
})

test('a callback that fails is a line in the log, and nothing else', async () => {
  for (const audit of [
    () => {
      throw new Error('mail is out')
    },
    () => Promise.reject(new Error('mail is out')),
  ]) {
    await using own = await rig({}, { audit })
    expect((await asAdmin(own.console, 'POST /api/cache/invalidate-tag', { tag: 'a' })).status).toBe(200)
    expect(own.lines[0]).toBe('[CACHE AUDIT] the callback failed: mail is out')
    expect(await auditOf(own)).toHaveLength(1)
  }
})
