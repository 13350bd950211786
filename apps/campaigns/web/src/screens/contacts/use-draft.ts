import { useNavigate, useRouterState } from '@tanstack/react-router'
import { useMemo } from 'react'
import type { Draft } from './draft.ts'

interface OpenDraft {
  readonly draft: Draft | undefined
  open(draft: Draft): void
  close(): void
}

/** The form that is open: of this page, or of a message that offers to try again. */
export function useDraft(): OpenDraft {
  const navigate = useNavigate()
  const draft = useRouterState({ select: ({ location }) => location.state.draft })
  return useMemo(
    () => ({
      draft,
      open: next => void navigate({ to: '.', search: true, state: { draft: next }, resetScroll: false }),
      close: () => void navigate({ to: '.', search: true, replace: true, state: {}, resetScroll: false }),
    }),
    [draft, navigate],
  )
}
