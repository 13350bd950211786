import { describe, expect, test } from 'vitest'
import { SHARED } from './support/backends.ts'
import { until } from './support/redis.ts'
import { asAdmin, asPerson, type Rig, rig } from './support/rig.ts'

const TYPES = { mine: { ttl: '5m', scope: 'user' } } as const

async function filled(made: Rig): Promise<void> {
  const { cache } = made
  await cache.type('dashboard').getOrSet('kpis', () => 'd1', { tags: ['org:1'] })
  await cache.type('dashboard').getOrSet('map', () => 'd2', { tags: ['org:2'] })
  await cache.type('product').getOrSet('17', () => 'p1', { tags: ['org:1'] })
  await cache.type('product').getOrSet('18/blue? 100%', () => 'p2')
}

/** Which of the entries of `filled` are there. */
async function left({ cache }: Rig): Promise<string> {
  const found = await Promise.all([
    cache.type('dashboard').get('kpis'),
    cache.type('dashboard').get('map'),
    cache.type('product').get('17'),
    cache.type('product').get('18/blue? 100%'),
  ])
  return found.filter(value => typeof value === 'string').join(' ')
}

const STRANGE = '18%2Fblue%3F%20100%25'

describe.each(['memory', 'files', 'redis'])('on %s', backend => {
  test('preview says exactly what each clear takes, and each clear takes that', async () => {
    await using place = await SHARED[backend]?.()
    await using own = await rig({ ...place?.options, namespace: 'shop' })
    const { console } = own
    const cases: readonly (readonly [object, string, unknown, number, string])[] = [
      [{ kind: 'tag', tag: 'org:1' }, 'POST /api/cache/invalidate-tag', { tag: 'org:1' }, 2, 'd2 p2'],
      [{ kind: 'type', type: 'product' }, 'POST /api/cache/invalidate/product', {}, 2, 'd1 d2'],
      [{ kind: 'pattern', pattern: '*:1?' }, 'POST /api/cache/invalidate-pattern', { pattern: '*:1?' }, 1, 'd1 d2 p2'],
      [
        { kind: 'pattern', pattern: '*a*', type: 'dashboard' },
        'POST /api/cache/invalidate-pattern',
        { pattern: '*a*', type: 'dashboard' },
        1,
        'd1 p1 p2',
      ],
      [
        { kind: 'key', key: '18/blue? 100%', type: 'product' },
        `DELETE /api/cache/keys/${STRANGE}?type=product`,
        undefined,
        1,
        'd1 d2 p1',
      ],
      [{ kind: 'all' }, 'POST /api/cache/clear-all', { confirm: 'shop' }, 4, ''],
    ]
    for (const [target, line, body, entries, rest] of cases) {
      await own.cache.clear()
      await filled(own)
      const preview = await asAdmin(console, 'POST /api/cache/preview', { target })
      expect(preview).toMatchObject({ status: 200, body: { entries, exact: true } })
      expect(await left(own)).toBe('d1 d2 p1 p2')
      const cleared = await asAdmin(console, line, body)
      const shared = backend === 'memory' ? 'none' : 'acked'
      expect([line, cleared.status, cleared.body]).toMatchObject([
        line,
        200,
        { receipt: { local: true, shared }, entries, exact: true },
      ])
      expect(await left(own)).toBe(rest)
    }
  })

  test('a clear is undone from the console of another process, once', async () => {
    await using place = await SHARED[backend]?.()
    await using here = await rig({ ...place?.options })
    // Nothing is shared in memory: there it is another console of the same process.
    await using there = await rig({ ...place?.options })
    const other = backend === 'memory' ? here : there
    for (const line of ['POST /api/cache/invalidate/product', 'POST /api/cache/clear-all']) {
      await filled(here)
      const body = line.endsWith('all') ? { confirm: 'shop' } : {}
      const cleared = await asAdmin(here.console, line, body)
      const { undo, undoUntil } = cleared.body as { undo: string; undoUntil: number }
      expect(undoUntil).toBeGreaterThan(Date.now())
      // What is read between a clear and its undo, and only in memory, is dropped.
      if (backend !== 'memory') expect(await left(here)).not.toContain('p1')
      const undone = await asPerson(other.console, 'operator:ann', 'POST /api/cache/undo', { body: { token: undo } })
      expect(undone).toMatchObject({ status: 200, body: { restored: true } })
      // Both have heard: who fills before that keeps it under the stamp that the undo took away.
      for (const one of [other, here]) {
        await until('it is back', async () => (await left(one)) === 'd1 d2 p1 p2')
      }
      const again = await asAdmin(here.console, 'POST /api/cache/undo', { token: undo })
      expect(again).toMatchObject({ status: 409, body: { code: 'not-restored' } })
      expect(again.body['detail']).toContain('ten minutes')
    }
  })
})

test('entries of a user are deleted by whose they are', async () => {
  await using own = await rig({ types: TYPES })
  const mine = own.cache.type('mine')
  await mine.set('inbox', 1, { subject: 'user:1' })
  await mine.set('inbox', 2, { subject: 'user:2' })
  const line = 'DELETE /api/cache/keys/inbox?type=mine'
  expect(await asAdmin(own.console, line)).toMatchObject({ status: 400, body: { code: 'PALIER_BAD_KEY' } })
  const cleared = await asAdmin(own.console, `${line}&subject=user:1`)
  expect(cleared).toMatchObject({ status: 200, body: { entries: 1 } })
  expect(cleared.body['undo']).toBeUndefined()
  expect([await mine.get('inbox', { subject: 'user:1' }), await mine.get('inbox', { subject: 'user:2' })]).toEqual([
    undefined,
    2,
  ])
})

test('everything is cleared only by an administrator who names the namespace', async () => {
  await using own = await rig({}, { limit: { clears: 10 } })
  await filled(own)
  const line = 'POST /api/cache/clear-all'
  for (const body of [{}, { confirm: 'Shop' }, { confirm: true }, { confirm: 'shop', also: 1 }]) {
    const answer = await asAdmin(own.console, line, body)
    expect(answer).toMatchObject({ status: 400, body: { code: 'PALIER_BAD_OPTION' } })
  }
  const asked = { body: { confirm: 'shop' } }
  expect((await asPerson(own.console, 'operator:ann', line, asked)).status).toBe(403)
  expect(await left(own)).toBe('d1 d2 p1 p2')
})

test('what is wrong in a body is named, and nothing is cleared', async () => {
  await using own = await rig({}, { limit: { changes: 1000 } })
  await filled(own)
  const cases: readonly (readonly [string, unknown, string])[] = [
    ['POST /api/cache/preview', {}, 'target: expected'],
    [
      'POST /api/cache/preview',
      { target: { kind: 'constructor' } },
      'target.kind: expected all, type, tag, pattern, key',
    ],
    ['POST /api/cache/preview', { target: { kind: 'tag', tags: 'org:1' } }, 'target.tags: expected one of kind, tag'],
    ['POST /api/cache/preview', { target: { kind: 'type', type: 'typo' } }, 'type: expected one of'],
    ['POST /api/cache/invalidate-tag', {}, 'tag: expected a text'],
    ['POST /api/cache/invalidate-tag', { tag: ['org:1'] }, 'tag: expected a text'],
    ['POST /api/cache/invalidate-tag', { tag: 'org:1', type: 'product' }, 'body.type: expected one of tag'],
    ['POST /api/cache/invalidate-pattern', { pattern: '' }, 'pattern: expected a text'],
    ['POST /api/cache/invalidate-pattern', { pattern: '*', type: 'typo' }, 'type: expected one of'],
    ['POST /api/cache/invalidate/typo', undefined, 'type: expected one of'],
    ['POST /api/cache/invalidate/product', { all: true }, 'body.all: expected no fields'],
    ['POST /api/cache/undo', { token: 7 }, 'token: expected a text'],
  ]
  for (const [line, body, detail] of cases) {
    const answer = await asAdmin(own.console, line, body)
    expect([line, answer.status, answer.body['code']]).toEqual([line, 400, 'PALIER_BAD_OPTION'])
    expect(answer.body['detail']).toContain(detail)
  }
  const reserved = await asAdmin(own.console, 'POST /api/cache/invalidate-pattern', { pattern: 'bull:*' })
  expect(reserved).toMatchObject({ status: 403, body: { code: 'PALIER_PROTECTED' } })
  expect(await left(own)).toBe('d1 d2 p1 p2')
})
