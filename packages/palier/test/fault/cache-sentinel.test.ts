import { expect, test } from 'vitest'
import { allUp, allWell, faultRoom, measured, NEVER } from '../support/fault-room.ts'
import { type RedisServer, startSentinels, until } from '../support/redis-server.ts'

const room = faultRoom()

/** Each of three servers is primary once on the average, and one that was killed before is again: more is the same again. */
const ROUNDS = 3
const KEYS = 20

const wait = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

async function inStep(server: RedisServer): Promise<void> {
  await until(
    'the one that was killed follows the new primary',
    async () => {
      const info = await server.ask('INFO replication').catch(() => '')
      return info.includes('role:slave') && info.includes('master_link_status:up')
    },
    NEVER,
  )
}

test('the primary is killed three times under load: who writes never reads what was before, and in the end nobody does', async () => {
  const sentinels = await startSentinels({ replicas: 2 })
  room.atEnd(() => sentinels.stop())
  const writer = await room.cache({ backend: 'redis', redisUrl: sentinels.url })
  const reader = await room.cache({ backend: 'redis', redisUrl: sentinels.url })
  await allWell(writer, reader)

  /** What each key may be for who writes, once the last write to it has resolved. */
  const latest = new Map<string, number | undefined>()
  const wrong: string[] = []
  let ackedAt = performance.now()
  let longestGap = 0
  let writes = 0
  let running = true
  const check = async (key: string): Promise<void> => {
    const expected = latest.get(key)
    const seen = await writer.get<number>(key)
    if (seen !== undefined && seen !== expected) wrong.push(`${key} was ${seen} and not ${String(expected)}`)
  }
  const writing = (async (): Promise<void> => {
    for (let n = 1; running; n++) {
      const key = `key${n % KEYS}`
      const { shared } = n % 3 === 0 ? await writer.delete(key) : await writer.set(key, n)
      latest.set(key, n % 3 === 0 ? undefined : n)
      writes++
      if (shared === 'acked') {
        longestGap = Math.max(longestGap, performance.now() - ackedAt)
        ackedAt = performance.now()
      }
      await check(key)
      await check(`key${(n * 7) % KEYS}`)
      await wait(3)
    }
  })()
  const reading = (async (): Promise<void> => {
    for (let n = 0; running; n++) {
      await reader.get(`key${n % KEYS}`)
      const loaded = await reader.getOrSet(`load${n % 5}`, () => 'loaded')
      if (loaded !== 'loaded') wrong.push(`a load gave ${loaded}`)
      await wait(3)
    }
  })()

  const gaps: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const before = await sentinels.primary()
    longestGap = 0
    await before.kill()
    await until('another one is named', async () => (await sentinels.primary()) !== before, NEVER)
    const mark = writes
    await until('writes are taken again', () => ackedAt > performance.now() - 100 && writes > mark, NEVER)
    await allUp(writer, reader)
    gaps.push(Math.round(longestGap))
    await before.restart()
    await inStep(before)
  }
  running = false
  await writing
  await reading
  await allUp(writer, reader)
  measured('longest time without an acknowledged write, each failover, ms', gaps.join(' '))
  measured('writes', writes)
  expect(wrong).toEqual([])
  for (const [key, expected] of latest) {
    for (const cache of [writer, reader]) expect([undefined, expected]).toContain(await cache.get(key))
  }
})
