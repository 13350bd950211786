import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliDecompressSync } from 'node:zlib'
import Fastify, { type FastifyInstance } from 'fastify'
import { describe, expect, onTestFinished, test } from 'vitest'
import { installProblems } from '../server/problem.ts'
import { webRoutes } from '../server/web.ts'
import { startApp } from './support/app.ts'
import { freshDirectory } from './support/fresh-directory.ts'

/** The routes alone, over pages that the test wrote. */
async function serve(files: Readonly<Record<string, string | Buffer>>): Promise<FastifyInstance> {
  const directory = freshDirectory()
  mkdirSync(join(directory, 'assets'), { recursive: true })
  for (const [name, body] of Object.entries(files)) writeFileSync(join(directory, name), body)
  const app = Fastify()
  installProblems(app)
  await app.register(webRoutes, { directory })
  onTestFinished(() => app.close())
  return app
}

const INDEX = '<script src="/app/boot.js"></script><script type="module" src="/app/assets/index-a1.js"></script>'

describe('the pages', () => {
  test('every address of a screen is the page, under a policy that allows nothing else', async () => {
    const { get } = await startApp()
    const page = await get('/app/contacts/some-id')
    expect(page.statusCode).toBe(200)
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8')
    expect(page.headers['cache-control']).toBe('no-cache')
    const policy = String(page.headers['content-security-policy'])
    expect(policy).toContain("default-src 'none'")
    expect(policy).not.toContain('unsafe')
    expect(page.body).not.toMatch(/<script(?![^>]*src=)|<style|\son\w+=|style="|https?:\/\//)
    const named = [...page.body.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map(match => match[1] ?? '')
    expect(named.length).toBeGreaterThan(3)
    const answers = await Promise.all(named.map(async url => [url, (await get(url)).statusCode]))
    expect(answers).toEqual(named.map(url => [url, 200]))
  })

  test('what has a hash in its name is kept for ever, and comes compressed to whoever takes it', async () => {
    const script = 'export const answer = 42\n'.repeat(200)
    const app = await serve({
      'index.html': INDEX,
      'assets/index-a1.js': script,
      'assets/index-a1.js.br': Buffer.from('0b', 'hex'),
      'assets/index-a1.js.gz': Buffer.from('1f8b', 'hex'),
    })
    const url = '/app/assets/index-a1.js'
    const plain = await app.inject({ url })
    expect(plain.body).toBe(script)
    expect(plain.headers['cache-control']).toBe('public, max-age=31536000, immutable')
    const brotli = await app.inject({ url, headers: { 'accept-encoding': 'gzip, br' } })
    expect([brotli.headers['content-encoding'], brotli.rawPayload.toString('hex')]).toEqual(['br', '0b'])
    const gzip = await app.inject({ url, headers: { 'accept-encoding': 'gzip, br;q=0' } })
    expect([gzip.headers['content-encoding'], gzip.rawPayload.toString('hex')]).toEqual(['gzip', '1f8b'])
    const etags = [plain, brotli, gzip].map(answer => answer.headers['etag'])
    expect(new Set(etags).size).toBe(3)
    const again = await app.inject({ url, headers: { 'if-none-match': String(plain.headers['etag']) } })
    expect([again.statusCode, again.body]).toEqual([304, ''])
  })

  test('the real files are compressed to less than a third of their size', async () => {
    const { send, get } = await startApp()
    const page = await get('/app/')
    const named = [...page.body.matchAll(/(?:src|href)="(\/app\/assets\/[^"]+)"/g)].map(match => match[1] ?? '')
    const sizes = await Promise.all(
      named.map(async url => {
        const answer = await send({ url, headers: { 'accept-encoding': 'br' } })
        const { length } = answer.rawPayload
        // Below a kilobyte a copy is hardly smaller, and there is none.
        if (answer.headers['content-encoding'] === undefined && length < 1024) return [length, length] as const
        expect(answer.headers['content-encoding']).toBe('br')
        return [length, brotliDecompressSync(answer.rawPayload).length] as const
      }),
    )
    const sum = (at: 0 | 1): number => sizes.reduce((total, size) => total + size[at], 0)
    expect(sum(0) / sum(1)).toBeLessThan(0.3)
  })

  test('tells early what the page needs', async () => {
    const app = await serve({ 'index.html': INDEX })
    const { headers } = await app.inject('/app/')
    expect(headers['link']).toBe('</app/assets/index-a1.js>; rel=modulepreload')
  })

  test('a file that is gone is no page, and nothing outside is a file', async () => {
    const app = await serve({ 'index.html': INDEX })
    const codes = await Promise.all(
      ['/app/assets/old-b2.js', '/app/..%2f..%2fpackage.json', '/app/%2e%2e/server/web.ts'].map(
        async url => (await app.inject({ url })).statusCode,
      ),
    )
    expect(codes).toEqual([404, 404, 404])
  })

  test('the way in is a redirect; pages that are not built are said to be so', async () => {
    const app = await serve({})
    const home = await app.inject('/')
    expect([home.statusCode, home.headers['location']]).toEqual([302, '/app/'])
    const missing = await app.inject('/app/')
    expect(missing.statusCode).toBe(501)
    expect(missing.json()).toMatchObject({ detail: expect.stringContaining('npm start') as string })
  })

  test('answers say as of when they are true: reads since they were asked for, changes from now on', async () => {
    const { get, post } = await startApp()
    const before = Date.now()
    const made = await post('/api/v1/categories', { name: 'Stamped' })
    const between = Date.now()
    const list = await get('/api/v1/contacts')
    const stamps = [made, list].map(answer => Number(answer.headers['x-stamp']))
    expect(stamps[0]).toBeGreaterThanOrEqual(before)
    expect(stamps[0]).toBeLessThanOrEqual(between)
    expect(stamps[1]).toBeGreaterThanOrEqual(stamps[0] ?? 0)
  })
})
