import type { AuditAnswer } from '../../../../src/api.ts'

export type AuditLine = AuditAnswer['entries'][number]

/** What the log puts before the name of what was changed, which the kind of the change says already. */
const BEFORE: Readonly<Record<string, RegExp>> = {
  'invalidate-type': /^type /,
  'invalidate-tag': /^tag /,
  'invalidate-pattern': /^pattern /,
  'delete-key': /^key /,
  'clear-keys': /^\d+ keys: /,
  'set-config': /^types /,
  'clear-all': /^everything$/,
  undo: /^the clear of a token$/,
}

/** The name of what was changed, without the words around it. */
export function namedIn({ what, target = '' }: Pick<AuditLine, 'what' | 'target'>): string {
  const rest = target.replace(BEFORE[what] ?? /^$/, '')
  return what === 'invalidate-pattern' || what === 'delete-key' ? rest.replace(/ of type (\S+)$/, ' ($1)') : rest
}

/** Whether a line holds this text anywhere; `said` is what it says in the language of the page. */
export const isLike = (line: AuditLine, said: string, text: string): boolean =>
  `${line.who.name ?? ''} ${line.who.role} ${line.from ?? ''} ${line.target ?? ''} ${line.code ?? ''} ${said}`
    .toLowerCase()
    .includes(text.trim().toLowerCase())

/** A cell in quotes; a text that a spreadsheet would take for a formula stays a text. */
function cell(value: string | number | undefined): string {
  const text = String(value ?? '')
  return `"${(/^[=+\-@\t\r]/.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`
}

/** The lines as a table for a spreadsheet: what the API says, in its own words. */
export function csvOf(lines: readonly AuditLine[]): string {
  const rows = lines.map(({ at, who, from, what, target, count, outcome, status, code }) =>
    [new Date(at).toISOString(), who.name, who.role, from, what, target, count, outcome, status, code]
      .map(cell)
      .join(','),
  )
  return ['at,name,role,from,what,target,count,outcome,status,code', ...rows].join('\r\n')
}
