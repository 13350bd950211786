import { Pill, useWords } from '@palier/design'
import type { ReactNode } from 'react'
import type { PageSummary } from '../../data/content.ts'
import { statusWords } from './words.ts'

/** Whether visitors see the page, and whether they see all of it. */
export function PageStatus({
  page,
}: {
  readonly page: Pick<PageSummary, 'status' | 'version' | 'published_version'>
}): ReactNode {
  const t = useWords(statusWords)
  if (page.status === 'draft') return <Pill>{t('draft')}</Pill>
  if (page.published_version !== page.version) return <Pill tone="degraded">{t('changed')}</Pill>
  return <Pill tone="healthy">{t('published')}</Pill>
}
