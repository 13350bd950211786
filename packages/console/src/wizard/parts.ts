import type { Fact, Sentence, Verdict } from 'palier/setup'
import { type Html, html, type Piece } from './html.ts'
import { icon, type IconName } from './icons.ts'
import type { Teller } from './tell.ts'
import type { View } from './view.ts'
import type { FrameKey } from './words-en.ts'

const VERDICTS: Readonly<Record<Verdict, { readonly icon: IconName; readonly tone: string }>> = {
  good: { icon: 'check', tone: 'healthy' },
  note: { icon: 'info', tone: 'info' },
  warning: { icon: 'alert', tone: 'warning' },
  bad: { icon: 'close', tone: 'down' },
  unknown: { icon: 'question', tone: 'quiet' },
}

/** The verdict as a sign with its word beside it for whoever cannot see the sign. */
export function verdictMark({ t }: Teller, verdict: Verdict): Html {
  const { icon: name, tone } = VERDICTS[verdict]
  return html`<span class="verdict ${tone}">${icon(name)}<span class="visually-hidden">${t(`verdict.${verdict}`)}</span></span>`
}

export function pill(tone: string, text: string): Html {
  return html`<span class="pill ${tone}">${text}</span>`
}

function factRow(teller: Teller, fact: Fact): Html {
  return html`<tr id="fact-${fact.id}"><th scope="row"><span class="with-mark">${verdictMark(teller, fact.verdict)}<span>${teller.say(fact.label)}</span></span></th><td>
    <p>${teller.say(fact.text)}</p>
    ${fact.evidence !== undefined && fact.evidence !== '' && html`<p class="small muted wrap-anywhere"><code>${fact.evidence}</code></p>`}
    ${fact.advice !== undefined && html`<p class="small advice">${teller.say(fact.advice)}</p>`}
  </td></tr>`
}

export function factTable(teller: Teller, caption: string, facts: readonly Fact[]): Html {
  const { t } = teller
  return html`<div class="card flush"><table class="table facts-table">
    <caption class="visually-hidden">${caption}</caption>
    <thead><tr><th scope="col">${t('facts.check')}</th><th scope="col">${t('facts.result')}</th></tr></thead>
    <tbody>${facts.map(fact => factRow(teller, fact))}</tbody></table></div>`
}

export function banner(tone: 'info' | 'healthy' | 'degraded' | 'down', title: string, text?: Piece): Html {
  const name = tone === 'healthy' ? 'check' : tone === 'info' ? 'info' : 'alert'
  const role = tone === 'down' ? html` role="alert"` : undefined
  return html`<div class="banner ${tone}"${role}>${icon(name)}<div class="grow"><strong>${title}</strong>${text}</div></div>`
}

export interface FieldLook {
  readonly name: string
  /** Where several forms of a page ask for the same. Default: made of the name. */
  readonly id?: string
  readonly label: string
  readonly hint?: string | undefined
  readonly value?: string | undefined
  readonly type?: 'text' | 'email' | 'password' | 'number'
  readonly problem?: string | undefined
  readonly autocomplete?: string | undefined
  readonly code?: boolean | undefined
  readonly required?: boolean
  readonly step?: string
}

/** What a field says below itself, and what its attributes point at. */
function notes(
  id: string,
  { hint, problem }: Pick<FieldLook, 'hint' | 'problem'>,
): { readonly shown: Html; readonly attributes: Html } {
  const ids = [hint === undefined ? '' : `${id}-hint`, problem === undefined ? '' : `${id}-problem`].filter(
    one => one !== '',
  )
  return {
    shown: html`${hint !== undefined && html`<p class="hint" id="${id}-hint">${hint}</p>`}${
      problem !== undefined && html`<p class="problem" id="${id}-problem">${icon('alert')}<span>${problem}</span></p>`
    }`,
    attributes: html`${ids.length > 0 && html` aria-describedby="${ids.join(' ')}"`}${problem !== undefined && html` aria-invalid="true"`}`,
  }
}

export function field(look: FieldLook): Html {
  const { name, label, value, type = 'text', autocomplete = 'off', code, required, step } = look
  const id = `field-${look.id ?? name}`
  const { shown, attributes } = notes(id, look)
  const given = type !== 'password' && value !== undefined && html` value="${value}"`
  const number = type === 'number' && html` min="0" step="${step ?? '1'}" inputmode="decimal"`
  return html`<div class="field"><label for="${id}">${label}</label>
    <input class="input${code === true ? ' mono' : ''}" id="${id}" name="${name}" type="${type}"${given}${number} autocomplete="${autocomplete}"${code === true && html` spellcheck="false" autocapitalize="off"`}${required === true && html` required`}${attributes}>${shown}</div>`
}

export interface Option {
  readonly value: string
  readonly label: string
}

export function select(
  look: Pick<FieldLook, 'name' | 'id' | 'label' | 'hint' | 'problem' | 'value'>,
  options: readonly Option[],
): Html {
  const id = `field-${look.id ?? look.name}`
  const { shown, attributes } = notes(id, look)
  return html`<div class="field"><label for="${id}">${look.label}</label>
    <select class="input" id="${id}" name="${look.name}"${attributes}>${options.map(
      ({ value, label }) => html`<option value="${value}"${value === look.value && html` selected`}>${label}</option>`,
    )}</select>${shown}</div>`
}

export function button(
  act: string,
  label: string,
  look: { readonly tone?: string; readonly icon?: IconName } = {},
): Html {
  return html`<button class="button ${look.tone ?? ''}" name="act" value="${act}">${look.icon !== undefined && icon(look.icon)}${label}</button>`
}

export function form({ token }: Pick<View, 'token'>, screen: string, inner: Piece, look = 'stack'): Html {
  return html`<form class="${look}" method="post" action="./${screen}">${token}${inner}</form>`
}

/** Back, skip, continue: at the end of each screen. */
export function foot(
  view: View,
  screen: string,
  { skip = true, next = true }: { readonly skip?: boolean; readonly next?: boolean } = {},
): Html {
  const { t } = view.teller
  const at = view.screens.findIndex(one => one.id === screen)
  const before = view.screens[at - 1]
  const isOpen = view.screens[at]?.status === 'open' || view.screens[at]?.status === 'stale'
  return html`<form class="foot" method="post" action="./${screen}">${view.token}
    ${before !== undefined && html`<a class="button quiet" href="./${before.id}">${t('foot.back')}</a>`}
    <span class="push"></span>
    ${skip && isOpen && html`<button class="button" name="act" value="skip">${t('foot.skip')}</button>`}
    ${next && !isOpen && html`<button class="button primary" name="act" value="next">${t('foot.continue')}${icon('arrowRight')}</button>`}
  </form>`
}

/** The button that makes a step, alone on its screen while nothing is known yet. */
export function invitation(view: View, screen: string, label: FrameKey, more?: Piece): Html {
  return form(
    view,
    screen,
    html`<div class="card invitation stack">${more}<div>${button('run', view.teller.t(label), { tone: 'primary', icon: 'bolt' })}</div></div>`,
  )
}

export const sentences = ({ say }: Teller, list: readonly Sentence[], look = ''): Html =>
  html`<ul class="lines ${look}">${list.map(one => html`<li>${say(one)}</li>`)}</ul>`
