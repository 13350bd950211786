import type { Campaign, NewCampaignBody, Template } from '../../data/campaigns.ts'
import { isContactField } from './template.ts'

type Params = NonNullable<NewCampaignBody['message1_params']>
export type Message2Kind = Campaign['message2_kind']

/** What stands for a placeholder, as it is being edited: both ways are kept while one goes back and forth. */
export interface Slot {
  readonly by: 'text' | 'field'
  readonly text: string
  readonly field: string
  readonly fallback: string
}
export type Slots = Readonly<Record<string, Slot>>

export interface DraftButton {
  readonly id: string
  readonly title: string
}

/** A campaign in the form: every field has a value that an input can show. */
export interface Draft {
  readonly name: string
  readonly accountId: string
  readonly categoryIds: readonly string[]
  readonly template1: string
  readonly slots1: Slots
  readonly kind: Message2Kind
  readonly body: string
  readonly buttons: readonly DraftButton[]
  readonly template2: string
  readonly slots2: Slots
  readonly fallback: string
  readonly fallbackSlots: Slots
  readonly timeoutHours: string
  readonly acceptLate: boolean
  /** Empty: as fast as the account may. */
  readonly rate: string
}

export const EMPTY_SLOT: Slot = { by: 'text', text: '', field: 'first_name', fallback: '' }

export const EMPTY_DRAFT: Draft = {
  name: '',
  accountId: '',
  categoryIds: [],
  template1: '',
  slots1: {},
  kind: 'none',
  body: '',
  buttons: [],
  template2: '',
  slots2: {},
  fallback: '',
  fallbackSlots: {},
  timeoutHours: '24',
  acceptLate: false,
  rate: '',
}

/** What the settings say of new campaigns. */
export function defaultsOf(
  values: { readonly interaction_timeout_h: number; readonly accept_late: boolean } | undefined,
): Partial<Draft> {
  if (values === undefined) return {}
  return { timeoutHours: String(values.interaction_timeout_h), acceptLate: values.accept_late }
}

function slotsOf(params: unknown): Slots {
  const entries = Object.entries((params ?? {}) as Params)
  return Object.fromEntries(
    entries.map(([key, value]): [string, Slot] => [
      key,
      typeof value === 'string'
        ? { ...EMPTY_SLOT, text: value }
        : { ...EMPTY_SLOT, by: 'field', field: value.field, fallback: value.fallback ?? '' },
    ]),
  )
}

export function draftOf(campaign: Campaign): Draft {
  return {
    name: campaign.name,
    accountId: campaign.account_id ?? '',
    categoryIds: campaign.categories.map(({ id }) => id),
    template1: campaign.message1_template_id ?? '',
    slots1: slotsOf(campaign.message1_params),
    kind: campaign.message2_kind,
    body: campaign.message2_body ?? '',
    buttons: campaign.message2_buttons ?? [],
    template2: campaign.message2_template_id ?? '',
    slots2: slotsOf(campaign.message2_params),
    fallback: campaign.fallback_template_id ?? '',
    fallbackSlots: slotsOf(campaign.fallback_params),
    timeoutHours: String(campaign.interaction_timeout_h),
    acceptLate: campaign.accept_late,
    rate: campaign.rate_per_minute === null ? '' : String(campaign.rate_per_minute),
  }
}

/**
 * What the server is told of the placeholders that the template has; those without anything are left out. Of a template
 * that is not known here nothing is taken away.
 */
export function paramsOf(slots: Slots, template: Pick<Template, 'placeholders'> | undefined): Params {
  const entries = (template?.placeholders ?? Object.keys(slots)).flatMap((key): [string, Params[string]][] => {
    const slot = slots[key]
    if (slot === undefined) return []
    if (slot.by === 'text') return slot.text.trim() === '' ? [] : [[key, slot.text]]
    const fallback = slot.fallback.trim()
    return isContactField(slot.field) ? [[key, { field: slot.field, ...(fallback !== '' && { fallback }) }]] : []
  })
  return Object.fromEntries(entries)
}

const orNull = (text: string): string | null => (text === '' ? null : text)

type Templates = ReadonlyMap<string, Template>

/** The draft as the server takes it. What the kind of Message 2 has no use for is not kept. */
export function bodyOf(draft: Draft, templates: Templates): NewCampaignBody {
  const { kind, buttons } = draft
  const paramsFor = (id: string, slots: Slots): Params | null => (id === '' ? null : paramsOf(slots, templates.get(id)))
  const isFree = kind === 'text' || kind === 'interactive'
  const filled = buttons
    .filter(({ title }) => title.trim() !== '')
    .map(({ id, title }) => ({ id, title: title.trim() }))
  return {
    name: draft.name.trim(),
    account_id: orNull(draft.accountId),
    category_ids: [...draft.categoryIds],
    message1_template_id: orNull(draft.template1),
    message1_params: paramsFor(draft.template1, draft.slots1),
    message2_kind: kind,
    message2_body: isFree ? orNull(draft.body.trim()) : null,
    message2_buttons: kind === 'interactive' && filled.length > 0 ? filled : null,
    message2_template_id: kind === 'template' ? orNull(draft.template2) : null,
    message2_params: kind === 'template' ? paramsFor(draft.template2, draft.slots2) : null,
    fallback_template_id: isFree ? orNull(draft.fallback) : null,
    fallback_params: isFree ? paramsFor(draft.fallback, draft.fallbackSlots) : null,
    interaction_timeout_h: Number(draft.timeoutHours),
    accept_late: draft.acceptLate,
    rate_per_minute: draft.rate.trim() === '' ? null : Number(draft.rate),
  }
}

export type StepKey = 'audience' | 'message1' | 'message2' | 'timing'
export const STEPS: readonly StepKey[] = ['audience', 'message1', 'message2', 'timing']

/** Which step holds a field of the server; the name of the field may go on behind it: `message1_params.1`. */
export function stepOfField(field: string): StepKey {
  if (/^(name|category_ids)/.test(field)) return 'audience'
  if (field.startsWith('message1')) return 'message1'
  if (/^(message2|fallback)/.test(field)) return 'message2'
  return 'timing'
}

/** What the form itself refuses to save; the rest may stay open in a draft. */
export type Fault = 'name' | 'timeout' | 'rate'

const isWhole = (text: string, most: number): boolean =>
  /^\d+$/.test(text.trim()) && Number(text) >= 1 && Number(text) <= most

export function faultsOf({ name, timeoutHours, rate }: Draft): readonly Fault[] {
  return [
    ...(name.trim() === '' || name.trim().length > 120 ? ['name' as const] : []),
    ...(isWhole(timeoutHours, 168) ? [] : ['timeout' as const]),
    ...(rate.trim() === '' || isWhole(rate, 60_000) ? [] : ['rate' as const]),
  ]
}

const isMapped = (slots: Slots, template: Template | undefined): boolean =>
  template !== undefined && Object.keys(paramsOf(slots, template)).length === template.placeholders.length

const BODY_MOST = { text: 4096, interactive: 1024 } as const

function isMessage2Complete(draft: Draft, templates: Templates): boolean {
  const { kind, body, buttons } = draft
  if (kind === 'none') return true
  if (kind === 'template') return isMapped(draft.slots2, templates.get(draft.template2))
  const length = body.trim().length
  const hasText = length > 0 && length <= BODY_MOST[kind]
  const hasButtons = kind === 'text' || buttons.some(({ title }) => title.trim() !== '')
  const fallback = draft.fallback === '' || isMapped(draft.fallbackSlots, templates.get(draft.fallback))
  return hasText && hasButtons && fallback
}

/** Which steps are done, as far as the form can tell. */
export function doneSteps(draft: Draft, templates: Templates): ReadonlySet<StepKey> {
  const faults = faultsOf(draft)
  const done: readonly (StepKey | false)[] = [
    !faults.includes('name') && draft.categoryIds.length > 0 && 'audience',
    isMapped(draft.slots1, templates.get(draft.template1)) && 'message1',
    isMessage2Complete(draft, templates) && 'message2',
    !faults.includes('timeout') && !faults.includes('rate') && draft.accountId !== '' && 'timing',
  ]
  return new Set(done.filter(step => step !== false))
}

/** Whether something would be lost: what was typed differs from what was saved. */
export function isChanged(draft: Draft, saved: Draft, templates: Templates): boolean {
  return JSON.stringify(bodyOf(draft, templates)) !== JSON.stringify(bodyOf(saved, templates))
}

/** An identifier for one more button, unlike those there are. */
export function nextButtonId(buttons: readonly DraftButton[]): string {
  const taken = new Set(buttons.map(({ id }) => id))
  for (let n = 1; ; n++) if (!taken.has(`button_${n}`)) return `button_${n}`
}
