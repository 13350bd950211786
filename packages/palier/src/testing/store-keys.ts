import assert from 'node:assert/strict'
import type { SharedStore } from '../store.ts'
import { LONG, recordOf, type StoreSentence } from './case.ts'
import { assertAbsent, assertHolds, scanned } from './store-records.ts'

const long = 'k'.repeat(4_096)
const veryLong = 'v'.repeat(70 * 1_024)

/** Keys that a store could take for one another, or for something other than a key. */
const FAMILIES: readonly (readonly [string, readonly string[]])[] = [
  [
    'that differ only in a separator',
    ['a:b', 'a/b', 'a\\b', 'a.b', 'a b', 'a%3Ab', 'a%2Fb', 'a_b', 'a-b', 'ab', 'a|b'],
  ],
  ['of which one begins another', ['foo', 'foo:bar', 'foo:bar:baz', 'foo:', ':foo', ':', '::', 'f']],
  ['that differ only in case', ['Key', 'key', 'KEY', 'kEY', 'É', 'é']],
  [
    'made of pattern characters',
    ['*', '?', '[a-z]', '[^a]', '\\', '\\*', 'a*', '^', '$', '.*', '{a}', '{a}:b', '{', '}', '{}'],
  ],
  ['with control characters', ['\0', 'a\0b', 'a\nb', 'a\r\nb', '\n', '\t', 'a\x7f', ' ', '  ', 'a ', ' a', '\u2028']],
  [
    'that mean something to a language or a file system',
    [
      '__proto__',
      'constructor',
      'toString',
      '../../x',
      '..',
      '.',
      '/',
      '//',
      '/etc/passwd',
      'C:\\x',
      'CON',
      'x.tmp',
      '~',
    ],
  ],
  [
    'beyond ASCII',
    ['clé', 'cle\u0301', 'ключ', '键', '\u{1F600}', '\u{1F600}\u{1F601}', '\uFFFD', '\uFEFFa', 'a\u200D'],
  ],
  [
    'that a store could use for itself',
    ['lease:a', 'a:lease', 'palier', 'palier:a', '_', '1', '0', 'undefined', 'null'],
  ],
  ['of 4 KB that differ in one place', [`${long}1`, `${long}2`, `1${long}`, `2${long}`, long]],
  ['of 70 KB that differ in one place', [`${veryLong}1`, `${veryLong}2`, `1${veryLong}`, veryLong]],
]

export function keyCases(): StoreSentence[] {
  return FAMILIES.map(
    ([what, keys]): StoreSentence => [
      `keys ${what} never meet`,
      async ({ store, second }) => {
        const other = await second()
        const record = (key: string) => recordOf(key, `of ${keys.indexOf(key)}`)
        for (const key of keys) await store.set(key, record(key), LONG)
        for (const key of keys) await assertHolds(other, key, record(key))
        const found = await store.getMany(keys)
        for (const [i, key] of keys.entries())
          assert.ok(Buffer.compare(found[i]?.bytes ?? Buffer.alloc(0), record(key)) === 0)
        assert.deepEqual(await scanned(store, ''), [...keys].sort())
        await leasesNeverMeet(keys, store)
        for (const [i, key] of keys.entries()) {
          await store.delete([key])
          await assertAbsent(other, key)
          const next = keys[i + 1]
          if (next !== undefined) await assertHolds(other, next, record(next))
        }
      },
    ],
  )
}

async function leasesNeverMeet(keys: readonly string[], store: SharedStore): Promise<void> {
  for (const [i, key] of keys.entries()) {
    const { granted } = await store.claim(key, { token: `t${i}`, ttl: LONG, steal: true })
    assert.equal(granted, true, `the lease of ${JSON.stringify(key.slice(0, 80))}`)
  }
  for (const [i, key] of keys.entries()) {
    assert.equal(
      await store.renew(key, `t${i}`, LONG),
      true,
      `another key took the lease of ${JSON.stringify(key.slice(0, 80))}`,
    )
    await store.release(key, `t${i}`)
  }
}
