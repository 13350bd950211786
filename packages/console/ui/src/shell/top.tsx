import { AppearanceMenu, defineWords, Icon, IconButton, Menu, Pill, Segmented, useWords } from '@palier/design'
import type { ReactNode } from 'react'
import { useBootstrap } from '../data/context.ts'
import { useLive } from '../data/live.tsx'
import { useRange } from '../data/place.ts'
import { RANGES } from '../data/ranges.ts'
import { useSnapshot } from '../data/snapshot.ts'
import { healthOf, stateWords, TONES, tierName } from './state.ts'

const words = defineWords(
  {
    search: 'Search and commands',
    range: 'Range of time',
    '1h': '1 h',
    '24h': '24 h',
    '7d': '7 d',
    '30d': '30 d',
    live: 'Live',
    liveMore: 'The page reads again by itself while it is seen.',
    paused: 'Paused',
    help: 'Keyboard shortcuts',
    account: 'Account',
    viewer: 'Viewer',
    operator: 'Operator',
    admin: 'Administrator',
    token: 'the console’s token',
    signOut: 'Sign out',
    inUse: 'In use: {name}',
    affected: '{affected}/{count}',
    environment: 'Environment: {name}',
  },
  {
    search: 'Recherche et commandes',
    range: 'Période',
    '1h': '1 h',
    '24h': '24 h',
    '7d': '7 j',
    '30d': '30 j',
    live: 'Direct',
    liveMore: 'La page se relit toute seule tant qu’elle est visible.',
    paused: 'En pause',
    help: 'Raccourcis clavier',
    account: 'Compte',
    viewer: 'Lecteur',
    operator: 'Opérateur',
    admin: 'Administrateur',
    token: 'le jeton de la console',
    signOut: 'Se déconnecter',
    inUse: 'En service : {name}',
    affected: '{affected}/{count}',
    environment: 'Environnement : {name}',
  },
)

/** Production is loud: what is cleared there is cleared for visitors. */
function EnvironmentBadge(): ReactNode {
  const t = useWords(words)
  const { environment } = useBootstrap()
  const isProduction = /^prod/i.test(environment)
  return (
    <span className={isProduction ? 'badge loud' : 'badge'} title={t('environment', { name: environment })}>
      {environment}
    </span>
  )
}

function StatePill(): ReactNode {
  const t = useWords(words)
  const name = useWords(stateWords)
  const { snapshot } = useSnapshot()
  if (snapshot === undefined) return null
  const { state, reason, affected, processes } = healthOf(snapshot)
  const backend = tierName(name, snapshot.health.backend)
  return (
    <>
      <span className="chip" title={t('inUse', { name: backend })}>
        <Icon name={snapshot.health.backend === 'filesystem' ? 'disk' : 'database'} />
        <span className="visually-hidden">{t('inUse', { name: backend })}</span>
        <span aria-hidden="true">{backend}</span>
      </span>
      <span className="state" role="status">
        <Pill tone={TONES[state]}>
          {name(state)}
          {processes > 1 && state !== 'HEALTHY' && ` ${t('affected', { affected, count: processes })}`}
        </Pill>
        <span className="state-reason small muted truncate" lang="en" title={reason}>
          {reason}
        </span>
      </span>
    </>
  )
}

export function RangePicker(): ReactNode {
  const t = useWords(words)
  const [range, setRange] = useRange()
  return (
    <Segmented
      label={t('range')}
      value={range}
      choices={RANGES.map(value => ({ value, label: t(value) }))}
      onChoose={setRange}
    />
  )
}

function LiveToggle(): ReactNode {
  const t = useWords(words)
  const { isOn, toggle } = useLive()
  return (
    <button
      type="button"
      className="button small live"
      aria-pressed={isOn}
      aria-label={t('live')}
      title={t('liveMore')}
      onClick={toggle}
    >
      <Icon name={isOn ? 'pulse' : 'pause'} />
      <span className="live-word">{t(isOn ? 'live' : 'paused')}</span>
    </button>
  )
}

function AccountMenu({
  onHelp,
  onSignOut,
}: {
  readonly onHelp: () => void
  readonly onSignOut: () => void
}): ReactNode {
  const t = useWords(words)
  const { role, name, features } = useBootstrap()
  const who = name === undefined || name === 'token' ? t('token') : name
  return (
    <Menu label={`${t('account')} : ${t(role)}, ${who}`} trigger={<Icon name="user" />}>
      <p className="menu-text">
        <strong>{t(role)}</strong>
        <span className="muted small">{who}</span>
      </p>
      <hr />
      <button type="button" onClick={onHelp}>
        <Icon name="info" />
        {t('help')}
      </button>
      {features.signOut && (
        <button type="button" onClick={onSignOut}>
          <Icon name="logout" />
          {t('signOut')}
        </button>
      )}
    </Menu>
  )
}

export function Top({
  hasRange,
  onSearch,
  onHelp,
  onSignOut,
}: {
  readonly hasRange: boolean
  readonly onSearch: () => void
  readonly onHelp: () => void
  readonly onSignOut: () => void
}): ReactNode {
  const t = useWords(words)
  const { namespace } = useBootstrap()
  return (
    <header className="top">
      <span className="app-name truncate">{namespace}</span>
      <EnvironmentBadge />
      <StatePill />
      <span className="tools">
        {hasRange && <RangePicker />}
        <LiveToggle />
        <IconButton label={t('search')} icon="search" aria-keyshortcuts="Control+K Meta+K" onClick={onSearch} />
        <AppearanceMenu />
        <AccountMenu onHelp={onHelp} onSignOut={onSignOut} />
      </span>
    </header>
  )
}
