import { type PlannedType, type Preset, PRESETS, type Privacy, type TypeEdit, type TypesResult } from 'palier/setup'
import type { Form } from '../forms.ts'
import { type Html, html } from '../html.ts'
import { button, foot, form, invitation } from '../parts.ts'
import type { Teller } from '../tell.ts'
import type { Screen, View } from '../view.ts'

const UNITS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
type Unit = keyof typeof UNITS
const UNIT_NAMES = Object.keys(UNITS) as readonly Unit[]
const isUnit = (text: string): text is Unit => Object.hasOwn(UNITS, text)
const isPreset = (text: string): text is Preset => (PRESETS as readonly string[]).includes(text)

/** The largest unit in which the time is a whole number. */
function unitOf(ms: number): Unit {
  return UNIT_NAMES.findLast(unit => ms >= UNITS[unit] && ms % UNITS[unit] === 0) ?? 's'
}

function time(view: View, what: 'ttl' | 'grace', { name, [what]: ms }: PlannedType): Html {
  const { t } = view.teller
  const id = `${what}-${name}`
  const unit = view.sent?.text(`${id}-unit`) ?? unitOf(ms)
  const value = view.sent?.text(id) ?? String(ms / UNITS[unitOf(ms)])
  const problem = view.problems[id]
  const options = UNIT_NAMES.map(
    one => html`<option value="${one}"${one === unit && html` selected`}>${t(`types.unit.${one}`)}</option>`,
  )
  return html`<div class="time"><input class="input" type="number" min="0" step="any" inputmode="decimal" name="${id}" value="${value}" aria-label="${t(`types.${what}`)}: ${name}"${problem !== undefined && html` aria-invalid="true" aria-describedby="${id}-problem"`}>
    <select class="input" name="${id}-unit" aria-label="${t('types.unit', { name: `${t(`types.${what}`)} ${name}` })}">${options}</select></div>
    ${problem !== undefined && html`<p class="problem small" id="${id}-problem">${problem}</p>`}`
}

/** What the code of the application makes possible: its own scope, or nothing. */
function privacy(view: View, { name, privacy: chosen, declared }: PlannedType): Html {
  const { t } = view.teller
  const now = view.sent?.text(`privacy-${name}`) ?? chosen
  const allowed: readonly Privacy[] = [declared.scope ?? 'public', 'never']
  const options = allowed.map(
    one => html`<option value="${one}"${one === now && html` selected`}>${t(`types.${one}`)}</option>`,
  )
  return html`<select class="input" name="privacy-${name}" aria-label="${t('types.privacy')}: ${name}">${options}</select>`
}

function presetForm(view: View, { preset, presets }: TypesResult): Html {
  const { t, say } = view.teller
  const cards = presets.map(
    ({ id, title, who }) =>
      html`<label class="choice card"><input type="radio" name="preset" value="${id}"${id === preset && html` checked`}><span><strong>${say(title)}</strong><br><span class="small muted">${say(who)}</span></span></label>`,
  )
  return form(
    view,
    'types',
    html`<fieldset class="stack"><legend>${t('types.preset')}</legend><div class="choices">${cards}</div></fieldset><div>${button('preset', t('types.preset.use'))}</div>`,
  )
}

function typeRow(view: View, type: PlannedType): Html {
  const { t, language } = view.teller
  const what = view.options.types?.[type.name]?.[language] ?? type.description
  return html`<tr><th scope="row"><code>${type.name}</code>${what !== undefined && html`<p class="small muted plain">${what}</p>`}</th>
    <td data-label="${t('types.ttl')}">${time(view, 'ttl', type)}</td><td data-label="${t('types.grace')}">${time(view, 'grace', type)}</td><td data-label="${t('types.privacy')}">${privacy(view, type)}</td></tr>`
}

function table(view: View, { preset, types }: TypesResult): Html {
  const { t } = view.teller
  const rows = types.map(type => typeRow(view, type))
  return form(
    view,
    'types',
    html`<input type="hidden" name="preset" value="${preset}"><div class="card flush table-frame" tabindex="0" role="group" aria-label="${t('types.caption')}"><table class="table typed labelled-narrow"><caption class="visually-hidden">${t('types.caption')}</caption>
    <thead><tr><th scope="col">${t('types.type')}</th><th scope="col">${t('types.ttl')}</th><th scope="col">${t('types.grace')}</th><th scope="col">${t('types.privacy')}</th></tr></thead><tbody>${rows}</tbody></table></div>
    <div class="row end">${button('save', t('types.save'), { tone: 'primary' })}</div>`,
  )
}

function milliseconds(sent: Form, id: string): number | undefined {
  const value = Number(sent.text(id).replace(',', '.'))
  const unit = sent.text(`${id}-unit`)
  return sent.text(id) !== '' && Number.isFinite(value) && value >= 0 && isUnit(unit)
    ? Math.round(value * UNITS[unit])
    : undefined
}

/** Only what differs from the preset is an edit. */
function editOf(
  sent: Form,
  { name, declared }: PlannedType,
  plain: PlannedType | undefined,
): TypeEdit | readonly string[] {
  const [ttl, grace] = [milliseconds(sent, `ttl-${name}`), milliseconds(sent, `grace-${name}`)]
  const wrong = [ttl === undefined && `ttl-${name}`, grace === undefined && `grace-${name}`].filter(
    one => one !== false,
  )
  if (wrong.length > 0) return wrong
  const privacy = sent.text(`privacy-${name}`) === 'never' ? 'never' : (declared.scope ?? 'public')
  return {
    name,
    ...(ttl !== undefined && ttl !== plain?.ttl && { ttl }),
    ...(grace !== undefined && grace !== plain?.grace && { grace }),
    ...(privacy !== plain?.privacy && { privacy }),
  }
}

function editsOf(
  sent: Form,
  types: readonly PlannedType[],
  { t }: Teller,
): readonly TypeEdit[] | Readonly<Record<string, string>> {
  const found = types.map(type => editOf(sent, type, type.edited ? undefined : type))
  const wrong = found.flatMap(one => ('name' in one ? [] : one))
  if (wrong.length > 0) return Object.fromEntries(wrong.map(id => [id, t('error.wrong')]))
  return found.filter((one): one is TypeEdit => 'name' in one && Object.keys(one).length > 1)
}

export const typesScreen: Screen = {
  id: 'types',
  title: ({ t }) => t('types.title'),
  lead: ({ t }) => t('types.lead'),
  status: ({ steps }) => steps.types,
  always: true,
  begin: setup => tools => setup.run('types', {}, tools),
  render(view) {
    const { t } = view.teller
    const { types } = view.state.results
    if (types === undefined) return html`${invitation(view, 'types', 'types.run')}${foot(view, 'types')}`
    const { sample } = types
    const none =
      sample !== undefined &&
      html`<div class="card stack"><p>${t('types.none')}</p><pre class="code" tabindex="0">${sample}</pre></div>`
    return html`${presetForm(view, types)}${sample === undefined ? table(view, types) : none}${foot(view, 'types', { next: sample !== undefined })}`
  },
  act({ setup, act, form: sent, state, teller }) {
    const preset = sent.text('preset')
    if (act === 'run') return { work: tools => setup.run('types', {}, tools) }
    if ((act !== 'preset' && act !== 'save') || !isPreset(preset)) return undefined
    if (act === 'preset') return { work: tools => setup.run('types', { preset }, tools) }
    const edits = editsOf(sent, state.results.types?.types ?? [], teller)
    if (!Array.isArray(edits))
      return { refused: teller.t('error.wrong'), problems: edits as Readonly<Record<string, string>> }
    return { work: tools => setup.run('types', { preset, edits: edits as readonly TypeEdit[] }, tools), to: '' }
  },
}
