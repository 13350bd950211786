import type { ContactTable } from '../database/schema.ts'
import { foldName } from '../phone.ts'

type Searched = Pick<ContactTable, 'name_key' | 'email' | 'phone_e164' | 'username'>

/** The text that full-text search finds a contact by: folded, words with spaces between them; fits its column. */
export function searchTextOf({ name_key, email, phone_e164, username }: Searched): string {
  const parts = [name_key, email === null ? null : foldName(email), phone_e164?.slice(1) ?? null]
  if (username !== null) parts.push(foldName(username))
  return parts.filter(part => part !== null && part !== '').join(' ')
}
