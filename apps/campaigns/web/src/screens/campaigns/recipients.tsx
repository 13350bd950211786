import { Button, Card, Empty, Failure, Loading, Select, useFormat, useWords, Table } from '@palier/design'
import { useInfiniteQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { type Campaign, type Recipient, recipientsQuery, type RecipientStatus } from '../../data/campaigns.ts'
import { useClient } from '../../data/context.tsx'
import { useProblem } from '../../data/problems.ts'
import { messageStatusWords } from '../../data/statuses.ts'
import { skipKeyOf, skipWords, useMeaning } from '../messages/errors.ts'
import { MessagePill } from '../messages/status-pill.tsx'
import { pageWords } from './words.ts'

const STATUSES: readonly RecipientStatus[] = [
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

export const recipientStatusOf = (text: string | undefined): RecipientStatus | undefined =>
  STATUSES.find(status => status === text)

function useReason(): (recipient: Recipient) => ReactNode {
  const meaning = useMeaning()
  const skip = useWords(skipWords)
  return ({ status, error_class, error_code, error_detail }) => {
    if (status === 'skipped') return skip(skipKeyOf(error_detail))
    if (status !== 'failed') return null
    return (
      <>
        {meaning(error_class, error_code)} {error_code !== null && <code className="kbd">{error_code}</code>}
      </>
    )
  }
}

function RecipientRow({ recipient }: { readonly recipient: Recipient }): ReactNode {
  const t = useWords(pageWords)
  const format = useFormat()
  const reason = useReason()
  const { contact, status, sent_at, read_at, interacted_at, late_interaction_at, message2_status } = recipient
  const time = (at: number | null): string => (at === null ? '–' : format.dateTime(at))
  const why = reason(recipient)
  return (
    <tr>
      <th scope="row">
        {contact === null ? (
          <span className="muted">{t('gone')}</span>
        ) : (
          <Link to="/contacts/$id" params={{ id: contact.id }}>
            {contact.name}
          </Link>
        )}
        {typeof contact?.phone === 'string' && <span className="small muted sub">{contact.phone}</span>}
      </th>
      <td>
        <Link className="pill-link" to="/messages" search={{ open: recipient.message_id }}>
          <MessagePill status={status} />
        </Link>
        {why !== null && <span className="small muted sub recipient-reason">{why}</span>}
      </td>
      <td className="small wide-only">{time(sent_at)}</td>
      <td className="small wide-only">{time(read_at)}</td>
      <td className="small wide-only">
        {interacted_at === null && late_interaction_at !== null
          ? t('late_reply', { time: format.dateTime(late_interaction_at) })
          : time(interacted_at)}
      </td>
      <td className="wide-only">{message2_status === null ? '–' : <MessagePill status={message2_status} />}</td>
    </tr>
  )
}

function RecipientTable({
  campaign,
  status,
}: {
  readonly campaign: Campaign
  readonly status: RecipientStatus | undefined
}): ReactNode {
  const t = useWords(pageWords)
  const state = useWords(messageStatusWords)
  const say = useProblem()
  const { id } = campaign
  const { data, error, refetch, hasNextPage, fetchNextPage, isFetchingNextPage } = useInfiniteQuery(
    recipientsQuery(useClient(), id, status),
  )
  if (data === undefined) {
    if (error === null) return <Loading lines={8} height="2.75rem" onRetry={() => void refetch()} />
    const { text, reference } = say(error)
    return <Failure text={text} reference={reference} onRetry={() => void refetch()} />
  }
  const items = data.pages.flatMap(page => page.value.items)
  if (items.length === 0) {
    return status === undefined ? (
      <Empty icon="users" title={t('noRecipients')}>
        {t('noRecipientsText')}
      </Empty>
    ) : (
      <Empty
        icon="filter"
        title={t('noRecipientsFiltered')}
        action={
          <Link className="button" to="/campaigns/$id" params={{ id }} search={{ tab: 'recipients' }}>
            {t('dropFilter')}
          </Link>
        }
      >
        {t('filteredText', { state: state(status) })}
      </Empty>
    )
  }
  return (
    <>
      <Table label={t('recipientsCaption')}>
        <thead>
          <tr>
            <th scope="col">{t('colContact')}</th>
            <th scope="col">{t('colState')}</th>
            {(['colSent', 'colRead', 'colReply', 'colM2'] as const).map(key => (
              <th key={key} scope="col" className="wide-only">
                {t(key)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {items.map(recipient => (
            <RecipientRow key={recipient.message_id} recipient={recipient} />
          ))}
        </tbody>
      </Table>
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

/** Everybody of the audience, with what became of them. */
export function Recipients({
  campaign,
  status,
}: {
  readonly campaign: Campaign
  readonly status: RecipientStatus | undefined
}): ReactNode {
  const t = useWords(pageWords)
  const state = useWords(messageStatusWords)
  const navigate = useNavigate()
  const { id } = campaign
  const choose = (value: string): void => {
    const search = { tab: 'recipients' as const, ...(value !== '' && { status: value }) }
    void navigate({ to: '/campaigns/$id', params: { id }, search, replace: true })
  }
  return (
    <Card
      flush
      title={t('recipients')}
      actions={
        <div className="head-filter">
          <Select
            label={t('filterStatus')}
            value={status ?? ''}
            choices={[
              { value: '', label: t('filterAll') },
              ...STATUSES.map(one => ({ value: one, label: state(one) })),
            ]}
            onChange={event => choose(event.target.value)}
          />
        </div>
      }
    >
      <RecipientTable key={status ?? 'all'} campaign={campaign} status={status} />
    </Card>
  )
}
