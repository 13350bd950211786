import { expect, it } from 'vitest'
import { onEveryAdapter } from './support/adapters.ts'
import type { Page, Reply, Running } from './support/site.ts'
import { type Answer, open, send } from './support/wire.ts'

/** A new text on each run, so that a run and a copy can be told apart. */
function counting(make: (count: number) => Reply | Promise<Reply>): Page['reply'] {
  let count = 0
  return () => make(++count)
}

function page(path: string, make: (count: number) => Reply | Promise<Reply>): Page {
  return { path, scope: 'public', grace: 3_600_000, reply: counting(make) }
}

const withHeaders = (headers: Reply['headers']) => (count: number) => ({ headers, body: `run ${count}` })
const withStatus = (status: number) => (count: number) => ({ status, body: `run ${count}` })

/** Whose answers must never be given twice. */
const NEVER_KEPT: readonly (readonly [string, (count: number) => Reply | Promise<Reply>])[] = [
  ['a cookie', withHeaders({ 'set-cookie': 'sid=1' })],
  ['two cookies', withHeaders({ 'set-cookie': ['a=1', 'b=2'] })],
  ['private', withHeaders({ 'cache-control': 'private, max-age=60' })],
  ['private in odd letters', withHeaders({ 'cache-control': 'max-age=60,PrIvAtE' })],
  ['private fields', withHeaders({ 'cache-control': 'max-age=60, private="x-user, x-name"' })],
  ['no-store', withHeaders({ 'cache-control': 'public, max-age=60, no-store' })],
  ['no-cache', withHeaders({ 'cache-control': 'no-cache' })],
  ['max-age=0', withHeaders({ 'cache-control': 'max-age=0' })],
  ['s-maxage=0', withHeaders({ 'cache-control': 's-maxage=0, max-age=60' })],
  ['a negative age', withHeaders({ 'cache-control': 'max-age=-1' })],
  ['an age that is no number', withHeaders({ 'cache-control': 'max-age=soon' })],
  ['two ages', withHeaders({ 'cache-control': 'max-age=60, max-age=0' })],
  ['a prohibition in a second line', withHeaders({ 'cache-control': ['max-age=60', 'no-store'] })],
  ['a prohibition that cannot be read', withHeaders({ 'cache-control': '"no-store' })],
  [
    'no-store for caches of our kind',
    withHeaders({ 'palier-cache-control': 'no-store', 'cache-control': 'max-age=60' }),
  ],
  ['no-store for networks', withHeaders({ 'cdn-cache-control': 'no-store', 'cache-control': 'max-age=60' })],
  ['expired', withHeaders({ expires: 'Thu, 01 Jan 1970 00:00:00 GMT' })],
  ['expires that is no date', withHeaders({ expires: '0' })],
  ['too old already', withHeaders({ 'cache-control': 'max-age=60', age: '61' })],
  ['vary *', withHeaders({ vary: '*' })],
  ['vary, undeclared', withHeaders({ vary: 'Accept-Encoding, Accept-Language' })],
  ['vary, a cookie', withHeaders({ vary: 'Cookie' })],
  ['vary * in a list', withHeaders({ vary: 'accept-encoding,*' })],
  ['a nonce', withHeaders({ 'content-security-policy': "script-src 'nonce-abc'" })],
  ['a nonce that is only reported', withHeaders({ 'content-security-policy-report-only': "script-src 'NONCE-abc'" })],
  ['clear-site-data', withHeaders({ 'clear-site-data': '"cache"' })],
  ['content-range', withHeaders({ 'content-range': 'bytes 0-3/10' })],
  ...[201, 202, 206, 302, 303, 307, 400, 401, 403, 404, 410, 429, 500, 502, 503, 504].map(
    status => [`status ${status}`, withStatus(status)] as const,
  ),
  ['status 204', () => ({ status: 204 })],
  ['a throw', () => Promise.reject(new Error('on purpose'))],
  ['more bytes than kept', count => ({ body: `run ${count}`.padEnd(3_000_000, '.') })],
  [
    'more bytes than kept, bit by bit',
    count => ({ chunks: [`run ${count}`, ...Array.from({ length: 40 }, () => 'x'.repeat(50_000))] }),
  ],
  ['events', count => ({ headers: { 'content-type': 'text/event-stream' }, chunks: [`data: run ${count}\n\n`] })],
  ['cut off at once', () => ({ chunks: [], last: 'destroy' })],
  ['cut off', count => ({ chunks: [`run ${count}`, 'half'], last: 'destroy' })],
  [
    'cut off before its length',
    count => ({ headers: { 'content-length': '1000' }, chunks: [`run ${count}`], last: 'destroy' }),
  ],
  ['ended before its length', count => ({ headers: { 'content-length': '1000' }, chunks: [`run ${count}`] })],
]

/** What belongs to one answer alone, and must not come again with another. */
const SINGLE = {
  ratelimit: '"a";r=1;t=2',
  'ratelimit-policy': '"a";q=3;w=4',
  'ratelimit-remaining': '1',
  'x-ratelimit-remaining': '1',
  'x-ratelimit-reset': '2',
  'retry-after': '7',
  'x-request-id': 'one-of-a-kind',
  'x-correlation-id': 'one-of-a-kind',
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  tracestate: 'a=b',
  'server-timing': 'db;dur=1',
  'x-response-time': '1ms',
  'x-hop': 'one-of-a-kind',
  'keep-alive': 'timeout=99',
  'proxy-authenticate': 'Basic',
  trailer: 'x-end',
  age: '3',
  'palier-cache-control': 'max-age=100',
}

const PAGES: readonly Page[] = [
  ...NEVER_KEPT.map(([, make], i) => page(`/never/${i}`, make)),
  page('/single', count => ({ headers: { ...SINGLE, connection: 'x-hop', 'x-plain': 'kept' }, body: `run ${count}` })),
  page('/hints', count => ({ hints: '</a.css>; rel=preload', body: `run ${count}` })),
  page('/pieces', count => ({ headers: { 'content-type': 'text/plain' }, chunks: ['run ', String(count)] })),
  page('/empty', () => ({ body: '' })),
  { ...page('/forgotten', withStatus(200)), scope: undefined },
]

async function twice(site: Running, target: string): Promise<readonly [Answer, Answer]> {
  return [await send(site.port, target), await send(site.port, target)]
}

const kindOf = (answer: Answer): string => answer.get('x-cache') ?? 'none'

onEveryAdapter(
  () => ({ pages: PAGES }),
  (sites, adapter) => {
    it('what must not be kept is made anew for each client, and reaches it as it was made', async () => {
      const { site, twin } = sites()
      const wrong: string[] = []
      await Promise.all(
        NEVER_KEPT.map(async ([name], i) => {
          const path = `/never/${i}`
          const before = site.runs(path)
          const pair = await twice(site, path)
          const runs = site.runs(path) - before
          if (runs !== 2) wrong.push(`${name}: ${runs} runs`)
          const original = await send(twin.port, path)
          for (const answer of pair) {
            if (!['MISS', 'BYPASS', 'none'].includes(kindOf(answer))) wrong.push(`${name}: ${kindOf(answer)}`)
            if (/; (?:hit|stored)/.test(answer.get('cache-status') ?? ''))
              wrong.push(`${name}: ${answer.get('cache-status')}`)
            // Who has not sent a head yet may say that it failed.
            const isOwned = !original.isWhole && answer.status === 500
            if (isOwned) continue
            if (answer.status !== original.status) wrong.push(`${name}: ${answer.status} for ${original.status}`)
            const lengths = [answer, original].map(one => one.body.toString().replace(/^run \d+/, 'run N').length)
            if (lengths[0] !== lengths[1] && original.isWhole) wrong.push(`${name}: ${lengths.join(' bytes for ')}`)
            if (answer.isWhole && !original.isWhole) wrong.push(`${name}: whole, though it was cut off`)
            for (const field of ['set-cookie', 'cache-control', 'vary', 'location', 'expires', 'content-range']) {
              if (answer.get(field) !== original.get(field)) wrong.push(`${name}: ${field}: ${answer.get(field)}`)
            }
            if (answer.get('palier-cache-control') !== undefined) wrong.push(`${name}: our own header went on`)
          }
        }),
      )
      expect(wrong).toEqual([])
    })

    it('what belongs to one answer is not replayed with the next', async () => {
      const [first, second] = await twice(sites().site, '/single')
      expect([kindOf(first), kindOf(second)]).toEqual(['MISS', 'HIT'])
      expect(second.get('x-plain')).toBe('kept')
      const replayed = Object.entries(SINGLE).filter(([name, value]) => second.get(name) === value)
      expect(replayed).toEqual([])
      expect(second.body.toString()).toBe(first.body.toString())
    })

    it('hints, pieces and nothing at all are no obstacles', async () => {
      for (const path of ['/hints', '/pieces', '/empty']) {
        const [first, second] = await twice(sites().site, path)
        expect([path, kindOf(first), kindOf(second)]).toEqual([path, 'MISS', 'HIT'])
        expect(second.body.toString()).toBe(first.body.toString())
        expect(second.isWhole).toBe(true)
      }
    })

    it('a page without a scope is never kept', async () => {
      const pair = await twice(sites().site, '/forgotten')
      expect(pair.map(kindOf)).toEqual(['BYPASS', 'BYPASS'])
    })

    it('a request whose body never ends, and whose client goes, hurts nobody', async () => {
      const { port } = sites().site
      for (const target of ['/pieces', '/not/there', '/never/0']) {
        const { socket, answer } = open(port, {
          target,
          headers: [
            ['Transfer-Encoding', 'chunked'],
            ['Expect', '100-continue'],
          ],
          tail: '5\r\nab',
        })
        socket.once('data', () => socket.resetAndDestroy())
        // Some servers wait for the body first.
        socket.setTimeout(50, () => socket.resetAndDestroy())
        await answer.catch(() => undefined)
      }
      expect((await send(port, '/pieces')).status).toBe(200)
    })

    it(`serves ${adapter} without what enables it, too`, async () => {
      const [first, second] = await twice(sites().twin, '/pieces')
      expect([first, second].map(answer => answer.get('cache-status'))).toEqual([
        'Palier; fwd=bypass; detail=disabled',
        'Palier; fwd=bypass; detail=disabled',
      ])
      expect(first.body.toString()).not.toBe(second.body.toString())
    })
  },
)
