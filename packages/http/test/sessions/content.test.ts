import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { contentOf, cookieEnd, fieldsOf, merge, sameCookie } from '../../src/sessions/content.ts'

const text = (fields: object): string => JSON.stringify(fields)
const merged = (base: object, mine: object, theirs: object): unknown =>
  fieldsOf(merge(text(base), text(mine), text(theirs)))

describe('merge', () => {
  test('takes from each what it has changed, added and dropped', () => {
    expect(merged({ a: 1, b: 1, c: 1 }, { a: 2, b: 1, d: 1 }, { a: 1, b: 3, c: 1, e: 1 })).toEqual({
      a: 2,
      b: 3,
      d: 1,
      e: 1,
    })
  })

  test('keeps what both have dropped away, and lets mine win where both have changed', () => {
    expect(merged({ a: 1, b: 1 }, { b: 2 }, { b: 3 })).toEqual({ b: 2 })
    expect(merged({ a: 1 }, {}, { a: 2 })).toEqual({})
    expect(merged({ a: 1 }, { a: 2 }, {})).toEqual({ a: 2 })
  })

  test('looks at fields as a whole', () => {
    expect(merged({ cart: { tea: 1 } }, { cart: { tea: 2 } }, { cart: { tea: 1, milk: 1 } })).toEqual({
      cart: { tea: 2 },
    })
  })

  const fields = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), fc.integer({ min: 0, max: 2 }))

  test('obeys its rules for any three', () => {
    fc.assert(
      fc.property(fields, fields, fields, (base, mine, theirs) => {
        expect(merged(base, base, theirs)).toEqual({ ...theirs })
        expect(merged(base, mine, base)).toEqual({ ...mine })
        for (const name of ['a', 'b', 'c', 'd']) {
          const expected = mine[name] === base[name] ? theirs[name] : mine[name]
          expect((merged(base, mine, theirs) as Record<string, unknown>)[name]).toBe(expected)
        }
      }),
    )
  })
})

test('a session is its own fields and its cookie, as JSON has them', () => {
  class Live {
    readonly cookie = { expires: new Date(0), toJSON: () => ({ expires: new Date(0), path: '/' }) }
    readonly user = { since: new Date(0), nothing: undefined }
    readonly sessionId = 'secret'
    get inherited(): string {
      return 'not kept'
    }
  }
  expect(contentOf(new Live(), ['sessionId'])).toEqual({
    data: '{"user":{"since":"1970-01-01T00:00:00.000Z"}}',
    cookie: { expires: '1970-01-01T00:00:00.000Z', path: '/' },
  })
  expect(contentOf({}, [])).toEqual({ data: '{}', cookie: undefined })
  for (const wrong of [undefined, null, 'text', [1], { big: 1n }]) {
    expect(() => contentOf(wrong, [])).toThrow(expect.objectContaining({ code: 'PALIER_NOT_ENCODABLE' }))
  }
})

test('what is no object of JSON has no fields', () => {
  for (const wrong of ['', '{', 'null', '[]', '1']) expect(fieldsOf(wrong)).toBeUndefined()
  const fields = fieldsOf('{"\\u005f_proto__":{"admin":true},"a":[{"__proto__":1}],"user":"\\u0000"}')
  expect(fields).toEqual({ a: [{}], user: '\0' })
  expect(Object.getPrototypeOf(fields)).toBe(Object.prototype)
})

test('a cookie ends when it says, if it says', () => {
  expect(cookieEnd({ expires: '2030-01-01T00:00:00.000Z' })).toBe(Date.UTC(2030, 0, 1))
  for (const open of [undefined, {}, { expires: null }, { expires: 'never' }]) expect(cookieEnd(open)).toBeUndefined()
})

test('two cookies are the same whatever their times and the order of their fields', () => {
  expect(sameCookie({ path: '/', secure: true, expires: 'a' }, { originalMaxAge: 1, secure: true, path: '/' })).toBe(
    true,
  )
  expect(sameCookie({ path: '/' }, { path: '/app' })).toBe(false)
  expect(sameCookie(undefined, {})).toBe(true)
})
