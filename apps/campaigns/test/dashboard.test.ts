import { describe, expect, test } from 'vitest'
import { NOON, queriesOf, startApp } from './support/app.ts'
import { ENGINES } from './support/engines.ts'
import { recount } from './support/recount.ts'

const DATA = { contacts: 300, messages: 3000, now: NOON }

describe('the dashboard', () => {
  test('takes exactly seven queries on a miss and none on a hit', async () => {
    const { services, get } = await startApp({ data: DATA, now: () => NOON })
    const { database } = services
    await get('/api/v1/templates')
    const first = await queriesOf(database, async () =>
      expect((await get('/api/v1/dashboard')).headers['x-cache']).toBe('MISS'),
    )
    expect(first).toHaveLength(7)
    expect(first.every(sql => sql.startsWith('select'))).toBe(true)
    const second = await queriesOf(database, async () =>
      expect((await get('/api/dashboard')).headers['x-cache']).toBe('HIT'),
    )
    expect(second).toEqual([])
  })

  test.each(ENGINES)('shows what a recount of all rows shows, on %s', async engine => {
    const { services, get } = await startApp({ engine, data: DATA, now: () => NOON })
    const shown = (await get('/api/v1/dashboard')).json()
    const counted = await recount(services.database.writer, NOON)
    expect(shown.contacts).toEqual(counted.contacts)
    expect(shown.messages.total).toBe(Object.values(counted.messages).reduce((sum, count) => sum + count, 0))
    const asRecord = (rows: readonly { count: number }[], key: (row: never) => string): Record<string, number> =>
      Object.fromEntries(rows.filter(row => row.count > 0).map(row => [key(row as never), row.count]))
    expect(asRecord(shown.messages.by_status, (row: { status: string }) => row.status)).toEqual(counted.messages)
    expect(asRecord(shown.per_day, (row: { day: string }) => row.day)).toEqual(counted.perDay)
    expect(asRecord(shown.campaigns, (row: { status: string }) => row.status)).toEqual(counted.campaigns)
    const problem = (row: { status: string; error_code: number | null }): string => `${row.status} ${row.error_code}`
    expect(asRecord(shown.problems, problem)).toEqual(counted.problems)
    expect(shown.median_read_ms).toBe(counted.median)
    expect(shown.per_day).toHaveLength(30)
    const largest = [...counted.categories].sort((a, b) => b.contact_count - a.contact_count).slice(0, 10)
    const counts = (rows: readonly { contact_count: number }[]): number[] => rows.map(row => row.contact_count)
    expect(counts(shown.categories)).toEqual(counts(largest))
  })

  test('of an empty database is all zeros, not an error', async () => {
    const { get } = await startApp({ now: () => NOON })
    const answer = await get('/api/v1/dashboard')
    expect(answer.statusCode).toBe(200)
    expect(answer.json()).toMatchObject({
      contacts: { total: 0, new: 0 },
      categories: [],
      messages: { total: 0, by_status: [] },
      campaigns: [],
      problems: [],
      median_read_ms: null,
    })
  })

  test('begins a new period at midnight, whatever is cached', async () => {
    let time = NOON
    const { get } = await startApp({ data: DATA, now: () => time })
    const today = (await get('/api/v1/dashboard')).json()
    time = NOON + 12 * 3_600_000
    const answer = await get('/api/v1/dashboard')
    expect(answer.headers['x-cache']).toBe('MISS')
    expect(answer.json().period.from).toBe(today.period.from + 86_400_000)
  })

  test('tells how old it is, where it came from and how long the server took', async () => {
    const { get } = await startApp({ data: DATA })
    const { headers } = await get('/api/v1/dashboard')
    expect(headers).toMatchObject({ 'x-cache': 'MISS', age: expect.stringMatching(/^\d+$/) })
    expect(headers['server-timing']).toMatch(/^total;dur=\d+\.\d\d$/)
    expect(headers['cache-control']).toBe('private, no-store')
  })

  test('is a miss each time when the cache is switched off', async () => {
    const { services, get } = await startApp({ cache: false, data: DATA })
    const { database } = services
    for (let round = 0; round < 2; round++) {
      const statements = await queriesOf(database, async () =>
        expect((await get('/api/v1/dashboard')).headers['x-cache']).toBe('MISS'),
      )
      // Who asks is looked up by each request, too.
      expect(statements.filter(sql => !sql.includes('api_keys'))).toHaveLength(7)
    }
  })

  test('asked for by many at once is computed once', async () => {
    const { services, get } = await startApp({ data: DATA })
    const { database } = services
    await get('/api/v1/templates')
    const statements = await queriesOf(database, () =>
      Promise.all(Array.from({ length: 20 }, () => get('/api/v1/dashboard'))),
    )
    expect(statements).toHaveLength(7)
  })

  test('leaves the event loop free while it is computed', async () => {
    const { get } = await startApp({ data: { contacts: 500, messages: 25_000 } })
    await get('/healthz')
    let longest = 0
    let last = performance.now()
    const timer = setInterval(() => {
      longest = Math.max(longest, performance.now() - last)
      last = performance.now()
    }, 1)
    const { computed_ms } = (await get('/api/v1/dashboard')).json()
    clearInterval(timer)
    expect(computed_ms).toBeGreaterThan(0)
    expect(longest).toBeLessThan(Math.max(computed_ms / 2, 40))
  })
})

describe('reads', () => {
  test('go on from the database when the cache fails', async () => {
    const { services, warnings, get, post } = await startApp({ data: DATA })
    await services.caching.close()
    const answer = await get('/api/v1/dashboard')
    expect(answer.statusCode).toBe(200)
    expect(answer.headers['x-cache']).toBe('MISS')
    expect((await post('/api/v1/contacts', { name: 'Ada', phone: '+33699999999' })).statusCode).toBe(201)
    expect((await get('/api/v1/dashboard')).json().contacts.total).toBe(DATA.contacts + 1)
    expect(warnings.some(line => line.startsWith('[CACHE ERROR]'))).toBe(true)
  })

  test('of the cache tell how it is doing', async () => {
    const { get } = await startApp({ data: DATA })
    await get('/api/v1/dashboard')
    await get('/api/v1/dashboard')
    expect((await get('/api/cache/stats')).json().types.dashboard).toMatchObject({ hits: 1, misses: 1 })
    expect((await get('/healthz')).json()).toEqual({ status: 'ok' })
  })
})
