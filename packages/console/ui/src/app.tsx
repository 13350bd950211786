import { defineWords, Empty, Failure, Loading, useWords } from '@palier/design'
import { useQuery } from '@tanstack/react-query'
import { lazy, type ReactNode, Suspense, useEffect } from 'react'
import { Link, Route, Router, Switch } from 'wouter'
import { ApiError } from './data/client.ts'
import { entryQuery, useClient } from './data/context.ts'
import { LiveProvider } from './data/live.tsx'
import { useHashPath, useHashSearch } from './data/place.ts'
import { useProblem } from './data/problem.ts'
import { Overview } from './screens/overview/overview.tsx'
import { StagedProvider } from './screens/types/staged.tsx'
import { Unlock } from './session/unlock.tsx'
import { placeAt } from './shell/nav.ts'
import { PageHead } from './shell/page-head.tsx'
import { Shell } from './shell/shell.tsx'

const words = defineWords(
  {
    console: 'Cache console',
    opening: 'Opening the console…',
    missing: 'There is no such page',
    missingText: 'The address may have a mistake.',
    home: 'To the overview',
  },
  {
    console: 'Console du cache',
    opening: 'Ouverture de la console…',
    missing: 'Cette page n’existe pas',
    missingText: 'L’adresse contient peut-être une erreur.',
    home: 'Vers la vue d’ensemble',
  },
)

function Missing(): ReactNode {
  const t = useWords(words)
  return (
    <>
      <PageHead title={t('missing')} />
      <Empty icon="search" title={t('missing')} action={<Link href="/">{t('home')}</Link>}>
        {t('missingText')}
      </Empty>
    </>
  )
}

const load = () => import('./later.tsx').then(module => ({ default: module.Later }))
const Later = lazy(load)
/** What is looked at first comes first; the other screens come before somebody can have chosen one. */
const LATER_MS = 1500

function Screens(): ReactNode {
  const t = useWords(words)
  useEffect(() => {
    // What fails here is asked for again, and said, when a screen is chosen.
    const timer = setTimeout(() => void load().catch(() => undefined), LATER_MS)
    return () => clearTimeout(timer)
  }, [])
  return (
    <Shell>
      <Switch>
        <Route path="/" component={Overview} />
        <Route path="/:place">
          {({ place }) =>
            placeAt(`/${place}`) === undefined ? (
              <Missing />
            ) : (
              <Suspense fallback={<Loading text={t('opening')} height="6rem" />}>
                <Later />
              </Suspense>
            )
          }
        </Route>
        <Route component={Missing} />
      </Switch>
    </Shell>
  )
}

export function App(): ReactNode {
  const t = useWords(words)
  const say = useProblem()
  const { data, error, refetch } = useQuery(entryQuery(useClient()))
  if (data === undefined && error instanceof ApiError && error.signIn !== undefined) {
    return <Unlock signIn={error.signIn} ended={false} />
  }
  if (data === undefined) {
    return (
      <main className="content" id="main" tabIndex={-1}>
        <h1 className="visually-hidden">{t('console')}</h1>
        {error === null ? (
          <Loading text={t('opening')} height="6rem" onRetry={() => void refetch()} />
        ) : (
          <Failure text={say(error).text} reference={say(error).reference} onRetry={() => void refetch()} />
        )}
      </main>
    )
  }
  if (!data.isIn) return <Unlock signIn={data.signIn} ended={data.ended} />
  return (
    // oxlint-disable-next-line react/hooks -- the router is told which hooks to call
    <Router hook={useHashPath} searchHook={useHashSearch}>
      <LiveProvider>
        <StagedProvider>
          <Screens />
        </StagedProvider>
      </LiveProvider>
    </Router>
  )
}
