import type { QueryClient } from '@tanstack/react-query'
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  redirect,
} from '@tanstack/react-router'
import type { Client } from './data/client.ts'
import { pagesSearch } from './screens/content/search.ts'
import { dashboardQuery } from './data/dashboard.ts'
import { historySearch } from './screens/history/search.ts'
import { Login } from './session/login.tsx'
import { meQuery } from './session/session.ts'
import { Missing, Broken } from './shell/lost.tsx'
import { Shell } from './shell/shell.tsx'

interface RouterContext {
  readonly client: Client
  readonly queries: QueryClient
}

const root = createRootRouteWithContext<RouterContext>()({
  component: Outlet,
  notFoundComponent: Missing,
  errorComponent: Broken,
})

const textOf = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined)

function textsOf<K extends string>(
  search: Readonly<Record<string, unknown>>,
  ...names: readonly K[]
): { [N in K]?: string } {
  const entries = names.map(name => [name, textOf(search[name])] as const).filter(([, text]) => text !== undefined)
  return Object.fromEntries(entries) as { [N in K]?: string }
}

const login = createRoute({
  getParentRoute: () => root,
  path: '/login',
  component: Login,
  validateSearch: (search): { next?: string; ended?: boolean } => {
    // Only within the application: never to where a link from outside says.
    const next = textOf(search['next'])
    return {
      ...(next?.startsWith('/') === true && !next.startsWith('//') && { next }),
      ...(search['ended'] === true && { ended: true }),
    }
  },
})
const forgot = createRoute({
  getParentRoute: () => root,
  path: '/forgot',
  component: lazyRouteComponent(() => import('./session/password-reset.tsx'), 'Forgot'),
})
const reset = createRoute({
  getParentRoute: () => root,
  path: '/reset',
  component: lazyRouteComponent(() => import('./session/password-reset.tsx'), 'Reset'),
})

/** Everything behind the login. */
const shell = createRoute({
  getParentRoute: () => root,
  id: 'shell',
  component: Shell,
  beforeLoad: async ({ context: { client, queries }, location }) => {
    const me = await queries.query({ ...meQuery(client), staleTime: 'static' })
    if (me === null) redirect({ to: '/login', search: { next: location.href }, throw: true })
  },
})

const dashboard = createRoute({
  getParentRoute: () => shell,
  path: '/',
  // Asked for while its code is still being loaded.
  loader: ({ context: { client, queries } }) => void queries.query(dashboardQuery(client)).catch(() => undefined),
  component: lazyRouteComponent(() => import('./screens/dashboard/dashboard.tsx'), 'Dashboard'),
})

const contacts = createRoute({
  getParentRoute: () => shell,
  path: '/contacts',
  component: lazyRouteComponent(() => import('./screens/contacts/contacts.tsx'), 'Contacts'),
  validateSearch: (search): { q?: string; category?: string; consent?: 'in' | 'out'; open?: true; sort?: 'name' } => {
    const [q, category, consent] = [textOf(search['q']), textOf(search['category']), search['consent']]
    return {
      ...(q !== undefined && { q }),
      ...(category !== undefined && { category }),
      ...((consent === 'in' || consent === 'out') && { consent }),
      ...(search['open'] === true && { open: true as const }),
      ...(search['sort'] === 'name' && { sort: 'name' as const }),
    }
  },
})
const contactImport = createRoute({
  getParentRoute: () => shell,
  path: '/contacts/import',
  component: lazyRouteComponent(() => import('./screens/contacts/import.tsx'), 'ContactImport'),
  validateSearch: (search): { job?: string } => {
    const job = textOf(search['job'])
    return job === undefined ? {} : { job }
  },
})
const contact = createRoute({
  getParentRoute: () => shell,
  path: '/contacts/$id',
  component: lazyRouteComponent(() => import('./screens/contacts/contact.tsx'), 'ContactPage'),
})
const categories = createRoute({
  getParentRoute: () => shell,
  path: '/categories',
  component: lazyRouteComponent(() => import('./screens/categories/categories.tsx'), 'Categories'),
})
const campaigns = createRoute({
  getParentRoute: () => shell,
  path: '/campaigns',
  component: lazyRouteComponent(() => import('./screens/campaigns/campaigns.tsx'), 'Campaigns'),
  validateSearch: (search): { status?: string } => {
    const status = textOf(search['status'])
    return status === undefined ? {} : { status }
  },
})
const campaignNew = createRoute({
  getParentRoute: () => shell,
  path: '/campaigns/new',
  component: lazyRouteComponent(() => import('./screens/campaigns/editor.tsx'), 'NewCampaign'),
})
const campaign = createRoute({
  getParentRoute: () => shell,
  path: '/campaigns/$id',
  component: lazyRouteComponent(() => import('./screens/campaigns/campaign.tsx'), 'CampaignPage'),
  validateSearch: (search): { tab?: 'recipients' | 'report'; status?: string } => ({
    ...textsOf(search, 'status'),
    ...((search['tab'] === 'recipients' || search['tab'] === 'report') && { tab: search['tab'] }),
  }),
})
const campaignEdit = createRoute({
  getParentRoute: () => shell,
  path: '/campaigns/$id/edit',
  component: lazyRouteComponent(() => import('./screens/campaigns/editor.tsx'), 'EditCampaign'),
})
const messages = createRoute({
  getParentRoute: () => shell,
  path: '/messages',
  component: lazyRouteComponent(() => import('./screens/messages/messages.tsx'), 'Messages'),
  validateSearch: search => textsOf(search, 'status', 'direction', 'campaign', 'contact', 'open'),
})
const content = createRoute({
  getParentRoute: () => shell,
  path: '/content',
  component: lazyRouteComponent(() => import('./screens/content/content.tsx'), 'ContentList'),
  validateSearch: pagesSearch,
})
const page = createRoute({
  getParentRoute: () => shell,
  path: '/content/$id',
  component: lazyRouteComponent(() => import('./screens/content/editor.tsx'), 'PageEditor'),
})
const media = createRoute({
  getParentRoute: () => shell,
  path: '/media',
  component: lazyRouteComponent(() => import('./screens/media/media.tsx'), 'Media'),
})
const users = createRoute({
  getParentRoute: () => shell,
  path: '/users',
  component: lazyRouteComponent(() => import('./screens/users/users.tsx'), 'Users'),
})
const keys = createRoute({
  getParentRoute: () => shell,
  path: '/keys',
  component: lazyRouteComponent(() => import('./screens/keys/keys.tsx'), 'Keys'),
})
const settings = createRoute({
  getParentRoute: () => shell,
  path: '/settings',
  component: lazyRouteComponent(() => import('./screens/settings/settings.tsx'), 'Settings'),
})
const history = createRoute({
  getParentRoute: () => shell,
  path: '/history',
  component: lazyRouteComponent(() => import('./screens/history/history.tsx'), 'History'),
  validateSearch: historySearch,
})
const account = createRoute({
  getParentRoute: () => shell,
  path: '/account',
  component: lazyRouteComponent(() => import('./screens/account/account.tsx'), 'Account'),
})

const behindLogin = [
  dashboard,
  ...[contacts, contactImport, contact, categories],
  ...[campaigns, campaignNew, campaign, campaignEdit, messages],
  ...[content, page, media, users, keys, settings, history, account],
] as const

const tree = root.addChildren([login, forgot, reset, shell.addChildren(behindLogin)])

export function createAppRouter(context: RouterContext) {
  return createRouter({
    routeTree: tree,
    context,
    basepath: '/app',
    defaultPreload: 'intent',
    // Query keeps the data; the router only says when it is wanted.
    defaultPreloadStaleTime: 0,
    scrollRestoration: true,
  })
}

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof createAppRouter>
  }
}
