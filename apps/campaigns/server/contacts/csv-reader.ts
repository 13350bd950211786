import { createReadStream } from 'node:fs'
import { type CsvError, parse } from 'csv-parse'
import { type CsvHead, LONGEST_RECORD, linesOf, RECORD_ENDS } from './csv-head.ts'

export interface CsvRecord {
  readonly fields: readonly string[]
  /** The line of the file on which it begins, counted from 1. */
  readonly line: number
  /** The byte of the file behind it: where reading can go on later. */
  readonly end: number
  /** The line on which the next one begins. */
  readonly nextLine: number
}

/** The file cannot be read further: a quote that is never closed, an endless record. */
export interface CsvBreak {
  readonly line: number
  /** The code of the parser. */
  readonly reason: string
}

interface Split {
  readonly records: readonly { readonly fields: string[]; readonly end: number }[]
  /** Set when the parser gave up; the records are those before that place. */
  readonly failure: CsvError | Error | undefined
}

/**
 * The parser as a function, not as a stream: a stream that fails throws away the records it holds, and then nobody
 * could say which lines were imported. Takes a chunk of the file, and nothing at its end.
 */
function createSplitter(delimiter: string): (chunk?: Buffer) => Promise<Split> {
  let records: { fields: string[]; end: number }[] = []
  let failure: Error | undefined
  const parser = parse({
    delimiter,
    relax_column_count: true,
    max_record_size: LONGEST_RECORD,
    record_delimiter: RECORD_ENDS,
    on_record: (fields: string[], { bytes }: { bytes: number }) => {
      records.push({ fields, end: bytes })
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

/**
 * The records of a file from a place on, where a record begins; each chunk of the file is one item. Holds no more than a
 * chunk and the record under way. Ends with a `CsvBreak` when the rest cannot be read. Rejects when the file cannot.
 */
export async function* readRecords(
  path: string,
  { delimiter, start, line: firstLine }: Pick<CsvHead, 'delimiter' | 'start' | 'line'>,
): AsyncGenerator<readonly CsvRecord[] | CsvBreak> {
  const split = createSplitter(delimiter)
  let line = firstLine
  const number = ({ fields, end }: Split['records'][number]): CsvRecord => {
    const nextLine = line + linesOf(fields)
    const record = { fields, line, end: start + end, nextLine }
    line = nextLine
    return record
  }
  const broken = (failure: Error): CsvBreak => {
    const { code } = failure as { code?: string }
    if (code?.startsWith('CSV_') !== true) throw failure
    return { line, reason: code }
  }
  for await (const chunk of createReadStream(path, { start }) as AsyncIterable<Buffer>) {
    const { records, failure } = await split(chunk)
    yield records.map(number)
    if (failure === undefined) continue
    yield broken(failure)
    return
  }
  const { records, failure } = await split()
  yield records.map(number)
  if (failure !== undefined) yield broken(failure)
}
