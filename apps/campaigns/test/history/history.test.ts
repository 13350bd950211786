import { describe, expect, test } from 'vitest'
import { SYSTEM } from '../../server/access/actor.ts'
import { difference } from '../../server/history/record.ts'
import { write } from '../../server/work.ts'
import { openSite } from '../access/site.ts'
import { comeIn } from '../access/visitor.ts'
import { NOON, queriesOf } from '../support/app.ts'
import { ENGINES } from '../support/engines.ts'

const HISTORY = '/api/v1/admin/history'

describe('what is kept of a change', () => {
  test('is what differs, and that a secret differs, but never the secret', () => {
    const before = {
      name: 'a',
      token: 'one',
      settings: { smtp: { password: 'p', host: 'h' } },
      list: [{ apiToken: 'x' }],
      same: 1,
    }
    const after = {
      name: 'b',
      token: 'two',
      settings: { smtp: { password: 'q', host: 'h' } },
      list: [{ apiToken: 'y' }],
      same: 1,
    }
    const kept = difference(before, after)
    expect(kept.before).toEqual({
      name: 'a',
      token: '(hidden)',
      settings: { smtp: { password: '(hidden)', host: 'h' } },
      list: [{ apiToken: '(hidden)' }],
    })
    expect(JSON.stringify(kept)).not.toMatch(/one|two|"p"|"q"|"x"|"y"/)
    expect(difference(null, { id: 1, password_hash: 'x', token_enc: 'y' }).after).toEqual({
      id: 1,
      password_hash: '(hidden)',
      token_enc: '(hidden)',
    })
  })

  test('is nothing when the change is undone', async () => {
    const { services } = await openSite()
    const undone = write(services, async work => {
      await work.record({ action: 'create', entity: 'thing', id: 'x', after: { a: 1 } })
      throw new Error('not today')
    })
    await expect(undone).rejects.toThrow('not today')
    expect(await services.database.writer.selectFrom('admin_history').selectAll().execute()).toEqual([])
  })
})

test.each(ENGINES)(
  'on %s the history is filtered and paged with one query, tells who it was, and stays when they are gone',
  async engine => {
    let now = NOON
    const { app, services } = await openSite({ engine, now: () => now })
    const admin = await comeIn(app, services, 'admin')
    const manager = await comeIn(app, services, 'manager')
    const agent = await comeIn(app, services, 'agent')
    const actor = { ...SYSTEM, kind: 'user', userId: manager.id, name: manager.email, ip: '192.0.2.1' } as const
    for (let n = 0; n < 9; n++) {
      now = NOON + 1000 * Math.ceil(n / 2)
      const change = {
        action: n % 3 === 0 ? 'create' : 'update',
        entity: 'contact',
        id: `c${n % 2}`,
        before: { n: n - 1 },
        after: { n },
      }
      await write(services, work => work.record(change), n === 8 ? {} : { actor })
    }
    const read = async (query: string) => {
      let cursor = ''
      const seen: {
        after: { n: number }
        id: string
        actor: string
        admin: unknown
        ip: string | null
        timestamp: number
      }[] = []
      do {
        const statements = await queriesOf(services.database, async () => {
          const answer = await admin.get(`${HISTORY}?limit=2&entity=contact${query}${cursor}`)
          expect(answer.statusCode).toBe(200)
          const page = answer.json()
          seen.push(...page.items)
          cursor = page.next_cursor === null ? '' : `&cursor=${page.next_cursor}`
        })
        expect(statements.filter(sql => sql.includes('admin_history'))).toHaveLength(1)
      } while (cursor !== '')
      return seen
    }
    const numbers = async (query: string) => (await read(query)).map(({ after }) => after.n)
    expect(await numbers('')).toEqual([8, 7, 6, 5, 4, 3, 2, 1, 0])
    expect(await numbers(`&admin=${manager.id}`)).toEqual([7, 6, 5, 4, 3, 2, 1, 0])
    expect(await numbers('&entity_id=c1')).toEqual([7, 5, 3, 1])
    expect(await numbers('&action=create')).toEqual([6, 3, 0])
    expect(await numbers(`&from=${NOON + 1000}&to=${NOON + 3000}`)).toEqual([4, 3, 2, 1])
    const [application, person] = await read('')
    expect(application).toMatchObject({ actor: 'system', admin: null, ip: null, before: { n: 7 }, after: { n: 8 } })
    expect(person).toMatchObject({
      actor: manager.email,
      admin: { id: manager.id, name: 'Some manager' },
      ip: '192.0.2.1',
    })
    const cursor = (await admin.get(`${HISTORY}?limit=1`)).json().next_cursor
    expect((await admin.get(`${HISTORY}?limit=1&action=create&cursor=${cursor}`)).statusCode).toBe(400)
    expect((await agent.get(HISTORY)).statusCode).toBe(403)
    expect((await manager.get(HISTORY)).statusCode).toBe(200)
    await admin.delete(`/api/v1/users/${manager.id}`)
    expect((await read(''))[1]).toMatchObject({ actor: manager.email, admin: null })
  },
)
