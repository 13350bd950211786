import { afterEach, describe, expect, test } from 'vitest'
import { type Cache, type CacheOptions, createCache, type Document, memoryStore } from '../../src/index.ts'
import { documentKey } from '../../src/key.ts'
import { faulty, type ManualClock, manualClock } from '../../src/testing.ts'
import { fileRecord } from '../support/file-store.ts'
import { memoryCache } from '../support/caches.ts'
import { type Remote, remoteServer, type Server } from '../support/remote.ts'

const HOUR = 3_600_000
const DEADLINE = 250
const full = (id: string): string => documentKey('default', 'notes', id)

const open: Cache[] = []
afterEach(async () => {
  for (const cache of open.splice(0)) await cache.close()
})

interface Room {
  readonly clock: ManualClock
  readonly server: Server
  connect(options?: CacheOptions): Promise<{ cache: Cache; remote: Remote }>
}

/** Caches whose connections to one server fail on demand, and a clock moved by hand. */
function room(): Room {
  const clock = manualClock()
  const server = remoteServer(clock)
  return {
    clock,
    server,
    async connect(options = {}) {
      const remote = server.connect()
      const cache = createCache({ logger: false, clock, ...options, store: remote })
      open.push(cache)
      await cache.ready()
      await clock.advance(2000)
      return { cache, remote }
    },
  }
}

const leave =
  <V>(value: V, ttl: number = HOUR) =>
  (): { value: V; ttl: number } => ({ value, ttl })

const codeOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'no error',
    (error: { code?: unknown }) => error.code,
  )

async function listed(cache: Cache): Promise<string[]> {
  const ids: string[] = []
  for await (const some of cache.documents('notes').all()) ids.push(...some.map(({ id }) => id))
  return ids.toSorted()
}

/** The backend stays silent or fails until `back`. */
async function outage(at: Room, remote: Remote): Promise<{ back(): Promise<void> }> {
  remote.fail('*')
  remote.lost()
  await at.clock.advance(10)
  return {
    async back() {
      remote.heal()
      remote.ready()
      await at.clock.advance(2000)
    },
  }
}

describe('while the backend is out', () => {
  test.each(['hang', 'fail'] as const)(
    '(%s) no call says that there is none, and none is later than the deadline',
    async kind => {
      const at = room()
      const { cache, remote } = await at.connect()
      const notes = cache.documents('notes')
      await notes.change('a', leave(1))
      remote[kind]('*')
      const askedAt = at.clock.now()
      // A scan is a call of the store's own deadlines.
      const answers = [notes.read('a'), notes.change('a', leave(2))].map(codeOf)
      const all = Promise.all(answers)
      let tookAt = 0
      void all.then(() => (tookAt = at.clock.now()))
      await at.clock.advance(2 * DEADLINE)
      const code = kind === 'hang' ? 'PALIER_STORE_TIMEOUT' : 'PALIER_STORE_FAILED'
      expect(await all).toEqual([code, code])
      expect(tookAt - askedAt).toBeLessThanOrEqual(DEADLINE)
    },
  )

  test('and known to be, every call answers at once', async () => {
    const at = room()
    const { cache, remote } = await at.connect()
    const notes = cache.documents('notes')
    await notes.change('a', leave(1))
    await outage(at, remote)
    const calls = remote.calls('*')
    const works = [notes.read('a'), notes.change('a', leave(2)), listed(cache)].map(codeOf)
    expect(new Set(await Promise.all(works))).toEqual(new Set(['PALIER_STORE_FAILED']))
    expect(remote.calls('*')).toBe(calls)
  })

  test('what is deleted is gone here at once, and after the return everywhere and for good', async () => {
    const at = room()
    const [here, there] = [await at.connect(), await at.connect()]
    const notes = here.cache.documents('notes')
    await notes.change('a', leave('old'))
    const { back } = await outage(at, here.remote)
    expect(await notes.delete('a')).toEqual({ local: true, shared: 'pending' })
    expect(await notes.read('a')).toBeUndefined()
    expect(await notes.change('a', leave('revived'))).toBeUndefined()
    // Who is connected still changes it meanwhile: that is deleted too.
    expect(await there.cache.documents('notes').change('a', leave('later'))).toMatchObject({ version: 2 })
    await back()
    expect(here.cache.status().outbox.pending).toBe(0)
    for (const { cache } of [here, there]) {
      expect(await cache.documents('notes').read('a')).toBeUndefined()
      expect(await cache.documents('notes').change('a', leave('revived'))).toBeUndefined()
      expect(await listed(cache)).toEqual([])
    }
  })

  test('more deletions than may wait one by one become no clear, and none is lost', async () => {
    const at = room()
    const { cache, remote } = await at.connect({ outage: { maxPending: 5 } })
    const notes = cache.documents('notes')
    const ids = Array.from({ length: 40 }, (_, i) => `n${i}`)
    for (const id of [...ids, 'kept']) await notes.change(id, leave(id))
    await cache.set('entry', 1)
    const { back } = await outage(at, remote)
    for (const id of ids) expect((await notes.delete(id)).shared).toBe('pending')
    expect(cache.status().outbox.pending).toBe(40)
    // They take nobody else's place: the deletion of a key is still one of that key alone.
    await cache.delete('other')
    expect(cache.status().outbox.pending).toBe(41)
    await back()
    expect(cache.status().outbox.pending).toBe(0)
    expect(await listed(cache)).toEqual(['kept'])
    expect(await cache.get('entry')).toBe(1)
  })

  test('a listing that asks for nothing does not speak for a backend that fails', async () => {
    const at = room()
    const { cache, remote } = await at.connect()
    const notes = cache.documents('notes')
    remote.fail('*')
    // Three failures in a row are enough, whatever is asked in between.
    for (let i = 0; i < 3; i++) {
      await codeOf(notes.change('a', leave(1)))
      await codeOf(listed(cache))
    }
    expect(cache.status().tiers.find(({ role }) => role === 'shared')?.state).toBe('open')
  })
})

describe('another server in the place of the one that acknowledged', () => {
  test('is told of the deletions that it lost', async () => {
    const at = room()
    const [here, there] = [await at.connect(), await at.connect()]
    const notes = here.cache.documents('notes')
    await notes.change('a', leave('old'))
    const replica = await at.server.copy()
    expect((await notes.delete('a')).shared).toBe('acked')
    await at.clock.advance(30_000)
    at.server.replace(replica)
    await at.clock.advance(4000)
    for (const { cache } of [here, there]) {
      expect(await cache.documents('notes').read('a')).toBeUndefined()
      expect(await cache.documents('notes').change('a', leave('revived'))).toBeUndefined()
    }
  })
})

describe('a change under way', () => {
  test('is not made when the document is deleted meanwhile', async () => {
    const at = room()
    const [here, there] = [await at.connect(), await at.connect()]
    await here.cache.documents('notes').change('a', leave('old'))
    there.remote.delay('commit', 100, at.clock)
    let asked = 0
    const late = there.cache.documents('notes').change('a', () => (asked++, { value: 'late', ttl: HOUR }))
    await at.clock.advance(50)
    expect((await here.cache.documents('notes').delete('a')).shared).toBe('acked')
    await at.clock.advance(500)
    expect(await late).toBeUndefined()
    expect(asked).toBe(1)
    expect(await here.cache.documents('notes').read('a')).toBeUndefined()
  })

  test('resolves with what was stored, whatever becomes of the value that was given', async () => {
    const at = room()
    const { cache, remote } = await at.connect()
    const notes = cache.documents<string[]>('notes')
    const value = ['tea']
    remote.delay('commit', 100, at.clock)
    const made = notes.change('a', () => ({ value, ttl: HOUR }))
    await at.clock.advance(50)
    value.push('later')
    await at.clock.advance(100)
    expect((await made)?.value).toEqual(['tea'])
    expect((await notes.read('a'))?.value).toEqual(['tea'])
  })

  test('that is none resolves with what is there, whatever was done to the copy', async () => {
    const { cache } = memoryCache()
    open.push(cache)
    const notes = cache.documents<Map<string, number>>('notes')
    await notes.change('a', leave(new Map([['tea', 1]])))
    const same = await notes.change('a', before => {
      before?.value.set('tea', 2)
      return undefined
    })
    expect(same?.value).toEqual(new Map([['tea', 1]]))
  })

  test('of many, each far from the backend, loses nothing', async () => {
    const at = room()
    const three = [await at.connect(), await at.connect(), await at.connect()]
    for (const { remote } of three) for (const on of ['claim', 'commit'] as const) remote.delay(on, 40, at.clock)
    const add = (before: Document<number> | undefined) => ({ value: (before?.value ?? 0) + 1, ttl: HOUR })
    const changes = three.flatMap(({ cache }) =>
      Array.from({ length: 20 }, () => cache.documents<number>('notes').change('a', add)),
    )
    let done = 0
    for (const change of changes)
      change.then(
        () => done++,
        () => undefined,
      )
    for (let i = 0; i < 600 && done < changes.length; i++) await at.clock.advance(100)
    expect((await Promise.allSettled(changes)).filter(({ status }) => status === 'rejected')).toEqual([])
    three[0]?.remote.heal()
    expect(await three[0]?.cache.documents('notes').read('a')).toMatchObject({ value: 60, version: 60 })
  })
})

describe('what is stored', () => {
  test('and cannot be read counts as absent, and is told', async () => {
    const clock = manualClock()
    const store = memoryStore({ clock })
    const cache = createCache({ logger: false, clock, store })
    open.push(cache)
    const told: string[] = []
    cache.on('error', ({ operation, code }) => told.push(`${operation} ${code}`))
    const notes = cache.documents('notes')
    await notes.change('a', leave(1))
    const whole = (await store.get(full('a')))?.bytes ?? new Uint8Array()
    const later = Uint8Array.from(whole)
    later[2] = 200
    for (const bytes of [whole.subarray(0, 20), later, fileRecord(full('b'), 'of another key')]) {
      told.splice(0)
      await store.set(full('a'), bytes, HOUR)
      expect(await notes.read('a')).toBeUndefined()
      expect(told).toEqual(['document PALIER_DAMAGED'])
      expect(await listed(cache)).toEqual([])
    }
    expect(await notes.change('a', leave(2))).toMatchObject({ value: 2, version: 1 })
  })

  test('keeps its types, whatever it is and whatever the id', async () => {
    const { cache } = memoryCache()
    open.push(cache)
    const notes = cache.documents<unknown>('no:tes%')
    const values: readonly unknown[] = [
      JSON.parse('{"__proto__":{"a":1},"constructor":2}'),
      { at: new Date(0), by: new Map([['a', new Set([1n])]]), none: undefined, not: Number.NaN },
      'x'.repeat(2 ** 20),
      null,
      new Uint8Array([1, 2, 3]),
    ]
    const ids = [':', '../../etc/passwd', '\u0000\n', '💥é', 'a'.repeat(5000)]
    for (const [i, id] of ids.entries()) await notes.change(id, leave(values[i]))
    for (const [i, id] of ids.entries()) expect((await notes.read(id))?.value).toStrictEqual(values[i])
    expect(Object.hasOwn((await notes.read(':'))?.value as object, '__proto__')).toBe(true)
    for (const id of ['\uD800', 'a\uDC00', '']) {
      expect(await codeOf(notes.read(id))).toBe('PALIER_BAD_KEY')
      expect(await codeOf(notes.change(id, leave(1)))).toBe('PALIER_BAD_KEY')
      expect(await codeOf(notes.delete(id))).toBe('PALIER_BAD_KEY')
    }
  })

  test('is refused when it is no revision, and nothing is left locked', async () => {
    const { cache } = memoryCache()
    open.push(cache)
    const notes = cache.documents<unknown>('notes')
    const wrong: readonly unknown[] = [null, 5, Promise.resolve({ value: 1, ttl: 1 }), { value: 1, ttl: 1.5 }]
    for (const revision of wrong) {
      const work = notes.change('a', () => revision as { value: unknown; ttl: number })
      await expect(work).rejects.toMatchObject({ code: 'PALIER_BAD_OPTION' })
    }
    await expect(notes.change('a', 'no function' as never)).rejects.toMatchObject({
      code: 'PALIER_BAD_OPTION',
      message: expect.stringContaining('decide'),
    })
    expect(await notes.change('a', leave(1))).toMatchObject({ version: 1 })
  })

  test('ends by its ttl, and what was deleted can be made again an hour later', async () => {
    const { cache, clock } = memoryCache()
    open.push(cache)
    const notes = cache.documents('notes')
    await notes.change('short', leave(1, 1000))
    await notes.change('gone', leave(1))
    await notes.delete('gone')
    await clock.advance(999)
    expect((await notes.read('short'))?.remaining).toBe(1)
    await clock.advance(1)
    expect(await notes.read('short')).toBeUndefined()
    expect(await notes.change('short', leave(2))).toMatchObject({ version: 1 })
    await clock.advance(HOUR - 1001)
    expect(await notes.change('gone', leave(2))).toBeUndefined()
    await clock.advance(1)
    expect(await notes.change('gone', leave(2))).toMatchObject({ version: 1 })
  })
})

describe('the documents of a cache', () => {
  test('that is disabled live in this process, unlike its entries', async () => {
    const { cache } = memoryCache({ enabled: false })
    open.push(cache)
    await cache.set('a', 1)
    expect(await cache.get('a')).toBeUndefined()
    expect(await cache.documents('notes').change('a', leave(1))).toMatchObject({ version: 1 })
    expect(await cache.documents('notes').delete('a')).toEqual({ local: true, shared: 'none' })
    expect(await cache.documents('notes').change('a', leave(1))).toBeUndefined()
  })

  test('that is closed in the middle of a call answer with that', async () => {
    const clock = manualClock()
    const store = faulty(memoryStore({ clock }))
    const cache = createCache({ logger: false, clock, store })
    const notes = cache.documents('notes')
    await cache.ready()
    await notes.change('a', leave(1))
    for (const on of ['get', 'getMany', 'claim'] as const) store.hang(on)
    const works = [notes.read('a'), notes.change('a', leave(2)), listed(cache)].map(codeOf)
    await clock.advance(1)
    const closing = cache.close()
    await clock.advance(1000)
    await closing
    expect(await Promise.all(works)).toEqual(['PALIER_CLOSED', 'PALIER_CLOSED', 'PALIER_CLOSED'])
    store.heal()
  })
})
