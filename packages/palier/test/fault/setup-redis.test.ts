import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer as createHttp } from 'node:http'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { RedisCandidate } from '../../src/setup/contract.ts'
import { freePort } from '../support/ports.ts'
import { type RedisServer, startRedis } from '../support/redis-server.ts'
import { noRejections } from '../support/rejections.ts'
import { setupRoom } from '../support/setup-room.ts'

noRejections()

const { engine, path, read, tree } = setupRoom()

const PASSWORD = 'a-secret@/of:its%own'

describe('what answers at an address', () => {
  let locked: RedisServer
  let open: RedisServer
  let sockets: string
  const services: Server[] = []
  const ports: Record<string, number> = {}

  async function serve(name: string, server: Server): Promise<void> {
    services.push(server)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    ports[name] = (server.address() as AddressInfo).port
  }

  beforeAll(async () => {
    sockets = await mkdtemp(join(tmpdir(), 'palier-sock-'))
    locked = await startRedis({
      password: PASSWORD,
      args: ['--unixsocket', join(sockets, 'r.sock'), '--maxmemory', '64mb', '--maxmemory-policy', 'allkeys-lru'],
    })
    open = await startRedis()
    await serve(
      'http',
      createHttp((_request, response) => response.end('hello')),
    )
    await serve(
      'ssh',
      createServer(socket => void socket.on('error', () => {}).write('SSH-2.0-OpenSSH_9.6\r\n')),
    )
    await serve(
      'tls',
      createServer(
        socket =>
          void socket.on('error', () => {}).once('data', () => socket.end(Buffer.from('15030100020246', 'hex'))),
      ),
    )
  })
  afterAll(async () => {
    await Promise.all([locked.stop(), open.stop()])
    for (const server of services) server.close()
    await rm(sockets, { recursive: true, force: true })
  })

  const socketOf = (): string => join(sockets, 'r.sock')

  test('is told apart: a Redis that is open, asks for a password, lets us in; other services; nothing', async () => {
    const setup = await engine({
      environment: { REDIS_URL: `redis://127.0.0.1:${locked.port}`, VALKEY_URL: locked.url },
    })
    const closed = await freePort()
    const found = new Map<string, RedisCandidate>()
    const add = async (host: string, port: number): Promise<void> => {
      const { candidates } = await setup.run('redis', { add: { host, port } })
      for (const one of candidates) found.set(one.where, one)
    }
    for (const name of ['http', 'ssh', 'tls']) await add('127.0.0.1', ports[name] ?? 0)
    await add('127.0.0.1', closed)
    await add('127.0.0.1', open.port)
    const stateAt = (port: number | undefined): string | undefined => found.get(`127.0.0.1:${port}`)?.state
    expect([ports['http'], ports['ssh'], ports['tls'], closed, open.port].map(stateAt)).toEqual([
      'other service',
      'other service',
      'tls',
      'refused',
      'open',
    ])
    // Of two variables that name one address the first is asked; its password is missing.
    expect(found.get(`127.0.0.1:${locked.port}`)).toMatchObject({
      how: 'environment',
      variable: 'REDIS_URL',
      state: 'password',
      usable: false,
    })
    const wrong = await setup.run('redis', { add: { host: '127.0.0.1', port: locked.port, password: 'wrong' } })
    expect(wrong.candidates.find(one => one.where.endsWith(`:${locked.port}`))).toMatchObject({
      state: 'wrong password',
      usable: false,
    })
    const right = await setup.run('redis', { add: { host: '127.0.0.1', port: locked.port, password: PASSWORD } })
    expect(right.candidates.find(one => one.where.endsWith(`:${locked.port}`))).toMatchObject({
      state: 'ready',
      usable: true,
      recommended: true,
      hasPassword: true,
    })
    const socket = await setup.run('redis', { add: { socket: socketOf(), password: PASSWORD } })
    expect(socket.candidates.find(one => one.where === socketOf())).toMatchObject({ state: 'ready', usable: true })
    expect(JSON.stringify(await setup.state())).not.toContain('secret')
    expect((await setup.report('fr')).text).not.toContain('secret')
    expect((await stat(path('.palier/setup.json'))).mode & 0o777).toBe(0o600)
  })

  test('an open Redis with keys of others is not recommended; a user without the rights is not usable', async () => {
    await open.ask('SET wp:options 1')
    await locked.ask('ACL SETUSER small on >enough ~palier:* +ping +get +set +del +info +select')
    const setup = await engine()
    const first = await setup.run('redis', { add: { url: open.url } })
    const shared = first.candidates.find(one => one.where.endsWith(`:${open.port}`))
    expect(shared).toMatchObject({ usable: true, recommended: false, verdict: 'bad' })
    expect(shared?.facts.find(one => one.id === 'strangers')).toMatchObject({
      verdict: 'bad',
      text: { key: 'redis.strangers.open' },
    })
    const second = await setup.run('redis', { add: { url: `redis://small:enough@127.0.0.1:${locked.port}` } })
    const small = second.candidates.find(one => one.where.endsWith(`:${locked.port}`))
    expect(small).toMatchObject({ usable: false })
    expect(small?.facts.find(one => one.id === 'rights')?.text.values?.['commands']).toBe(
      'SCAN, UNLINK, EVAL, SUBSCRIBE',
    )
    await open.ask('FLUSHALL')
  })

  test('addresses that lead astray are refused, and too many in a row', async () => {
    const setup = await engine()
    await expect(setup.run('redis', { add: { host: '169.254.169.254' } })).rejects.toMatchObject({
      code: 'PALIER_BAD_OPTION',
    })
    await setup.run('redis', { add: { host: '127.0.0.1', port: ports['ssh'] ?? 0 } })
    const file = path('.palier/setup.json')
    const saved = JSON.parse(await readFile(file, 'utf8')) as { asked: number[] }
    await writeFile(file, JSON.stringify({ ...saved, asked: Array.from({ length: 20 }, () => Date.now()) }))
    await expect(setup.run('redis', { add: { host: '127.0.0.1' } })).rejects.toMatchObject({ code: 'PALIER_LOCKED' })
  })

  test('is measured and proven in turns, through a socket too, and nothing of it stays', async () => {
    const setup = await engine({ load: () => new Promise(resolve => setTimeout(resolve, 2)) })
    await setup.run('storage', {})
    await setup.run('redis', { add: { url: locked.url } })
    const found = await setup.run('redis', { add: { socket: socketOf(), password: PASSWORD } })
    const ids = found.candidates.filter(one => one.how === 'typed').map(one => one.id)
    const shares: number[] = []
    const measured = await setup.run(
      'measure',
      { only: ['memory', 'disk', ...ids] },
      { onProgress: ({ share }) => shares.push(share) },
    )
    expect(measured.took).toBeLessThan(20_000)
    expect(measured.stopped).toBeUndefined()
    expect(measured.rows.map(row => row.id)).toEqual(['none', 'memory', 'disk', ...ids])
    expect(measured.rows.map(row => row.failure)).toEqual(measured.rows.map(() => undefined))
    for (const row of measured.rows.slice(2)) {
      expect(`${row.id}: ${row.proofs.map(proof => `${proof.id} ${proof.outcome}`).join(', ')}`).toBe(
        `${row.id}: round-trip passed, other-process passed, stampede passed, clear passed, torn passed, cut passed, back passed`,
      )
      expect(row.readHit?.p95).toBeGreaterThan(0)
      expect(['faster', 'slower', 'no measurable difference']).toContain(row.comparison?.verdict)
    }
    expect(shares).toEqual([...shares].sort((a, b) => a - b))
    expect(await locked.ask('DBSIZE')).toBe(':0')
    expect((await tree()).filter(name => name.includes('palier-setup-'))).toEqual([])
    expect(JSON.parse(await read('.palier/setup.json'))).toMatchObject({ litter: [] })
  })

  test('a measurement that is called off, or dies, leaves nothing behind', async () => {
    const setup = await engine()
    await setup.run('storage', {})
    await setup.run('redis', { add: { url: locked.url } })
    const before = await setup.state()
    const leave = new AbortController()
    const onProgress = ({ text }: { text: { key: string } }): void => {
      if (text.key === 'measure.proving') leave.abort(new Error('called off'))
    }
    const only = [`tcp:127.0.0.1:${locked.port}/0`]
    await expect(setup.run('measure', { only }, { signal: leave.signal, onProgress })).rejects.toThrow('called off')
    expect(await setup.state()).toEqual(before)
    expect(await locked.ask('DBSIZE')).toBe(':0')
    expect((await tree()).filter(name => name.includes('palier-setup-'))).toEqual([])
    // What a killed process left is taken away at the next start; a path that is not ours stays.
    const [left, foreign] = [path('palier-setup-0123ab-xyz'), path('foreign')]
    await Promise.all([mkdir(left), mkdir(foreign)])
    const file = path('.palier/setup.json')
    await writeFile(
      file,
      JSON.stringify({ ...(JSON.parse(await readFile(file, 'utf8')) as object), litter: [left, foreign] }),
    )
    await (await engine()).open()
    expect((await tree()).filter(name => !name.startsWith('.palier'))).toEqual(['foreign'])
  })
})
