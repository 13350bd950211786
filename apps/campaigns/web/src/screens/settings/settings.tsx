import { useWords } from '@palier/design'
import { Link, useLocation } from '@tanstack/react-router'
import { type ReactNode, useEffect, useRef } from 'react'
import { type Permission, useMay } from '../../session/session.ts'
import { PageHead } from '../../shell/page-head.tsx'
import { Accounts } from './accounts.tsx'
import { CacheEvents } from './cache-events.tsx'
import { Jobs } from './jobs.tsx'
import { RateTable } from './rates.tsx'
import { Values } from './values.tsx'
import { settingsWords } from './words.ts'
import './settings.css'

type Tab = 'values' | 'accounts' | 'rates' | 'jobs' | 'events'

/** Each part stands in the address, behind the #, so that it can be sent to somebody. */
const TABS: readonly { readonly tab: Tab; readonly permission?: Permission; readonly view: () => ReactNode }[] = [
  { tab: 'values', permission: 'settings:read', view: Values },
  { tab: 'accounts', permission: 'accounts:read', view: Accounts },
  { tab: 'rates', permission: 'accounts:read', view: RateTable },
  { tab: 'jobs', view: Jobs },
  { tab: 'events', permission: 'cache:view', view: CacheEvents },
]

export function Settings(): ReactNode {
  const t = useWords(settingsWords)
  const may = useMay()
  const hash = useLocation({ select: location => location.hash })
  const tabs = TABS.filter(({ permission }) => permission === undefined || may(permission))
  const chosen = tabs.find(({ tab }) => tab === hash) ?? tabs[0]
  const current = chosen?.tab ?? ''
  const nav = useRef<HTMLElement>(null)
  useEffect(() => {
    // On a narrow page only a few of them are in sight.
    nav.current?.querySelector(`[href$="#${current}"]`)?.scrollIntoView({ block: 'nearest', inline: 'center' })
  }, [current])
  if (chosen === undefined) return null
  const View = chosen.view
  return (
    <>
      <PageHead title={t('title')} lead={t('lead')} />
      <nav ref={nav} className="tabs" aria-label={t('tabs')}>
        {tabs.map(({ tab }) => (
          <Link
            key={tab}
            to="/settings"
            hash={tab}
            activeOptions={{ includeHash: true }}
            aria-current={tab === chosen.tab ? 'page' : undefined}
          >
            {t(tab)}
          </Link>
        ))}
      </nav>
      <View />
    </>
  )
}
