import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type DiskFacts, judgeDisk } from '../../src/advice/disk.ts'
import { splitKey } from '../../src/cli/keyspace.ts'
import { compare, timingOf } from '../../src/advice/measure.ts'
import { factsOf, judgeRedis } from '../../src/advice/redis.ts'
import { hider } from '../../src/cli/secrets.ts'
import { shownUrl } from '../../src/environment.ts'
import { bytesText } from '../../src/advice/words.ts'
import { labelled, painter, table, wrap } from '../../src/cli/text.ts'
import { entryId, entryKey, stampKey } from '../../src/key.ts'

const INFO = 'redis_version:7.0.15\r\nredis_mode:standalone\r\nrole:master\r\nused_memory:1000\r\n'

function judged(info: string, config: Record<string, string> = {}): string[] {
  return judgeRedis(factsOf(INFO + info, config)).map(({ level, text }) => `${level}: ${text}`)
}

describe('the advice about Redis', () => {
  test('warns of a limit without eviction', () => {
    const [first] = judged('', { maxmemory: '1048576', 'maxmemory-policy': 'noeviction' })
    expect(first).toContain('warning: Redis may use 1.0 MiB and evicts nothing (noeviction)')
  })

  test('warns of no limit at all', () => {
    expect(judged('', { maxmemory: '0', 'maxmemory-policy': 'noeviction' })[0]).toContain(
      'warning: Redis has no memory limit',
    )
  })

  test('warns of allkeys eviction when keys that never expire are there, and only notes it otherwise', () => {
    const config = { maxmemory: '1048576', 'maxmemory-policy': 'allkeys-lru' }
    expect(judged('db0:keys=5,expires=5,avg_ttl=1\r\n', config)[0]).toMatch(/^note: Redis evicts any key/)
    const [shared] = judged('db0:keys=5,expires=5,avg_ttl=1\r\ndb1:keys=3,expires=1,avg_ttl=0\r\n', config)
    expect(shared).toMatch(/^warning: Redis evicts any key/)
    expect(shared).toContain('2 keys there never expire')
  })

  test('has nothing to say of a limit with volatile eviction', () => {
    expect(
      judged('', { maxmemory: '1048576', 'maxmemory-policy': 'volatile-lru', save: '', appendonly: 'no' }),
    ).toEqual([])
  })

  test('takes the limit and the policy from INFO where CONFIG is forbidden', () => {
    const facts = factsOf(`${INFO}maxmemory:2097152\r\nmaxmemory_policy:noeviction\r\n`, {})
    expect(facts).toMatchObject({ maxmemory: 2097152, policy: 'noeviction', configReadable: false })
    expect(judgeRedis(facts)[0]?.text).toContain('evicts nothing')
  })

  test('says so when the server tells neither', () => {
    expect(judged('')[0]).toContain('may not read maxmemory')
  })

  test('notes persistence, and warns when it fails', () => {
    const config = { maxmemory: '9', 'maxmemory-policy': 'volatile-lru', appendonly: 'yes', save: '3600 1' }
    expect(judged('', config).join()).toContain('writes its data to disk (appendonly and snapshots)')
    expect(judged('rdb_last_bgsave_status:err\r\n', config).join()).toContain('warning: Redis could not save')
  })

  test.each([
    ['6.0.16', true],
    ['5.0.7', true],
    ['6.2.0', false],
    ['7.4.1', false],
    ['10.0.0', false],
  ])('version %s too old: %s', (version, old) => {
    const facts = factsOf(`redis_version:${version}\r\nrole:master\r\n`, {
      maxmemory: '9',
      'maxmemory-policy': 'volatile-ttl',
    })
    expect(judgeRedis(facts).some(({ text }) => text.includes('older than 6.2'))).toBe(old)
  })
})

describe('the advice about the disk', () => {
  const facts: DiskFacts = {
    dir: '/srv/cache',
    freeBytes: 2 ** 40,
    totalBytes: 2 ** 41,
    freeFiles: 2 ** 20,
    totalFiles: 2 ** 21,
    network: false,
    webRoot: undefined,
  }
  const budget = { maxBytes: 2 ** 28, maxFiles: 50_000 }
  const judge = (changed: Partial<DiskFacts>): string =>
    judgeDisk({ ...facts, ...changed }, budget)
      .map(one => one.text)
      .join()

  test('a roomy local disk is no matter', () => expect(judge({})).toBe(''))
  test('little space is', () => expect(judge({ freeBytes: 1000 })).toContain('1000 B free, less than the 256 MiB'))
  test('few inodes are', () => expect(judge({ freeFiles: 10 })).toContain('room for 10 more files'))
  test('uncounted inodes are not', () => expect(judge({ freeFiles: undefined })).toBe(''))
  test('a network disk is', () => expect(judge({ network: true })).toContain('network disk'))
  test('a web root is', () => expect(judge({ webRoot: 'public_html' })).toContain('web root "public_html"'))
})

describe('the comparison of two stores', () => {
  const around = (micros: number): number[] =>
    Array.from({ length: 200 }, (_, i) => micros * (1 + ((i * 7919) % 200) / 500))

  test('the same samples do not differ', () => expect(compare(around(100), around(100))).toBeUndefined())
  test('a difference within the noise is none', () => expect(compare(around(100), around(102))).toBeUndefined())
  test('three times as fast is told', () =>
    expect(compare(around(100), around(300))).toEqual({ faster: 'a', times: 3 }))
  test('without samples nothing is told', () => expect(compare([], around(1))).toBeUndefined())
  test('median and p95 are those of the samples', () => {
    expect(timingOf(Array.from({ length: 100 }, (_, i) => 100 - i))).toEqual({ medianMicros: 51, p95Micros: 95 })
    expect(timingOf([])).toBeUndefined()
  })
})

describe('secrets', () => {
  test('a URL is shown without password and query', () => {
    expect(shownUrl('rediss://me:hunter22@cache.example:6380/2?password=hunter22')).toBe(
      'rediss://me:***@cache.example:6380/2',
    )
    expect(shownUrl('redis://localhost')).toBe('redis://localhost')
    expect(shownUrl('hunter22@nowhere')).toBe('(not a Redis URL)')
  })

  test('a password is hidden in any text, in the form of the URL and decoded', () => {
    const hide = hider(['redis://:p%40ss%2Fword@h'], ['other-secret'])
    expect(hide('p@ss/word, p%40ss%2Fword and other-secret')).toBe('***, *** and ***')
    expect(hide('unexpected redis://u:a:b@c@host/0 here')).toBe('unexpected redis://u:***@host/0 here')
  })
})

describe('keys', () => {
  const name = fc.string({ minLength: 1, unit: 'grapheme' })

  test('namespace and type of any key made by the engine are read back', () => {
    fc.assert(
      fc.property(name, fc.string(), fc.string({ minLength: 1 }), (namespace, type, key) => {
        expect(splitKey(entryKey(namespace, type, entryId(key)))).toEqual({ namespace, kind: 'entry', type })
        expect(splitKey(stampKey(namespace, key))).toEqual({ namespace, kind: 'stamp', type: '' })
      }),
    )
  })
})

describe('text', () => {
  test('lines are wrapped at 80 columns and words stay whole', () => {
    const lines = wrap(`${'word '.repeat(40)}${'x'.repeat(90)}`, 4)
    expect(lines.filter(line => line.length > 80)).toEqual([`    ${'x'.repeat(90)}`])
    expect(labelled('name', 'some text', 8)).toEqual(['name    some text'])
  })

  test('columns line up', () => {
    expect(
      table(
        [
          ['a', '1'],
          ['bcd', '200'],
        ],
        [1],
        0,
      ),
    ).toEqual(['a      1', 'bcd  200'])
  })

  test('sizes are short', () => {
    expect([0, 1023, 1024, 10_240, 2 ** 28, 2 ** 43].map(bytesText)).toEqual([
      '0 B',
      '1023 B',
      '1.0 KiB',
      '10 KiB',
      '256 MiB',
      '8.0 TiB',
    ])
  })

  test('without colours a painter changes nothing', () => {
    expect(painter(false)('bad', 'text')).toBe('text')
    expect(painter(true)('bad', 'text')).not.toBe('text')
  })
})
