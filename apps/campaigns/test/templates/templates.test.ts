import { describe, expect, it } from 'vitest'
import { templateContent } from '../../server/messages/content.ts'
import { CloudApiRefusal } from '../../server/whatsapp/errors.ts'
import type { RemoteTemplate } from '../../server/whatsapp/port.ts'
import { ENGINES } from '../support/engines.ts'
import { createFakeWhatsApp, REMOTE, setStage } from '../campaigns/stage.ts'

interface Shown {
  readonly id: string
  readonly name: string
  readonly status: string
  readonly placeholders: readonly string[]
}

const NEW = REMOTE[0] as RemoteTemplate
const ADA = {
  name: 'Ada Lovelace',
  phone_e164: '+33612345678',
  email: null,
  username: null,
  attributes: '{"city":"Paris\\n 75"}',
}

describe.each(ENGINES)('templates on %s', engine => {
  it('are brought up to date by a job, once however often it is asked for, and read through the cache', async () => {
    const whatsapp = createFakeWhatsApp()
    let remote: readonly RemoteTemplate[] = REMOTE
    const stage = await setStage({
      engine,
      contacts: 1,
      whatsapp: { ...whatsapp, templates: () => Promise.resolve(remote) },
    })
    const list = async (): Promise<Shown[]> => (await stage.get('/api/v1/templates')).json<{ items: Shown[] }>().items
    const before = await list()
    expect(before).toHaveLength(REMOTE.length)
    expect(before.find(({ name }) => name === 'spring_offer')?.placeholders).toEqual(['1', '2'])
    remote = [
      ...REMOTE.filter(({ name }) => name !== 'reminder').map(one => ({ ...one, status: 'PAUSED' })),
      { ...NEW, name: 'new' },
    ]
    const asked = await Promise.all([1, 2].map(() => stage.post('/api/v1/templates/sync')))
    expect(asked.map(response => response.statusCode)).toEqual([202, 202])
    await stage.work()
    const after = await list()
    expect(after.map(({ name, status }) => `${name} ${status}`).sort()).toEqual(
      [...before.map(({ name }) => `${name} ${name === 'reminder' ? 'DELETED' : 'PAUSED'}`), 'new APPROVED'].sort(),
    )
    // The same template keeps its id: campaigns name it.
    for (const { id, name } of before) expect(after).toContainEqual(expect.objectContaining({ id, name }))
    expect((await stage.get('/api/v1/templates?status=APPROVED')).json<{ items: Shown[] }>().items).toHaveLength(1)
  })
})

describe('a template for one contact', () => {
  it('is shown as they would read it, or the fields that are missing are named', async () => {
    const stage = await setStage({ contacts: 1 })
    const url = `/api/v1/templates/${stage.templates.get('spring_offer en_US')}/preview`
    const contact_id = stage.contactIds[0]
    const right = await stage.post(url, { contact_id, params: { '1': { field: 'name' }, '2': 'May' } })
    expect(right.json()).toMatchObject({ body: 'Hello Ada 0 👋 Summer starts here: 20% off until May.\nPalier' })
    const wrong = await stage.post(url, { contact_id, params: { '1': { field: 'email' } } })
    expect(wrong.statusCode).toBe(400)
    expect(wrong.json()).toMatchObject({ errors: [{ field: 'body.params', expected: 'a text for each of 1, 2' }] })
  })

  it('fills headers, links and named parameters, on one line each, and takes nothing from the prototype', () => {
    const components = JSON.stringify([
      { type: 'HEADER', format: 'IMAGE' },
      { type: 'BODY', text: '{{city}} and {{name}}' },
      {
        type: 'BUTTONS',
        buttons: [
          { type: 'QUICK_REPLY', text: 'Yes' },
          { type: 'URL', text: 'Go', url: 'https://example.org/{{1}}' },
        ],
      },
    ])
    const template = { name: 'rich', language: 'en', components }
    const params = {
      'header.link': 'https://example.org/a.png',
      city: { field: 'attributes.city' },
      name: 'x',
      'button.1.1': 'promo',
    }
    expect(templateContent(template, params, ADA)?.content).toEqual({
      type: 'template',
      name: 'rich',
      language: 'en',
      components: [
        { type: 'header', parameters: [{ type: 'image', image: { link: 'https://example.org/a.png' } }] },
        {
          type: 'body',
          parameters: [
            { type: 'text', parameter_name: 'city', text: 'Paris 75' },
            { type: 'text', parameter_name: 'name', text: 'x' },
          ],
        },
        { type: 'button', sub_type: 'url', index: '1', parameters: [{ type: 'text', text: 'promo' }] },
      ],
    })
    const none = { name: 'n', language: 'en', components: JSON.stringify([{ type: 'BODY', text: '{{1}}' }]) }
    expect(templateContent(none, { '1': { field: 'attributes.constructor' } }, ADA)).toBeUndefined()
    expect(templateContent(none, { '1': { field: 'email', fallback: 'friend' } }, ADA)?.body).toBe('friend')
  })
})

describe('an account whose token has ended', () => {
  it('makes the job fail with the reason, and changes no template', async () => {
    const templates = () => Promise.reject(new CloudApiRefusal(190, 'token', 'The token has ended.'))
    const stage = await setStage({ contacts: 1, whatsapp: { ...createFakeWhatsApp(), templates } })
    await stage.post('/api/v1/templates/sync')
    await stage.work()
    const job = await stage.services.database.writer
      .selectFrom('jobs')
      .select('last_error')
      .where('name', '=', 'templates.sync')
      .executeTakeFirstOrThrow()
    expect(job.last_error).toContain('The token has ended.')
    const { items } = (await stage.get('/api/v1/templates')).json<{ items: Shown[] }>()
    expect(items).toHaveLength(REMOTE.length)
  })
})
