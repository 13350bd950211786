import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { createFirstAdmin } from '../server/access/users.ts'
import { buildApp } from '../server/app.ts'
import { compose } from '../server/compose.ts'
import { type Dashboard, readDashboard } from '../server/dashboard/queries.ts'
import { createWorker } from '../server/jobs/worker.ts'
import { readMessageStats } from '../server/messages/store.ts'
import { startSimulation } from '../server/simulation.ts'
import { recountRows } from './recount.ts'

/*
 * `npm run demo:campaign`: a campaign from the first contact to its last silence, over HTTP, with the simulator in
 * WhatsApp's place. A thousand people are imported from a CSV file; some reply, some fail, some are told three times,
 * some never answer; 25 hours pass. After each step the dashboard is read through the cache and without it, and the
 * counters are held against the rows. Ends with an error as soon as two numbers differ.
 */
const PEOPLE = 1000
const HOUR = 3_600_000
const PASSWORD = 'demonstration of a campaign'

let offset = 0
const now = (): number => Date.now() + offset

const directory = mkdtempSync(join(tmpdir(), 'campaigns-demo-'))
const url = process.env['DATABASE_URL'] ?? `sqlite:${join(directory, 'demo.sqlite')}`
const quiet = { warn: (line: string) => console.log(line), info: () => undefined }
const services = await compose({
  database: { url },
  dataDir: join(directory, 'data'),
  now,
  cache: { dir: join(directory, 'cache'), detectBudget: '3s', logger: quiet },
})
const app = await buildApp(services)
const worker = createWorker(services)
const address = await app.listen({ port: 0, host: '127.0.0.1' })
const simulator = await startSimulation(services, { mode: 'on', address, now })
if (simulator === undefined) throw new Error('the simulator did not start')
await services.caching.cache.ready()
const { backend, why } = services.caching.cache.status()
console.log(`database  ${services.database.location}\ncache     ${backend}: ${why}\n`)

interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: Record<string, unknown>
  readonly ms: number
}

let cookie = ''
let csrf = ''

/** A request as the page sends it. Throws when the answer is an error: nothing in this demonstration should be. */
async function ask(method: string, path: string, body?: object | string): Promise<Answer> {
  const type = typeof body === 'string' ? 'text/csv' : 'application/json'
  const headers = { cookie, 'x-csrf-token': csrf, ...(body === undefined ? {} : { 'content-type': type }) }
  const began = performance.now()
  const response = await fetch(address + path, {
    method,
    headers,
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await response.text()
  const ms = performance.now() - began
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
  const [set] = response.headers.getSetCookie()
  if (set !== undefined) cookie = set.split(';')[0] ?? ''
  return {
    status: response.status,
    headers: response.headers,
    body: text.startsWith('{') ? JSON.parse(text) : { text },
    ms,
  }
}

/** Jobs, webhooks and what they lead to, until nothing is left to do at this hour. */
async function settle(): Promise<void> {
  for (let idle = 0; idle < 2; ) {
    const { jobs, drained } = await worker.runUntilIdle()
    const waiting = simulator?.state().pending ?? 0
    await simulator?.settle()
    const told = waiting - (simulator?.state().pending ?? 0)
    idle = Object.keys(jobs).length + Object.keys(drained).length + told === 0 ? idle + 1 : 0
  }
  await services.caching.settle()
}

function withoutTimes({ generated_at: _at, computed_ms: _ms, ...numbers }: Dashboard): object {
  return numbers
}

let compared = 0

/** Reads what is kept twice over HTTP and once from the database, and refuses any difference. */
async function prove(step: string): Promise<void> {
  const first = await ask('GET', '/api/v1/dashboard')
  const second = await ask('GET', '/api/v1/dashboard')
  const truth = await readDashboard(services.database, now(), new AbortController().signal)
  const shown = [first, second].map(({ body }) => withoutTimes(body as unknown as Dashboard))
  const stats = await ask('GET', '/api/v1/messages/stats')
  const equal =
    shown.every(numbers => isDeepStrictEqual(numbers, withoutTimes(truth))) &&
    isDeepStrictEqual(stats.body, await readMessageStats(services.database.reader))
  const differences = await recountRows(services.database.writer)
  if (!equal || differences.length > 0) {
    throw new Error(
      `after "${step}" the numbers differ: ${differences.join('; ') || 'the dashboard shown is not the one counted'}`,
    )
  }
  compared += 3
  const timing = (answer: Answer): string => `${answer.headers.get('x-cache')} ${answer.ms.toFixed(1)} ms`.padEnd(14)
  console.log(`${step.padEnd(34)} ${timing(first)} ${timing(second)} equal to the rows`)
}

function csvOfPeople(): string {
  const lines = Array.from({ length: PEOPLE }, (_, index) => {
    const phone = `+3361${String(index).padStart(7, '0')}`
    return `Person ${index},${phone},person.${index}@example.org,Customers;${index % 3 === 0 ? 'Paris' : 'Lyon'},yes`
  })
  return `name,phone,email,categories,opt_in\n${lines.join('\n')}\n`
}

async function logIn(): Promise<void> {
  await createFirstAdmin(services, { email: 'demo@example.org', password: PASSWORD })
  await ask('POST', '/api/v1/auth/login', { email: 'demo@example.org', password: PASSWORD })
  const me = await ask('GET', '/api/v1/auth/me')
  csrf = String(me.body['csrf_token'])
}

const itemsOf = ({ body }: Answer): readonly Record<string, unknown>[] =>
  (body['items'] ?? []) as readonly Record<string, unknown>[]

async function run(): Promise<void> {
  await logIn()
  await prove('logged in')

  await ask('POST', '/api/v1/contacts/import', csvOfPeople())
  await settle()
  await prove(`${PEOPLE} contacts imported`)

  await ask('POST', '/api/v1/templates/sync')
  await settle()
  const [account] = itemsOf(await ask('GET', '/api/v1/whatsapp/accounts'))
  const categories = itemsOf(await ask('GET', '/api/v1/categories'))
  const templates = itemsOf(await ask('GET', '/api/v1/templates'))
  const template = (name: string): unknown => templates.find(row => row['name'] === name)?.['id']
  const campaign = await ask('POST', '/api/v1/campaigns', {
    name: 'Summer',
    account_id: account?.['id'],
    category_ids: [categories.find(row => row['name'] === 'Customers')?.['id']],
    message1_template_id: template('spring_offer'),
    message1_params: { '1': { field: 'name', fallback: 'you' }, '2': '30 June' },
    message2_kind: 'text',
    message2_body: 'Thank you! Here is your code: SUMMER20.',
    fallback_template_id: template('order_update'),
    fallback_params: { '1': 'SUMMER20' },
    rate_per_minute: 60_000,
  })
  const id = String(campaign.body['id'])
  await prove('campaign written')

  await ask('POST', `/api/v1/campaigns/${id}/start`)
  await settle()
  await prove('Message 1 sent, replies in')

  for (const hours of [1, 24, 6]) {
    offset += hours * HOUR
    await settle()
    await prove(`${hours} h later`)
  }
  await showCampaign(id)
}

interface Failure {
  readonly count: number
  readonly error_code: number | null
  readonly meaning: string
}

async function showCampaign(id: string): Promise<void> {
  const stats = (await ask('GET', `/api/v1/campaigns/${id}/stats`)).body
  const { body: row } = await ask('GET', `/api/v1/campaigns/${id}`)
  const lines = ['total', 'sent', 'delivered', 'read', 'interacted', 'message2_sent', 'message2_failed', 'skipped']
  const rest = ['failed_count', 'no_interaction_count', 'late_count', 'open_count']
  console.log(`\nCampaign "${String(row['name'])}": ${String(row['status'])}`)
  for (const name of [...lines, ...rest]) {
    const count = Number(row[name])
    const bar = '#'.repeat(Math.round((count / PEOPLE) * 50))
    console.log(`${name.padEnd(22)}${String(count).padStart(5)}  ${bar}`)
  }
  console.log('\nWhy it failed')
  for (const { count, error_code: code, meaning } of (stats['failures'] ?? []) as readonly Failure[]) {
    console.log(`${String(count).padStart(5)}  ${code ?? 'no answer'}  ${meaning}`)
  }
  if (row['status'] !== 'completed') throw new Error(`the campaign is ${String(row['status'])}, not completed`)
  console.log(`\n${compared} comparisons, no difference; every counter equals a recount of the rows.`)
}

async function close(): Promise<void> {
  await worker.close()
  await simulator?.close()
  await app.close()
  // A Redis that was found here is somebody's: nothing of the demonstration stays in it.
  await services.caching.cache.clear()
  await services.close()
  rmSync(directory, { recursive: true, force: true })
}

try {
  await run()
} catch (error) {
  console.error(error)
  process.exitCode = 1
} finally {
  await close()
}
