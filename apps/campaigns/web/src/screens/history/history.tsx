import {
  Button,
  Card,
  Empty,
  Failure,
  Icon,
  IconButton,
  Loading,
  LoadMore,
  Select,
  TextField,
  useWords,
} from '@palier/design'
import { useInfiniteQuery } from '@tanstack/react-query'
import { getRouteApi, useNavigate } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { useClient } from '../../data/context.tsx'
import { historyQuery, usersQuery } from '../../data/people.ts'
import { useProblem } from '../../data/problems.ts'
import { useMay, useMe } from '../../session/session.ts'
import { PageHead } from '../../shell/page-head.tsx'
import { actionsOf, ENTITIES } from './changes.ts'
import { Entry, useNames } from './entry.tsx'
import { type HistorySearch, historyFilter, historySearch } from './search.ts'
import { historyWords } from './words.ts'
import './history.css'

const route = getRouteApi('/shell/history')

/** Whom one can choose: all users for those who may read them, otherwise oneself. */
function usePeople(chosen: string | undefined): readonly { readonly value: string; readonly label: string }[] {
  const t = useWords(historyWords)
  const may = useMay()
  const { data: me } = useMe()
  const { data } = useInfiniteQuery({ ...usersQuery(useClient(), {}), enabled: may('users:read') })
  const self = me?.value.user.id ?? ''
  const others = (data?.pages.flatMap(part => part.value.items) ?? []).filter(user => user.id !== self)
  const people = [{ value: self, label: t('me') }, ...others.map(({ id, name }) => ({ value: id, label: name }))]
  const isKnown = chosen === undefined || people.some(one => one.value === chosen)
  return isKnown ? people : [...people, { value: chosen, label: chosen }]
}

function Filters({
  search,
  onChange,
}: {
  readonly search: HistorySearch
  readonly onChange: (search: HistorySearch) => void
}): ReactNode {
  const t = useWords(historyWords)
  const names = useNames()
  const people = usePeople(search.admin)
  // What is empty is no filter: the reader of the address drops it.
  const set = (change: Readonly<Record<string, string>>): void => onChange(historySearch({ ...search, ...change }))
  const kinds = ENTITIES.map(value => ({ value, label: names.entity(value) }))
  const known = actionsOf(search.entity)
  const actions = search.action === undefined || known.includes(search.action) ? known : [...known, search.action]
  const isFiltered = Object.keys(search).length > 0
  return (
    <div className="stack tight">
      <div className="toolbar history-filters">
        <Select
          label={t('person')}
          value={search.admin ?? ''}
          choices={[{ value: '', label: t('anybody') }, ...people]}
          onChange={event => set({ admin: event.currentTarget.value })}
        />
        <Select
          label={t('kind')}
          value={search.entity ?? ''}
          choices={[{ value: '', label: t('anyKind') }, ...kinds]}
          onChange={event => set({ entity: event.currentTarget.value, entity_id: '', action: '' })}
        />
        <Select
          label={t('action')}
          value={search.action ?? ''}
          choices={[
            { value: '', label: t('anyAction') },
            ...actions.map(value => ({ value, label: names.action(value) })),
          ]}
          onChange={event => set({ action: event.currentTarget.value })}
        />
        <TextField
          label={t('from')}
          type="date"
          value={search.from ?? ''}
          max={search.to}
          onChange={event => set({ from: event.currentTarget.value })}
        />
        <TextField
          label={t('to')}
          type="date"
          value={search.to ?? ''}
          min={search.from}
          onChange={event => set({ to: event.currentTarget.value })}
        />
        {isFiltered && <IconButton label={t('drop')} icon="close" onClick={() => onChange({})} />}
      </div>
      {search.entity_id !== undefined && (
        <p className="small muted row">
          <Icon name="filter" />
          <span className="wrap-anywhere">{t('onlyThis', { id: search.entity_id })}</span>
        </p>
      )}
    </div>
  )
}

function Entries({ search, onDrop }: { readonly search: HistorySearch; readonly onDrop: () => void }): ReactNode {
  const t = useWords(historyWords)
  const say = useProblem()
  const query = useInfiniteQuery(historyQuery(useClient(), historyFilter(search)))
  const { data, error } = query
  if (data === undefined) {
    if (error === null) return <Loading lines={10} />
    const { text, reference } = say(error)
    return <Failure text={text} reference={reference} onRetry={() => void query.refetch()} />
  }
  const entries = data.pages.flatMap(part => part.value.items)
  if (entries.length === 0) {
    const isFiltered = Object.keys(search).length > 0
    return (
      <Empty
        icon={isFiltered ? 'filter' : 'history'}
        title={t(isFiltered ? 'filtered' : 'empty')}
        action={isFiltered && <Button onClick={onDrop}>{t('drop')}</Button>}
      >
        {t(isFiltered ? 'filteredText' : 'emptyText')}
      </Empty>
    )
  }
  return (
    <Card flush>
      <ol className={query.isPlaceholderData ? 'history stale' : 'history'} aria-label={t('title')}>
        {entries.map(entry => (
          <Entry key={entry.id} entry={entry} />
        ))}
      </ol>
      <div className="list-end">
        <LoadMore
          count={entries.length}
          hasMore={query.hasNextPage}
          busy={query.isFetchingNextPage}
          onMore={() => void query.fetchNextPage()}
        />
      </div>
    </Card>
  )
}

export function History(): ReactNode {
  const t = useWords(historyWords)
  const search = route.useSearch()
  const navigate = useNavigate()
  const client = useClient()
  const { refetch, isFetching } = useInfiniteQuery(historyQuery(client, historyFilter(search)))
  const become = (next: HistorySearch): void => void navigate({ to: '/history', search: next, replace: true })
  return (
    <>
      <PageHead title={t('title')} lead={t('lead')}>
        <Button icon="refresh" busy={isFetching} onClick={() => void refetch()}>
          {t('refresh')}
        </Button>
      </PageHead>
      <Filters search={search} onChange={become} />
      <Entries search={search} onDrop={() => become({})} />
    </>
  )
}
