import { useCallback, useMemo, useState } from 'react'
import { rangeOf } from '../../data/contacts.ts'
import type { Contact } from '../../data/context.tsx'

export interface Selection {
  readonly contacts: ReadonlyMap<string, Contact>
  has(id: string): boolean
  /** One; with `isRange` all from the last one that was touched to it. */
  toggle(contact: Contact, isRange: boolean): void
  all(contacts: readonly Contact[]): void
  clear(): void
}

/** Which contacts are chosen, by their ids: what is scrolled out of the list stays chosen. */
export function useSelection(shown: readonly Contact[]): Selection {
  const [contacts, setContacts] = useState<ReadonlyMap<string, Contact>>(new Map())
  const [touched, setTouched] = useState<string | undefined>(undefined)
  const toggle = useCallback(
    (contact: Contact, isRange: boolean) => {
      setTouched(contact.id)
      setContacts(before => {
        const next = new Map(before)
        if (isRange && touched !== undefined) {
          for (const one of rangeOf(shown, touched, contact.id)) next.set(one.id, one)
        } else if (!next.delete(contact.id)) next.set(contact.id, contact)
        return next
      })
    },
    [shown, touched],
  )
  const all = useCallback((chosen: readonly Contact[]) => setContacts(new Map(chosen.map(one => [one.id, one]))), [])
  const clear = useCallback(() => setContacts(new Map()), [])
  return useMemo(() => ({ contacts, has: id => contacts.has(id), toggle, all, clear }), [contacts, toggle, all, clear])
}
