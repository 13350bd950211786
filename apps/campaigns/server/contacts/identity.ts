import { randomUUID } from 'node:crypto'
import type { Transaction } from 'kysely'
import { forUpdate, insertIfAbsent } from '../database/portable.ts'
import type { ContactTable, Tables } from '../database/schema.ts'
import type { Engine } from '../database/url.ts'
import { foldName, phonesOfWaId } from '../phone.ts'
import type { Search } from '../search/port.ts'
import type { Services } from '../services.ts'
import type { Work } from '../work.ts'
import { absorbContact } from './merge.ts'
import { searchTextOf } from './search-text.ts'
import { NO_HISTORY } from './store.ts'

/**
 * Who an event of WhatsApp is about. Since people may hide their number, either identifier may be missing; one of them
 * has to be there.
 */
export interface Identity {
  /** The phone as WhatsApp spells it, digits only. */
  readonly waId?: string | undefined
  /** In E.164; taken from `waId` unless given. */
  readonly phone?: string | undefined
  /** The business-scoped user id. */
  readonly bsuid?: string | undefined
  readonly parentBsuid?: string | undefined
  readonly username?: string | undefined
  /** Of the profile: the name of a contact that is made. */
  readonly name?: string | undefined
}

export interface Identified {
  /** As it is now. Its row is locked until the transaction ends. */
  readonly contact: ContactTable
  readonly created: boolean
}

interface Claims {
  readonly byUser: ContactTable | undefined
  readonly byNumber: ContactTable | undefined
  /** Has the number in WhatsApp's spelling, from before its own was changed, when `byNumber` is another. */
  readonly bySpelling: ContactTable | undefined
}

const NOBODY: Claims = { byUser: undefined, byNumber: undefined, bySpelling: undefined }
const LONGEST_NAME = 120
const TRIES = 5

function numbersOf({ waId, phone }: Identity): string[] {
  const numbers = waId === undefined ? [] : phonesOfWaId(waId)
  return phone === undefined ? numbers : [phone, ...numbers.filter(number => number !== phone)]
}

/** Locks what it finds when `lockFor` says on which engine. */
async function findClaims(trx: Transaction<Tables>, identity: Identity, lockFor: Engine | undefined): Promise<Claims> {
  const { bsuid, waId } = identity
  const phones = numbersOf(identity)
  if (bsuid === undefined && waId === undefined && phones.length === 0) {
    throw new Error('an identity without a phone and without a user id is nobody')
  }
  const ids = await trx
    .selectFrom('contacts')
    .select('id')
    .where(w =>
      w.or([
        ...(bsuid === undefined ? [] : [w('bsuid', '=', bsuid)]),
        ...(waId === undefined ? [] : [w('wa_id', '=', waId)]),
        ...(phones.length === 0 ? [] : [w('phone_e164', 'in', phones)]),
      ]),
    )
    .execute()
  if (ids.length === 0) return NOBODY
  const query = trx
    .selectFrom('contacts')
    .selectAll()
    .where(
      'id',
      'in',
      ids.map(row => row.id),
    )
    // In one order by everybody, so that two who lock the same rows never wait for each other.
    .orderBy('id')
  const rows = await (lockFor === undefined ? query : query.$call(forUpdate(lockFor))).execute()
  const byPhone = phones.map(phone => rows.find(row => row.phone_e164 === phone)).find(row => row !== undefined)
  const bySpelling = waId === undefined ? undefined : rows.find(row => row.wa_id === waId)
  return {
    byUser: bsuid === undefined ? undefined : rows.find(row => row.bsuid === bsuid),
    byNumber: byPhone ?? bySpelling,
    bySpelling: byPhone === undefined || byPhone.id === bySpelling?.id ? undefined : bySpelling,
  }
}

/** The contact that WhatsApp means, without changing anything: by the user id before the number. */
export async function findByIdentity(trx: Transaction<Tables>, identity: Identity): Promise<ContactTable | undefined> {
  const { byUser, byNumber } = await findClaims(trx, identity, undefined)
  return byUser ?? byNumber
}

type Patch = Partial<ContactTable>

/**
 * Makes sure of identifiers that a row is about to get, by a row that has them for a moment: whoever stores them
 * elsewhere at the same time is waited for, and no statement fails, which would end the transaction on PostgreSQL.
 * False when somebody else has them by now.
 */
async function reserve({ trx, engine, at }: Work, row: ContactTable, patch: Patch): Promise<boolean> {
  const claimed = (name: 'phone_e164' | 'bsuid'): string | null => {
    const value = patch[name] ?? null
    return value === row[name] ? null : value
  }
  const [phone_e164, bsuid] = [claimed('phone_e164'), claimed('bsuid')]
  if (phone_e164 === null && bsuid === null) return true
  const id = randomUUID()
  const times = { created_at: at, updated_at: at }
  const holder = { ...NO_HISTORY, ...times, id, phone_e164, bsuid, name: '', name_key: '', search_text: '' }
  const held = { ...holder, email: null, username: null, attributes: null }
  if ((await insertIfAbsent(trx, engine, 'contacts', [held])) === 0) return false
  await trx.deleteFrom('contacts').where('id', '=', id).execute()
  return true
}

/** The row as it is then; undefined, with nothing changed, when somebody else has got an identifier of the patch. */
async function change(search: Search, work: Work, row: ContactTable, patch: Patch): Promise<ContactTable | undefined> {
  const { trx, at, record, touch } = work
  const differs = Object.entries(patch).some(([name, value]) => row[name as keyof ContactTable] !== value)
  if (!differs) return row
  if (!(await reserve(work, row, patch))) return undefined
  const next = { ...row, ...patch, updated_at: Math.max(at, row.updated_at + 1) }
  next.search_text = searchTextOf(next)
  const { search_text, updated_at } = next
  await trx
    .updateTable('contacts')
    .set({ ...patch, search_text, updated_at })
    .where('id', '=', row.id)
    .execute()
  await record({ action: 'identify', entity: 'contact', id: row.id, before: pick(row, patch), after: patch })
  if (search_text !== row.search_text) await search.changed(work, 'contact', [row.id])
  touch('contacts')
  return next
}

function pick(row: ContactTable, names: Patch): object {
  return Object.fromEntries(Object.keys(names).map(name => [name, row[name as keyof ContactTable]]))
}

/** What an event adds to the contact it is about. WhatsApp knows better than we do which number and id are theirs. */
function learned(row: ContactTable, identity: Identity): Patch {
  const { waId, bsuid, parentBsuid, username } = identity
  const phones = numbersOf(identity)
  const knownNumber = row.phone_e164 !== null && phones.includes(row.phone_e164)
  return {
    ...(waId === undefined ? {} : { wa_id: waId }),
    ...(phones[0] === undefined || knownNumber ? {} : { phone_e164: phones[0] }),
    ...(bsuid === undefined ? {} : { bsuid }),
    ...(parentBsuid === undefined ? {} : { parent_bsuid: parentBsuid }),
    ...(username === undefined ? {} : { username: username.slice(0, 80) }),
  }
}

async function insertContact(
  { newId, search }: Services,
  work: Work,
  identity: Identity,
): Promise<ContactTable | undefined> {
  const { trx, engine, at, record, touch } = work
  const [phone_e164 = null] = numbersOf(identity)
  const { waId, bsuid, parentBsuid, username } = identity
  // People may call themselves by spaces alone, and by a user name of such.
  const called = [identity.name?.replaceAll('\0', ''), username, phone_e164, bsuid].map(text => text?.trim() ?? '')
  const name = Array.from(called.find(text => text !== '') ?? '')
    .slice(0, LONGEST_NAME)
    .join('')
  const row: ContactTable = {
    ...NO_HISTORY,
    id: newId(),
    name,
    name_key: foldName(name),
    phone_e164,
    email: null,
    wa_id: waId ?? null,
    bsuid: bsuid ?? null,
    parent_bsuid: parentBsuid ?? null,
    username: username?.slice(0, 80) ?? null,
    attributes: null,
    search_text: '',
    created_at: at,
    updated_at: at,
  }
  row.search_text = searchTextOf(row)
  if ((await insertIfAbsent(trx, engine, 'contacts', [row])) === 0) return undefined
  await record({ action: 'create', entity: 'contact', id: row.id, after: row })
  await search.changed(work, 'contact', [row.id])
  touch('contacts')
  return row
}

/** The number goes from a contact that WhatsApp knows as somebody else: numbers are given to new people. */
async function releaseNumber(search: Search, work: Work, row: ContactTable): Promise<void> {
  await change(search, work, row, { phone_e164: null, wa_id: null })
}

async function learn(
  search: Search,
  work: Work,
  row: ContactTable,
  identity: Identity,
): Promise<Identified | undefined> {
  const contact = await change(search, work, row, learned(row, identity))
  return contact === undefined ? undefined : { contact, created: false }
}

/** Undefined when another transaction was quicker. What was done by then is right all the same. */
async function settle(
  services: Services,
  work: Work,
  identity: Identity,
  claims: Claims,
): Promise<Identified | undefined> {
  const { search } = services
  const { byUser, byNumber, bySpelling } = claims
  if (bySpelling !== undefined && bySpelling.id !== byUser?.id) await change(search, work, bySpelling, { wa_id: null })
  if (byUser !== undefined) {
    if (byNumber === undefined || byNumber.id === byUser.id) return await learn(search, work, byUser, identity)
    if (byNumber.bsuid === null) {
      // Nobody but us ever said whose number this is: both rows are the one person.
      const survivor = await absorbContact(search, work, { survivor: byNumber, absorbed: byUser })
      return await learn(search, work, survivor, identity)
    }
    await releaseNumber(search, work, byNumber)
    return await learn(search, work, byUser, identity)
  }
  if (byNumber !== undefined) {
    if (identity.bsuid === undefined || byNumber.bsuid === null) return await learn(search, work, byNumber, identity)
    await releaseNumber(search, work, byNumber)
  }
  const contact = await insertContact(services, work, identity)
  return contact === undefined ? undefined : { contact, created: true }
}

/** Each try but the last found that another transaction had stored an identifier since it looked, and committed. */
async function untilSettled<T>(run: () => Promise<T | undefined>): Promise<T> {
  for (let attempt = 1; attempt <= TRIES; attempt++) {
    const settled = await run()
    if (settled !== undefined) return settled
  }
  throw new Error('the identifiers of a contact kept changing under way')
}

/**
 * The contact that an inbound message is from, with the missing identifier filled in; made when there is none. The user
 * id decides before the number: a number that belongs to another user id by now is taken from its old owner, and two
 * rows that turn out to be one person become one. Two events of a new person at once make one contact.
 */
export async function mergeIdentity(services: Services, work: Work, identity: Identity): Promise<Identified> {
  return await untilSettled(async () =>
    settle(services, work, identity, await findClaims(work.trx, identity, work.engine)),
  )
}

/**
 * WhatsApp gave a person a new user id (system message `user_changed_user_id`), as it does when their number changes.
 * What was already stored under the new id becomes part of the contact of the old one. Undefined when neither is known.
 */
export async function changeUserId(
  { search }: Services,
  work: Work,
  change: { readonly from: string; readonly to: string; readonly waId?: string | undefined },
): Promise<ContactTable | undefined> {
  const { contact } = await untilSettled(() => replaceUserId(search, work, change))
  return contact
}

async function replaceUserId(
  search: Search,
  work: Work,
  { from, to, waId }: { readonly from: string; readonly to: string; readonly waId?: string | undefined },
): Promise<{ readonly contact: ContactTable | undefined } | undefined> {
  const { trx, engine } = work
  const query = trx.selectFrom('contacts').selectAll().where('bsuid', 'in', [from, to]).orderBy('id')
  const rows = await query.$call(forUpdate(engine)).execute()
  const old = rows.find(row => row.bsuid === from)
  const fresh = rows.find(row => row.bsuid === to)
  if (old === undefined || old === fresh) return { contact: fresh }
  let survivor = fresh === undefined ? old : await absorbContact(search, work, { survivor: old, absorbed: fresh })
  // A new id comes with a new number, so the one that was stored under the new id is the better one.
  const known = waId ?? fresh?.wa_id ?? undefined
  const identity = { bsuid: to, ...(known === undefined ? {} : { waId: known }) }
  const { byNumber } = known === undefined ? NOBODY : await findClaims(trx, { waId: known }, engine)
  if (byNumber !== undefined && byNumber.id !== survivor.id) {
    if (byNumber.bsuid === null) survivor = await absorbContact(search, work, { survivor, absorbed: byNumber })
    else await releaseNumber(search, work, byNumber)
  }
  return await learn(search, work, survivor, identity)
}
