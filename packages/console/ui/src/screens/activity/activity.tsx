import { useWords } from '@palier/design'
import type { ReactNode } from 'react'
import { Link } from 'wouter'
import { useHrefOf, useParam } from '../../data/place.ts'
import { PageHead } from '../../shell/page-head.tsx'
import { Log } from './log.tsx'
import { Retention } from './retention.tsx'
import { Settings } from './settings.tsx'
import { words } from './words.ts'

const PARTS = ['log', 'settings', 'kept'] as const

/** Who changed what; what the cache is told by; what is kept about it. */
export function Activity(): ReactNode {
  const t = useWords(words)
  const hrefOf = useHrefOf()
  const [text] = useParam('part')
  const part = PARTS.find(one => one === text) ?? 'log'
  return (
    <>
      <PageHead title={t('title')} lead={t('lead')} />
      <nav className="tabs" aria-label={t('parts')}>
        {PARTS.map(one => (
          <Link
            key={one}
            href={hrefOf('/activity', { part: one === 'log' ? '' : one })}
            aria-current={one === part ? 'page' : undefined}
          >
            {t(one)}
          </Link>
        ))}
      </nav>
      {part === 'log' && <Log />}
      {part === 'settings' && <Settings />}
      {part === 'kept' && <Retention />}
    </>
  )
}
