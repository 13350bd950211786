import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type LimitRoom, limitRoom } from '../support/limit-room.ts'
import { WAYS } from '../support/limit-site.ts'

const WORKER = fileURLToPath(new URL('../support/limit-worker.ts', import.meta.url))
let room: LimitRoom
const ends: (() => unknown)[] = []

beforeAll(async () => {
  room = await limitRoom()
})
afterAll(async () => {
  for (const end of ends) await end()
  await room.close()
})

/** The URLs of a process of its own, one for each way. */
async function worker(backend: string, place: string): Promise<readonly string[]> {
  const child = spawn(process.execPath, ['--conditions=source', '--import', 'tsx', WORKER, backend, place], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  ends.push(async () => {
    child.kill('SIGKILL')
    await exited
  })
  const { value, done } = await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next()
  if (done === true) throw new Error('the worker ended')
  return JSON.parse(value) as string[]
}

describe.each(['filesystem', 'redis'] as const)('four processes on %s', backend => {
  test('admit exactly 50 of 200 requests at once, in every way', async () => {
    const place = backend === 'redis' ? room.redis.url : room.dir
    const urls = await Promise.all([1, 2, 3, 4].map(() => worker(backend, place)))
    for (const [i, way] of WAYS.entries()) {
      const asked = urls.flatMap(each =>
        Array.from({ length: 50 }, () => fetch(each[i] ?? '', { headers: { 'x-client': 'c' } })),
      )
      const statuses = (await Promise.all(asked)).map(({ status }) => status)
      const count = (wanted: number): number => statuses.filter(status => status === wanted).length
      expect([way, count(200), count(429)]).toEqual([way, 50, 150])
    }
  })
})
