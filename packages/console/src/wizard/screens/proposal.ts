import type { Proposal, ProposalResult } from 'palier/setup'
import { type Html, html } from '../html.ts'
import { icon, type IconName } from '../icons.ts'
import { banner, button, field, foot, form, invitation, pill, sentences } from '../parts.ts'
import type { Screen, View } from '../view.ts'

function chain(view: View, { chain: boxes }: Proposal): Html {
  const { t } = view.teller
  const box = (id: string): readonly [IconName, string] => {
    if (id === 'memory') return ['bolt', t('proposal.memory')]
    if (id === 'disk') return ['disk', t('proposal.disk')]
    if (id === 'origin') return ['database', t('proposal.origin')]
    const where = view.state.results.redis?.candidates.find(one => one.id === id)?.where
    return ['layers', where === undefined ? 'Redis' : `Redis ${where}`]
  }
  const items = boxes.map((id, i) => {
    const [name, text] = box(id)
    return html`<li>${i > 0 && html`<span class="arrow">${icon('arrowRight')}</span>`}<span class="box">${icon(name)}<span class="wrap-anywhere">${text}</span></span></li>`
  })
  return html`<div class="stack tight"><h3 class="label">${t('proposal.chain')}</h3><ol class="chain">${items}</ol></div>`
}

function about(view: View, proposal: Proposal): Html {
  const { teller } = view
  const { t, say } = teller
  const { evidence, cost, against, takeover } = proposal
  return html`${chain(view, proposal)}${takeover !== undefined && html`<p class="row takeover">${icon('refresh')}<span class="grow">${say(takeover)}</span></p>`}
    ${evidence.length > 0 && html`<div class="stack tight"><h3 class="label">${t('proposal.why')}</h3>${sentences(teller, evidence, 'good')}</div>`}
    ${cost.length > 0 && html`<div class="stack tight"><h3 class="label">${t('proposal.cost')}</h3>${sentences(teller, cost)}</div>`}
    ${against.length > 0 && html`<div class="stack tight"><h3 class="label">${t('proposal.against')}</h3>${sentences(teller, against, 'bad')}</div>`}`
}

function other(view: View, proposal: Proposal, isProposed: boolean): Html {
  const { t, say } = view.teller
  const isAgainst = proposal.against.length > 0
  const typed = view.sent?.text('choose') === proposal.id ? view.sent.text('reason') : ''
  const label = isProposed ? t('proposal.back') : t(isAgainst ? 'proposal.anyway' : 'proposal.choose')
  const reason =
    isAgainst &&
    field({
      name: 'reason',
      label: t('proposal.reason'),
      hint: t('proposal.reason.hint'),
      value: typed,
      problem: view.problems[proposal.id],
      required: true,
    })
  return html`<article class="card stack"><header><h3>${say(proposal.title)}</h3>${isProposed && pill('info', t('proposal.is'))}</header>${about(view, proposal)}
    ${form(view, 'proposal', html`<input type="hidden" name="choose" value="${proposal.id}">${reason}<div>${button('choose', label)}</div>`)}</article>`
}

function chosenCard(view: View, { proposal, chosen, reason }: ProposalResult): Html {
  const { t, say } = view.teller
  const isProposed = chosen.id === proposal.id
  return html`<section class="card stack wide big"><div class="stack tight"><p>${pill(isProposed ? 'healthy' : 'info', t(isProposed ? 'proposal.is' : 'proposal.chosen'))}</p><h2>${say(chosen.title)}</h2></div>
    ${about(view, chosen)}${reason !== undefined && html`<p class="muted">${t('proposal.reason.was', { reason })}</p>`}</section>`
}

export const proposalScreen: Screen = {
  id: 'proposal',
  title: ({ t }) => t('proposal.title'),
  lead: ({ t }) => t('proposal.lead'),
  status: ({ steps }) => steps.proposal,
  always: true,
  begin: setup => tools => setup.run('proposal', {}, tools),
  render(view) {
    const { t } = view.teller
    const { proposal: result } = view.state.results
    if (result === undefined) return html`${invitation(view, 'proposal', 'proposal.run')}${foot(view, 'proposal')}`
    const { proposal, chosen, alternatives } = result
    const others = [proposal, ...alternatives].filter(one => one.id !== chosen.id)
    const isStale = view.state.steps.proposal === 'stale'
    const again =
      isStale &&
      html`${banner('info', t('rail.stale'))}${form(view, 'proposal', button('run', t('proposal.run'), { tone: 'primary' }), 'row')}`
    return html`${again}${chosenCard(view, result)}${others.length > 0 && html`<details class="more"${view.sent !== undefined && html` open`}><summary>${t('proposal.others')}</summary><div class="stack">${others.map(one => other(view, one, one.id === proposal.id))}</div></details>`}${foot(view, 'proposal')}`
  },
  act({ setup, act, form: sent, state, teller }) {
    if (act === 'run') return { work: tools => setup.run('proposal', {}, tools) }
    if (act !== 'choose') return undefined
    const choose = sent.text('choose')
    const reason = sent.optional('reason')?.slice(0, 300)
    const known = state.results.proposal
    const meant = [known?.proposal, ...(known?.alternatives ?? [])].find(one => one?.id === choose)
    if (meant !== undefined && meant.against.length > 0 && reason === undefined) {
      return { refused: teller.t('error.wrong'), problems: { [choose]: teller.t('proposal.reason') } }
    }
    return { work: tools => setup.run('proposal', { choose, ...(reason !== undefined && { reason }) }, tools) }
  },
}
