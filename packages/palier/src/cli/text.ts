import { countText } from '../advice/words.ts'

/** How wide a line may be. */
export const WIDTH = 80

export type Style = 'heading' | 'good' | 'warning' | 'bad'

/** Marks a piece of text; without colours it gives the text back as it is. */
export type Paint = (style: Style, text: string) => string

const CODES: Readonly<Record<Style, string>> = { heading: '1', good: '32', warning: '33', bad: '31' }

export function painter(colours: boolean): Paint {
  return (style, text) => (colours && text !== '' ? `\u001B[${CODES[style]}m${text}\u001B[0m` : text)
}

/** Breaks at spaces; a word longer than a line (a path, a key) stays whole, for it is there to be copied. */
export function wrap(text: string, indent: number, width: number = WIDTH): readonly string[] {
  const room = width - indent
  const lines: string[] = []
  let line = ''
  for (const word of text.split(/[^\S\u00a0\u202f]+/).filter(Boolean)) {
    if (line !== '' && line.length + 1 + word.length > room) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  if (line !== '') lines.push(line)
  return lines.map(one => ' '.repeat(indent) + one)
}

/** Text beside a label that takes `indent` columns, the label included. */
export function labelled(label: string, text: string, indent: number): readonly string[] {
  const lines = wrap(text, indent)
  const first = lines[0] ?? ''
  return [label.padEnd(indent) + first.slice(indent), ...lines.slice(1)].map(line => line.trimEnd())
}

/** Columns as wide as their widest cell; `right` names those that are set to the right. */
export function table(
  rows: readonly (readonly string[])[],
  right: readonly number[],
  indent: number = 2,
): readonly string[] {
  const widths: number[] = []
  for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, cell.length)))
  return rows.map(row => {
    const cells = row.map((cell, i) =>
      right.includes(i) ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0),
    )
    return (' '.repeat(indent) + cells.join('  ')).trimEnd()
  })
}

export function microsText(micros: number): string {
  return micros < 10 ? micros.toFixed(1) : countText(Math.round(micros))
}
