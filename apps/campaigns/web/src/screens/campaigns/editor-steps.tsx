import {
  Button,
  Card,
  Checkbox,
  IconButton,
  Segmented,
  Select,
  TextArea,
  TextField,
  useFormat,
  useWords,
} from '@palier/design'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import type { Account, CampaignPreview, Template } from '../../data/campaigns.ts'
import { categoriesQuery } from '../../data/categories.ts'
import { useClient } from '../../data/context.tsx'
import { settingsQuery } from '../../data/settings.ts'
import { useMay } from '../../session/session.ts'
import { type Draft, type Fault, type Message2Kind, nextButtonId } from './draft.ts'
import { editorWords } from './editor-words.ts'
import { SlotFields, TemplateSelect } from './slot-fields.tsx'
import { SyncButton } from './templates-panel.tsx'

export interface StepProps {
  readonly draft: Draft
  readonly templates: readonly Template[]
  readonly templateById: ReadonlyMap<string, Template>
  readonly accounts: readonly Account[]
  readonly faults: readonly Fault[]
  readonly change: (changes: Partial<Draft>) => void
}

function Reach({
  preview,
  isCurrent,
  most,
}: {
  readonly preview: CampaignPreview | undefined
  readonly isCurrent: boolean
  readonly most: number
}): ReactNode {
  const t = useWords(editorWords)
  if (!isCurrent || preview === undefined) {
    return <p className="reach muted">{most === 0 ? t('reachNone') : t('reachUnsaved', { count: most })}</p>
  }
  const { total, reachable, opted_out, no_opt_in, no_identifier } = preview.audience
  const left = [
    opted_out > 0 && t('reachOptedOut', { count: opted_out }),
    no_opt_in > 0 && t('reachNoOptIn', { count: no_opt_in }),
    no_identifier > 0 && t('reachNoId', { count: no_identifier }),
  ].filter(one => one !== false)
  return (
    <p className="reach" role="status">
      <strong>{t('reach', { count: reachable })}</strong>{' '}
      <span className="muted">
        {t('reachOf', { total })}
        {left.length > 0 && ` · ${left.join(' · ')}`}
      </span>
    </p>
  )
}

export function AudienceStep({
  draft,
  faults,
  change,
  preview,
  isCurrent,
}: StepProps & { readonly preview: CampaignPreview | undefined; readonly isCurrent: boolean }): ReactNode {
  const t = useWords(editorWords)
  const format = useFormat()
  const { data } = useQuery(categoriesQuery(useClient()))
  const categories = data?.value.items ?? []
  const chosen = new Set(draft.categoryIds)
  const most = categories.filter(({ id }) => chosen.has(id)).reduce((sum, { contact_count }) => sum + contact_count, 0)
  const toggle = (id: string): void => {
    change({ categoryIds: chosen.has(id) ? draft.categoryIds.filter(one => one !== id) : [...draft.categoryIds, id] })
  }
  return (
    <Card id="audience" className="editor-step" title={t('step_audience')}>
      <div className="stack">
        <TextField
          label={t('name')}
          hint={t('nameHint')}
          problem={faults.includes('name') ? t('nameFault') : undefined}
          value={draft.name}
          maxLength={120}
          required
          onChange={event => change({ name: event.target.value })}
        />
        <fieldset className="stack tight">
          <legend className="label">{t('categories')}</legend>
          {data !== undefined && categories.length === 0 && (
            <p className="muted">
              {t('categoriesNone')} <Link to="/categories">{t('categoriesLink')}</Link>
            </p>
          )}
          <div className="category-choices">
            {categories.map(({ id, name, color, contact_count }) => (
              <label key={id} className="category-choice">
                <input type="checkbox" checked={chosen.has(id)} onChange={() => toggle(id)} />
                <span className="dot" style={{ background: color }} aria-hidden="true" />
                <span className="truncate">{name}</span>
                <span className="small muted">{format.number(contact_count)}</span>
              </label>
            ))}
          </div>
          <span className="small muted">{t('categoriesHint')}</span>
        </fieldset>
        <Reach preview={preview} isCurrent={isCurrent} most={most} />
      </div>
    </Card>
  )
}

export function Message1Step({ draft, templates, templateById, change }: StepProps): ReactNode {
  const t = useWords(editorWords)
  return (
    <Card id="message1" className="editor-step" title={t('step_message1')} actions={<SyncButton size="small" />}>
      <div className="stack">
        <p className="muted">{templates.length === 0 ? t('templatesEmpty') : t('m1Text')}</p>
        <TemplateSelect
          label={t('template')}
          none={t('templateNone')}
          templates={templates}
          accountId={draft.accountId}
          value={draft.template1}
          onChange={template1 => change({ template1 })}
        />
        <SlotFields
          template={templateById.get(draft.template1)}
          slots={draft.slots1}
          onChange={slots1 => change({ slots1 })}
        />
      </div>
    </Card>
  )
}

const KINDS: readonly Message2Kind[] = ['none', 'text', 'interactive', 'template']
const MOST_BUTTONS = 3

function Buttons({ draft, change }: Pick<StepProps, 'draft' | 'change'>): ReactNode {
  const t = useWords(editorWords)
  const { buttons } = draft
  return (
    <fieldset className="stack tight">
      <legend className="label">{t('buttons')}</legend>
      {buttons.map(({ id, title }, i) => (
        <div key={id} className="button-line">
          <TextField
            label={t('button', { n: i + 1 })}
            {...(i === 0 && { hint: t('buttonHint') })}
            value={title}
            maxLength={20}
            onChange={event =>
              change({ buttons: buttons.map(one => (one.id === id ? { ...one, title: event.target.value } : one)) })
            }
          />
          <IconButton
            label={t('removeButton', { n: i + 1 })}
            icon="trash"
            onClick={() => change({ buttons: buttons.filter(one => one.id !== id) })}
          />
        </div>
      ))}
      {buttons.length < MOST_BUTTONS && (
        <div>
          <Button
            size="small"
            icon="plus"
            onClick={() => change({ buttons: [...buttons, { id: nextButtonId(buttons), title: '' }] })}
          >
            {t('addButton')}
          </Button>
        </div>
      )}
    </fieldset>
  )
}

const BODY_MOST = { text: 4096, interactive: 1024 } as const

function FreeForm({ kind, ...props }: StepProps & { readonly kind: 'text' | 'interactive' }): ReactNode {
  const t = useWords(editorWords)
  const { draft, templates, templateById, change } = props
  const most = BODY_MOST[kind]
  const left = most - draft.body.trim().length
  return (
    <>
      <TextArea
        label={t('body')}
        hint={t('bodyHint', { fields: '{{first_name}}, {{name}}, {{attributes.city}}', left: Math.max(0, left) })}
        problem={left < 0 ? t('bodyTooLong', { most }) : undefined}
        value={draft.body}
        rows={4}
        onChange={event => change({ body: event.target.value })}
      />
      {kind === 'interactive' && <Buttons draft={draft} change={change} />}
      <TemplateSelect
        label={t('fallback')}
        none={t('fallbackNone')}
        hint={t('fallbackTemplateHint')}
        templates={templates}
        accountId={draft.accountId}
        value={draft.fallback}
        onChange={fallback => change({ fallback })}
      />
      <SlotFields
        template={templateById.get(draft.fallback)}
        slots={draft.fallbackSlots}
        onChange={fallbackSlots => change({ fallbackSlots })}
      />
    </>
  )
}

export function Message2Step(props: StepProps): ReactNode {
  const t = useWords(editorWords)
  const { draft, templates, templateById, change } = props
  const { kind } = draft
  const choose = (next: Message2Kind): void => {
    const needsButton = next === 'interactive' && draft.buttons.length === 0
    change({ kind: next, ...(needsButton && { buttons: [{ id: nextButtonId([]), title: '' }] }) })
  }
  return (
    <Card id="message2" className="editor-step" title={t('step_message2')}>
      <div className="stack">
        <p className="muted">{t(kind === 'none' ? 'kindNone' : 'm2Text')}</p>
        <div>
          <Segmented
            label={t('kind')}
            value={kind}
            choices={KINDS.map(value => ({ value, label: t(`kind_${value}`) }))}
            onChoose={choose}
          />
        </div>
        {(kind === 'text' || kind === 'interactive') && <FreeForm {...props} kind={kind} />}
        {kind === 'template' && (
          <>
            <TemplateSelect
              label={t('template')}
              none={t('templateNone')}
              templates={templates}
              accountId={draft.accountId}
              value={draft.template2}
              onChange={template2 => change({ template2 })}
            />
            <SlotFields
              template={templateById.get(draft.template2)}
              slots={draft.slots2}
              onChange={slots2 => change({ slots2 })}
            />
          </>
        )}
      </div>
    </Card>
  )
}

export function TimingStep({
  draft,
  accounts,
  faults,
  change,
  showsAccounts,
}: StepProps & { readonly showsAccounts: boolean }): ReactNode {
  const t = useWords(editorWords)
  const may = useMay()
  const settings = useQuery({ ...settingsQuery(useClient()), enabled: may('settings:read') })
  const usual = settings.data?.value.values.rate_per_minute
  const choices = accounts.map(({ id, name, status }) => ({
    value: id,
    label: status === 'active' ? name : t('accountStopped', { name }),
  }))
  return (
    <Card id="timing" className="editor-step" title={t('step_timing')}>
      <div className="stack">
        {showsAccounts ? (
          <Select
            label={t('account')}
            value={draft.accountId}
            choices={[{ value: '', label: t('accountNone') }, ...choices]}
            onChange={event => change({ accountId: event.target.value })}
          />
        ) : (
          <p className="muted">{t('accountHidden')}</p>
        )}
        <div className="columns timing-columns">
          <TextField
            label={t('rate')}
            hint={usual === undefined ? t('rateHint') : t('rateHintKnown', { rate: usual })}
            problem={faults.includes('rate') ? t('rateFault') : undefined}
            inputMode="numeric"
            value={draft.rate}
            onChange={event => change({ rate: event.target.value })}
          />
          <TextField
            label={t('timeout')}
            hint={t('timeoutHint')}
            problem={faults.includes('timeout') ? t('timeoutFault') : undefined}
            inputMode="numeric"
            value={draft.timeoutHours}
            onChange={event => change({ timeoutHours: event.target.value })}
          />
        </div>
        <Checkbox
          label={t('acceptLate')}
          hint={t('acceptLateHint')}
          checked={draft.acceptLate}
          onChange={event => change({ acceptLate: event.target.checked })}
        />
      </div>
    </Card>
  )
}
