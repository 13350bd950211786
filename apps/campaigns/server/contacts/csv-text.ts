import { stringify } from 'csv-stringify/sync'

/** Records as CSV of RFC 4180, each line ended. Texts are guarded by the caller, who knows which are ours. */
export function csvLines(records: readonly (readonly (string | number)[])[]): string {
  // The library quotes the line end of the file only; readers take a lone CR or LF for one as well, and what begins
  // a new field for spreadsheets of other countries.
  return stringify(records as (string | number)[][], { record_delimiter: '\r\n', quoted_match: /[\r\n;\t]/ })
}

/** Before the first line: tells spreadsheets that the file is in UTF-8. */
export const CSV_MARK = '\ufeff'

/**
 * Spreadsheets take a field that begins with one of these for a formula, and would run what a stranger called
 * themselves. Where the comma is the decimal point they split lines at semicolons, whatever we quote, so what follows one
 * begins a field as well. Our files have an apostrophe before the sign, which spreadsheets show as text, and our imports
 * take it away again. A field that has apostrophes there of its own gets one more, so that what is read equals what was
 * written. The wide signs are those of Chinese and Japanese keyboards.
 */
const FORMULA = /(?<=^|[;\t\r\n])(?='*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20])/g
const GUARDED = /(?<=^|[;\t\r\n])'(?='*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20])/g

export function guardFormula(text: string): string {
  return text.replace(FORMULA, "'")
}

export function unguardFormula(text: string): string {
  return text.replace(GUARDED, '')
}
