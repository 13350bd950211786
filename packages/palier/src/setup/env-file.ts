import { badOption } from '../errors.ts'

/*
 * A file of environment lines as `node --env-file`, Compose and systemd read it. Lines that are not ours are kept as
 * they are, comments included.
 */

const LINE = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*$/

function unquoted(text: string): string {
  const quote = text[0]
  if (quote === "'" || quote === '"' || quote === '`') {
    const end = text.indexOf(quote, 1)
    if (end > 0) return quote === '"' ? text.slice(1, end).replaceAll('\\n', '\n') : text.slice(1, end)
  }
  return text.replace(/\s+#.*$/, '').replace(/^#.*$/, '')
}

/** The values of the lines; the last of a name counts. */
export function readLines(text: string): Readonly<Record<string, string>> {
  const found: Record<string, string> = {}
  for (const line of text.split(/\r?\n/)) {
    const [, name, value] = LINE.exec(line) ?? []
    if (name !== undefined && value !== undefined) found[name] = unquoted(value)
  }
  return found
}

/** A line that every reader of such files takes for this value. Throws PALIER_BAD_OPTION for what no line can hold. */
export function lineOf(name: string, value: string): string {
  if (/[\r\n\0]/.test(value)) throw badOption(name, 'text on one line', 'text with a line break')
  if (/^[\w./:@%+,~&?=[\]*-]*$/.test(value)) return `${name}=${value}`
  const quote = ["'", '"', '`'].find(one => !value.includes(one) && (one !== '"' || !value.includes('\\')))
  if (quote === undefined) throw badOption(name, 'text without all three kinds of quotes', 'such a text')
  return `${name}=${quote}${value}${quote}`
}

/** The file with these values: lines in place where the name has one, the others at the end. `undefined` takes a line away. */
export function withValues(text: string, values: Readonly<Record<string, string | undefined>>): string {
  const missing = new Map(Object.entries(values))
  const lines = text === '' ? [] : text.replace(/\r?\n$/, '').split(/\r?\n/)
  const kept: string[] = []
  for (const line of lines) {
    const name = LINE.exec(line)?.[1]
    if (name === undefined || !Object.hasOwn(values, name)) {
      kept.push(line)
      continue
    }
    const value = missing.get(name)
    missing.delete(name)
    if (value !== undefined) kept.push(lineOf(name, value))
  }
  for (const [name, value] of missing) if (value !== undefined) kept.push(lineOf(name, value))
  return kept.length === 0 ? '' : `${kept.join('\n')}\n`
}
