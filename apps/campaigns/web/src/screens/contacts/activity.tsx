import {
  Empty,
  Failure,
  Icon,
  type IconName,
  LoadMore,
  Loading,
  Pill,
  type Tone,
  useFormat,
  useWords,
} from '@palier/design'
import { useInfiniteQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import type { AnswerOf } from '../../data/client.ts'
import { activityQuery, contactMessagesQuery } from '../../data/contacts.ts'
import type { Contact } from '../../data/context.tsx'
import { useClient } from '../../data/context.tsx'
import { useProblem } from '../../data/problems.ts'
import { type MessageStatus, messageStatusWords } from '../../data/statuses.ts'
import { contactWords } from './contact-words.ts'

type Event = AnswerOf<'GET /contacts/{id}/activity'>['items'][number]
type Message = AnswerOf<'GET /contacts/{id}/messages'>['items'][number]

const ICONS: Readonly<Record<Event['kind'], IconName>> = {
  message_out: 'arrowUp',
  message_in: 'arrowDown',
  create: 'plus',
  opt_in: 'check',
  opt_out: 'stop',
  merge: 'layers',
  identify: 'user',
}

const TONES: Partial<Readonly<Record<MessageStatus, Tone>>> = {
  read: 'healthy',
  delivered: 'healthy',
  received: 'healthy',
  failed: 'down',
  no_interaction: 'degraded',
  queued: 'warming',
  sending: 'warming',
}

function When({ at }: { readonly at: number }): ReactNode {
  const format = useFormat()
  return (
    <time className="small muted" dateTime={new Date(at).toISOString()}>
      {format.dateTime(at)}
    </time>
  )
}

function Status({ message }: { readonly message: Message }): ReactNode {
  const t = useWords(contactWords)
  const status = useWords(messageStatusWords)
  return (
    <>
      <Pill tone={TONES[message.status] ?? 'quiet'}>{status(message.status)}</Pill>
      {message.error_code !== null && (
        <span className="small muted">{t('error', { code: String(message.error_code) })}</span>
      )}
    </>
  )
}

function CampaignLink({ message }: { readonly message: Message }): ReactNode {
  const t = useWords(contactWords)
  if (message.campaign_id === null) return null
  return (
    <Link to="/campaigns/$id" params={{ id: message.campaign_id }} className="small">
      {t('campaign', { name: message.campaign_name ?? '', step: message.step ?? 1 })}
    </Link>
  )
}

/** What happened with a contact, newest first. */
export function Activity({ id }: { readonly id: string }): ReactNode {
  const t = useWords(contactWords)
  const say = useProblem()
  const query = useInfiniteQuery(activityQuery(useClient(), id))
  const { data, error, refetch, hasNextPage, isFetchingNextPage, fetchNextPage } = query
  const again = (): void => void refetch()
  if (data === undefined) {
    return error === null ? (
      <Loading lines={5} height="2.5rem" onRetry={again} />
    ) : (
      <Failure {...say(error)} onRetry={again} />
    )
  }
  const events = data.pages.flatMap(page => page.value.items)
  if (events.length === 0) {
    return (
      <Empty icon="history" title={t('timelineEmpty')}>
        {t('timelineEmptyText')}
      </Empty>
    )
  }
  return (
    <>
      <ol className="timeline">
        {events.map(({ id: key, at, kind, actor, message }) => (
          <li key={`${kind}-${key}`}>
            <Icon name={ICONS[kind]} />
            <div>
              <div className="what">
                <strong>{t(`k_${kind}`)}</strong>
                {message !== null && kind === 'message_out' && <Status message={message} />}
                {actor !== null && <span className="small muted">{t('by', { actor })}</span>}
                <When at={at} />
              </div>
              {message !== null && (
                <>
                  <p className="wrap-anywhere">{message.body ?? t('noBody', { type: message.type })}</p>
                  <CampaignLink message={message} />
                </>
              )}
            </div>
          </li>
        ))}
      </ol>
      <LoadMore
        count={events.length}
        hasMore={hasNextPage}
        busy={isFetchingNextPage}
        onMore={() => void fetchNextPage()}
      />
    </>
  )
}

/** The conversation, newest first, as both sides wrote it. */
export function Messages({ contact }: { readonly contact: Contact }): ReactNode {
  const t = useWords(contactWords)
  const say = useProblem()
  const query = useInfiniteQuery(contactMessagesQuery(useClient(), contact.id))
  const { data, error, refetch, hasNextPage, isFetchingNextPage, fetchNextPage } = query
  const again = (): void => void refetch()
  if (data === undefined) {
    return error === null ? (
      <Loading lines={5} height="3rem" onRetry={again} />
    ) : (
      <Failure {...say(error)} onRetry={again} />
    )
  }
  const messages = data.pages.flatMap(page => page.value.items)
  if (messages.length === 0) {
    return (
      <Empty icon="message" title={t('messagesEmpty')}>
        {t('messagesEmptyText')}
      </Empty>
    )
  }
  return (
    <>
      <ol className="bubbles">
        {messages.map(message => (
          <li key={message.id} className={message.direction}>
            <p>{message.body ?? t('noBody', { type: message.type })}</p>
            <div className="row small">
              <span className="visually-hidden">
                {message.direction === 'in' ? t('fromThem', { name: contact.name }) : t('fromUs')}
              </span>
              {message.direction === 'out' && <Status message={message} />}
              <CampaignLink message={message} />
              <When at={message.created_at} />
            </div>
          </li>
        ))}
      </ol>
      <LoadMore
        count={messages.length}
        hasMore={hasNextPage}
        busy={isFetchingNextPage}
        onMore={() => void fetchNextPage()}
      />
    </>
  )
}
