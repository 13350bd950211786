import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ADAPTERS } from './support/adapters.ts'
import { type Redis, startRedis } from './support/redis.ts'
import { ALICE, BOB, EVERYBODY, type Running, type User } from './support/site.ts'
import { createValve, until } from './support/valve.ts'
import { type Answer, send } from './support/wire.ts'

let redis: Redis
const opened: (() => Promise<void>)[] = []

beforeAll(async () => {
  redis = await startRedis()
})

afterEach(async () => {
  for (const close of opened.splice(0)) await close()
})

afterAll(() => redis.stop())

const TEXT = 'and so on '.repeat(400)

async function stage(name: string, start: (typeof ADAPTERS)[number][1]) {
  const valve = createValve()
  const own = (user: User | undefined): string => `${user?.secret ?? 'nobody'} ${TEXT}`
  const site: Running = await start({
    cache: { backend: 'redis', redisUrl: redis.url, namespace: name, outage: { journal: false } },
    pages: [
      {
        path: '/me',
        scope: 'user',
        reply: async seen => {
          const body = own(seen.user())
          await valve.pass()
          return { headers: { 'content-type': 'text/plain' }, body }
        },
      },
    ],
    actions: [{ path: '/change', changes: { types: ['page'] }, run: () => ({ body: 'changed' }) }],
  })
  opened.push(async () => {
    valve.open()
    await site.close()
  })
  const ask = (user: User): Promise<Answer> =>
    send(site.port, { target: '/me', headers: [['Cookie', `login=${user.secret}`]] })
  const expectOwn = (answer: Answer, user: User): void => {
    const secrets = EVERYBODY.map(({ secret }) => secret).filter(secret => answer.all.includes(secret))
    expect([answer.status, answer.isWhole, secrets]).toEqual([200, true, [user.secret]])
    expect(answer.body.toString()).toBe(own(user))
  }
  const hot = async (): Promise<void> => {
    for (const user of [ALICE, BOB]) {
      await until('the store is in use, and the page is kept', async () => {
        const answer = await ask(user)
        expectOwn(answer, user)
        return answer.get('x-cache') === 'HIT'
      })
    }
  }
  return { site, valve, ask, expectOwn, hot }
}

describe.each(ADAPTERS)('%s', (name, start) => {
  if (name === 'express 5')
    it('a store that dies between two hits, or during a run, changes no answer', async () => {
      const { site, valve, ask, expectOwn, hot } = await stage(name, start)
      await hot()
      const flying = Array.from({ length: 20 }, (_one, i) => (i % 2 === 0 ? ALICE : BOB))
      const answers = flying.map(ask)
      console.log('A')
      await redis.kill()
      console.log('B')
      for (const [i, answer] of (await Promise.all(answers)).entries()) expectOwn(answer, flying[i] ?? ALICE)
      for (const user of [ALICE, BOB, ALICE]) expectOwn(await ask(user), user)

      console.log('C')
      await redis.start()
      await hot()
      const change = { target: '/change', method: 'POST', headers: [['Content-Length', '0']] } as const
      expect((await send(site.port, change)).status).toBe(200)
      console.log('D')
      valve.shut()
      const running = [ALICE, BOB].map(ask)
      await until('both handlers run', () => valve.waiting() === 2)
      console.log('E')
      redis.pause()
      valve.open()
      for (const [i, answer] of (await Promise.all(running)).entries()) expectOwn(answer, i === 0 ? ALICE : BOB)
      for (const user of [ALICE, BOB]) expectOwn(await ask(user), user)
      expect((await send(site.port, change)).status).toBe(200)
      console.log('F')
      redis.resume()
      await hot()
    })
})
