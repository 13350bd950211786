import { Confirm, useWords } from '@palier/design'
import type { ReactNode } from 'react'
import type { Contact } from '../../data/context.tsx'
import { words } from './words.ts'

/** Asks before a contact is deleted: the server keeps nothing of it to bring back. */
export function DeleteContact({
  contact: { name },
  onConfirm,
  onClose,
}: {
  readonly contact: Contact
  readonly onConfirm: () => void
  readonly onClose: () => void
}): ReactNode {
  const t = useWords(words)
  return (
    <Confirm title={t('deleteTitle', { name })} action={t('delete')} onConfirm={onConfirm} onClose={onClose}>
      <p>{t('deleteText')}</p>
    </Confirm>
  )
}
