import {
  Button,
  Card,
  Empty,
  Failure,
  Icon,
  Loading,
  LoadMore,
  SearchField,
  Segmented,
  useFormat,
  useWords,
} from '@palier/design'
import { useInfiniteQuery } from '@tanstack/react-query'
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router'
import { type ReactNode, useEffect, useState } from 'react'
import { type PageFilter, type PageSummary, pagesQuery, publicAddress } from '../../data/content.ts'
import { useClient } from '../../data/context.tsx'
import { useProblem } from '../../data/problems.ts'
import { useMay } from '../../session/session.ts'
import { PageHead } from '../../shell/page-head.tsx'
import { PageStatus } from './page-status.tsx'
import { listWords, statusWords } from './words.ts'
import './content.css'

const TYPING_MS = 250
const route = getRouteApi('/shell/content')

/** What is typed goes into the address once the typing rests. */
function useTypedFilter(): {
  readonly filter: PageFilter
  readonly typed: string
  readonly type: (text: string) => void
  readonly choose: (filter: PageFilter) => void
} {
  const filter = route.useSearch()
  const navigate = useNavigate()
  const [typed, setTyped] = useState(filter.q ?? '')
  const { q, status } = filter
  useEffect(() => {
    if (typed.trim() === (q ?? '')) return
    const timer = setTimeout(() => {
      const text = typed.trim()
      void navigate({
        to: '/content',
        search: { ...(status !== undefined && { status }), ...(text !== '' && { q: text }) },
        replace: true,
      })
    }, TYPING_MS)
    return () => clearTimeout(timer)
  }, [typed, q, status, navigate])
  const choose = (chosen: PageFilter): void => {
    setTyped(chosen.q ?? '')
    void navigate({ to: '/content', search: chosen, replace: true })
  }
  return { filter, typed, type: setTyped, choose }
}

function Row({ page }: { readonly page: PageSummary }): ReactNode {
  const t = useWords(listWords)
  const format = useFormat()
  return (
    <tr>
      <th scope="row">
        <Link to="/content/$id" params={{ id: page.id }} className="page-title wrap-anywhere">
          {page.title}
        </Link>
        <span className="small muted wrap-anywhere">{publicAddress(page.slug)}</span>
        <div className="only-narrow">
          <PageStatus page={page} />
        </div>
      </th>
      <td className="only-wide">
        <PageStatus page={page} />
      </td>
      <td className="only-wide">{page.author_name ?? <span className="muted">{t('nobody')}</span>}</td>
      <td className="only-wide nowrap">{format.dateTime(page.updated_at)}</td>
      <td className="actions">
        {page.status === 'published' && (
          <a
            className="button quiet icon-only small"
            href={publicAddress(page.slug)}
            target="_blank"
            rel="noopener"
            aria-label={t('open', { title: page.title })}
            title={t('public')}
          >
            <Icon name="external" />
          </a>
        )}
      </td>
    </tr>
  )
}

function Pages({ filter, onDrop }: { readonly filter: PageFilter; readonly onDrop: () => void }): ReactNode {
  const t = useWords(listWords)
  const status = useWords(statusWords)
  const say = useProblem()
  const query = useInfiniteQuery(pagesQuery(useClient(), filter))
  const { data, error } = query
  if (data === undefined) {
    if (error === null) return <Loading lines={8} />
    const { text, reference } = say(error)
    return <Failure text={text} reference={reference} onRetry={() => void query.refetch()} />
  }
  const pages = data.pages.flatMap(part => part.value.items)
  if (pages.length === 0) {
    if (filter.q === undefined && filter.status === undefined) {
      return (
        <Empty icon="page" title={t('empty')} action={<AddLink />}>
          {t('emptyText')}
        </Empty>
      )
    }
    const name = [filter.q, filter.status === undefined ? undefined : status(filter.status)]
    return (
      <Empty icon="filter" title={t('filtered')} action={<Button onClick={onDrop}>{t('drop')}</Button>}>
        {t('filteredText', { filter: name.filter(part => part !== undefined).join(', ') })}
      </Empty>
    )
  }
  return (
    <Card flush>
      <table className={query.isPlaceholderData ? 'table stale' : 'table'}>
        <caption className="visually-hidden">{t('title')}</caption>
        <thead>
          <tr>
            <th scope="col">{t('name')}</th>
            <th scope="col" className="only-wide">
              {t('status')}
            </th>
            <th scope="col" className="only-wide">
              {t('author')}
            </th>
            <th scope="col" className="only-wide">
              {t('saved')}
            </th>
            <th scope="col">
              <span className="visually-hidden">{t('actions')}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {pages.map(page => (
            <Row key={page.id} page={page} />
          ))}
        </tbody>
      </table>
      <div className="list-end">
        <LoadMore
          count={pages.length}
          hasMore={query.hasNextPage}
          busy={query.isFetchingNextPage}
          onMore={() => void query.fetchNextPage()}
        />
      </div>
    </Card>
  )
}

function AddLink(): ReactNode {
  const t = useWords(listWords)
  const may = useMay()
  if (!may('content:write')) {
    return (
      <Button kind="primary" icon="plus" unavailable={t('mayNot')}>
        {t('add')}
      </Button>
    )
  }
  return (
    <Link className="button primary" to="/content/$id" params={{ id: 'new' }}>
      <Icon name="plus" />
      {t('add')}
    </Link>
  )
}

export function ContentList(): ReactNode {
  const t = useWords(listWords)
  const { filter, typed, type, choose } = useTypedFilter()
  return (
    <>
      <PageHead title={t('title')} lead={t('lead')}>
        <AddLink />
      </PageHead>
      <div className="toolbar">
        <SearchField label={t('search')} value={typed} onChange={event => type(event.currentTarget.value)} />
        <Segmented
          label={t('status')}
          value={filter.status ?? 'all'}
          choices={[
            { value: 'all', label: t('all') },
            { value: 'draft', label: t('draft') },
            { value: 'published', label: t('published') },
          ]}
          onChoose={status =>
            choose({ ...(filter.q !== undefined && { q: filter.q }), ...(status !== 'all' && { status }) })
          }
        />
      </div>
      <Pages filter={filter} onDrop={() => choose({})} />
    </>
  )
}
