import { type Html, html } from '../html.ts'
import { button, field, form } from '../parts.ts'
import type { View } from '../view.ts'

/** How the engine begins the line of the log that holds the token. */
const LOG_LINE = 'palier setup: the token is'

export function unlockPage(view: View, tokenFile: string): Html {
  const { t } = view.teller
  return html`${form(
    view,
    'unlock',
    html`<div class="card stack">${field({ name: 'token', label: t('unlock.token'), type: 'password', autocomplete: 'one-time-code', problem: view.problems['token'], code: true, required: true })}
    <div>${button('unlock', t('unlock.submit'), { tone: 'primary', icon: 'lock' })}</div></div>`,
  )}
  <section class="card stack"><h2>${t('unlock.where')}</h2><p>${t('unlock.file')}</p><pre class="code wrap">${tokenFile}</pre>
  <p>${t('unlock.log')} <code>${LOG_LINE}</code></p>
  <p class="muted">${t('unlock.host')}</p><p class="muted">${t('unlock.lost')}</p></section>`
}
