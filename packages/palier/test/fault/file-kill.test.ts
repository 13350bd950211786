import { utimesSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { decodeRecord } from '../../src/record.ts'
import { openOutboxJournal } from '../../src/stores/file/outbox-journal.ts'
import { fileStore } from '../../src/stores/file/store.ts'
import { manualClock } from '../../src/testing/clock.ts'
import type { SharedStore } from '../../src/store.ts'
import { fileRecord, freshDir, startWorker, textOf, tree, type Worker } from '../support/file-store.ts'
import { trace } from '../support/file-strace.ts'

const LONG = 600_000
/** More calls of one kind than any operation makes. */
const MANY = 60

let dir: string
let removeAll: () => void
let worker: Worker | undefined
let spare: Promise<Worker> | undefined

beforeEach(() => {
  const fresh = freshDir()
  dir = fresh.dir
  removeAll = fresh.remove
  worker = undefined
  spare = undefined
})

afterEach(async () => {
  await worker?.kill()
  await (await spare)?.kill()
  removeAll()
})

/** A worker that is up; the one after it, as each is killed, starts while this one is at work. Until it is asked it does nothing. */
async function nextWorker(start: () => Promise<Worker>): Promise<Worker> {
  const next = await (spare ?? start())
  spare = start()
  // Who waits for it is told.
  spare.catch(() => undefined)
  return next
}

/** Kills the worker at the `n`-th of these calls from now on. Its answers; none once it is dead. */
async function killedAt(into: Worker, call: string, n: number, commands: readonly string[]): Promise<string[]> {
  const tracing = await trace(into.pid, [`${call}:signal=KILL:when=${n}`])
  const answers: string[] = []
  try {
    for (const command of commands) answers.push(await into.ask(command))
  } catch {
    // It is dead.
  }
  await tracing.stop()
  return answers
}

interface Operation {
  readonly name: string
  /** What stands before, in a directory that another store of this process uses too. */
  prepare(store: SharedStore): Promise<unknown>
  /** What the worker does before it is in danger; a first write also asks the ledger for an allowance. */
  readonly before: readonly string[]
  readonly command: string
  readonly answer: string
  /** What may be stored under `k` if it was killed. */
  readonly after: readonly (string | undefined)[]
}

const OPERATIONS: readonly Operation[] = [
  {
    name: 'a set',
    prepare: store => store.set('k', fileRecord('k', 'old'), LONG),
    before: ['get k'],
    command: 'set k new',
    answer: 'done',
    after: ['old', 'new'],
  },
  {
    name: 'a set over a lease',
    prepare: async store => {
      await store.set('k', fileRecord('k', 'old'), LONG)
      await store.claim('k', { token: 'other', ttl: LONG, steal: true })
    },
    before: ['set w x'],
    command: 'set k new',
    answer: 'done',
    after: ['old', 'new'],
  },
  {
    name: 'a claim',
    prepare: store => store.delete(['k']),
    before: ['get k'],
    command: 'claim k t',
    answer: 'true',
    after: [undefined],
  },
  {
    name: 'a commit',
    prepare: store => store.delete(['k']),
    before: ['set w x', 'claim k t'],
    command: 'commit k t new',
    answer: 'true',
    after: [undefined, 'new'],
  },
  {
    name: 'a delete',
    prepare: store => store.set('k', fileRecord('k', 'old'), LONG),
    before: ['get k'],
    command: 'delete k',
    answer: 'done',
    after: ['old', undefined],
  },
  {
    name: 'a theft of a lease',
    prepare: async store => {
      await store.set('k', fileRecord('k', 'old'), LONG)
      await store.claim('k', { token: 'other', ttl: LONG, steal: true })
    },
    before: ['get k'],
    command: 'steal k t',
    answer: 'true',
    after: ['old'],
  },
]

const CALLS = ['openat', 'write', 'utimensat', 'rename', 'mkdir', 'unlink', 'rmdir']

async function stored(store: SharedStore): Promise<string | undefined> {
  const found = await store.get('k')
  if (found === undefined) return undefined
  const record = decodeRecord(found.bytes)
  if (record === undefined) throw new Error('a torn record')
  return textOf(record.payload)
}

/** As if all that is neither entry nor directory of a shard had stood there for an hour. */
function ageLeftovers(): void {
  const old = Date.now() / 1000 - 3_600
  for (const name of tree(join(dir, 'v1'))) if (/\.[ltc]\/?/.test(name)) utimesSync(join(dir, 'v1', name), old, old)
}

describe('a process killed at any system call', () => {
  for (const { name, prepare, before, command, answer, after } of OPERATIONS) {
    test(`of ${name} leaves the old or the new, a lease that ends, and nothing a sweep would not remove`, async () => {
      const store = fileStore({ dir })
      let kills = 0
      for (const call of CALLS) {
        for (let n = 1; n < MANY; n++) {
          await prepare(store)
          worker ??= await nextWorker(() => startWorker('file-act-worker.ts', [dir]))
          for (const line of before) await worker.ask(line)
          const answers = await killedAt(worker, call, n, [command])
          if (answers.length > 0) {
            expect(answers).toEqual([answer])
            break
          }
          kills++
          worker = undefined
          expect(after).toContain(await stored(store))
          ageLeftovers()
          const value = await stored(store)
          const seen = (await store.get('k'))?.bytes.subarray(4, 16)
          const claimed = await store.claim('k', { token: `after-${call}-${n}`, ttl: LONG, ...(seen && { seen }) })
          expect([call, n, claimed.granted]).toEqual([call, n, true])
          expect(await store.commit('k', `after-${call}-${n}`, fileRecord('k', `${value}-after`), LONG)).toBe(true)
          expect(await stored(store)).toBe(`${value}-after`)
        }
      }
      expect(kills).toBeGreaterThan(1)
      await store.delete(['k', 'w'])
      ageLeftovers()
      await store.sweep?.()
      expect(tree(join(dir, 'v1')).filter(found => found.length > 3)).toEqual([])
      await store.close()
    })
  }

  test.each([
    ['a sweep', {}],
    ['a sweep that may not evict', { evict: false }],
  ])('of %s leaves all that is alive, and the next sweep does the rest', async (_, options) => {
    const store = fileStore({ dir, ...options })
    let kills = 0
    for (const call of ['unlink', 'rename', 'rmdir', 'utimensat', 'mkdir']) {
      for (let n = 1; n < 4; n++) {
        worker ??= await nextWorker(() => startWorker('file-act-worker.ts', [dir, 'sync', JSON.stringify(options)]))
        await worker.ask('get k')
        await store.set('k', fileRecord('k', 'alive'), LONG)
        for (let i = 0; i < 20; i++) await store.set(`dead:${i}`, fileRecord(`dead:${i}`, 'x'), 1)
        const answers = await killedAt(worker, call, n, ['sweep'])
        if (answers.length > 0) break
        kills++
        worker = undefined
        expect(await stored(store)).toBe('alive')
        const election = join(dir, 'state', 'sweeper.l')
        for (const name of tree(dir).filter(found => found.startsWith('state/sweeper.l/') && !found.endsWith('/'))) {
          utimesSync(join(election, name.slice('state/sweeper.l/'.length)), 1, 1)
        }
        ageLeftovers()
        expect(await store.sweep?.()).toMatchObject({ entries: 1 })
      }
    }
    expect(kills).toBeGreaterThan(3)
    await store.close()
  })

  test('of the outbox journal loses nothing that was acknowledged, and keeps nothing that was cleared', async () => {
    const commands = ['append k:1', 'append k:2 k:3', 'clear', 'append k:4', 'close']
    let kills = 0
    for (const call of ['openat', 'mkdir', 'pwrite64', 'fsync', 'unlink', 'rename', 'close']) {
      for (let n = 1; n < MANY; n++) {
        // One thread does all the work, so that its calls are counted together.
        worker = await nextWorker(() => startWorker('file-outbox-worker.ts', [dir, 'c'], { UV_THREADPOOL_SIZE: '1' }))
        const { length } = await killedAt(worker, call, n, commands)
        await worker.kill()
        worker = undefined
        // Ten minutes later, when even a file of which nobody knows whose it was is given up.
        const journal = openOutboxJournal({ dir, channel: 'c', clock: manualClock(Date.now() + 610_000) })
        const legacy = await journal.inherit()
        const safe = [[], ['k:1'], ['k:1', 'k:2', 'k:3'], [], ['k:4'], ['k:4']][length] ?? []
        // A clear that was under way may have been done.
        if (length !== 2) expect(legacy.lines).toEqual(expect.arrayContaining(safe))
        if (length >= 3) expect(legacy.lines.filter(line => line !== 'k:4')).toEqual([])
        await legacy.settle()
        expect(await journal.inherit().then(({ lines }) => lines)).toEqual([])
        await journal.close()
        expect(tree(dir).filter(name => /^outbox\/.*[^/]$/.test(name))).toEqual([])
        if (length === commands.length) break
        kills++
      }
    }
    expect(kills).toBeGreaterThan(8)
  })
})
