import { expect } from 'vitest'
import type { ContactTable, MessageTable } from '../../server/database/schema.ts'
import { DRAINS, HANDLERS } from '../../server/handlers.ts'
import { createWorkLoop, type Worker } from '../../server/jobs/work-loop.ts'
import { COUNTERS, recountMessages } from '../../server/messages/counters.ts'
import { hashToken } from '../../server/secrets.ts'
import type { Services } from '../../server/services.ts'
import { storeTemplates } from '../../server/templates/store.ts'
import type { Outgoing, RemoteTemplate, Sent, WhatsApp } from '../../server/whatsapp/port.ts'
import { write } from '../../server/work.ts'
import { SAMPLE_TEMPLATES } from '../../simulator/templates.ts'
import { phoneOf, startApp, type TestApp, type TestAppOptions } from '../support/app.ts'

/** WhatsApp as a test wants it: accepts everything unless told otherwise, and remembers what it was given. */
export interface FakeWhatsApp extends WhatsApp {
  readonly sent: Outgoing[]
  answer: (message: Outgoing) => Sent | Promise<Sent>
}

export const REMOTE: readonly RemoteTemplate[] = SAMPLE_TEMPLATES.map(({ quality_score, ...template }) => ({
  ...template,
  quality: quality_score.score,
}))

export function createFakeWhatsApp(): FakeWhatsApp {
  let count = 0
  const fake: FakeWhatsApp = {
    sent: [],
    answer: () => ({ outcome: 'accepted', wamid: `wamid.${++count}` }),
    async send(_account, message) {
      fake.sent.push(message)
      return fake.answer(message)
    },
    templates: () => Promise.resolve(REMOTE),
  }
  return fake
}

export interface AccountAt {
  readonly baseUrl: string
  readonly token: string
  readonly appSecret: string
  readonly verifyToken: string
}

const NOWHERE: AccountAt = { baseUrl: 'http://127.0.0.1:1', token: 'token', appSecret: 'secret', verifyToken: 'verify' }

/** An account with the sample templates. Returns its id, and those of the templates by name and language. */
async function addAccount(
  services: Services,
  { baseUrl, token, appSecret, verifyToken }: AccountAt = NOWHERE,
): Promise<{ readonly accountId: string; readonly templates: ReadonlyMap<string, string> }> {
  const { database, newId, now, secrets } = services
  const accountId = newId()
  await database.writer
    .insertInto('wa_accounts')
    .values({
      id: accountId,
      name: 'Test',
      provider: 'simulator',
      phone_number_id: '100000000000001',
      waba_id: '200000000000001',
      display_phone: '33612345678',
      token_enc: secrets.encrypt(token),
      app_secret_enc: secrets.encrypt(appSecret),
      verify_token_hash: hashToken(verifyToken),
      graph_version: 'v23.0',
      base_url: baseUrl,
      mps_limit: 1000,
      status: 'active',
      created_at: now(),
      updated_at: now(),
    })
    .execute()
  await write(services, work => storeTemplates(work, newId, accountId, REMOTE))
  const rows = await database.writer.selectFrom('templates').select(['id', 'name', 'language']).execute()
  return { accountId, templates: new Map(rows.map(row => [`${row.name} ${row.language}`, row.id])) }
}

/** Contacts in one category. They have opted in, unless the change says otherwise. */
export async function addContacts(
  services: Services,
  count: number,
  change: (index: number) => Partial<ContactTable> = () => ({}),
): Promise<{ readonly categoryId: string; readonly contactIds: readonly string[] }> {
  const { database, newId, now } = services
  const times = { created_at: now(), updated_at: now() }
  const categoryId = newId()
  const category = { id: categoryId, name: `Group ${categoryId}`, color: '#0f766e', description: '', ...times }
  await database.writer.insertInto('categories').values(category).execute()
  const contacts = Array.from({ length: count }, (_, index) => ({
    id: newId(),
    name: `Ada ${index}`,
    name_key: `ada ${index}`,
    phone_e164: phoneOf(index),
    search_text: `ada ${index}`,
    opt_in_at: now(),
    opt_out_at: null,
    ...times,
    ...change(index),
  }))
  for (let start = 0; start < count; start += 1000) {
    const part = contacts.slice(start, start + 1000)
    await database.writer.insertInto('contacts').values(part).execute()
    const members = part.map(({ id }) => ({ category_id: categoryId, contact_id: id, created_at: now() }))
    await database.writer.insertInto('contact_categories').values(members).execute()
  }
  return { categoryId, contactIds: contacts.map(({ id }) => id) }
}

export interface Stage extends TestApp {
  readonly fake: FakeWhatsApp
  readonly worker: Worker
  readonly accountId: string
  readonly templates: ReadonlyMap<string, string>
  readonly categoryId: string
  readonly contactIds: readonly string[]
  /** A draft to all contacts. */
  draft(change?: object): Promise<string>
  /** A campaign that was started; nothing of it has run. */
  started(change?: object): Promise<string>
  /** Does what is due. */
  work(): Promise<void>
  messages(campaignId: string): Promise<MessageTable[]>
  /** One of the campaign's commands; expects that it succeeds. */
  order(campaignId: string, command: string, body?: object): Promise<void>
}

export interface StageOptions extends TestAppOptions {
  readonly contacts?: number
  readonly change?: (index: number) => Partial<ContactTable>
  readonly at?: AccountAt
}

export async function setStage({ contacts = 20, change, at, ...options }: StageOptions = {}): Promise<Stage> {
  const fake = createFakeWhatsApp()
  const app = await startApp({ whatsapp: fake, ...options })
  const { services } = app
  const { accountId, templates } = await addAccount(services, at)
  const { categoryId, contactIds } = await addContacts(services, contacts, change)
  const worker = createWorkLoop(services, { handlers: HANDLERS, drains: DRAINS, ticks: [] })
  const draft = async (fields: object = {}): Promise<string> => {
    const response = await app.post('/api/v1/campaigns', {
      name: 'Spring offer',
      category_ids: [categoryId],
      message1_template_id: templates.get('spring_offer fr'),
      message1_params: { '1': { field: 'first_name' }, '2': '31 août' },
      message2_kind: 'text',
      message2_body: 'Merci {{first_name}} !',
      rate_per_minute: 60_000,
      ...fields,
    })
    if (response.statusCode !== 201) throw new Error(response.body)
    return response.json<{ id: string }>().id
  }
  const order = async (id: string, command: string, body?: object): Promise<void> => {
    const response = await app.post(`/api/v1/campaigns/${id}/${command}`, body)
    if (response.statusCode !== 200) throw new Error(response.body)
  }
  return {
    ...app,
    fake,
    worker,
    accountId,
    templates,
    categoryId,
    contactIds,
    draft,
    order,
    async started(fields) {
      const id = await draft(fields)
      await order(id, 'start')
      return id
    },
    async work() {
      await worker.runUntilIdle({ within: 30_000 })
    },
    messages: id =>
      services.database.writer.selectFrom('messages').selectAll().where('campaign_id', '=', id).orderBy('id').execute(),
  }
}

/** Expects the campaign's counters to be what its messages add up to. Returns the campaign. */
export async function expectExact({ database }: Services, campaignId: string): Promise<Record<string, unknown>> {
  const campaign = await database.writer
    .selectFrom('campaigns')
    .selectAll()
    .where('id', '=', campaignId)
    .executeTakeFirstOrThrow()
  const counted = (await recountMessages(database.writer, [campaignId])).get(campaignId)
  const zero = Object.fromEntries(COUNTERS.map(name => [name, 0]))
  const kept = Object.fromEntries(COUNTERS.map(name => [name, campaign[name]]))
  const anew = counted === undefined ? zero : Object.fromEntries(COUNTERS.map(name => [name, counted[name]]))
  expect(kept).toEqual(anew)
  return { ...campaign }
}

export function tally(values: Iterable<string>): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1
  return counts
}
