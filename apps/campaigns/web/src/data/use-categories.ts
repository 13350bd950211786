import { useQuery } from '@tanstack/react-query'
import { useMemo } from 'react'
import { categoriesQuery, categoriesShown, type CategoryForm } from './categories.ts'
import { ApiError } from './client.ts'
import { type Category, useClient, usePending } from './context.tsx'
import { changing, making, removing } from './pending.ts'
import { useChange } from './use-change.ts'

/** All categories with their counts, what this person has just done included. */
export function useCategories() {
  const client = useClient()
  const pending = usePending()
  const query = useQuery(categoriesQuery(client))
  const { data } = query
  const categories = useMemo(
    () => (data === undefined ? undefined : categoriesShown(data.value.items, pending, data.asked)),
    [data, pending],
  )
  return { ...query, categories }
}

const NEW = 'new:'
export const isNewCategory = ({ id }: Pick<Category, 'id'>): boolean => id.startsWith(NEW)

export function useCreateCategory(): (form: CategoryForm) => Promise<Category> {
  const client = useClient()
  const change = useChange()
  return form => {
    const now = Date.now()
    const body = { ...form, name: form.name.trim().normalize(), description: form.description.trim() }
    const id = `${NEW}${crypto.randomUUID()}`
    const drafted: Category = { ...body, id, contact_count: 0, created_at: now, updated_at: now }
    return change({ categories: [making(drafted)] }, async () => {
      const { value } = await client.ask('POST /categories', { body })
      return { value, categories: [[id, value]] }
    })
  }
}

export function useUpdateCategory(): (seen: Category, given: Partial<CategoryForm>) => Promise<Category> {
  const client = useClient()
  const change = useChange()
  return (seen, given) =>
    change({ categories: [changing(seen, category => ({ ...category, ...given }))] }, async () => {
      const { value } = await client.ask('PATCH /categories/{id}', { path: { id: seen.id }, body: given })
      // Not the count: that is moved by the contacts.
      return { value, categories: [] }
    })
}

/** Its contacts stay. That it is gone already is what was wanted. */
export function useDeleteCategory(): (seen: Category) => Promise<void> {
  const client = useClient()
  const change = useChange()
  return seen =>
    change({ categories: [removing(seen)] }, async () => {
      try {
        await client.ask('DELETE /categories/{id}', { path: { id: seen.id } })
      } catch (error) {
        if (!(error instanceof ApiError) || error.status !== 404) throw error
      }
      return { value: undefined }
    })
}
