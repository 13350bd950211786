import { afterEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { ownedPort, type RedisEvent } from '../../src/stores/redis/owned.ts'
import { targetOf } from '../../src/stores/redis/target.ts'
import { startCluster, startRedis, until } from '../support/redis-server.ts'

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

for (const client of ['redis', 'ioredis'] as const) {
  describe(`the store's own connection, with only ${client} installed`, () => {
    function connect(url: string) {
      const events: RedisEvent[] = []
      const port = ownedPort(
        targetOf(url, undefined),
        systemClock,
        event => events.push(event),
        async () => client,
      )
      ends.push(() => port.close())
      const ask = async (...args: string[]): Promise<unknown> => String(await port.send(args, { key: args[1] }))
      return { port, events, ask }
    }

    test('signs in, selects, and comes back by itself with nothing sent again', async () => {
      const server = await startRedis({ password: 'secret' })
      ends.push(() => server.stop())
      const { port, events, ask } = connect(`${server.url}/2`)
      await until('it is ready', () => port.ready())
      expect(events).toContainEqual({ kind: 'ready', client, mode: 'standalone' })
      expect(await ask('SET', 'a', '1')).toBe('OK')
      expect(await server.ask('INFO keyspace')).toContain('db2:keys=1')
      server.pause()
      const lost = Promise.allSettled([ask('SET', 'late', '1')])
      await server.kill()
      expect(await lost).toMatchObject([{ status: 'rejected' }])
      await until('the loss is known', () => !port.ready())
      await expect(ask('SET', 'late', '1')).rejects.toThrow()
      await server.restart()
      const begun = performance.now()
      await until('it is ready again', () => port.ready())
      expect(performance.now() - begun).toBeLessThan(1500)
      expect(await ask('EXISTS', 'late')).toBe('0')
    })

    test('replaces a socket that says nothing', async () => {
      const server = await startRedis()
      ends.push(() => server.stop())
      const { port, ask } = connect(server.url)
      await until('it is ready', () => port.ready())
      server.pause()
      const lost = Promise.allSettled([ask('GET', 'a')])
      await until('the silence is noticed', () => !port.ready(), 6000)
      expect(await lost).toMatchObject([{ status: 'rejected' }])
      server.resume()
      await until('it is ready again', () => port.ready(), 4000)
    })

    test('becomes one to the cluster when the server is a node of one', async () => {
      const cluster = await startCluster(3)
      ends.push(() => cluster.stop())
      const { port, events, ask } = connect(cluster.nodes[0]?.url ?? '')
      await until('it is ready', () => port.ready())
      expect(events).toContainEqual({ kind: 'ready', client, mode: 'cluster' })
      expect(port.isCluster).toBe(true)
      for (let i = 0; i < 20; i++) expect(await ask('SET', `k${i}`, String(i))).toBe('OK')
      expect(await port.masters()).toHaveLength(3)
    })

    test('leaves nothing open when it is closed before it was made', async () => {
      const server = await startRedis()
      ends.push(() => server.stop())
      const clients = async (): Promise<string | undefined> =>
        /connected_clients:(\d+)/.exec(await server.ask('INFO clients'))?.[1]
      const before = await clients()
      for (let i = 0; i < 5; i++) await connect(server.url).port.close()
      await until('nobody is connected', async () => (await clients()) === before)
    })
  })
}
