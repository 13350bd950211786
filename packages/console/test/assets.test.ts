import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type BuiltPages, pages } from './support/pages.ts'
import { ask, BEARER, type Rig, rig } from './support/rig.ts'

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "font-src 'none'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join('; ')

const SEAL = {
  'content-security-policy': POLICY,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'x-robots-tag': 'noindex',
}

let built: BuiltPages
let own: Rig
beforeAll(async () => {
  built = await pages()
  own = await rig({}, {}, built.directory)
})
afterAll(async () => {
  await own[Symbol.asyncDispose]()
  await built[Symbol.asyncDispose]()
})

const raw = (path: string, headers: Readonly<Record<string, string>> = {}, method = 'GET'): Promise<Response> =>
  own.console.handle(new Request(`http://app.test${path}`, { method, headers }))

const told = (answer: Response): Record<string, string> => Object.fromEntries(answer.headers)

describe('the pages', () => {
  test('are open to everybody, with these headers and no others', async () => {
    const shell = await raw('/')
    const etag = shell.headers.get('etag') ?? ''
    expect(etag).toMatch(/^"[\w-]{22}"$/)
    expect(told(shell)).toEqual({
      ...SEAL,
      'cache-control': 'no-cache',
      'content-length': String(built.html.length),
      'content-type': 'text/html; charset=utf-8',
      etag,
    })
    expect(await shell.text()).toBe(built.html)
    const named = await raw('/index.html')
    expect([named.status, named.headers.get('etag')]).toEqual([200, etag])
    const code = await raw(`/${built.code}`)
    expect(told(code)).toMatchObject({
      ...SEAL,
      'cache-control': 'public, max-age=31536000, immutable',
      'content-type': 'text/javascript; charset=utf-8',
      vary: 'Accept-Encoding',
    })
    expect(told(await raw('/icon.svg'))).toMatchObject({ 'cache-control': 'no-cache', 'content-type': 'image/svg+xml' })
  })

  test('are sent as compressed as the browser takes them', async () => {
    const cases: readonly (readonly [string, string | null])[] = [
      ['gzip, deflate, br', 'br'],
      ['gzip', 'gzip'],
      ['br;q=0, gzip;q=0.5', 'gzip'],
      ['BR', 'br'],
      ['deflate', null],
      ['', null],
    ]
    const etags = new Set<string | null>()
    for (const [accepted, encoding] of cases) {
      const answer = await raw(`/${built.code}`, { 'accept-encoding': accepted })
      expect([accepted, answer.headers.get('content-encoding')]).toEqual([accepted, encoding])
      const bytes = Buffer.from(await answer.arrayBuffer())
      const plain = encoding === 'br' ? brotliDecompressSync(bytes) : encoding === 'gzip' ? gunzipSync(bytes) : bytes
      expect(plain.toString()).toBe(built.script)
      expect(answer.headers.get('content-length')).toBe(String(bytes.length))
      etags.add(answer.headers.get('etag'))
    }
    expect(etags.size).toBe(3)
  })

  test('are not sent again to who has them, nor to HEAD', async () => {
    const etag = (await raw('/')).headers.get('etag') ?? ''
    for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      const answer = await raw('/', { 'if-none-match': known })
      expect([known, answer.status, await answer.text()]).toEqual([known, 304, ''])
      expect(told(answer)).toEqual({ ...SEAL, 'cache-control': 'no-cache', etag })
    }
    expect((await raw('/', { 'if-none-match': '"other"' })).status).toBe(200)
    const head = await raw('/', {}, 'HEAD')
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([
      200,
      String(built.html.length),
      '',
    ])
  })

  test('are all there is: nothing a request says becomes a path', async () => {
    for (const path of [
      '/../secret.txt',
      '/%2e%2e/secret.txt',
      '/..%2fsecret.txt',
      '/assets/%2e%2e/%2e%2e/secret.txt',
      '/assets/..%5c..%5csecret.txt',
      '/assets//main-abc123.js',
      '/assets/main-abc123.js.br',
      '/assets/main-abc123.js%00',
      '/assets/',
      '/secret.txt',
      '/constructor',
    ]) {
      const answer = await raw(path)
      expect([path, answer.status]).toEqual([path, 401])
      expect(told(answer)).toMatchObject({ ...SEAL, 'cache-control': 'no-store' })
      expect((await raw(path, BEARER)).status).toBe(404)
    }
    expect((await raw('/', {}, 'POST')).status).toBe(401)
  })

  test('are what they were when the console was made', async () => {
    await using gone = await pages()
    await using other = await rig({}, {}, gone.directory)
    await rm(gone.directory, { recursive: true })
    expect((await ask(other.console, 'GET /')).text).toBe(gone.html)
  })
})

test('without pages the mount says so, and the API goes on', async () => {
  await using bare = await rig()
  const answer = await ask(bare.console, 'GET /')
  expect(answer).toMatchObject({ status: 501, body: { code: 'not-built' } })
  expect((await ask(bare.console, 'GET /api/cache/stats', { headers: BEARER })).status).toBe(200)
})

test('the mount without its slash leads to it, whatever it is called', async () => {
  const at = async (path: string, mount: string): Promise<string | null> => {
    const answer = await own.console.handle(new Request(`http://app.test${path}`), { mount })
    return answer.status === 308 ? answer.headers.get('location') : String(answer.status)
  }
  expect(await at('/ops', '/ops')).toBe('./ops/')
  expect(await at('/a/b:c?x=1', '/a/b:c')).toBe('./b:c/?x=1')
  expect(await at('/ops/', '/ops')).toBe('200')
  expect(await at('/opsx', '/ops')).toBe('401')
})

test('who may show the console in a frame is said in every answer', async () => {
  await using framed = await rig({}, { frameAncestors: ["'self'", 'https://admin.example.org'] }, built.directory)
  for (const line of ['GET /', 'GET /api/cache/stats']) {
    const policy = (await ask(framed.console, line)).headers.get('content-security-policy')
    expect(policy).toBe(POLICY.replace("frame-ancestors 'none'", "frame-ancestors 'self' https://admin.example.org"))
  }
  for (const frameAncestors of ['https://a.test', ['*'], ["'none'; script-src *"], ['https://a.test/path'], [1]]) {
    await expect(rig({}, { frameAncestors: frameAncestors as never })).rejects.toMatchObject({
      code: 'PALIER_BAD_OPTION',
      message: expect.stringContaining('frameAncestors'),
    })
  }
})
