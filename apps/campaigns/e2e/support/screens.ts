import type { Page } from 'playwright-core'
import type { Site } from './site.ts'

/** One picture of the application: an address, and what is done there before it is looked at. */
export interface Screen {
  readonly name: string
  readonly path: string
  /** Opens what the picture is of; the page is there already. */
  readonly open?: (page: Page) => Promise<unknown>
  /** Without a session. */
  readonly isPublic?: true
}

const campaignId = async (site: Site, status: 'completed' | 'draft' | 'running'): Promise<string> => {
  const { reader } = site.services.database
  const found = await reader
    .selectFrom('campaigns')
    .select('id')
    .where('status', '=', status)
    .orderBy('id')
    .limit(1)
    .executeTakeFirst()
  return (found ?? (await reader.selectFrom('campaigns').select('id').orderBy('id').limit(1).executeTakeFirstOrThrow()))
    .id
}

/** Every screen of the application, with what can be opened on it. */
export async function screensOf(site: Site): Promise<readonly Screen[]> {
  const { reader } = site.services.database
  const [{ id: contact }, { id: page }, completed, draft] = await Promise.all([
    reader.selectFrom('contacts').select('id').orderBy('id').limit(1).executeTakeFirstOrThrow(),
    reader.selectFrom('content').select('id').orderBy('id').limit(1).executeTakeFirstOrThrow(),
    campaignId(site, 'completed'),
    campaignId(site, 'draft'),
  ])
  return [
    { name: 'login', path: '/login', isPublic: true },
    { name: 'forgot', path: '/forgot', isPublic: true },
    { name: 'reset', path: '/reset#token=from-the-mail', isPublic: true },
    { name: 'dashboard', path: '/' },
    { name: 'search', path: '/', open: openSearch },
    { name: 'help', path: '/', open: page => page.keyboard.press('?') },
    { name: 'contacts', path: '/contacts' },
    { name: 'contacts-nothing-found', path: '/contacts?q=nobody-is-called-that' },
    { name: 'contact', path: `/contacts/${contact}` },
    { name: 'import', path: '/contacts/import' },
    { name: 'categories', path: '/categories' },
    { name: 'campaigns', path: '/campaigns' },
    { name: 'campaign', path: `/campaigns/${completed}` },
    { name: 'recipients', path: `/campaigns/${completed}?tab=recipients` },
    { name: 'report', path: `/campaigns/${completed}?tab=report` },
    { name: 'campaign-new', path: '/campaigns/new' },
    { name: 'campaign-edit', path: `/campaigns/${draft}/edit` },
    { name: 'messages', path: '/messages' },
    { name: 'pages', path: '/content' },
    { name: 'page', path: `/content/${page}` },
    { name: 'pictures', path: '/media' },
    { name: 'users', path: '/users' },
    { name: 'keys', path: '/keys' },
    { name: 'settings', path: '/settings' },
    { name: 'history', path: '/history' },
    { name: 'account', path: '/account' },
    { name: 'missing', path: '/no-such-screen' },
  ]
}

async function openSearch(page: Page): Promise<void> {
  await page.keyboard.press('Control+k')
  await page.getByRole('combobox').fill('an')
  await page.getByRole('option').first().waitFor()
}

/** Goes there and waits until it is still: nothing is being read, no place is held for what is to come. */
export async function goTo(page: Page, site: { readonly url: string }, screen: Screen, below = '/app'): Promise<void> {
  await page.goto(`${site.url}${below}${screen.path}`)
  await page.getByRole('heading', { level: 1 }).first().waitFor({ state: 'attached' })
  await page.waitForFunction(() => document.querySelector('[aria-busy="true"], .skeleton') === null)
  await page.evaluate(() => document.fonts.ready)
  await screen.open?.(page)
}
