import type { ReactNode } from 'react'

/** A real table in a frame that scrolls by itself, by keyboard too: a wide one never widens the page. */
export function Table({
  label,
  className = 'table',
  children,
}: {
  /** The caption, for those who do not see the heading above it. */
  readonly label: string
  readonly className?: string
  readonly children: ReactNode
}): ReactNode {
  return (
    <div className="table-frame" tabIndex={0} role="group" aria-label={label}>
      <table className={className}>
        <caption className="visually-hidden">{label}</caption>
        {children}
      </table>
    </div>
  )
}
