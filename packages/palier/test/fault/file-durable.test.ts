import { join, sep } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { decodeRecord } from '../../src/record.ts'
import { createLayout } from '../../src/stores/file/layout.ts'
import { fileStore } from '../../src/stores/file/store.ts'
import type { SharedStore } from '../../src/store.ts'
import { freshDir, startWorker, textOf, tree, type Worker } from '../support/file-store.ts'
import { record, trace, type Tracing } from '../support/file-strace.ts'

const KEEPING = { evict: false, durable: true }

let base: string
let dir: string
let removeAll: () => void
let workers: Worker[]
let tracings: Tracing[]
let stores: SharedStore[]

beforeEach(() => {
  const fresh = freshDir()
  base = fresh.dir
  dir = join(base, 'sessions')
  removeAll = fresh.remove
  workers = []
  tracings = []
  stores = []
})

afterEach(async () => {
  await Promise.all(workers.map(worker => worker.kill()))
  await Promise.all(tracings.map(tracing => tracing.stop()))
  await Promise.all(stores.map(store => store.close()))
  removeAll()
})

async function start(io: 'sync' | 'async', options: object = KEEPING): Promise<Worker> {
  const worker = await startWorker('file-act-worker.ts', [dir, io, JSON.stringify(options)])
  workers.push(worker)
  return worker
}

function open(): SharedStore {
  const store = fileStore({ dir, ...KEEPING })
  stores.push(store)
  return store
}

async function textAt(store: SharedStore, key: string): Promise<string | undefined> {
  const found = await store.get(key)
  const decoded = found && decodeRecord(found.bytes)
  return decoded && textOf(decoded.payload)
}

const CALLS = ['write', 'fdatasync', 'fsync', 'rename', 'unlink', 'mkdir']

/** What the process did on the disk until it answered: names of temporary files as `new`. */
async function until(worker: Worker, command: string, answer: string): Promise<readonly string[]> {
  const recording = await record(worker.pid, CALLS)
  expect(await worker.ask(command)).toBe(answer)
  // The very last thing it does may be missing from the recording.
  expect(await worker.ask('faults')).toBe('')
  const calls = await recording.calls()
  const end = calls.findIndex(call => call.startsWith('write') && call.includes(`${answer}\\n`))
  expect(end).toBeGreaterThan(0)
  const path = createLayout(dir).entry('k')
  const told = calls.slice(0, end).filter(call => !call.includes('/state/') && !call.includes('eventfd'))
  return told
    .map(call => call.replaceAll(/\S+\.t(?= |$)/g, 'new').replaceAll(path.slice(0, -65), 'SHARD'))
    .map(call => call.replaceAll(path.slice(-65), '/k').replaceAll(`${dir}/v1`, 'ENTRIES'))
    .map(call => (call.startsWith('write new') ? 'write new' : call))
}

describe.each(['sync', 'async'] as const)('before it is acknowledged, with %s calls,', io => {
  test('a set has flushed its bytes, then renamed them, then flushed the shard', async () => {
    const worker = await start(io)
    await worker.ask('set k old')
    const order = ['write new', 'fdatasync new', 'rename new SHARD/k', 'fsync SHARD']
    expect(await until(worker, 'set k value', 'done')).toEqual(order)
  })

  test('a commit has done the same', async () => {
    const worker = await start(io)
    await worker.ask('set k old')
    await worker.ask('steal k t')
    const calls = await until(worker, 'commit k t value', 'true')
    const order = ['write new', 'fdatasync new', 'rename new SHARD/k', 'fsync SHARD']
    expect(calls.filter(call => !call.startsWith('rename SHARD/k.l/'))).toEqual(order)
  })

  test('a delete has flushed the shard, also when there was nothing to delete any more', async () => {
    const worker = await start(io)
    await worker.ask('set k old')
    expect(await until(worker, 'delete k', 'done')).toEqual(['unlink SHARD/k', 'fsync SHARD'])
    expect(await until(worker, 'delete k', 'done')).toEqual(['fsync SHARD'])
  })

  test('the first write has flushed all the directories that lead to it', async () => {
    const worker = await start(io)
    const calls = await until(worker, 'set k value', 'done')
    const flushed = calls.filter(call => call.startsWith('fsync ')).map(call => call.slice('fsync '.length))
    const above = dir.split(sep).map((_, i, parts) => parts.slice(0, i + 1).join(sep) || sep)
    expect(flushed.filter(path => path !== `${dir}/state`)).toEqual(['SHARD', 'ENTRIES', ...above.reverse()])
    expect(calls.indexOf('fsync SHARD')).toBeGreaterThan(calls.indexOf('rename new SHARD/k'))
  })

  test('a disk that will not flush the bytes, or the name, is not acknowledged to have them', async () => {
    const worker = await start(io)
    for (const line of ['set k old', 'set j old']) await worker.ask(line)
    const bytes = await trace(worker.pid, ['fdatasync:error=EIO'])
    tracings.push(bytes)
    expect(await worker.ask('set k new')).toBe('PALIER_STORE_FAILED')
    await bytes.stop()
    expect(await worker.ask('get k')).toBe('old')
    const name = await trace(worker.pid, ['fsync:error=EIO'])
    tracings.push(name)
    for (const line of ['set k new', 'delete j']) expect(await worker.ask(line)).toBe('PALIER_STORE_FAILED')
    // What was to be deleted is not read by whoever was told that it might be there.
    expect(await worker.ask('get j')).toBe('absent')
    await name.stop()
    expect(await worker.ask('set k newer')).toBe('done')
    expect(await worker.ask('get k')).toBe('newer')
    expect(tree(dir).filter(path => /\.[tc]\/?$/.test(path))).toEqual([])
  })
})

test('writes of one moment into one directory share a flush', async () => {
  const worker = await start('sync')
  await worker.ask('set k old')
  const recording = await record(worker.pid, ['fsync', 'rename'])
  // All of one shard, without waiting for each other.
  expect(await worker.ask('crowd 40')).toBe('done')
  const calls = await recording.calls()
  const flushes = calls.filter(call => call.startsWith('fsync')).length
  expect(calls.filter(call => call.startsWith('rename') && !call.includes('/state/'))).toHaveLength(40)
  expect(flushes).toBeGreaterThan(0)
  expect(flushes).toBeLessThan(20)
  expect(calls.at(-1)).toMatch(/^fsync/)
})

test('a store that is not durable flushes nothing', async () => {
  const worker = await start('sync', {})
  const calls = await until(worker, 'set k value', 'done')
  expect(calls.filter(call => /sync/.test(call))).toEqual([])
})

describe('processes killed as they write', () => {
  test('lose nothing that was acknowledged, while others sweep what expired under the same keys', async () => {
    const store = open()
    let acknowledged = 0
    for (let round = 0; round < 3; round++) {
      const sweeper = await start('sync')
      const writers = await Promise.all([start('sync'), start('async'), start('sync')])
      let going = true
      const sweeping = (async () => {
        while (going) await sweeper.ask('sweep')
      })()
      const last = await Promise.all(writers.map((writer, i) => writeUntilKilled(writer, `w${i}`, 40 + round * 31 + i)))
      going = false
      await sweeping
      await sweeper.kill()
      for (const [i, done] of last.entries()) {
        for (const [key, version] of done) {
          acknowledged++
          expect([i, key, await textAt(store, `w${i}:${key}`)]).toEqual([i, key, String(version)])
        }
      }
    }
    expect(acknowledged).toBeGreaterThan(50)
  })
})

/**
 * Lets keys expire and writes them anew, over and over; kills the writer after so many acknowledgements. Gives the
 * versions acknowledged, by key, but for those that were to be written again.
 */
async function writeUntilKilled(writer: Worker, name: string, acknowledgements: number): Promise<Map<number, number>> {
  const done = new Map<number, number>()
  let killing: Promise<void> | undefined
  try {
    for (let version = 1; ; version++) {
      const key = version % 10
      // The first of the two is dead before the second comes, or nearly.
      const answers = writer.ask(`set ${name}:${key} dying 0 1;set ${name}:${key} ${version}`)
      done.delete(key)
      await answers
      if ((await writer.next()) === 'done') done.set(key, version)
      if (version === acknowledgements) killing = writer.kill()
    }
  } catch {
    await killing
    return done
  }
}
