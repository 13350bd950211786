import { Banner, Button, Card, Failure, Icon, Loading, useToast, useWords } from '@palier/design'
import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { type ReactNode, useState } from 'react'
import { type Campaign, campaignPreviewQuery, campaignQuery, type CampaignPreview } from '../../data/campaigns.ts'
import { useClient } from '../../data/context.tsx'
import { useProblem } from '../../data/problems.ts'
import { accountsQuery, settingsQuery } from '../../data/settings.ts'
import { useMay } from '../../session/session.ts'
import { LeaveGuard } from '../../shell/leave-guard.tsx'
import { PageHead } from '../../shell/page-head.tsx'
import { defaultsOf, doneSteps, draftOf, EMPTY_DRAFT, type StepKey, STEPS } from './draft.ts'
import { EditorPreview } from './editor-preview.tsx'
import { AudienceStep, Message1Step, Message2Step, TimingStep } from './editor-steps.tsx'
import { editorWords } from './editor-words.ts'
import { readinessProblem, readinessWords } from './readiness.ts'
import { type FormProps, useDraft } from './use-draft.ts'
import './campaigns.css'
import './editor.css'

function goTo(step: StepKey): void {
  const section = document.getElementById(step)
  section?.scrollIntoView({ block: 'start' })
  section?.querySelector<HTMLElement>('input, select, textarea, button')?.focus({ preventScroll: true })
}

function Rail({ done, current }: { readonly done: ReadonlySet<StepKey>; readonly current: StepKey }): ReactNode {
  const t = useWords(editorWords)
  return (
    <nav className="editor-rail" aria-label={t('steps')}>
      <ol className="steps">
        {STEPS.map((step, i) => {
          const name = t(`step_${step}`)
          return (
            <li key={step} className={done.has(step) ? 'done' : undefined}>
              <button type="button" aria-current={step === current ? 'step' : undefined} onClick={() => goTo(step)}>
                <span className="mark" aria-hidden="true">
                  {done.has(step) ? <Icon name="check" /> : i + 1}
                </span>
                <span aria-hidden="true">{name}</span>
                <span className="visually-hidden">{t(done.has(step) ? 'stepDone' : 'stepOpen', { step: name })}</span>
              </button>
            </li>
          )
        })}
      </ol>
    </nav>
  )
}

/** What keeps the saved draft from being started, each with a way to where it can be mended. */
function Readiness({
  preview,
  isCurrent,
}: {
  readonly preview: CampaignPreview
  readonly isCurrent: boolean
}): ReactNode {
  const t = useWords(editorWords)
  const say = useWords(readinessWords)
  const problems = preview.missing.map(readinessProblem)
  if (problems.length === 0) {
    return (
      <Banner tone="healthy" title={t('ready')}>
        <p>{isCurrent ? t('readyText') : t('missingStale')}</p>
      </Banner>
    )
  }
  return (
    <Card title={t('missing')}>
      <ul className="missing-list">
        {problems.map(({ step, key, values }) => (
          <li key={`${key} ${Object.values(values).join(' ')}`}>
            <Icon name="alert" />
            <button type="button" className="link-button" onClick={() => goTo(step)}>
              {say(key, values)}
            </button>
          </li>
        ))}
      </ul>
      {!isCurrent && <p className="small muted">{t('missingStale')}</p>}
    </Card>
  )
}

function SaveBar({
  campaign,
  changed,
  busy,
  onSave,
}: {
  readonly campaign: Campaign | undefined
  readonly changed: boolean
  readonly busy: boolean
  readonly onSave: () => void
}): ReactNode {
  const t = useWords(editorWords)
  const may = useMay()
  const isKept = campaign !== undefined && !changed
  return (
    <div className="row save-bar">
      <span className="small muted" role="status">
        {t(isKept ? 'savedShort' : 'unsaved')}
      </span>
      <Button
        icon="save"
        kind={isKept ? undefined : 'primary'}
        busy={busy}
        unavailable={may('campaigns:write') ? false : t('forbidden')}
        onClick={onSave}
      >
        {t('save')}
      </Button>
      {isKept ? (
        <Link className="button primary" to="/campaigns/$id" params={{ id: campaign.id }}>
          {t('review')}
          <Icon name="arrowRight" />
        </Link>
      ) : (
        <Button unavailable={t('reviewHint')}>{t('review')}</Button>
      )}
    </div>
  )
}

/** Somebody else was faster: whose version stays is for people to say. */
function Conflict({ onLoad, onKeep }: { readonly onLoad: () => void; readonly onKeep: () => void }): ReactNode {
  const t = useWords(editorWords)
  const actions = (
    <div className="row">
      <Button onClick={onLoad}>{t('loadTheirs')}</Button>
      <Button onClick={onKeep}>{t('keepMine')}</Button>
    </div>
  )
  return (
    <Banner tone="degraded" title={t('changedTitle')} actions={actions}>
      <p>{t('changedText')}</p>
    </Banner>
  )
}

function CampaignForm(props: FormProps): ReactNode {
  const { campaign } = props
  const t = useWords(editorWords)
  const client = useClient()
  const may = useMay()
  const toast = useToast()
  const form = useDraft(props)
  const { draft, changed, busy, theirs, templateById } = form
  const [current, setCurrent] = useState<StepKey>('audience')
  const accounts = useQuery({ ...accountsQuery(client), enabled: may('accounts:read') })
  const preview = useQuery({ ...campaignPreviewQuery(client, campaign?.id ?? ''), enabled: campaign !== undefined })
  const accountList = accounts.data?.value.items ?? []
  const isAsSaved = campaign !== undefined && !changed
  const step = { ...form, accounts: accountList }
  const save = async (version?: number): Promise<void> => {
    const [fault] = await form.save(version)
    if (fault === undefined) return
    toast({ text: t('faulty'), failed: true })
    goTo(fault === 'name' ? 'audience' : 'timing')
  }
  const bar = <SaveBar campaign={campaign} changed={changed} busy={busy} onSave={() => void save()} />
  const title = campaign === undefined ? t('newTitle') : t('editTitle', { name: campaign.name })
  return (
    <>
      <PageHead title={title} lead={<Link to="/campaigns">{t('back')}</Link>}>
        {bar}
      </PageHead>
      {!may('campaigns:write') && <Banner tone="warming" title={t('forbidden')} />}
      {theirs !== undefined && <Conflict onLoad={() => form.adopt(theirs)} onKeep={() => void save(theirs.version)} />}
      <div className="editor-columns">
        <Rail done={doneSteps(draft, templateById)} current={current} />
        <form
          className="stack"
          noValidate
          onSubmit={event => {
            event.preventDefault()
            void save()
          }}
          onKeyDown={event => {
            if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== 's') return
            event.preventDefault()
            void save()
          }}
          onFocus={event => {
            const id = event.target.closest('.editor-step')?.id
            const at = STEPS.find(one => one === id)
            if (at !== undefined) setCurrent(at)
          }}
        >
          <AudienceStep {...step} preview={preview.data?.value} isCurrent={isAsSaved} />
          <Message1Step {...step} />
          <Message2Step {...step} />
          <TimingStep {...step} showsAccounts={may('accounts:read')} />
          {preview.data !== undefined && <Readiness preview={preview.data.value} isCurrent={isAsSaved} />}
          <div className="row end">{bar}</div>
        </form>
        <EditorPreview
          draft={draft}
          templates={templateById}
          sender={accountList.find(({ id }) => id === draft.accountId)?.name ?? 'WhatsApp'}
        />
      </div>
      <LeaveGuard isDirty={() => changed && !form.leaving.current} />
    </>
  )
}

export function NewCampaign(): ReactNode {
  const client = useClient()
  const may = useMay()
  const accounts = useQuery({ ...accountsQuery(client), enabled: may('accounts:read') })
  const settings = useQuery({ ...settingsQuery(client), enabled: may('settings:read') })
  // The form begins with what the team has set; it is not shown before, so that nothing in it changes by itself.
  if (accounts.isLoading || settings.isLoading) return <Loading lines={6} height="3rem" />
  const accountId = accounts.data?.value.items.find(({ status }) => status === 'active')?.id ?? ''
  return <CampaignForm initial={{ ...EMPTY_DRAFT, ...defaultsOf(settings.data?.value.values), accountId }} />
}

export function EditCampaign(): ReactNode {
  const { id } = useParams({ from: '/shell/campaigns/$id/edit' })
  const t = useWords(editorWords)
  const say = useProblem()
  const { data, error, refetch } = useQuery(campaignQuery(useClient(), id))
  if (data === undefined) {
    if (error === null) return <Loading lines={6} height="3rem" onRetry={() => void refetch()} />
    const { text, reference } = say(error)
    return <Failure text={text} reference={reference} onRetry={() => void refetch()} />
  }
  const campaign = data.value
  if (!campaign.actions.includes('edit')) {
    return (
      <>
        <PageHead title={campaign.name} lead={<Link to="/campaigns">{t('back')}</Link>} />
        <Banner
          tone="warming"
          title={t('closed')}
          actions={
            <Link className="button" to="/campaigns/$id" params={{ id }}>
              {t('openCampaign')}
            </Link>
          }
        />
      </>
    )
  }
  return <CampaignForm key={id} campaign={campaign} initial={draftOf(campaign)} />
}
