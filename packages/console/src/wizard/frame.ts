import type { StepStatus } from 'palier/setup'
import { type Html, html, type Piece } from './html.ts'
import { icon, MARK } from './icons.ts'
import type { Teller } from './tell.ts'
import type { View } from './view.ts'
import type { Theme, Visit } from './visits.ts'

export interface Frame {
  readonly view: View
  readonly visit: Visit
  /** The screen that is shown: `unlock` has no rail. */
  readonly screen: string
  readonly title: string
  readonly lead?: string | undefined
  readonly content: Html
  readonly know?: { readonly beside: Html; readonly above: Html } | undefined
  /** Seconds after which the page asks again how far the work is. */
  readonly refresh?: number | undefined
  readonly error?: Html | undefined
}

function mark(status: StepStatus, at: number): Piece {
  if (status === 'done') return icon('check')
  if (status === 'skipped') return icon('minus')
  return status === 'stale' ? '!' : String(at + 1)
}

function railItems({ view: { teller, screens }, screen }: Frame): Html {
  const { t } = teller
  const reached = Math.max(
    screens.findIndex(one => one.id === screen),
    screens.findLastIndex(one => one.status !== 'open'),
    screens.findIndex(one => one.status === 'open'),
  )
  const items = screens.map(({ id, title, status }, i) => {
    const inner = html`<span class="mark" aria-hidden="true">${mark(status, i)}</span><span>${title}<span class="visually-hidden">, ${t(`rail.${status}`)}</span></span>`
    const isHere = id === screen
    const item =
      i <= reached
        ? html`<a href="./${id}"${isHere && html` aria-current="step"`}>${inner}</a>`
        : html`<span>${inner}</span>`
    return html`<li class="${status}">${item}</li>`
  })
  return html`<ol class="steps">${items}</ol>`
}

function rail(frame: Frame): Html {
  const { view, screen } = frame
  const { t } = view.teller
  if (screen === 'unlock' || view.screens.length === 0) return html``
  const at = view.screens.findIndex(one => one.id === screen)
  const where = t('rail.where', { n: at + 1, of: view.screens.length })
  const items = railItems(frame)
  return html`<nav class="rail" aria-label="${t('rail.label')}">${items}</nav>
    <details class="rail-narrow card"><summary><span>${where}</span><progress max="${view.screens.length}" value="${at + 1}" aria-hidden="true"></progress></summary><nav aria-label="${t('rail.label')}">${items}</nav></details>`
}

function choices({ view, visit, screen }: Frame): Html {
  const { t, language } = view.teller
  const pressed = (is: boolean): Html => html` aria-pressed="${is ? 'true' : 'false'}"`
  const languages = (['en', 'fr'] as const).map(
    one =>
      html`<button name="language" value="${one}" lang="${one}"${pressed(one === language)}>${one === 'en' ? 'English' : 'Français'}</button>`,
  )
  const themes = (['system', 'light', 'dark'] as const satisfies readonly Theme[]).map(
    one => html`<button name="theme" value="${one}"${pressed(one === visit.theme)}>${t(`bar.theme.${one}`)}</button>`,
  )
  return html`<form class="choice-bar" method="post" action="./choice">${view.token}<input type="hidden" name="back" value="${screen}">
    <span class="segmented" role="group" aria-label="${t('bar.language')}">${languages}</span><span class="segmented" role="group" aria-label="${t('bar.theme')}">${themes}</span></form>`
}

function head({ t }: Teller, { title, refresh, view }: Pick<Frame, 'title' | 'refresh' | 'view'>): Html {
  const name = view.options.name ?? 'Palier'
  return html`<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex">
    ${refresh !== undefined && html`<meta http-equiv="refresh" content="${refresh}">`}<title>${t('app.title', { screen: title, name })}</title>
    <link rel="stylesheet" href="./wizard.css"><script src="./wizard.js" defer></script></head>`
}

/** A whole page. Nothing in it is needed but the page itself: style and script only make it pleasant. */
export function page(frame: Frame): Html {
  const { view, visit, screen, title, lead, content, know, error } = frame
  const { teller, options } = view
  const { t, language } = teller
  const theme = visit.theme === 'system' ? undefined : html` data-theme="${visit.theme}"`
  return html`${{ markup: '<!doctype html>' }}<html lang="${language}"${theme}>${head(teller, frame)}
    <body><a class="skip button" href="#content">${t('app.skip')}</a>
    <header class="bar-top"><span class="brand">${MARK}<span>${options.name ?? 'Palier'}</span></span><span class="muted small where">${t('app.install')}</span>${choices(frame)}</header>
    <div class="wizard${screen === 'unlock' ? ' alone' : ''}">${rail(frame)}
    <main class="stack wide" id="content" tabindex="-1">${know?.above}<div class="stack tight"><h1>${title}</h1>${lead !== undefined && html`<p class="lead muted">${lead}</p>`}</div>${error}${content}</main>${know?.beside}</div></body></html>`
}

/** How far the work is: a bar that the script moves, and that a reload moves without it. */
export function progressCard(
  view: View,
  progress: {
    readonly share: number | undefined
    readonly text: string
    readonly left: string | undefined
    readonly facts: Html | undefined
  },
  screen: string,
): Html {
  const { t } = view.teller
  const { share, text, left, facts } = progress
  return html`<section class="card stack" data-run><h2>${t('run.title')}</h2>
    <div class="progress"><progress max="1"${share !== undefined && html` value="${Math.round(share * 1000) / 1000}"`} aria-label="${t('run.title')}"></progress>
    <p class="row between small"><span data-run-text aria-live="polite">${text}</span><span class="muted" data-run-left>${left}</span></p></div>
    <p class="small muted">${t('run.still')}</p>
    <form method="post" action="./${screen}">${view.token}<button class="button" name="act" value="cancel">${t('run.cancel')}</button></form></section>${facts}`
}
