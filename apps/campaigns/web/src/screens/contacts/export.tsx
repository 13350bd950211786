import { Banner, Button, Dialog, Failure, Progress, useFormat, useToast, useWords } from '@palier/design'
import { type ReactNode, useState } from 'react'
import { addressOf } from '../../data/client.ts'
import type { FilterBody } from '../../data/contacts.ts'
import { useClient } from '../../data/context.tsx'
import { useProblem } from '../../data/problems.ts'
import { useExportJob } from '../../data/use-job.ts'
import { useMay } from '../../session/session.ts'
import { words } from './words.ts'

/** Up to here the file comes as it is written; more of it would hold the page's connection for long. */
const MOST_AT_ONCE = 5000

/** Saves what is behind an address of this server as a file. */
function download(address: string): void {
  const link = document.createElement('a')
  link.href = address
  link.download = ''
  document.body.append(link)
  link.click()
  link.remove()
}

/** The contacts of the filter as a CSV: at once, or by a job that goes on without this page. */
export function ExportButton({
  filter,
  most,
}: {
  readonly filter: FilterBody
  readonly most: number | undefined
}): ReactNode {
  const t = useWords(words)
  const say = useProblem()
  const toast = useToast()
  const client = useClient()
  const may = useMay()
  const [busy, setBusy] = useState(false)
  const [job, setJob] = useState<string | undefined>(undefined)
  const start = async (): Promise<void> => {
    if (most !== undefined && most <= MOST_AT_ONCE) {
      download(addressOf('/contacts/export', {}, filter))
      toast({ text: t('exportSmall') })
      return
    }
    setBusy(true)
    try {
      setJob((await client.ask('POST /contacts/export', { query: filter })).value.id)
    } catch (error) {
      toast({ text: say(error).text, failed: true, action: { label: t('tryAgain'), run: () => void start() } })
    } finally {
      setBusy(false)
    }
  }
  return (
    <>
      <Button
        icon="download"
        busy={busy}
        unavailable={!may('contacts:export') && t('noRight')}
        onClick={() => void start()}
      >
        {t('export')}
      </Button>
      {job !== undefined && <ExportDialog job={job} most={most} onClose={() => setJob(undefined)} />}
    </>
  )
}

function ExportDialog({
  job,
  most,
  onClose,
}: {
  readonly job: string
  readonly most: number | undefined
  readonly onClose: () => void
}): ReactNode {
  const t = useWords(words)
  const format = useFormat()
  const say = useProblem()
  const { data, error, refetch } = useExportJob(job)
  const state = data?.value
  const isOver = state !== undefined && state.status !== 'queued' && state.status !== 'running'
  return (
    <Dialog title={t('exportTitle')} onClose={onClose}>
      {error !== null && <Failure {...say(error)} onRetry={() => void refetch()} />}
      {!isOver && error === null && (
        <>
          <Progress
            label={t('exportTitle')}
            {...(state !== undefined && most !== undefined && { done: state.rows, total: most })}
            text={t('exportRunning', { count: state?.rows ?? 0 })}
          />
          <p className="small muted">{t('exportText')}</p>
        </>
      )}
      {state?.status === 'done' && (
        <Banner tone="healthy" title={t('exportDone', { count: state.rows, size: format.bytes(state.bytes) })} />
      )}
      {isOver && state.status !== 'done' && (
        <Banner tone="down" title={t('exportFailed')}>
          {state.last_error}
        </Banner>
      )}
      <footer>
        <Button onClick={onClose}>{t('close')}</Button>
        {state?.status === 'done' && state.file !== null && (
          <Button kind="primary" icon="download" onClick={() => download(state.file ?? '')}>
            {t('download')}
          </Button>
        )}
      </footer>
    </Dialog>
  )
}
