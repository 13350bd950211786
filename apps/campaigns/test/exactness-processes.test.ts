import { createHmac } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { Composition } from '../server/compose.ts'
import { createRandom, type Random } from '../server/generator/random.ts'
import { hashToken } from '../server/secrets.ts'
import { startRedis } from '../../../packages/palier/test/support/redis-server.ts'
import { NOON, phoneOf, startApp, type TestApp } from './support/app.ts'
import { freshDatabase } from './support/engines.ts'
import { freshDirectory } from './support/fresh-directory.ts'
import { type SiteProcess, startSite } from './support/site-process.ts'

/*
 * Thousands of mixed writes through several processes at once. After each round, when jobs, webhooks and deletions have
 * settled, everything that is cached is read from every process, twice, and must equal the same answer of an
 * application that has no cache, on the same database.
 */
const ROUNDS = 2
/** EXACTNESS_TIMES=10 makes it ten times as many, by hand. */
const WRITES = 350 * Number(process.env['EXACTNESS_TIMES'] ?? 1)
const SECRET = 'the app secret of the account in this test'
const NUMBER = '100000000000001'

interface Site {
  request(method: string, path: string, body?: unknown): Promise<{ readonly status: number; readonly body: Answer }>
}
type Answer = Record<string, unknown>

interface Known {
  readonly contacts: string[]
  readonly categories: string[]
  readonly content: string[]
  readonly campaigns: string[]
  readonly wamids: string[]
}

function siteAt(address: string, key: string): Site {
  return {
    async request(method, path, body) {
      const response = await fetch(address + path, {
        method,
        headers: {
          authorization: `Bearer ${key}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      const text = await response.text()
      return { status: response.status, body: text === '' ? {} : (JSON.parse(text) as Answer) }
    },
  }
}

async function postWebhook(address: string, value: object): Promise<void> {
  const body = JSON.stringify({
    object: 'whatsapp_business_account',
    entry: [
      {
        id: '200000000000001',
        changes: [
          {
            field: 'messages',
            value: {
              messaging_product: 'whatsapp',
              metadata: { display_phone_number: '1', phone_number_id: NUMBER },
              ...value,
            },
          },
        ],
      },
    ],
  })
  const signature = createHmac('sha256', SECRET).update(body).digest('hex')
  const headers = { 'content-type': 'application/json', 'x-hub-signature-256': `sha256=${signature}` }
  const response = await fetch(`${address}/webhooks/whatsapp`, { method: 'POST', headers, body })
  expect(response.status).toBe(200)
}

const seconds = String(NOON / 1000)
/** What may be answered when writes overtake each other: gone, taken, not possible now. */
const EXPECTED = [200, 201, 202, 204, 400, 404, 409]

/** One write of many kinds, chosen by chance. */
async function writeSomething(site: Site, address: string, random: Random, known: Known): Promise<void> {
  const some = (ids: readonly string[]): string => ids[random.below(Math.max(ids.length, 1))] ?? 'none'
  const few = (ids: readonly string[]): string[] => [...new Set([some(ids), some(ids)])].filter(id => id !== 'none')
  const send = async (method: string, path: string, body?: unknown): Promise<Answer> => {
    const answer = await site.request(method, path, body)
    expect(EXPECTED, `${method} ${path} ${JSON.stringify(answer.body)}`).toContain(answer.status)
    return answer.body
  }
  const number = random.below(5000)
  const kinds: (() => Promise<unknown>)[] = [
    () =>
      send('POST', '/api/v1/contacts', {
        name: `Ada ${number}`,
        phone: phoneOf(number),
        category_ids: few(known.categories),
      }),
    () =>
      send('POST', '/api/v1/contacts', {
        name: `Bob ${number}`,
        phone: phoneOf(number + 5000),
        category_ids: few(known.categories),
      }),
    () =>
      send('PATCH', `/api/v1/contacts/${some(known.contacts)}`, {
        name: `Cy ${number}`,
        category_ids: few(known.categories),
      }),
    () => send('PATCH', `/api/v1/contacts/${some(known.contacts)}`, { category_ids: [] }),
    () => send('DELETE', `/api/v1/contacts/${some(known.contacts)}`),
    () =>
      send('POST', '/api/v1/contacts/bulk', {
        ids: few(known.contacts),
        action: 'add_categories',
        category_ids: few(known.categories),
      }),
    () => send('POST', '/api/v1/contacts/bulk', { ids: few(known.contacts), action: 'opt_out' }),
    () => send('POST', `/api/v1/contacts/${some(known.contacts)}/opt-in`),
    () => send('POST', '/api/v1/categories', { name: `Group ${number % 40}` }),
    () => send('PATCH', `/api/v1/categories/${some(known.categories)}`, { name: `Group ${number % 40}` }),
    () => (number % 4 === 0 ? send('DELETE', `/api/v1/categories/${some(known.categories)}`) : Promise.resolve()),
    () => send('PUT', `/api/v1/categories/${some(known.categories)}/contacts`, { ids: few(known.contacts) }),
    () => send('PATCH', '/api/v1/settings', { company_name: `Company ${number % 7}` }),
    () => send('POST', '/api/v1/content', { title: `Page ${number}`, body: `About *${number}*` }),
    () => send('POST', `/api/v1/content/${some(known.content)}/publish`),
    () => send('DELETE', `/api/v1/content/${some(known.content)}`),
    () => send('POST', '/api/v1/campaigns', { name: `Campaign ${number}` }),
    () => send('POST', `/api/v1/campaigns/${some(known.campaigns)}/pause`),
    () => send('POST', `/api/v1/campaigns/${some(known.campaigns)}/resume`),
    () => status(address, some(known.wamids), 'delivered'),
    () => status(address, some(known.wamids), 'read'),
    () => status(address, some(known.wamids), 'failed'),
    () => reply(address, number),
    () => reply(address, random.below(60)),
  ]
  await kinds[random.below(kinds.length)]?.()
}

async function status(address: string, wamid: string, name: string): Promise<void> {
  const errors = name === 'failed' ? { errors: [{ code: 131026, title: 'Message undeliverable' }] } : {}
  await postWebhook(address, {
    statuses: [{ id: wamid, status: name, timestamp: seconds, recipient_id: '1', ...errors }],
  })
}

async function reply(address: string, number: number): Promise<void> {
  const from = phoneOf(number).slice(1)
  const contacts = [{ profile: { name: `Ada ${number}` }, wa_id: from }]
  const text = { body: number % 9 === 0 ? 'stop' : 'yes' }
  const messages = [{ from, id: `wamid.in.${number}.${Math.random()}`, timestamp: seconds, type: 'text', text }]
  await postWebhook(address, { contacts, messages })
}

async function idsOf({ database }: Composition): Promise<Known> {
  const ids = async (table: 'contacts' | 'categories' | 'content' | 'campaigns'): Promise<string[]> =>
    (await database.writer.selectFrom(table).select('id').orderBy('id').limit(400).execute()).map(row => row.id)
  const rows = await database.writer
    .selectFrom('messages')
    .select('wamid')
    .where('wamid', 'is not', null)
    .where('direction', '=', 'out')
    .limit(400)
    .execute()
  return {
    contacts: await ids('contacts'),
    categories: await ids('categories'),
    content: await ids('content'),
    campaigns: await ids('campaigns'),
    wamids: rows.map(row => row.wamid ?? ''),
  }
}

/** Every read that is kept, by its address. */
async function cachedReads(services: Composition, known: Known): Promise<string[]> {
  const slugs = await services.database.writer.selectFrom('content').select('slug').limit(20).execute()
  return [
    '/api/v1/dashboard',
    '/api/v1/messages/stats',
    '/api/v1/categories',
    '/api/v1/settings',
    '/api/v1/content',
    '/api/v1/templates',
    '/api/v1/search?q=ada',
    '/api/v1/search?q=page',
    ...known.categories.map(id => `/api/v1/categories/${id}`),
    ...known.campaigns.slice(0, 12).map(id => `/api/v1/campaigns/${id}/stats`),
    ...slugs.map(({ slug }) => `/api/v1/pages/${slug}`),
  ]
}

/** Times of the reading itself differ between two readings; the numbers may not. */
function comparable({ generated_at: _at, computed_ms: _ms, ...rest }: Answer): Answer {
  return rest
}

async function addAccount({ database, secrets, newId }: Composition): Promise<void> {
  const times = { created_at: NOON, updated_at: NOON }
  await database.writer.deleteFrom('wa_accounts').where('phone_number_id', '=', NUMBER).execute()
  await database.writer
    .insertInto('wa_accounts')
    .values({
      id: newId(),
      name: 'Test',
      provider: 'simulator',
      phone_number_id: NUMBER,
      waba_id: '200000000000001',
      display_phone: '1',
      token_enc: secrets.encrypt('token'),
      app_secret_enc: secrets.encrypt(SECRET),
      verify_token_hash: hashToken('verify'),
      graph_version: 'v23.0',
      base_url: 'http://127.0.0.1:1',
      mps_limit: 80,
      status: 'active',
      ...times,
    })
    .execute()
}

interface House {
  /** No cache: what it answers is the truth. */
  readonly truth: TestApp
  readonly processes: readonly SiteProcess[]
  readonly sites: readonly Site[]
}

async function compareAll({ truth, sites }: House, round: number): Promise<number> {
  const known = await idsOf(truth.services)
  const urls = await cachedReads(truth.services, known)
  const answers = new Map<string, object>()
  for (const url of urls) {
    const expected = await truth.get(url)
    answers.set(url, { url, code: expected.statusCode, body: comparable(expected.json()) })
  }
  const compareSite = async (site: Site): Promise<void> => {
    for (const time of ['first', 'second']) {
      for (const url of urls) {
        const { status: code, body } = await site.request('GET', url)
        expect({ url, code, body: comparable(body) }, `round ${round}, ${time} read`).toEqual(answers.get(url))
      }
    }
  }
  await Promise.all(sites.map(compareSite))
  return urls.length * sites.length * 2
}

const PLACES = [
  { backend: 'filesystem', engine: 'sqlite', processes: 3 },
  { backend: 'redis', engine: 'postgres', processes: 3 },
  // Memory is of one process: three writers share one server.
  { backend: 'memory', engine: 'mysql', processes: 1 },
] as const

describe('every cached read', () => {
  test.each(PLACES)(
    'equals the uncached one after each settled round of writes: $processes servers, $backend, $engine',
    async ({ backend, engine, processes: count }) => {
      const url = await freshDatabase(engine)
      const directory = freshDirectory()
      const redis = backend === 'redis' ? await startRedis() : undefined
      try {
        const data = { contacts: 60, messages: 400 }
        const truth = await startApp({ url, directory, cache: false, data, now: () => NOON })
        await addAccount(truth.services)
        const setup = { url, directory, backend, now: NOON, ...(redis === undefined ? {} : { redisUrl: redis.url }) }
        const processes = await Promise.all(Array.from({ length: count }, () => startSite(setup)))
        const house: House = { truth, processes, sites: processes.map(({ address }) => siteAt(address, truth.key)) }
        const random = createRandom(20_261_121)
        let compared = await compareAll(house, 0)
        for (let round = 1; round <= ROUNDS; round++) {
          const known = await idsOf(truth.services)
          const writers = Array.from({ length: 3 }, async (_, at) => {
            const { address } = processes[at % count] ?? { address: '' }
            const site = siteAt(address, truth.key)
            for (let i = 0; i < WRITES / 3; i++) await writeSomething(site, address, random, known)
          })
          await Promise.all(writers)
          // Twice: what one process settles may be work for another.
          for (const process of [...processes, ...processes]) await process.settle()
          compared += await compareAll(house, round)
        }
        expect(compared).toBeGreaterThan(ROUNDS * count * 40)
      } finally {
        await redis?.stop()
      }
    },
    600_000,
  )
})
