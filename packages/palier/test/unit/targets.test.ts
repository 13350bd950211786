import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { entryId, entryKey, NAMESPACE, tagStamp, typeStamp } from '../../src/key.ts'
import {
  documentTarget,
  FLUSH_TARGET,
  keyTarget,
  patternTarget,
  sortTargets,
  stampTarget,
  WIDEST,
  widened,
} from '../../src/targets.ts'

const text = fc.string({ unit: 'grapheme', minLength: 1 })

describe('a target', () => {
  test('comes out as it went in, whatever the names', () => {
    fc.assert(
      fc.property(
        fc.array(text),
        fc.uniqueArray(text),
        fc.array(fc.tuple(text, fc.option(text))),
        fc.array(text),
        (keys, names, rules, documents) => {
          const patterns = rules.map(([glob, type]) => ({ glob, type: type ?? undefined }))
          const targets = [
            ...patterns.map(patternTarget),
            ...keys.map(keyTarget),
            ...names.map(stampTarget),
            ...documents.map(documentTarget),
            ...(keys.length % 2 === 0 ? [FLUSH_TARGET] : []),
          ]
          expect(sortTargets(targets)).toEqual({
            keys,
            stamps: names,
            patterns,
            documents,
            flush: keys.length % 2 === 0,
          })
        },
      ),
    )
  })

  test('is a line of its own: two never meet, and none has a line break that JSON or a key did not bring', () => {
    fc.assert(
      fc.property(text, text, (one, other) => {
        const kinds = [
          keyTarget,
          stampTarget,
          documentTarget,
          (glob: string) => patternTarget({ glob, type: undefined }),
        ]
        const all = kinds.flatMap(kind => [kind(one), kind(other)])
        expect(new Set(all).size).toBe(one === other ? 4 : 8)
      }),
    )
    expect(patternTarget({ glob: 'a', type: 'b' })).not.toBe(patternTarget({ glob: 'a', type: undefined }))
  })

  test('a stamp named twice is one', () => {
    expect(sortTargets([stampTarget('g:t'), stampTarget('g:t'), WIDEST]).stamps).toEqual(['g:t', NAMESPACE])
  })

  test.each(['', 'x', 'x:y', 'k', 'flushed', 'p:', 'p:{}', 'p:[1]', 'p:["a",1]', 'p:["a",null]', 'p:nonsense'])(
    'of a kind or form this version does not know (%j) stands for everything',
    target => {
      expect(sortTargets([target])).toEqual({
        keys: [],
        stamps: [NAMESPACE],
        patterns: [],
        documents: [],
        flush: false,
      })
    },
  )

  test('of any text is never an exception', () => {
    fc.assert(fc.property(fc.array(fc.string()), targets => void sortTargets(targets)))
  })

  test('nothing is nothing', () => {
    expect(sortTargets([])).toEqual({ keys: [], stamps: [], patterns: [], documents: [], flush: false })
  })
})

describe('the wider target', () => {
  test('of a key is its type, whatever the names', () => {
    fc.assert(
      fc.property(text, fc.string({ unit: 'grapheme' }), text, fc.option(text), (namespace, type, key, subject) => {
        const target = keyTarget(entryKey(namespace, type, entryId(key, subject ?? undefined)))
        expect(widened(namespace, target)).toBe(stampTarget(typeStamp(type)))
      }),
    )
  })

  test('of a key that is none of the namespace is the namespace', () => {
    expect(widened('n', keyTarget('other:e:user::k'))).toBe(WIDEST)
    expect(widened('n', keyTarget('n:s:g:t'))).toBe(WIDEST)
    expect(widened('n', keyTarget(''))).toBe(WIDEST)
  })

  test('of a document is itself: nothing wider would reach it', () => {
    expect(widened('n', documentTarget('n:d:sessions:1'))).toBe('d:n:d:sessions:1')
  })

  test('of anything else is the namespace, and that of the namespace is itself', () => {
    const others = [stampTarget(tagStamp('t')), stampTarget(typeStamp('user')), FLUSH_TARGET, WIDEST, 'unknown']
    for (const target of [...others, patternTarget({ glob: '*', type: 'user' })]) {
      expect(widened('n', target)).toBe(WIDEST)
    }
  })
})
