import type { Readable } from 'node:stream'
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

const LINE_BREAK = /\r\n|\n|\r/g

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
function brokenFile(failure: Error, run: Run): Error {
  if (!(failure instanceof CsvError)) return failure
  const { line } = run
  const expected = `a CSV record of at most ${LONGEST_RECORD} characters with every quote closed`
  return new Problem(422, `The file cannot be read from line ${line} on. The lines before it were imported.`, {
    errors: [{ line, field: 'record', expected, received: failure.code }],
    report: run.report(),
  })
}

function tooLarge(run: Run): Problem {
  const detail = `The file is larger than ${LARGEST_FILE / 1024 / 1024} MiB. Its first part was imported; send the rest in parts.`
  return new Problem(413, detail, { report: run.report() })
}

interface Split {
  readonly records: readonly string[][]
  /** Set when the parser gave up; the records are those before that place. */
  readonly failure: Error | undefined
}

/**
 * The parser as a function, not as a stream: a stream that fails throws away the records it holds, and then nobody
 * could say which lines were imported. Takes a chunk of the file, and nothing at its end.
 */
function createSplitter(): (chunk?: Buffer) => Promise<Split> {
  let records: string[][] = []
  let failure: Error | undefined
  const parser = parse({
    bom: true,
    relax_column_count: true,
    max_record_size: LONGEST_RECORD,
    record_delimiter: ['\r\n', '\n', '\r'],
    on_record: (record: string[]) => {
      records.push(record)
      return null
    },
  })
  // Every failure also comes to the callback below; without a listener it would end the process.
  parser.on('error', () => undefined)
  return async chunk => {
    await new Promise<void>(resolve => {
      const done = (error?: Error | null): void => {
        failure ??= error ?? undefined
        resolve()
      }
      if (chunk === undefined) parser.end(done)
      else parser.write(chunk, done)
    })
    const split = { records, failure }
    records = []
    return split
  }
}

/** One import under way: what it has counted, and the batch it is filling. */
class Run {
  readonly #services: Services
  readonly #counts = { records: 0, created: 0, duplicates: 0, rejected: 0, categories_created: 0 }
  readonly #errors: LineFault[] = []
  #batch: Line[] = []
  #headerSeen = false
  /** Where the next record begins. */
  line = 1

  constructor(services: Services) {
    this.#services = services
  }

  report(): ImportReport {
    return { ...this.#counts, errors: this.#errors }
  }

  async take(record: readonly string[]): Promise<void> {
    const line = this.line
    this.line += record.reduce((breaks, text) => breaks + (text.match(LINE_BREAK)?.length ?? 0), 1)
    if (!this.#headerSeen) {
      checkHeader(record)
      this.#headerSeen = true
      return
    }
    if (record.every(text => text.trim() === '')) return
    this.#counts.records++
    const read = readLine(line, record)
    if ('line' in read) {
      this.#counts.rejected++
      if (this.#errors.length < MOST_ERRORS) this.#errors.push(read)
      return
    }
    this.#batch.push(read)
    if (this.#batch.length === BATCH) await this.flush()
  }

  async flush(): Promise<void> {
    const lines = this.#batch
    if (lines.length === 0) return
    this.#batch = []
    const { created, newCategories, categoryIds } = await writeBatch(this.#services, lines)
    this.#counts.created += created
    this.#counts.duplicates += lines.length - created
    this.#counts.categories_created += newCategories
    const tags: Tag[] = created > 0 ? ['contacts'] : []
    if (newCategories > 0) tags.push('categories')
    await this.#services.caching.forget([...tags, ...categoryIds.map((id): Tag => `category:${id}`)])
    await setImmediate()
  }

  async end(): Promise<void> {
    if (!this.#headerSeen) checkHeader([])
    await this.flush()
  }
}

export async function importContacts(services: Services, body: Readable): Promise<ImportReport> {
  const run = new Run(services)
  const split = createSplitter()
  let bytes = 0
  const feed = async (chunk?: Buffer): Promise<void> => {
    const { records, failure } = await split(chunk)
    for (const record of records) await run.take(record)
    if (failure === undefined) return
    await run.flush()
    throw brokenFile(failure, run)
  }
  let refusal: { readonly error: unknown } | undefined
  for await (const chunk of body as AsyncIterable<Buffer>) {
    // After a refusal the rest is read and dropped: a client that is still sending would not hear the answer.
    if (refusal !== undefined) continue
    try {
      bytes += chunk.length
      if (bytes > LARGEST_FILE) throw tooLarge(run)
      await feed(chunk)
    } catch (error) {
      refusal = { error }
    }
  }
  if (refusal !== undefined) throw refusal.error
  await feed()
  await run.end()
  return run.report()
}
