import {
  Button,
  Card,
  Confirm,
  Empty,
  Failure,
  Loading,
  LoadMore,
  Pill,
  Progress,
  Segmented,
  type Tone,
  useFormat,
  useToast,
  useWords,
} from '@palier/design'
import { useInfiniteQuery, useMutation, useQueryClient } from '@tanstack/react-query'
import { type ReactNode, useState } from 'react'
import { useClient } from '../../data/context.tsx'
import { useProblem } from '../../data/problems.ts'
import { isUnderWay, type Job, type JobStatus, jobsQuery } from '../../data/settings.ts'
import { useMay, useMe } from '../../session/session.ts'
import { figuresOf, shareOf } from './job-figures.ts'
import { countWords, jobNames, jobWords } from './jobs-words.ts'

const TONES: Readonly<Record<JobStatus, Tone>> = {
  queued: 'quiet',
  running: 'warming',
  done: 'healthy',
  failed: 'down',
  cancelled: 'quiet',
}
const STATUSES = ['all', 'running', 'queued', 'failed', 'done'] as const

type NameKey = keyof (typeof jobNames)['en']
type CountKey = keyof (typeof countWords)['en']

function useJobName(): (job: Pick<Job, 'name'>) => string {
  const t = useWords(jobNames)
  return ({ name }) => (Object.hasOwn(jobNames.en, name) ? t(name as NameKey) : name)
}

/** How far it is: a bar while it runs, and the counts that it tells of. */
function JobProgress({ job }: { readonly job: Job }): ReactNode {
  const t = useWords(jobWords)
  const count = useWords(countWords)
  const format = useFormat()
  const nameOf = useJobName()
  const { status, description, progress, result, last_error, attempts, max_attempts } = job
  const figures = figuresOf(result ?? progress).filter(one => one.value > 0)
  const share = shareOf(description, progress)
  const text = figures
    .map(({ name, value }) => {
      const label = Object.hasOwn(countWords.en, name) ? count(name as CountKey) : name.replaceAll('_', ' ')
      return name === 'bytes' ? format.bytes(value) : `${format.number(value)} ${label}`
    })
    .join(' · ')
  return (
    <div className="stack tight job-progress">
      {status === 'running' && <Progress label={nameOf(job)} {...(share !== undefined && { done: share, total: 1 })} />}
      {text !== '' && <span className="small muted">{text}</span>}
      {last_error !== null && status !== 'done' && <span className="small job-error wrap-anywhere">{last_error}</span>}
      {attempts > 1 && status !== 'done' && (
        <span className="small muted">{t('attempts', { attempts, most: max_attempts })}</span>
      )}
    </div>
  )
}

function JobTimes({ job }: { readonly job: Job }): ReactNode {
  const t = useWords(jobWords)
  const format = useFormat()
  const { created_at, started_at, finished_at, run_at, status } = job
  if (status === 'queued' && run_at > created_at) return t('waitsUntil', { time: format.dateTime(run_at) })
  if (started_at === null) return t('queuedAt', { time: format.dateTime(created_at) })
  if (finished_at === null) return t('since', { time: format.dateTime(started_at) })
  const duration = format.duration(Math.max(0, finished_at - started_at))
  return t('took', { time: format.dateTime(started_at), duration })
}

function useJobChanges() {
  const t = useWords(jobWords)
  const say = useProblem()
  const toast = useToast()
  const client = useClient()
  const queries = useQueryClient()
  const nameOf = useJobName()
  const common = {
    onError: (error: unknown): void => toast({ text: say(error).text, failed: true }),
    onSettled: (): void => void queries.invalidateQueries({ queryKey: ['jobs'] }),
  }
  const cancel = useMutation({
    mutationFn: ({ id }: Job) => client.ask('POST /jobs/{id}/cancel', { path: { id } }),
    onSuccess: (_answer, job) => toast({ text: t('cancelledDone', { name: nameOf(job) }) }),
    ...common,
  })
  const retry = useMutation({
    mutationFn: ({ id }: Job) => client.ask('POST /jobs/{id}/retry', { path: { id } }),
    onSuccess: (_answer, job) => toast({ text: t('retriedDone', { name: nameOf(job) }) }),
    ...common,
  })
  return { cancel, retry }
}

function Row({
  job,
  busy,
  onCancel,
  onRetry,
}: {
  readonly job: Job
  readonly busy: boolean
  readonly onCancel: () => void
  readonly onRetry: () => void
}): ReactNode {
  const t = useWords(jobWords)
  const may = useMay()
  const { data: me } = useMe()
  const name = useJobName()(job)
  const mayNot = !may('jobs:write') && job.created_by !== me?.value.user.id && t('mayNot')
  const canRetry = job.status === 'failed' || job.status === 'cancelled'
  return (
    <tr>
      <th scope="row">{name}</th>
      <td>
        <Pill tone={TONES[job.status]}>{t(job.status)}</Pill>
      </td>
      <td>
        <JobProgress job={job} />
      </td>
      <td className="small muted">
        <JobTimes job={job} />
      </td>
      <td className="actions">
        {isUnderWay(job) && (
          <Button size="small" aria-label={t('cancelOf', { name })} unavailable={mayNot} onClick={onCancel}>
            {t('cancel')}
          </Button>
        )}
        {canRetry && (
          <Button size="small" busy={busy} aria-label={t('retryOf', { name })} unavailable={mayNot} onClick={onRetry}>
            {t('retry')}
          </Button>
        )}
      </td>
    </tr>
  )
}

function JobTable({
  status,
  onDrop,
}: {
  readonly status: JobStatus | undefined
  readonly onDrop: () => void
}): ReactNode {
  const t = useWords(jobWords)
  const say = useProblem()
  const nameOf = useJobName()
  const { cancel, retry } = useJobChanges()
  const [asked, setAsked] = useState<Job | undefined>(undefined)
  const query = useInfiniteQuery(jobsQuery(useClient(), status === undefined ? {} : { status }))
  const { data, error } = query
  if (data === undefined) {
    if (error === null) return <Loading lines={8} />
    const { text, reference } = say(error)
    return <Failure text={text} reference={reference} onRetry={() => void query.refetch()} />
  }
  const jobs = data.pages.flatMap(part => part.value.items)
  if (jobs.length === 0) {
    if (status === undefined) return <Empty title={t('empty')}>{t('emptyText')}</Empty>
    return <Empty icon="filter" title={t('filtered')} action={<Button onClick={onDrop}>{t('drop')}</Button>} />
  }
  return (
    <Card flush>
      <div className="table-frame" tabIndex={0} role="group" aria-label={t('title')}>
        <table className={query.isPlaceholderData ? 'table stale' : 'table'}>
          <caption className="visually-hidden">{t('title')}</caption>
          <thead>
            <tr>
              {(['job', 'status', 'progress', 'times'] as const).map(column => (
                <th key={column} scope="col">
                  {t(column)}
                </th>
              ))}
              <th scope="col">
                <span className="visually-hidden">{t('actions')}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {jobs.map(job => (
              <Row
                key={job.id}
                job={job}
                busy={retry.isPending && retry.variables.id === job.id}
                onCancel={() => setAsked(job)}
                onRetry={() => retry.mutate(job)}
              />
            ))}
          </tbody>
        </table>
      </div>
      <div className="list-end">
        <LoadMore
          count={jobs.length}
          hasMore={query.hasNextPage}
          busy={query.isFetchingNextPage}
          onMore={() => void query.fetchNextPage()}
        />
      </div>
      {asked !== undefined && (
        <Confirm
          title={t('cancelTitle')}
          action={t('cancel')}
          busy={cancel.isPending}
          onConfirm={() => cancel.mutate(asked, { onSettled: () => setAsked(undefined) })}
          onClose={() => setAsked(undefined)}
        >
          <p>{t('cancelText', { name: nameOf(asked) })}</p>
        </Confirm>
      )}
    </Card>
  )
}

/** What is done apart from requests, with its progress. */
export function Jobs(): ReactNode {
  const t = useWords(jobWords)
  const [status, setStatus] = useState<(typeof STATUSES)[number]>('all')
  return (
    <>
      <p className="muted">{t('lead')}</p>
      <div className="scroll-row">
        <Segmented
          label={t('status')}
          value={status}
          choices={STATUSES.map(value => ({ value, label: t(value) }))}
          onChoose={setStatus}
        />
      </div>
      <JobTable status={status === 'all' ? undefined : status} onDrop={() => setStatus('all')} />
    </>
  )
}
