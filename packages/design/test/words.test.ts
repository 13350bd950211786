import { describe, expect, test } from 'vitest'
import { defineWords, translator } from '../src/words.ts'

const words = defineWords(
  {
    hello: 'Hello {name}',
    cleared: { one: '{count} entry cleared', other: '{count} entries cleared' },
    why: 'Why: it was “{reason}”!',
  },
  {
    hello: 'Bonjour {name}',
    cleared: { one: '{count} entrée vidée', other: '{count} entrées vidées' },
    why: 'Pourquoi : c’était « {reason} » !',
  },
)

describe('the words of a screen', () => {
  test('say their values, and leave what they were not given as it stands', () => {
    const t = translator(words, 'en')
    expect(t('hello', { name: 'Ada' })).toBe('Hello Ada')
    expect(t('hello')).toBe('Hello {name}')
  })

  test('write numbers as the language does, and choose the form that it counts with', () => {
    const [en, fr] = [translator(words, 'en'), translator(words, 'fr')]
    expect([0, 1, 1204].map(count => en('cleared', { count }))).toEqual([
      '0 entries cleared',
      '1 entry cleared',
      '1,204 entries cleared',
    ])
    // Nothing is singular in French, and thousands are kept apart by a narrow space that does not break.
    expect([0, 1, 1204].map(count => fr('cleared', { count }))).toEqual([
      '0 entrée vidée',
      '1 entrée vidée',
      '1\u202f204 entrées vidées',
    ])
  })

  test('set the spaces of French that must not break, and none in English', () => {
    expect(translator(words, 'fr')('why', { reason: 'plein' })).toBe(
      'Pourquoi\u00a0: c’était «\u00a0plein\u00a0»\u00a0!',
    )
    expect(translator(words, 'en')('why', { reason: 'full' })).toBe('Why: it was “full”!')
  })
})
