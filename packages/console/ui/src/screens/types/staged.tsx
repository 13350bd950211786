import { createContext, type ReactNode, useContext, useMemo, useState } from 'react'
import { type Change, type Changes, without } from './changes.ts'

/** Changes that wait to be applied together. They stay while one looks at other screens. */
export interface Staged {
  readonly changes: Changes
  stage(type: string, change: Change): void
  /** Of one type, or of all. */
  discard(type?: string): void
}

const StagedContext = createContext<Staged | undefined>(undefined)

export function StagedProvider({ children }: { readonly children: ReactNode }): ReactNode {
  const [changes, setChanges] = useState<Changes>({})
  const staged = useMemo<Staged>(
    () => ({
      changes,
      stage: (type, change) => setChanges(before => ({ ...before, [type]: change })),
      discard: type => setChanges(before => (type === undefined ? {} : without(before, type))),
    }),
    [changes],
  )
  return <StagedContext.Provider value={staged}>{children}</StagedContext.Provider>
}

export function useStaged(): Staged {
  const staged = useContext(StagedContext)
  if (staged === undefined) throw new Error('useStaged: expected a StagedProvider around it')
  return staged
}
