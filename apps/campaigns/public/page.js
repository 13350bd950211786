import { keepLanguage, preferredLanguage, speak } from './words.js'

const byId = id => document.getElementById(id)
const state = {
  language: preferredLanguage(),
  dashboard: null,
  answer: null,
  status: null,
  categories: null,
  latest: null,
  before: null,
  csrf: null,
  events: null,
}
let say = speak(state.language)

/** An element with text only: what comes from the server is never parsed as HTML. */
function el(tag, className, ...content) {
  const node = document.createElement(tag)
  if (className) node.className = className
  node.append(...content)
  return node
}

async function read(url) {
  let response
  try {
    response = await fetch(url, { headers: { accept: 'application/json' } })
  } catch {
    throw new Error(say.words.unreachable)
  }
  const body = await response.json()
  if (response.status === 401) showEntrance()
  if (!response.ok) throw new Error(say.words.refused + (body.detail ?? response.status))
  return { body, headers: response.headers }
}

/** Sends a change; the token proves that this page and no other site asked for it. */
function send(url, body) {
  const headers = { 'content-type': 'application/json', ...(state.csrf ? { 'x-csrf-token': state.csrf } : {}) }
  return fetch(url, { method: 'POST', headers, body: JSON.stringify(body ?? {}) })
}

function showEntrance() {
  state.events?.close()
  state.events = null
  byId('inside').hidden = true
  byId('logout').hidden = true
  byId('entrance').hidden = false
  byId('login').elements.namedItem('email').focus()
}

async function enter() {
  let response
  try {
    response = await fetch('/api/v1/auth/me')
  } catch {
    byId('inside').hidden = false
    return showTrouble(new Error(say.words.unreachable))
  }
  if (!response.ok) return showEntrance()
  state.csrf = (await response.json()).csrf_token
  byId('entrance').hidden = true
  byId('inside').hidden = false
  byId('logout').hidden = false
  listen()
  await refresh()
}

/** The server says what became old, whoever changed it; several stamps at once are one refresh. */
function listen() {
  let waiting
  const soon = () => {
    waiting ??= setTimeout(() => {
      waiting = undefined
      void refresh()
    }, 100)
  }
  state.events?.close()
  state.events = new EventSource('/events')
  state.events.addEventListener('stamps', soon)
  state.events.addEventListener('reset', soon)
}

async function logIn(event) {
  event.preventDefault()
  const form = event.target
  const refusal = byId('refusal')
  refusal.hidden = true
  try {
    const response = await send('/api/v1/auth/login', Object.fromEntries(new FormData(form)))
    if (response.ok) {
      form.reset()
      return await enter()
    }
    refusal.textContent = response.status === 429 ? say.words.loginLater : say.words.loginRefused
  } catch {
    refusal.textContent = say.words.unreachable
  }
  refusal.hidden = false
}

async function logOut() {
  await send('/api/v1/auth/logout').catch(() => undefined)
  state.csrf = null
  showEntrance()
}

function showTrouble(error) {
  byId('trouble').textContent = error ? error.message : ''
  byId('trouble').hidden = !error
}

async function refresh() {
  byId('refresh').disabled = true
  const results = await Promise.allSettled([readDashboard(), readCategories(), readLatest()])
  // After the rest, so that it tells of the backend as those reads found it.
  const status = await Promise.allSettled([readStatus()])
  byId('refresh').disabled = false
  const failed = [...results, ...status].find(result => result.status === 'rejected')
  showTrouble(failed?.reason)
  byId('numbers').setAttribute('aria-busy', 'false')
}

async function readDashboard() {
  const { body, headers } = await read('/api/v1/dashboard')
  const timing = /dur=([\d.]+)/.exec(headers.get('server-timing') ?? '')
  state.before = state.dashboard
  state.dashboard = body
  state.answer = {
    outcome: headers.get('x-cache') ?? 'MISS',
    loadedAt: Date.now() - Number(headers.get('age') ?? 0) * 1000,
    serverMs: timing ? Number(timing[1]) : null,
  }
  showDashboard()
}

async function readCategories() {
  const { body } = await read('/api/v1/categories')
  state.categories = body.items
  showChoices()
}

async function readLatest() {
  const { body } = await read('/api/v1/contacts?limit=8')
  state.latest = body.items
  showLatest()
}

async function readStatus() {
  const { body } = await read('/api/cache/stats')
  state.status = body
  showStatus()
}

function showStatus() {
  if (!state.status) return
  byId('backend').textContent = state.status.backend
  byId('why').textContent = state.status.status
}

function showAnswer() {
  if (!state.answer) return
  const { outcome, loadedAt, serverMs } = state.answer
  const badge = byId('outcome')
  badge.textContent = outcome
  badge.className = 'badge '.concat(outcome)
  byId('server-time').textContent = serverMs === null ? '–' : say.duration(serverMs)
  const age = Date.now() - loadedAt
  byId('age').textContent = age < 1000 ? say.words.justNow : say.duration(Math.floor(age / 1000) * 1000)
}

function card(label, value, more, moved) {
  const node = el('div', moved ? 'card moved' : 'card')
  node.append(el('p', 'label', label), el('p', 'value', value), el('p', 'more', more))
  return node
}

function showCards() {
  const { words } = say
  const { contacts, messages, campaigns, median_read_ms: median } = state.dashboard
  const before = state.before
  const sum = name => campaigns.reduce((total, row) => total + row[name], 0)
  const sent = sum('sent')
  const running = campaigns.find(row => row.status === 'running')?.count ?? 0
  byId('cards').replaceChildren(
    card(words.contacts, say.whole(contacts.total), ' ', before && before.contacts.total !== contacts.total),
    card(
      words.newContacts,
      say.whole(contacts.new),
      words.inThirtyDays,
      before && before.contacts.new !== contacts.new,
    ),
    card(
      words.messages,
      say.whole(messages.total),
      words.inThirtyDays,
      before && before.messages.total !== messages.total,
    ),
    card(
      words.read,
      sent ? say.percent(sum('read') / sent) : '–',
      words.readOf(say.short(sum('read')), say.short(sent)),
    ),
    card(words.median, median === null ? '–' : say.duration(median), words.fromSent),
    card(words.running, say.whole(running), words.ofCampaigns(say.whole(sum('count')))),
  )
}

function bars(rows, empty) {
  if (rows.length === 0) return el('p', 'nothing', empty)
  const most = Math.max(...rows.map(row => row.count), 1)
  const list = el('ul', 'bars')
  for (const { what, count, color, note } of rows) {
    const fill = el('i')
    fill.style.width = `${(count / most) * 100}%`
    if (color) fill.style.background = color
    const number = el('span', 'count', say.whole(count))
    if (note) number.append(' ', el('span', 'note', note))
    const name = el('span', 'what', what)
    name.title = what
    list.append(el('li', '', name, el('span', 'track', fill), number))
  }
  return list
}

function showDays() {
  const days = state.dashboard.per_day
  const most = Math.max(...days.map(day => day.count))
  const box = byId('days')
  if (most === 0) return box.replaceChildren(el('p', 'nothing', say.words.noMessages))
  const svgNs = 'http://www.w3.org/2000/svg'
  const svg = document.createElementNS(svgNs, 'svg')
  svg.setAttribute('viewBox', '0 0 300 100')
  svg.setAttribute('preserveAspectRatio', 'none')
  svg.setAttribute('role', 'img')
  svg.setAttribute('aria-label', `${say.words.perDay}; ${say.words.peak(say.whole(most))}`)
  days.forEach(({ day, count }, index) => {
    const height = count === 0 ? 0.5 : Math.max((count / most) * 100, 1)
    const bar = document.createElementNS(svgNs, 'rect')
    const shape = { x: index * 10 + 1.2, y: 100 - height, width: 7.6, height }
    for (const [name, value] of Object.entries(shape)) bar.setAttribute(name, String(value))
    const title = document.createElementNS(svgNs, 'title')
    title.textContent = `${say.day(Date.parse(day))}: ${say.whole(count)}`
    bar.append(title)
    svg.append(bar)
  })
  const axis = el('p', 'axis', el('span', '', say.day(Date.parse(days[0].day))))
  axis.append(el('span', '', say.words.peak(say.whole(most))), el('span', '', say.day(Date.parse(days.at(-1).day))))
  box.replaceChildren(svg, axis)
}

function showDashboard() {
  if (!state.dashboard) return
  const { words } = say
  const { period, per_day, messages, categories, campaigns, problems, computed_ms } = state.dashboard
  byId('period').textContent = words.period(say.day(period.from), say.day(Date.parse(per_day.at(-1).day)))
  byId('cost').textContent = say.duration(computed_ms)
  showAnswer()
  showCards()
  showDays()
  const byStatus = messages.by_status.map(row => ({ what: words.status[row.status] ?? row.status, count: row.count }))
  byId('statuses').replaceChildren(bars(byStatus, words.noMessages))
  const byCategory = categories.map(row => ({ what: row.name, count: row.contact_count, color: row.color }))
  byId('categories').replaceChildren(bars(byCategory, words.noCategories))
  const byCampaign = campaigns.map(row => ({
    what: words.campaignStatus[row.status] ?? row.status,
    count: row.count,
    note: row.sent > 0 ? say.percent(row.read_rate) : '–',
  }))
  byId('campaigns').replaceChildren(bars(byCampaign, words.noCampaigns))
  const failures = problems.map(row => ({
    what: row.error_code === null ? words.silent : words.code(row.error_code),
    count: row.count,
  }))
  byId('problems').replaceChildren(bars(failures, words.noProblems))
}

function showChoices() {
  if (!state.categories) return
  const chosen = new Set(new FormData(byId('add')).getAll('category_ids'))
  if (state.categories.length === 0) return byId('choices').replaceChildren(el('p', 'nothing', say.words.noCategories))
  const nodes = state.categories.map(({ id, name, contact_count }) => {
    const box = el('input')
    Object.assign(box, { type: 'checkbox', name: 'category_ids', value: id, checked: chosen.has(id) })
    return el('label', '', box, `${name} `, el('span', 'quiet', say.short(contact_count)))
  })
  byId('choices').replaceChildren(...nodes)
}

function showLatest() {
  if (!state.latest) return
  if (state.latest.length === 0) return byId('latest').replaceChildren(el('li', 'nothing', say.words.noContacts))
  const nodes = state.latest.map(({ name, phone, categories, created_at }) => {
    const names = categories.map(category => category.name).join(', ')
    const item = el('li', '', el('span', 'who', name), el('span', 'number', phone ?? '–'))
    item.append(el('span', 'in', names || say.words.noCategory), el('span', 'when', say.ago(created_at)))
    return item
  })
  byId('latest').replaceChildren(...nodes)
}

function tell(text, bad) {
  const said = byId('said')
  said.textContent = text
  said.className = bad ? 'notice bad' : 'notice'
  said.hidden = !text
}

function markFields(form, errors) {
  for (const input of form.querySelectorAll('input[aria-invalid]')) input.removeAttribute('aria-invalid')
  const names = errors.map(error => error.field.replace('body.', '').split('.')[0])
  const inputs = names.map(name => form.elements.namedItem(name)).filter(input => input instanceof HTMLInputElement)
  for (const input of inputs) input.setAttribute('aria-invalid', 'true')
  inputs[0]?.focus()
  return names
}

async function addContact(event) {
  event.preventDefault()
  const form = event.target
  const data = new FormData(form)
  const text = name => form.elements.namedItem(name).value.trim()
  const contact = { name: text('name'), phone: text('phone'), email: text('email') || null }
  const button = form.querySelector('button[type=submit]')
  button.disabled = true
  tell('')
  try {
    const response = await send('/api/v1/contacts', { ...contact, category_ids: data.getAll('category_ids') })
    const body = await response.json()
    const names = markFields(form, body.errors ?? [])
    if (response.ok) {
      form.reset()
      form.elements.namedItem('name').focus()
      await refresh()
      tell(say.words.added(body.name))
    } else if (response.status === 409) {
      tell(say.words.taken, true)
    } else {
      const known = names.map(name => say.words.fields[name]).filter(Boolean)
      tell(known.length > 0 ? known.join(' ') : say.words.refused + body.detail, true)
    }
  } catch {
    tell(say.words.unreachable, true)
  } finally {
    button.disabled = false
  }
}

function setLanguage(language) {
  state.language = language
  say = speak(language)
  document.documentElement.lang = language
  for (const node of document.querySelectorAll('[data-word]')) node.textContent = say.words[node.dataset.word]
  for (const node of document.querySelectorAll('[data-label]'))
    node.setAttribute('aria-label', say.words[node.dataset.label])
  for (const button of document.querySelectorAll('[data-language]')) {
    button.setAttribute('aria-pressed', String(button.dataset.language === language))
  }
  state.before = null
  showDashboard()
  showStatus()
  showChoices()
  showLatest()
}

for (const button of document.querySelectorAll('[data-language]')) {
  button.addEventListener('click', () => {
    keepLanguage(button.dataset.language)
    setLanguage(button.dataset.language)
  })
}
byId('login').addEventListener('submit', event => void logIn(event))
byId('logout').addEventListener('click', () => void logOut())
byId('refresh').addEventListener('click', () => void refresh())
byId('add').addEventListener('submit', event => void addContact(event))
byId('cards').replaceChildren(...Array.from({ length: 6 }, () => el('div', 'card empty')))
setLanguage(state.language)
void enter()
setInterval(showAnswer, 1000)
