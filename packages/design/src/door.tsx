import type { ReactNode } from 'react'
import { AppearanceMenu } from './appearance-menu.tsx'
import { Mark } from './icon.tsx'

/** A page before one is let in: the sign, language and theme, one card. */
export function Door({
  name,
  title,
  lead,
  children,
}: {
  /** Of the application. */
  readonly name: string
  readonly title: string
  readonly lead?: string
  readonly children: ReactNode
}): ReactNode {
  return (
    <div className="door">
      <header className="row between">
        <span className="brand">
          <Mark />
          {name}
        </span>
        <AppearanceMenu />
      </header>
      <main id="main" tabIndex={-1}>
        <div className="card stack wide">
          <div className="stack tight">
            <h1>{title}</h1>
            {lead !== undefined && <p className="muted">{lead}</p>}
          </div>
          {children}
        </div>
      </main>
    </div>
  )
}
