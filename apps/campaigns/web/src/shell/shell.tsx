import {
  AppearanceMenu,
  Banner,
  Card,
  Empty,
  Icon,
  IconButton,
  type Language,
  Mark,
  Menu,
  defineWords,
  Pill,
  useToast,
  useWords,
} from '@palier/design'
import { useIsFetching, useQueryClient } from '@tanstack/react-query'
import { Link, Outlet, useNavigate, useRouterState } from '@tanstack/react-router'
import { type ReactNode, useEffect, useRef, useState } from 'react'
import { useClient, useLive } from '../data/context.tsx'
import { useProblem } from '../data/problems.ts'
import { forgetOffline } from '../session/offline.ts'
import { type Me, meQuery, useMay, useMe } from '../session/session.ts'
import { KeyboardHelp } from './keyboard-help.tsx'
import { navWords, PLACES } from './nav.ts'
import { PageHead } from './page-head.tsx'
import { SearchPalette } from './search-palette.tsx'
import { useShortcuts } from './shortcuts.ts'
import './shell.css'

const words = defineWords(
  {
    skip: 'Skip to the content',
    main: 'Main',
    live: 'Live',
    liveMore: 'What others change appears here by itself.',
    waiting: 'Reconnecting',
    waitingMore: 'Changes of others are not heard at the moment.',
    offline: 'You are offline',
    offlineText: 'What you see is the last copy of this browser. Changes cannot be saved until the network is back.',
    search: 'Search',
    logout: 'Log out',
    help: 'Keyboard shortcuts',
    yours: 'Your account',
    reading: 'Reading',
    noRight: 'Your role does not open this screen',
    noRightText: 'An administrator can give you another role.',
  },
  {
    skip: 'Aller au contenu',
    main: 'Principale',
    live: 'En direct',
    liveMore: 'Ce que les autres modifient apparaît ici tout seul.',
    waiting: 'Reconnexion',
    waitingMore: 'Les modifications des autres ne parviennent pas en ce moment.',
    offline: 'Vous êtes hors ligne',
    offlineText:
      'Vous voyez la dernière copie de ce navigateur. Rien ne peut être enregistré avant le retour du réseau.',
    search: 'Rechercher',
    logout: 'Se déconnecter',
    help: 'Raccourcis clavier',
    yours: 'Votre compte',
    reading: 'Lecture',
    noRight: 'Votre rôle ne donne pas accès à cet écran',
    noRightText: 'Un administrateur peut vous donner un autre rôle.',
  },
)

function Navigation(): ReactNode {
  const name = useWords(navWords)
  const may = useMay()
  const groups = PLACES.map(group => ({ ...group, places: group.places.filter(place => may(place.permission)) }))
  return (
    <div className="nav">
      {groups
        .filter(group => group.places.length > 0)
        .map(({ key, places }) => [
          key !== undefined && (
            <span key={key} className="group" aria-hidden="true">
              {name(key)}
            </span>
          ),
          ...places.map(place => {
            const inside = (
              <>
                <Icon name={place.icon} />
                <span>{name(place.key)}</span>
              </>
            )
            if (place.isOutside) {
              return (
                <a key={place.key} href={place.to}>
                  {inside}
                </a>
              )
            }
            return (
              <Link key={place.key} to={place.to} activeOptions={{ exact: place.to === '/' }}>
                {inside}
              </Link>
            )
          }),
        ])}
    </div>
  )
}

function LiveMark(): ReactNode {
  const t = useWords(words)
  const state = useLive()
  return (
    <span className="live" role="status" title={t(state === 'live' ? 'liveMore' : 'waitingMore')}>
      <Pill tone={state === 'live' ? 'healthy' : 'degraded'}>{t(state)}</Pill>
    </span>
  )
}

/** A thin line at the top while something is being read: nothing on the page moves for it. */
function ReadingLine(): ReactNode {
  const t = useWords(words)
  const count = useIsFetching()
  return <div className="reading-line" data-on={count > 0 ? '' : undefined} role="presentation" title={t('reading')} />
}

function AccountMenu({ me }: { readonly me: Me }): ReactNode {
  const t = useWords(words)
  const say = useProblem()
  const toast = useToast()
  const client = useClient()
  const queries = useQueryClient()
  const navigate = useNavigate()
  const logOut = async (): Promise<void> => {
    try {
      await client.ask('POST /auth/logout', {})
    } catch (error) {
      toast({ text: say(error).text, failed: true })
      return
    }
    await forgetOffline()
    client.setToken(null)
    queries.clear()
    queries.setQueryData(meQuery(client).queryKey, null)
    await navigate({ to: '/login' })
  }
  return (
    <Menu
      trigger={
        <>
          <span className="avatar" aria-hidden="true">
            {me.user.name.trim().slice(0, 1).toUpperCase()}
          </span>
          <span className="account-name truncate">{me.user.name}</span>
        </>
      }
    >
      <Link to="/account">
        <Icon name="user" />
        {t('yours')}
      </Link>
      <button type="button" onClick={() => void logOut()}>
        <Icon name="logout" />
        {t('logout')}
      </button>
    </Menu>
  )
}

function useOnline(): boolean {
  const [isOnline, setIsOnline] = useState(navigator.onLine)
  useEffect(() => {
    const changed = (): void => setIsOnline(navigator.onLine)
    for (const name of ['online', 'offline']) addEventListener(name, changed)
    return () => {
      for (const name of ['online', 'offline']) removeEventListener(name, changed)
    }
  }, [])
  return isOnline
}

/** Whoever moves by keyboard or screen reader begins each screen at its top. */
function useFocusOnArrival(): void {
  const path = useRouterState({ select: state => state.location.pathname })
  const last = useRef(path)
  useEffect(() => {
    if (last.current === path) return
    last.current = path
    document.getElementById('main')?.focus({ preventScroll: true })
  }, [path])
}

/** Whoever typed an address that is not for them is told so, and by whom it could be. */
function Screen(): ReactNode {
  const t = useWords(words)
  const name = useWords(navWords)
  const may = useMay()
  const path = useRouterState({ select: state => state.location.pathname })
  const place = PLACES.flatMap(group => group.places).find(
    one => one.to !== '/' && (path === one.to || path.startsWith(`${one.to}/`)),
  )
  if (place === undefined || may(place.permission)) return <Outlet />
  return (
    <>
      <PageHead title={name(place.key)} />
      <Card>
        <Empty icon="lock" title={t('noRight')}>
          {t('noRightText')}
        </Empty>
      </Card>
    </>
  )
}

/** All screens of a person who is logged in: navigation, search, account, and the screen itself. */
export function Shell(): ReactNode {
  const t = useWords(words)
  const client = useClient()
  const { data } = useMe()
  const isOnline = useOnline()
  const [searching, setSearching] = useState(false)
  const [helping, setHelping] = useState(false)
  useFocusOnArrival()
  useShortcuts({ onSearch: () => setSearching(true), onHelp: () => setHelping(true) })
  if (data === undefined || data === null) return null
  const keepLanguage = (locale: Language): void => {
    // Kept with the account, for mails and other browsers; this page has it already.
    void client.ask('PATCH /auth/me', { body: { locale } }).catch(() => undefined)
  }
  return (
    <div className="shell">
      <a className="skip" href="#main">
        {t('skip')}
      </a>
      <nav className="side" aria-label={t('main')}>
        <Link className="brand" to="/">
          <Mark />
          Campaigns
        </Link>
        <Navigation />
      </nav>
      <div className="page">
        <ReadingLine />
        <header className="top">
          <button type="button" className="button search-button" onClick={() => setSearching(true)}>
            <Icon name="search" />
            <span className="grow">{t('search')}</span>
            <span className="kbd" aria-hidden="true">
              Ctrl K
            </span>
          </button>
          <span className="push" />
          <LiveMark />
          <IconButton label={t('help')} icon="info" onClick={() => setHelping(true)} />
          <AppearanceMenu onLanguage={keepLanguage} />
          <AccountMenu me={data.value} />
        </header>
        <main className="content" id="main" tabIndex={-1}>
          {(!isOnline || data.offline) && (
            <Banner tone="degraded" title={t('offline')}>
              <p>{t('offlineText')}</p>
            </Banner>
          )}
          <Screen />
        </main>
      </div>
      {searching && <SearchPalette onClose={() => setSearching(false)} />}
      {helping && <KeyboardHelp onClose={() => setHelping(false)} />}
    </div>
  )
}
