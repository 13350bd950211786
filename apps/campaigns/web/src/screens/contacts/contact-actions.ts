import { useToast, useWords } from '@palier/design'
import { useNavigate } from '@tanstack/react-router'
import { type BulkAction, type ContactForm, formOf, mergedForm } from '../../data/contacts.ts'
import { ApiError } from '../../data/client.ts'
import type { Contact } from '../../data/context.tsx'
import { useProblem } from '../../data/problems.ts'
import {
  type BulkDone,
  ContactConflict,
  useBulkContacts,
  useConsent,
  useCreateContact,
  useDeleteContact,
  useUpdateContact,
} from '../../data/use-contacts.ts'
import type { Draft } from './draft.ts'
import { drawerWords } from './drawer-words.ts'
import { refusalText } from './refusal.ts'
import { words } from './words.ts'

type Categories = readonly { readonly id: string; readonly name: string }[]

/** What can be taken back exactly: each contact that was changed is as it was before. */
const OPPOSITE: Partial<Readonly<Record<BulkAction, BulkAction>>> = {
  add_categories: 'remove_categories',
  remove_categories: 'add_categories',
}

/** Every change of contacts, with what is said about its end. The list shows each at once. */
export function useContactActions() {
  const t = useWords(words)
  const field = useWords(drawerWords)
  const problem = useProblem()
  const toast = useToast()
  const navigate = useNavigate()
  const create = useCreateContact()
  const update = useUpdateContact()
  const remove = useDeleteContact()
  const consent = useConsent()
  const bulk = useBulkContacts()

  const say = (error: unknown): { readonly text: string; readonly fields: Readonly<Record<string, string>> } => {
    const { text, fields } = problem(error)
    const refusals = Object.entries(fields).map(([name, detail]) => refusalText(field, name, detail))
    return { text: refusals.length === 0 ? text : refusals.join(' '), fields }
  }

  /** Opens the form again, with what was typed. */
  const reopen = (draft: Draft): void => {
    if (draft.seen === undefined) void navigate({ to: '/contacts', search: true, state: { draft } })
    else void navigate({ to: '/contacts/$id', params: { id: draft.seen.id }, state: { draft } })
  }

  const saveNew = async (form: ContactForm): Promise<void> => {
    const name = form.name.trim()
    try {
      await create(form)
      toast({ text: t('made', { name }) })
    } catch (error) {
      const { text: detail, fields } = say(error)
      const run = (): void => reopen({ form, problems: fields })
      toast({ text: t('notMade', { name, detail }), failed: true, action: { label: t('tryAgain'), run } })
    }
  }

  const saveChange = async (seen: Contact, form: ContactForm): Promise<void> => {
    const { name } = seen
    try {
      await update(seen, form)
      toast({ text: t('saved', { name: form.name.trim() }) })
    } catch (error) {
      if (error instanceof ContactConflict) {
        const { theirs, fields } = error
        const draft = { form: mergedForm(seen, form, theirs), seen: theirs, conflicts: fields }
        toast({
          text: t('conflict', { name }),
          failed: true,
          action: { label: t('compare'), run: () => reopen(draft) },
        })
        return
      }
      const { text: detail, fields } = say(error)
      const run = (): void => reopen({ form, seen, problems: fields })
      toast({ text: t('failed', { name, detail }), failed: true, action: { label: t('tryAgain'), run } })
    }
  }

  const attempt = async (name: string, done: string, change: () => Promise<unknown>): Promise<boolean> => {
    try {
      await change()
      toast({ text: done })
      return true
    } catch (error) {
      const run = (): void => void attempt(name, done, change)
      const isFinal = error instanceof ApiError && error.status === 404
      const action = isFinal ? {} : { action: { label: t('tryAgain'), run } }
      toast({ text: t('failed', { name, detail: say(error).text }), failed: true, ...action })
      return false
    }
  }

  const result = (action: BulkAction, { changed, unchanged, missing }: BulkDone): string =>
    [
      t(action === 'delete' ? 'deleted' : 'changed', { count: changed.length }),
      unchanged > 0 && t('unchanged', { count: unchanged }),
      missing > 0 && action !== 'delete' && t('missing', { count: missing }),
    ]
      .filter(Boolean)
      .join(' ')

  const changeAll = async (
    contacts: readonly Contact[],
    action: BulkAction,
    categories: Categories = [],
  ): Promise<void> => {
    try {
      const done = await bulk(contacts, action, categories)
      const back = OPPOSITE[action]
      // With several categories a contact may have been in some of them, and would be taken out of those too.
      const isExact = back !== undefined && categories.length === 1 && done.changed.length > 0
      const undo = async (): Promise<void> => {
        const changed = contacts.filter(one => done.changed.includes(one.id))
        await bulk(changed, back ?? action, categories)
        toast({ text: t('undone') })
      }
      const failed = (error: unknown): void =>
        toast({ text: t('bulkFailed', { detail: say(error).text }), failed: true })
      const run = (): void => void undo().catch(failed)
      toast({ text: result(action, done), ...(isExact && { action: { label: t('undo'), run } }) })
    } catch (error) {
      const run = (): void => void changeAll(contacts, action, categories)
      const { text: detail } = say(error)
      toast({ text: t('bulkFailed', { detail }), failed: true, action: { label: t('tryAgain'), run } })
    }
  }

  return {
    saveNew,
    saveChange,
    changeAll,
    /** Resolves with whether it is deleted. */
    remove: (contact: Contact) => attempt(contact.name, t('gone', { name: contact.name }), () => remove(contact)),
    optIn: (contact: Contact) =>
      attempt(contact.name, t('isIn', { name: contact.name }), () => consent(contact, 'opt_in')),
    optOut: (contact: Contact) =>
      attempt(contact.name, t('isOut', { name: contact.name }), () => consent(contact, 'opt_out')),
    edit: (seen: Contact): Draft => ({ form: formOf(seen), seen }),
  }
}

export type ContactActions = ReturnType<typeof useContactActions>
