import type { Locator, Page } from 'playwright-core'
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
  const [{ id: contact, name }, { id: page }, completed, draft] = await Promise.all([
    reader.selectFrom('contacts').select(['id', 'name']).orderBy('id').limit(1).executeTakeFirstOrThrow(),
    reader.selectFrom('content').select('id').orderBy('id').limit(1).executeTakeFirstOrThrow(),
    campaignId(site, 'completed'),
    campaignId(site, 'draft'),
  ])
  // So few that the bar below the list lies on none of them.
  const few = `/contacts?q=${encodeURIComponent(name)}`
  return [
    { name: 'login', path: '/login', isPublic: true },
    { name: 'forgot', path: '/forgot', isPublic: true },
    { name: 'reset', path: '/reset#token=from-the-mail', isPublic: true },
    { name: 'dashboard', path: '/' },
    { name: 'search', path: '/', open: openSearch },
    { name: 'help', path: '/', open: page => page.keyboard.press('?') },
    { name: 'account-menu', path: '/', open: openAccount },
    { name: 'contacts', path: '/contacts' },
    { name: 'contact-new', path: '/contacts', open: dialogBy('New contact', 'Nouveau contact') },
    { name: 'contact-delete', path: `/contacts/${contact}`, open: dialogBy('Delete', 'Supprimer') },
    { name: 'contacts-chosen', path: few, open: chooseAll },
    { name: 'contacts-bulk', path: few, open: chooseAndAdd },
    { name: 'contacts-nothing-found', path: '/contacts?q=nobody-is-called-that' },
    { name: 'contact', path: `/contacts/${contact}` },
    { name: 'import', path: '/contacts/import' },
    { name: 'categories', path: '/categories' },
    { name: 'category-new', path: '/categories', open: dialogBy('New category', 'Nouvelle catégorie') },
    { name: 'campaigns', path: '/campaigns' },
    { name: 'templates', path: '/campaigns', open: dialogBy('Templates', 'Modèles') },
    { name: 'campaign-start', path: `/campaigns/${draft}`, open: dialogBy('Start', 'Démarrer') },
    { name: 'campaign', path: `/campaigns/${completed}` },
    { name: 'recipients', path: `/campaigns/${completed}?tab=recipients` },
    { name: 'report', path: `/campaigns/${completed}?tab=report` },
    { name: 'campaign-new', path: '/campaigns/new' },
    { name: 'campaign-edit', path: `/campaigns/${draft}/edit` },
    { name: 'messages', path: '/messages' },
    { name: 'message', path: '/messages', open: firstOf(/^(Open the message|Ouvrir le message)/) },
    { name: 'pages', path: '/content' },
    { name: 'page', path: `/content/${page}` },
    { name: 'pictures', path: '/media' },
    { name: 'users', path: '/users' },
    { name: 'user-new', path: '/users', open: dialogBy('Add a user', 'Ajouter un utilisateur') },
    { name: 'keys', path: '/keys' },
    { name: 'key-new', path: '/keys', open: dialogBy('Make a key', 'Créer une clé') },
    { name: 'settings', path: '/settings' },
    { name: 'history', path: '/history' },
    { name: 'account', path: '/account' },
    { name: 'missing', path: '/no-such-screen' },
  ]
}

async function openDialog(page: Page, opener: Locator): Promise<void> {
  await opener.click()
  await page.getByRole('dialog').waitFor()
  await isStill(page)
}

/** Presses the button of that name, in either language, and waits for what it opens. */
const dialogBy =
  (en: string, fr: string) =>
  (page: Page): Promise<void> =>
    openDialog(
      page,
      page
        .getByRole('main')
        .getByRole('button', { name: new RegExp(`^(${en}|${fr})$`) })
        .first(),
    )

const firstOf =
  (name: RegExp) =>
  (page: Page): Promise<void> =>
    openDialog(page, page.getByRole('main').getByLabel(name).first())

const chooseAll = (page: Page): Promise<void> => page.getByRole('columnheader').getByRole('checkbox').check()

async function chooseAndAdd(page: Page): Promise<void> {
  await chooseAll(page)
  await dialogBy('Add to a category', 'Ajouter à une catégorie')(page)
}

const openAccount = (page: Page): Promise<void> =>
  page.getByRole('banner').getByRole('button', { name: 'The admin' }).click()

async function openSearch(page: Page): Promise<void> {
  await page.keyboard.press('Control+k')
  await page.getByRole('combobox').fill('an')
  await page.getByRole('option').first().waitFor()
}

/** Nothing is being read, no place is held for what is to come. */
async function isStill(page: Page): Promise<void> {
  await page.waitForFunction(() => document.querySelector('main [aria-busy="true"], .skeleton') === null)
}

/** Goes there and waits until it is still. */
export async function goTo(page: Page, site: { readonly url: string }, screen: Screen, below = '/app'): Promise<void> {
  // An address that differs after `#` alone would not be loaded, and the same one with what was open on it.
  await page.goto('about:blank')
  await page.goto(`${site.url}${below}${screen.path}`)
  await page.getByRole('heading', { level: 1 }).first().waitFor({ state: 'attached' })
  await isStill(page)
  await page.evaluate(() => document.fonts.ready)
  await screen.open?.(page)
}
