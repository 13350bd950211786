import { defineWords, IconButton, useFormat, useWords } from '@palier/design'
import { type ReactNode, useEffect, useState } from 'react'
import type { Answer } from '../data/client.ts'

const words = defineWords(
  {
    hit: 'From the cache',
    miss: 'Computed for you',
    stale: 'Kept while it is computed anew',
    none: 'Read from the database',
    asOf: '{source}, as of {time}',
    kept: '{source}, computed {age}',
    refresh: 'Read again',
    offline: 'Last copy of this browser, from {age}',
  },
  {
    hit: 'Servi par le cache',
    miss: 'Calculé pour vous',
    stale: 'Conservé pendant le recalcul',
    none: 'Lu dans la base',
    asOf: '{source}, état à {time}',
    kept: '{source}, calculé {age}',
    refresh: 'Relire',
    offline: 'Dernière copie de ce navigateur, {age}',
  },
)

const NAMES = { HIT: 'hit', MISS: 'miss', STALE: 'stale' } as const
const TICK_MS = 5000

/** Where the numbers on the screen come from, and how old they are: HIT or MISS in words, with the code beside it. */
export function FreshnessNote({
  answer,
  busy,
  onRefresh,
}: {
  readonly answer: Answer<unknown>
  readonly busy: boolean
  readonly onRefresh: () => void
}): ReactNode {
  const t = useWords(words)
  const format = useFormat()
  const [now, setNow] = useState(Date.now)
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), TICK_MS)
    return () => clearInterval(timer)
  }, [])
  const source = t(answer.cache === undefined ? 'none' : NAMES[answer.cache])
  // Told by the age on arrival, not by the stamp: the clocks of two machines differ.
  const madeAt = answer.readAt - answer.age * 1000
  const age = format.relative(Math.min(madeAt, now), Math.max(now, answer.readAt))
  return (
    <div className="row freshness small muted">
      {answer.offline ? t('offline', { age }) : t('kept', { source, age })}
      {answer.cache !== undefined && <code className="kbd">{answer.cache}</code>}
      <IconButton label={t('refresh')} icon="refresh" size="small" busy={busy} onClick={onRefresh} />
    </div>
  )
}
