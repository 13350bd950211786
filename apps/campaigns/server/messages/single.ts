import { type Kysely, sql } from 'kysely'
import { ADDRESSABLE, type Addressable } from '../campaigns/audience.ts'
import { lockFor } from '../campaigns/lifecycle.ts'
import { reopen, resetFailed } from '../campaigns/retry.ts'
import { forUpdate } from '../database/portable.ts'
import type { AccountTable, Tables } from '../database/schema.ts'
import type { JobContext, JobHandler, JobOutcome } from '../jobs/contract.ts'
import { badFields, notFound, Problem } from '../problem.ts'
import type { Services } from '../services.ts'
import { findTemplate, refuseUnapproved } from '../templates/store.ts'
import { received } from '../validation.ts'
import { accountFor } from '../whatsapp/accounts.ts'
import type { OutgoingContent } from '../whatsapp/port.ts'
import { takeRoom } from '../whatsapp/throughput.ts'
import { type Work, write } from '../work.ts'
import { type Params, placeholdersOf, recipientOf, type Rendered, templateContent } from './content.ts'
import { CLAIM_MS, type Claimed, sendClaimed, storeResults } from './send.ts'
import { createTally } from './tally.ts'

/** Messages that somebody writes to one contact, outside campaigns. */
const MESSAGE_SEND = 'message.send'

export interface SingleInput {
  readonly contact_id: string
  readonly account_id?: string | undefined
  readonly text?: string | undefined
  readonly template?: { readonly id: string; readonly params: Params } | undefined
}

/** A window that ends sooner may have ended when the message arrives. */
const WINDOW_MARGIN_MS = 60_000

function conflict(detail: string): Problem {
  return new Problem(409, detail)
}

async function chooseAccount(db: Kysely<Tables>, id: string | undefined): Promise<AccountTable> {
  let query = db
    .selectFrom('wa_accounts')
    .selectAll()
    .where('status', '=', 'active')
    .orderBy('created_at')
    .orderBy('id')
  if (id !== undefined) query = query.where('id', '=', id)
  const account = await query.limit(1).executeTakeFirst()
  if (account !== undefined) return account
  throw badFields(
    [{ field: 'body.account_id', expected: 'a WhatsApp account that is active', received: received(id) }],
    409,
  )
}

function readText(text: string, contact: Addressable, at: number): Rendered {
  if ((contact.window_expires_at ?? 0) <= at + WINDOW_MARGIN_MS) {
    throw conflict('The contact has not written within 24 hours: only a template may be sent.')
  }
  return { content: { type: 'text', body: text }, body: text }
}

async function render(
  { trx, at }: Work,
  input: SingleInput,
  contact: Addressable,
  account: AccountTable,
): Promise<Rendered> {
  if (input.template === undefined) return readText(input.text ?? '', contact, at)
  if (contact.opt_out_at !== null) throw conflict('The contact has opted out: no template may be sent.')
  const { id, params } = input.template
  const template = await findTemplate(trx, id)
  if (template.account_id !== account.id) {
    throw badFields([{ field: 'body.template.id', expected: 'a template of the account', received: received(id) }])
  }
  refuseUnapproved(template, 'body.template.id')
  const rendered = templateContent(template, params, contact)
  if (rendered !== undefined) return rendered
  const expected = `a text for each of ${placeholdersOf(template).join(', ')}`
  throw badFields([{ field: 'body.template.params', expected, received: received(params) }])
}

function sendJob(id: string, createdBy: string | null) {
  return {
    name: MESSAGE_SEND,
    payload: { message_id: id },
    dedupeKey: `${MESSAGE_SEND}:${id}`,
    priority: 10,
    createdBy,
  }
}

/** Stores a message to one contact, and asks for its sending. Returns its id. */
export async function addMessage(services: Services, work: Work, input: SingleInput): Promise<string> {
  const { trx, at, actor } = work
  const contact = await trx
    .selectFrom('contacts')
    .select(ADDRESSABLE)
    .where('id', '=', input.contact_id)
    .$call(forUpdate(work.engine))
    .executeTakeFirst()
  if (contact === undefined) throw notFound('contact', input.contact_id)
  if (recipientOf(contact) === undefined) throw conflict('The contact has neither a phone number nor a WhatsApp id.')
  const account = await chooseAccount(trx, input.account_id)
  const { content, body } = await render(work, input, contact, account)
  const id = services.newId()
  const row = {
    id,
    direction: 'out' as const,
    contact_id: contact.id,
    account_id: account.id,
    type: content.type,
    status: 'queued' as const,
    status_rank: 0,
    params: JSON.stringify(content),
    body,
    attempts: 0,
    next_attempt_at: at,
    queued_at: at,
    created_by: actor.userId,
    created_at: at,
  }
  await trx.insertInto('messages').values(row).execute()
  await work.record({
    action: 'message.send',
    entity: 'message',
    id,
    after: { contact_id: contact.id, type: content.type },
  })
  work.touch('messages')
  await services.jobs.add(work, sendJob(id, actor.userId))
  return id
}

/** Sends a failed message again; one of a campaign goes with the campaign. */
export async function retryMessage(services: Services, work: Work, id: string): Promise<void> {
  const { trx, engine, actor } = work
  const known = await trx.selectFrom('messages').select('campaign_id').where('id', '=', id).executeTakeFirst()
  if (known === undefined) throw notFound('message', id)
  const tally = createTally(work)
  const campaign = known.campaign_id === null ? undefined : await lockFor(work, known.campaign_id, 'retry-failed')
  const message = await trx
    .selectFrom('messages')
    .selectAll()
    .where('id', '=', id)
    .$call(forUpdate(engine))
    .executeTakeFirstOrThrow()
  if (message.status !== 'failed')
    throw conflict(`The message is ${message.status}: only one that failed can be sent again.`)
  await resetFailed(work, tally, [message])
  await tally.apply()
  await work.record({
    action: 'message.retry',
    entity: 'message',
    id,
    before: { status: message.status },
    after: { status: 'queued' },
  })
  if (campaign === undefined) await services.jobs.add(work, sendJob(id, actor.userId))
  else await reopen(services, work, campaign)
}

interface Payload {
  readonly message_id: string
}

type Next = { readonly done: string } | { readonly againAt: number } | { readonly claim: Claimed; readonly at: number }

/** Claims the message if it is due; says otherwise what is to be done about it. */
async function claimOne({ payload, save }: JobContext<Payload>, work: Work): Promise<Next> {
  const { trx, engine, at } = work
  const message = await trx
    .selectFrom('messages')
    .selectAll()
    .where('id', '=', payload.message_id)
    .$call(forUpdate(engine))
    .executeTakeFirst()
  if (message === undefined) return { done: 'deleted' }
  const due = message.next_attempt_at ?? at
  // Another holds the claim, or died with it: what becomes of it is known at its end.
  if (message.status === 'sending') return due > at ? { againAt: due } : { done: 'unknown' }
  if (message.status !== 'queued') return { done: message.status }
  if (due > at) return { againAt: due }
  await save(work, { attempt: message.attempts + 1 })
  const contact = await trx
    .selectFrom('contacts')
    .select(ADDRESSABLE)
    .where('id', '=', message.contact_id ?? '')
    .executeTakeFirst()
  const to = contact === undefined ? undefined : recipientOf(contact)
  work.touch('messages')
  if (to === undefined || message.params === null) {
    const skipped = { status: 'skipped', error_detail: 'contact_deleted', next_attempt_at: null } as const
    await trx.updateTable('messages').set(skipped).where('id', '=', message.id).execute()
    return { done: 'skipped' }
  }
  await trx
    .updateTable('messages')
    .set({ status: 'sending', attempts: sql`attempts + 1`, next_attempt_at: at + CLAIM_MS })
    .where('id', '=', message.id)
    .execute()
  const content = JSON.parse(message.params) as OutgoingContent
  const claim = { id: message.id, campaignId: null, attempt: message.attempts + 1, to, content }
  return { claim, at }
}

async function send(context: JobContext<Payload>): Promise<JobOutcome> {
  const { payload, services, signal } = context
  const { database } = services
  const find = () =>
    database.writer
      .selectFrom('messages')
      .innerJoin('wa_accounts', 'wa_accounts.id', 'messages.account_id')
      .select(['messages.status', 'messages.next_attempt_at', 'messages.account_id', 'wa_accounts.mps_limit'])
      .where('messages.id', '=', payload.message_id)
      .executeTakeFirst()
  const before = await find()
  if (before === undefined || before.account_id === null) return { result: { status: 'deleted' } }
  if (before.status === 'queued' && (before.next_attempt_at ?? 0) <= services.now()) {
    const room = await takeRoom(services, { accountId: before.account_id, perSecond: before.mps_limit }, 1)
    if (room.granted === 0 || signal.aborted) return { againAt: services.now() + room.retryAfter }
  }
  // Before the claim: an account that is stopped leaves the message where it is.
  const account = await accountFor(services, before.account_id)
  const next = await write(services, work => claimOne(context, work))
  if ('done' in next) return { result: { status: next.done } }
  if ('againAt' in next) return { againAt: next.againAt }
  await storeResults(services, await sendClaimed(services, account, [next.claim], next.at))
  const after = await find()
  if (after?.status === 'queued') return { againAt: after.next_attempt_at ?? services.now() }
  return { result: { status: after?.status ?? 'deleted' } }
}

/** Sends one message, again after refusals that pass. */
export const messageSend: JobHandler<Payload> = {
  name: MESSAGE_SEND,
  queue: 'messages',
  maxAttempts: 8,
  parse(payload) {
    const { message_id } = (payload ?? {}) as Partial<Payload>
    if (typeof message_id !== 'string') throw new Error('message_id: expected an id')
    return { message_id }
  },
  run: send,
}
