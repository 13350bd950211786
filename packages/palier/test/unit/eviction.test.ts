import { describe, expect, test } from 'vitest'
import { createExpiry } from '../../src/eviction/expiry.ts'
import type { Evictable, Index } from '../../src/eviction/policy.ts'
import { sieve } from '../../src/eviction/sieve.ts'

type Records = Index<Evictable>

const record = (deadAt = Infinity): Evictable => ({ deadAt, size: 1, visited: false })
const indexOf = (...keys: string[]): Records => ({ records: new Map(keys.map(key => [key, record()])) })

describe('sieve', () => {
  test('takes the oldest that was not used, and leaves the used ones where they are, unmarked', () => {
    const policy = sieve<Evictable, Records>()
    const index = indexOf('a', 'b', 'c')
    policy.join(index)
    const used = index.records.get('a')
    if (used) used.visited = true
    expect(policy.victim(index, 'new')?.key).toBe('b')
    expect(used?.visited).toBe(false)
    expect([...index.records.keys()]).toEqual(['a', 'b', 'c'])
  })

  test('finds a victim when every record was used', () => {
    const policy = sieve<Evictable, Records>()
    const index = indexOf('a', 'b')
    policy.join(index)
    for (const each of index.records.values()) each.visited = true
    expect(policy.victim(index, 'new')?.key).toBe('a')
  })

  test('never names the spared key, and nobody when there is only that one or none', () => {
    const policy = sieve<Evictable, Records>()
    const [index, other] = [indexOf('a'), indexOf()]
    policy.join(index)
    policy.join(other)
    expect(policy.victim(index, 'a')).toBeUndefined()
    expect(policy.victim(other, 'a')?.key).toBe('a')
    index.records.clear()
    expect(policy.victim(index, 'a')).toBeUndefined()
  })

  test('takes from each index in proportion to its size, however cold or busy', () => {
    const policy = sieve<Evictable, Records>()
    const large = indexOf(...Array.from({ length: 900 }, (_, i) => `l${i}`))
    const small = indexOf(...Array.from({ length: 100 }, (_, i) => `s${i}`))
    policy.join(large)
    policy.join(small)
    let fromSmall = 0
    for (let i = 0; i < 400; i++) {
      const victim = policy.victim(large, 'new')
      if (victim?.index === small) fromSmall++
      victim?.index.records.delete(victim.key)
    }
    expect(fromSmall).toBeGreaterThan(20)
    expect(fromSmall).toBeLessThan(70)
  })

  test('goes on from where it was when records around the hand are deleted', () => {
    const policy = sieve<Evictable, Records>()
    const index = indexOf('a', 'b', 'c', 'd')
    policy.join(index)
    index.records.delete(policy.victim(index, 'new')?.key ?? '')
    index.records.delete('b')
    index.records.delete('c')
    expect(policy.victim(index, 'new')?.key).toBe('d')
  })

  test('does not follow every change with its hand, but moves it now and then when nobody is evicted', () => {
    const policy = sieve<Evictable, Records>()
    const index = indexOf('a', 'b', 'c')
    policy.join(index)
    policy.victim(index, 'new')
    // Changes without an eviction; the hand was at b.
    for (let i = 0; i < 66; i++) policy.added(index, 'unused', record())
    expect(policy.victim(index, 'new')?.key).toBe('c')
  })
})

describe('expiry', () => {
  const collect = (gone: string[]) => (index: Records, key: string) => {
    index.records.delete(key)
    gone.push(key)
  }

  test('nothing is due before the earliest end, and no record is visited', () => {
    const expiry = createExpiry<Evictable, Records>()
    expect(expiry.due(Number.MAX_VALUE)).toBe(false)
    expiry.noted(record(100))
    expiry.noted(record(200))
    expect(expiry.due(99)).toBe(false)
    expect(expiry.due(100)).toBe(true)
  })

  test('a walk is cut into bounded pieces and finds everything that is dead, in all indexes', () => {
    const expiry = createExpiry<Evictable, Records>()
    const indexes: Records[] = [{ records: new Map() }, { records: new Map() }]
    for (const [n, index] of indexes.entries()) {
      expiry.join(index)
      for (let i = 0; i < 10; i++) {
        const each = record(i % 2 === 0 ? 50 : 150)
        index.records.set(`${n}:${i}`, each)
        expiry.noted(each)
      }
    }
    const gone: string[] = []
    expect(expiry.sweep(60, 4, collect(gone))).toBeLessThanOrEqual(4)
    for (let calls = 0; calls < 10; calls++) expiry.sweep(60, 4, collect(gone))
    expect(gone).toHaveLength(10)
    expect(expiry.due(149)).toBe(false)
    for (let calls = 0; calls < 10; calls++) expiry.sweep(150, 4, collect(gone))
    expect(gone).toHaveLength(20)
    expect(expiry.due(Number.MAX_VALUE)).toBe(false)
  })

  test('a record noted during a walk that has passed its place is not forgotten', () => {
    const expiry = createExpiry<Evictable, Records>()
    const index: Records = { records: new Map() }
    expiry.join(index)
    const put = (key: string, deadAt: number): void => {
      const each = record(deadAt)
      index.records.set(key, each)
      expiry.noted(each)
    }
    for (const key of ['a', 'b', 'c', 'd']) put(key, key === 'd' ? 10 : 1_000)
    const gone: string[] = []
    expiry.sweep(10, 2, collect(gone))
    put('a', 20)
    expiry.sweep(10, 10, collect(gone))
    expect(gone).toEqual(['d'])
    expect(expiry.due(20)).toBe(true)
    expiry.sweep(20, 10, collect(gone))
    expect(gone).toEqual(['d', 'a'])
  })

  test('a walk comes to its end although more is added behind it than it visits', () => {
    const expiry = createExpiry<Evictable, Records>()
    const index: Records = { records: new Map() }
    expiry.join(index)
    const put = (key: string, deadAt: number): void => {
      const each = record(deadAt)
      index.records.set(key, each)
      expiry.noted(each)
    }
    put('due', 10)
    for (let i = 0; i < 10; i++) put(`k${i}`, 1_000)
    put('first', 30)
    const gone: string[] = []
    let now = 10
    for (let turn = 0; turn < 20; turn++, now += 5) {
      expiry.sweep(now, 4, collect(gone))
      // Passed over by the first walk, dead by the next.
      if (turn === 0) index.records.set('k0', record(20))
      for (let i = 0; i < 8; i++) put(`new ${turn}:${i}`, turn === 0 ? 20 : 5_000)
    }
    expect(gone).toContain('first')
    expect(gone).toContain('k0')
  })
})
