import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  checkName,
  entryId,
  entryKey,
  entryPrefix,
  keyOf,
  matchesGlob,
  namespacePrefix,
  stampKey,
} from '../../src/key.ts'

/** The same rule, as plainly as it can be said; exponential, so for short texts only. */
function matchesNaively(pattern: readonly string[], text: readonly string[]): boolean {
  const [first, ...rest] = pattern
  const [head, ...tail] = text
  if (first === undefined) return head === undefined
  if (first === '*') return matchesNaively(rest, text) || (head !== undefined && matchesNaively(pattern, tail))
  if (head === undefined) return false
  if (first === '?') return matchesNaively(rest, tail)
  const [escaped, ...beyond] = rest
  if (first === '\\' && escaped !== undefined) return head === escaped && matchesNaively(beyond, tail)
  return head === first && matchesNaively(rest, tail)
}

const letter = fc.constantFrom('a', 'b', ':', '*', '?', '\\', '[', '.', 'é')
const texts = fc.string({ unit: letter, maxLength: 8 })

describe('a pattern', () => {
  test('matches what the plainest reading of its rule matches', () => {
    fc.assert(
      fc.property(texts, texts, (pattern, text) => {
        expect(matchesGlob(pattern, text)).toBe(matchesNaively(Array.from(pattern), Array.from(text)))
      }),
      { numRuns: 20_000 },
    )
  })

  test('made of the text itself, every character escaped, matches that text alone', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (text, other) => {
        const escaped = text.replace(/[*?\\]/g, '\\$&')
        expect(matchesGlob(escaped, text)).toBe(true)
        expect(matchesGlob(escaped, other)).toBe(text === other)
      }),
    )
  })

  test.each([
    ['*', '', true],
    ['?', '', false],
    ['**', 'anything', true],
    ['a*', 'a', true],
    ['*a', 'ba', true],
    ['a*b*c', 'a1b2c', true],
    ['a*b*c', 'a1c2b', false],
    ['\\*', '*', true],
    ['\\*', 'x', false],
    ['a\\', 'a\\', true],
    ['[ab]', 'a', false],
    ['[ab]', '[ab]', true],
    ['A', 'a', false],
    ['user:?:*', 'user:1:x', true],
    ['a\nb', 'a\nb', true],
  ])('%j against %j: %s', (pattern, text, expected) => {
    expect(matchesGlob(pattern, text)).toBe(expected)
  })

  test('a question mark is one character, also where that takes two units of UTF-16', () => {
    expect(matchesGlob('?', '😀')).toBe(true)
    expect(matchesGlob('??', '😀')).toBe(false)
    expect(matchesGlob('a?b', 'a😀b')).toBe(true)
  })

  test.each([
    ['stars that never fit', '*a'.repeat(20) + '*b', 'a'.repeat(20_000)],
    ['stars and question marks', '*?'.repeat(50) + 'x', 'a'.repeat(20_000)],
    ['a text of half a million characters', 'a*a*a*a*z', 'a'.repeat(500_000)],
  ])('%s: cannot be made slow', (_name, pattern, text) => {
    const began = performance.now()
    expect(matchesGlob(pattern, text)).toBe(false)
    expect(performance.now() - began).toBeLessThan(5000)
  })
})

describe('keys', () => {
  const name = fc.string({ unit: fc.constantFrom('a', ':', '%', '3', 'A', 'e', 's', 'ü'), minLength: 1, maxLength: 5 })
  const type = fc.oneof(fc.constant(''), name)
  const subject = fc.option(name, { nil: undefined })
  const parts = fc.tuple(name, type, name, subject)

  test('of two different entries never meet', () => {
    fc.assert(
      fc.property(parts, parts, (one, two) => {
        const full = ([ns, t, k, s]: typeof one): string => entryKey(ns, t, entryId(k, s))
        expect(full(one) === full(two)).toBe(JSON.stringify(one) === JSON.stringify(two))
      }),
      { numRuns: 5000 },
    )
  })

  test('lie under the prefix of their own namespace and type, and under no other', () => {
    fc.assert(
      fc.property(parts, name, type, ([ns, t, k, s], otherNs, otherType) => {
        const full = entryKey(ns, t, entryId(k, s))
        expect(full.startsWith(namespacePrefix(otherNs))).toBe(ns === otherNs)
        expect(full.startsWith(entryPrefix(otherNs, otherType))).toBe(ns === otherNs && t === otherType)
        expect(full.startsWith(entryPrefix(otherNs))).toBe(ns === otherNs)
      }),
      { numRuns: 5000 },
    )
  })

  test('give their own part back, and are never a stamp', () => {
    fc.assert(
      fc.property(parts, name, ([ns, t, k, s], stamp) => {
        expect(keyOf(entryId(k, s))).toBe(k)
        expect(entryKey(ns, t, entryId(k, s))).not.toBe(stampKey(ns, stamp))
      }),
    )
  })

  test('every well-formed text of one character or more is a name', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), text => {
        expect(() => checkName('key', text)).not.toThrow()
      }),
    )
  })
})
