import type { CorrectnessProof, MeasuredRow, MeasureResult, Timing } from 'palier/setup'
import { type Html, html } from '../html.ts'
import { icon } from '../icons.ts'
import { banner, button, foot, form, invitation } from '../parts.ts'
import type { Teller } from '../tell.ts'
import type { Screen, View } from '../view.ts'
import { readChart } from './chart.ts'

const toMs = (micros: number): number => micros / 1000

function times({ ms }: Teller, timing: Timing | undefined, both = false): string {
  if (timing === undefined) return '–'
  return both ? `${ms(toMs(timing.p50))} / ${ms(toMs(timing.p95))}` : ms(toMs(timing.p95))
}

function verdictOf(
  { t, say, number }: Teller,
  { comparison, failure }: MeasuredRow,
  rows: readonly MeasuredRow[],
): Html {
  if (failure !== undefined) return html`<span class="verdict-text down">${say(failure)}</span>`
  if (comparison === undefined) return html``
  const name = rows.find(one => one.id === comparison.to)?.name
  const other = name === undefined ? comparison.to : say(name)
  if (comparison.verdict === 'no measurable difference') return html`${t('measure.same')}`
  const verdict = t(comparison.verdict === 'faster' ? 'measure.faster' : 'measure.slower')
  const { times: factor } = comparison
  if (factor === undefined) return html`${t('measure.than', { verdict, other })}`
  return html`${t('measure.than.times', { times: number(Number(factor.toPrecision(2))), verdict, other })}`
}

function proofCount({ t }: Teller, proofs: readonly CorrectnessProof[]): string {
  if (proofs.length === 0) return '–'
  return t('measure.proofs.n', { n: proofs.filter(one => one.outcome === 'passed').length, of: proofs.length })
}

function table(view: View, { rows }: MeasureResult): Html {
  const { teller } = view
  const { t, say, bytes } = teller
  const cells = rows.map(row => {
    const { files, connections } = row.cost
    const parts = [
      t('measure.cost.files', { files }),
      bytes(row.cost.bytes),
      t('measure.cost.connections', { connections }),
    ]
    const cost = row.id === 'none' ? '–' : html`<ul>${parts.map(part => html`<li>${part}</li>`)}</ul>`
    return html`<tr><th scope="row">${say(row.name)}<p class="small muted plain"><span class="visually-hidden">${t('measure.verdict')}: </span>${verdictOf(teller, row, rows)}</p></th><td class="number" data-label="${t('measure.read')}">${times(teller, row.readHit, true)}</td><td class="number" data-label="${t('measure.write')}">${times(teller, row.write)}</td>
      <td class="number" data-label="${t('measure.mixed')}">${times(teller, row.mixed)}</td><td class="number" data-label="${t('measure.proofs')}">${proofCount(teller, row.proofs)}</td><td class="small" data-label="${t('measure.cost')}">${cost}</td></tr>`
  })
  const heads = (['row', 'read', 'write', 'mixed', 'proofs', 'cost'] as const).map(
    (name, i) => html`<th scope="col"${i > 0 && i < 5 && html` class="number"`}>${t(`measure.${name}`)}</th>`,
  )
  return html`<div class="card flush table-frame" tabindex="0" role="group" aria-label="${t('measure.caption')}"><table class="table measured labelled-narrow"><caption class="visually-hidden">${t('measure.caption')}</caption>
    <thead><tr>${heads}</tr></thead><tbody>${cells}</tbody></table></div>`
}

function proofs(view: View, { rows }: MeasureResult): Html {
  const { t, say } = view.teller
  const line = ({ outcome, text }: CorrectnessProof): Html => {
    const [name, tone, key] =
      outcome === 'passed'
        ? (['check', 'healthy', 'measure.passed'] as const)
        : outcome === 'failed'
          ? (['close', 'down', 'measure.failed'] as const)
          : (['minus', 'quiet', 'measure.notmade'] as const)
    return html`<li><span class="verdict ${tone}">${icon(name)}<span class="visually-hidden">${t(key)}</span></span> <span>${say(text)}</span></li>`
  }
  const groups = rows
    .filter(row => row.proofs.length > 0)
    .map(
      row =>
        html`<section class="stack tight"><h3>${say(row.name)}</h3><ul class="proofs">${row.proofs.map(line)}</ul></section>`,
    )
  return html`<details class="more"><summary>${t('measure.correct')}</summary><div class="card stack wide">${groups}</div></details>`
}

export const measureScreen: Screen = {
  id: 'measure',
  title: ({ t }) => t('measure.title'),
  lead: ({ t }) => t('measure.lead'),
  status: ({ steps }) => steps.measure,
  render(view) {
    const { t, say, ms } = view.teller
    const { measure } = view.state.results
    const limits = html`<p class="muted">${t('measure.limits')}</p>`
    if (measure === undefined)
      return html`${invitation(view, 'measure', 'measure.run', limits)}${foot(view, 'measure')}`
    const named = measure.rows.map(row => ({ row, name: say(row.name) }))
    return html`${measure.stopped !== undefined && banner('info', say(measure.stopped))}${table(view, measure)}${readChart(view.teller, named)}
      <p class="small muted">${t('measure.took', { rounds: measure.rounds, time: ms(measure.took) })}</p>${proofs(view, measure)}
      ${form(view, 'measure', button('run', t('foot.again'), { tone: 'small', icon: 'refresh' }), 'row')}${foot(view, 'measure')}`
  },
  act({ setup, act }) {
    return act === 'run' ? { work: tools => setup.run('measure', {}, tools) } : undefined
  },
}
