import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { encodeRecord } from '../../src/record.ts'
import { encodeKey, escapeGlob, keyOfName, leaseName, slotOf, valueName } from '../../src/stores/redis/keys.ts'
import { type RedisStore, redisStore } from '../../src/stores/redis/store.ts'
import { answers, lend, type RedisServer, startCluster, startRedis } from '../support/redis-server.ts'

const text = fc.string({ unit: 'grapheme', minLength: 1 })
const awkward = fc.string({
  unit: fc.constantFrom('%', '{', '}', '#', '\n', '\0', '\x7f', '2', '5', 'B', 'a', ':', '*'),
})

describe('names on the server', () => {
  test('two keys never share a name, and the name tells the key', () => {
    const keys = fc.oneof(text, awkward).filter(key => key !== '' && Buffer.byteLength(encodeKey(key)) <= 512)
    fc.assert(
      fc.property(keys, keys, (a, b) => {
        expect(valueName(encodeKey(a)) === valueName(encodeKey(b))).toBe(a === b)
        if (!encodeKey(a).startsWith('#')) expect(keyOfName(valueName(encodeKey(a)))).toBe(a)
        expect(encodeKey(a)).not.toMatch(/[{}]/)
      }),
    )
  })

  test('a long key is named by its hash, and no ordinary key can look like one', () => {
    const long = 'k'.repeat(513)
    const hashed = encodeKey(long)
    expect(hashed).toMatch(/^#[0-9a-f]{64}$/)
    expect(encodeKey('k'.repeat(512))).toBe('k'.repeat(512))
    expect(encodeKey(hashed)).toBe(`%23${hashed.slice(1)}`)
    expect(keyOfName(valueName(hashed))).toBeUndefined()
    expect(Buffer.byteLength(encodeKey('é'.repeat(257)))).toBe(65)
  })

  test('neither a lease nor a foreign name is taken for a value', () => {
    for (const name of [leaseName('a'), 'palier2:{a}', 'palier:a', 'bull:{a}', 'palier:{a'])
      expect(keyOfName(name)).toBeNull()
  })
})

describe('names in a cluster', () => {
  test('value and lease of a key share the slot that slotOf reckons, as the server sees it', async () => {
    const cluster = await startCluster(1)
    const [node] = cluster.nodes
    try {
      const slots = async (name: string): Promise<number> => {
        const quoted = `"${[...Buffer.from(name)].map(byte => `\\x${byte.toString(16).padStart(2, '0')}`).join('')}"`
        return Number((await node?.ask(`CLUSTER KEYSLOT ${quoted}`))?.slice(1))
      }
      for (const key of ['a', 'campaigns:user:1', '{x}', '}{', '%', '#', 'é 键 \u{1f600}', '\0\n', 'k'.repeat(900)]) {
        const encoded = encodeKey(key)
        const slot = slotOf(encoded)
        expect([await slots(valueName(encoded)), await slots(leaseName(encoded))]).toEqual([slot, slot])
      }
    } finally {
      await cluster.stop()
    }
  })
})

describe('foreign keys', () => {
  const FOREIGN = [
    'whatsapp:session:1',
    'campaign:7',
    'celery-task-meta-1',
    'celery',
    'bull:queue:1',
    'palier2:{a}',
    'palier:a',
    'a',
    '{a}',
    'palier:{a}:other',
    'sess:a',
  ]
  let server: RedisServer
  let store: RedisStore
  const put = (key: string): Promise<void> => {
    const head = { key, createdAt: 1, ttl: 1, grace: 0, cost: 0, mark: 0, form: 0, size: 1, stamps: [] }
    return store.set(key, encodeRecord(head, Buffer.from('x')), 60_000)
  }
  const scanned = async (prefix: string): Promise<string[]> => {
    const keys: string[] = []
    for await (const page of store.scan(prefix)) keys.push(...page)
    return keys.sort()
  }

  beforeAll(async () => {
    server = await startRedis()
    store = await answers(redisStore({ url: server.url, deadline: 5000 }))
    for (const name of FOREIGN) await server.ask(`SET ${name} foreign`)
    await server.ask('RPUSH bull:list 1 2 3')
  })
  afterAll(async () => {
    await store.close()
    await server.stop()
  })

  test('are neither read, listed, counted, changed nor deleted, whatever is asked', async () => {
    await put('a')
    expect(await scanned('')).toEqual(['a'])
    expect((await store.usage('')).entries).toBe(1)
    for (const pattern of ['*', '?', 'whatsapp:*', 'bull:*', '[a-z]', '}*{', '\\']) {
      expect(await scanned(pattern)).toEqual([])
      await store.delete([pattern])
    }
    await store.delete([...FOREIGN, 'a', 'a}:other', '}'])
    expect(await scanned('')).toEqual([])
    for (const name of FOREIGN) expect(await server.ask(`GET ${name}`)).toBe('foreign')
    expect(await server.ask('LLEN bull:list')).toBe(':3')
  })

  test('a prefix with the signs of a pattern finds only keys that really start with it', async () => {
    const keys = [
      'a*b:1',
      'aXb:1',
      'a?b:1',
      'a[x]b:1',
      'a\\b:1',
      '{t}:1',
      '%7Bt}:1',
      `a*b:${'l'.repeat(600)}`,
      '#h:1',
      'é:1',
    ]
    for (const key of keys) await put(key)
    for (const prefix of ['a*b:', 'a?b:', 'a[x]b:', 'a\\b:', '{t}', '%7B', '#h', 'é', '#'])
      expect(await scanned(prefix)).toEqual(keys.filter(key => key.startsWith(prefix)).sort())
    expect(await scanned('')).toEqual([...keys].sort())
    await store.delete(keys)
  })

  test('a foreign type under one of our names is an absent record, and a write takes its place', async () => {
    await server.ask('RPUSH palier:{odd} 1')
    await put('even')
    expect((await store.getMany(['odd', 'even'])).map(record => record === undefined)).toEqual([true, false])
    expect(await store.claim('odd', { token: 't', ttl: 1000 })).toEqual({ record: undefined, granted: true })
    await put('odd')
    expect(await store.get('odd')).toBeDefined()
  })

  test('every sign of a pattern is taken literally by the server', async () => {
    const signs = '\\*?[]^-a'
    await server.ask('SET "\\\\*?[]^-a" 1')
    const lent = await lend('ioredis', server.url)
    const client = lent.client as unknown as { scan(...args: string[]): Promise<[string, string[]]> }
    expect((await client.scan('0', 'MATCH', escapeGlob(signs), 'COUNT', '1000'))[1]).toEqual([signs])
    lent.end()
  })
})
