import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { fileStore } from '../../src/stores/file/store.ts'
import { freshDir, startWorker, type Worker } from '../support/file-store.ts'
import { startRedis, until } from '../support/redis-server.ts'

const LONG = 600_000
const ends: (() => void | Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

function directory(): string {
  const { dir, remove } = freshDir()
  ends.push(remove)
  return dir
}

async function workers(count: number, place: string, log: string = ''): Promise<Worker[]> {
  const started = await Promise.all(Array.from({ length: count }, () => startWorker('guard-worker.ts', [place, log])))
  for (const worker of started) ends.push(() => worker.kill())
  return started
}

/** What the log says; fails when anybody worked under a lock that had been granted to the next. */
function readLog(log: string): { grants: number; pids: Set<string>; last: number } {
  let last = 0
  let grants = 0
  const pids = new Set<string>()
  const lines = readFileSync(log, 'utf8').split('\n').slice(0, -1)
  for (const [i, line] of lines.entries()) {
    const [what = '', number = '', pid = ''] = line.split(' ')
    const fence = Number(number)
    if (what === 'granted') {
      if (fence <= last) throw new Error(`line ${i}: ${line}, after ${last}`)
      last = fence
      grants++
      pids.add(pid)
    } else if (what !== 'holds' || fence !== last) throw new Error(`line ${i}: ${line}, after ${last} was granted`)
  }
  return { grants, pids, last }
}

describe('a lock of several processes in a directory', () => {
  test('that ended is granted to one of six who race for it, with a greater fence', async () => {
    const dir = directory()
    const racers = await workers(6, dir)
    const store = fileStore({ dir })
    ends.push(() => store.close())
    for (let round = 0; round < 40; round++) {
      const name = `stale-${round % 5}`
      const stale = (await store.locks.acquire(name, 'gone', 1)) ?? 0
      await until('the lock has ended', async () => !(await store.locks.renew(name, 'gone', 1)))
      const answers = await Promise.all(racers.map(racer => racer.ask(`acquire ${name} ${LONG}`)))
      const fences = answers.filter(answer => answer !== '-').map(Number)
      expect(fences).toHaveLength(1)
      expect(fences[0]).toBeGreaterThan(stale)
      const released = await Promise.all(racers.map(racer => racer.ask(`release ${name}`)))
      expect(released.filter(answer => answer === 'true')).toHaveLength(1)
    }
  })

  test('never has two owners while its owners are killed, and no kill leaves it locked', async () => {
    const [dir, log] = [directory(), join(directory(), 'log')]
    writeFileSync(log, '')
    const running = await workers(6, dir, log)
    const begin = async (worker: Worker): Promise<void> => {
      expect(await worker.ask('churn')).toBe('churning')
    }
    await Promise.all(running.map(begin))
    let kills = 0
    while (kills < 8) {
      const { last, grants } = readLog(log)
      await until('the lock was granted again', () => readLog(log).last > last)
      const owner = /(\d+)\n$/.exec(readFileSync(log, 'utf8'))?.[1]
      const victim = running.findIndex(({ pid }) => String(pid) === owner)
      if (victim < 0) continue
      await running[victim]?.kill()
      kills++
      await until('the lock was granted after a kill', () => readLog(log).grants > grants + 1)
      const [next] = await workers(1, dir, log)
      if (next === undefined) throw new Error('no worker started')
      running[victim] = next
      await begin(next)
    }
    for (const worker of running) expect(await worker.ask('stop')).toBe('stopped')
    const { grants, pids } = readLog(log)
    expect(pids.size).toBeGreaterThan(6)
    expect(grants).toBeGreaterThan(50)
    const locks = readdirSync(join(dir, 'locks'))
    const files = readdirSync(join(dir, 'locks', locks[0] ?? '')).filter(name => name.startsWith('g.'))
    expect(files.length).toBeLessThan(40)
  })
})

describe('a limit that four processes ask for 50 times each at once', () => {
  const KEYS = ['a', 'b', 'c', 'd', 'e', 'f'] as const

  async function admitted(takers: readonly Worker[], key: string, limit: number): Promise<number> {
    const counts = await Promise.all(takers.map(taker => taker.ask(`take ${key} ${limit}`)))
    return counts.map(Number).reduce((a, b) => a + b)
  }

  test('of 50 admits exactly 50 in a directory', async () => {
    const takers = await workers(4, directory())
    for (const key of KEYS) expect(await admitted(takers, key, 50)).toBe(50)
  })

  test('admits exactly as many when the counts go through several logs meanwhile', async () => {
    const dir = directory()
    const takers = await workers(4, dir)
    for (const key of KEYS) expect(await admitted(takers, key, 190)).toBe(190)
    const numbers = readdirSync(join(dir, 'limits')).map(name => Number(name.slice(3)))
    expect(Math.max(...numbers)).toBeGreaterThan(1)
    expect(numbers.length).toBeLessThanOrEqual(KEYS.length)
  })

  test('of 50 admits exactly 50 on redis', async () => {
    const server = await startRedis()
    ends.push(() => server.stop())
    const takers = await workers(4, server.url)
    for (const key of KEYS) expect(await admitted(takers, key, 50)).toBe(50)
  })
})

describe('a count that four processes make 50 times each at once', () => {
  const places: readonly (readonly [string, () => Promise<string>])[] = [
    ['in a directory', async () => directory()],
    [
      'on redis',
      async () => {
        const server = await startRedis()
        ends.push(() => server.stop())
        return server.url
      },
    ],
  ]
  for (const [what, place] of places) {
    test(`is 200, and each number is told once, ${what}`, async () => {
      const counters = await workers(4, await place())
      for (const key of ['a', 'b', 'c']) {
        const told = await Promise.all(counters.map(counter => counter.ask(`count ${key}`)))
        const numbers = told.flatMap(line => line.split(',').map(Number)).sort((a, b) => a - b)
        expect(numbers).toEqual(Array.from({ length: 200 }, (_, i) => i + 1))
      }
    })
  }
})
