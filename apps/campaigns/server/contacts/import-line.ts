import { EMAIL_EXPECTED, parseEmail, parsePhone, phoneExpected } from '../phone.ts'
import { received } from '../validation.ts'
import type { ImportColumn } from './csv-head.ts'
import type { CsvRecord } from './csv-reader.ts'
import { unguardFormula } from './csv-text.ts'
import { LONGEST_ATTRIBUTE } from './fields.ts'
import type { Attributes } from './store.ts'

/** A record of the file that can be stored. */
export interface Line {
  readonly name: string
  readonly phone: string
  /** Null where the file says nothing. */
  readonly email: string | null
  readonly categories: readonly string[]
  readonly attributes: Attributes
  readonly optIn: boolean
}

export interface LineFault {
  /** The line in the file on which the record begins, counted from 1 for the header. */
  readonly line: number
  readonly field: string
  readonly expected: string
  readonly received: string
}

const MOST_CATEGORIES = 20
const YES = new Set(['yes', 'true', '1', 'oui'])
const NO = new Set(['', 'no', 'false', '0', 'non'])

type Fields = ReadonlyMap<ImportColumn, string>
type Read<T> = { readonly value: T } | { readonly field: string; readonly expected: string; readonly received: unknown }

function readCategories(text: string): Read<string[]> {
  const names = text.split(';').map(name => unguardFormula(name.trim()).normalize())
  const value = [...new Set(names.filter(name => name !== ''))]
  const field = 'categories'
  if (value.length > MOST_CATEGORIES) {
    return { field, expected: `at most ${MOST_CATEGORIES} names`, received: value.length }
  }
  const long = value.find(name => name.length > 80)
  if (long === undefined) return { value }
  return { field, expected: 'names of at most 80 characters, with ; between them', received: long }
}

function readAttributes(fields: Fields): Read<Attributes> {
  const value: Record<string, string> = {}
  for (const [column, text] of fields) {
    if (!column.startsWith('attr:') || text === '') continue
    if (text.length > LONGEST_ATTRIBUTE) {
      return { field: column.slice(0, 64), expected: `at most ${LONGEST_ATTRIBUTE} characters`, received: text }
    }
    value[column.slice(5)] = unguardFormula(text)
  }
  return { value }
}

function readOptIn(text: string): Read<boolean> {
  const word = text.toLowerCase()
  if (YES.has(word)) return { value: true }
  return NO.has(word) ? { value: false } : { field: 'opt_in', expected: 'yes, no or nothing', received: text }
}

function readPhone(text: string, country: string): Read<string> {
  // Some spreadsheets write the apostrophe that keeps a number a text.
  const value = parsePhone(text.replace(/^'/, ''), country)
  return value === undefined ? { field: 'phone', expected: phoneExpected(country), received: text } : { value }
}

function readEmail(text: string): Read<string | null> {
  const value = text === '' ? null : parseEmail(text)
  return value === undefined ? { field: 'email', expected: EMAIL_EXPECTED, received: text } : { value }
}

function readName(text: string): Read<string> {
  const value = unguardFormula(text)
  if (value.trim() !== '' && value.length <= 120) return { value }
  return { field: 'name', expected: 'a name of 1 to 120 characters', received: text }
}

function checkRecord(texts: readonly string[], columns: readonly ImportColumn[]): Read<true> {
  const field = 'record'
  if (texts.length > columns.length) {
    return { field, expected: `at most ${columns.length} fields`, received: texts.length }
  }
  if (texts.some(text => text.includes('\ufffd'))) {
    return { field, expected: 'text in UTF-8', received: texts.join(',') }
  }
  return texts.some(text => text.includes('\0'))
    ? { field, expected: 'text without NUL', received: texts.join(',') }
    : { value: true }
}

/** A record as it can be stored, or the first thing that is wrong with it; undefined for a blank line. */
export function readLine(
  { fields: texts, line }: CsvRecord,
  columns: readonly ImportColumn[],
  country: string,
): Line | LineFault | undefined {
  const trimmed = texts.map(text => text.trim())
  if (trimmed.every(text => text === '')) return undefined
  const fields: Fields = new Map(columns.map((column, at) => [column, trimmed[at] ?? '']))
  const text = (column: ImportColumn): string => fields.get(column) ?? ''
  const read = {
    record: checkRecord(texts, columns),
    name: readName(text('name')),
    phone: readPhone(text('phone'), country),
    email: readEmail(text('email')),
    categories: readCategories(text('categories')),
    optIn: readOptIn(text('opt_in')),
    attributes: readAttributes(fields),
  }
  for (const part of Object.values(read)) {
    if (!('value' in part)) return { line, ...part, received: received(part.received) }
  }
  return Object.fromEntries(
    Object.entries(read).map(([name, part]) => [name, 'value' in part ? part.value : undefined]),
  ) as unknown as Line
}
