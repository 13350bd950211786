import { Button, Confirm, Dialog, Failure, Loading, useFormat, useToast, useWords } from '@palier/design'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { type ReactNode, useState } from 'react'
import { campaignQuery } from '../../data/campaigns.ts'
import { contactQuery } from '../../data/contacts.ts'
import { useClient, useRefresh } from '../../data/context.tsx'
import { type Message, messageQuery, momentsOf } from '../../data/messages.ts'
import { useProblem } from '../../data/problems.ts'
import { accountsQuery } from '../../data/settings.ts'
import { useMay } from '../../session/session.ts'
import { Bubble } from '../campaigns/phone.tsx'
import { skipKeyOf, skipWords, useMeaning } from './errors.ts'
import { MessagePill } from './status-pill.tsx'
import { messagesWords } from './words.ts'

/** Shown only when it is long enough to say something. */
const WORTH_SAYING_MS = 1000

function Life({ message }: { readonly message: Message }): ReactNode {
  const t = useWords(messagesWords)
  const format = useFormat()
  const moments = momentsOf(message)
  const isIn = message.direction === 'in'
  return (
    <section className="stack tight">
      <h3>{t('life')}</h3>
      <ol className="timeline">
        {moments.map(({ key, at }, i) => {
          const wait = at - (moments[i - 1]?.at ?? at)
          return (
            <li key={key} className={key === 'failed' ? 'failed' : undefined}>
              <span>{t(isIn && key === 'created' ? 'moment_received' : `moment_${key}`)}</span>
              <span className="small muted">
                {format.dateTime(at)}
                {wait >= WORTH_SAYING_MS && ` · ${t('later', { time: format.duration(wait) })}`}
              </span>
            </li>
          )
        })}
      </ol>
    </section>
  )
}

function Retry({ message }: { readonly message: Message }): ReactNode {
  const t = useWords(messagesWords)
  const client = useClient()
  const queries = useQueryClient()
  const refresh = useRefresh()
  const toast = useToast()
  const say = useProblem()
  const may = useMay()
  const [busy, setBusy] = useState(false)
  const [isAsked, setIsAsked] = useState(false)
  const { id, campaign_id } = message
  const retry = async (): Promise<void> => {
    setBusy(true)
    try {
      const answer = await client.ask('POST /messages/{id}/retry', { path: { id } })
      queries.setQueryData(messageQuery(client, id).queryKey, answer)
      toast({ text: t('retried') })
      setIsAsked(false)
      void refresh('messages', 'campaigns', ...(campaign_id === null ? [] : [`campaign:${campaign_id}` as const]))
    } catch (error) {
      toast({ text: say(error).text, failed: true })
    } finally {
      setBusy(false)
    }
  }
  const isDoubtful = message.error_class === 'unknown'
  return (
    <>
      <div>
        <Button
          icon="refresh"
          busy={busy}
          unavailable={may('messages:send') ? false : t('forbidden')}
          onClick={() => (isDoubtful ? setIsAsked(true) : void retry())}
        >
          {t('retry')}
        </Button>
      </div>
      {isAsked && (
        <Confirm
          title={t('retryUnknownTitle')}
          action={t('retry')}
          busy={busy}
          onClose={() => setIsAsked(false)}
          onConfirm={() => void retry()}
        >
          <p>{t('retryUnknown')}</p>
        </Confirm>
      )}
    </>
  )
}

function Trouble({ message }: { readonly message: Message }): ReactNode {
  const t = useWords(messagesWords)
  const skip = useWords(skipWords)
  const meaning = useMeaning()
  const { status, error_class, error_code, error_detail } = message
  if (status === 'skipped') {
    return (
      <section className="stack tight">
        <h3>{t('skipped')}</h3>
        <p>{skip(skipKeyOf(error_detail))}</p>
      </section>
    )
  }
  if (status !== 'failed') return null
  return (
    <section className="stack tight">
      <h3>{t('error')}</h3>
      <p>
        {meaning(error_class, error_code)} {error_code !== null && <code className="kbd">{error_code}</code>}
      </p>
      {error_detail !== null && (
        <p className="small muted wrap-anywhere">{t('errorDetail', { detail: error_detail })}</p>
      )}
      <Retry message={message} />
    </section>
  )
}

const TYPES = ['template', 'text', 'interactive'] as const

function Facts({ message }: { readonly message: Message }): ReactNode {
  const t = useWords(messagesWords)
  const client = useClient()
  const may = useMay()
  const { contact_id, campaign_id, account_id, step, type, attempts, direction } = message
  const contact = useQuery({ ...contactQuery(client, contact_id ?? ''), enabled: contact_id !== null })
  const campaign = useQuery({ ...campaignQuery(client, campaign_id ?? ''), enabled: campaign_id !== null })
  const accounts = useQuery({ ...accountsQuery(client), enabled: may('accounts:read') })
  const account = accounts.data?.value.items.find(({ id }) => id === account_id)
  const known = TYPES.find(one => one === type)
  return (
    <dl className="facts">
      <dt>{t('contact')}</dt>
      <dd>
        {contact_id === null ? (
          <span className="muted">{t('gone')}</span>
        ) : (
          <Link to="/contacts/$id" params={{ id: contact_id }}>
            {contact.data?.value.name ?? contact_id}
          </Link>
        )}
      </dd>
      {campaign_id !== null && (
        <>
          <dt>{t('campaign')}</dt>
          <dd>
            <Link to="/campaigns/$id" params={{ id: campaign_id }}>
              {campaign.data?.value.name ?? campaign_id}
            </Link>
            {step !== null && <span className="muted"> · {t('step', { step })}</span>}
          </dd>
        </>
      )}
      <dt>{t('kind')}</dt>
      <dd>{known === undefined ? type : t(`type_${known}`)}</dd>
      {account !== undefined && (
        <>
          <dt>{t('account')}</dt>
          <dd>{account.name}</dd>
        </>
      )}
      {direction === 'out' && (
        <>
          <dt>{t('attempts')}</dt>
          <dd>{attempts}</dd>
        </>
      )}
    </dl>
  )
}

/** One message: what it says, what happened to it, and what can be done. */
export function MessageDrawer({ id, onClose }: { readonly id: string; readonly onClose: () => void }): ReactNode {
  const t = useWords(messagesWords)
  const say = useProblem()
  const { data, error, refetch } = useQuery(messageQuery(useClient(), id))
  const body = (): ReactNode => {
    if (data === undefined) {
      if (error === null) return <Loading lines={5} height="2rem" onRetry={() => void refetch()} />
      const { text, reference } = say(error)
      return <Failure text={text} reference={reference} onRetry={() => void refetch()} />
    }
    const message = data.value
    const parts = {
      header: undefined,
      media: undefined,
      body: message.body ?? t('noText'),
      footer: undefined,
      buttons: [],
    }
    return (
      <div className="stack wide">
        <div>
          <MessagePill status={message.status} />
        </div>
        <div className="message-paper">
          <Bubble parts={parts} isTheirs={message.direction === 'in'} />
        </div>
        <Trouble message={message} />
        <Facts message={message} />
        <Life message={message} />
      </div>
    )
  }
  return (
    <Dialog title={t('detail')} shape="drawer" onClose={onClose}>
      {body()}
    </Dialog>
  )
}
