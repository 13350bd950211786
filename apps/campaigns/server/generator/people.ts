import { searchTextOf } from '../contacts/search-text.ts'
import type { CategoryTable, ContactCategoryTable, ContactTable } from '../database/schema.ts'
import { uuidv7 } from '../ids.ts'
import { foldName } from '../phone.ts'
import { type DataSet, DAY, STREAMS } from './data-set.ts'
import { createRandom, type Random } from './random.ts'

/** Contacts and categories: obviously nobody's names, addresses that example.org keeps free, numbers that are counted. */
export const FIRST_NAMES: readonly string[] = [
  ...['Ada', 'Amélie', 'Aïcha', 'Bastien', 'Camille', 'Chidi', 'Chloé', 'Daniel', 'Dmitri', 'Élodie', 'Emma', 'Fatou'],
  ...['François', 'Grace', 'Hana', 'Hugo', 'Inès', 'Ivan', 'Jade', 'João', 'Karim', 'Léa', 'Liam', 'Lucía', 'Maël'],
  ...['Mariam', 'Mateo', 'Mia', 'Moussa', 'Nadia', 'Noah', 'Nour', 'Olga', 'Omar', 'Oscar', 'Paul', 'Priya', 'Rania'],
  ...['Rosa', 'Ruben', 'Salomé', 'Sami', 'Sofia', 'Théo', 'Tomás', 'Valentina', 'Wanda', 'Yasmine', 'Yuki', 'Zoé'],
]

const LAST_NAMES = [
  ...['Adeyemi', 'Almeida', 'Bakker', 'Benali', 'Bernard', 'Bianchi', 'Carvalho', 'Chevalier', 'Cissé', 'Costa'],
  ...['Dubois', 'Durand', 'El Amrani', 'Fernández', 'Fontaine', 'Garnier', 'Gauthier', 'Haddad', 'Ibrahim', 'Jansen'],
  ...['Kaya', 'Keller', 'Kowalski', 'Laurent', 'Lefèvre', 'Lopez', 'Mahmoud', 'Marchand', 'Martin', 'Mercier', 'Meyer'],
  ...['Moreau', 'Müller', 'Nguyen', 'Novák', 'Okafor', 'Oliveira', 'Perrin', 'Petit', 'Popescu', 'Rossi', 'Rousseau'],
  ...['Sánchez', 'Schmidt', 'Silva', 'Tanaka', 'Traoré', 'Vidal', 'Weber', 'Yılmaz'],
] as const

const CATEGORIES: readonly (readonly [name: string, color: string])[] = [
  ['Newsletter', '#0f766e'],
  ['Customers', '#2563eb'],
  ['Prospects', '#d97706'],
  ['Paris', '#7c3aed'],
  ['Lyon', '#be185d'],
  ['Marseille', '#0284c7'],
  ['Loyalty gold', '#b45309'],
  ['Loyalty silver', '#64748b'],
  ['Events', '#16a34a'],
  ['Partners', '#4f46e5'],
  ['Wholesale', '#9333ea'],
  ['Students', '#0891b2'],
  ['Back in stock', '#dc2626'],
  ['Beta testers', '#65a30d'],
  ['Support', '#475569'],
  ['Birthdays', '#db2777'],
  ['Press', '#334155'],
  ['Volunteers', '#059669'],
  ['Dormant', '#a8a29e'],
  ['VIP', '#ca8a04'],
]

/** How far back the first contact lies. */
const PEOPLE_SPAN: number = 400 * DAY
const PREFIXES = [
  ['+336', 'FR'],
  ['+337', 'FR'],
  ['+447', 'GB'],
  ['+491', 'DE'],
  ['+346', 'ES'],
] as const
const CITIES = ['Paris', 'Lyon', 'Marseille', 'Lille', 'Nantes', 'London', 'Berlin', 'Madrid'] as const
const LANGUAGES = ['fr', 'fr', 'fr', 'en', 'de', 'es'] as const

export function makeCategories({ seed, now }: DataSet): CategoryTable[] {
  const random = createRandom(seed, STREAMS.categories)
  const at = now - PEOPLE_SPAN
  return CATEGORIES.map(([name, color], index) => ({
    id: uuidv7(at + index, 0, random.hex16()),
    name,
    color,
    description: '',
    created_at: at + index,
    updated_at: at + index,
  }))
}

/** What other rows depend on, by the index of the contact. The later the index, the newer the contact. */
export interface People {
  readonly ids: readonly string[]
  readonly createdAt: Float64Array
  /** What they are called by, as an index of `FIRST_NAMES`. */
  readonly first: Uint8Array
  /** When the last message came from them, and when the last one went either way; 0 for never. Filled by the messages. */
  readonly lastInbound: Float64Array
  readonly lastSeen: Float64Array
}

export function makePeople({ contacts, seed, now }: DataSet): People {
  const random = createRandom(seed, STREAMS.people)
  const people = {
    ids: [] as string[],
    createdAt: new Float64Array(contacts),
    first: new Uint8Array(contacts),
    lastInbound: new Float64Array(contacts),
    lastSeen: new Float64Array(contacts),
  }
  for (let index = 0; index < contacts; index++) {
    // The first is as old as can be, so that there is always somebody whom the first campaign can write to.
    const place = index === 0 ? 0 : (index + random.next()) / contacts
    const createdAt = Math.floor(now - PEOPLE_SPAN + place * PEOPLE_SPAN)
    people.createdAt[index] = createdAt
    people.first[index] = random.below(FIRST_NAMES.length)
    people.ids.push(uuidv7(createdAt, index % 0x1000, random.hex16()))
  }
  return people
}

/** How many contacts there were at that time: those with the lowest indexes. */
export function countAt({ contacts, now }: DataSet, time: number): number {
  const share = (time - (now - PEOPLE_SPAN)) / PEOPLE_SPAN
  return Math.min(contacts, Math.max(1, Math.floor(contacts * share)))
}

/** Who hides the number has a user id alone; some who do not have both. */
function identifiers(random: Random, index: number, username: string) {
  const [prefix, country] = PREFIXES[index % PREFIXES.length] ?? PREFIXES[0]
  // A multiplier without a common factor with 10^8 gives every index another number, and they look like none.
  const digits = String((index * 48_271 + 55_550_101) % 100_000_000).padStart(8, '0')
  const hidden = random.next() < 0.03
  const known = hidden || random.next() < 0.15
  return {
    phone_e164: hidden ? null : `${prefix}${digits}`,
    wa_id: hidden ? null : `${prefix.slice(1)}${digits}`,
    bsuid: known ? `${country}.${random.hex16()}${index}` : null,
    username: known ? username : null,
  }
}

/** The rows of contacts, once `people` knows what was written to them and by them. */
export function* contactRows({ seed, now }: DataSet, people: People): Generator<ContactTable> {
  const random = createRandom(seed, STREAMS.details)
  for (const [index, id] of people.ids.entries()) {
    const created_at = people.createdAt[index] ?? now
    const name = `${FIRST_NAMES[people.first[index] ?? 0] ?? ''} ${random.pick(LAST_NAMES)}`
    const name_key = foldName(name)
    const username = `${name_key.replace(/[^a-z]+/g, '.')}.${index}`
    const email = random.next() < 0.6 ? `${username}@example.org` : null
    const ids = identifiers(random, index, username)
    const attributes = { city: random.pick(CITIES), language: random.pick(LANGUAGES) }
    const asked = random.next() < 0.9
    const seen = people.lastSeen[index] ?? 0
    const gone = asked && random.next() < 0.02
    const inbound = people.lastInbound[index] ?? 0
    // Nothing was sent to them afterwards.
    const opt_out_at = gone ? Math.min(now, Math.max(seen, created_at) + 60_000) : null
    yield {
      id,
      name,
      name_key,
      ...ids,
      parent_bsuid: null,
      email,
      attributes: random.next() < 0.7 ? JSON.stringify(attributes) : null,
      search_text: searchTextOf({ name_key, email, phone_e164: ids.phone_e164, username: ids.username }),
      opt_in_at: asked ? created_at : null,
      opt_out_at,
      last_inbound_at: inbound === 0 ? null : inbound,
      window_expires_at: inbound === 0 ? null : inbound + DAY,
      created_at,
      updated_at: Math.max(created_at, inbound, opt_out_at ?? 0),
    }
  }
}

/** Of two draws the smaller: the first categories are large, the last are small. */
function drawCategories(random: Random): Set<number> {
  const wanted = random.pick([0, 1, 1, 1, 2, 2, 3])
  const drawn = new Set<number>()
  while (drawn.size < wanted) drawn.add(Math.min(random.below(CATEGORIES.length), random.below(CATEGORIES.length)))
  return drawn
}

export function* membershipRows(
  { seed, now }: DataSet,
  people: People,
  categories: readonly CategoryTable[],
): Generator<ContactCategoryTable> {
  const random = createRandom(seed, STREAMS.memberships)
  for (const [index, contact_id] of people.ids.entries()) {
    for (const at of drawCategories(random)) {
      const category_id = categories[at]?.id ?? ''
      yield { category_id, contact_id, created_at: people.createdAt[index] ?? now }
    }
  }
}
