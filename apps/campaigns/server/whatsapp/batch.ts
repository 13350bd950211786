import { findByIdentity } from '../contacts/identity.ts'
import { forUpdate } from '../database/portable.ts'
import type { CampaignTable, ContactTable, MessageTable } from '../database/schema.ts'
import type { Templates } from '../messages/interaction.ts'
import type { MessagePatch } from '../messages/states.ts'
import { createTally, type Tally } from '../messages/tally.ts'
import type { Services } from '../services.ts'
import type { SettingValues } from '../settings/definitions.ts'
import { templatesOf } from '../templates/store.ts'
import type { Work } from '../work.ts'
import type { InboundEvent, StatusEvent } from './events.ts'
import { identifySenders } from './senders.ts'

/**
 * A batch of events in one transaction. What they are about is looked up for all of them together: campaigns are locked
 * first, then contacts, then messages, each in the order of their ids, as everywhere.
 */
export interface Batch {
  readonly services: Services
  readonly work: Work
  readonly tally: Tally
  readonly settings: SettingValues
  readonly templates: Templates
  campaign(id: string | null): CampaignTable | undefined
  /** Who an inbound event is from, by the id of the event. */
  senderOf(eventId: string): ContactTable | undefined
  /** The message as this batch leaves it so far. */
  byId(id: string): MessageTable | undefined
  byWamid(wamid: string): MessageTable | undefined
  /** The Messages 1 of a contact that nobody has answered yet, newest first. */
  openOf(contactId: string): readonly MessageTable[]
  change(message: MessageTable, patch: MessagePatch): Promise<MessageTable>
  /** The campaign has something to send. */
  run(campaignId: string): void
  /** The campaign cannot go on. */
  halt(campaignId: string, to: 'paused' | 'failed', reason: string): void
  /** What is done once all events are applied. */
  readonly ends: Ends
}

export interface Ends {
  readonly runs: Set<string>
  readonly halts: Map<string, { readonly to: 'paused' | 'failed'; readonly reason: string }>
}

export interface Events {
  readonly statuses: readonly StatusEvent[]
  readonly inbound: readonly InboundEvent[]
}

interface Found {
  readonly id: string
  readonly campaign_id: string | null
}

/** The messages that the events name: by WhatsApp's id, and by our own where that is not known yet. */
async function findNamed({ trx }: Work, { statuses, inbound }: Events): Promise<Found[]> {
  const contexts = inbound.map(event => event.contextWamid).filter(wamid => wamid !== undefined)
  const wamids = [...new Set([...statuses.map(event => event.wamid), ...contexts])]
  const ids = [...new Set(statuses.map(event => event.callback?.messageId).filter(id => id !== undefined))]
  const query = trx.selectFrom('messages').select(['id', 'campaign_id'])
  return [
    ...(wamids.length === 0 ? [] : await query.where('wamid', 'in', wamids).execute()),
    ...(ids.length === 0 ? [] : await query.where('id', 'in', ids).execute()),
  ]
}

/**
 * What an answer may be about: under way, lost sight of by its sender, or given up before the answer came. `sending`
 * because answers overtake commits.
 */
const ANSWERABLE = ['sending', 'accepted', 'sent', 'delivered', 'read', 'failed', 'no_interaction'] as const

async function findOpen({ trx }: Work, contactIds: readonly string[]): Promise<Found[]> {
  if (contactIds.length === 0) return []
  return await trx
    .selectFrom('messages')
    .select(['id', 'campaign_id'])
    .where('contact_id', 'in', [...new Set(contactIds)])
    .where('step', '=', 1)
    .where('status', 'in', [...ANSWERABLE])
    .where('interacted_at', 'is', null)
    .execute()
}

/** The contacts that the senders are by now, without changing anything: only to know which campaigns to lock. */
async function knownSenders({ trx }: Work, inbound: readonly InboundEvent[]): Promise<string[]> {
  const ids: string[] = []
  for (const { identity } of inbound) {
    const contact = identity === undefined ? undefined : await findByIdentity(trx, identity)
    if (contact !== undefined) ids.push(contact.id)
  }
  return ids
}

async function lockMessages({ trx, engine }: Work, found: readonly Found[]): Promise<MessageTable[]> {
  const ids = [...new Set(found.map(row => row.id))]
  if (ids.length === 0) return []
  return await trx
    .selectFrom('messages')
    .selectAll()
    .where('id', 'in', ids)
    .orderBy('id')
    .$call(forUpdate(engine))
    .execute()
}

interface Book {
  readonly messages: readonly MessageTable[]
  readonly campaigns: ReadonlyMap<string, CampaignTable>
  readonly senders: ReadonlyMap<string, ContactTable>
}

async function openBook(services: Services, work: Work, tally: Tally, events: Events): Promise<Book> {
  const named = await findNamed(work, events)
  const expected = [...named, ...(await findOpen(work, await knownSenders(work, events.inbound)))]
  const campaigns = new Map(await tally.lock(expected.map(row => row.campaign_id)))
  const senders = await identifySenders(services, work, events.inbound)
  const contactIds = [...senders.values()].map(contact => contact.id)
  const found = [...named, ...(await findOpen(work, contactIds))]
  // Those that came in between, or of a contact that has just become another. A lock out of order is at worst a deadlock,
  // after which the batch begins anew.
  const missed = found.map(row => row.campaign_id).filter(id => id !== null && !campaigns.has(id))
  for (const [id, campaign] of await tally.lock(missed)) campaigns.set(id, campaign)
  return { messages: await lockMessages(work, found), campaigns, senders }
}

async function findTemplates({ trx }: Work, { inbound }: Events, { campaigns }: Book): Promise<Templates> {
  if (inbound.length === 0) return new Map()
  return await templatesOf(
    trx,
    [...campaigns.values()].flatMap(row => [row.message2_template_id, row.fallback_template_id]),
  )
}

/** Looks up and locks what the events are about. */
export async function openBatch(
  services: Services,
  work: Work,
  settings: SettingValues,
  events: Events,
): Promise<Batch> {
  const tally = createTally(work)
  const book = await openBook(services, work, tally, events)
  const templates = await findTemplates(work, events, book)
  const messages = new Map(book.messages.map(message => [message.id, message]))
  const wamids = new Map(book.messages.flatMap(({ id, wamid }) => (wamid === null ? [] : [[wamid, id] as const])))
  const ends: Ends = { runs: new Set(), halts: new Map() }
  return {
    services,
    work,
    tally,
    settings,
    templates,
    ends,
    campaign: id => (id === null ? undefined : book.campaigns.get(id)),
    senderOf: eventId => book.senders.get(eventId),
    byId: id => messages.get(id),
    byWamid: wamid => messages.get(wamids.get(wamid) ?? ''),
    openOf: contactId =>
      [...messages.values()]
        .filter(
          ({ step, contact_id, interacted_at }) => step === 1 && contact_id === contactId && interacted_at === null,
        )
        .sort((a, b) => (a.id < b.id ? 1 : -1)),
    async change(message, patch) {
      const after = await tally.change(message, patch)
      messages.set(after.id, after)
      if (after.wamid !== null) wamids.set(after.wamid, after.id)
      return after
    },
    run: campaignId => void ends.runs.add(campaignId),
    halt(campaignId, to, reason) {
      if (!ends.halts.has(campaignId)) ends.halts.set(campaignId, { to, reason })
    },
  }
}
