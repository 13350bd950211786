import { describe, expect, test } from 'vitest'
import { ENGINES, freshDatabase } from '../support/engines.ts'
import { startApp } from '../support/app.ts'
import { freshDirectory } from '../support/fresh-directory.ts'

const URL = '/api/v1/settings'

describe('settings', () => {
  test('show their values, what each is for, and which nobody has set', async () => {
    const { get, patch } = await startApp()
    const before = (await get(URL)).json()
    expect(before.values).toMatchObject({ company_name: 'Campaigns', rate_per_minute: 1200 })
    expect(before.defaults).toHaveLength(Object.keys(before.values).length)
    const described = Object.values<{ description: string }>(before.schema.properties)
    for (const { description } of described) expect(description).toMatch(/\w{3}/)

    const changed = await patch(URL, { company_name: 'Acme', opt_out_words: ['halt'] })
    expect(changed.json().values).toMatchObject({ company_name: 'Acme', opt_out_words: ['halt'] })
    const after = (await get(URL)).json()
    expect(after).toEqual(changed.json())
    expect(after.defaults).not.toContain('company_name')
    expect(after.defaults).toHaveLength(before.defaults.length - 2)
  })

  test('refuse what the schema refuses, whole, and say which field', async () => {
    const { get, patch } = await startApp()
    const before = (await get(URL)).json()
    const bad = [
      [{ rate_per_minute: 0 }, 'body.rate_per_minute'],
      [{ rate_per_minute: '12' }, 'body.rate_per_minute'],
      [{ default_country: 'France' }, 'body.default_country'],
      [{ mail_from: 'nobody' }, 'body.mail_from'],
      [{ company_name: '  ' }, 'body.company_name'],
      [{ company_name: 'Acme', unknown: 1 }, 'body.unknown'],
      [{ database_id: 'mine' }, 'body.database_id'],
      [{ cursor_secret: 'mine' }, 'body.cursor_secret'],
      [{}, 'body'],
    ] as const
    for (const [body, field] of bad) {
      const answer = await patch(URL, body)
      expect([answer.statusCode, answer.json().errors?.[0]?.field ?? 'body']).toEqual([400, field])
    }
    expect((await get(URL)).json()).toEqual(before)
  })

  test('never show or touch what else the table holds', async () => {
    const { get, delete: remove, services } = await startApp()
    const { body } = await get(URL)
    expect(body).not.toMatch(/database_id|cursor_secret/)
    for (const key of ['database_id', 'cursor_secret', 'unknown', '__proto__', 'constructor']) {
      expect((await remove(`${URL}/${key}`)).statusCode).toBe(404)
    }
    const rows = await services.database.writer.selectFrom('settings').select('key').execute()
    expect(rows.map(row => row.key).sort()).toEqual(['cursor_secret', 'database_id'])
  })

  test('are for managers to read and for administrators to change', async () => {
    const { as, app } = await startApp()
    const manager = await as('manager')
    expect((await manager.get(URL)).statusCode).toBe(200)
    expect((await manager.patch(URL, { accept_late: true })).statusCode).toBe(403)
    expect((await manager.delete(`${URL}/accept_late`)).statusCode).toBe(403)
    expect((await (await as('agent')).get(URL)).statusCode).toBe(403)
    expect((await app.inject({ url: URL })).statusCode).toBe(401)
  })

  test('ignore a row that the schema of today refuses', async () => {
    const { get, services } = await startApp()
    const rows = [
      { key: 'rate_per_minute', value: '"fast"' },
      { key: 'accept_late', value: 'not json' },
      { key: 'jobs_days', value: '7' },
    ]
    await services.database.writer
      .insertInto('settings')
      .values(rows.map(row => ({ ...row, updated_by: null, updated_at: 1 })))
      .execute()
    const { values, defaults } = (await get(URL)).json()
    expect(values).toMatchObject({ rate_per_minute: 1200, accept_late: false, jobs_days: 7 })
    expect(defaults).toContain('rate_per_minute')
    expect(defaults).not.toContain('jobs_days')
  })
})

describe.each(ENGINES)('settings on %s', engine => {
  test('hold at once in every process, and the history tells each change', async () => {
    const url = await freshDatabase(engine)
    const directory = freshDirectory()
    const one = await startApp({ url, directory })
    const other = await startApp({ url, directory })
    expect((await other.services.settings.read()).company_name).toBe('Campaigns')

    await one.patch(URL, { company_name: 'Acme', accept_late: false })
    expect((await other.services.settings.read()).company_name).toBe('Acme')
    await other.patch(URL, { company_name: 'Acme' })
    const reset = await other.delete(`${URL}/company_name`)
    expect(reset.json().values.company_name).toBe('Campaigns')
    expect((await one.services.settings.read()).company_name).toBe('Campaigns')
    expect((await one.get(URL)).headers['x-cache']).toBe('HIT')
    expect((await one.get(URL)).json()).toEqual(reset.json())

    const history = await one.services.database.writer
      .selectFrom('admin_history')
      .select(['action', 'entity_id', 'before', 'after', 'admin_id'])
      .where('entity', '=', 'setting')
      .orderBy('id')
      .execute()
    const named = history.filter(row => row.entity_id === 'company_name')
    expect(named).toEqual([
      {
        action: 'update',
        entity_id: 'company_name',
        before: '{"value":"Campaigns"}',
        after: '{"value":"Acme"}',
        admin_id: one.userId,
      },
      {
        action: 'reset',
        entity_id: 'company_name',
        before: '{"value":"Acme"}',
        after: '{"value":"Campaigns"}',
        admin_id: other.userId,
      },
    ])
  })

  test('changed from many sides at once, each change finds what the one before it left', async () => {
    const { patch, services } = await startApp({ engine })
    const rates = Array.from({ length: 8 }, (_, index) => 100 + index)
    await Promise.all(rates.map(rate_per_minute => patch(URL, { rate_per_minute })))
    const rows = await services.database.writer
      .selectFrom('admin_history')
      .select(['before', 'after'])
      .where('entity', '=', 'setting')
      .execute()
    const found = new Map(rows.map(({ before, after }) => [before, after]))
    expect(found.size).toBe(rates.length)
    let value: string | null | undefined = '{"value":1200}'
    for (const _ of rates) value = found.get(value ?? null)
    expect(value).toBe(JSON.stringify({ value: (await services.settings.read()).rate_per_minute }))
  })
})
