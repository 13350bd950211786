import { describe, expect, test } from 'vitest'
import { NOON, queriesOf, startApp } from '../support/app.ts'
import { ENGINES } from '../support/engines.ts'
import { findSamples, readsOf } from '../support/reads.ts'

const DATA = { contacts: 300, messages: 3000, now: NOON }

describe.each(ENGINES)('queries on %s', engine => {
  test('are as many for a long page as for a short one, and for the second page as for the first', async () => {
    const app = await startApp({ engine, data: DATA, cache: false, now: () => NOON })
    const { database } = app.services
    const reads = readsOf(await findSamples(app.services, app.userId))
    const counts: Record<string, readonly number[]> = {}
    // That a key was used is noted once in a while.
    await app.get('/api/v1/templates')
    for (const { name, path, limit } of reads) {
      if (limit === undefined) continue
      const ask = async (query: string): Promise<{ readonly queries: number; readonly cursor: string | null }> => {
        let cursor: string | null = null
        const queries = await queriesOf(database, async () => {
          const answer = await app.get(`${path}&${query}`)
          expect({ path, status: answer.statusCode, body: answer.statusCode === 200 ? '' : answer.body }).toEqual({
            path,
            status: 200,
            body: '',
          })
          cursor = answer.json().next_cursor
        })
        return { queries: queries.length, cursor }
      }
      const short = await ask('limit=5')
      const long = await ask(`limit=${limit}`)
      const next = short.cursor === null ? short : await ask(`limit=5&cursor=${encodeURIComponent(short.cursor)}`)
      counts[name] = [short.queries, long.queries, next.queries]
    }
    const uneven = Object.entries(counts).filter(([, all]) => new Set(all).size > 1)
    expect(Object.fromEntries(uneven)).toEqual({})
    // Who asks is looked up by every request when nothing is cached.
    const most = Object.entries(counts).filter(([, [first = 0]]) => first > 6)
    expect(Object.fromEntries(most)).toEqual({})
  })

  test('are one for all categories with their counts, and seven for the dashboard, and none when they are cached', async () => {
    const app = await startApp({ engine, data: DATA, now: () => NOON })
    const { database } = app.services
    // From here on the caller is known.
    await app.get('/api/v1/templates')
    for (const [path, expected] of [
      ['/api/v1/categories', 1],
      ['/api/v1/dashboard', 7],
      ['/api/v1/messages/stats', 2],
    ] as const) {
      const miss = await queriesOf(database, async () => expect((await app.get(path)).headers['x-cache']).toBe('MISS'))
      expect(miss).toHaveLength(expected)
      expect(miss.every(statement => statement.startsWith('select'))).toBe(true)
      const hit = await queriesOf(database, async () => expect((await app.get(path)).headers['x-cache']).toBe('HIT'))
      expect(hit).toEqual([])
    }
  })
})
