import { afterEach, describe, expect, test } from 'vitest'
import type { Bus } from '../../src/bus.ts'
import { redisStore } from '../../src/stores/redis/store.ts'
import { freePort } from '../support/ports.ts'
import {
  CLIENT_KINDS,
  lend,
  lendCluster,
  type RedisServer,
  startCluster,
  startRedis,
  until,
} from '../support/redis-server.ts'

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

interface Ear {
  readonly heard: string[]
  readonly losses: string[]
  message(text: string): void
  lost(reason: string): void
}

function ear(): Ear {
  const [heard, losses]: [string[], string[]] = [[], []]
  return { heard, losses, message: text => void heard.push(text), lost: reason => void losses.push(reason) }
}

async function start(): Promise<RedisServer> {
  const server = await startRedis()
  ends.push(() => server.stop())
  return server
}

function openBus(store: ReturnType<typeof redisStore>, channel = 'c'): Bus {
  ends.push(() => store.close())
  const bus = store.openBus(channel)
  ends.push(() => bus.close())
  return bus
}

for (const kind of [...CLIENT_KINDS, 'url'] as const) {
  describe(`the bus of redis through ${kind === 'url' ? 'a URL' : `a borrowed ${kind} client`}`, () => {
    async function busOn(server: RedisServer): Promise<Bus> {
      if (kind === 'url') return openBus(redisStore({ url: server.url }))
      const lent = await lend(kind, server.url)
      ends.push(() => lent.end())
      return openBus(redisStore({ client: lent.client }))
    }

    test('a killed subscriber is lost at once, is lost again when it is back, and then hears', async () => {
      const server = await start()
      const [bus, sender] = [await busOn(server), await busOn(server)]
      const mine = ear()
      await bus.attach(mine)
      expect(bus.poll()).toBe(true)
      expect(await server.ask('CLIENT KILL TYPE pubsub')).toBe(':1')
      await until('the loss is noticed', () => mine.losses.length > 0, 1000)
      expect(bus.trustedUntil).toBe(0)
      expect(bus.poll()).toBe(false)
      await until('it is trusted again', () => bus.poll(), 1500)
      expect(mine.losses).toHaveLength(2)
      await sender.publish('after')
      await until('it hears again', () => mine.heard.includes('after'), 1000)
    })

    test('a server that restarts is heard again', async () => {
      const server = await start()
      const bus = await busOn(server)
      const mine = ear()
      await bus.attach(mine)
      await server.kill()
      await until('the loss is noticed', () => mine.losses.length > 0, 2000)
      await server.restart()
      await until('it is trusted again', () => bus.poll(), 5000)
    })

    test('a hanging server loses the trust in time, though no connection ended', async () => {
      const server = await start()
      const bus = await busOn(server)
      await bus.attach(ear())
      const trusted = performance.now()
      server.pause()
      await until('the trust has run out', () => !bus.poll(), 4000)
      expect(performance.now() - trusted).toBeLessThan(2600)
      server.resume()
      await until('it is trusted again', () => bus.poll(), 8000)
    })
  })
}

describe('what a listener missed', () => {
  test('is nothing when the process itself was held up: its connection is sound, and what lies unread is heard', async () => {
    const server = await start()
    const options = { url: server.url, deadline: 5000 }
    const [bus, sender] = [openBus(redisStore(options)), openBus(redisStore(options))]
    const mine = ear()
    await bus.attach(mine)
    await sender.attach(ear())
    const texts = Array.from({ length: 50 }, (_, i) => `m${i}`)
    const sending = texts.map(text => sender.publish(text))
    // Longer than the silence after which a connection is doubted; the timers come first when it ends, then what is unread.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2600)
    await Promise.all(sending)
    await until('all are heard', () => mine.heard.length === texts.length)
    expect(mine.losses).toEqual([])
  })

  test('is noticed by the next message, or by the heartbeat when it was the last', async () => {
    const server = await start()
    const bus = openBus(redisStore({ url: server.url }))
    const mine = ear()
    await bus.attach(mine)
    const sender = 'feedfacefeedface'
    const say = (message: string): Promise<string> => server.ask(`PUBLISH palier:bus:c "${message}"`)
    await say(`${sender} 1 one`)
    await say(`~${sender} 1 0`)
    await say(`${sender} 2 two`)
    await until('both are heard', () => mine.heard.length === 2)
    expect(mine.losses).toEqual([])
    await say(`${sender} 4 four`)
    await until('the gap is noticed', () => mine.losses.length === 1)
    await say(`~${sender} 5 0`)
    await until('the silence is noticed', () => mine.losses.length === 2)
    await say(`${sender} 5 repeated`)
    await say('not a message of ours')
    await say(`${sender} 6 six`)
    await until('the next is heard', () => mine.heard.includes('six'))
    expect(mine.heard).toEqual(['one', 'two', 'four', 'six'])
    expect(mine.losses).toHaveLength(2)
  })

  test('a publish that failed leaves a gap that others notice', async () => {
    const server = await start()
    const [sender, bus] = [
      openBus(redisStore({ url: server.url, deadline: 100 })),
      openBus(redisStore({ url: server.url })),
    ]
    const mine = ear()
    await bus.attach(mine)
    await sender.publish('one')
    await until('it is heard', () => mine.heard.includes('one'))
    await server.ask('ACL SETUSER default -publish')
    await expect(sender.publish('two')).rejects.toMatchObject({ code: 'PALIER_STORE_FAILED' })
    await server.ask('ACL SETUSER default +publish')
    await until('the heartbeat tells', () => mine.losses.length > 0, 3000)
  })
})

describe('attaching', () => {
  test('rejects when there is no server, and comes about by itself when there is one', async () => {
    const port = await freePort()
    const bus = openBus(redisStore({ connect: { host: '127.0.0.1', port } }))
    const mine = ear()
    await expect(bus.attach(mine)).rejects.toMatchObject({ code: 'PALIER_STORE_FAILED' })
    expect(bus.poll()).toBe(false)
    const server = await startRedis({ port })
    ends.push(() => server.stop())
    await until('it is trusted', () => bus.poll(), 3000)
    await bus.attach(mine)
    expect(bus.peers()).toBe(1)
  })

  test('a bus closed while it attaches rejects, and leaves no connection', async () => {
    const server = await start()
    const lent = await lend('redis', server.url)
    ends.push(() => lent.end())
    const bus = openBus(redisStore({ client: lent.client }))
    const attaching = bus.attach(ear()).catch((error: unknown) => error)
    await bus.close()
    expect(await attaching).toMatchObject({ code: 'PALIER_CLOSED' })
    const subscribers = async (): Promise<string> => server.ask('CLIENT LIST TYPE pubsub')
    await until(
      'no subscriber is left',
      async () => (await subscribers()) === '' && (await server.ask('PUBSUB CHANNELS')) === '*0',
    )
  })
})

describe('the stated bound', () => {
  test('holds for the median and for nearly all of 500 messages', async () => {
    const server = await start()
    const [sender, bus] = [openBus(redisStore({ url: server.url })), openBus(redisStore({ url: server.url }))]
    const delays: number[] = []
    await bus.attach({ message: text => void delays.push(performance.now() - Number(text)), lost: () => {} })
    await sender.publish(String(performance.now()))
    for (let i = 1; i < 500; i++) await sender.publish(String(performance.now()))
    await until('all are heard', () => delays.length === 500)
    delays.sort((a, b) => a - b)
    expect(delays[475]).toBeLessThan(bus.bound)
  })
})

describe('a cluster', () => {
  for (const kind of ['ioredis', 'redis'] as const) {
    test(`carries a message from any node to any other, and survives a killed subscriber, with ${kind}`, async () => {
      const cluster = await startCluster(3)
      ends.push(() => cluster.stop())
      const lent = await lendCluster(kind, cluster)
      ends.push(() => lent.end())
      const buses = Array.from({ length: 6 }, () => openBus(redisStore({ client: lent.client })))
      const ears = buses.map(() => ear())
      for (const [i, bus] of buses.entries()) await bus.attach(ears[i] ?? ear())
      for (const [i, bus] of buses.entries()) await bus.publish(`from ${i}`)
      await until('each hears all the others', () => ears.every(({ heard }) => heard.length === 5))
      for (const node of cluster.nodes) await node.ask('CLIENT KILL TYPE pubsub')
      await until('all noticed', () => ears.every(({ losses }) => losses.length > 0), 2000)
      await until('all are trusted again', () => buses.every(bus => bus.poll()), 5000)
    })
  }
})
