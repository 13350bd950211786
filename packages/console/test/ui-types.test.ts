import { describe, expect, test } from 'vitest'
import { stepsOf, usualOf } from '../ui/src/screens/backend/chain.ts'
import { without } from '../ui/src/screens/types/changes.ts'
import {
  barsOf,
  changeFor,
  editedOf,
  halfOf,
  millisecondsOf,
  type Policy,
  revertOf,
} from '../ui/src/screens/types/policy.ts'

const MINUTE = 60_000
const policy = (ttl: number, grace: number, declared?: { ttl: number; grace: number }): Policy => ({
  ttl,
  grace,
  scope: 'public',
  ...(declared && { declared }),
})

describe('times of a type', () => {
  test('are edited in the largest unit in which they are whole', () => {
    expect(editedOf(5 * MINUTE)).toEqual({ amount: '5', unit: 'm' })
    expect(editedOf(90 * MINUTE)).toEqual({ amount: '90', unit: 'm' })
    expect(editedOf(48 * 60 * MINUTE)).toEqual({ amount: '2', unit: 'd' })
    expect(editedOf(1500)).toEqual({ amount: '1.5', unit: 's' })
    expect(editedOf(0)).toEqual({ amount: '0', unit: 'm' })
  })

  test('are read as people write them, and what is no number is none', () => {
    expect(millisecondsOf({ amount: ' 1,5 ', unit: 'h' }, 1)).toBe(90 * MINUTE)
    expect(millisecondsOf({ amount: '0', unit: 'm' }, 0)).toBe(0)
    for (const amount of ['', '0', '-1', 'five', '1e999', '1.2.3', 'NaN']) {
      expect([amount, millisecondsOf({ amount, unit: 'm' }, 1)]).toEqual([amount, undefined])
    }
  })

  test('are planned only when they would differ, and as what the code says when they say the same', () => {
    const declared = { ttl: 1000, grace: 0 }
    expect(changeFor(policy(1000, 0), { ttl: 1000, grace: 0 })).toBeUndefined()
    expect(changeFor(policy(1000, 0), { ttl: 2000, grace: 5 })).toEqual({ ttl: 2000, grace: 5 })
    expect(changeFor(policy(2000, 5, declared), declared)).toBeNull()
  })

  test('can be taken back to what they were, changed here or not', () => {
    const policies = { a: policy(1000, 0), b: policy(2000, 5, { ttl: 1, grace: 0 }) }
    expect(revertOf({ a: { ttl: 9, grace: 9 }, b: null }, policies)).toEqual({
      types: { a: null, b: { ttl: 2000, grace: 5 } },
    })
    expect(without({ a: null, b: null }, 'a')).toEqual({ b: null })
  })
})

describe('ages at hits', () => {
  test('are bars up to the last that has something; half of the hits lie below the middle', () => {
    const bars = barsOf([10, 0, 30, 0], [1000, 2000, 4000])
    expect(bars).toEqual([
      { from: 0, to: 1000, count: 10 },
      { from: 1000, to: 2000, count: 0 },
      { from: 2000, to: 4000, count: 30 },
    ])
    expect(halfOf(bars)).toBeCloseTo(2000 + (2000 * 10) / 30)
    expect(halfOf(barsOf([0, 0], [1000]))).toBeUndefined()
    expect(barsOf([0, 4], [1000])[1]).toEqual({ from: 1000, to: undefined, count: 4 })
  })
})

describe('the way of a read', () => {
  test('each tier has its share of all reads, and nothing is said of what was not timed', () => {
    const latency = { count: 4, total: 1, buckets: [], p50: 1, p95: 2500, p99: 3 }
    const counted = { errors: 0, evictions: 1, bytesRead: 0, bytesWritten: 0 }
    const snapshot = {
      health: {
        tiers: [
          { name: 'memory', role: 'near', state: 'up', used: true },
          { name: 'redis', role: 'shared', state: 'open', used: false },
        ],
      },
      stats: {
        total_requests: 200,
        tiers: [
          { name: 'near', hits: 150, latency, ...counted },
          { name: 'redis', hits: 0, latency: { ...latency, count: 0 }, ...counted },
        ],
      },
    } as never
    expect(stepsOf(snapshot).map(({ share, p95, hits }) => [hits, share, p95])).toEqual([
      [150, 0.75, 2.5],
      [0, 0, undefined],
    ])
  })

  test('what differs is told by what most say; alike, nothing differs', () => {
    expect(usualOf(['a', 'b', 'a'])).toBe('a')
    expect(usualOf(['a', 'a'])).toBeUndefined()
    expect(usualOf([])).toBeUndefined()
  })
})
