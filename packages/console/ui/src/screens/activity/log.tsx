import { Button, Card, Empty, LoadMore, SearchField, useWords } from '@palier/design'
import { useQuery } from '@tanstack/react-query'
import { type ReactNode, useState } from 'react'
import type { AuditAnswer } from '../../../../src/api.ts'
import { useAct } from '../../data/act.ts'
import { useClient } from '../../data/context.ts'
import { csvOf, isLike } from './audit.ts'
import { AuditRows, useDeed } from './audit-rows.tsx'
import { download } from './download.ts'
import { NotYet } from './table.tsx'
import { words } from './words.ts'

/** The newest lines, and those before them that were asked for since. */
function useAudit() {
  const client = useClient()
  const query = useQuery({
    queryKey: ['audit'],
    queryFn: ({ signal }) => client.get<AuditAnswer>('cache/audit', { signal }),
  })
  const { data } = query
  const [older, setOlder] = useState<readonly AuditAnswer[]>([])
  const { busy, run } = useAct<string | undefined, AuditAnswer>(
    (api, after) => api.get<AuditAnswer>('cache/audit', { query: { after } }),
    { quiet: true },
  )
  const after = (older.at(-1) ?? data)?.after
  const more = async (): Promise<void> => {
    const page = await run(after)
    if (page !== undefined) setOlder([...older, page])
  }
  // Lines that came meanwhile push others from the newest page into the next.
  const all = [data, ...older].flatMap(page => page?.entries ?? [])
  const entries = [...new Map(all.map(line => [line.id, line])).values()]
  return { query, entries, after, busy, more }
}

/** Every change, also refused ones, page by page. */
export function Log(): ReactNode {
  const t = useWords(words)
  const deed = useDeed()
  const [text, setText] = useState('')
  const { query, entries: all, after, busy, more } = useAudit()
  if (query.data === undefined) {
    return <NotYet query={query} text={t('reading')} />
  }
  const shown = all.filter(line => isLike(line, deed(line.what), text))
  if (all.length === 0) {
    return (
      <Card>
        <Empty icon="history" title={t('empty')}>
          {t('emptyText')}
        </Empty>
      </Card>
    )
  }
  return (
    <>
      <div className="toolbar">
        <SearchField label={t('filter')} value={text} onChange={event => setText(event.currentTarget.value)} />
        <Button icon="download" onClick={() => download('palier-activity.csv', csvOf(shown), 'text/csv;charset=utf-8')}>
          {t('exportCsv')}
        </Button>
      </div>
      <Card flush>
        {shown.length > 0 ? (
          <AuditRows caption={t('caption')} entries={shown} />
        ) : (
          <Empty
            icon="filter"
            title={t('noneFiltered', { count: all.length, text })}
            action={<Button onClick={() => setText('')}>{t('drop')}</Button>}
          />
        )}
        <div className="list-end">
          <LoadMore count={all.length} hasMore={after !== undefined} busy={busy} onMore={() => void more()} />
        </div>
      </Card>
    </>
  )
}
