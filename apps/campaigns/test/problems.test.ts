import { describe, expect, test } from 'vitest'
import { startApp, type TestApp } from './support/app.ts'

interface Case {
  readonly says: string
  readonly send: (app: TestApp) => ReturnType<TestApp['send']>
  readonly status: number
  readonly errors: readonly { readonly field: string; readonly expected: string; readonly received: string }[]
}

const NAME = 'a name of 1 to 120 characters'
const contact = (payload: object) => (app: TestApp) => app.post('/api/v1/contacts', payload)
const get = (url: string) => (app: TestApp) => app.get(url)
const PHONE = 'a phone number in E.164 form: a plus, the country code, 8 to 15 digits in all, such as +33612345678'

const CASES: readonly Case[] = [
  {
    says: 'a missing field',
    send: contact({ phone: '+33612345678' }),
    status: 400,
    errors: [{ field: 'body.name', expected: NAME, received: 'nothing' }],
  },
  {
    says: 'a number where a text belongs',
    send: contact({ name: 12, phone: '+33612345678' }),
    status: 400,
    errors: [{ field: 'body.name', expected: NAME, received: '12' }],
  },
  {
    says: 'a blank name',
    send: contact({ name: '   ', phone: '+33612345678' }),
    status: 400,
    errors: [{ field: 'body.name', expected: NAME, received: '"   "' }],
  },
  {
    says: 'a field nobody knows',
    send: contact({ name: 'Ada', phone: '+33612345678', nick: 'A' }),
    status: 400,
    errors: [
      {
        field: 'body.nick',
        expected: 'no such field; there are name, phone, email, category_ids, attributes, bsuid',
        received: '"A"',
      },
    ],
  },
  {
    says: 'a phone number without a country code',
    send: contact({ name: 'Ada', phone: '0612345678' }),
    status: 400,
    errors: [{ field: 'body.phone', expected: PHONE, received: '"0612345678"' }],
  },
  {
    says: 'two wrong fields at once',
    send: contact({ name: 'Ada', phone: '+0', email: 'nobody' }),
    status: 400,
    errors: [
      { field: 'body.phone', expected: PHONE, received: '"+0"' },
      {
        field: 'body.email',
        expected: 'an e-mail address of at most 254 characters, such as ada@example.org',
        received: '"nobody"',
      },
    ],
  },
  {
    says: 'a limit that is no number',
    send: get('/api/v1/contacts?limit=ten'),
    status: 400,
    errors: [{ field: 'query.limit', expected: 'a whole number from 1 to 200', received: '"ten"' }],
  },
  {
    says: 'a limit out of bounds',
    send: get('/api/v1/messages?limit=201'),
    status: 400,
    errors: [{ field: 'query.limit', expected: 'a whole number from 1 to 200', received: '201' }],
  },
  {
    says: 'a status that does not exist',
    send: get('/api/v1/messages?status=lost'),
    status: 400,
    errors: [
      {
        field: 'query.status',
        expected:
          'one of "queued", "sending", "accepted", "sent", "delivered", "read", "failed", "skipped", "no_interaction", "received"',
        received: '"lost"',
      },
    ],
  },
  {
    says: 'a cursor of its own making',
    send: get('/api/v1/contacts?cursor=WzEsImEiXQ'),
    status: 400,
    errors: [
      {
        field: 'query.cursor',
        expected: 'the next_cursor of an answer to the same list with the same filters',
        received: '"WzEsImEiXQ"',
      },
    ],
  },
  {
    says: 'a colour that is none',
    send: app => app.post('/api/v1/categories', { name: 'Press', color: 'red' }),
    status: 400,
    errors: [{ field: 'body.color', expected: 'a colour such as #0f766e', received: '"red"' }],
  },
]

describe('problems', () => {
  test.each(CASES)('tell the field, what was expected and what came: $says', async ({ send, status, errors }) => {
    const answer = await send(await startApp())
    expect(answer.headers['content-type']).toContain('application/problem+json')
    expect(answer.statusCode).toBe(status)
    expect(answer.json()).toMatchObject({ status, errors, title: 'The request is not valid' })
  })

  test('are given for broken JSON, another media type, an unknown address and a body too large', async () => {
    const { send, get } = await startApp()
    const url = '/api/v1/contacts'
    const json = { 'content-type': 'application/json' }
    const answers = [
      [await send({ method: 'POST', url, headers: json, payload: '{"name":' }), 400],
      [await send({ method: 'POST', url, headers: { 'content-type': 'text/plain' }, payload: 'x' }), 415],
      [await send({ method: 'POST', url, headers: json, payload: JSON.stringify({ name: 'x'.repeat(300_000) }) }), 413],
      [await send({ method: 'POST', url: `${url}/import`, payload: {} }), 415],
      [await get('/api/v1/nothing'), 404],
      [await get('/api/v1/contacts/none'), 404],
    ] as const
    for (const [answer, status] of answers) {
      expect(answer.headers['content-type']).toContain('application/problem+json')
      expect(answer.json()).toMatchObject({ type: 'about:blank', status })
      expect(answer.statusCode).toBe(status)
    }
  })

  test('say nothing of the inside when the fault is ours', async () => {
    const { services, get } = await startApp()
    await services.database.writer.schema.dropTable('messages').execute()
    const answer = await get('/api/v1/messages')
    expect(answer.statusCode).toBe(500)
    expect(answer.headers['content-type']).toContain('application/problem+json')
    expect(answer.body).not.toMatch(/sqlite|table|messages'/i)
  })
})
