import { existsSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createLayout } from '../../src/stores/file/layout.ts'
import { openOutboxJournal } from '../../src/stores/file/outbox-journal.ts'
import { freshDir, startWorker, tree, type Worker } from '../support/file-store.ts'
import { until } from '../support/redis-server.ts'
import { trace, type Tracing } from '../support/file-strace.ts'

let dir: string
let removeAll: () => void
let workers: Worker[]
let tracings: Tracing[]

beforeEach(() => {
  const fresh = freshDir()
  dir = fresh.dir
  removeAll = fresh.remove
  workers = []
  tracings = []
})

afterEach(async () => {
  await Promise.all(workers.map(worker => worker.kill()))
  await Promise.all(tracings.map(tracing => tracing.stop()))
  removeAll()
})

const pathOf = (key: string): string => createLayout(dir).entry(key)
const leftovers = (): string[] => tree(dir).filter(name => /\.[tc]\/?$/.test(name))

/** A process with a store that has the entries `k` and `j`. */
async function start(io: 'sync' | 'async' = 'sync'): Promise<Worker> {
  // strace counts calls by thread: with one thread in the pool the first call is the first of the process.
  const worker = await startWorker('file-act-worker.ts', [dir, io], { UV_THREADPOOL_SIZE: '1' })
  workers.push(worker)
  for (const command of ['set k old', 'set j other', 'get k']) await worker.ask(command)
  return worker
}

async function inject(worker: Worker, ...injections: readonly string[]): Promise<Tracing> {
  const tracing = await trace(worker.pid, injections)
  tracings.push(tracing)
  return tracing
}

/** As if another process were sweeping: none of ours makes room. */
function holdSweeps(): void {
  const lease = join(dir, 'state', 'sweeper.l')
  mkdirSync(lease)
  writeFileSync(join(lease, 'another'), '')
  utimesSync(join(lease, 'another'), Date.now() / 1000 + 60, Date.now() / 1000 + 60)
}

/** Runs the commands in the worker; their answers. */
async function ask(worker: Worker, ...commands: readonly string[]): Promise<string[]> {
  const answers: string[] = []
  for (const command of commands) answers.push(await worker.ask(command))
  return answers
}

describe('no room', () => {
  for (const errno of ['EDQUOT', 'ENOSPC']) {
    test(`${errno}: a write is refused, nothing is left of it, and no other is tried for a while; the rest goes on`, async () => {
      const worker = await start()
      holdSweeps()
      const tracing = await inject(worker, `write:error=${errno}:when=1`)
      expect(await ask(worker, 'set k new')).toEqual(['PALIER_STORE_REFUSED'])
      expect(leftovers()).toEqual([])
      await tracing.stop()
      // The disk has room again, and is not asked.
      expect(await ask(worker, 'set j new', 'claim n t', 'get k', 'get j', 'delete j', 'get j')).toEqual([
        'PALIER_STORE_REFUSED',
        'PALIER_STORE_REFUSED',
        'old',
        'other',
        'done',
        'absent',
      ])
      expect(await worker.ask('faults')).toMatch(/^(set|claim):full(,(set|claim):full)+$/)
      await until('it is asked again', async () => (await worker.ask('set k new')) === 'done')
      expect(await ask(worker, 'get k', 'claim n t')).toEqual(['new', 'true'])
    })
  }

  test('EFBIG: the one file is too large for the process; others are written', async () => {
    const worker = await start()
    const tracing = await inject(worker, 'write:error=EFBIG:when=1')
    expect(await ask(worker, 'set k new')).toEqual(['PALIER_STORE_REFUSED'])
    await tracing.stop()
    expect(await ask(worker, 'set k new', 'get k')).toEqual(['done', 'new'])
    expect(leftovers()).toEqual([])
  })

  test('EDQUOT while a commit is written: it is refused and the lease is free', async () => {
    const worker = await start()
    expect(await ask(worker, 'claim n t')).toEqual(['true'])
    const tracing = await inject(worker, 'write:error=EDQUOT:when=1')
    expect(await ask(worker, 'commit n t value')).toEqual(['PALIER_STORE_REFUSED'])
    await tracing.stop()
    expect(await ask(worker, 'get n')).toEqual(['absent'])
    const other = await startWorker('file-act-worker.ts', [dir])
    workers.push(other)
    expect(await ask(other, 'claim n u', 'commit n u value', 'get n')).toEqual(['true', 'true', 'value'])
    expect(leftovers()).toEqual([])
  })
})

describe('a directory that cannot be written', () => {
  for (const errno of ['EROFS', 'EACCES', 'EPERM']) {
    test(`${errno}: what could not be deleted is not read any more, until it is deleted or set`, async () => {
      const worker = await start()
      const tracing = await inject(worker, `unlink:error=${errno}`, `openat:error=${errno}:when=3+`)
      expect(await ask(worker, 'delete k', 'get k', 'get j')).toEqual(['PALIER_STORE_REFUSED', 'absent', 'other'])
      await tracing.stop()
      expect(await ask(worker, 'get k')).toEqual(['absent'])
      // A load that was granted the lease of what is to be deleted stores nothing.
      expect(await ask(worker, 'claim k t', 'commit k t late', 'get k')).toEqual(['true', 'false', 'absent'])
      expect(await ask(worker, 'delete k', 'claim k t', 'commit k t new', 'get k')).toEqual([
        'done',
        'true',
        'true',
        'new',
      ])
      expect(await worker.ask('faults')).toBe('delete:readonly')
    })
  }

  test('a set in place of what could not be deleted is read again', async () => {
    const worker = await start()
    const tracing = await inject(worker, 'unlink:error=EROFS')
    expect(await ask(worker, 'delete k')).toEqual(['PALIER_STORE_REFUSED'])
    await tracing.stop()
    expect(await ask(worker, 'set k new', 'get k')).toEqual(['done', 'new'])
  })
})

describe('no handles', () => {
  for (const errno of ['EMFILE', 'ENFILE', 'ENOMEM']) {
    test(`${errno} that passes is waited for, in reading, writing and claiming`, async () => {
      const worker = await start()
      for (const [command, answer] of [
        ['get k', 'old'],
        ['set k new', 'done'],
        ['claim n t', 'true'],
      ] as const) {
        const tracing = await inject(worker, `openat:error=${errno}:when=1..3`)
        expect(await ask(worker, command)).toEqual([answer])
        await tracing.stop()
      }
      expect(await ask(worker, 'commit n t value', 'get n', 'faults')).toEqual(['true', 'value', ''])
    })
  }

  test('EMFILE that does not pass is waited for once, not by each call', async () => {
    const worker = await start()
    const tracing = await inject(worker, 'openat:error=EMFILE')
    expect(await ask(worker, ...Array.from({ length: 50 }, () => 'get k'))).toEqual(
      Array.from({ length: 50 }, () => 'absent'),
    )
    expect(await ask(worker, 'set k new')).toEqual(['PALIER_STORE_FAILED'])
    await tracing.stop()
    expect(await ask(worker, 'get k', 'set k new', 'get k')).toEqual(['old', 'done', 'new'])
  })
})

describe('a disk that fails', () => {
  for (const errno of ['EIO', 'EUCLEAN']) {
    for (const call of ['openat', 'pread64']) {
      test(`${errno} of ${call}: the entry is absent, removed, and told once`, async () => {
        const worker = await start()
        const tracing = await inject(worker, `${call}:error=${errno}:when=1`)
        expect(await ask(worker, 'get k', 'get k', 'get j')).toEqual(['absent', 'absent', 'other'])
        await tracing.stop()
        expect(existsSync(pathOf('k'))).toBe(false)
        expect(await ask(worker, 'set k new', 'get k', 'faults')).toEqual(['done', 'new', 'get:damaged'])
      })
    }

    test(`${errno}: an entry that cannot be removed either is not tried again, and read once another stands there`, async () => {
      const worker = await start()
      const other = await start()
      const tracing = await inject(worker, `pread64:error=${errno}:when=1`, `unlink:error=${errno}`)
      expect(await ask(worker, 'get k')).toEqual(['absent'])
      await tracing.stop()
      // The disk is well again, but its file is put aside.
      expect(await ask(worker, 'get k', 'faults')).toEqual(['absent', 'get:damaged'])
      expect(await ask(other, 'set k new')).toEqual(['done'])
      expect(await ask(worker, 'get k', 'faults')).toEqual(['new', ''])
    })
  }
})

describe('a sweep that meets a file the disk cannot read', () => {
  const ONE = 'pread64:error=EIO:when=2'

  test('removes it and goes on', async () => {
    const worker = await start()
    expect(await ask(worker, 'set dead x 0 1', 'set dying x 0 1')).toEqual(['done', 'done'])
    const tracing = await inject(worker, ONE)
    expect(await ask(worker, 'sweep')).toEqual(['done'])
    await tracing.stop()
    expect(['k', 'j', 'dead', 'dying'].map(pathOf).filter(existsSync).length).toBeLessThanOrEqual(2)
  })

  test('leaves it where nothing may be evicted, and goes on', async () => {
    const worker = await startWorker('file-act-worker.ts', [dir, 'sync', '{"evict":false}'])
    workers.push(worker)
    await ask(worker, 'set k old', 'set j other')
    const tracing = await inject(worker, ONE)
    expect(await ask(worker, 'sweep')).toEqual(['done'])
    await tracing.stop()
    expect(await ask(worker, 'get k', 'get j')).toEqual(['old', 'other'])
  })
})

describe('a network file system that lost a handle', () => {
  for (const call of ['openat', 'pread64']) {
    test(`ESTALE of ${call} in a read: the file is opened again, once`, async () => {
      const worker = await start()
      const tracing = await inject(worker, `${call}:error=ESTALE:when=1`)
      expect(await ask(worker, 'get k', 'faults')).toEqual(['old', ''])
      await tracing.stop()
      const again = await inject(worker, `${call}:error=ESTALE`)
      expect(await ask(worker, 'get k', 'faults')).toEqual(['absent', 'get:stale'])
      await again.stop()
      expect(await ask(worker, 'get k')).toEqual(['old'])
    })
  }

  for (const call of ['openat', 'write', 'rename']) {
    test(`ESTALE of ${call} in a write: it is made once more`, async () => {
      const worker = await start()
      const tracing = await inject(worker, `${call}:error=ESTALE:when=1`)
      expect(await ask(worker, 'set k new')).toEqual(['done'])
      await tracing.stop()
      expect(await ask(worker, 'get k', 'faults')).toEqual(['new', ''])
      expect(leftovers()).toEqual([])
    })
  }
})

describe('a directory that is not what it should be', () => {
  for (const [errno, call] of [
    ['EXDEV', 'rename'],
    ['ELOOP', 'openat'],
    ['ENOTDIR', 'openat'],
  ] as const) {
    test(`${errno} of ${call}: the write fails with a plain reason and leaves nothing`, async () => {
      const worker = await start()
      const tracing = await inject(worker, `${call}:error=${errno}:when=1`)
      expect(await ask(worker, 'set k new')).toEqual(['PALIER_STORE_FAILED'])
      await tracing.stop()
      expect(await ask(worker, 'faults', 'get k')).toEqual(['set:misplaced', 'old'])
      expect(leftovers()).toEqual([])
    })
  }

  test('ENOENT: a directory that vanished between two calls is made again, once', async () => {
    const worker = await start()
    const tracing = await inject(worker, 'openat:error=ENOENT:when=1')
    expect(await ask(worker, 'set k new', 'get k', 'faults')).toEqual(['done', 'new', ''])
    await tracing.stop()
  })
})

test('in the thread pool the same errors have the same answers', async () => {
  const worker = await start('async')
  const stale = await inject(worker, 'pread64:error=ESTALE:when=1')
  expect(await ask(worker, 'get k')).toEqual(['old'])
  await stale.stop()
  const damaged = await inject(worker, 'pread64:error=EIO')
  expect(await ask(worker, 'get k')).toEqual(['absent'])
  await damaged.stop()
  expect(existsSync(pathOf('k'))).toBe(false)
  expect(await ask(worker, 'set k new', 'get k')).toEqual(['done', 'new'])
})

describe('the outbox journal', () => {
  const startJournal = async (): Promise<Worker> => {
    const worker = await startWorker('file-outbox-worker.ts', [dir, 'c'], { UV_THREADPOOL_SIZE: '1' })
    workers.push(worker)
    expect(await worker.ask('append k:before')).toBe('"done"')
    return worker
  }
  const inherited = async (): Promise<readonly string[]> => {
    const journal = openOutboxJournal({ dir, channel: 'c' })
    const { lines } = await journal.inherit()
    await journal.close()
    return lines
  }

  test('EIO of fsync: the append fails, the file is left alone, and what follows is safe in another', async () => {
    const worker = await startJournal()
    const tracing = await inject(worker, 'fsync:error=EIO:when=1')
    expect(await worker.ask('append k:failed')).toContain('the disk reports an error')
    expect(await worker.ask('append k:after')).toBe('"done"')
    await tracing.stop()
    expect(tree(dir).filter(name => name.endsWith('.log'))).toHaveLength(2)
    await worker.kill()
    expect(await inherited()).toEqual(expect.arrayContaining(['k:before', 'k:after']))
  })

  test('EIO of fsync again and again: each append fails, and clear removes all files', async () => {
    const worker = await startJournal()
    const tracing = await inject(worker, 'fsync:error=EIO')
    for (let i = 0; i < 3; i++) expect(await worker.ask(`append k:${i}`)).toContain('the disk reports an error')
    await tracing.stop()
    expect(await worker.ask('clear')).toBe('"done"')
    expect(tree(dir).filter(name => name.endsWith('.log'))).toEqual([])
  })

  test('ESTALE of a write: the line goes into another file', async () => {
    const worker = await startJournal()
    const tracing = await inject(worker, 'pwrite64:error=ESTALE:when=1')
    expect(await worker.ask('append k:after')).toBe('"done"')
    await tracing.stop()
    await worker.kill()
    expect([...(await inherited())].sort()).toEqual(['k:after', 'k:before'])
  })

  test('EDQUOT of a write: the append is refused, nothing of it is read, and the next stands in the same file', async () => {
    const worker = await startJournal()
    const tracing = await inject(worker, 'pwrite64:error=EDQUOT:when=1')
    expect(await worker.ask('append k:refused')).toContain('there is no room left')
    expect(await worker.ask('append k:after')).toBe('"done"')
    await tracing.stop()
    expect(tree(dir).filter(name => name.endsWith('.log'))).toHaveLength(1)
    await worker.kill()
    expect(await inherited()).toEqual(['k:before', 'k:after'])
  })

  test('EMFILE that passes is waited for', async () => {
    const worker = await startJournal()
    expect(await worker.ask('clear')).toBe('"done"')
    const tracing = await inject(worker, 'openat:error=EMFILE:when=1..3')
    expect(await worker.ask('append k:after')).toBe('"done"')
    await tracing.stop()
  })
})
