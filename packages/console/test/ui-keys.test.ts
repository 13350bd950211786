import { describe, expect, test } from 'vitest'
import {
  flatRows,
  type Listed,
  literally,
  narrowed,
  openedOf,
  openedText,
  patternOf,
  rowsOf,
  treeOf,
} from '../ui/src/screens/keys/tree.ts'
import { rig } from './support/rig.ts'

const listed = (type: string, key: string, more: Partial<Listed> = {}): Listed => ({
  ...{ type, key, state: 'fresh', ttl: 60_000, age: 0, bytes: 100, tags: [] },
  ...more,
})

const KEYS = [
  listed('page', 'home'),
  listed('product', 'lyon:1:a', { bytes: 2500, tags: ['catalogue'] }),
  listed('product', 'lyon:1:b', { ttl: 3_600_000 }),
  listed('product', 'lyon:2:a', { state: 'stale' }),
  listed('product', 'lyon:'),
]

describe('the tree of the keys', () => {
  test('has a branch for each type and each part of a key, with what they come to', () => {
    const [page, product] = treeOf(KEYS, ':')
    expect(page).toMatchObject({ type: 'page', prefix: '', count: 1, bytes: 100, branches: [] })
    expect(product).toMatchObject({ type: 'product', count: 4, bytes: 2800, keys: [] })
    const lyon = product?.branches[0]
    expect(lyon).toMatchObject({ prefix: 'lyon:', name: 'lyon:', count: 4 })
    expect(lyon?.branches.map(({ prefix, count }) => [prefix, count])).toEqual([
      ['lyon:1:', 2],
      ['lyon:2:', 1],
    ])
    expect(lyon?.keys.map(({ key }) => key)).toEqual(['lyon:'])
  })

  test('shows what lies in open branches, each key by what is left of its name', () => {
    const tree = treeOf(KEYS, ':')
    expect(rowsOf(tree, () => false).map(row => row.kind)).toEqual(['branch', 'branch'])
    const all = rowsOf(tree, () => true)
    const names = all.map(row => [row.depth, row.kind === 'key' ? row.name : row.branch.name])
    expect(names).toEqual([
      [0, 'page'],
      [1, 'home'],
      [0, 'product'],
      [1, 'lyon:'],
      [2, '1:'],
      [3, 'a'],
      [3, 'b'],
      [2, '2:'],
      [3, 'a'],
      [2, 'lyon:'],
    ])
    expect(flatRows(KEYS)).toHaveLength(KEYS.length)
  })

  test('ends at a depth that a key of delimiters alone cannot pass', () => {
    const rows = rowsOf(treeOf([listed('page', ':'.repeat(5000))], ':'), () => true)
    expect(rows.length).toBeLessThan(20)
    expect(rows.at(-1)).toMatchObject({ kind: 'key' })
  })
})

test('keys that were read are narrowed by tag, state, size and what is left of their life', () => {
  const none = { tag: '', state: '', larger: '', within: '' }
  const keysLike = (part: Partial<typeof none>) => narrowed(KEYS, { ...none, ...part }).map(({ key }) => key)
  expect(narrowed(KEYS, none)).toBe(KEYS)
  expect(keysLike({ tag: ' catalogue ' })).toEqual(['lyon:1:a'])
  expect(keysLike({ state: 'stale' })).toEqual(['lyon:2:a'])
  expect(keysLike({ larger: '2,4' })).toEqual(['lyon:1:a'])
  expect(keysLike({ within: '1' })).not.toContain('lyon:1:b')
  // A number that is none yet asks for nothing.
  expect(keysLike({ larger: '-', within: 'x' })).toHaveLength(KEYS.length)
})

test('a branch is cleared by a pattern that takes its keys and no others, whatever they hold', async () => {
  await using own = await rig()
  const { cache } = own
  for (const key of ['a*?\\:1', 'a*?\\:2', 'axy\\:3', 'b:4']) await cache.set(key, 1)
  const preview = await cache.operator.preview({ kind: 'pattern', type: 'default', pattern: `${literally('a*?\\:')}*` })
  expect([...preview.sample].toSorted()).toEqual(['a*?\\:1', 'a*?\\:2'])
})

test('what is typed without a wildcard may stand anywhere in a name', () => {
  expect([' cart ', '', 'user:*:cart', 'a?', 'a\\*'].map(patternOf)).toEqual([
    '*cart*',
    '',
    'user:*:cart',
    'a?',
    'a\\*',
  ])
})

test('an opened key is part of the address, whatever its type and name hold', () => {
  for (const [type, key] of [
    ['page', 'GET shop.test/a?b=c:d'],
    ['a:b', '%41:é'],
  ] as const) {
    expect(openedOf(openedText(type, key))).toEqual({ type, key })
  }
  for (const text of ['', 'page', ':x', '%zz:x']) expect(openedOf(text)).toBeUndefined()
})
