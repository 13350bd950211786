import type { StorageInput, StorageResult } from 'palier/setup'
import type { Form } from '../forms.ts'
import { type Html, html } from '../html.ts'
import { icon } from '../icons.ts'
import { button, factTable, field, type FieldLook, foot, form } from '../parts.ts'
import type { Teller } from '../tell.ts'
import type { Screen, View } from '../view.ts'

const MB = 2 ** 20
/** Below the directory of the installation. */
const PROPOSED = '.palier/cache'
const NUMBERS = ['filesUsed', 'filesLimit', 'bytesUsed', 'bytesLimit', 'budgetFiles', 'budgetBytes'] as const
type NumberName = (typeof NUMBERS)[number]

/** Where people find the two numbers, drawn like the column of the panel they look for. */
function picture({ t }: Teller): Html {
  const row = (y: number, name: string, value: string, share: number): Html => html`<g>
    <text x="16" y="${y}" class="p-name">${name}</text><text x="264" y="${y}" class="p-value" text-anchor="end">${value}</text>
    <rect x="16" y="${y + 8}" width="248" height="6" rx="3" class="p-track"/><rect x="16" y="${y + 8}" width="${share}" height="6" rx="3" class="p-fill"/></g>`
  return html`<figure class="picture"><svg viewBox="0 0 280 132" aria-hidden="true"><rect x=".5" y=".5" width="279" height="131" rx="8" class="p-frame"/>
    <text x="16" y="26" class="p-title">${t('storage.picture.title')}</text>
    ${row(56, t('storage.picture.disk'), '1.2 GB / 10 GB', 30)}${row(98, t('storage.picture.files'), '48,210 / 250,000', 48)}</svg>
    <figcaption class="small muted">${t('storage.picture')}</figcaption></figure>`
}

function typed({ state, sent, problems }: View, name: NumberName): Pick<FieldLook, 'name' | 'value' | 'problem'> {
  const { quota, budget } = state.results.storage ?? { quota: {}, budget: undefined }
  const mb = (bytes: number | undefined): number | undefined =>
    bytes === undefined ? undefined : Math.round(bytes / MB)
  const known: Readonly<Record<NumberName, number | undefined>> = {
    filesUsed: quota.filesUsed,
    filesLimit: quota.filesLimit,
    bytesUsed: mb(quota.bytesUsed),
    bytesLimit: mb(quota.bytesLimit),
    budgetFiles: budget?.files,
    budgetBytes: mb(budget?.bytes),
  }
  return { name, value: sent?.text(name) ?? String(known[name] ?? ''), problem: problems[name] }
}

function settings(view: View, storage: StorageResult | undefined): Html {
  const { t } = view.teller
  const number = (name: NumberName, label: string): Html => field({ ...typed(view, name), label, type: 'number' })
  return form(
    view,
    'storage',
    html`<div class="card stack wide">
      ${field({ name: 'dir', label: t('storage.dir'), hint: t('storage.dir.hint'), value: view.sent?.text('dir') ?? storage?.dir ?? '', problem: view.problems['dir'], code: true })}
      <fieldset class="stack"><legend>${t('storage.quota')}</legend><p class="small muted">${t('storage.quota.hint')}</p>
        <div class="with-picture"><div class="pairs">${number('filesUsed', t('storage.quota.files'))}${number('filesLimit', t('storage.quota.filesLimit'))}
        ${number('bytesUsed', t('storage.quota.bytes'))}${number('bytesLimit', t('storage.quota.bytesLimit'))}</div>${picture(view.teller)}</div></fieldset>
      <fieldset class="stack"><legend>${t('storage.budget')}</legend>
        <div class="pairs">${number('budgetFiles', t('storage.budget.files'))}${number('budgetBytes', t('storage.budget.bytes'))}</div>
        <p class="small muted">${t('storage.budget.hint')}</p></fieldset>
      <div>${button('run', storage === undefined ? t('storage.run') : t('foot.again'), storage === undefined ? { tone: 'primary', icon: 'bolt' } : { icon: 'refresh' })}</div>
    </div>`,
  )
}

/** What the form says, or the fields that hold no number. */
function inputOf(form: Form, isKnown: boolean): StorageInput | readonly NumberName[] {
  const values = new Map<NumberName, number>()
  const wrong: NumberName[] = []
  for (const name of NUMBERS) {
    const text = form.optional(name)
    if (text === undefined) continue
    const value = Number(text.replaceAll(/[\s\u00a0\u202f]/g, '').replace(',', '.'))
    if (Number.isFinite(value) && value >= 0) values.set(name, Math.round(/bytes/i.test(name) ? value * MB : value))
    else wrong.push(name)
  }
  if (wrong.length > 0) return wrong
  const given = <T extends string>(name: NumberName, as: T): Partial<Record<T, number>> => {
    const value = values.get(name)
    return value === undefined ? {} : ({ [as]: value } as Partial<Record<T, number>>)
  }
  // Left out it stays what it was before, and an empty field means that it shall not.
  const dir = form.optional('dir') ?? (isKnown ? PROPOSED : undefined)
  return {
    ...(dir !== undefined && { dir }),
    quota: {
      ...given('filesUsed', 'filesUsed'),
      ...given('filesLimit', 'filesLimit'),
      ...given('bytesUsed', 'bytesUsed'),
      ...given('bytesLimit', 'bytesLimit'),
    },
    budget: { ...given('budgetFiles', 'files'), ...given('budgetBytes', 'bytes') },
  }
}

export const storageScreen: Screen = {
  id: 'storage',
  title: ({ t }) => t('storage.title'),
  lead: ({ t }) => t('storage.lead'),
  status: ({ steps }) => steps.storage,
  begin: setup => tools => setup.run('storage', {}, tools),
  render(view) {
    const { t, say } = view.teller
    const { storage } = view.state.results
    if (storage === undefined) return html`${settings(view, undefined)}${foot(view, 'storage')}`
    const isOpen = view.sent !== undefined
    return html`<div class="card row budget">${icon('disk')}<p class="grow">${say(storage.budget.text)}</p></div>
      ${factTable(view.teller, t('storage.caption'), storage.tests)}
      <details class="more"${isOpen && html` open`}><summary>${t('storage.settings')}</summary>${settings(view, storage)}</details>${foot(view, 'storage')}`
  },
  act({ setup, act, form, state, teller }) {
    if (act !== 'run') return undefined
    const input = inputOf(form, state.results.storage !== undefined)
    if ('dir' in input || !Array.isArray(input))
      return { work: tools => setup.run('storage', input as StorageInput, tools) }
    const problems = Object.fromEntries((input as readonly NumberName[]).map(name => [name, teller.t('error.wrong')]))
    return { refused: teller.t('error.wrong'), problems }
  },
}
