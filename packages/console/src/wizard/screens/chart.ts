import type { MeasuredRow } from 'palier/setup'
import { type Html, html } from '../html.ts'
import type { Teller } from '../tell.ts'

const WIDTH = 640
const LEFT = 205
const RIGHT = 20
const ROW = 40
const TOP = 12

/** Medians with their confidence and the way to p95, on a scale where each step is ten times the one before. Read from the table by whoever cannot see it. */
export function readChart(
  { t, ms }: Teller,
  rows: readonly { readonly row: MeasuredRow; readonly name: string }[],
): Html {
  const shown = rows.flatMap(({ row, name }) => (row.readHit === undefined ? [] : [{ name, time: row.readHit }]))
  if (shown.length === 0) return html``
  const lowest = Math.floor(Math.log10(Math.max(0.1, Math.min(...shown.map(({ time }) => time.low)))))
  const highest = Math.max(
    lowest + 1,
    Math.ceil(Math.log10(Math.max(...shown.map(({ time }) => Math.max(time.p95, time.high))))),
  )
  const at = (micros: number): number =>
    Math.round(
      (LEFT + ((Math.log10(Math.max(micros, 10 ** lowest)) - lowest) / (highest - lowest)) * (WIDTH - LEFT - RIGHT)) *
        10,
    ) / 10
  const bottom = TOP + shown.length * ROW
  const decades = Array.from({ length: highest - lowest + 1 }, (_, i) => lowest + i)
  const scale = decades.map(
    decade =>
      html`<line class="grid" x1="${at(10 ** decade)}" y1="${TOP}" x2="${at(10 ** decade)}" y2="${bottom}"/><text class="tick" x="${at(10 ** decade)}" y="${bottom + 18}" text-anchor="middle">${ms(10 ** decade / 1000)}</text>`,
  )
  const marks = shown.map(({ name, time }, i) => {
    const y = TOP + i * ROW + ROW / 2
    return html`<text class="name" x="${LEFT - 12}" y="${y + 4}" text-anchor="end">${name.length > 28 ? `${name.slice(0, 27)}…` : name}</text>
      <line class="whisker" x1="${at(time.p50)}" y1="${y}" x2="${at(time.p95)}" y2="${y}"/><line class="whisker" x1="${at(time.p95)}" y1="${y - 5}" x2="${at(time.p95)}" y2="${y + 5}"/>
      <line class="sure" x1="${at(time.low)}" y1="${y}" x2="${at(time.high)}" y2="${y}"/><circle class="point" cx="${at(time.p50)}" cy="${y}" r="5"/>`
  })
  return html`<figure class="card stack"><h2>${t('measure.chart')}</h2><div class="chart-scroll" tabindex="0" role="group" aria-label="${t('measure.chart')}"><svg class="dots" viewBox="0 0 ${WIDTH} ${bottom + 26}" aria-hidden="true">${scale}${marks}</svg></div>
    <figcaption class="small muted">${t('measure.chart.summary')}</figcaption></figure>`
}
