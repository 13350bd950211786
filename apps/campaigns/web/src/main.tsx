import { AppearanceProvider, ToastProvider } from '@palier/design'
import '@palier/design/design.css'
import { QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { createClient } from './data/client.ts'
import { type Category, type Contact, DataProvider } from './data/context.tsx'
import { followChanges, type Live } from './data/events.ts'
import { createQueryClient } from './data/freshness.ts'
import { createPendingChanges, steadyClient } from './data/pending.ts'
import { createAppRouter } from './router.tsx'
import { forgetOffline, keepOffline } from './session/offline.ts'
import { meQuery } from './session/session.ts'

function start(root: HTMLElement): void {
  const queries = createQueryClient()
  const pending = createPendingChanges<Contact, Category>()
  const plain = createClient({
    onSignedOut() {
      const key = meQuery(client).queryKey
      // The first question finds nobody: that is no session that ended.
      if (queries.getQueryData(key) === undefined || queries.getQueryData(key) === null) return
      void forgetOffline()
      queries.clear()
      queries.setQueryData(key, null)
      const next = router.state.location.href
      void router.navigate({ to: '/login', search: { next, ended: true } })
    },
  })
  const client = steadyClient(plain, pending)
  const router = createAppRouter({ client, queries })
  const live = liveWhileSignedIn(queries, client)
  const data = { client, live, pending }
  createRoot(root).render(
    <StrictMode>
      <AppearanceProvider>
        <ToastProvider>
          <QueryClientProvider client={queries}>
            <DataProvider data={data}>
              <RouterProvider router={router} />
            </DataProvider>
          </QueryClientProvider>
        </ToastProvider>
      </AppearanceProvider>
    </StrictMode>,
  )
  void keepOffline()
}

/** Listens to changes from the login to the logout, and keeps no connection open for the login page. */
function liveWhileSignedIn(
  queries: ReturnType<typeof createQueryClient>,
  client: ReturnType<typeof createClient>,
): Live {
  const listeners = new Set<() => void>()
  const key = meQuery(client).queryKey
  let inner: Live | undefined
  const tell = (): void => {
    for (const listener of listeners) listener()
  }
  const look = (): void => {
    const isSignedIn = (queries.getQueryData(key) ?? null) !== null
    if (isSignedIn === (inner !== undefined)) return
    inner?.close()
    inner = isSignedIn ? followChanges(queries) : undefined
    inner?.listen(tell)
    tell()
  }
  queries.getQueryCache().subscribe(({ query }) => {
    if (query.queryKey[0] === key[0]) look()
  })
  return {
    get state() {
      return inner?.state ?? 'waiting'
    },
    listen(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    close: () => inner?.close(),
  }
}

const root = document.getElementById('root')
if (root !== null) start(root)
