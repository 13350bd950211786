import {
  Banner,
  Card,
  Failure,
  Icon,
  Loading,
  Pill,
  Progress,
  Stat,
  type Tone,
  useFormat,
  useWords,
  Table,
} from '@palier/design'
import { Link } from '@tanstack/react-router'
import { type ReactNode, useEffect, useRef } from 'react'
import { addressOf } from '../../data/client.ts'
import { useRefresh } from '../../data/context.tsx'
import { useProblem } from '../../data/problems.ts'
import type { ImportJob } from '../../data/contacts.ts'
import { useImportJob } from '../../data/use-job.ts'
import { importWords } from './import-words.ts'

const TONES: Readonly<Record<ImportJob['status'], Tone>> = {
  queued: 'quiet',
  running: 'warming',
  done: 'healthy',
  failed: 'down',
  cancelled: 'degraded',
}

/** Lists and counters have the new contacts when the import ends, whether or not the server's own word of it comes. */
function useReadAnewAtEnd(status: ImportJob['status'] | undefined): void {
  const refresh = useRefresh()
  const before = useRef(status)
  useEffect(() => {
    if (before.current === 'running' && status === 'done') void refresh('contacts', 'categories')
    before.current = status
  }, [status, refresh])
}

/** How far an import is, and what became of the file's lines. */
export function ImportProgress({ job }: { readonly job: string }): ReactNode {
  const say = useProblem()
  const { data, error, refetch } = useImportJob(job)
  const again = (): void => void refetch()
  useReadAnewAtEnd(data?.value.status)
  if (data === undefined) {
    return (
      <Card>
        {error === null ? <Loading lines={4} onRetry={again} /> : <Failure {...say(error)} onRetry={again} />}
      </Card>
    )
  }
  return (
    <div className="stack wide">
      {error !== null && <Failure {...say(error)} onRetry={again} />}
      <State state={data.value} />
      <Counts state={data.value} />
      {data.value.errors.length > 0 && <Refused state={data.value} />}
    </div>
  )
}

function State({ state }: { readonly state: ImportJob }): ReactNode {
  const t = useWords(importWords)
  const format = useFormat()
  const { status, mode, percent, bytes, bytes_read, records, stopped_at_line, last_error, finished_at, created_at } =
    state
  const isOver = finished_at !== null
  return (
    <Card title={t('reading')} actions={<Pill tone={TONES[status]}>{t(`s_${status}`)}</Pill>}>
      <div className="stack">
        <Progress
          label={t('reading')}
          {...(status !== 'queued' && { done: percent, total: 100 })}
          {...(status === 'done' && { tone: 'healthy' as const })}
          {...((status === 'failed' || status === 'cancelled') && { tone: 'down' as const })}
          text={t('progress', { done: format.bytes(bytes_read), total: format.bytes(bytes), records })}
        />
        <p className="small muted" role="status">
          {t(`mode_${mode}`)} {isOver && t('took', { time: format.duration(finished_at - created_at) })}
        </p>
        {stopped_at_line !== null && <Banner tone="degraded" title={t('stopped', { line: stopped_at_line })} />}
        {last_error !== null && <Banner tone="down" title={last_error} />}
        {isOver && (
          <div className="row">
            <Link to="/contacts" className="button primary">
              {t('show')}
            </Link>
            <Link to="/contacts/import" className="button">
              {t('anotherFile')}
            </Link>
          </div>
        )}
      </div>
    </Card>
  )
}

function Counts({ state }: { readonly state: ImportJob }): ReactNode {
  const t = useWords(importWords)
  const format = useFormat()
  const counts = [
    ['created', state.created],
    ['updated', state.updated],
    ['duplicates', state.duplicates],
    ['rejected', state.rejected],
    ['categories', state.categories_created],
  ] as const
  return (
    <dl className="stats">
      {counts.map(([key, value]) => (
        <Stat key={key} name={t(key)} value={format.number(value)} />
      ))}
    </dl>
  )
}

function Refused({ state }: { readonly state: ImportJob }): ReactNode {
  const t = useWords(importWords)
  const format = useFormat()
  const { errors, rejected, id } = state
  const caption = errors.length < rejected ? t('errorsSome', { count: rejected, shown: errors.length }) : t('errors')
  return (
    <Card
      flush
      title={caption}
      actions={
        <a className="button small" href={addressOf('/contacts/import/{job}/errors.csv', { job: id })} download>
          <Icon name="download" />
          {t('errorsCsv')}
        </a>
      }
    >
      <Table label={caption}>
        <thead>
          <tr>
            <th scope="col" className="number">
              {t('line')}
            </th>
            <th scope="col">{t('field')}</th>
            <th scope="col">{t('expected')}</th>
            <th scope="col">{t('received')}</th>
          </tr>
        </thead>
        <tbody>
          {errors.map(({ line, field, expected, received }) => (
            <tr key={`${line}-${field}`}>
              <td className="number">{format.number(line)}</td>
              <td>
                <code>{field}</code>
              </td>
              <td>{expected}</td>
              <td className="wrap-anywhere">{received}</td>
            </tr>
          ))}
        </tbody>
      </Table>
    </Card>
  )
}
