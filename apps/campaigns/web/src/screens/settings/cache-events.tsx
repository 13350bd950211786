import { Card, Empty, Failure, Icon, Loading, LoadMore, Pill, useFormat, useWords } from '@palier/design'
import { useInfiniteQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { useClient } from '../../data/context.tsx'
import { useProblem } from '../../data/problems.ts'
import { cacheEventsQuery } from '../../data/settings.ts'
import { readEvent } from './job-figures.ts'
import { eventWords } from './jobs-words.ts'

function Event({
  kind,
  detail,
  at,
}: {
  readonly kind: string
  readonly detail: string
  readonly at: number
}): ReactNode {
  const t = useWords(eventWords)
  const format = useFormat()
  const { tone, text } = readEvent(kind, detail)
  return (
    <li className="event">
      <Pill tone={tone}>{tone === 'quiet' ? (kind === 'failover' ? t('failover') : kind) : t(tone)}</Pill>
      <span className="wrap-anywhere">{text}</span>
      <time className="small muted nowrap" dateTime={new Date(at).toISOString()}>
        {format.dateTime(at)}
      </time>
    </li>
  )
}

/** What befell the cache, as the database keeps it. */
export function CacheEvents(): ReactNode {
  const t = useWords(eventWords)
  const say = useProblem()
  const query = useInfiniteQuery(cacheEventsQuery(useClient()))
  const { data, error } = query
  if (data === undefined) {
    if (error === null) return <Loading lines={6} />
    const { text, reference } = say(error)
    return <Failure text={text} reference={reference} onRetry={() => void query.refetch()} />
  }
  const events = data.pages.flatMap(part => part.value.items)
  return (
    <>
      <div className="row between">
        <p className="muted grow">{t('lead')}</p>
        <a className="button" href="/admin/cache/">
          <Icon name="layers" />
          {t('console')}
        </a>
      </div>
      {events.length === 0 ? (
        <Empty icon="layers" title={t('empty')}>
          {t('emptyText')}
        </Empty>
      ) : (
        <Card flush>
          <ol aria-label={t('title')}>
            {events.map(({ id, ...event }) => (
              <Event key={id} {...event} />
            ))}
          </ol>
          <div className="list-end">
            <LoadMore
              count={events.length}
              hasMore={query.hasNextPage}
              busy={query.isFetchingNextPage}
              onMore={() => void query.fetchNextPage()}
            />
          </div>
        </Card>
      )}
    </>
  )
}
