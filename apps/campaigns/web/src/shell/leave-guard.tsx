import { Confirm, defineWords, useWords } from '@palier/design'
import { useBlocker } from '@tanstack/react-router'
import type { ReactNode } from 'react'

const words = defineWords(
  {
    title: 'Leave without saving?',
    text: 'What you changed here has not been saved and would be lost.',
    leave: 'Leave without saving',
  },
  {
    title: 'Quitter sans enregistrer ?',
    text: 'Vos modifications ne sont pas enregistrées et seraient perdues.',
    leave: 'Quitter sans enregistrer',
  },
)

/** Asks before unsaved changes are left behind, by a link or by closing the tab. Asked at the moment of leaving. */
export function LeaveGuard({ isDirty }: { readonly isDirty: () => boolean }): ReactNode {
  const t = useWords(words)
  const { status, proceed, reset } = useBlocker({
    shouldBlockFn: ({ current, next }) => current.pathname !== next.pathname && isDirty(),
    enableBeforeUnload: isDirty,
    withResolver: true,
  })
  if (status !== 'blocked') return null
  return (
    <Confirm title={t('title')} action={t('leave')} onConfirm={proceed} onClose={reset}>
      <p>{t('text')}</p>
    </Confirm>
  )
}
