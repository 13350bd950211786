import { setConsent } from '../contacts/consent.ts'
import { forUpdate, insertIfAbsent } from '../database/portable.ts'
import type { ContactTable, MessageTable } from '../database/schema.ts'
import { releaseMessageTwo } from '../messages/interaction.ts'
import { answeredInTime, applyInteraction, UNKNOWN_OUTCOME } from '../messages/states.ts'
import { foldName } from '../phone.ts'
import type { SettingValues } from '../settings/definitions.ts'
import type { Work } from '../work.ts'
import type { Applied } from './apply-status.ts'
import type { Batch } from './batch.ts'
import type { InboundEvent } from './events.ts'

const SERVICE_WINDOW = 24 * 3_600_000
const SECOND = 1000

function receivedRow(id: string, event: InboundEvent, contact: ContactTable | undefined): Partial<MessageTable> {
  return {
    id,
    direction: 'in',
    contact_id: contact?.id ?? null,
    account_id: event.accountId,
    wamid: event.wamid,
    type: event.type,
    status: 'received',
    status_rank: 0,
    body: event.body,
    context_wamid: event.contextWamid ?? null,
    attempts: 0,
    created_at: event.at,
  }
}

async function lockContact({ trx, engine }: Work, id: string): Promise<ContactTable | undefined> {
  const query = trx.selectFrom('contacts').selectAll().where('id', '=', id)
  return await query.$call(forUpdate(engine)).executeTakeFirst()
}

/** The window is as long as the last message says, in whichever order messages arrive. */
async function openWindow({ trx }: Work, contact: ContactTable, at: number): Promise<ContactTable> {
  if (contact.last_inbound_at !== null && contact.last_inbound_at >= at) return contact
  const window = {
    last_inbound_at: at,
    window_expires_at: Math.max(contact.window_expires_at ?? 0, at + SERVICE_WINDOW),
  }
  // Not `updated_at`: whoever edits the contact meanwhile is in nobody's way.
  await trx.updateTable('contacts').set(window).where('id', '=', contact.id).execute()
  return { ...contact, ...window }
}

const EDGES = /^[\s\p{P}\p{S}]+|[\s\p{P}\p{S}]+$/gu
/** What is longer is no single word; and thousands of signs in a row take the expression their square to look through. */
const LONGEST_WORD = 200

/** "Stop!" is the word stop; a sentence that holds it is none. */
function consentWord(body: string | null, settings: SettingValues): 'opt_out' | 'opt_in' | undefined {
  if (body !== null && body.length > LONGEST_WORD) return undefined
  const bare = (text: string): string => foldName(text.replace(EDGES, ''))
  const said = bare(body ?? '')
  const isIn = (words: readonly string[]): boolean => said !== '' && words.some(word => bare(word) === said)
  if (isIn(settings.opt_out_words)) return 'opt_out'
  return isIn(settings.opt_in_words) ? 'opt_in' : undefined
}

/** The later word counts, by the time it was written at. */
async function heedWord(
  work: Work,
  contact: ContactTable,
  event: InboundEvent,
  settings: SettingValues,
): Promise<void> {
  const word = consentWord(event.body, settings)
  if (word === undefined) return
  const opposite = word === 'opt_out' ? contact.opt_in_at : contact.opt_out_at
  if (opposite !== null && opposite > event.at) return
  await setConsent({ ...work, at: event.at }, contact, word)
}

/** A thumb under a message is no answer to it, and news about people is from nobody. */
const NO_ANSWERS: ReadonlySet<string> = new Set(['reaction', 'system', 'request_welcome'])

/** Whether a message without a context may be about this Message 1. */
function mayAnswer(batch: Batch, message: MessageTable, event: InboundEvent): boolean {
  const { status, error_class, account_id, sent_at, accepted_at } = message
  if (account_id !== null && account_id !== event.accountId) return false
  if (status === 'failed' && error_class !== UNKNOWN_OUTCOME) return false
  if (status === 'no_interaction') {
    const campaign = batch.campaign(message.campaign_id)
    if (campaign === undefined || !answeredInTime(message, campaign, event.at)) return false
  }
  // What was written before the message left was about something else. Their clock tells whole seconds.
  const left = sent_at ?? accepted_at
  return left === null || left < event.at + SECOND
}

/** The Message 1 that this answers, if it answers one. */
function answered(batch: Batch, event: InboundEvent, contact: ContactTable): MessageTable | undefined {
  const { type, contextWamid, accountId } = event
  if (NO_ANSWERS.has(type)) return undefined
  const open = batch.openOf(contact.id).filter(message => mayAnswer(batch, message, event))
  // Deletions come as messages of no type that we are told.
  if (contextWamid === undefined) return type === 'unsupported' ? undefined : open[0]
  const named = batch.byWamid(contextWamid)
  // An id that nobody knows can only be that of a message whose own id is not known yet.
  if (named === undefined) return open.find(message => message.wamid === null)
  const isOurs = named.account_id === null || named.account_id === accountId
  return named.step === 1 && named.direction === 'out' && isOurs ? named : undefined
}

async function interact(batch: Batch, event: InboundEvent, sender: ContactTable): Promise<void> {
  const { services, work, tally, templates } = batch
  const message = answered(batch, event, sender)
  const campaign = batch.campaign(message?.campaign_id ?? null)
  if (message === undefined || campaign === undefined) return
  const interaction = applyInteraction(message, campaign, event.at)
  if (interaction === undefined) return
  await batch.change(message, interaction.patch)
  // The contact was deleted: nobody is left to send to.
  if (!interaction.releases || message.contact_id === null) return
  const recipient = await lockContact(work, message.contact_id)
  if (recipient === undefined) return
  // Two contacts of one person that nothing has told us are one: they answered, so the window is open for both.
  const contact = await openWindow(work, recipient, event.at)
  if (await releaseMessageTwo(services, work, tally, { campaign, contact, templates })) batch.run(campaign.id)
}

/** Stores a message from a person, and does what it calls for. */
export async function applyInbound(batch: Batch, event: InboundEvent): Promise<Applied> {
  const { services, work, settings } = batch
  const sender = batch.senderOf(event.id)
  const row = receivedRow(services.newId(), event, sender)
  if ((await insertIfAbsent(work.trx, work.engine, 'messages', [row as MessageTable])) === 0) return {}
  work.touch('messages')
  if (sender === undefined) return { note: 'WhatsApp did not say who it is from, or about' }
  // Whether a reaction opens the window is nowhere said: without it the worst is a template in place of a text.
  if (event.type === 'system' || event.type === 'reaction') return {}
  const contact = await lockContact(work, sender.id)
  if (contact === undefined) return {}
  await heedWord(work, await openWindow(work, contact, event.at), event, settings)
  await interact(batch, event, contact)
  return {}
}
