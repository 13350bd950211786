import { createContext, type ReactNode, useContext, useMemo, useState } from 'react'

/** Whether the page reads again by itself. While the tab is not seen it does not, whatever is said here. */
export interface Live {
  readonly isOn: boolean
  toggle(): void
}

const LiveContext = createContext<Live | undefined>(undefined)

export function LiveProvider({ children }: { readonly children: ReactNode }): ReactNode {
  const [isOn, setIsOn] = useState(true)
  const live = useMemo<Live>(() => ({ isOn, toggle: () => setIsOn(before => !before) }), [isOn])
  return <LiveContext.Provider value={live}>{children}</LiveContext.Provider>
}

export function useLive(): Live {
  const live = useContext(LiveContext)
  if (live === undefined) throw new Error('useLive: expected a LiveProvider around it')
  return live
}
