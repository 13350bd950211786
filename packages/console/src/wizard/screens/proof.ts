import type { ProofResult } from 'palier/setup'
import { type Html, html } from '../html.ts'
import { icon } from '../icons.ts'
import { banner, button, foot, form, invitation, pill } from '../parts.ts'
import type { Screen, View } from '../view.ts'

const TONES: Readonly<Record<ProofResult['requests'][number]['status'], string>> = {
  HIT: 'healthy',
  STALE: 'info',
  MISS: 'warning',
  BYPASS: 'down',
  unknown: '',
}

function table(view: View, { requests, of }: ProofResult): Html {
  const { t, say, ms } = view.teller
  const caption = t(of === 'site' ? 'proof.caption' : 'proof.caption.cache')
  const rows = requests.map(
    one => html`<tr><th scope="row">${say(one.label)}</th><td data-label="${t('proof.status')}">${pill(TONES[one.status], one.status)}</td><td class="number" data-label="${t('proof.time')}">${ms(one.ms)}</td><td class="number" data-label="${t('proof.http')}">${one.http ?? '–'}</td>
    <td data-label="${t('proof.headers')}">${one.headers.length === 0 ? '–' : html`<ul class="headers">${one.headers.map(line => html`<li><code>${line}</code></li>`)}</ul>`}</td></tr>`,
  )
  const heads = (['request', 'status', 'time', 'http', 'headers'] as const).map(
    name =>
      html`<th scope="col"${(name === 'time' || name === 'http') && html` class="number"`}>${t(`proof.${name}`)}</th>`,
  )
  return html`<div class="card flush table-frame" tabindex="0" role="group" aria-label="${caption}"><table class="table labelled-narrow"><caption class="visually-hidden">${caption}</caption><thead><tr>${heads}</tr></thead><tbody>${rows}</tbody></table></div>`
}

function afterwards(view: View, proof: ProofResult): Html {
  const { t } = view.teller
  const { site, console, pinger, cron = proof.cron } = view.options.proof ?? {}
  const link = (href: string, name: string): Html => html`<a class="button" href="${href}">${name}</a>`
  return html`<section class="stack tight"><h2>${t('proof.cron')}</h2><pre class="code wrap">${cron}</pre></section>
    ${pinger !== undefined && html`<section class="stack tight"><h2>${t('proof.pinger')}</h2><pre class="code wrap">${pinger}</pre></section>`}
    <div class="row">${site !== undefined && link(site, t('proof.site'))}${console !== undefined && link(console, t('proof.console'))}
    <a class="button" href="./report.txt">${icon('download')}${t('proof.report')}</a></div>`
}

function ending(view: View): Html {
  const { t } = view.teller
  return form(
    view,
    'proof',
    html`<div class="card row"><p class="grow muted">${t('proof.finish.text')}</p>${button('finish', t('proof.finish'), { tone: 'primary', icon: 'lock' })}</div>`,
  )
}

export const proofScreen: Screen = {
  id: 'proof',
  title: ({ t }) => t('proof.title'),
  lead: ({ t }) => t('proof.lead'),
  status: ({ steps }) => steps.proof,
  render(view) {
    const { t, say } = view.teller
    const { results, pending } = view.state
    const { proof } = results
    const isReady = view.screens.find(one => one.id === 'apply')?.status === 'done'
    if (!isReady || pending !== undefined)
      return html`${banner('info', t('proof.wait'), html`<a href="./apply">${t('apply.title')}</a>`)}${foot(view, 'proof', { skip: false, next: false })}`
    if (proof === undefined)
      return html`${invitation(view, 'proof', 'proof.run')}${ending(view)}${foot(view, 'proof', { skip: false, next: false })}`
    const said = banner(
      proof.passed ? 'healthy' : 'degraded',
      t(proof.passed ? 'proof.passed' : 'proof.failed'),
      html`<p>${say(proof.summary)}</p>${proof.reason !== undefined && html`<p>${say(proof.reason)}</p>`}`,
    )
    return html`${said}${table(view, proof)}${form(view, 'proof', button('run', t('foot.again'), { tone: 'small', icon: 'refresh' }), 'row')}${afterwards(view, proof)}${ending(view)}${foot(view, 'proof', { skip: false, next: false })}`
  },
  async act({ setup, act, state }) {
    if (act === 'run') return { work: tools => setup.run('proof', {}, tools) }
    if (act !== 'finish' || state.pending !== undefined) return undefined
    await setup.finish()
    return { last: true }
  },
}
