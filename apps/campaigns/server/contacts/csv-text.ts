import { stringify } from 'csv-stringify/sync'

/** Records as CSV of RFC 4180, each line ended. Texts are guarded by the caller, who knows which are ours. */
export function csvLines(records: readonly (readonly (string | number)[])[]): string {
  // The library quotes the line end of the file only; readers take a lone CR or LF for one as well.
  return stringify(records as (string | number)[][], { record_delimiter: '\r\n', quoted_match: /[\r\n]/ })
}

/** Before the first line: tells spreadsheets that the file is in UTF-8. */
export const CSV_MARK = '\ufeff'

/**
 * Spreadsheets take a field that begins with one of these for a formula, and would run what a stranger called
 * themselves. Our files have an apostrophe before it, which spreadsheets show as text, and our imports take it away
 * again. A field that has apostrophes there of its own gets one more, so that what is read equals what was written.
 */
const FORMULA = /^'*[=+\-@\t\r\n]/
const GUARDED = /^'+[=+\-@\t\r\n]/

export function guardFormula(text: string): string {
  return FORMULA.test(text) ? `'${text}` : text
}

export function unguardFormula(text: string): string {
  return GUARDED.test(text) ? text.slice(1) : text
}
