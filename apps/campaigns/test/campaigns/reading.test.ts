import { parse } from 'csv-parse/sync'
import { describe, expect, it } from 'vitest'
import type { MessageTable } from '../../server/database/schema.ts'
import { queriesOf } from '../support/app.ts'
import { ENGINES } from '../support/engines.ts'
import { setStage, type Stage } from './stage.ts'

type Json = Record<string, unknown>

const NOVEMBER = Date.UTC(2026, 10, 2, 12)

async function change(stage: Stage, id: string, patch: Partial<MessageTable>): Promise<void> {
  await stage.services.database.writer.updateTable('messages').set(patch).where('id', '=', id).execute()
}

describe.each(ENGINES)('what is read of a campaign on %s', engine => {
  it('pages through recipients and reports all of them as CSV that no spreadsheet runs', async () => {
    const names = ['=cmd|calc', '+1', '-1', '@sum', 'Zoë "the", first', '\tTab', 'Plain']
    const stage = await setStage({ engine, contacts: names.length, change: index => ({ name: names[index] ?? '' }) })
    const id = await stage.started()
    await stage.work()
    const seen: string[] = []
    let cursor: string | null = null
    do {
      const query: string = cursor === null ? '' : `&cursor=${cursor}`
      const page = (await stage.get(`/api/v1/campaigns/${id}/recipients?status=accepted&limit=3${query}`)).json<{
        items: { contact: { name: string } }[]
        next_cursor: string | null
      }>()
      seen.push(...page.items.map(item => item.contact.name))
      cursor = page.next_cursor
    } while (cursor !== null)
    expect(seen).toEqual(names)
    const response = await stage.get(`/api/v1/campaigns/${id}/export`)
    expect(response.headers['content-type']).toContain('text/csv')
    const rows = parse<Record<string, string>>(response.body, { bom: true, columns: true, relax_quotes: false })
    expect(rows.map(row => row['name'])).toEqual([
      "'=cmd|calc",
      "'+1",
      "'-1",
      "'@sum",
      'Zoë "the", first',
      "'\tTab",
      'Plain',
    ])
    expect(rows[0]).toMatchObject({ status: 'accepted', phone: '+33600000000', attempts: '1' })
    expect((await (await stage.as('agent')).get(`/api/v1/campaigns/${id}/export`)).statusCode).toBe(403)
  })

  it('asks a constant number of queries, whatever the size of the page', async () => {
    const stage = await setStage({ engine, contacts: 12 })
    const id = await stage.started()
    await stage.work()
    for (let index = 0; index < 6; index++) await stage.draft()
    const { database } = stage.services
    // Who asks is looked up as well, from the cache when it answers in time.
    const count = async (url: string): Promise<number> =>
      (await queriesOf(database, () => stage.get(url))).filter(sql => /campaign|messages/.test(sql)).length
    await count('/api/v1/campaigns')
    for (const url of ['/api/v1/campaigns', `/api/v1/campaigns/${id}/recipients`, `/api/v1/messages`]) {
      expect([url, await count(`${url}?limit=2`)]).toEqual([url, await count(`${url}?limit=10`)])
    }
    // What the run has changed is forgotten by now, not between the two reads.
    await stage.services.caching.settle()
    await stage.get(`/api/v1/campaigns/${id}/stats`)
    expect(await count(`/api/v1/campaigns/${id}/stats`)).toBe(0)
  })

  it('keeps the statistics in the cache and forgets them with each change', async () => {
    const stage = await setStage({ engine, contacts: 5 })
    const id = await stage.started()
    const read = async (): Promise<Json> => (await stage.get(`/api/v1/campaigns/${id}/stats`)).json<Json>()
    expect(await read()).toMatchObject({ planned: false, total: 0 })
    await stage.work()
    await stage.services.caching.settle()
    expect(await read()).toMatchObject({ planned: true, total: 5, queued: 0, awaiting: 5, status: 'running' })
    expect((await stage.get(`/api/v1/campaigns/${id}/stats`)).headers['x-cache']).toBe('HIT')
    await stage.order(id, 'pause')
    expect(await read()).toMatchObject({ status: 'paused' })
    expect((await stage.get('/api/v1/campaigns/none/stats')).statusCode).toBe(404)
  })

  it('adds up what messages cost: by country and day, less what the number may send for nothing', async () => {
    const phones = ['+33612345678', '+33612345679', '+4915112345678', '+14155550100']
    const stage = await setStage({
      engine,
      contacts: 4,
      now: () => NOVEMBER,
      change: index => ({ phone_e164: phones[index] ?? null }),
    })
    const before = Date.UTC(2026, 9, 1)
    const rate = { currency: 'EUR', free_per_month: 0, effective_from: before }
    const rates = [
      { ...rate, category: 'marketing', country: '*', micros: 10 },
      { ...rate, category: 'marketing', country: 'FR', micros: 100 },
      { ...rate, category: 'marketing', country: 'FR', micros: 200, effective_from: NOVEMBER },
      { ...rate, category: 'marketing', country: 'DE', micros: 1000, currency: 'USD' },
      { ...rate, category: 'service', country: '*', micros: 7, free_per_month: 2 },
    ]
    expect((await stage.get('/api/v1/whatsapp/rates')).json()).toMatchObject({ examples: true })
    expect((await stage.put('/api/v1/whatsapp/rates', { rates: [rates[0], rates[0]] })).statusCode).toBe(400)
    expect((await stage.put('/api/v1/whatsapp/rates', { rates })).json()).toMatchObject({ examples: false })
    const id = await stage.started()
    await stage.work()
    const messages = await stage.messages(id)
    for (const [index, message] of messages.entries()) {
      const sent_at = index === 0 ? NOVEMBER - 1 : NOVEMBER
      await change(stage, message.id, { billable: 1, pricing_category: 'marketing', sent_at })
    }
    const { database, newId } = stage.services
    const seconds = messages.map((message, index) => ({
      ...message,
      id: newId(),
      step: 2,
      wamid: null,
      pricing_category: 'service',
      billable: 1,
      sent_at: NOVEMBER + index,
    }))
    await database.writer.insertInto('messages').values(seconds).execute()
    await stage.services.caching.cache.deleteByTags([`campaign:${id}`])
    const { cost } = (await stage.get(`/api/v1/campaigns/${id}/stats`)).json<{ cost: Json }>()
    expect(cost).toEqual({
      amounts: [
        { currency: 'EUR', micros: 100 + 200 + 10 + 2 * 7 },
        { currency: 'USD', micros: 1000 },
      ],
      billable: 8,
      free: 2,
      unpriced: 0,
      example_rates: false,
    })
  })

  it('shows before the start who would be reached and what they would read', async () => {
    const stage = await setStage({
      engine,
      contacts: 4,
      change: index => (index === 0 ? { opt_out_at: 1 } : { name: `Élodie ${index}` }),
    })
    const id = await stage.draft()
    const preview = (await stage.get(`/api/v1/campaigns/${id}/preview`)).json<{ samples: Json[] }>()
    expect(preview).toMatchObject({
      audience: { total: 4, opted_out: 1, no_opt_in: 0, no_identifier: 0, reachable: 3 },
      missing: [],
    })
    expect(preview.samples[1]).toMatchObject({
      message1: 'Bonjour Élodie 👋 L’été commence : -20 % jusqu’au 31 août.\nPalier',
      message2: 'Merci Élodie !',
    })
    expect(preview.samples).toHaveLength(3)
  })
})
