import { once } from 'node:events'
import { brotliDecompressSync, createGzip, gunzipSync, gzipSync } from 'node:zlib'
import { beforeAll, expect, it } from 'vitest'
import { onEveryAdapter } from './support/adapters.ts'
import { ALICE, BOB, type Page, type Running } from './support/site.ts'
import { type Answer, send } from './support/wire.ts'

const TEXT = 'all of it, and once more: '.repeat(300)
const MODIFIED = 'Wed, 01 Jan 2020 00:00:00 GMT'
const BOMB_BYTES = 200 * 2 ** 20

let bomb: Buffer = Buffer.alloc(0)

/** 200 MiB of nothing, without ever being 200 MiB. */
async function makeBomb(): Promise<Buffer> {
  const pieces: Buffer[] = []
  const stream = createGzip({ level: 9 })
  stream.on('data', piece => pieces.push(piece as Buffer))
  const piece = Buffer.alloc(2 ** 20)
  for (let i = 0; i < BOMB_BYTES / piece.length; i++) {
    if (!stream.write(piece)) await once(stream, 'drain')
  }
  stream.end()
  await once(stream, 'end')
  return Buffer.concat(pieces)
}

beforeAll(async () => {
  bomb = await makeBomb()
})

const plainText = { 'content-type': 'text/plain; charset=utf-8' }
const zipped = { ...plainText, 'content-encoding': 'gzip' }

const PAGES: readonly Page[] = [
  { path: '/text', scope: 'public', reply: () => ({ headers: plainText, body: TEXT }) },
  {
    path: '/dated',
    scope: 'public',
    reply: () => ({ headers: { ...plainText, 'last-modified': MODIFIED }, body: TEXT }),
  },
  {
    path: '/tagged',
    scope: 'public',
    reply: () => ({ headers: { ...plainText, etag: '"of-the-handler"' }, body: TEXT }),
  },
  { path: '/zipped', scope: 'public', reply: () => ({ headers: zipped, body: gzipSync(TEXT) }) },
  { path: '/bomb', scope: 'public', reply: () => ({ headers: zipped, body: bomb }) },
  {
    path: '/adaptive',
    scope: 'public',
    reply: seen => {
      const isZipped = String(seen.headers()['accept-encoding']).includes('gzip')
      const headers = { ...(isZipped ? zipped : plainText), vary: 'Accept-Encoding' }
      return { headers, body: isZipped ? gzipSync(TEXT) : TEXT }
    },
  },
  {
    // Encodes for everybody who does not say otherwise, so that it is what is kept.
    path: '/eager',
    scope: 'public',
    reply: seen => {
      const accepted = seen.headers()['accept-encoding']
      const isZipped = accepted === undefined || accepted === 'gzip'
      const headers = { ...(isZipped ? zipped : plainText), vary: 'Accept-Encoding' }
      return { headers, body: isZipped ? gzipSync(TEXT) : TEXT }
    },
  },
  {
    path: '/part',
    scope: 'public',
    reply: seen => {
      if (seen.headers()['range'] === undefined) return { headers: plainText, body: TEXT }
      return {
        status: 206,
        headers: { ...plainText, 'content-range': `bytes 0-3/${TEXT.length}` },
        body: TEXT.slice(0, 4),
      }
    },
  },
  { path: '/me', scope: 'user', reply: seen => ({ headers: plainText, body: `${seen.user()?.secret} ${TEXT}` }) },
]

/** What a client says that it takes, and the encodings it may be given because of it. */
const ACCEPTING: readonly (readonly [string | undefined, readonly string[]])[] = [
  [undefined, ['identity']],
  ['', ['identity']],
  ['identity', ['identity']],
  ['gzip', ['gzip', 'identity']],
  ['br', ['br', 'identity']],
  ['GZip, BR', ['gzip', 'br', 'identity']],
  ['*', ['gzip', 'br', 'identity']],
  ['gzip;q=0', ['identity']],
  ['GZIP;Q=0', ['identity']],
  ['gzip;q=0.000', ['identity']],
  ['gzip;q=0.0000', ['identity']],
  ['gzip; q = 0', ['identity']],
  ['gzip;q=-1', ['identity']],
  ['gzip;q="0"', ['identity']],
  ['gzip;a=b;q=0', ['identity']],
  ['gzip;q=0;a=b', ['identity']],
  ['gzip;q=0, br;q=0', ['identity']],
  ['br;q=0, *', ['gzip', 'identity']],
  ['gzip;q=0, *', ['br', 'identity']],
  ['x-gzip;q=0, *', ['br', 'identity']],
  ['identity, *;q=0', ['identity']],
  ['deflate', ['identity']],
  ['gzipped, xbr', ['identity']],
  ['gzip;q=0, gzip;q=0', ['identity']],
  [',,;q=1', ['identity']],
]

const encodingOf = (answer: Answer): string => answer.get('content-encoding') ?? 'identity'

function decoded(answer: Answer): string {
  const encoding = encodingOf(answer)
  if (encoding === 'gzip') return gunzipSync(answer.body).toString()
  return (encoding === 'br' ? brotliDecompressSync(answer.body) : answer.body).toString()
}

function ask(
  site: Running,
  target: string,
  headers: Readonly<Record<string, string | undefined>> = {},
): Promise<Answer> {
  const given = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as const],
  )
  return send(site.port, { target, headers: given })
}

onEveryAdapter(
  () => ({ pages: PAGES }),
  sites => {
    it.each(['/text', '/adaptive'])('%s: nobody is given what it cannot read', async path => {
      const { site } = sites()
      const wrong: string[] = []
      for (const [accepted, allowed] of ACCEPTING) {
        await site.clear()
        for (const round of ['first', 'again']) {
          const answer = await ask(site, path, { 'Accept-Encoding': accepted })
          if (!allowed.includes(encodingOf(answer))) wrong.push(`${accepted} ${round}: ${encodingOf(answer)}`)
          else if (decoded(answer) !== TEXT) wrong.push(`${accepted} ${round}: another text`)
          if (!/accept-encoding/i.test(answer.get('vary') ?? '')) wrong.push(`${accepted} ${round}: no vary`)
        }
      }
      expect(wrong).toEqual([])
    })

    it('what is kept encoded is only for who can read it', async () => {
      const { site } = sites()
      const runs = site.runs('/eager')
      const first = await ask(site, '/eager')
      expect([first.status, decoded(first) === TEXT, site.runs('/eager') - runs]).toEqual([200, true, 1])
      const wrong: string[] = []
      for (const [accepted, allowed] of ACCEPTING) {
        // Who says nothing is given what the handler chooses.
        if (accepted === undefined || accepted === '') continue
        const answer = await ask(site, '/eager', { 'Accept-Encoding': accepted })
        if (!allowed.includes(encodingOf(answer))) wrong.push(`${accepted}: ${encodingOf(answer)}`)
        else if (decoded(answer) !== TEXT) wrong.push(`${accepted}: another text`)
      }
      expect(wrong).toEqual([])
      expect((await ask(site, '/eager', { 'Accept-Encoding': 'gzip' })).get('x-cache')).toBe('HIT')
    })

    it('what the handler has encoded is not encoded again', async () => {
      for (const accepted of ['gzip', 'br', 'gzip, br', undefined, 'identity', 'br, gzip;q=0', '*']) {
        const answer = await ask(sites().site, '/zipped', { 'Accept-Encoding': accepted })
        expect(encodingOf(answer)).toBe('gzip')
        expect(gunzipSync(answer.body).toString()).toBe(TEXT)
      }
    })

    it('a bomb goes through as it is', async () => {
      const { site } = sites()
      const before = process.memoryUsage().rss
      for (const accepted of ['gzip', undefined, 'identity', 'br', 'gzip;q=0', '*', 'deflate']) {
        const answer = await ask(site, '/bomb', { 'Accept-Encoding': accepted })
        expect(encodingOf(answer)).toBe('gzip')
        expect(answer.body.equals(bomb)).toBe(true)
      }
      expect(process.memoryUsage().rss - before).toBeLessThan(BOMB_BYTES / 2)
    })

    it.each(['/text', '/tagged'])(
      '%s: each encoding has a strong tag of its own, and 304 is for who holds it',
      async path => {
        const { site } = sites()
        await ask(site, path)
        const tags = new Map<string, string>()
        for (const accepted of ['identity', 'gzip', 'br']) {
          const answer = await ask(site, path, { 'Accept-Encoding': accepted })
          expect(encodingOf(answer)).toBe(accepted)
          expect(answer.get('etag')).toMatch(/^"[\x21\x23-\x7e]+"$/)
          tags.set(accepted, answer.get('etag') ?? '')
        }
        expect(new Set(tags.values()).size).toBe(3)
        for (const [held, tag] of tags) {
          for (const accepted of ['identity', 'gzip', 'br']) {
            const answer = await ask(site, path, {
              'Accept-Encoding': accepted,
              'If-None-Match': `"no", W/${tag} , "no-${tag.slice(1)}`,
            })
            expect([held, accepted, answer.status]).toEqual([held, accepted, held === accepted ? 304 : 200])
            if (held !== accepted) continue
            expect(answer.body.length).toBe(0)
            expect(answer.get('etag')).toBe(tag)
            expect(answer.get('content-length') ?? '0').toBe('0')
          }
        }
      },
    )

    it('304 is not for who holds something else, or nothing', async () => {
      const { site } = sites()
      const { get } = await ask(site, '/dated')
      const tag = get('etag') ?? ''
      const inner = tag.slice(1, -1)
      const late = 'Fri, 01 Jan 2100 00:00:00 GMT'
      const cases: readonly (readonly [Readonly<Record<string, string>>, number])[] = [
        [{ 'If-None-Match': tag }, 304],
        [{ 'If-None-Match': inner }, 200],
        [{ 'If-None-Match': `"${inner}x"` }, 200],
        [{ 'If-None-Match': `"${inner.slice(1)}"` }, 200],
        [{ 'If-None-Match': `"x${tag}` }, 200],
        [{ 'If-None-Match': '""' }, 200],
        [{ 'If-None-Match': '"no"', 'If-Modified-Since': late }, 200],
        [{ 'If-Modified-Since': late }, 304],
        [{ 'If-Modified-Since': MODIFIED }, 304],
        [{ 'If-Modified-Since': 'Tue, 31 Dec 2019 23:59:59 GMT' }, 200],
        [{ 'If-Modified-Since': 'soon' }, 200],
      ]
      for (const [headers, status] of cases) {
        const answer = await ask(site, '/dated', headers)
        expect([headers, answer.status]).toEqual([headers, status])
      }
    })

    it('the tag of one user’s page is nothing to another', async () => {
      const { site } = sites()
      const own = await ask(site, '/me', { Cookie: `login=${ALICE.secret}` })
      const other = await ask(site, '/me', { Cookie: `login=${BOB.secret}`, 'If-None-Match': own.get('etag') })
      expect(other.status).toBe(200)
      expect(other.body.toString()).toContain(BOB.secret)
      const nobody = await ask(site, '/me', { 'If-None-Match': own.get('etag') })
      expect(nobody.status).toBe(200)
      expect(nobody.get('x-cache')).toBe('BYPASS')
    })

    it('HEAD fills nothing, and is answered as GET would be', async () => {
      const { site } = sites()
      const head = (): Promise<Answer> => send(site.port, { method: 'HEAD', target: '/text' })
      expect((await head()).get('x-cache')).toBe('BYPASS')
      const get = await ask(site, '/text')
      expect([get.get('x-cache'), get.body.toString()]).toEqual(['MISS', TEXT])
      const after = await head()
      expect([after.get('x-cache'), after.body.length]).toEqual(['HIT', 0])
      for (const name of ['content-length', 'content-type', 'etag', 'vary']) expect(after.get(name)).toBe(get.get(name))
    })

    it('a part is neither kept nor cut from what is kept', async () => {
      const { site } = sites()
      const part = await ask(site, '/part', { Range: 'bytes=0-3' })
      expect([part.status, part.get('x-cache')]).toEqual([206, 'BYPASS'])
      const whole = await ask(site, '/part')
      expect([whole.status, whole.body.toString()]).toEqual([200, TEXT])
      const tag = whole.get('etag')
      for (const headers of [{ Range: 'bytes=0-3', 'If-Range': tag }, { Range: 'bytes=0-' }, { Range: 'pages=1' }]) {
        expect((await ask(site, '/part', headers)).get('x-cache')).toBe('BYPASS')
      }
      expect((await ask(site, '/part', { 'If-Range': tag })).body.toString()).toBe(TEXT)
    })
  },
)
