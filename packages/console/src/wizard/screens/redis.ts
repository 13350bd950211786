import type { RedisAddress, RedisCandidate, RedisResult } from 'palier/setup'
import type { Form } from '../forms.ts'
import { type Html, html } from '../html.ts'
import { banner, button, factTable, field, foot, form, pill, verdictMark } from '../parts.ts'
import type { Screen, View } from '../view.ts'

/** The address in the name of a candidate: `tcp:127.0.0.1:6380/0`, `tls:…`, `unix:/run/redis.sock/0`. */
function addressOf(id: string): RedisAddress | undefined {
  const [, kind, rest = '', db = '0'] = /^(tcp|tls|unix):(.+)\/(\d+)$/.exec(id) ?? []
  if (kind === undefined) return undefined
  if (kind === 'unix') return { socket: rest, db: Number(db) }
  const at = rest.lastIndexOf(':')
  const host = rest.slice(0, at).replace(/^\[(.*)\]$/, '$1')
  return { host, port: Number(rest.slice(at + 1)), db: Number(db), ...(kind === 'tls' && { tls: true }) }
}

function credentialsOf(sent: Form): Pick<RedisAddress, 'username' | 'password'> {
  const username = sent.optional('username')
  const password = sent.raw('password')
  return { ...(username !== undefined && { username }), ...(password !== '' && { password }) }
}

/** What was typed as an address: a URL, the path of a socket, or a host with its port. */
function typedAddress(text: string): RedisAddress {
  if (text.startsWith('/')) return { socket: text }
  return { url: /^[a-z]+:\/\//i.test(text) ? text : `redis://${text}` }
}

function howOf({ t }: View['teller'], { how, variable }: RedisCandidate): string {
  return how === 'environment' ? t('redis.how.environment', { variable: variable ?? '' }) : t(`redis.how.${how}`)
}

function row(view: View, candidate: RedisCandidate): Html {
  const { t, say, ms } = view.teller
  const { where, verdict, text, advice, latency, recommended } = candidate
  return html`<tr><th scope="row"><code class="where">${where}</code></th><td>${howOf(view.teller, candidate)}</td>
    <td><p class="with-mark">${verdictMark(view.teller, verdict)}<span>${say(text)}</span></p><p>${recommended && pill('healthy', t('redis.recommended'))}</p>
    ${advice !== undefined && html`<p class="small advice">${say(advice)}</p>`}</td>
    <td class="number">${latency === undefined ? '–' : ms(latency)}</td></tr>`
}

function more(view: View, candidate: RedisCandidate, refusedFor: string | undefined): Html {
  const { t } = view.teller
  const { id, where, state, how, facts } = candidate
  const asks = state === 'password' || state === 'wrong password' || state === 'no right'
  const login =
    asks &&
    form(
      view,
      'redis',
      html`<input type="hidden" name="candidate" value="${id}"><h2>${t('redis.login', { where })}</h2><div class="pairs">
      ${field({ name: 'username', id: `username ${id}`.replaceAll(' ', '-'), label: t('redis.add.username') })}
      ${field({ name: 'password', id: `password ${id}`.replaceAll(' ', '-'), label: t('redis.add.password'), hint: t('redis.add.password.hint'), type: 'password', autocomplete: 'off', problem: refusedFor === id ? view.problems['password'] : undefined })}</div>
      <div>${button('login', t('redis.login.submit'), { tone: 'primary' })}</div>`,
    )
  const known =
    facts.length > 0 &&
    html`<details class="more"><summary>${t('redis.details', { where })}</summary>${factTable(view.teller, t('redis.details', { where }), facts)}</details>`
  const forget =
    how === 'typed' &&
    form(
      view,
      'redis',
      html`<input type="hidden" name="candidate" value="${id}">${button('forget', t('redis.forget'), { tone: 'small' })}`,
      'row',
    )
  if (!asks && facts.length === 0 && how !== 'typed') return html``
  return html`<section class="${asks ? 'card stack' : 'stack tight'}" aria-label="${where}">${login}${known}${forget}</section>`
}

function addForm(view: View, isOpen: boolean): Html {
  const { t } = view.teller
  const { sent, problems } = view
  return html`<details class="more"${isOpen && html` open`}><summary>${t('redis.add')}</summary>${form(
    view,
    'redis',
    html`<div class="card stack">${field({ name: 'url', label: t('redis.add.url'), hint: t('redis.add.url.hint'), value: sent?.shown('url') ?? '', problem: problems['url'], code: true })}
    <div class="pairs">${field({ name: 'username', label: t('redis.add.username') })}${field({ name: 'password', label: t('redis.add.password'), hint: t('redis.add.password.hint'), type: 'password' })}</div>
    <div>${button('add', t('redis.add.submit'), { tone: 'primary' })}</div></div>`,
  )}</details>`
}

function found(view: View, redis: RedisResult): Html {
  const { t, say } = view.teller
  const good = redis.candidates.some(one => one.usable)
  const tone = redis.candidates.some(one => one.recommended) ? 'healthy' : 'info'
  const rows = redis.candidates.map(one => row(view, one))
  const table = html`<div class="card flush table-frame" tabindex="0" role="group" aria-label="${t('redis.caption')}"><table class="table cards-narrow"><caption class="visually-hidden">${t('redis.caption')}</caption>
    <thead><tr><th scope="col">${t('redis.where')}</th><th scope="col">${t('redis.how')}</th><th scope="col">${t('redis.answer')}</th><th scope="col" class="number">${t('redis.latency')}</th></tr></thead>
    <tbody>${rows}</tbody></table></div>`
  return html`${banner(tone, say(redis.summary), redis.install !== undefined && html`<code>${redis.install}</code>`)}
    ${rows.length > 0 && table}${redis.candidates.map(one => more(view, one, view.sent?.text('candidate')))}
    ${redis.silent.length > 0 && !good && html`<p class="small muted wrap-anywhere">${t('redis.silent', { list: redis.silent.join(', ') })}</p>`}`
}

function helps(view: View): Html {
  const { t } = view.teller
  const cards = (['o2switch', 'cloudlinux', 'planethoster'] as const).map(
    host => html`<li class="card"><p>${t(`redis.host.${host}`)}</p></li>`,
  )
  return html`<details class="more"><summary>${t('redis.hosts')}</summary><ul class="stack tight">${cards}</ul></details>
    <details class="more"><summary>${t('redis.scan')}</summary>${form(view, 'redis', html`<div class="card stack"><p class="muted">${t('redis.scan.text')}</p><div>${button('scan', t('redis.scan'))}</div></div>`)}</details>`
}

export const redisScreen: Screen = {
  id: 'redis',
  title: ({ t }) => t('redis.title'),
  lead: ({ t }) => t('redis.lead'),
  status: ({ steps }) => steps.redis,
  begin: setup => tools => setup.run('redis', {}, tools),
  render(view) {
    const { redis } = view.state.results
    const { t } = view.teller
    const again = form(
      view,
      'redis',
      button(
        'run',
        t(redis === undefined ? 'redis.run' : 'foot.again'),
        redis === undefined ? { tone: 'primary', icon: 'bolt' } : { tone: 'small', icon: 'refresh' },
      ),
      'row',
    )
    const isRefused = view.sent !== undefined && view.sent.text('candidate') === ''
    return html`${redis !== undefined && found(view, redis)}${again}${addForm(view, isRefused)}${helps(view)}${foot(view, 'redis')}`
  },
  act({ setup, act, form: sent, teller }) {
    const { t } = teller
    switch (act) {
      case 'run':
        return { work: tools => setup.run('redis', {}, tools) }
      case 'scan':
        return { work: tools => setup.run('redis', { scan: true }, tools) }
      case 'add': {
        const typed = sent.optional('url')
        if (typed === undefined) return { refused: t('error.wrong'), problems: { url: t('redis.add.url.hint') } }
        return { work: tools => setup.run('redis', { add: { ...typedAddress(typed), ...credentialsOf(sent) } }, tools) }
      }
      case 'login': {
        const address = addressOf(sent.text('candidate'))
        if (address === undefined) return { refused: t('error.wrong') }
        return { work: tools => setup.run('redis', { add: { ...address, ...credentialsOf(sent) } }, tools) }
      }
      case 'forget':
        return { work: tools => setup.run('redis', { forget: sent.text('candidate') }, tools) }
      default:
        return undefined
    }
  },
}
