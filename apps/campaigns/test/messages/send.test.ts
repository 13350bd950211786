import { describe, expect, it } from 'vitest'
import { setStage } from '../campaigns/stage.ts'
import { queriesOf } from '../support/app.ts'
import { ENGINES } from '../support/engines.ts'

const HOUR = 3_600_000

describe.each(ENGINES)('single messages on %s', engine => {
  it('are sent once: a text in an open window, a template to who has not opted out', async () => {
    let time = Date.UTC(2026, 10, 2, 12)
    const stage = await setStage({
      engine,
      contacts: 3,
      now: () => time,
      change: index => ({
        ...(index === 0 ? { window_expires_at: time + HOUR } : {}),
        ...(index === 2 ? { opt_out_at: time } : {}),
      }),
    })
    const [open, closed, out] = stage.contactIds
    const send = (body: object) => stage.post('/api/v1/messages', body)
    const template = { id: stage.templates.get('order_update fr'), params: { '1': '42' } }
    expect((await send({ contact_id: open })).statusCode).toBe(400)
    expect((await send({ contact_id: closed, text: 'Bonjour' })).statusCode).toBe(409)
    expect((await send({ contact_id: out, template })).statusCode).toBe(409)
    expect((await send({ contact_id: 'none', text: 'Bonjour' })).statusCode).toBe(404)
    expect((await send({ contact_id: closed, template: { ...template, params: {} } })).statusCode).toBe(400)
    const text = await send({ contact_id: open, text: 'Bonjour' })
    expect(text.statusCode).toBe(202)
    const other = await send({ contact_id: closed, template })
    expect(other.json()).toMatchObject({ status: 'queued', body: 'Votre commande 42 est prête.' })
    await stage.work()
    const { id } = text.json<{ id: string }>()
    expect((await stage.get(`/api/v1/messages/${id}`)).json()).toMatchObject({ status: 'accepted', attempts: 1 })
    expect(stage.fake.sent.map(({ content }) => content.type).sort()).toEqual(['template', 'text'])
    time += HOUR - 30_000
    expect((await send({ contact_id: open, text: 'Encore' })).statusCode).toBe(409)
  })

  it('are tried again after refusals that pass, and by people after they have failed', async () => {
    let time = Date.UTC(2026, 10, 2, 12)
    const stage = await setStage({
      engine,
      contacts: 1,
      now: () => time,
      change: () => ({ window_expires_at: time + 48 * HOUR }),
    })
    const accept = stage.fake.answer
    stage.fake.answer = () => ({ outcome: 'refused', code: 131000, errorClass: 'transient', detail: 'later' })
    const sent = await stage.post('/api/v1/messages', { contact_id: stage.contactIds[0], text: 'Bonjour' })
    const { id } = sent.json<{ id: string }>()
    expect((await stage.post(`/api/v1/messages/${id}/retry`)).statusCode).toBe(409)
    for (let attempt = 0; attempt < 7; attempt++) {
      await stage.work()
      time += HOUR
    }
    expect(stage.fake.sent).toHaveLength(5)
    expect((await stage.get(`/api/v1/messages/${id}`)).json()).toMatchObject({ status: 'failed', error_code: 131000 })
    stage.fake.answer = accept
    const retries = await Promise.all([1, 2].map(() => stage.post(`/api/v1/messages/${id}/retry`)))
    expect(retries.map(response => response.statusCode).toSorted((a, b) => a - b)).toEqual([202, 409])
    await stage.work()
    expect((await stage.get(`/api/v1/messages/${id}`)).json()).toMatchObject({ status: 'accepted', error_code: null })
    expect(new Set(stage.fake.sent.map(({ messageId }) => messageId)).size).toBe(6)
  })

  it('are listed by one query with every filter, and counted through the cache', async () => {
    const stage = await setStage({ engine, contacts: 6 })
    const campaign = await stage.started()
    await stage.work()
    await stage.services.caching.settle()
    const contact = stage.contactIds[0]
    const filters = ['', `status=accepted`, `campaign=${campaign}`, `contact=${contact}`]
    const both = [`status=accepted&campaign=${campaign}`, `contact=${contact}&campaign=${campaign}`]
    await stage.get('/api/v1/messages')
    for (const filter of [...filters, ...both]) {
      const count = filter.includes('contact') ? 1 : 6
      let found = 0
      const queries = await queriesOf(stage.services.database, async () => {
        found = (await stage.get(`/api/v1/messages?${filter}`)).json<{ items: unknown[] }>().items.length
      })
      expect([filter, found, queries.filter(sql => sql.includes('messages')).length]).toEqual([filter, count, 1])
    }
    const stats = await stage.get('/api/v1/messages/stats')
    expect(stats.json()).toMatchObject({ outbound: 6, by_status: [{ status: 'accepted', count: 6 }] })
    expect((await stage.get('/messages/stats')).headers['x-cache']).toBe('HIT')
  })
})
