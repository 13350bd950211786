import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Cache } from '../../src/index.ts'
import { documentKey } from '../../src/key.ts'
import { createLayout } from '../../src/stores/file/layout.ts'
import { allOut, allUp, faultRoom, onRedis, timed } from '../support/fault-room.ts'
import { startWorker } from '../support/file-store.ts'
import { until } from '../support/redis-server.ts'

const room = faultRoom()
const HOUR = 3_600_000
/** Far above any deadline: what takes longer hangs. */
const HANG = 5000

const leave = (value: unknown) => (): { value: unknown; ttl: number } => ({ value, ttl: HOUR })
const notesOf = (cache: Cache) => cache.documents<unknown>('notes')

const codeOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'no error',
    (error: { code?: unknown }) => error.code,
  )

async function listed(cache: Cache): Promise<string[]> {
  const ids: string[] = []
  for await (const some of notesOf(cache).all()) ids.push(...some.map(({ id }) => id))
  return [...new Set(ids)].toSorted()
}

async function isStopped(pid: number): Promise<boolean> {
  return readFileSync(`/proc/${pid}/stat`, 'latin1').includes(') T ')
}

describe.each(['is killed', 'stops answering'] as const)('a Redis that %s', fault => {
  test('is an error for whoever reads or changes, and deletions wait for it', async () => {
    const server = await room.redis()
    const [here, there] = [await room.cache(onRedis(server)), await room.cache(onRedis(server))]
    await allUp(here, there)
    await notesOf(here).change('a', leave('old'))
    await notesOf(here).change('b', leave('old'))
    if (fault === 'is killed') await server.kill()
    else server.pause()
    const took = await timed(async () => {
      const works = [notesOf(here).read('a'), notesOf(here).change('a', leave('new')), listed(here)]
      for (const code of await Promise.all(works.map(codeOf))) {
        expect(code).toMatch(/^PALIER_STORE_(FAILED|TIMEOUT)$/)
      }
      expect(await notesOf(here).delete('a')).toEqual({ local: true, shared: 'pending' })
      expect(await notesOf(here).read('a')).toBeUndefined()
      expect(await notesOf(here).change('a', leave('revived'))).toBeUndefined()
    })
    expect(took).toBeLessThan(HANG)
    await allOut(here)
    expect(await codeOf(notesOf(here).read('b'))).toBe('PALIER_STORE_FAILED')
    expect(await notesOf(here).read('a')).toBeUndefined()
    if (fault === 'is killed') await server.restart()
    else server.resume()
    await allUp(here, there)
    for (const cache of [here, there]) {
      expect(await notesOf(cache).read('a')).toBeUndefined()
      expect(await notesOf(cache).change('a', leave('revived'))).toBeUndefined()
    }
    expect(await listed(there)).toEqual(fault === 'is killed' ? [] : ['b'])
  })
})

describe('a deletion', () => {
  test('whose process ends before Redis returns is delivered by the next one', async () => {
    const server = await room.redis()
    const path = await room.proxy(server.port)
    const dir = await room.folder()
    const there = await room.cache(onRedis(server))
    const here = await room.cache({ ...onRedis(path), dir })
    await allUp(here, there)
    await notesOf(here).change('a', leave('old'))
    await path.mode('refuse')
    await allOut(here)
    expect((await notesOf(here).delete('a')).shared).toBe('pending')
    await here.close()
    expect((await notesOf(there).read('a'))?.value).toBe('old')
    await path.mode('pass')
    const next = await room.cache({ ...onRedis(path), dir })
    await allUp(next)
    await until('it was delivered', async () => (await notesOf(there).read('a')) === undefined)
    expect(await notesOf(there).change('a', leave('revived'))).toBeUndefined()
  })

  test('that the server has lost with its data is told to it again', async () => {
    const server = await room.redis()
    const [here, there] = [await room.cache(onRedis(server)), await room.cache(onRedis(server))]
    await allUp(here, there)
    await notesOf(here).change('a', leave('old'))
    expect((await notesOf(here).delete('a')).shared).toBe('acked')
    await server.kill()
    await allOut(here, there)
    await server.restart()
    await allUp(here, there)
    expect(await notesOf(there).change('a', leave('revived'))).toBeUndefined()
    expect(await notesOf(here).read('a')).toBeUndefined()
  })

  test.each([
    ['READONLY', 'REPLICAOF 127.0.0.1 1', 'REPLICAOF NO ONE'],
    ['NOREPLICAS', 'CONFIG SET min-replicas-to-write 1', 'CONFIG SET min-replicas-to-write 0'],
    ['OOM', 'CONFIG SET maxmemory 1', 'CONFIG SET maxmemory 0'],
  ])('that is refused (%s) waits, counts here, and is done when the server takes it', async (word, begin, end) => {
    const server = await room.redis()
    const [here, there] = [await room.cache(onRedis(server)), await room.cache(onRedis(server))]
    await allUp(here, there)
    await notesOf(here).change('a', leave('old'))
    await server.ask(begin)
    expect(await codeOf(notesOf(here).change('b', leave('new')))).toMatch(/^PALIER_STORE_(REFUSED|FAILED)$/)
    expect((await notesOf(here).delete('a')).shared).toBe('pending')
    expect(await notesOf(here).read('a')).toBeUndefined()
    // A server without room for the mark has leave to delete, so nobody reads it there either.
    expect((await notesOf(there).read('a')) === undefined).toBe(word === 'OOM')
    await server.ask(end)
    await allUp(here, there)
    for (const cache of [here, there]) expect(await notesOf(cache).read('a')).toBeUndefined()
    expect(await notesOf(there).change('a', leave('revived'))).toBeUndefined()
    expect(await notesOf(there).change('b', leave('new'))).toMatchObject({ version: 1 })
  })
})

describe.each(['redis', 'filesystem'] as const)('a process that was frozen in a change on %s', backend => {
  test('does not revive what was deleted meanwhile', async () => {
    const server = await room.redis()
    const options = { backend, dir: join(await room.folder(), 'cache'), redisUrl: server.url, deadline: '10s' }
    const here = await room.cache(options)
    await allUp(here)
    await notesOf(here).change('a', leave('old'))
    const worker = await startWorker('once-worker.ts', [JSON.stringify({ ...options, detectBudget: '30s' }), '', '0'])
    room.atEnd(() => worker.kill())
    const late = worker.ask('freeze a')
    await until('the worker is stopped', () => isStopped(worker.pid))
    expect((await notesOf(here).delete('a')).shared).toBe('acked')
    process.kill(worker.pid, 'SIGCONT')
    expect(await late).toBe('undefined')
    expect(await notesOf(here).read('a')).toBeUndefined()
  })
})

describe('documents in a directory', () => {
  async function onFiles(files: { maxBytes?: number } = {}): Promise<{ cache: Cache; dir: string }> {
    const dir = join(await room.folder(), 'cache')
    return { dir, cache: await room.cache({ backend: 'filesystem', dir, deadline: '10s', files }) }
  }

  test('that are damaged count as absent, and every other one is read', async () => {
    const { cache, dir } = await onFiles()
    for (const id of ['a', 'b']) await notesOf(cache).change(id, leave('x'.repeat(200)))
    const file = createLayout(dir).entry(documentKey('default', 'notes', 'a'))
    const bytes = readFileSync(file)
    const at = bytes.length - 20
    bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
    writeFileSync(file, bytes)
    expect(await notesOf(cache).read('a')).toBeUndefined()
    expect(await notesOf(cache).read('b')).toMatchObject({ version: 1 })
    expect(await listed(cache)).toEqual(['b'])
    expect(await notesOf(cache).change('a', leave('anew'))).toMatchObject({ version: 1 })
  })

  test('that are full refuse a change, keep what is there, and take deletions', async () => {
    const { cache } = await onFiles({ maxBytes: 2 ** 20 })
    const notes = notesOf(cache)
    const kept: string[] = []
    let code: unknown = 'no error'
    // Random, so that nothing is compressed.
    const big = (): Uint8Array => crypto.getRandomValues(new Uint8Array(60_000))
    for (let i = 0; i < 60 && code === 'no error'; i++) {
      code = await codeOf(notes.change(`n${i}`, leave(big())))
      if (code === 'no error') kept.push(`n${i}`)
    }
    expect(code).toBe('PALIER_STORE_REFUSED')
    expect(kept.length).toBeGreaterThan(5)
    for (const id of kept) expect(await notes.read(id)).toMatchObject({ version: 1 })
    for (const id of kept) expect((await notes.delete(id)).shared).toBe('acked')
    expect(await listed(cache)).toEqual([])
    expect(await notes.change('n', leave(big()))).toMatchObject({ version: 1 })
  })

  test('are all listed while others are written and deleted', async () => {
    const { cache } = await onFiles()
    const stays = Array.from({ length: 40 }, (_, i) => `stays${i}`)
    for (const id of stays) await notesOf(cache).change(id, leave(id))
    const churn = async (): Promise<void> => {
      for (let i = 0; i < 40; i++) {
        await notesOf(cache).change(`new${i}`, leave(i))
        await notesOf(cache).delete(`new${i - 1}`)
        await notesOf(cache).change(`stays${i}`, leave(i))
      }
    }
    const [ids] = await Promise.all([listed(cache), churn()])
    expect(ids.filter(id => id.startsWith('stays'))).toHaveLength(40)
    expect(await listed(cache)).toEqual([...stays, 'new39'].toSorted())
  })
})
