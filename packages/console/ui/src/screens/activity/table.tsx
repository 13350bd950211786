import { Loading } from '@palier/design'
import type { ReactNode } from 'react'
import { Broken } from '../../shell/broken.tsx'

export interface Column {
  readonly name: string
  readonly isNumber?: boolean
}

/** A table that scrolls by itself where the page is narrow. */
export function Table({
  caption,
  columns,
  children,
}: {
  readonly caption: string
  readonly columns: readonly Column[]
  /** Its rows. */
  readonly children: ReactNode
}): ReactNode {
  return (
    <div className="table-frame" tabIndex={0} role="group" aria-label={caption}>
      <table className="table">
        <caption className="visually-hidden">{caption}</caption>
        <thead>
          <tr>
            {columns.map(({ name, isNumber }) => (
              <th key={name} scope="col" className={isNumber === true ? 'number' : undefined}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  )
}

/** The place of what is not there yet, or could not be read. */
export function NotYet({
  query: { error, refetch },
  text,
}: {
  readonly query: { readonly error: Error | null; refetch(): Promise<unknown> }
  readonly text: string
}): ReactNode {
  const retry = (): void => void refetch()
  if (error !== null) return <Broken error={error} onRetry={retry} />
  return (
    <div className="padded">
      <Loading text={text} lines={5} height="2.6rem" onRetry={retry} />
    </div>
  )
}
