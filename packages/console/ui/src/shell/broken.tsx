import { Failure } from '@palier/design'
import type { ReactNode } from 'react'
import { useProblem } from '../data/problem.ts'

/** Something of a screen that could not be read: the cause, a reference for the log, another try. */
export function Broken({ error, onRetry }: { readonly error: unknown; readonly onRetry: () => void }): ReactNode {
  const say = useProblem()
  const { text, reference } = say(error)
  return <Failure text={text} reference={reference} onRetry={onRetry} />
}
