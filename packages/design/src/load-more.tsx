import type { ReactNode } from 'react'
import { Button } from './controls.tsx'
import { useWords } from './settings.tsx'
import { defineWords } from './words.ts'

const words = defineWords(
  {
    more: 'Show more',
    shown: { one: '{count} shown', other: '{count} shown' },
    all: { one: 'All shown: {count}', other: 'All shown: {count}' },
  },
  {
    more: 'Afficher la suite',
    shown: { one: '{count} affiché', other: '{count} affichés' },
    all: { one: 'Tout est affiché : {count}', other: 'Tout est affiché : {count}' },
  },
)

/** The end of a list that is read page by page: how much of it is there, and the way to the rest. */
export function LoadMore({
  count,
  hasMore,
  busy,
  onMore,
}: {
  readonly count: number
  readonly hasMore: boolean
  readonly busy: boolean
  readonly onMore: () => void
}): ReactNode {
  const t = useWords(words)
  return (
    <div className="load-more row between">
      <span className="small muted" role="status">
        {t(hasMore ? 'shown' : 'all', { count })}
      </span>
      {hasMore && (
        <Button size="small" icon="arrowDown" busy={busy} onClick={onMore}>
          {t('more')}
        </Button>
      )}
    </div>
  )
}
