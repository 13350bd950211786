import { type Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setImmediate } from 'node:timers/promises'
import { CsvError, parse } from 'csv-parse'
import type { Tag } from '../caching.ts'
import { EMAIL_EXPECTED, PHONE_EXPECTED, parseEmail, parsePhone } from '../phone.ts'
import { badFields, Problem } from '../problem.ts'
import type { Services } from '../services.ts'
import { received } from '../validation.ts'
import { type Line, writeBatch } from './import-batch.ts'

/**
 * Contacts from a CSV of any length in bounded memory: the body is parsed as it arrives and written in batches, a
 * transaction each, with a turn of the event loop between them. A line that cannot be read is reported and left out;
 * a batch that is committed stays, whatever comes after it, and what it changed leaves the cache at once.
 */
export interface LineFault {
  /** The line in the file on which the record begins, counted from 1 for the header. */
  readonly line: number
  readonly field: string
  readonly expected: string
  readonly received: string
}

export interface ImportReport {
  /** Records read, the header and blank lines not counted. created + duplicates + rejected. */
  readonly records: number
  readonly created: number
  /** Records whose phone is already known, from before or from an earlier line. They change nothing. */
  readonly duplicates: number
  readonly rejected: number
  readonly categories_created: number
  /** The first hundred faults. */
  readonly errors: readonly LineFault[]
}

const HEADER = ['name', 'phone', 'email', 'categories'] as const
const BATCH = 500
const MOST_ERRORS = 100
const MOST_CATEGORIES = 20
const LONGEST_RECORD = 16_384
const LARGEST_FILE = 256 * 1024 * 1024

interface Parsed {
  readonly record: string[]
  readonly info: { readonly lines: number }
}

function limiter(): Transform {
  let bytes = 0
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length
      if (bytes <= LARGEST_FILE) return done(null, chunk)
      done(new Problem(413, `The file is larger than ${LARGEST_FILE / 1024 / 1024} MiB. Import it in parts.`))
    },
  })
}

/** The body with its limit, apart from it: were the request itself destroyed, its answer could not be sent. */
function follow(body: Readable): Transform {
  const input = limiter()
  body.once('close', () => {
    if (!body.readableEnded) input.destroy(new Problem(400, 'The file ended before all of it had arrived.'))
  })
  return body.pipe(input)
}

function checkHeader(record: readonly string[]): void {
  const names = record.map(name => name.trim().toLowerCase())
  if (names.length === HEADER.length && HEADER.every((name, at) => names[at] === name)) return
  const expected = `the header line ${HEADER.join(',')}`
  throw badFields([{ field: 'line 1', expected, received: received(record.join(',')) }], 422)
}

function readLine(line: number, record: readonly string[]): Line | LineFault {
  const fault = (field: string, expected: string, value: unknown): LineFault => {
    return { line, field, expected, received: received(value) }
  }
  const [name = '', phone = '', email = '', categories = ''] = record.map(text => text.trim())
  if (record.length > HEADER.length) return fault('record', `at most ${HEADER.length} fields`, record.length)
  if (record.some(text => text.includes('\ufffd'))) return fault('record', 'text in UTF-8', record.join(','))
  if (name === '' || name.length > 120) return fault('name', 'a name of 1 to 120 characters', name)
  const e164 = parsePhone(phone)
  if (e164 === undefined) return fault('phone', PHONE_EXPECTED, phone)
  const address = email === '' ? null : parseEmail(email)
  if (address === undefined) return fault('email', EMAIL_EXPECTED, email)
  const names = categories.split(';').map(text => text.trim().normalize())
  const wanted = [...new Set(names.filter(text => text !== ''))]
  const wrong = wanted.find(text => text.length > 80)
  if (wanted.length > MOST_CATEGORIES) return fault('categories', `at most ${MOST_CATEGORIES} names`, wanted.length)
  if (wrong !== undefined) return fault('categories', 'names of at most 80 characters, with ; between them', wrong)
  return { name, phone: e164, email: address, categories: wanted }
}

/** A file that ends in the middle of a quote, or holds an endless record: told with what was done before it. */
function brokenFile(error: unknown, line: number, report: ImportReport): unknown {
  if (!(error instanceof CsvError)) return error
  const expected = `a CSV record of at most ${LONGEST_RECORD} characters with every quote closed`
  const errors = [{ line, field: 'record', expected, received: error.code }]
  return new Problem(422, `The file cannot be read from line ${line} on. The lines before it were imported.`, {
    errors,
    report,
  })
}

export async function importContacts(services: Services, body: Readable): Promise<ImportReport> {
  const counts = { records: 0, created: 0, duplicates: 0, rejected: 0, categories_created: 0 }
  const errors: LineFault[] = []
  let batch: Line[] = []
  let header = true
  let next = 1
  const flush = async (): Promise<void> => {
    if (batch.length === 0) return
    const lines = batch
    batch = []
    const done = await writeBatch(services, lines)
    counts.created += done.created
    counts.duplicates += lines.length - done.created
    counts.categories_created += done.newCategories
    const tags: Tag[] = done.created > 0 ? ['contacts'] : []
    if (done.newCategories > 0) tags.push('categories')
    await services.caching.forget([...tags, ...done.categoryIds.map((id): Tag => `category:${id}`)])
    await setImmediate()
  }
  const take = async ({ record, info }: Parsed): Promise<void> => {
    const line = next
    next = info.lines + 1
    if (header) {
      header = false
      return checkHeader(record)
    }
    if (record.every(text => text.trim() === '')) return
    counts.records++
    const read = readLine(line, record)
    if ('line' in read) {
      counts.rejected++
      if (errors.length < MOST_ERRORS) errors.push(read)
      return
    }
    batch.push(read)
    if (batch.length === BATCH) await flush()
  }
  const parser = parse({ bom: true, info: true, relax_column_count: true, max_record_size: LONGEST_RECORD })
  const input = follow(body)
  try {
    await pipeline(input, parser, async (records: AsyncIterable<Parsed>) => {
      for await (const parsed of records) await take(parsed)
    })
    if (header) checkHeader([])
    await flush()
    return { ...counts, errors }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error
    await flush()
    throw brokenFile(error, next, { ...counts, errors })
  } finally {
    body.unpipe(input)
    body.resume()
  }
}
