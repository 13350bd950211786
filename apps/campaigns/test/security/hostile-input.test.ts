import type { LightMyRequestResponse } from 'fastify'
import { describe, expect, test } from 'vitest'
import { ENGINES } from '../support/engines.ts'
import { attempt, placesOf, sampleOf, withAt } from './described-api.ts'
import { openTarget } from './target.ts'

const HOSTILE = [`'") or 1=1;drop table users;--%_\\`, '\ud800\u{10ffff}\u202e\u{1f469}\u200d${7*7}\udc00', '__proto__']

describe.each(ENGINES)('on %s', engine => {
  test('no text in any field, parameter or address makes an error of ours', async () => {
    const { visitor, services, operations, ids } = await openTarget({ engine })
    const wrong: string[] = []
    const judge = (where: string, text: string, { statusCode, headers, body }: LightMyRequestResponse): void => {
      const isProblem = statusCode < 400 || String(headers['content-type']).startsWith('application/problem+json')
      const isRight = text.includes('\0') ? statusCode >= 400 && statusCode < 500 : statusCode < 500
      if (!isRight || !isProblem) wrong.push(`${where} ${JSON.stringify(text)}: ${statusCode} ${body.slice(0, 120)}`)
    }
    for (const operation of operations) {
      const { line, query, params, body } = operation
      const send = (tried: Parameters<typeof attempt>[3]) => attempt(visitor.send, operation, ids, tried)
      for (const text of [...HOSTILE, 'x\0y']) {
        for (const { name } of query) judge(`${line}?${name}`, text, await send({ query: { [name]: text } }))
        const isNamed = params.some(name => name !== 'version')
        if (isNamed)
          judge(
            line,
            text,
            await send({ id: text, ...(body === undefined ? {} : { body: sampleOf(body, '', false) }) }),
          )
        if (body === undefined) continue
        for (const at of placesOf('string', body)) {
          const sent = withAt(sampleOf(body, '', false), at, text)
          judge(`${line} ${at.join('.')}`, text, await send({ body: sent }))
        }
      }
    }
    expect(wrong).toEqual([])
    expect(await services.database.writer.selectFrom('users').select('id').execute()).not.toEqual([])
  })

  test('no number of any size makes one either', async () => {
    const { visitor, operations, ids } = await openTarget({ engine })
    const wrong: string[] = []
    for (const operation of operations) {
      const { line, query, body = {} } = operation
      for (const at of placesOf('integer', body)) {
        for (const number of [2 ** 31, 2 ** 53, 1e300, -(2 ** 63)]) {
          const sent = withAt(sampleOf(body, '', false), at, number)
          const { statusCode } = await attempt(visitor.send, operation, ids, { body: sent })
          if (statusCode >= 500) wrong.push(`${line} ${at.join('.')} ${number}: ${statusCode}`)
        }
      }
      for (const { name, schema } of query.filter(parameter => parameter.schema.type === 'integer')) {
        for (const number of ['2147483648', '999999999999999', String(schema.minimum ?? 0)]) {
          const { statusCode } = await attempt(visitor.send, operation, ids, { query: { [name]: number } })
          if (statusCode >= 500) wrong.push(`${line}?${name}=${number}: ${statusCode}`)
        }
      }
    }
    // What needs more than one field to come as far as the database.
    for (const number of [2 ** 31, 2 ** 53, 1e300]) {
      const bulk = { action: 'opt_out', filter: { created_from: number, created_to: number } }
      const params = { "'%_\\": { field: `attributes.'"`, fallback: `'"` } }
      const draft = { name: 'Odd', message1_params: params, category_ids: ["'"], account_id: "'" }
      const contact = {
        name: 'Odd',
        phone: '+33612349999',
        attributes: { "'%_\\": `'"`, constructor: 'x', 'a.b': '\ud800' },
      }
      for (const [url, body] of [
        ['contacts/bulk', bulk],
        ['campaigns', draft],
        ['contacts', contact],
      ] as const) {
        const { statusCode } = await visitor.post(`/api/v1/${url}`, body)
        if (statusCode >= 500) wrong.push(`${url} ${number}: ${statusCode}`)
      }
    }
    expect(wrong).toEqual([])
  })
})
