/** What a person is shown of a file before it is sent. The server alone decides what it means. */
export interface CsvStart {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

const ROWS = 3

function fieldsOf(text: string, delimiter: string): readonly (readonly string[])[] {
  const records: string[][] = [[]]
  let field = ''
  let isQuoted = false
  const endField = (): void => {
    records.at(-1)?.push(field)
    field = ''
  }
  for (let at = 0; at < text.length && records.length <= ROWS + 1; at++) {
    const sign = text[at]
    if (isQuoted) {
      if (sign !== '"') field += sign
      else if (text[at + 1] === '"') field += text[++at]
      else isQuoted = false
    } else if (sign === '"' && field === '') isQuoted = true
    else if (sign === delimiter) endField()
    else if (sign === '\n' || sign === '\r') {
      endField()
      if (sign === '\r' && text[at + 1] === '\n') at++
      records.push([])
    } else field += sign
  }
  endField()
  return records.filter(record => record.some(one => one.trim() !== ''))
}

/** The names of the columns and the first records. The delimiter is the one of the two that the first line has more of. */
export function readCsvStart(given: string): CsvStart {
  const text = given.replace(/^\ufeff/, '')
  const head = text.split(/\r?\n|\r/, 1)[0] ?? ''
  const count = (sign: string): number => head.split(sign).length
  const [columns = [], ...rows] = fieldsOf(text, count(';') > count(',') ? ';' : ',')
  return { columns: columns.map(name => name.trim()), rows: rows.slice(0, ROWS) }
}

export type ColumnMeaning =
  | 'c_name'
  | 'c_phone'
  | 'c_email'
  | 'c_categories'
  | 'c_opt_in'
  | 'c_attr'
  | 'ignored'
  | 'unknown'

/** What our own exports have and imports make no use of. */
const IGNORED = ['id', 'opt_in_at', 'opt_out_at', 'bsuid', 'created_at', 'updated_at']

export function meaningOf(column: string): ColumnMeaning {
  const name = column.toLowerCase()
  if (name.startsWith('attr:') && name.length > 5) return 'c_attr'
  const known = ['name', 'phone', 'email', 'categories', 'opt_in'] as const
  const found = known.find(one => one === name)
  if (found !== undefined) return `c_${found}`
  return IGNORED.includes(name) ? 'ignored' : 'unknown'
}

export interface HeadProblems {
  /** Columns that an import cannot do without. */
  readonly missing: readonly string[]
  /** Columns that mean nothing to an import: the server refuses the file, lest they are lost unseen. */
  readonly unknown: readonly string[]
}

export function headProblems(columns: readonly string[]): HeadProblems {
  const meanings = new Set(columns.map(meaningOf))
  return {
    missing: (['name', 'phone'] as const).filter(name => !meanings.has(`c_${name}`)),
    unknown: columns.filter(column => meaningOf(column) === 'unknown'),
  }
}
