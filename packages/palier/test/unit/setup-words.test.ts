import { describe, expect, test } from 'vitest'
import { say } from '../../src/setup/words.ts'
import { EN, type WordKey } from '../../src/setup/words/en.ts'
import { FR } from '../../src/setup/words/fr.ts'

const KEYS = Object.keys(EN) as WordKey[]
const gaps = (text: string): string[] =>
  [...new Set([...text.matchAll(/\{(\w+)/g)].map(([, name = '']) => name))].sort()

describe('the sentences of the installation', () => {
  test('have the same gaps in both languages', () => {
    const plain = KEYS.filter(key => gaps(EN[key]).join() !== gaps(FR[key]).join())
    // One language names the number where the other only agrees with it.
    expect(plain.filter(key => !gaps(FR[key]).every(gap => gaps(EN[key]).includes(gap)))).toEqual([])
    expect(Object.keys(FR).sort()).toEqual([...KEYS].sort())
  })

  test('are French in French: no-break spaces before the marks that ask for one', () => {
    expect(KEYS.filter(key => / [:;!?%»]|« |[^\s\u00a0][;!?»]/.test(FR[key].replace(/\{[^}]*\}/g, 'x')))).toEqual([])
  })

  test('fill their gaps as the language writes numbers, and agree with them', () => {
    const scanned = { key: 'server.processes.seen', values: { n: 1 } } as const
    expect(say('en', scanned)).toBe('1 process seen.')
    expect(say('en', { ...scanned, values: { n: 1204 } })).toBe('1,204 processes seen.')
    expect(say('fr', { ...scanned, values: { n: 1204 } })).toBe('1\u202f204 processus vus.')
    expect(say('fr', { key: 'redis.strangers.none', values: { sampled: 0 } })).toContain('0 clé.')
    expect(say('en', { key: 'redis.strangers.none', values: { sampled: 0 } })).toContain('0 keys.')
  })

  test('leave a gap without a value as it is, and take a value as it is', () => {
    expect(say('en', { key: 'cannotCheck' })).toBe('Could not check ({errno}).')
    expect(say('en', { key: 'cannotCheck', values: { errno: '{file}' } })).toBe('Could not check ({file}).')
  })
})
