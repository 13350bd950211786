import { Card, useFormat, useWords } from '@palier/design'
import { useQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import type { RetentionAnswer } from '../../../../src/api.ts'
import { useClient } from '../../data/context.ts'
import { NotYet, Table } from './table.tsx'
import { words } from './words.ts'

function HistoryTable({ history }: { readonly history: NonNullable<RetentionAnswer['history']> }): ReactNode {
  const t = useWords(words)
  const format = useFormat()
  return (
    <Table
      caption={t('kept')}
      columns={[
        { name: t('keptWhat') },
        { name: t('keptStep') },
        { name: t('keptFor') },
        { name: t('keptDocuments'), isNumber: true },
        { name: t('keptBytes'), isNumber: true },
      ]}
    >
      {history.map(({ name, step, keep, documents, bytes }) => (
        <tr key={name}>
          <th scope="row">{t(name)}</th>
          <td>{format.duration(step)}</td>
          <td>{format.duration(keep)}</td>
          <td className="number">{format.number(documents)}</td>
          <td className="number">{format.bytes(bytes)}</td>
        </tr>
      ))}
    </Table>
  )
}

/** What is kept about the cache, for how long, and what it takes. */
export function Retention(): ReactNode {
  const t = useWords(words)
  const format = useFormat()
  const client = useClient()
  const query = useQuery({
    queryKey: ['retention'],
    queryFn: ({ signal }) => client.get<RetentionAnswer>('cache/retention', { signal }),
  })
  const { data } = query
  if (data === undefined) {
    return <NotYet query={query} text={t('keptReading')} />
  }
  const { history, audit, tests, undo } = data
  const sum = (pick: (one: NonNullable<typeof history>[number]) => number): number =>
    (history ?? []).reduce((total, one) => total + pick(one), 0)
  return (
    <Card flush title={t('kept')}>
      <ul className="padded stack tight">
        <li>
          {history === undefined
            ? t('keptNone')
            : t('keptSum', { count: sum(one => one.documents), bytes: format.bytes(sum(one => one.bytes)) })}
        </li>
        <li>{t('keptAudit', { count: audit.entries, time: format.duration(audit.keep) })}</li>
        <li>{t('keptTests', { count: tests.runs })}</li>
        <li>{t('keptUndo', { time: format.duration(undo.keep) })}</li>
      </ul>
      {history !== undefined && <HistoryTable history={history} />}
    </Card>
  )
}
