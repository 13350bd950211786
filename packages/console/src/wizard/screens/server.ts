import { type ServerResult, type Shape, SHAPES } from 'palier/setup'
import { type Html, html } from '../html.ts'
import { button, factTable, foot, form, invitation, select } from '../parts.ts'
import type { Screen, View } from '../view.ts'

const isShape = (text: string): text is Shape => (SHAPES as readonly string[]).includes(text)

function fastPath(view: View): Html {
  const { t } = view.teller
  const inner = html`<div class="card fast"><div class="grow"><h2>${t('server.fast.title')}</h2><p class="muted">${t('server.fast.text')}</p></div>
    ${button('fast', t('server.fast.run'), { tone: view.state.results.server === undefined ? 'primary' : '', icon: 'bolt' })}</div>`
  return form(view, 'server', inner)
}

function correction(view: View, { shape }: ServerResult): Html {
  const { t } = view.teller
  const shapes = SHAPES.map(value => ({ value, label: t(`shape.${value}`) }))
  return html`<details class="more"><summary>${t('server.wrong')}</summary><div class="card stack">
    <p class="muted">${t('server.wrong.text')}</p>
    ${form(view, 'server', html`<div class="toolbar">${select({ name: 'shape', label: t('server.shape'), value: shape }, shapes)}${button('correct', t('server.shape.save'))}</div>`)}
  </div></details>`
}

export const serverScreen: Screen = {
  id: 'server',
  title: ({ t }) => t('server.title'),
  lead: ({ t }) => t('server.lead'),
  status: ({ steps }) => steps.server,
  begin: setup => tools => setup.run('server', {}, tools),
  render(view) {
    const { t } = view.teller
    const { server } = view.state.results
    if (server === undefined)
      return html`${fastPath(view)}${invitation(view, 'server', 'server.run')}${foot(view, 'server')}`
    return html`${fastPath(view)}${factTable(view.teller, t('server.caption'), server.facts)}${correction(view, server)}
      ${form(view, 'server', button('run', t('foot.again'), { tone: 'small', icon: 'refresh' }), 'row')}${foot(view, 'server')}`
  },
  act({ setup, act, form: sent, teller }) {
    if (act === 'run') return { work: tools => setup.run('server', {}, tools) }
    if (act === 'fast') return { work: tools => setup.fast(tools), to: 'proposal' }
    if (act !== 'correct') return undefined
    const shape = sent.text('shape')
    if (!isShape(shape)) return { refused: teller.t('error.wrong'), problems: { shape: SHAPES.join(', ') } }
    return { work: tools => setup.run('server', { shape }, tools) }
  },
}
