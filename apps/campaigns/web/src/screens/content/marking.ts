export type Mark = 'bold' | 'italic' | 'code' | 'heading' | 'list' | 'numbers' | 'quote' | 'link'

/** A text with what is selected in it, as of a `<textarea>`. */
export interface Selected {
  readonly text: string
  readonly start: number
  readonly end: number
}

const AROUND: Readonly<Partial<Record<Mark, string>>> = { bold: '**', italic: '*', code: '`' }
const BEFORE_LINE: Readonly<Partial<Record<Mark, (line: number) => string>>> = {
  heading: () => '## ',
  list: () => '- ',
  numbers: line => `${line + 1}. `,
  quote: () => '> ',
}

/** Puts the sign on both sides of the selection, or takes it away where it is. */
function wrap({ text, start, end }: Selected, sign: string): Selected {
  const { length } = sign
  const isWrapped = text.slice(start - length, start) === sign && text.slice(end, end + length) === sign
  // One star inside two is the half of another mark.
  const isHalf = sign === '*' && (text[start - 2] === '*' || text[end + 1] === '*')
  if (isWrapped && !isHalf) {
    const without = text.slice(0, start - length) + text.slice(start, end) + text.slice(end + length)
    return { text: without, start: start - length, end: end - length }
  }
  const wrapped = `${text.slice(0, start)}${sign}${text.slice(start, end)}${sign}${text.slice(end)}`
  return { text: wrapped, start: start + length, end: end + length }
}

/** Puts a sign before each line that the selection touches, or takes it away where all of them have it. */
function prefix({ text, start, end }: Selected, sign: (line: number) => string): Selected {
  const from = text.lastIndexOf('\n', start - 1) + 1
  const next = text.indexOf('\n', end)
  const to = next === -1 ? text.length : next
  const lines = text.slice(from, to).split('\n')
  const hasAll = lines.every((line, at) => line.startsWith(sign(at)))
  const changed = lines.map((line, at) => (hasAll ? line.slice(sign(at).length) : `${sign(at)}${line}`)).join('\n')
  return { text: text.slice(0, from) + changed + text.slice(to), start: from, end: from + changed.length }
}

function link({ text, start, end }: Selected): Selected {
  const name = text.slice(start, end)
  const address = 'https://'
  const linked = `${text.slice(0, start)}[${name}](${address})${text.slice(end)}`
  // What is missing is selected: the name, or else the address.
  const from = name === '' ? start + 1 : start + name.length + 3
  return { text: linked, start: from, end: name === '' ? from : from + address.length }
}

/** What a button of the toolbar makes of a text in Markdown. */
export function applyMark(selected: Selected, mark: Mark): Selected {
  const sign = AROUND[mark]
  if (sign !== undefined) return wrap(selected, sign)
  const before = BEFORE_LINE[mark]
  return before === undefined ? link(selected) : prefix(selected, before)
}

/** A picture in a paragraph of its own, behind the selection. */
export function insertPicture({ text, end }: Selected, alt: string, url: string): Selected {
  const before = text.slice(0, end)
  const gap = before === '' || before.endsWith('\n\n') ? '' : before.endsWith('\n') ? '\n' : '\n\n'
  const picture = `${gap}![${alt.replaceAll(/[[\]\\]/g, '\\$&')}](${url})\n\n`
  const at = end + picture.length
  return { text: before + picture + text.slice(end).replace(/^\n+/, ''), start: at, end: at }
}
