import { type ReactNode, useEffect, useState } from 'react'
import { Button } from './controls.tsx'
import { useWords } from './settings.tsx'
import { Empty, Skeleton } from './surfaces.tsx'
import { defineWords } from './words.ts'

const words = defineWords(
  {
    reading: 'Reading…',
    slow: 'This takes longer than usual.',
    slowText: 'The server has not answered for ten seconds.',
    failed: 'This could not be read',
    retry: 'Try again',
    reference: 'Reference: {id}',
  },
  {
    reading: 'Lecture en cours…',
    slow: 'C’est plus long que d’habitude.',
    slowText: 'Le serveur n’a pas répondu depuis dix secondes.',
    failed: 'La lecture a échoué',
    retry: 'Réessayer',
    reference: 'Référence : {id}',
  },
)

const SAY_AFTER_MS = 1000
const GIVE_UP_AFTER_MS = 10_000

/** The place of what is being read: its shape at once, a text after a second, a way out after ten. Never endless. */
export function Loading({
  text,
  lines = 4,
  height,
  onRetry,
}: {
  readonly text?: string
  readonly lines?: number
  readonly height?: string
  readonly onRetry?: () => void
}): ReactNode {
  const t = useWords(words)
  const [since, setSince] = useState<'now' | 'a second' | 'long'>('now')
  useEffect(() => {
    const timers = [
      setTimeout(() => setSince('a second'), SAY_AFTER_MS),
      setTimeout(() => setSince('long'), GIVE_UP_AFTER_MS),
    ]
    return () => timers.forEach(timer => clearTimeout(timer))
  }, [])
  return (
    <div className="stack tight" aria-busy="true">
      <Skeleton lines={lines} {...(height !== undefined && { height })} />
      <p className="small muted" role="status">
        {since === 'a second' && (text ?? t('reading'))}
        {since === 'long' && `${t('slow')} ${t('slowText')}`}
      </p>
      {since === 'long' && onRetry !== undefined && (
        <div>
          <Button size="small" icon="refresh" onClick={onRetry}>
            {t('retry')}
          </Button>
        </div>
      )}
    </div>
  )
}

/** What could not be read: the cause in words, a reference for whoever looks into the log, and another try. */
export function Failure({
  title,
  text,
  reference,
  onRetry,
}: {
  readonly title?: string
  readonly text: string
  readonly reference?: string | undefined
  readonly onRetry?: () => void
}): ReactNode {
  const t = useWords(words)
  return (
    <div role="alert">
      <Empty
        icon="alert"
        title={title ?? t('failed')}
        action={
          onRetry !== undefined && (
            <Button icon="refresh" onClick={onRetry}>
              {t('retry')}
            </Button>
          )
        }
      >
        {text}
        {reference !== undefined && <span className="small"> {t('reference', { id: reference })}</span>}
      </Empty>
    </div>
  )
}
