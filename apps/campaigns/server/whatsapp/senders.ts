import { changeUserId, findByIdentity, type Identity, mergeIdentity } from '../contacts/identity.ts'
import type { ContactTable } from '../database/schema.ts'
import type { Services } from '../services.ts'
import type { Work } from '../work.ts'
import type { IdentityChange, InboundEvent } from './events.ts'

/**
 * Whose numbers the messages went to that are answered: who hides their number is the contact we wrote to all the same,
 * and not a new one. Only of contacts whose user id is not known, since any other would be somebody else's.
 */
async function answeredPhones({ trx }: Work, inbound: readonly InboundEvent[]): Promise<ReadonlyMap<string, string>> {
  const wamids = inbound.filter(event => event.identity?.waId === undefined).map(event => event.contextWamid)
  const known = [...new Set(wamids.filter(wamid => wamid !== undefined))]
  if (known.length === 0) return new Map()
  const rows = await trx
    .selectFrom('messages')
    .innerJoin('contacts', 'contacts.id', 'messages.contact_id')
    .select(['messages.wamid', 'messages.account_id', 'contacts.phone_e164'])
    .where('messages.wamid', 'in', known)
    .where('messages.direction', '=', 'out')
    .where('contacts.bsuid', 'is', null)
    .execute()
  return new Map(rows.map(row => [`${row.account_id} ${row.wamid}`, row.phone_e164 ?? '']))
}

/** Somebody became somebody else. Undefined when we never heard of them: there is nothing to change then. */
async function applyChange(
  services: Services,
  work: Work,
  { userId, waId, newUserId, newWaId }: IdentityChange,
): Promise<ContactTable | undefined> {
  if (userId !== undefined) {
    const changed = await changeUserId(services, work, { from: userId, to: newUserId, waId: newWaId })
    if (changed !== undefined) return changed
  }
  const known = waId === undefined ? undefined : await findByIdentity(work.trx, { waId })
  if (known === undefined) return undefined
  if (known.bsuid !== null)
    return await changeUserId(services, work, { from: known.bsuid, to: newUserId, waId: newWaId })
  // First the id is given to the contact of the old number, then the new number to the contact of that id.
  const { contact } = await mergeIdentity(services, work, { waId, bsuid: newUserId })
  if (newWaId === undefined) return contact
  return (await mergeIdentity(services, work, { waId: newWaId, bsuid: newUserId })).contact
}

const orderOf = ({ identity, change }: InboundEvent): string =>
  identity?.bsuid ?? identity?.waId ?? change?.userId ?? change?.waId ?? ''

/** The contacts that the events are from, by the id of the event; made where there are none. */
export async function identifySenders(
  services: Services,
  work: Work,
  inbound: readonly InboundEvent[],
): Promise<ReadonlyMap<string, ContactTable>> {
  const phones = await answeredPhones(work, inbound)
  const identified = new Map<string, { readonly contact: ContactTable; readonly identity: Identity }>()
  // In one order, so that two batches with the same people wait for each other and not in a circle.
  for (const event of inbound.toSorted((a, b) => (orderOf(a) < orderOf(b) ? -1 : 1))) {
    const { id, change, identity: told, contextWamid, accountId } = event
    if (change !== undefined) {
      const contact = await applyChange(services, work, change)
      if (contact !== undefined) identified.set(id, { contact, identity: { bsuid: change.newUserId } })
    }
    if (told === undefined) continue
    const phone = phones.get(`${accountId} ${contextWamid}`)
    const identity = phone === undefined || phone === '' || told.waId !== undefined ? told : { ...told, phone }
    const { contact } = await mergeIdentity(services, work, identity)
    identified.set(id, { contact, identity })
  }
  return await settled(work, identified)
}

/** As they are when all are identified: one contact may have become part of another in between. */
async function settled(
  { trx }: Work,
  identified: ReadonlyMap<string, { readonly contact: ContactTable; readonly identity: Identity }>,
): Promise<ReadonlyMap<string, ContactTable>> {
  const senders = new Map<string, ContactTable>()
  if (identified.size === 0) return senders
  const ids = [...new Set([...identified.values()].map(({ contact }) => contact.id))]
  const rows = await trx.selectFrom('contacts').selectAll().where('id', 'in', ids).execute()
  const byId = new Map(rows.map(row => [row.id, row]))
  for (const [eventId, { contact, identity }] of identified) {
    const now = byId.get(contact.id) ?? (await findByIdentity(trx, identity))
    if (now !== undefined) senders.set(eventId, now)
  }
  return senders
}
