import { uuidv7 } from '../ids.ts'
import { foldName } from '../phone.ts'
import type { Random } from './random.ts'

/** Contacts and categories, as rows in the order of their tables' columns. */
export interface Person {
  readonly id: string
  readonly row: readonly (string | number | null)[]
  /** Indexes of its categories. */
  readonly categories: readonly number[]
  readonly createdAt: number
}

const FIRST = [
  ...['Ada', 'Amélie', 'Aïcha', 'Bastien', 'Camille', 'Chidi', 'Chloé', 'Daniel', 'Dmitri', 'Élodie', 'Emma', 'Fatou'],
  ...['François', 'Grace', 'Hana', 'Hugo', 'Inès', 'Ivan', 'Jade', 'João', 'Karim', 'Léa', 'Liam', 'Lucía', 'Maël'],
  ...['Mariam', 'Mateo', 'Mia', 'Moussa', 'Nadia', 'Noah', 'Nour', 'Olga', 'Omar', 'Oscar', 'Paul', 'Priya', 'Rania'],
  ...['Rosa', 'Ruben', 'Salomé', 'Sami', 'Sofia', 'Théo', 'Tomás', 'Valentina', 'Wanda', 'Yasmine', 'Yuki', 'Zoé'],
] as const

const LAST = [
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

const DAY = 86_400_000
const PREFIXES = ['+336', '+337', '+447', '+491', '+346'] as const

export interface CategoryRow {
  readonly id: string
  readonly row: readonly (string | number)[]
}

/** Columns: id, name, color, description, created_at, updated_at. */
export function makeCategories(random: Random, now: number): CategoryRow[] {
  const at = now - 400 * DAY
  return CATEGORIES.map(([name, color], index) => {
    const id = uuidv7(at + index, 0, random.hex16())
    return { id, row: [id, name, color, '', at + index, at + index] }
  })
}

/** Of two draws the smaller: the first categories are large, the last are small. */
function drawCategories(random: Random): number[] {
  const wanted = random.pick([0, 1, 1, 1, 2, 2, 3])
  const drawn = new Set<number>()
  while (drawn.size < wanted) drawn.add(Math.min(random.below(CATEGORIES.length), random.below(CATEGORIES.length)))
  return [...drawn]
}

/** Columns: id, name, name_key, phone_e164, email, created_at, updated_at. The later the index, the newer the contact. */
export function makePerson(random: Random, now: number, index: number, of: number): Person {
  const span = 400 * DAY
  const createdAt = Math.floor(now - span + ((index + random.next()) / of) * span)
  const first = random.pick(FIRST)
  const last = random.pick(LAST)
  const name = `${first} ${last}`
  // A multiplier without a common factor with 10^8 gives every index another number, and they look like none.
  const digits = String((index * 48_271 + 55_550_101) % 100_000_000).padStart(8, '0')
  const phone = `${PREFIXES[index % PREFIXES.length] ?? PREFIXES[0]}${digits}`
  const mailbox = foldName(name).replace(/[^a-z]+/g, '.')
  const email = random.next() < 0.6 ? `${mailbox}.${index}@example.org` : null
  const id = uuidv7(createdAt, index % 0x1000, random.hex16())
  return {
    id,
    createdAt,
    categories: drawCategories(random),
    row: [id, name, foldName(name), phone, email, createdAt, createdAt],
  }
}
