import fc from 'fast-check'
import { parseEnv } from 'node:util'
import { describe, expect, test } from 'vitest'
import { addressOf, idOf, isForbidden, resolved, urlOf } from '../../src/setup/address.ts'
import { readLines, withValues } from '../../src/setup/env-file.ts'
import { classify } from '../../src/setup/handshake.ts'
import { SCANNED } from '../../src/setup/redis-candidates.ts'
import { statusOf } from '../../src/setup/proof.ts'
import { shapeOf } from '../../src/setup/server.ts'
import { diffOf } from '../../src/setup/settings.ts'
import { planTypes } from '../../src/setup/types.ts'
import { targetOf } from '../../src/stores/redis/target.ts'

const wrong = (message: string | RegExp) =>
  expect.objectContaining({ code: 'PALIER_BAD_OPTION', message: expect.stringMatching(message) })
const thrown = (work: () => unknown): unknown => {
  try {
    return work()
  } catch (error) {
    return error
  }
}

describe('the settings file', () => {
  test('keeps what is not ours, replaces in place and adds at the end', () => {
    const before = "# mine\nexport A='1 2'\nCACHE_BACKEND=auto\n\nB=3"
    const after = withValues(before, { CACHE_BACKEND: 'redis', REDIS_URL: "redis://:p w'#@h:1", GONE: undefined })
    expect(after).toBe(`# mine\nexport A='1 2'\nCACHE_BACKEND=redis\n\nB=3\nREDIS_URL="redis://:p w'#@h:1"\n`)
    expect(withValues(after, { REDIS_URL: undefined })).not.toContain('REDIS_URL')
    expect(readLines(after)).toMatchObject({
      A: '1 2',
      B: '3',
      CACHE_BACKEND: 'redis',
      REDIS_URL: "redis://:p w'#@h:1",
    })
  })

  test('is read by Node as it was meant, whatever is in a value', () => {
    const value = fc.string().filter(text => !/[\r\n\0]/.test(text) && !/['"`\\]/.test(text) && text.trim() === text)
    fc.assert(
      fc.property(value, text => {
        const file = withValues('X=1\n', { REDIS_URL: text })
        expect(readLines(file)['REDIS_URL']).toBe(text)
        expect(parseEnv(file)['REDIS_URL']).toBe(text)
      }),
    )
    expect(thrown(() => withValues('', { A: 'a\nB=1' }))).toEqual(wrong(/^A: expected text on one line/))
  })

  test('is shown without a secret, old or new, ours or not', () => {
    const before = 'DB_PASSWORD=hunter2\nREDIS_URL=redis://:old-secret@h:1\nCACHE_BACKEND=auto\n'
    const values = { CACHE_BACKEND: 'redis', REDIS_URL: 'redis://:new-secret@h:1' }
    const diff = diffOf(before, withValues(before, { ...values, DB_PASSWORD: 'x' }), values)
    expect(diff).toContainEqual({ mark: '+', text: 'REDIS_URL=${REDIS_URL}' })
    expect(diff).toContainEqual({ mark: '-', text: 'CACHE_BACKEND=auto' })
    expect(JSON.stringify(diff)).not.toMatch(/hunter2|secret/)
  })
})

describe('an address of a Redis', () => {
  test('is named by exactly one of url, socket and host, and by nothing that could be something else', () => {
    expect(idOf(addressOf({ url: 'rediss://u:p@cache.example:7000/2' }))).toBe('tls:cache.example:7000/2')
    expect(idOf(addressOf({ socket: '/run/redis.sock', password: 'p' }))).toBe('unix:/run/redis.sock/0')
    expect(thrown(() => addressOf({}))).toEqual(wrong(/^host: expected exactly one/))
    expect(thrown(() => addressOf({ host: 'a', socket: '/b' }))).toEqual(wrong(/^host: expected exactly one/))
    expect(thrown(() => addressOf({ socket: 'run/redis.sock' }))).toEqual(wrong(/^socket:/))
    expect(thrown(() => addressOf({ host: 'a/../b' }))).toEqual(wrong(/^host:/))
    expect(thrown(() => addressOf({ host: 'a', port: 70_000 }))).toEqual(wrong(/port/))
    expect(String(thrown(() => addressOf({ url: 'http://:hidden@x' })))).not.toContain('hidden')
  })

  test('comes back out of the URL that is written for it, sockets and passwords included', () => {
    for (const given of [
      { socket: '/home/u/.clwpos/redis.sock', password: 'a/b@c:%' },
      { host: '::1', port: 6380, db: 3 },
      { host: 'h', tls: true, username: 'u', password: 'é' },
    ]) {
      const address = addressOf(given)
      expect(targetOf(urlOf(address), undefined)).toEqual(address)
    }
  })

  test('is refused when it is link-local or of cloud metadata, by whatever name', async () => {
    for (const ip of [
      '169.254.169.254',
      '::ffff:169.254.169.254',
      '::ffff:a9fe:a9fe',
      'fe80::1',
      'fd00:ec2::254',
      '0.0.0.0',
      '::',
      '224.0.0.1',
      'nonsense',
    ]) {
      expect(`${ip} ${isForbidden(ip)}`).toBe(`${ip} true`)
    }
    for (const ip of ['127.0.0.1', '::1', '10.0.0.1', '192.168.1.9', 'fd12::1', '8.8.8.8'])
      expect(`${ip} ${isForbidden(ip)}`).toBe(`${ip} false`)
    await expect(resolved(addressOf({ host: '169.254.169.254' }))).rejects.toEqual(wrong(/^host:/))
    await expect(resolved(addressOf({ url: 'redis://[fe80::1]:6379' }))).rejects.toEqual(wrong(/^host:/))
  })

  test('is told by the first bytes of what answers', () => {
    const told = [
      ['+PONG\r\n', 'open'],
      ['-NOAUTH Authentication required.\r\n', 'password'],
      ['-DENIED Redis is running in protected mode', 'protected'],
      ['-LOADING Redis is loading', 'loading'],
      ['-MASTERDOWN Link', 'replica'],
      ['-ERR max number of clients reached\r\n', 'max clients'],
      ['-MISCONF Redis is configured', 'misconf'],
      ['\u0015\u0003\u0001', 'tls'],
      ['HTTP/1.1 400 Bad Request\r\n', 'other service'],
      ['SSH-2.0-OpenSSH_9.6\r\n', 'other service'],
      ['-ERR unknown command', 'other service'],
    ] as const
    for (const [first, state] of told) expect(classify(first)).toBe(state)
    expect(new Set(SCANNED).size).toBe(SCANNED.length)
    expect(SCANNED.length).toBeLessThanOrEqual(200)
  })
})

describe('the plan of the types', () => {
  const types = [
    { name: 'page', ttl: 300_000 },
    { name: 'cart', ttl: 60_000, scope: 'user' },
    { name: 'menu', ttl: 3_600_000, scope: 'role', grace: 5000 },
  ] as const

  test('caches nothing personal unless somebody says so', () => {
    for (const preset of ['prudent', 'balanced'] as const) {
      const privacy = planTypes(types, { preset }).types.map(one => one.privacy)
      expect(privacy).toEqual(['public', 'never', 'role'])
    }
    const said = planTypes(types, { edits: [{ name: 'cart', privacy: 'user' }] }).types[1]
    expect(said).toMatchObject({ privacy: 'user', edited: true, ttl: 60_000 })
    expect(planTypes(types, { preset: 'prudent' }).types.map(one => one.ttl)).toEqual([60_000, 60_000, 60_000])
  })

  test('refuses what the code cannot do or no sense can be made of, by name', () => {
    expect(thrown(() => planTypes(types, { edits: [{ name: 'cart', privacy: 'public' }] }))).toEqual(
      wrong(/^edits\.cart\.privacy: expected user or never/),
    )
    expect(thrown(() => planTypes(types, { edits: [{ name: 'page', ttl: 5 }] }))).toEqual(wrong(/^edits\.page\.ttl/))
    expect(thrown(() => planTypes(types, { edits: [{ name: 'other' }] }))).toEqual(
      wrong(/^edits\.name: expected page, cart, menu/),
    )
    expect(thrown(() => planTypes(types, { preset: 'wild' as 'prudent' }))).toEqual(wrong(/^preset/))
  })

  test('shows how to declare a type where there is none', () => {
    expect(planTypes([], {})).toMatchObject({ types: [], sample: expect.stringContaining('createCache') })
  })
})

describe('a server', () => {
  const looks = (
    environment: Record<string, string>,
    program = '/usr/bin/node app.js',
    there: readonly string[] = [],
  ) => shapeOf({ environment, program, isThere: path => there.includes(path) })

  test('is told by its surest sign, with the evidence', () => {
    const venv = '/home/u/nodevenv/app/20/bin/node'
    expect(looks({ IN_PASSENGER: '1', NODE_ENV: 'production' })).toEqual({
      shape: 'cpanel',
      evidence: ['IN_PASSENGER=1'],
    })
    expect(looks({}, venv)).toEqual({ shape: 'cpanel', evidence: [venv] })
    expect(looks({ LSNODE_ROOT: '/home/u/app', NODE_ENV: 'production' }).shape).toBe('litespeed')
    expect(looks({ KUBERNETES_SERVICE_HOST: '10.0.0.1' }, undefined, ['/.dockerenv']).shape).toBe('kubernetes')
    expect(looks({}, undefined, ['/.dockerenv'])).toEqual({ shape: 'container', evidence: ['/.dockerenv'] })
    expect(looks({ PM2_HOME: '/root/.pm2', pm_id: '0' }).shape).toBe('pm2')
    expect(looks({ NODE_ENV: 'production' }).shape).toBe('vps')
    expect(looks({ NODE_ENV: '' })).toEqual({ shape: 'development', evidence: [] })
  })

  test('says in its headers what the cache did', () => {
    const status = (headers: Record<string, string>) => statusOf(new Headers(headers))
    expect(status({ 'x-cache': 'HIT' })).toBe('HIT')
    expect(status({ 'cache-status': 'palier; hit; ttl=30' })).toBe('HIT')
    expect(status({ 'cache-status': 'palier; fwd=uri-miss; stored' })).toBe('MISS')
    expect(status({ 'cache-status': 'palier; fwd=bypass; detail=authorization' })).toBe('BYPASS')
    expect(status({ 'content-type': 'text/html' })).toBe('unknown')
  })
})
