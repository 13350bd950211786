import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { manualClock } from 'palier/testing'
import { parseList } from 'structured-headers'
import { describe, expect, it } from 'vitest'
import { ADAPTERS, onEveryAdapter } from './support/adapters.ts'
import { MIRRORS, mirror } from './support/mirror.ts'
import { ALICE, BOB, type Page, type Seen } from './support/site.ts'
import { TRICKS } from './support/tricks.ts'
import { type Answer, send, type Wire } from './support/wire.ts'

const VARIED = ['x-tenant', 'user-agent']

const queryOf = (seen: Seen): URLSearchParams => new URL(seen.target(), 'http://site.test').searchParams

const PAGES: readonly Page[] = [
  ...MIRRORS,
  {
    path: '/split',
    scope: 'public',
    reply: seen => ({ headers: { 'x-value': queryOf(seen).get('v') ?? '' }, body: 'split' }),
  },
  {
    path: '/moved',
    scope: 'public',
    reply: seen => ({ status: 301, headers: { location: `/to/${encodeURIComponent(queryOf(seen).get('to') ?? '')}` } }),
  },
  {
    path: '/chosen/whole/:case',
    scope: 'public',
    query: ['a'],
    reply: seen => ({ headers: { 'x-target': encodeURIComponent(seen.target()) }, body: JSON.stringify(mirror(seen)) }),
  },
  { path: '/beside', scope: 'public', reply: seen => ({ body: JSON.stringify(seen.beside() ?? null) }) },
  { path: '/address', scope: 'public', reply: seen => ({ body: JSON.stringify(seen.address()) }) },
  {
    path: '/keyed',
    scope: 'public',
    key: target => new URL(target, 'http://site.test').searchParams.get('k') ?? 'none',
    reply: mirror,
  },
]

/** What the handler gives to a request that has the same key and says nothing else. */
function neutral({ target, host = 'site.test', headers = [] }: Wire, vary: readonly string[]): Wire {
  const kept = headers.filter(([name]) => vary.includes(name.toLowerCase()))
  return { target, host: host === false ? false : host.toLowerCase(), headers: kept }
}

const isKept = (answer: Answer): boolean => /; (?:hit|stored)/.test(answer.get('cache-status') ?? '')

interface Contents {
  readonly status: number
  readonly body: string
  readonly mirror: string | undefined
}

const contentsOf = (answer: Answer): Contents => ({
  status: answer.status,
  body: answer.body.toString(),
  mirror: answer.get('x-mirror'),
})

onEveryAdapter(
  () => ({ pages: PAGES }),
  (sites, adapter) => {
    it.each(['/public', '/varied'])('%s: what is kept is what anybody would have been given', async page => {
      const { site, twin } = sites()
      const vary = page === '/varied' ? VARIED : []
      const tricks =
        page === '/varied'
          ? TRICKS.filter(({ name }) => /every header|twice|x-tenant|suffix .*\||odd letters/i.test(name))
          : TRICKS
      const poisoned: string[] = []
      let kept = 0
      await Promise.all(
        tricks.map(async (trick, i) => {
          const plain: Wire = {
            target: `${page}/c${i}`,
            headers: vary.map(name => [name, 'plain'] as const),
          }
          const tricky = trick.apply({ target: plain.target }, ALICE.secret)
          const first = await send(site.port, tricky)
          // A request without a host has one all the same where there are only whole URLs.
          const same = isKept(first) && first.status === 200 && tricky.method !== 'HEAD' && tricky.host !== false
          const pairs: (readonly [Answer, Wire])[] = same ? [[first, neutral(tricky, vary)]] : []
          pairs.push([await send(site.port, plain), plain])
          for (const [given, wire] of pairs) {
            const expected = contentsOf(await send(twin.port, wire))
            const got = contentsOf(given)
            if (isKept(given)) kept++
            const isSame =
              got.status === expected.status && got.body === expected.body && got.mirror === expected.mirror
            if (!isSame) poisoned.push(trick.name.slice(0, 60))
          }
        }),
      )
      expect([...new Set(poisoned)]).toEqual([])
      // Else there was nothing to poison.
      expect(kept).toBeGreaterThanOrEqual(tricks.length)
    })

    it('keys of different requests never meet, whatever stands in them', async () => {
      const { site, twin } = sites()
      const odd = fc.array(
        fc.constantFrom('|', '||', '=', ':', '%', '%7C', '&', '>', '#', ' ', 'u:', 'r:', 'a', 'x-tenant', 'é'),
        {
          maxLength: 4,
        },
      )
      const text = odd.map(parts => parts.join('').trim())
      const request = fc.record({
        path: text.map(part => encodeURI(part).replace(/[#?]/g, '')),
        query: text.map(part => encodeURI(part).replace(/#/g, '')),
        tenant: fc.option(text, { nil: undefined }),
        agent: fc.option(text, { nil: undefined }),
        host: fc.constantFrom('site.test', 'a.site.test', 'site.test:80'),
      })
      const wireOf = ({
        path,
        query,
        tenant,
        agent,
        host,
      }: typeof request extends fc.Arbitrary<infer R> ? R : never): Wire => ({
        target: `/varied/x${path}${query === '' ? '' : `?${query}`}`,
        host,
        headers: [
          ...(tenant === undefined ? [] : [['X-Tenant', tenant] as const]),
          ...(agent === undefined ? [] : [['User-Agent', agent] as const]),
        ],
      })
      await fc.assert(
        fc.asyncProperty(fc.array(request, { minLength: 2, maxLength: 5 }), async requests => {
          await site.clear()
          for (const one of [...requests, ...requests]) {
            const wire = wireOf(one)
            const [given, expected] = await Promise.all([send(site.port, wire), send(twin.port, wire)])
            expect(contentsOf(given)).toEqual(contentsOf(expected))
          }
        }),
        { numRuns: 15, seed: 7 + adapter.length },
      )
    })

    it('values that look like other parts of a key are no other parts', async () => {
      const { site, twin } = sites()
      const wires: readonly Wire[] = [
        { target: '/varied/x', headers: [['User-Agent', 'a|x-tenant=b']] },
        {
          target: '/varied/x',
          headers: [
            ['User-Agent', 'a'],
            ['X-Tenant', 'b|x-tenant'],
          ],
        },
        {
          target: '/varied/x',
          headers: [
            ['User-Agent', 'a'],
            ['X-Tenant', 'b'],
          ],
        },
        { target: '/varied/x|user-agent=a', headers: [] },
        { target: '/varied/x', headers: [['User-Agent', 'a|user-agent']] },
        {
          target: '/varied/x',
          headers: [
            ['User-Agent', 'a'],
            ['X-Tenant', ''],
          ],
        },
        { target: '/varied/x', headers: [['User-Agent', 'a']] },
        { target: '/varied/x?q|user-agent', headers: [] },
        { target: '/varied/x?q', headers: [['User-Agent', '|user-agent']] },
      ]
      for (const wire of [...wires, ...wires]) {
        const [given, expected] = [await send(site.port, wire), await send(twin.port, wire)]
        expect(contentsOf(given)).toEqual(contentsOf(expected))
      }
    })

    it.each(['/chosen/x', '/chosen/whole/x'])(
      '%s: shows the handler the chosen parameters and no other',
      async path => {
        const { port } = sites().site
        const secret = ALICE.secret
        const first = await send(port, `${path}?b=${secret}&a=1&a[]=${secret}&__proto__[a]=${secret}&A=${secret}`)
        const second = await send(port, `${path}?a=1&c=2`)
        expect(first.all).not.toContain(secret)
        expect(second.get('x-cache')).toBe('HIT')
        expect(second.body.toString()).toBe(first.body.toString())
        expect(second.get('x-target') ?? '%3Fa%3D1').toMatch(/%3Fa%3D1$/)
      },
    )

    it('the address of one client is not told to another', async () => {
      const { port } = sites().site
      await send(port, '/address')
      const answer = await send(port, { target: '/address', from: '127.0.0.9' })
      expect(answer.status).toBe(200)
      expect(answer.all).not.toContain('127.0.0.1')
    })

    it('what earlier middleware has left for one client is not told to another', async () => {
      const { port } = sites().site
      await send(port, { target: '/beside', headers: [['Cookie', `login=${ALICE.secret}`]] })
      for (const headers of [[], [['Cookie', `login=${BOB.secret}`]]] as const) {
        const answer = await send(port, { target: '/beside', headers })
        expect([answer.status, answer.all.includes(ALICE.secret)]).toEqual([200, false])
      }
    })

    it('a host that is no part of a key does not shape what is kept under it', async () => {
      const { port } = sites().site
      await send(port, { target: '/keyed?k=one', host: 'evil.test' })
      const answer = await send(port, '/keyed?k=one')
      expect([answer.status, answer.all.includes('evil.test')]).toEqual([200, false])
    })

    it('a value of a request splits no response, and what fails because of it is not kept', async () => {
      const { site } = sites()
      const bad = '/split?v=%0d%0aX-Injected:%20yes%0d%0a%0d%0a<html>'
      for (const answer of [await send(site.port, bad), await send(site.port, bad)]) {
        expect(answer.status).toBe(500)
        expect(answer.get('x-injected')).toBeUndefined()
        expect(isKept(answer)).toBe(false)
      }
      const moved = await send(site.port, '/moved?to=%0d%0aSet-Cookie:%20a=b')
      expect(moved.status).toBe(301)
      expect(moved.get('set-cookie')).toBeUndefined()
      const other = await send(site.port, '/moved?to=there')
      expect(other.get('location')).toBe('/to/there')
    })

    it('a key that a client made up opens nobody else’s page', async () => {
      const { port } = sites().site
      const login = [['Cookie', `login=${ALICE.secret}`]] as const
      expect((await send(port, { target: '/own/x', headers: login })).get('cache-status')).toContain('stored')
      const digest = createHash('sha256').update('u:alice').digest('base64url').slice(0, 32)
      for (const scheme of ['', 'https://', 'http://']) {
        const key = `GET ${scheme}site.test/own/x|u:${digest}`
        const stolen = await send(port, `/keyed?k=${encodeURIComponent(key)}`)
        expect(stolen.all.includes(ALICE.secret)).toBe(false)
      }
    })

    it('a key that a client made up puts nothing in the place of another page', async () => {
      const { site, twin } = sites()
      const keys = ['GET site.test/public/x', 'GET site.test/varied/x|user-agent|x-tenant', 'GET site.test/moved?to=a']
      for (const key of keys) await send(site.port, `/keyed?k=${encodeURIComponent(key)}`)
      for (const target of ['/public/x', '/varied/x', '/moved?to=a']) {
        expect(contentsOf(await send(site.port, target))).toEqual(contentsOf(await send(twin.port, target)))
      }
    })

    it('users whose names are odd have pages of their own', async () => {
      const { site } = sites()
      const odd = [
        '__proto__',
        'constructor',
        'toString',
        'hasOwnProperty',
        'bob ',
        'BOB',
        'bob|u:alice',
        'u:alice',
        'a:b',
        'a%3Ab',
      ]
      const names = [...odd, 'alice\u0000', '\u00e9', 'e\u0301', 'x'.repeat(5000), '*', 'alice*', '\\']
      const users = names.map((name, i) => ({ name, role: name, secret: `secretOfOdd${i}End` }))
      for (const user of users) site.logins.set(user.secret, user)
      for (const round of ['first', 'second']) {
        for (const page of ['/own/x', '/mine/x']) {
          for (const user of users) {
            const answer = await send(site.port, { target: page, headers: [['Cookie', `login=${user.secret}`]] })
            expect(answer.get('x-owner')).toBe(user.secret)
            expect(answer.get('x-cache')).toBe(round === 'first' ? 'MISS' : 'HIT')
          }
        }
      }
    })

    it('headers tell what happened and nothing of the key', async () => {
      const { port } = sites().site
      const digest = createHash('sha256').update(`u:${ALICE.name}`).digest('base64url').slice(0, 12)
      const headers = [['Cookie', `login=${ALICE.secret}`]] as const
      for (const page of MIRRORS) {
        for (const method of ['GET', 'GET', 'HEAD', 'POST']) {
          const answer = await send(port, { target: page.path.replace(':case', 'pathOfKey'), method, headers })
          const status = answer.get('cache-status') ?? ''
          const members = method === 'POST' ? [] : parseList(status)
          for (const [name, parameters] of members) {
            expect(String(name)).toBe('Palier')
            expect(['hit', 'fwd', 'ttl', 'stored', 'collapsed', 'detail']).toEqual(
              expect.arrayContaining([...parameters.keys()]),
            )
          }
          const told = `${status} ${answer.get('etag')} ${answer.get('x-cache')} ${answer.get('vary')}`
          for (const part of ['pathOfKey', 'site.test', ALICE.name, ALICE.secret, digest])
            expect(told).not.toContain(part)
        }
      }
    })
  },
)

describe.each(ADAPTERS)('%s, with a clock that is put back', (_name, start) => {
  it('never tells a negative age', async () => {
    const clock = manualClock()
    const site = await start({ pages: MIRRORS, cache: { clock }, options: { clock } })
    try {
      await send(site.port, '/public/x')
      for (const jump of [0, 5000, -3_600_000]) {
        clock.jumpWall(jump)
        const answer = await send(site.port, '/public/x')
        const age = answer.get('age')
        expect(age === undefined ? 'none' : age).toMatch(/^(?:none|\d+)$/)
        expect(answer.status).toBe(200)
      }
    } finally {
      await site.close()
    }
  })

  it('lets only the hosts of the application in', async () => {
    const site = await start({ pages: MIRRORS, options: { hosts: ['site.test'] } })
    try {
      const foreign = await send(site.port, { target: '/public/x', host: `${BOB.secret}.test` })
      expect(foreign.get('cache-status')).toBe('Palier; fwd=bypass; detail=host')
      expect((await send(site.port, '/public/x')).all).not.toContain(BOB.secret)
    } finally {
      await site.close()
    }
  })
})
