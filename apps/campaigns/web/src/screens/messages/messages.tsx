import {
  Button,
  Card,
  Empty,
  Failure,
  Icon,
  Loading,
  Segmented,
  Select,
  Stat,
  useFormat,
  useWords,
  Table,
} from '@palier/design'
import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { campaignsQuery } from '../../data/campaigns.ts'
import { contactQuery } from '../../data/contacts.ts'
import { useClient } from '../../data/context.tsx'
import {
  type Message,
  type MessageFilter,
  messagesQuery,
  messageStatsQuery,
  type SentStatus,
  shownOf,
} from '../../data/messages.ts'
import { useProblem } from '../../data/problems.ts'
import { messageStatusWords } from '../../data/statuses.ts'
import { FreshnessNote } from '../../shell/freshness-note.tsx'
import { PageHead } from '../../shell/page-head.tsx'
import { MessageDrawer } from './message-drawer.tsx'
import { MessagePill } from './status-pill.tsx'
import { messagesWords } from './words.ts'
import '../campaigns/campaigns.css'
import './messages.css'

const STATUSES: readonly SentStatus[] = [
  'queued',
  'sending',
  'accepted',
  'sent',
  'delivered',
  'read',
  'failed',
  'no_interaction',
  'skipped',
]

interface Search {
  readonly status?: string
  readonly direction?: string
  readonly campaign?: string
  readonly contact?: string
  readonly open?: string
}

/** What the address asks for; what it says that is no filter is left out. */
function filterOf({ status, direction, campaign, contact }: Search): MessageFilter {
  return {
    status: direction === 'in' ? undefined : STATUSES.find(one => one === status),
    direction: direction === 'in' || direction === 'out' ? direction : undefined,
    campaign,
    contact,
  }
}

function useChange(): (changes: { readonly [K in keyof Search]?: string | undefined }) => void {
  const navigate = useNavigate()
  const search: Search = useSearch({ from: '/shell/messages' })
  return changes => {
    const entries = Object.entries({ ...search, ...changes }).filter(([, value]) => value !== undefined && value !== '')
    void navigate({ to: '/messages', search: Object.fromEntries(entries), replace: true, resetScroll: false })
  }
}

function Figures(): ReactNode {
  const t = useWords(messagesWords)
  const format = useFormat()
  const { data, isRefetching, refetch } = useQuery(messageStatsQuery(useClient()))
  if (data === undefined) return null
  const { total, inbound, read_rate, failure_rate } = data.value
  return (
    <section className="stack tight" aria-label={t('figures')}>
      <dl className="stats">
        <Stat name={t('total')} value={format.number(total)} />
        <Stat name={t('received')} value={format.number(inbound)} />
        <Stat name={t('readRate')} value={format.percent(read_rate, 1)} more={t('ofSent')} />
        <Stat name={t('failureRate')} value={format.percent(failure_rate, 1)} more={t('ofSent')} />
      </dl>
      <FreshnessNote answer={data} busy={isRefetching} onRefresh={() => void refetch()} />
    </section>
  )
}

/** Of the newest campaigns: those that a filter is wanted for. */
function useCampaignNames(): ReadonlyMap<string, string> {
  const { data } = useInfiniteQuery(campaignsQuery(useClient()))
  return new Map(data?.pages.flatMap(page => page.value.items).map(({ id, name }) => [id, name]))
}

function Filters({
  filter,
  names,
}: {
  readonly filter: MessageFilter
  readonly names: ReadonlyMap<string, string>
}): ReactNode {
  const t = useWords(messagesWords)
  const state = useWords(messageStatusWords)
  const change = useChange()
  const client = useClient()
  const { status, direction, campaign, contact } = filter
  const stats = useQuery(messageStatsQuery(client))
  const person = useQuery({ ...contactQuery(client, contact ?? ''), enabled: contact !== undefined })
  const counts = new Map(stats.data?.value.by_status.map(one => [one.status, one.count]))
  const isWhole = campaign === undefined && contact === undefined
  const statuses = STATUSES.map(value => {
    const count = counts.get(value)
    const label = state(value)
    return { value, label: isWhole && count !== undefined ? t('statusCount', { status: label, count }) : label }
  })
  const campaigns = [...names].map(([value, label]) => ({ value, label }))
  const isHidden = campaign !== undefined && !names.has(campaign)
  return (
    <div className="toolbar message-filters">
      <Segmented
        label={t('direction')}
        value={direction ?? 'both'}
        choices={(['both', 'out', 'in'] as const).map(value => ({ value, label: t(value) }))}
        onChoose={value =>
          change({ direction: value === 'both' ? undefined : value, ...(value === 'in' && { status: undefined }) })
        }
      />
      <Select
        label={t('status')}
        value={status ?? ''}
        choices={[{ value: '', label: t('allStatuses') }, ...statuses]}
        onChange={event => change({ status: event.target.value, ...(direction === 'in' && { direction: undefined }) })}
      />
      <Select
        label={t('campaign')}
        value={campaign ?? ''}
        choices={[
          { value: '', label: t('allCampaigns') },
          ...(isHidden ? [{ value: campaign, label: t('thisCampaign') }] : []),
          ...campaigns,
        ]}
        onChange={event => change({ campaign: event.target.value })}
      />
      {contact !== undefined && (
        <Button icon="close" title={t('dropContact')} onClick={() => change({ contact: undefined })}>
          {person.data === undefined ? t('contactFilter') : t('contactFilterName', { name: person.data.value.name })}
          <span className="visually-hidden">{t('dropContact')}</span>
        </Button>
      )}
    </div>
  )
}

function MessageRow({
  message,
  names,
  onOpen,
}: {
  readonly message: Message
  readonly names: ReadonlyMap<string, string>
  readonly onOpen: () => void
}): ReactNode {
  const t = useWords(messagesWords)
  const format = useFormat()
  const { body, direction, status, campaign_id, step, created_at } = message
  const text = body === null || body === '' ? t('noText') : body
  const name = campaign_id === null ? undefined : names.get(campaign_id)
  const origin = direction === 'in' ? t('answer') : campaign_id === null ? t('single') : t('step', { step: step ?? 1 })
  return (
    <tr>
      <td className="message-direction">
        <span className={direction === 'in' ? 'direction in' : 'direction'}>
          <Icon name={direction === 'in' ? 'arrowDown' : 'arrowUp'} />
          <span className="visually-hidden">{t(direction)}</span>
        </span>
      </td>
      <th scope="row" className="message-text">
        <button type="button" className="row-button truncate" aria-label={t('open', { text })} onClick={onOpen}>
          {text}
        </button>
        <span className="small muted truncate">
          {origin}
          {name !== undefined && ` · ${name}`}
        </span>
        <span className="small muted narrow-only">{format.dateTime(created_at)}</span>
        <span className="narrow-only">
          <MessagePill status={status} />
        </span>
      </th>
      <td className="wide-only">
        <MessagePill status={status} />
      </td>
      <td className="small muted wide-only when">{format.dateTime(created_at)}</td>
    </tr>
  )
}

function EmptyList({ filter, hasMore }: { readonly filter: MessageFilter; readonly hasMore: boolean }): ReactNode {
  const t = useWords(messagesWords)
  const state = useWords(messageStatusWords)
  const { status, direction, campaign, contact } = filter
  const named = [
    direction !== undefined && t(direction),
    status !== undefined && state(status),
    campaign !== undefined && t('campaign'),
    contact !== undefined && t('contactFilter'),
  ].filter(one => one !== false)
  if (hasMore) {
    return (
      <Empty icon="filter" title={t('partTitle')}>
        {t('partText')}
      </Empty>
    )
  }
  if (named.length === 0) {
    return (
      <Empty
        icon="message"
        title={t('emptyTitle')}
        action={
          <Link className="button" to="/campaigns">
            {t('emptyAction')}
          </Link>
        }
      >
        {t('emptyText')}
      </Empty>
    )
  }
  return (
    <Empty
      icon="filter"
      title={t('filteredTitle')}
      action={
        <Link className="button" to="/messages">
          {t('dropFilters')}
        </Link>
      }
    >
      {t('filteredText', { filters: named.join(', ') })}
    </Empty>
  )
}

function MessageTable({
  filter,
  names,
}: {
  readonly filter: MessageFilter
  readonly names: ReadonlyMap<string, string>
}): ReactNode {
  const t = useWords(messagesWords)
  const say = useProblem()
  const change = useChange()
  const { data, error, refetch, hasNextPage, fetchNextPage, isFetchingNextPage } = useInfiniteQuery(
    messagesQuery(useClient(), filter),
  )
  if (data === undefined) {
    if (error === null) return <Loading lines={8} height="2.75rem" onRetry={() => void refetch()} />
    const { text, reference } = say(error)
    return <Failure text={text} reference={reference} onRetry={() => void refetch()} />
  }
  const shown = shownOf(
    data.pages.flatMap(page => page.value.items),
    filter.direction,
  )
  return (
    <>
      {shown.length === 0 ? (
        <EmptyList filter={filter} hasMore={hasNextPage} />
      ) : (
        <Table label={t('caption')} className="table message-table">
          <thead>
            <tr>
              <th scope="col" className="message-direction">
                <span className="visually-hidden">{t('direction')}</span>
              </th>
              <th scope="col">{t('message')}</th>
              <th scope="col" className="message-state wide-only">
                {t('status')}
              </th>
              <th scope="col" className="wide-only message-when">
                {t('when')}
              </th>
            </tr>
          </thead>
          <tbody>
            {shown.map(message => (
              <MessageRow
                key={message.id}
                message={message}
                names={names}
                onOpen={() => change({ open: message.id })}
              />
            ))}
          </tbody>
        </Table>
      )}
      {hasNextPage && (
        <div className="list-foot">
          <Button busy={isFetchingNextPage} onClick={() => void fetchNextPage()}>
            {t('more')}
          </Button>
        </div>
      )}
    </>
  )
}

/** The stream of all messages, and one of them opened beside it. */
export function Messages(): ReactNode {
  const t = useWords(messagesWords)
  const search: Search = useSearch({ from: '/shell/messages' })
  const change = useChange()
  const names = useCampaignNames()
  const filter = filterOf(search)
  return (
    <>
      <PageHead title={t('title')} lead={t('lead')} />
      <Figures />
      <Card flush>
        <Filters filter={filter} names={names} />
        <MessageTable key={JSON.stringify(filter)} filter={filter} names={names} />
      </Card>
      {search.open !== undefined && (
        <MessageDrawer key={search.open} id={search.open} onClose={() => change({ open: undefined })} />
      )}
    </>
  )
}
