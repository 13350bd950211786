import { Pill, useFormat, useWords } from '@palier/design'
import { type ReactNode, useMemo } from 'react'
import type { Contact } from '../../data/context.tsx'
import { useCategories } from '../../data/use-categories.ts'
import { words } from './words.ts'
import './contacts.css'

const HOUR_MS = 3_600_000

/** The colour is the team's own choice for a category; its name always stands beside. */
export function CategoryName({
  name,
  color,
}: {
  readonly name: string
  readonly color: string | undefined
}): ReactNode {
  return (
    <span className="category-name">
      <span className="dot" aria-hidden="true" style={color === undefined ? undefined : { backgroundColor: color }} />
      <span className="truncate">{name}</span>
    </span>
  )
}

export function useColours(): ReadonlyMap<string, string> {
  const { categories } = useCategories()
  return useMemo(() => new Map(categories?.map(one => [one.id, one.color])), [categories])
}

export function Consent({ contact }: { readonly contact: Contact }): ReactNode {
  const t = useWords(words)
  if (contact.opt_out_at !== null) return <Pill tone="down">{t('optedOut')}</Pill>
  if (contact.opt_in_at !== null) return <Pill tone="healthy">{t('optedIn')}</Pill>
  return <Pill>{t('noConsent')}</Pill>
}

/** How long free texts may still be sent; nothing when they may not. */
export function WindowLeft({ contact, now }: { readonly contact: Contact; readonly now: number }): ReactNode {
  const t = useWords(words)
  const format = useFormat()
  const left = (contact.window_expires_at ?? 0) - now
  if (left <= 0) return null
  // To the hour, as long as there are hours: a list is to be glanced at.
  const rounded = left > HOUR_MS ? Math.floor(left / HOUR_MS) * HOUR_MS : left
  return <span className="small muted truncate">{t('openUntil', { left: format.duration(rounded) })}</span>
}
