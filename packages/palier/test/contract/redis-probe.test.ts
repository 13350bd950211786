import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { probeRedis } from '../../src/stores/redis/probe.ts'
import { freePort } from '../support/ports.ts'
import { CLIENT_KINDS, lend, lendCluster, type RedisServer, startCluster, startRedis } from '../support/redis-server.ts'

let server: RedisServer
beforeAll(async () => {
  server = await startRedis({ args: ['--maxmemory-policy', 'allkeys-lru'] })
})
afterAll(() => server.stop())

/** The sockets this process has open, but for those of the pipes to its parent. */
const sockets = (): number => process.getActiveResourcesInfo().filter(name => name === 'TCPSocketWrap').length

async function listening(say: string | undefined): Promise<{ port: number; server: Server; closed: Promise<void> }> {
  let hangUp: () => void = () => {}
  const closed = new Promise<void>(resolve => {
    hangUp = resolve
  })
  const other = createServer(socket => {
    socket.on('error', () => {})
    socket.on('close', () => hangUp())
    socket.on('data', () => say !== undefined && socket.write(say))
  })
  other.listen(0, '127.0.0.1')
  await once(other, 'listening')
  const address = other.address()
  return { port: typeof address === 'object' ? (address?.port ?? 0) : 0, server: other, closed }
}

describe('a Redis that works', () => {
  test('is proved by a round trip that leaves no key and no connection', async () => {
    const before = sockets()
    const found = await probeRedis({ url: server.url }, 1000)
    expect(found).toMatchObject({ ok: true, mode: 'standalone', maxmemoryPolicy: 'allkeys-lru' })
    expect(found.ok && found.version).toMatch(/^\d+\.\d+/)
    expect(found.ok && found.micros).toBeGreaterThan(0)
    expect(await server.ask('DBSIZE')).toBe(':0')
    expect(sockets()).toBe(before)
  })

  for (const kind of CLIENT_KINDS) {
    test(`is proved through a borrowed ${kind} client`, async () => {
      const lent = await lend(kind, server.url)
      expect(await probeRedis({ client: lent.client }, 1000)).toMatchObject({ ok: true, mode: 'standalone' })
      lent.end()
    })
  }

  test('in a cluster is proved from any of its nodes, and through both cluster clients', async () => {
    const cluster = await startCluster(3)
    for (let i = 0; i < 6; i++)
      expect(await probeRedis({ url: cluster.nodes[i % 3]?.url ?? '' }, 1000)).toMatchObject({
        ok: true,
        mode: 'cluster',
      })
    for (const kind of ['ioredis', 'redis'] as const) {
      const lent = await lendCluster(kind, cluster)
      expect(await probeRedis({ client: lent.client }, 1000)).toMatchObject({ ok: true, mode: 'cluster' })
      lent.end()
    }
    await cluster.stop()
  })
})

describe('a Redis that does not', () => {
  test('a refused port is told as such, at once', async () => {
    const port = await freePort()
    const found = await probeRedis({ connect: { host: '127.0.0.1', port } }, 1000)
    expect(found).toMatchObject({ ok: false, why: `127.0.0.1:${port}: connection refused: nothing listens there` })
  })

  test('an unknown host is told as such', async () => {
    expect(await probeRedis({ connect: { host: 'no-such-host.invalid' } }, 2000)).toMatchObject({
      ok: false,
      hint: 'check REDIS_HOST',
    })
  })

  test('a missing and a wrong password are told apart, and never shown', async () => {
    const locked = await startRedis({ password: 'right-one' })
    const { port } = locked
    expect(await probeRedis({ connect: { port } }, 1000)).toMatchObject({
      ok: false,
      why: expect.stringContaining('asks for a password'),
    })
    const wrong = await probeRedis({ url: `redis://:wrong-one@127.0.0.1:${port}` }, 1000)
    expect(wrong).toMatchObject({ ok: false, why: expect.stringContaining('refused the password') })
    expect(JSON.stringify(wrong)).not.toContain('wrong-one')
    expect(await probeRedis({ url: locked.url }, 1000)).toMatchObject({ ok: true })
    expect(await probeRedis({ url: server.url.replace('//', '//:needless@') }, 1000)).toMatchObject({
      ok: false,
      why: expect.stringContaining('a Redis that has none'),
    })
    await locked.stop()
  })

  test('a server that speaks something else is not Redis', async () => {
    for (const say of ['HTTP/1.1 400 Bad Request\r\n\r\n', '$99999999999\r\n', ':x\r\n']) {
      const other = await listening(say)
      expect(await probeRedis({ connect: { host: '127.0.0.1', port: other.port } }, 1000)).toMatchObject({
        ok: false,
        why: expect.stringContaining('not Redis'),
      })
      await other.closed
      other.server.close()
    }
  })

  test('a server that says nothing costs the budget and no socket', async () => {
    const mute = await listening(undefined)
    const begun = performance.now()
    const found = await probeRedis({ connect: { host: '127.0.0.1', port: mute.port } }, 150)
    expect(performance.now() - begun).toBeLessThan(400)
    expect(found).toMatchObject({ ok: false, why: expect.stringContaining('no answer within 150 ms') })
    await mute.closed
    mute.server.close()
  })

  test('an address that swallows packets costs the budget and no socket', async () => {
    const begun = performance.now()
    // RFC 5737 keeps this network for documentation: packets go nowhere, or a router says so.
    const found = await probeRedis({ connect: { host: '192.0.2.1' } }, 150)
    expect(performance.now() - begun).toBeLessThan(400)
    expect(found.ok).toBe(false)
  })

  test('a hanging server costs the budget, through an address and through a client', async () => {
    const hung = await startRedis()
    const lents = await Promise.all(CLIENT_KINDS.map(kind => lend(kind, hung.url)))
    hung.pause()
    const begun = performance.now()
    const options = [{ url: hung.url }, ...lents.map(({ client }) => ({ client }))]
    const found = await Promise.all(options.map(each => probeRedis(each, 150)))
    expect(performance.now() - begun).toBeLessThan(500)
    for (const each of found)
      expect(each).toMatchObject({ ok: false, why: expect.stringContaining('no answer within 150 ms') })
    hung.resume()
    for (const lent of lents) lent.end()
    await hung.stop()
  })

  test('a replica is read-only, and a full server refuses writes', async () => {
    const replica = await startRedis({ args: ['--replicaof', '127.0.0.1', String(server.port)] })
    expect(await probeRedis({ url: replica.url }, 1000)).toMatchObject({
      ok: false,
      why: expect.stringContaining('read-only'),
    })
    await replica.stop()
    const full = await startRedis({ args: ['--maxmemory', '1'] })
    expect(await probeRedis({ url: full.url }, 1000)).toMatchObject({
      ok: false,
      why: expect.stringContaining('out of memory'),
    })
    await full.stop()
  })

  test('a database that is not there is told as such', async () => {
    expect(await probeRedis({ url: `${server.url}/99` }, 1000)).toMatchObject({
      ok: false,
      hint: expect.stringContaining('REDIS_DB'),
    })
  })

  test('wrong options are an answer, not an error', async () => {
    expect(await probeRedis({ url: 'nonsense' }, 100)).toMatchObject({ ok: false })
    expect(await probeRedis({ client: {} as never }, 100)).toMatchObject({ ok: false })
  })
})
