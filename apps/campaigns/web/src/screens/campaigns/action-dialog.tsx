import { Confirm, TextField, useFormat, useToast, useWords } from '@palier/design'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { type ReactNode, useState } from 'react'
import { type Campaign, campaignPreviewQuery, campaignQuery, campaignStatsQuery } from '../../data/campaigns.ts'
import { useClient, useRefresh } from '../../data/context.tsx'
import { useProblem } from '../../data/problems.ts'
import { type ActionInput, actionWords, type ConductAction, localInput, momentOf, perform } from './actions.ts'
import { readinessProblem, readinessWords } from './readiness.ts'

const HOUR_MS = 3_600_000

const DONE = {
  start: 'started',
  schedule: 'scheduled',
  pause: 'paused',
  resume: 'resumed',
  cancel: 'cancelled',
  'retry-failed': 'retried',
  delete: 'deleted',
} as const satisfies Record<ConductAction, string>

/** Does an action, shows the server's version of the campaign at once, and says what was done. */
function usePerform(campaign: Campaign): {
  readonly busy: boolean
  readonly run: (action: ConductAction, input?: ActionInput) => Promise<boolean>
} {
  const t = useWords(actionWords)
  const format = useFormat()
  const client = useClient()
  const queries = useQueryClient()
  const refresh = useRefresh()
  const toast = useToast()
  const say = useProblem()
  const [busy, setBusy] = useState(false)
  const { id } = campaign
  const run = async (action: ConductAction, input: ActionInput = {}): Promise<boolean> => {
    setBusy(true)
    try {
      const answer = await perform(client, action, id, input)
      if (answer !== null) queries.setQueryData(campaignQuery(client, id).queryKey, answer)
      const time = input.scheduledAt === undefined ? '' : format.dateTime(input.scheduledAt)
      toast({
        text: t(DONE[action], { time }),
        ...(action === 'pause' && { action: { label: t('resume'), run: () => void run('resume') } }),
      })
      void (answer === null ? refresh('campaigns', 'messages') : refresh('campaigns', `campaign:${id}`))
      return true
    } catch (error) {
      toast({ text: say(error).text, failed: true })
      // It was refused for the state it is in: what is shown is not that state.
      void refresh('campaigns', `campaign:${id}`)
      return false
    } finally {
      setBusy(false)
    }
  }
  return { busy, run }
}

interface DialogProps {
  readonly campaign: Campaign
  readonly onClose: () => void
  readonly onDone?: (() => void) | undefined
}

interface ReadyState {
  readonly content: ReactNode
  /** Why it cannot be confirmed; false when it can. */
  readonly blocked: string | false
}

/** Whom it would reach now, or what keeps it from starting. */
function useReadiness({ id }: Campaign): ReadyState {
  const t = useWords(actionWords)
  const problem = useWords(readinessWords)
  const say = useProblem()
  const { data, error } = useQuery({ ...campaignPreviewQuery(useClient(), id), staleTime: 0 })
  if (data === undefined) {
    return error === null
      ? { content: <p role="status">{t('counting')}</p>, blocked: t('counting') }
      : { content: <p role="alert">{say(error).text}</p>, blocked: say(error).text }
  }
  const { audience, missing } = data.value
  if (missing.length > 0) {
    const problems = missing.map(readinessProblem)
    const content = (
      <>
        <p>{t('notReady')}</p>
        <ul className="plain-list">
          {problems.map(({ key, values }) => (
            <li key={`${key} ${Object.values(values).join(' ')}`}>{problem(key, values)}</li>
          ))}
        </ul>
        <p>
          <Link to="/campaigns/$id/edit" params={{ id }}>
            {t('edit')}
          </Link>
        </p>
      </>
    )
    return { content, blocked: t('notReadyShort') }
  }
  const left = audience.total - audience.reachable
  if (audience.reachable === 0) return { content: <p>{t('startNobody')}</p>, blocked: t('startNobody') }
  return {
    content: (
      <>
        <p>{t('startText', { count: audience.reachable })}</p>
        {left > 0 && <p className="muted">{t('startLeft', { count: left })}</p>}
      </>
    ),
    blocked: false,
  }
}

function StartDialog({ campaign, onClose, onDone }: DialogProps): ReactNode {
  const t = useWords(actionWords)
  const { busy, run } = usePerform(campaign)
  const { content, blocked } = useReadiness(campaign)
  return (
    <Confirm
      title={t('startTitle', { name: campaign.name })}
      action={t('start')}
      danger={false}
      busy={busy}
      unavailable={blocked}
      onClose={onClose}
      onConfirm={() => void run('start').then(isDone => isDone && (onDone ?? onClose)())}
    >
      {content}
    </Confirm>
  )
}

const localZone = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone

function ScheduleDialog({ campaign, onClose, onDone }: DialogProps): ReactNode {
  const t = useWords(actionWords)
  const { busy, run } = usePerform(campaign)
  const { content, blocked } = useReadiness(campaign)
  const [opened] = useState(Date.now)
  const [input, setInput] = useState(() => localInput(campaign.scheduled_at ?? opened + HOUR_MS))
  const at = momentOf(input)
  const isPast = at === undefined || at <= opened
  const zone = localZone()
  return (
    <Confirm
      title={t('scheduleTitle', { name: campaign.name })}
      action={t('schedule')}
      danger={false}
      busy={busy}
      unavailable={isPast ? t('whenPast') : blocked}
      onClose={onClose}
      onConfirm={() =>
        at !== undefined && void run('schedule', { scheduledAt: at }).then(isDone => isDone && (onDone ?? onClose)())
      }
    >
      <TextField
        label={t('when')}
        type="datetime-local"
        value={input}
        min={localInput(opened)}
        hint={t('whenHint', { zone })}
        problem={isPast ? t('whenPast') : undefined}
        onChange={event => setInput(event.target.value)}
      />
      {blocked === false ? <p className="muted">{t('scheduleText')}</p> : content}
    </Confirm>
  )
}

function RetryDialog({
  campaign,
  onClose,
  onDone,
  errorClass,
}: DialogProps & { readonly errorClass: string | null }): ReactNode {
  const t = useWords(actionWords)
  const { busy, run } = usePerform(campaign)
  const { data } = useQuery(campaignStatsQuery(useClient(), campaign.id))
  const failures = data?.value.failures ?? []
  const countOf = (keep: (failureClass: string | null) => boolean): number =>
    failures.filter(failure => keep(failure.error_class)).reduce((sum, { count }) => sum + count, 0)
  const isUnknown = errorClass === 'unknown'
  const count = countOf(failureClass =>
    errorClass === null ? failureClass !== 'unknown' : failureClass === errorClass,
  )
  const kept = errorClass === null ? countOf(failureClass => failureClass === 'unknown') : 0
  const hasPolicy = (errorClass === null && countOf(one => one === 'policy') > 0) || errorClass === 'policy'
  return (
    <Confirm
      title={t('retryTitle', { name: campaign.name })}
      action={t('retry-failed')}
      danger={isUnknown}
      busy={busy}
      onClose={onClose}
      onConfirm={() => void run('retry-failed', { errorClass }).then(isDone => isDone && (onDone ?? onClose)())}
    >
      {data !== undefined && <p>{t('retryText', { count })}</p>}
      {isUnknown && <p>{t('retryUnknown')}</p>}
      {kept > 0 && <p>{t('retryKept', { count: kept })}</p>}
      {hasPolicy && <p className="muted">{t('retryPolicy')}</p>}
    </Confirm>
  )
}

type PlainAction = Exclude<ConductAction, 'start' | 'schedule' | 'retry-failed'>

const TITLES = {
  pause: 'pauseTitle',
  resume: 'resumeTitle',
  cancel: 'cancelTitle',
  delete: 'deleteTitle',
} as const satisfies Record<PlainAction, string>

function PlainDialog({ campaign, action, onClose, onDone }: DialogProps & { readonly action: PlainAction }): ReactNode {
  const t = useWords(actionWords)
  const { busy, run } = usePerform(campaign)
  const { name, queued, reason, status } = campaign
  const text = {
    pause: t('pauseText'),
    resume: queued === 0 ? t('resumeAnswers') : t('resumeText', { count: queued }),
    cancel: status === 'scheduled' ? t('cancelScheduled') : t('cancelText', { count: queued }),
    delete: t('deleteText'),
  }[action]
  return (
    <Confirm
      title={t(TITLES[action], { name })}
      action={t(action)}
      danger={action === 'cancel' || action === 'delete'}
      busy={busy}
      onClose={onClose}
      onConfirm={() => void run(action).then(isDone => isDone && (onDone ?? onClose)())}
    >
      <p>{text}</p>
      {action === 'resume' && reason !== null && <p className="muted">{t('resumeReason', { reason })}</p>}
    </Confirm>
  )
}

/** Asks before an action, in numbers, and does it. `onDone` instead of `onClose` when it was done. */
export function ActionDialog({
  action,
  errorClass = null,
  ...props
}: DialogProps & { readonly action: ConductAction; readonly errorClass?: string | null }): ReactNode {
  if (action === 'start') return <StartDialog {...props} />
  if (action === 'schedule') return <ScheduleDialog {...props} />
  if (action === 'retry-failed') return <RetryDialog {...props} errorClass={errorClass} />
  return <PlainDialog {...props} action={action} />
}
