import type { SetupState } from 'palier/setup'
import { type Html, html } from './html.ts'
import type { LoadedStep } from './options.ts'
import type { Teller } from './tell.ts'

export interface HostFact {
  readonly title: string
  readonly loaded: LoadedStep
}

type Line = readonly [label: string, text: string]

function linesOf(teller: Teller, { results }: SetupState): readonly Line[] {
  const { t, say, ms } = teller
  const { server, storage, redis, measure, proposal, types } = results
  const lines: Line[] = []
  if (server !== undefined) lines.push([t('know.server'), t(`shape.${server.shape}`)])
  if (storage !== undefined)
    lines.push([t('know.storage'), t(storage.usable ? 'know.storage.good' : 'know.storage.bad', { dir: storage.dir })])
  if (redis !== undefined) lines.push([t('know.redis'), say(redis.summary)])
  const cached = measure?.rows.filter(row => row.id !== 'none' && row.readHit !== undefined) ?? []
  const [fastest] = cached.toSorted((a, b) => (a.readHit?.p50 ?? 0) - (b.readHit?.p50 ?? 0))
  if (fastest?.readHit !== undefined)
    lines.push([
      t('know.measure'),
      t('know.measure.is', { name: say(fastest.name), time: ms(fastest.readHit.p50 / 1000) }),
    ])
  if (proposal !== undefined) lines.push([t('know.proposal'), say(proposal.chosen.title)])
  const preset = types?.presets.find(one => one.id === types.preset)
  if (types !== undefined && preset !== undefined)
    lines.push([t('know.types'), t('know.types.is', { n: types.types.length, preset: say(preset.title) })])
  return lines
}

/** What was found so far, in a few lines: beside the screen where there is room, folded above it where there is none. */
export function knowPanel(
  teller: Teller,
  state: SetupState,
  host: readonly HostFact[],
): { readonly beside: Html; readonly above: Html } {
  const { t, language } = teller
  const ours = host.flatMap(({ title, loaded: { summary } }): Line[] =>
    summary === undefined ? [] : [[title, summary[language]]],
  )
  const lines = [...linesOf(teller, state), ...ours]
  const list =
    lines.length === 0
      ? html`<p class="small muted">${t('know.nothing')}</p>`
      : html`<dl class="known">${lines.map(([label, text]) => html`<div><dt>${label}</dt><dd>${text}</dd></div>`)}</dl>`
  return {
    beside: html`<aside class="know" aria-label="${t('know.title')}"><h2>${t('know.title')}</h2>${list}</aside>`,
    above: html`<details class="know-narrow card"><summary>${t('know.title')}</summary>${list}</details>`,
  }
}
