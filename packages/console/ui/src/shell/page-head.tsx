import { type ReactNode, useEffect } from 'react'
import { useBootstrap } from '../data/context.ts'

/** The one heading of a screen, also the title of the tab, with what can be done there. */
export function PageHead({
  title,
  lead,
  children,
}: {
  readonly title: string
  readonly lead?: ReactNode
  readonly children?: ReactNode
}): ReactNode {
  const { namespace } = useBootstrap()
  useEffect(() => {
    document.title = `${title} · ${namespace} · Palier`
  }, [title, namespace])
  return (
    <div className="page-head">
      <div>
        <h1>{title}</h1>
        {lead !== undefined && <p>{lead}</p>}
      </div>
      {children}
    </div>
  )
}
