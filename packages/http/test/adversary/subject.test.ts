import { createHash, createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { ADAPTERS, onEveryAdapter } from './support/adapters.ts'
import { MIRRORS, mirror } from './support/mirror.ts'
import { ALICE, BOB, CAROL, EVERYBODY, type Page, type User } from './support/site.ts'
import { type Answer, flood, send, type Wire } from './support/wire.ts'

/** What a scope may say by mistake; nobody is named by any of it. */
const NOBODY: readonly (readonly [string, () => unknown])[] = [
  ['undefined', () => undefined],
  ['null', () => null],
  ['an empty text', () => ''],
  ['zero', () => 0],
  ['a number', () => 7],
  ['true', () => true],
  ['an object', () => ({ id: 1 })],
  ['a list', () => ['alice']],
  ['a promise of nothing', () => Promise.resolve(undefined)],
]

const failing = (): never => {
  throw new Error('nobody is known')
}

const PAGES: readonly Page[] = [
  ...MIRRORS,
  ...NOBODY.map(
    ([, whose], i): Page => ({
      path: `/nobody/${i}`,
      scope: 'user',
      whose,
      reply: seen => ({ body: `${seen.user()?.secret}` }),
    }),
  ),
  ...NOBODY.map(
    ([, whose], i): Page => ({
      path: `/norole/${i}`,
      scope: 'role',
      whose,
      reply: seen => ({ body: `${seen.user()?.secret}` }),
    }),
  ),
  { path: '/fails', scope: 'user', whose: failing, reply: seen => ({ body: `${seen.user()?.secret}` }) },
  {
    path: '/fails/later',
    scope: 'user',
    whose: () => Promise.reject(new Error('late')),
    reply: seen => ({ body: `${seen.user()?.secret}` }),
  },
  { path: '/keyed', scope: 'public', key: target => target.split('k=')[1] ?? 'none', reply: mirror },
  { path: '/api', scope: 'public', vary: ['x-api-key'], reply: () => ({ body: 'api' }) },
]

const asUser = (user: User, target: string, method = 'GET'): Wire => ({
  target,
  method,
  headers: [['Cookie', `login=${user.secret}`]],
})

function secretsIn(answer: Answer): readonly string[] {
  return EVERYBODY.map(({ secret }) => secret).filter(secret => answer.all.includes(secret))
}

onEveryAdapter(
  () => ({ pages: PAGES }),
  sites => {
    it('nothing is kept for a subject that is none', async () => {
      const { site } = sites()
      const wrong: string[] = []
      for (const [i, [name]] of NOBODY.entries()) {
        for (const path of [`/nobody/${i}`, `/norole/${i}`]) {
          for (const user of [ALICE, BOB]) {
            const answer = await send(site.port, asUser(user, path))
            if (answer.get('x-cache') !== 'BYPASS' || answer.body.toString() !== user.secret)
              wrong.push(`${path} ${name}`)
          }
        }
      }
      expect(wrong).toEqual([])
      for (const path of ['/fails', '/fails/later']) {
        const answer = await send(site.port, asUser(ALICE, path))
        expect([answer.status, secretsIn(answer)]).toEqual([500, []])
        expect(site.runs(path)).toBe(0)
      }
    })

    it('on one connection each is given its own, in order, and nothing gets out of step', async () => {
      const { site } = sites()
      const users = [ALICE, BOB, CAROL]
      const wires = Array.from({ length: 240 }, (_one, i): Wire => {
        const user = users[i % 3] ?? ALICE
        const page = ['/own/x', '/mine/x', '/public/x', '/role/x'][Math.floor(i / 3) % 4] ?? ''
        const wire = asUser(user, page, i % 7 === 3 ? 'HEAD' : 'GET')
        return i % 5 === 4 ? { ...wire, headers: [...(wire.headers ?? []), ['If-None-Match', '*']] } : wire
      })
      const wrong: string[] = []
      await flood(
        site.port,
        wires,
        (answer, place) => {
          const { target = '', method } = wires[place] ?? {}
          const user = users[place % 3] ?? ALICE
          const isPersonal = target === '/own/x' || target === '/mine/x'
          const isKept = /; (?:hit|stored)/.test(answer.get('cache-status') ?? '')
          const found = secretsIn(answer).filter(secret => secret !== user.secret || (isKept && !isPersonal))
          if (found.length > 0) wrong.push(`${place} ${target}: ${found.join()}`)
          if (![200, 304].includes(answer.status)) wrong.push(`${place} ${target}: status ${answer.status}`)
          const isFull = answer.status === 200 && method === 'GET'
          if (isFull && isPersonal && !answer.body.toString().endsWith(user.secret))
            wrong.push(`${place} ${target}: body`)
        },
        2,
      )
      expect(wrong).toEqual([])
    })

    it('keys that a client chooses are keys and nothing else', async () => {
      const { site } = sites()
      const odd = [
        'campaign:1',
        'whatsapp:x',
        'bull:q',
        '__proto__',
        'constructor',
        '*',
        '?',
        '[a]',
        '{a}',
        '%',
        '%25',
        ':',
        '::',
        '|',
        'a'.repeat(1500),
      ]
      for (const round of ['MISS', 'HIT']) {
        for (const key of odd) {
          const answer = await send(site.port, `/keyed?k=${key.replace('{', '%7B').replace('}', '%7D')}`)
          expect([key, answer.status, answer.get('x-cache')]).toEqual([key, 200, round])
        }
      }
    })

    it('keys show neither who a page belongs to nor what a key of an interface is', async () => {
      const { site } = sites()
      for (const user of EVERYBODY) {
        for (const page of ['/own/x', '/mine/x', '/role/x', '/ours/x']) await send(site.port, asUser(user, page))
      }
      await send(site.port, { target: '/api', headers: [['X-Api-Key', 'secretOfTheInterface']] })
      const keys = await site.keys()
      expect(keys).toContain('/api')
      for (const { name, secret } of [...EVERYBODY, { name: 'secretOfTheInterface', secret: 'secretOfTheInterface' }]) {
        expect(keys).not.toContain(name)
        expect(keys).not.toContain(secret)
      }
    })
  },
)

describe.each(ADAPTERS)('%s, with a secret', (_name, start) => {
  it('nobody without it can say which key belongs to whom', async () => {
    const secret = 'the secret of the application'
    const site = await start({ pages: MIRRORS, options: { secret } })
    try {
      await send(site.port, asUser(ALICE, '/own/x'))
      const keys = await site.keys()
      const beginnings = (digest: (text: string) => string): readonly string[] =>
        ['alice', 'u:alice', `user:alice`].map(text => digest(text).slice(0, 12))
      expect(keys).toContain('/own/x')
      for (const plain of beginnings(text => createHash('sha256').update(text).digest('base64url')))
        expect(keys).not.toContain(plain)
      const keyed = beginnings(text => createHmac('sha256', secret).update(text).digest('base64url'))
      expect(keyed.some(digest => keys.includes(digest))).toBe(true)
      expect(keys).not.toContain(secret)
    } finally {
      await site.close()
    }
  })
})

describe.each(ADAPTERS.filter(([name]) => name.startsWith('express')))(
  '%s, behind middleware that rewrites the target',
  (_name, start) => {
    it('keeps what was rewritten apart from what was asked for', async () => {
      const site = await start({ pages: MIRRORS, isRewritten: true })
      try {
        const rewritten = { target: '/public/a', headers: [['X-Original-URL', '/own/b']] } as const
        await send(site.port, { ...rewritten, headers: [...rewritten.headers, ['Cookie', `login=${ALICE.secret}`]] })
        const plain = await send(site.port, '/public/a')
        expect(secretsIn(plain)).toEqual([])
        expect([plain.status, plain.body.toString().includes('/public/a')]).toEqual([200, true])
        const other = await send(site.port, {
          ...rewritten,
          headers: [...rewritten.headers, ['Cookie', `login=${BOB.secret}`]],
        })
        expect(secretsIn(other)).toEqual([BOB.secret])
        const swapped = await send(site.port, { target: '/own/b', headers: [['X-Original-URL', '/public/a']] })
        expect(secretsIn(swapped)).toEqual([])
      } finally {
        await site.close()
      }
    })
  },
)
