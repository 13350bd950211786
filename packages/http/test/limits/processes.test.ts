import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type LimitRoom, limitRoom } from '../support/limit-room.ts'
import { WAYS } from '../support/limit-site.ts'

const WORKER = fileURLToPath(new URL('../support/limit-worker.ts', import.meta.url))
/** The URLs of one process: for each backend one for each way. */
type Urls = Readonly<Record<'filesystem' | 'redis', readonly string[]>>

let room: LimitRoom
let processes: readonly Urls[]
const ends: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  room = await limitRoom()
  processes = await Promise.all([1, 2, 3, 4].map(() => worker()))
})
afterAll(async () => {
  for (const end of ends) await end()
  await room.close()
})

async function worker(): Promise<Urls> {
  const child = spawn(process.execPath, ['--conditions=source', '--import', 'tsx', WORKER, room.dir, room.redis.url], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  ends.push(async () => {
    child.kill('SIGKILL')
    await exited
  })
  const { value, done } = await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next()
  if (done === true) throw new Error('the worker ended')
  return JSON.parse(value) as Urls
}

describe.each(['filesystem', 'redis'] as const)('four processes on %s', backend => {
  test.each(WAYS)('admit exactly 50 of 200 requests at once by %s', async way => {
    const asked = processes.flatMap(urls => {
      const url = urls[backend][WAYS.indexOf(way)] ?? ''
      return Array.from({ length: 50 }, () => fetch(url, { headers: { 'x-client': 'one' } }))
    })
    const statuses = (await Promise.all(asked)).map(({ status }) => status)
    const count = (wanted: number): number => statuses.filter(status => status === wanted).length
    expect([count(200), count(429)]).toEqual([50, 150])
  })
})
