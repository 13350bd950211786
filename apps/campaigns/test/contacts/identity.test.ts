import { describe, expect, test } from 'vitest'
import type { Composition } from '../../server/compose.ts'
import {
  changeUserId,
  findByIdentity,
  type Identified,
  type Identity,
  mergeIdentity,
} from '../../server/contacts/identity.ts'
import type { ContactTable } from '../../server/database/schema.ts'
import { phonesOfWaId } from '../../server/phone.ts'
import { write } from '../../server/work.ts'
import { startServices } from '../support/app.ts'
import { ENGINES } from '../support/engines.ts'

const seen = (services: Composition, identity: Identity): Promise<Identified> =>
  write(services, work => mergeIdentity(services, work, identity))

const all = (services: Composition): Promise<ContactTable[]> =>
  services.database.writer.selectFrom('contacts').selectAll().orderBy('id').execute()

const BSUID = 'FR.13491208655302741918'

async function addMessage(
  { database, newId }: Composition,
  contact_id: string,
  campaign_id: string | null,
): Promise<string> {
  const id = newId()
  await database.writer
    .insertInto('messages')
    .values({
      id,
      contact_id,
      campaign_id,
      step: campaign_id === null ? null : 1,
      direction: campaign_id === null ? 'in' : 'out',
      type: 'text',
      status: campaign_id === null ? 'received' : 'sent',
      status_rank: 2,
      attempts: 0,
      created_at: 1,
    } as never)
    .execute()
  return id
}

async function addCampaign({ database, newId }: Composition): Promise<string> {
  const id = newId()
  const row = { id, name: 'Spring', status: 'running', interaction_timeout_h: 24, created_at: 1, updated_at: 1 }
  await database.writer
    .insertInto('campaigns')
    .values(row as never)
    .execute()
  return id
}

describe.each(ENGINES)('who a message is from, on %s', engine => {
  test('is a new contact once, however many messages of theirs come at once', async () => {
    const services = await startServices({ engine })
    const identity = { waId: '33612345678', bsuid: BSUID, name: ' Ada\0 ' }
    const results = await Promise.all(Array.from({ length: 12 }, () => seen(services, identity)))
    expect(results.filter(({ created }) => created)).toHaveLength(1)
    expect(new Set(results.map(({ contact }) => contact.id)).size).toBe(1)
    expect(await all(services)).toMatchObject([
      {
        name: 'Ada',
        phone_e164: '+33612345678',
        wa_id: '33612345678',
        bsuid: BSUID,
        search_text: 'ada 33612345678',
        opt_in_at: null,
      },
    ])
  })

  test('is one person whether their messages carry the number, the user id or both, in any order and at once', async () => {
    const services = await startServices({ engine })
    const parts: Identity[] = [{ waId: '33612345678' }, { bsuid: BSUID }, { waId: '33612345678', bsuid: BSUID }]
    await Promise.all([...parts, ...parts, ...parts].map(part => seen(services, part)))
    await seen(services, { waId: '33612345678', bsuid: BSUID })
    expect(await all(services)).toMatchObject([{ phone_e164: '+33612345678', bsuid: BSUID }])
  })

  test('is the contact that was stored by hand, whose name stays and whose missing identifier is filled in', async () => {
    const services = await startServices({ engine })
    const { contact } = await seen(services, { phone: '+33612345678', name: 'Ada Lovelace' })
    const again = await seen(services, { waId: '33612345678', bsuid: BSUID, name: 'ada', username: 'ada.l' })
    expect(again).toMatchObject({ created: false, contact: { id: contact.id, bsuid: BSUID, username: 'ada.l' } })
    expect((await seen(services, { bsuid: BSUID })).contact).toMatchObject({ id: contact.id, name: 'Ada Lovelace' })
    const found = await services.database.writer.transaction().execute(trx => findByIdentity(trx, { bsuid: BSUID }))
    expect(found?.id).toBe(contact.id)
    const history = await services.database.writer.selectFrom('admin_history').select(['action', 'after']).execute()
    expect(history.map(row => row.action).sort()).toEqual(['create', 'identify'])
  })

  test('makes two contacts one when they turn out to be one person, with all that belongs to either', async () => {
    const services = await startServices({ engine })
    const { database, caching } = services
    const { contact: byHand } = await seen(services, { phone: '+33612345678', name: 'Ada Lovelace' })
    const { contact: hidden } = await seen(services, { bsuid: BSUID, username: 'ada' })
    const [both, onlyHidden] = ['c-both', 'c-hidden']
    for (const id of [both, onlyHidden]) {
      const row = { id, name: id, color: '#112233', description: '', created_at: 1, updated_at: 1 }
      await database.writer.insertInto('categories').values(row).execute()
    }
    const memberships = [
      { category_id: both, contact_id: byHand.id, created_at: 1 },
      { category_id: both, contact_id: hidden.id, created_at: 1 },
      { category_id: onlyHidden, contact_id: hidden.id, created_at: 1 },
    ]
    await database.writer.insertInto('contact_categories').values(memberships).execute()
    await database.writer
      .updateTable('contacts')
      .set({ opt_out_at: 7, last_inbound_at: 9 })
      .where('id', '=', hidden.id)
      .execute()
    const [shared, other] = [await addCampaign(services), await addCampaign(services)]
    await addMessage(services, byHand.id, shared)
    const doubled = await addMessage(services, hidden.id, shared)
    await addMessage(services, hidden.id, other)
    await addMessage(services, hidden.id, null)

    const { contact } = await seen(services, { waId: '33612345678', bsuid: BSUID })
    expect(contact).toMatchObject({
      id: byHand.id,
      name: 'Ada Lovelace',
      bsuid: BSUID,
      opt_out_at: 7,
      last_inbound_at: 9,
    })
    expect(await all(services)).toEqual([contact])
    const members = await database.writer.selectFrom('contact_categories').selectAll().orderBy('category_id').execute()
    expect(members.map(row => [row.category_id, row.contact_id])).toEqual([
      [both, byHand.id],
      [onlyHidden, byHand.id],
    ])
    const messages = await database.writer.selectFrom('messages').select(['id', 'contact_id']).execute()
    expect(messages.filter(row => row.contact_id === byHand.id)).toHaveLength(3)
    expect(messages.find(row => row.contact_id === null)?.id).toBe(doubled)
    expect(caching.cache.status().enabled).toBe(true)
  })

  test('takes a number from its old owner when WhatsApp gives it to another user id, and keeps both people apart', async () => {
    const services = await startServices({ engine })
    const { contact: old } = await seen(services, { waId: '33612345678', bsuid: 'FR.old' })
    const { contact: fresh, created } = await seen(services, { waId: '33612345678', bsuid: 'FR.new', name: 'Bob' })
    expect(created).toBe(true)
    const rows = new Map((await all(services)).map(row => [row.id, row]))
    expect(rows.get(old.id)).toMatchObject({ phone_e164: null, wa_id: null, bsuid: 'FR.old' })
    expect(rows.get(fresh.id)).toMatchObject({ phone_e164: '+33612345678', bsuid: 'FR.new', name: 'Bob' })
    const { contact: known } = await seen(services, { waId: '33611111111', bsuid: 'FR.old' })
    expect(known).toMatchObject({ id: old.id, phone_e164: '+33611111111' })
  })

  test('follows a changed user id, also when the first message under the new one came before the news', async () => {
    const services = await startServices({ engine })
    const { contact } = await seen(services, { waId: '33612345678', bsuid: 'FR.old', name: 'Ada' })
    const change = (to: string, from: string, waId?: string) =>
      write(services, work => changeUserId(services, work, { from, to, waId }))
    expect(await change('FR.second', 'FR.old')).toMatchObject({ id: contact.id, bsuid: 'FR.second' })
    const early = await seen(services, { waId: '33699999999', bsuid: 'FR.third' })
    expect(early.created).toBe(true)
    expect(await change('FR.third', 'FR.second')).toMatchObject({ id: contact.id, bsuid: 'FR.third' })
    expect(await all(services)).toMatchObject([{ id: contact.id, name: 'Ada', phone_e164: '+33699999999' }])
    expect(await change('FR.third', 'FR.second', '33699999999')).toMatchObject({ id: contact.id })
    expect(await change('FR.nobody', 'FR.unknown')).toBeUndefined()
  })

  test('never leaves two contacts with one number when many people and numbers change at once', async () => {
    const services = await startServices({ engine })
    const events = Array.from({ length: 40 }, (_, index): Identity => {
      const waId = `3361234567${(index * 7) % 4}`
      const bsuid = `FR.${Math.floor(index / 3) % 3}`
      return index % 3 === 0 ? { waId } : index % 3 === 1 ? { bsuid } : { waId, bsuid }
    })
    await Promise.all(events.map(event => seen(services, event)))
    const rows = await all(services)
    expect(rows.every(row => row.phone_e164 !== null || row.bsuid !== null)).toBe(true)
    const phones = rows.map(row => row.phone_e164).filter(phone => phone !== null)
    expect(new Set(phones).size).toBe(phones.length)
    for (const bsuid of ['FR.0', 'FR.1', 'FR.2']) expect(rows.filter(row => row.bsuid === bsuid)).toHaveLength(1)
  })
})

test.each([
  ['551187654321', '+5511987654321', 'a Brazilian mobile without its ninth digit'],
  ['5215512345678', '+525512345678', 'a Mexican mobile with the old 1'],
  ['33612345678', '+33612345678', 'a number spelled as everywhere'],
])('%s is %s: %s', (waId, phone) => expect(phonesOfWaId(waId)[0]).toBe(phone))
