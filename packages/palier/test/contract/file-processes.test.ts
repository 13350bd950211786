import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { decodeRecord } from '../../src/record.ts'
import { fileStore } from '../../src/stores/file/store.ts'
import { diskUsage, fileRecord, freshDir, startWorker, textOf, type Worker } from '../support/file-store.ts'
import { until } from '../support/redis-server.ts'

/** What file-worker.ts keeps to in the mode `churn`. */
const BUDGET = 16 * 1024 * 1024
/**
 * How long the four work, in milliseconds: thousands of steps. Each order of the steps is tried in file-interleavings;
 * here it is the real system under real processes.
 */
const LIFE = 1_500

interface Report {
  readonly problems: readonly string[]
  readonly counts: Readonly<Record<string, number>>
}

let dir: string
let scratch: string
let removeAll: () => void
let workers: Worker[]

beforeEach(() => {
  const fresh = freshDir('disk')
  dir = join(fresh.dir, 'cache')
  scratch = join(fresh.dir, 'scratch')
  mkdirSync(scratch)
  writeFileSync(join(scratch, 'slots'), Buffer.alloc(3 * 8 * 8))
  removeAll = fresh.remove
  workers = []
})

afterEach(async () => {
  await Promise.all(workers.map(worker => worker.kill()))
  removeAll()
})

async function start(mode: string, count: number, ms: number): Promise<void> {
  workers = await Promise.all(
    Array.from({ length: count }, (_, i) => startWorker('file-worker.ts', [mode, dir, String(i), String(ms), scratch])),
  )
}

async function reports(): Promise<Report[]> {
  const lines = await Promise.all(workers.map(worker => worker.ask('go')))
  return lines.map(line => JSON.parse(line) as Report)
}

const total = (all: readonly Report[], what: string): number =>
  all.reduce((sum, { counts }) => sum + (counts[what] ?? 0), 0)

describe('four processes on one directory', () => {
  test('every commit that was true counts, and no other, with thefts, releases and expiring leases', async () => {
    await start('counter', 4, LIFE)
    const all = await reports()
    expect(all.flatMap(({ problems }) => problems)).toEqual([])
    const store = fileStore({ dir })
    for (const key of ['k0', 'k1', 'k2']) {
      const found = await store.get(key)
      const record = found && decodeRecord(found.bytes)
      expect(Number(record && textOf(record.payload))).toBe(total(all, `committed ${key}`))
    }
    expect(total(all, 'lost')).toBeGreaterThan(0)
    await store.close()
  })

  test('what was loaded before a delete is never read after it', async () => {
    await start('source', 4, LIFE)
    const all = await reports()
    expect(all.flatMap(({ problems }) => problems)).toEqual([])
    for (const what of ['committed', 'lost', 'deleted', 'read']) expect(total(all, what)).toBeGreaterThan(20)
  })

  test('what was loaded before a set is never read after it', async () => {
    await start('writer', 4, LIFE)
    const all = await reports()
    expect(all.flatMap(({ problems }) => problems)).toEqual([])
    for (const what of ['committed', 'lost', 'set', 'deleted', 'read']) expect(total(all, what)).toBeGreaterThan(20)
  })

  test('two that write a mebibyte and two that read it: nothing torn, nothing missing, no error', async () => {
    const store = fileStore({ dir })
    await store.set('large', fileRecord('large', 'first', 1024 * 1024), 600_000)
    await store.close()
    await start('large', 4, LIFE)
    const all = await reports()
    expect(all.flatMap(({ problems }) => problems)).toEqual([])
    expect(total(all, 'absent')).toBe(0)
    for (const what of ['set', 'read']) expect(total(all, what)).toBeGreaterThan(50)
  })

  test('writing three times the budget they never exceed it by 5 %, and read nothing torn or wrong', async () => {
    const filling = fileStore({ dir, maxBytes: BUDGET, maxFiles: 5_000 })
    for (let i = 0; i < 500; i++)
      await filling.set(`churn:${i}`, fileRecord(`churn:${i}`, `churn:${i}`, 28_000), 600_000)
    await filling.close()
    await start('churn', 4, 5_000)
    let worst = 0
    let working = true
    const done = reports().finally(() => {
      working = false
    })
    while (working) {
      worst = Math.max(worst, diskUsage(dir))
      await new Promise(resolve => void setTimeout(resolve, 50))
    }
    const all = await done
    expect(all.flatMap(({ problems }) => problems)).toEqual([])
    expect(total(all, 'hit')).toBeGreaterThan(20)
    expect(total(all, 'set')).toBeGreaterThan(50)
    // The test means nothing before the budget was reached.
    expect(worst).toBeGreaterThan(0.8 * BUDGET)
    expect(worst).toBeLessThanOrEqual(1.05 * BUDGET)
  })
})

test('a process killed while it writes leaves a usable store, and its lease ends by its time', async () => {
  const store = fileStore({ dir })
  for (let round = 0; round < 3; round++) {
    await start('victim', 1, 0)
    const [victim] = workers
    expect(await victim?.ask('go')).toBe('held')
    const takenAt = Date.now()
    await until('the victim writes', async () => (await store.get('victim:5')) !== undefined)
    await victim?.kill()
    await until(
      'the lease ends',
      async () => (await store.claim('held', { token: `r${round}`, ttl: 50 })).granted,
      5_000,
    )
    expect(Date.now() - takenAt).toBeGreaterThanOrEqual(900)
    await store.release('held', `r${round}`)
    for (let i = 0; i < 20; i++) {
      const key = `victim:${i}`
      const found = await store.get(key)
      if (found !== undefined) expect(decodeRecord(found.bytes)?.key).toBe(key)
      await store.set(key, fileRecord(key, 'after'), 60_000)
    }
    await store.delete(['victim:5'])
  }
  await store.close()
})
