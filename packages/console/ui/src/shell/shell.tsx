import { defineWords, Icon, Loading, Mark, useToast, useWords } from '@palier/design'
import { useQueryClient } from '@tanstack/react-query'
import { type ReactNode, useCallback, useEffect, useRef, useState } from 'react'
import { Link, useLocation } from 'wouter'
import { useBootstrap, useClient, useRefresh } from '../data/context.ts'
import { useLive } from '../data/live.tsx'
import { useHrefOf } from '../data/place.ts'
import { useProblem } from '../data/problem.ts'
import { useSnapshot } from '../data/snapshot.ts'
import { PageBanner, useIsStale } from './banner.tsx'
import { Broken } from './broken.tsx'
import { CommandPalette } from './command-palette.tsx'
import { KeyboardHelp } from './keyboard-help.tsx'
import { navWords, PLACES, placeAt } from './nav.ts'
import { useShortcuts } from './shortcuts.ts'
import { Top } from './top.tsx'
import './shell.css'

const words = defineWords(
  {
    skip: 'Skip to the content',
    main: 'Main',
    reading: 'Reading statistics…',
    liveOn: 'The page is live.',
    liveOff: 'The page is paused. Press “l” to go on.',
  },
  {
    skip: 'Aller au contenu',
    main: 'Principale',
    reading: 'Lecture des statistiques…',
    liveOn: 'La page est en direct.',
    liveOff: 'La page est en pause. Appuyez sur « l » pour reprendre.',
  },
)

function Navigation(): ReactNode {
  const name = useWords(navWords)
  const hrefOf = useHrefOf()
  const [path] = useLocation()
  return (
    <div className="nav">
      {PLACES.map(place => (
        <Link key={place.key} href={hrefOf(place.path)} aria-current={place.path === path ? 'page' : undefined}>
          <Icon name={place.icon} />
          <span>{name(place.key)}</span>
        </Link>
      ))}
    </div>
  )
}

/** Whoever moves by keyboard or screen reader begins each screen at its top. */
function useFocusOnArrival(path: string): void {
  const before = useRef(path)
  useEffect(() => {
    if (before.current === path) return
    before.current = path
    scrollTo(0, 0)
    document.getElementById('main')?.focus({ preventScroll: true })
  }, [path])
}

function useSignOut(): () => void {
  const client = useClient()
  const queries = useQueryClient()
  const toast = useToast()
  const say = useProblem()
  return useCallback(() => {
    client.change('DELETE', 'session').then(
      () => void queries.resetQueries(),
      (error: unknown) => toast({ text: say(error).text, failed: true }),
    )
  }, [client, queries, toast, say])
}

/** All screens: navigation, the state of the cache, and the screen itself. */
export function Shell({ children }: { readonly children: ReactNode }): ReactNode {
  const t = useWords(words)
  const [path, navigate] = useLocation()
  const hrefOf = useHrefOf()
  const refresh = useRefresh()
  const live = useLive()
  const { features } = useBootstrap()
  const toast = useToast()
  const signOut = useSignOut()
  const { snapshot, error, retry } = useSnapshot()
  const isStale = useIsStale()
  const [opened, setOpened] = useState<'palette' | 'help' | undefined>(undefined)
  useFocusOnArrival(path)
  const toggleLive = (): void => {
    live.toggle()
    toast({ text: t(live.isOn ? 'liveOff' : 'liveOn') })
  }
  useShortcuts({
    onSearch: () => setOpened('palette'),
    onHelp: () => setOpened('help'),
    onRefresh: refresh,
    onLive: toggleLive,
    onGo: to => navigate(hrefOf(to)),
  })
  return (
    <div className="shell">
      <a
        className="skip"
        href="#main"
        onClick={event => {
          // The part behind # is where one is: a jump must not leave the screen.
          event.preventDefault()
          document.getElementById('main')?.focus()
        }}
      >
        {t('skip')}
      </a>
      <nav className="side" aria-label={t('main')}>
        <Link className="brand" href={hrefOf('/')}>
          <Mark />
          Palier
        </Link>
        <Navigation />
      </nav>
      <div className="page">
        <Top
          hasRange={features.monitor && placeAt(path)?.hasRange === true}
          onSearch={() => setOpened('palette')}
          onHelp={() => setOpened('help')}
          onSignOut={signOut}
        />
        <main className="content" id="main" tabIndex={-1}>
          <PageBanner isLive={live.isOn} />
          <div className={isStale ? 'screen stale' : 'screen'}>
            {snapshot !== undefined ? (
              children
            ) : error === null ? (
              <Loading text={t('reading')} height="6rem" onRetry={retry} />
            ) : (
              <Broken error={error} onRetry={retry} />
            )}
          </div>
        </main>
      </div>
      {opened === 'help' && <KeyboardHelp onClose={() => setOpened(undefined)} />}
      {opened === 'palette' && (
        <CommandPalette
          actions={{
            go: navigate,
            refresh,
            live: toggleLive,
            help: () => setOpened('help'),
            signOut: features.signOut ? signOut : undefined,
          }}
          onClose={() => setOpened(undefined)}
        />
      )}
    </div>
  )
}
