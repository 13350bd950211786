import {
  Button,
  Dialog,
  Failure,
  Loading,
  Pill,
  Progress,
  type Tone,
  defineWords,
  useFormat,
  useToast,
  useWords,
} from '@palier/design'
import { useQuery } from '@tanstack/react-query'
import { type ReactNode, useEffect, useRef, useState } from 'react'
import { isOver, jobQuery, type Template, templatesQuery } from '../../data/campaigns.ts'
import { useClient, useRefresh } from '../../data/context.tsx'
import { useProblem } from '../../data/problems.ts'
import { accountsQuery } from '../../data/settings.ts'
import { useMay } from '../../session/session.ts'
import { Bubble } from './phone.tsx'
import { partsOf } from './template.ts'

const words = defineWords(
  {
    title: 'Message templates',
    open: 'Templates',
    text: 'As WhatsApp last told them, {time}. Only approved ones can be sent.',
    never: 'No template has been read yet. Sync them with WhatsApp to see them here.',
    sync: 'Sync with WhatsApp',
    syncing: 'Asking WhatsApp for its templates…',
    synced: 'The templates are up to date.',
    already: 'Somebody is syncing them already.',
    failed: 'The sync failed: {error}',
    forbidden: 'Your role does not allow this.',
    accounts: 'Accounts',
    accountsCaption: 'WhatsApp accounts',
    account: 'Account',
    number: 'Number',
    speed: 'Messages per second',
    state: 'State',
    active: 'Active',
    stopped: 'Stopped',
    simulator: 'simulator',
  },
  {
    title: 'Modèles de message',
    open: 'Modèles',
    text: 'Tels que WhatsApp les a donnés, {time}. Seuls ceux qui sont approuvés peuvent partir.',
    never: 'Aucun modèle n’a encore été lu. Les synchroniser avec WhatsApp pour les voir ici.',
    sync: 'Synchroniser avec WhatsApp',
    syncing: 'Lecture des modèles chez WhatsApp…',
    synced: 'Les modèles sont à jour.',
    already: 'Une synchronisation est déjà en cours.',
    failed: 'La synchronisation a échoué : {error}',
    forbidden: 'Votre rôle ne le permet pas.',
    accounts: 'Comptes',
    accountsCaption: 'Comptes WhatsApp',
    account: 'Compte',
    number: 'Numéro',
    speed: 'Messages par seconde',
    state: 'État',
    active: 'Actif',
    stopped: 'Arrêté',
    simulator: 'simulateur',
  },
)

const TONES: Readonly<Record<string, Tone>> = {
  APPROVED: 'healthy',
  PENDING: 'warming',
  IN_APPEAL: 'warming',
  PAUSED: 'degraded',
  REJECTED: 'down',
  DISABLED: 'down',
}

const templateStatusWords = defineWords(
  {
    APPROVED: 'Approved',
    PENDING: 'In review',
    IN_APPEAL: 'In appeal',
    PAUSED: 'Paused',
    REJECTED: 'Rejected',
    DISABLED: 'Disabled',
  },
  {
    APPROVED: 'Approuvé',
    PENDING: 'En examen',
    IN_APPEAL: 'En appel',
    PAUSED: 'En pause',
    REJECTED: 'Refusé',
    DISABLED: 'Désactivé',
  },
)

type TemplateStatus = keyof (typeof templateStatusWords)['en']

/** WhatsApp may invent states: one that is not known here is said as it is. */
export function useTemplateStatus(): (status: string) => string {
  const t = useWords(templateStatusWords)
  return status => (Object.hasOwn(templateStatusWords.en, status) ? t(status as TemplateStatus) : status)
}

/** Asks WhatsApp for its templates anew, and follows the job that does it. */
export function SyncButton({ size }: { readonly size?: 'small' }): ReactNode {
  const t = useWords(words)
  const client = useClient()
  const may = useMay()
  const toast = useToast()
  const say = useProblem()
  const refresh = useRefresh()
  const [jobId, setJobId] = useState<string | undefined>(undefined)
  const { data } = useQuery(jobQuery(client, jobId))
  const told = useRef<string | undefined>(undefined)
  const job = jobId === undefined ? undefined : data?.value
  useEffect(() => {
    if (job === undefined || !isOver(job) || told.current === job.id) return
    told.current = job.id
    setJobId(undefined)
    if (job.status === 'done') toast({ text: t('synced') })
    else toast({ text: t('failed', { error: job.last_error ?? job.status }), failed: true })
    void refresh('templates', 'accounts')
  }, [job, refresh, t, toast])
  const sync = async (): Promise<void> => {
    try {
      const { value } = await client.ask('POST /templates/sync', {})
      if (value.job_id === null) toast({ text: t('already') })
      else setJobId(value.job_id)
    } catch (error) {
      toast({ text: say(error).text, failed: true })
    }
  }
  const isBusy = jobId !== undefined
  return (
    <div className="sync">
      <Button
        size={size}
        icon="refresh"
        busy={isBusy}
        unavailable={may('templates:write') ? false : t('forbidden')}
        onClick={() => void sync()}
      >
        {t('sync')}
      </Button>
      {isBusy && <Progress label={t('syncing')} text={t('syncing')} />}
    </div>
  )
}

function TemplateCard({ template }: { readonly template: Template }): ReactNode {
  const said = useTemplateStatus()
  const { name, language, category, status } = template
  return (
    <li className="template-card">
      <div className="row between">
        <strong className="wrap-anywhere">{name}</strong>
        <Pill tone={TONES[status] ?? 'quiet'}>{said(status)}</Pill>
      </div>
      <span className="small muted">
        {language} · {category.toLowerCase()}
      </span>
      <Bubble parts={partsOf(template)} />
    </li>
  )
}

function AccountsTable(): ReactNode {
  const t = useWords(words)
  const format = useFormat()
  const { data } = useQuery(accountsQuery(useClient()))
  if (data === undefined) return null
  return (
    <div className="table-frame" role="group" aria-label={t('accountsCaption')} tabIndex={0}>
      <table className="table">
        <caption>{t('accounts')}</caption>
        <thead>
          <tr>
            <th scope="col">{t('account')}</th>
            <th scope="col">{t('number')}</th>
            <th scope="col" className="number">
              {t('speed')}
            </th>
            <th scope="col">{t('state')}</th>
          </tr>
        </thead>
        <tbody>
          {data.value.items.map(({ id, name, provider, display_phone, mps_limit, status, reason }) => (
            <tr key={id}>
              <th scope="row">
                {name}
                {provider === 'simulator' && <span className="small muted"> ({t('simulator')})</span>}
              </th>
              <td>+{display_phone.replace(/^\+/, '')}</td>
              <td className="number">{format.number(mps_limit)}</td>
              <td>
                <Pill tone={status === 'active' ? 'healthy' : 'down'}>{t(status)}</Pill>
                {reason !== null && <span className="small muted"> {reason}</span>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function TemplatesDialog({ onClose }: { readonly onClose: () => void }): ReactNode {
  const t = useWords(words)
  const format = useFormat()
  const may = useMay()
  const say = useProblem()
  const [now] = useState(Date.now)
  const { data, error, refetch } = useQuery(templatesQuery(useClient()))
  const items = data?.value.items ?? []
  const newest = Math.max(0, ...items.map(({ synced_at }) => synced_at))
  return (
    <Dialog title={t('title')} shape="wide" onClose={onClose}>
      <div className="stack">
        <div className="row between">
          <p className="muted grow">
            {data !== undefined &&
              (items.length === 0 ? t('never') : t('text', { time: format.relative(newest, Math.max(now, newest)) }))}
          </p>
          <SyncButton size="small" />
        </div>
        {data === undefined &&
          (error === null ? (
            <Loading lines={3} height="6rem" />
          ) : (
            <Failure text={say(error).text} reference={say(error).reference} onRetry={() => void refetch()} />
          ))}
        <ul className="template-list">
          {items.map(template => (
            <TemplateCard key={template.id} template={template} />
          ))}
        </ul>
        {may('accounts:read') && <AccountsTable />}
      </div>
    </Dialog>
  )
}

/** Shows what can be sent, and from which account. */
export function TemplatesButton(): ReactNode {
  const t = useWords(words)
  const [isOpen, setIsOpen] = useState(false)
  return (
    <>
      <Button icon="message" onClick={() => setIsOpen(true)}>
        {t('open')}
      </Button>
      {isOpen && <TemplatesDialog onClose={() => setIsOpen(false)} />}
    </>
  )
}
