import type { ApplyResult, Review } from 'palier/setup'
import { type Html, html } from '../html.ts'
import { banner, button, foot, form } from '../parts.ts'
import type { Screen, View } from '../view.ts'

function diff(view: View, { file, diff: lines, same }: Review): Html {
  const { t } = view.teller
  if (same) return banner('info', t('apply.same'))
  const shown = lines.map(({ mark, text }) => {
    const tag = mark === '+' ? 'ins' : mark === '-' ? 'del' : 'span'
    return html`${{ markup: `<${tag} class="line">` }}${mark} ${text}${{ markup: `</${tag}>` }}
`
  })
  return html`<section class="stack tight"><h2>${t('apply.diff', { file })}</h2><pre class="code diff" tabindex="0">${shown}</pre></section>`
}

function touched(view: View, review: Review): Html {
  const { t, say } = view.teller
  const rows = review.touched.map(
    ({ path, mode, what }) =>
      html`<tr><th scope="row"><code class="wrap-anywhere">${path}</code></th><td data-label="${t('apply.mode')}"><code>${mode}</code></td><td data-label="${t('apply.what')}">${say(what)}</td></tr>`,
  )
  return html`<div class="card flush"><table class="table labelled-narrow"><caption class="visually-hidden">${t('apply.touched')}</caption><thead><tr><th scope="col">${t('apply.touched')}</th><th scope="col">${t('apply.mode')}</th><th scope="col">${t('apply.what')}</th></tr></thead><tbody>${rows}</tbody></table></div>
    <p><strong>${t('apply.restart')}:</strong> ${say(review.restart)}</p>`
}

function snippets(view: View, { snippets: list, writable }: Review): Html {
  const { t, say } = view.teller
  const blocks = list.map(
    ({ title, text }) =>
      html`<section class="stack tight"><h3>${say(title)}</h3><pre class="code" tabindex="0">${text}</pre></section>`,
  )
  return html`<details class="more"${!writable && html` open`}><summary>${t('apply.snippets')}</summary><div class="card stack wide">${blocks}</div></details>`
}

function processes(view: View, { processes: seen }: ApplyResult): Html {
  return html`${seen !== undefined && html`<p class="small muted">${view.teller.t('apply.processes', { ready: seen.ready, all: seen.all })}</p>`}`
}

/** The question with its end: enforced by the engine, shown here. */
function keep(view: View, revertAt: number, apply: ApplyResult | undefined): Html {
  const { t, say } = view.teller
  const seconds = Math.max(0, Math.ceil((revertAt - view.now) / 1000))
  return html`<section class="card stack big keep"><h2>${t('apply.keep.title')}</h2>
    <p class="countdown" data-until="${revertAt}" data-now="${view.now}" data-words="${t('apply.keep.text', { seconds: '#' })}">${t('apply.keep.text', { seconds })}</p>
    ${apply !== undefined && html`${processes(view, apply)}${apply.advice !== undefined && html`<p>${say(apply.advice)}</p>`}`}
    ${form(view, 'apply', html`${button('keep', t('apply.keep'), { tone: 'primary', icon: 'check' })}${button('revert', t('apply.revert'))}`, 'row')}</section>`
}

const isOver = (phase: ApplyResult['phase'] | undefined): boolean => phase === 'kept' || phase === 'by hand'

function result(view: View, apply: ApplyResult): Html {
  const { t, say } = view.teller
  const tone = isOver(apply.phase) ? 'healthy' : 'degraded'
  const title =
    apply.phase === 'kept' ? t('apply.kept') : apply.phase === 'reverted' ? t('apply.reverted') : say(apply.text)
  const more = html`${title !== say(apply.text) && html`<p>${say(apply.text)}</p>`}${apply.advice !== undefined && html`<p>${say(apply.advice)}</p>`}${processes(view, apply)}`
  return banner(tone, title, more)
}

/** The first step that must be made before anything is applied. */
const missing = ({ screens }: View): View['screens'][number] | undefined =>
  screens
    .slice(
      0,
      screens.findIndex(one => one.id === 'apply'),
    )
    .find(one => one.status === 'open')

export const applyScreen: Screen = {
  id: 'apply',
  title: ({ t }) => t('apply.title'),
  lead: ({ t }, { results, pending }) =>
    results.apply === undefined && pending === undefined ? t('apply.lead') : undefined,
  status: ({ steps, results, pending }) =>
    pending === undefined && isOver(results.apply?.phase) ? steps.apply : 'open',
  always: true,
  async render(view) {
    const { t, say } = view.teller
    const { pending, results } = view.state
    if (pending !== undefined) return keep(view, pending.revertAt, results.apply)
    const before = missing(view)
    if (before !== undefined) {
      return html`${banner('info', t('apply.missing', { step: before.title }), html`<a href="./${before.id}">${before.title}</a>`)}${foot(view, 'apply', { skip: false })}`
    }
    const review = await view.setup.review()
    const said = results.apply !== undefined && result(view, results.apply)
    const act = review.writable
      ? button('run', results.apply === undefined || isOver(results.apply.phase) ? t('apply.run') : t('apply.again'), {
          tone: 'primary',
          icon: 'check',
        })
      : button('hand', t('apply.check'), { tone: 'primary' })
    const readOnly = review.why !== undefined && banner('degraded', t('apply.readonly'), say(review.why))
    const isDone = isOver(results.apply?.phase) && review.same
    return html`${said}${readOnly}${diff(view, review)}${touched(view, review)}${snippets(view, review)}
      ${!isDone && form(view, 'apply', act, 'row end')}${foot(view, 'apply', { skip: false })}`
  },
  act({ setup, act }) {
    switch (act) {
      case 'run':
        return { work: tools => setup.run('apply', {}, tools) }
      case 'hand':
        return { work: tools => setup.run('apply', { byHand: true }, tools) }
      case 'keep':
        return { work: () => setup.keep(), to: 'proof' }
      case 'revert':
        return { work: () => setup.revert() }
      default:
        return undefined
    }
  },
}
