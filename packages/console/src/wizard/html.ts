/** Markup that is safe to send: everything that came from elsewhere is escaped in it. */
export interface Html {
  readonly markup: string
}

export type Piece = Html | string | number | false | undefined | readonly Piece[]

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

const escaped = (text: string): string => text.replaceAll(/[&<>"']/g, mark => ESCAPES[mark] ?? mark)

function markupOf(piece: Piece): string {
  if (piece === undefined || piece === false) return ''
  if (typeof piece === 'string') return escaped(piece)
  if (typeof piece === 'number') return String(piece)
  if ('markup' in piece) return piece.markup
  return piece.map(markupOf).join('')
}

/** Markup with values in it: texts are escaped, other markup is not, lists follow one another, `false` is nothing. */
export function html(parts: TemplateStringsArray, ...values: readonly Piece[]): Html {
  return { markup: parts.map((part, i) => part + markupOf(values[i])).join('') }
}
