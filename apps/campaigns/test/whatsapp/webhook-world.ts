import type { FastifyBaseLogger } from 'fastify'
import { expect } from 'vitest'
import { NEW_MESSAGE } from '../../server/messages/new-message.ts'
import type { CampaignTable, ContactTable, MessageTable } from '../../server/database/schema.ts'
import { COUNTERS, recountMessages } from '../../server/messages/counters.ts'
import { createTally } from '../../server/messages/tally.ts'
import type { Services } from '../../server/services.ts'
import { createAccount } from '../../server/whatsapp/accounts.ts'
import { inboxDrain } from '../../server/whatsapp/inbox.ts'
import { write } from '../../server/work.ts'
import {
  type Business,
  encodeEnvelope,
  envelopeOf,
  type Grouping,
  type Notice,
  sign,
} from '../../simulator/envelope.ts'
import { hidden, type Person, personOfPhone } from '../../simulator/person.ts'

/** A business with an account, and what the other side tells it. The envelopes are the simulator's. */
export interface TestAccount extends Business {
  readonly id: string
  readonly appSecret: string
}

export const HOUR = 3_600_000

export async function makeAccount(
  services: Services,
  digit = 1,
  appSecret = `secret-of-the-app-${digit}`,
): Promise<TestAccount> {
  const business = {
    phoneNumberId: `10000000000000${digit}`,
    wabaId: `20000000000000${digit}`,
    displayPhone: `3361234567${digit}`,
  }
  const { id } = await createAccount(
    services,
    {
      name: `Number ${digit}`,
      provider: 'cloud',
      phone_number_id: business.phoneNumberId,
      waba_id: business.wabaId,
      display_phone: business.displayPhone,
      token: `token-of-number-${digit}`,
      app_secret: appSecret,
      verify_token: `verify-token-${digit}`,
      graph_version: 'v23.0',
      base_url: 'https://graph.facebook.com',
      mps_limit: 80,
    },
    {},
  )
  return { ...business, id, appSecret }
}

/** A log that keeps what is said at these levels. */
export function recordingLog(...levels: readonly ('info' | 'warn' | 'error')[]) {
  const lines: { readonly fields: Readonly<Record<string, unknown>>; readonly text: string | undefined }[] = []
  const keep = (fields: unknown, text?: string): void =>
    void lines.push(
      typeof fields === 'string' ? { fields: {}, text: fields } : { fields: fields as Record<string, unknown>, text },
    )
  const ignore = (): void => undefined
  const at = (level: 'info' | 'warn' | 'error') => (levels.includes(level) ? keep : ignore)
  const log = {
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    debug: ignore,
    trace: ignore,
    fatal: keep,
    silent: ignore,
    level: 'info',
    child: () => log,
  } as unknown as FastifyBaseLogger
  return { log, lines }
}

export interface Signed {
  readonly body: Buffer
  readonly signature: string
}

export function signed(account: TestAccount, notices: readonly Notice[], grouping: Grouping = 'items'): Signed {
  const body = encodeEnvelope(envelopeOf(notices, account, grouping))
  return { body, signature: sign(body, account.appSecret) }
}

export const phoneOf = (index: number): string => `+336${String(index).padStart(8, '0')}`
const personOf = (index: number): Person => personOfPhone(phoneOf(index))
export const hiddenPersonOf = (index: number): Person => hidden(personOf(index))
export const wamidOf = (campaign: string, index: number, step = 1): string =>
  `wamid.${campaign.slice(-12)}.${index}.${step}`

type StatusName = 'sent' | 'delivered' | 'read' | 'failed'

export function status(
  name: StatusName,
  wamid: string,
  index: number,
  at: number,
  more: { readonly code?: number; readonly callbackData?: string } = {},
): Notice {
  const { code, callbackData } = more
  return {
    kind: 'status',
    status: name,
    wamid,
    person: personOf(index),
    at,
    conversationId: 'c1',
    pricing: { category: 'marketing', type: 'regular', billable: true },
    ...(code === undefined ? {} : { fault: { code, details: 'said by the test' } }),
    ...(callbackData === undefined ? {} : { callbackData }),
  }
}

let messages = 0

export function reply(index: number, at: number, more: Partial<Extract<Notice, { kind: 'message' }>> = {}): Notice {
  const wamid = `wamid.in.${process.pid}.${++messages}`
  return { kind: 'message', wamid, person: personOf(index), at, content: { type: 'text', body: 'Yes please' }, ...more }
}

const EMPTY: MessageTable = {
  ...NEW_MESSAGE,
  id: '',
  direction: 'out',
  type: 'template',
  status: 'queued',
  params: '{}',
  attempts: 1,
  created_at: 0,
}

export function messageRow(fields: Partial<MessageTable>): MessageTable {
  return { ...EMPTY, ...fields }
}

export interface Planted {
  readonly campaign: CampaignTable
  /** By index. */
  readonly contacts: readonly Pick<ContactTable, 'id' | 'phone_e164'>[]
}

export interface Plan {
  readonly account: TestAccount
  /** Recipients: indexes from `from` on. */
  readonly people: number
  readonly from?: number
  readonly campaign?: Partial<CampaignTable>
  message?(index: number, campaignId: string): Partial<MessageTable>
}

async function plantContacts(services: Services, from: number, people: number): Promise<Planted['contacts']> {
  const { newId, now, database } = services
  const phones = Array.from({ length: people }, (_, index) => phoneOf(from + index))
  const known = new Map<string | null, string>()
  for (const row of await database.writer.selectFrom('contacts').select(['id', 'phone_e164']).execute())
    known.set(row.phone_e164, row.id)
  const rows = phones.map(phone => ({
    id: known.get(phone) ?? newId(),
    name: `Person ${phone}`,
    name_key: `person ${phone}`,
    phone_e164: phone,
    search_text: '',
    created_at: now(),
    updated_at: now(),
  }))
  const fresh = rows.filter(row => !known.has(row.phone_e164))
  for (let start = 0; start < fresh.length; start += 1000)
    await database.writer
      .insertInto('contacts')
      .values(fresh.slice(start, start + 1000))
      .execute()
  return rows
}

/** A running campaign whose Messages 1 were accepted, with counters that are true. */
export async function plant(services: Services, plan: Plan): Promise<Planted> {
  const { newId, now } = services
  const { account, people, from = 0 } = plan
  const contacts = await plantContacts(services, from, people)
  const id = newId()
  const campaign = {
    id,
    name: 'Planted',
    status: 'running',
    account_id: account.id,
    message2_kind: 'text',
    message2_body: 'Thank you, {{name}}',
    interaction_timeout_h: 24,
    planned_at: now(),
    started_at: now(),
    created_at: now(),
    updated_at: now(),
    ...plan.campaign,
  } as CampaignTable
  await services.database.writer.insertInto('campaigns').values(campaign).execute()
  await write(services, async work => {
    const tally = createTally(work)
    await tally.lock([id])
    const rows = contacts.map((contact, index) =>
      messageRow({
        id: newId(),
        campaign_id: id,
        contact_id: contact.id,
        step: 1,
        account_id: account.id,
        wamid: wamidOf(id, from + index),
        status: 'accepted',
        status_rank: 1,
        queued_at: now(),
        accepted_at: now(),
        created_at: now(),
        ...plan.message?.(from + index, id),
      }),
    )
    for (let start = 0; start < rows.length; start += 500)
      await work.trx
        .insertInto('messages')
        .values(rows.slice(start, start + 500))
        .execute()
    tally.inserted(rows)
    await tally.apply()
  })
  return { campaign: await campaignOf(services, id), contacts }
}

export async function campaignOf({ database }: Services, id: string): Promise<CampaignTable> {
  return await database.writer.selectFrom('campaigns').selectAll().where('id', '=', id).executeTakeFirstOrThrow()
}

/** Every message of the campaign, by step and contact. */
export async function messagesOf({ database }: Services, campaignId: string): Promise<MessageTable[]> {
  const rows = database.writer.selectFrom('messages').selectAll().where('campaign_id', '=', campaignId)
  return await rows.orderBy('step').orderBy('id').execute()
}

export async function inboxOf({ database }: Services) {
  return await database.writer.selectFrom('webhook_inbox').selectAll().orderBy('id').execute()
}

const NEVER = new AbortController().signal

/** Applies all that is due. */
export async function drainInbox(services: Services): Promise<void> {
  while ((await inboxDrain.run(services, NEVER)) > 0);
}

/** The counters of the campaign are those of its messages. */
export async function expectExact(services: Services, campaignId: string): Promise<CampaignTable> {
  const campaign = await campaignOf(services, campaignId)
  const counted = (await recountMessages(services.database.writer, [campaignId])).get(campaignId)
  expect(Object.fromEntries(COUNTERS.map(name => [name, campaign[name]]))).toEqual({ ...counted })
  return campaign
}
