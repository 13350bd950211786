import '@palier/design/design.css'
import { AppearanceProvider, ToastProvider } from '@palier/design'
import { QueryClientProvider } from '@tanstack/react-query'
import { createRoot } from 'react-dom/client'
import { App } from './app.tsx'
import { createClient } from './data/client.ts'
import { ClientContext, ENTRY, type Entry } from './data/context.ts'
import { createQueryClient } from './data/freshness.ts'

function start(root: HTMLElement): void {
  const queries = createQueryClient()
  const client = createClient({
    onSignedOut({ signIn }) {
      // Whoever was never in is told by the first question itself.
      if (signIn === undefined || queries.getQueryData<Entry>(ENTRY)?.isIn !== true) return
      queries.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== ENTRY[0] })
      const entry: Entry = { isIn: false, signIn, ended: true }
      queries.setQueryData(ENTRY, entry)
    },
  })
  createRoot(root).render(
    <AppearanceProvider>
      <ToastProvider>
        <QueryClientProvider client={queries}>
          <ClientContext.Provider value={client}>
            <App />
          </ClientContext.Provider>
        </QueryClientProvider>
      </ToastProvider>
    </AppearanceProvider>,
  )
}

const root = document.getElementById('root')
if (root !== null) start(root)
