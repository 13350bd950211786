import { queryOptions } from '@tanstack/react-query'
import type { BodyOf, Client } from './client.ts'
import type { Category, Contact } from './things.ts'
import { categoriesWith, categoryDelta, type Pending } from './pending.ts'
import { showing } from './tags.ts'

export const categoriesQuery = (client: Client) =>
  queryOptions({
    queryKey: ['categories'],
    queryFn: ({ signal }) => client.ask('GET /categories', {}, { signal }),
    meta: showing('categories', 'contacts'),
  })

const byName = (one: Category, other: Category): number => one.name.localeCompare(other.name)

/** The categories with all that the server has not shown yet: new and changed ones, and how many contacts each has. */
export function categoriesShown(
  items: readonly Category[],
  pending: readonly Pending<Contact, Category>[],
  asked: number | undefined,
): readonly Category[] {
  if (pending.length === 0) return items
  return [...categoriesWith(items, pending, asked)]
    .sort(byName)
    .map(one => ({ ...one, contact_count: one.contact_count + categoryDelta(pending, one.id, asked) }))
}

export type CategoryForm = Required<Pick<BodyOf<'POST /categories'>, 'name' | 'color' | 'description'>>

/** Told apart by people who see colours differently as well as they can be; a name always stands beside. */
export const COLOURS = [
  '#0f766e',
  '#2563eb',
  '#7c3aed',
  '#be185d',
  '#b91c1c',
  '#d97706',
  '#4d7c0f',
  '#0284c7',
  '#64748b',
] as const

export const EMPTY_CATEGORY: CategoryForm = { name: '', color: COLOURS[0], description: '' }

export type CategoryProblem = 'noName' | 'longName' | 'semicolon' | 'taken'

/** What is certainly wrong with a name, before the server is asked. */
export function nameProblem(name: string, others: readonly Pick<Category, 'name'>[]): CategoryProblem | undefined {
  const text = name.trim().normalize()
  if (text === '') return 'noName'
  if (text.length > 80) return 'longName'
  if (text.includes(';')) return 'semicolon'
  return others.some(one => one.name === text) ? 'taken' : undefined
}

/** Only what was changed. */
export function categoryChange(seen: Category, form: CategoryForm): Partial<CategoryForm> {
  const [name, description] = [form.name.trim(), form.description.trim()]
  return {
    ...(name !== seen.name && { name }),
    ...(form.color !== seen.color && { color: form.color }),
    ...(description !== seen.description && { description }),
  }
}
