import { CsvError } from 'csv-parse'
import { parse } from 'csv-parse/sync'
import { badFields } from '../problem.ts'
import { received } from '../validation.ts'
import { isAttributeName, LONGEST_ATTRIBUTE_NAME, MOST_ATTRIBUTES } from './fields.ts'

/** What each column of an import is; `ignored` are those that our exports have and imports make no use of. */
export type ImportColumn = 'name' | 'phone' | 'email' | 'categories' | 'opt_in' | 'ignored' | `attr:${string}`

/** What the first line of a file says about the rest of it. Plain data: it travels in a job. */
export interface CsvHead {
  readonly delimiter: ',' | ';'
  readonly columns: readonly ImportColumn[]
  /** The byte behind the header line. */
  readonly start: number
  /** The line on which the next record begins. */
  readonly line: number
}

const FIELDS = ['name', 'phone', 'email', 'categories', 'opt_in'] as const
const IGNORED = ['id', 'opt_in_at', 'opt_out_at', 'bsuid', 'created_at', 'updated_at']

const EXPECTED = `a header line of column names: name, phone, and if there are such ${FIELDS.slice(2).join(', ')} and attr:<name>`

/** How much of a file `readHead` wants to see. */
export const HEAD_BYTES = 65_536
export const LONGEST_RECORD = 65_536
export const RECORD_ENDS = ['\r\n', '\n', '\r']
const LINE_BREAK = /\r\n|\n|\r/g

function refuse(expected: string, value: unknown): Error {
  return badFields([{ field: 'line 1', expected, received: received(value) }], 422)
}

/** UTF-16 has a NUL beside each letter of a header; UTF-8 has none at all. */
function refuseOtherEncodings(head: Buffer): void {
  const marked = head.length >= 2 && (head.readUInt16BE(0) === 0xfffe || head.readUInt16BE(0) === 0xfeff)
  if (marked || head.subarray(0, 64).includes(0)) throw refuse('a file in UTF-8', 'UTF-16')
}

interface FirstRecord {
  readonly record: readonly string[]
  readonly info: { readonly bytes: number }
}

function firstRecord(head: Buffer, delimiter: string): FirstRecord | undefined {
  try {
    const options = { bom: true, delimiter, to: 1, info: true, relax_column_count: true, record_delimiter: RECORD_ENDS }
    // With `info` each record comes with how far it reaches; the types of the library do not tell.
    const [first] = parse(head, options) as unknown as FirstRecord[]
    return first
  } catch (error) {
    if (error instanceof CsvError) return undefined
    throw error
  }
}

function columnOf(text: string): ImportColumn | undefined {
  const name = text.trim()
  const known = FIELDS.find(field => field === name.toLowerCase())
  if (known !== undefined) return known
  if (IGNORED.includes(name.toLowerCase())) return 'ignored'
  const attribute = /^attr:(.*)$/iu.exec(name)?.[1]?.trim() ?? ''
  return isAttributeName(attribute) && !attribute.includes('\ufffd') ? `attr:${attribute}` : undefined
}

/** Reads the first record of a file. Throws a 422 problem that says what the header should have been. */
export function readHead(head: Buffer): CsvHead {
  refuseOtherEncodings(head)
  const [semicolons, commas] = [firstRecord(head, ';'), firstRecord(head, ',')]
  const semicolon = (semicolons?.record.length ?? 0) > (commas?.record.length ?? 0)
  const first = semicolon ? semicolons : commas
  if (first === undefined) throw refuse(EXPECTED, head.subarray(0, 80).toString())
  const { record } = first
  const columns = record.map(columnOf)
  const unknown = columns.indexOf(undefined)
  if (unknown !== -1) throw refuse(`${EXPECTED} of 1 to ${LONGEST_ATTRIBUTE_NAME} characters`, record[unknown])
  const named = columns.filter(column => column !== undefined && column !== 'ignored')
  if (!named.includes('name') || !named.includes('phone')) throw refuse(EXPECTED, record.join(','))
  const twice = named.find((column, at) => named.indexOf(column) !== at)
  if (twice !== undefined) throw refuse('each column once', twice)
  const attributes = named.filter(column => column?.startsWith('attr:')).length
  if (attributes > MOST_ATTRIBUTES) throw refuse(`at most ${MOST_ATTRIBUTES} columns attr:<name>`, attributes)
  return {
    delimiter: semicolon ? ';' : ',',
    columns: columns as ImportColumn[],
    start: first.info.bytes,
    line: 1 + linesOf(record),
  }
}

/** How many lines of the file a record takes. */
export function linesOf(record: readonly string[]): number {
  return record.reduce((breaks, text) => breaks + (text.match(LINE_BREAK)?.length ?? 0), 1)
}
