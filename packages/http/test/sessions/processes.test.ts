import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { fastifySessionStore } from '../../src/index.ts'
import { openRoom, type Room } from '../support/session-room.ts'

const WORKER = fileURLToPath(new URL('../support/session-worker.ts', import.meta.url))

let room: Room

beforeAll(async () => {
  room = await openRoom()
})
afterAll(() => room.close())

test.each(['filesystem', 'redis'] as const)('on %s, what a killed process was told is done is done', async backend => {
  const namespace = `killed-${backend}`
  const options = { namespace, backend, dir: room.dir, redisUrl: room.redis.url, deadline: '20s' }
  const child = fork(WORKER, [JSON.stringify(options)], { execArgv: ['--conditions=source', '--import', 'tsx'] })
  const exited = once(child, 'exit')
  await Promise.race([once(child, 'message'), exited])
  child.kill('SIGKILL')
  expect(await exited).toEqual([null, 'SIGKILL'])
  const store = fastifySessionStore({ cache: await room.open(backend, namespace) })
  expect(await store.get('kept')).toMatchObject({ user: 'ada' })
  const refused: unknown[] = []
  store.on('refused', event => refused.push(event))
  await store.set('ended', { user: 'grace', cookie: {} })
  expect(await store.get('ended')).toBeNull()
  expect(refused).toHaveLength(1)
})
