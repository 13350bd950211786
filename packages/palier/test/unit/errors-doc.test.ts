import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { ERROR_CODES } from '../../src/errors.ts'

const page = readFileSync(new URL('../../../../docs/errors.md', import.meta.url), 'utf8')
const sections = page.split(/^## /m).slice(1)
const titleOf = (section: string): string => section.slice(0, section.indexOf('\n')).trim()

test('docs/errors.md has one section for each code, in the order of the list, and no other', () => {
  expect(sections.map(titleOf)).toEqual([...ERROR_CODES])
})

test('each section says what the code means and what to do', () => {
  const incomplete = sections.filter(section => {
    const [meaning = '', advice = ''] = section.slice(section.indexOf('\n')).split('What to do:')
    return meaning.trim().length < 40 || advice.trim().length < 40
  })
  expect(incomplete.map(titleOf)).toEqual([])
})

test('no code is named on the page that the library does not know', () => {
  const named = new Set(page.match(/\bPALIER_[A-Z_]+\b/g))
  expect([...named].filter(name => !ERROR_CODES.some(code => code === name))).toEqual([])
})
