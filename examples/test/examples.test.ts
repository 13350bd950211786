import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))

interface Example {
  readonly url: string
  readonly tokenFile: string
  /** Resolves with the exit code once the process has ended by itself. */
  end(): Promise<number | null>
}

async function start(name: string, dir: string): Promise<Example> {
  const environment = {
    PORT: '0',
    CACHE_BACKEND: 'filesystem',
    CACHE_DIR: join(dir, 'cache'),
    SESSIONS_REDIS: 'false',
    SESSION_DIR: join(dir, 'sessions'),
  }
  const child: ChildProcess = spawn(
    process.execPath,
    ['--import', 'tsx', '--conditions=source', join(root, 'examples', `${name}.ts`)],
    { cwd: root, env: { ...process.env, ...environment }, stdio: ['ignore', 'pipe', 'pipe'] },
  )
  let printed = ''
  const url = await new Promise<string>((resolve, reject) => {
    const hear = (chunk: Buffer): void => {
      printed += chunk.toString()
      const found = /listening on (http:\S+)/.exec(printed)
      if (found?.[1] !== undefined) resolve(found[1])
    }
    child.stdout?.on('data', hear)
    child.stderr?.on('data', hear)
    child.once('exit', code => reject(new Error(`${name} ended with ${code}: ${printed}`)))
  })
  return {
    url,
    tokenFile: join(dir, 'cache', '.palier', 'console-token'),
    async end() {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGTERM')
        await once(child, 'exit')
      }
      return child.exitCode
    },
  }
}

const json = { 'content-type': 'application/json' }
const post = (url: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(url, { method: 'POST', headers: { ...json, ...headers }, body: JSON.stringify(body) })

describe.each(['express', 'fastify', 'hono', 'node'])('the example for %s', name => {
  const hasSessions = name === 'express' || name === 'fastify'
  let dir = ''
  let example: Example

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'palier-example-'))
    example = await start(name, dir)
  })
  afterAll(async () => {
    await example.end()
    rmSync(dir, { recursive: true, force: true })
  })

  test('makes a page once, and anew after a change', async () => {
    const page = async (): Promise<[string | null, { queries: number; products: { name: string }[] }]> => {
      const response = await fetch(`${example.url}/products`)
      return [response.headers.get('x-cache'), (await response.json()) as never]
    }
    const [first, made] = await page()
    const [second, kept] = await page()
    expect([first, second]).toEqual(['MISS', 'HIT'])
    expect(kept).toEqual(made)
    expect((await post(`${example.url}/products`, { name: 'Cup' })).status).toBe(201)
    const [third, changed] = await page()
    expect(third).toBe('MISS')
    expect(changed.products.map(product => product.name)).toContain('Cup')
    expect((await post(`${example.url}/products`, {})).status).toBe(400)
  })

  test('opens its console to the token alone', async () => {
    const stats = `${example.url}/ops/api/cache/stats`
    expect((await fetch(stats)).status).toBe(401)
    const token = readFileSync(example.tokenFile, 'utf8').trim()
    const headers = { 'x-palier-token': token }
    const told = (await (await fetch(stats, { headers })).json()) as { hits: number }
    expect(told.hits).toBeGreaterThan(0)
    const metrics = await (await fetch(`${example.url}/ops/metrics`, { headers })).text()
    expect(metrics).toContain('# TYPE palier_cache_requests_total counter')
    const cleared = await post(`${example.url}/ops/api/cache/invalidate/page`, {}, headers)
    expect(cleared.status).toBe(200)
    expect((await fetch(`${example.url}/products`)).headers.get('x-cache')).toBe('MISS')
  })

  test('has the pages of its console beside the API, and lets a browser in by the token', async () => {
    const moved = await fetch(`${example.url}/ops`, { redirect: 'manual' })
    expect([moved.status, moved.headers.get('location')]).toEqual([308, './ops/'])
    const shell = await fetch(`${example.url}/ops/`)
    // 501 where nobody has built them.
    expect([200, 501]).toContain(shell.status)
    expect(shell.headers.get('content-security-policy')).toContain("require-trusted-types-for 'script'")
    const token = readFileSync(example.tokenFile, 'utf8').trim()
    const session = await post(`${example.url}/ops/api/session`, { token })
    const cookie = session.headers.getSetCookie()[0] ?? ''
    expect(cookie).toMatch(/; Path=\/ops; .*HttpOnly; SameSite=Strict$/)
    const headers = { cookie: cookie.split(';')[0] ?? '' }
    const bootstrap = await fetch(`${example.url}/ops/api/cache/bootstrap`, { headers })
    expect(await bootstrap.json()).toMatchObject({ role: 'admin', features: { monitor: true, signOut: true } })
    const change = { ...headers, 'x-palier-token': bootstrap.headers.get('x-palier-token') ?? '' }
    const clear = `${example.url}/ops/api/cache/invalidate/page`
    expect((await post(clear, {}, change)).status).toBe(403)
    expect((await post(clear, {}, { ...change, origin: example.url })).status).toBe(200)
  })

  if (name !== 'node')
    test('keeps a page for each user', async () => {
      const as = async (user: string): Promise<Record<string, string>> => {
        if (!hasSessions) return { authorization: `Bearer ${user}` }
        const login = await post(`${example.url}/login`, { name: user })
        const cookie = login.headers.getSetCookie()[0]?.split(';')[0]
        return { cookie: cookie ?? '' }
      }
      const me = async (headers: Record<string, string>): Promise<[string | null, number, string | undefined]> => {
        const response = await fetch(`${example.url}/me`, { headers })
        const { user } = (await response.json()) as { user?: string }
        return [response.headers.get('x-cache'), response.status, user]
      }
      const [ann, bob] = [await as('ann'), await as('bob')]
      expect(await me({})).toEqual(['BYPASS', 401, undefined])
      expect(await me(ann)).toEqual(['MISS', 200, 'ann'])
      expect(await me(bob)).toEqual(['MISS', 200, 'bob'])
      expect(await me(ann)).toEqual(['HIT', 200, 'ann'])
      expect(await me(bob)).toEqual(['HIT', 200, 'bob'])
      if (!hasSessions) return
      const { status } = await fetch(`${example.url}/logout`, { method: 'POST', headers: ann })
      expect(status).toBe(204)
      expect(await me(ann)).toEqual(['BYPASS', 401, undefined])
    })

  test('limits what may be tried often', async () => {
    const path = hasSessions ? '/login' : '/products'
    const answers = await Promise.all(Array.from({ length: 8 }, () => post(`${example.url}${path}`, {})))
    const statuses = answers.map(({ status }) => status)
    expect(statuses).toContain(429)
    expect(statuses.filter(status => status !== 429).length).toBeLessThanOrEqual(5)
    const denied = answers.find(({ status }) => status === 429)
    expect(Number(denied?.headers.get('retry-after'))).toBeGreaterThan(0)
  })

  test('ends by itself when it is told to', async () => {
    expect(await example.end()).toBe(0)
  })
})
