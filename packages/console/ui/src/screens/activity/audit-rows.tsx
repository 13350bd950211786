import { Pill, type Tone, useFormat, useWords } from '@palier/design'
import type { ReactNode } from 'react'
import { type AuditLine, namedIn } from './audit.ts'
import { Table } from './table.tsx'
import { words } from './words.ts'
import './activity.css'

const TONES: Readonly<Record<AuditLine['outcome'], Tone>> = {
  done: 'healthy',
  pending: 'degraded',
  refused: 'quiet',
  failed: 'down',
}

type Key = keyof (typeof words)['en']
const isKnown = (what: string): what is Key => Object.hasOwn(words.en, what)

/** What was done, in the language of the page; a name that this page does not know stays as it is. */
export function useDeed(): (what: string) => string {
  const t = useWords(words)
  return what => (isKnown(what) ? t(what) : what)
}

/** Lines of the audit log as a table; on a narrow page each is a block. */
export function AuditRows({
  caption,
  entries,
}: {
  readonly caption: string
  readonly entries: readonly AuditLine[]
}): ReactNode {
  const t = useWords(words)
  const format = useFormat()
  const deed = useDeed()
  return (
    <Table
      caption={caption}
      columns={[
        { name: t('did') },
        { name: t('outcome') },
        { name: t('who') },
        { name: t('when') },
        { name: t('count'), isNumber: true },
      ]}
    >
      {entries.map(line => (
        <tr key={line.id} data-row>
          <th scope="row">
            {deed(line.what)}
            <code className="block small muted audit-target">{namedIn(line)}</code>
          </th>
          <td>
            <Pill tone={TONES[line.outcome]}>{t(line.outcome)}</Pill>
            {line.code !== undefined && <code className="block small muted">{line.code}</code>}
          </td>
          <td>
            {line.who.name ?? t(line.who.role)}
            <span className="block small muted nowrap">
              {line.who.name !== undefined && t(line.who.role)}{' '}
              {line.from !== undefined && t('from', { address: line.from })}
            </span>
          </td>
          <td className="nowrap">{format.dateTime(line.at)}</td>
          <td className="number">{line.count === undefined ? '–' : format.number(line.count)}</td>
        </tr>
      ))}
    </Table>
  )
}
