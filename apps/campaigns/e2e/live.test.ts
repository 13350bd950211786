import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { launchBrowser } from './support/browser.ts'
import { bar, figure, nothingIsRead, shows } from './support/shown.ts'
import { signIn } from './support/sign-in.ts'
import { type Site, startSite } from './support/site.ts'

let browser: Browser
let site: Site
let second: Site
let category: { readonly id: string; readonly name: string; readonly members: number }
let contacts: number

beforeAll(async () => {
  ;[browser, site] = await Promise.all([launchBrowser(), startSite({ data: { contacts: 40, messages: 100 } })])
  second = await startSite({ beside: site })
  const { reader } = site.services.database
  contacts = (await reader.selectFrom('contacts').select('id').execute()).length
  const found = await reader.selectFrom('categories').select(['id', 'name']).orderBy('id').executeTakeFirstOrThrow()
  const members = await reader
    .selectFrom('contact_categories')
    .select('contact_id')
    .where('category_id', '=', found.id)
    .execute()
  category = { ...found, members: members.length }
})
afterAll(async () => {
  await browser.close()
  await second.close()
  await site.close()
})

const go = (page: Page, name: string) =>
  page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name, exact: true }).click()
const heading = (page: Page, name: string) => page.getByRole('heading', { level: 1, name })
const live = (page: Page) => page.getByRole('status').filter({ hasText: 'Live' }).waitFor()

/**
 * How old a page of another process may be: it looks for the deletions of others every 250 ms, what is in its memory is
 * believed no longer than `status().staleBound`, and the browser gathers for 120 ms. The rest is an answer and a picture,
 * on a machine that is busy with other tests.
 */
const boundOf = (of: Site): number => of.services.caching.cache.status().staleBound + 250 + 120 + 3000

describe('what somebody else changes', () => {
  test('appears by itself, from this server and from another process of it, within the bound', async () => {
    const [here, there, writer] = await Promise.all([
      signIn(browser, site, 'manager'),
      signIn(browser, second, 'agent', { path: `/contacts?category=${category.id}` }),
      signIn(browser, site, 'admin', { path: '/contacts' }),
    ])
    await Promise.all([here, there, writer].map(({ page }) => live(page)))
    await shows(figure(here.page, 'Contacts'), contacts)
    await shows(there.page.locator('.page-head p'), contacts)
    const loads = [here, there].map(({ page }) => {
      let count = 0
      page.on('framenavigated', () => void ++count)
      return () => count
    })

    const { page } = writer
    await page.getByRole('button', { name: 'New contact' }).click()
    const drawer = page.getByRole('dialog', { name: 'New contact' })
    await drawer.getByLabel('Name', { exact: true }).fill('Mira Elsewhere')
    await drawer.getByLabel('Phone').fill('+33 6 13 00 00 01')
    await drawer.getByLabel(category.name, { exact: true }).check()
    const answered = page.waitForResponse(answer => answer.request().method() === 'POST')
    await drawer.getByRole('button', { name: 'Add the contact' }).click()
    await answered
    const began = performance.now()
    const seen = async (what: Promise<unknown>): Promise<number> => {
      await what
      return performance.now() - began
    }
    const [near, far] = await Promise.all([
      seen(
        Promise.all([
          shows(figure(here.page, 'Contacts'), contacts + 1),
          shows(bar(here.page, category.name), category.members + 1),
        ]),
      ),
      seen(
        Promise.all([
          there.page.getByRole('row').filter({ hasText: 'Mira Elsewhere' }).waitFor(),
          shows(there.page.locator('.page-head p'), contacts + 1),
          shows(there.page.getByRole('status').filter({ hasText: / found$/ }), category.members + 1),
        ]),
      ),
    ])
    console.log(
      `a contact of somebody else: ${Math.round(near)} ms by the same server, ${Math.round(far)} ms by another`,
    )
    expect(near).toBeLessThan(boundOf(site))
    expect(far).toBeLessThan(boundOf(second))

    await go(page, 'Categories')
    await page
      .getByRole('row')
      .filter({ hasText: category.name })
      .getByRole('button', { name: /^Actions for/ })
      .click()
    await page.getByRole('button', { name: 'Edit', exact: true }).click()
    const form = page.getByRole('dialog', { name: `Edit ${category.name}` })
    await form.getByLabel('Name', { exact: true }).fill('Renamed elsewhere')
    await form.getByRole('button', { name: 'Save' }).click()
    await bar(here.page, 'Renamed elsewhere').waitFor()
    await there.page
      .getByLabel('Category', { exact: true })
      .getByText('Renamed elsewhere')
      .waitFor({ state: 'attached' })
    await shows(bar(here.page, 'Renamed elsewhere'), category.members + 1)
    expect(loads.map(count => count())).toEqual([0, 0])
    await Promise.all([here, there, writer].map(visitor => visitor.leave()))
  })
})

describe('what is fresh', () => {
  test('is not asked for again: a screen for two minutes, statistics for five', async () => {
    const visitor = await signIn(browser, site, 'manager')
    const { page } = visitor
    await figure(page, 'Contacts').waitFor()
    await go(page, 'Contacts')
    await page.getByRole('table', { name: 'Contacts' }).waitFor()
    await live(page)
    const start = Date.now()
    // Only what the browser believes of the time: the server has its own.
    await page.clock.install({ time: start })
    const asked: string[] = []
    page.on('request', request => {
      const { pathname } = new URL(request.url())
      if (pathname.startsWith('/api/')) asked.push(pathname.replace('/api/v1', ''))
    })
    const visitBoth = async (): Promise<readonly string[]> => {
      asked.length = 0
      await go(page, 'Dashboard')
      await heading(page, 'Dashboard').waitFor()
      await figure(page, 'Contacts').waitFor()
      await nothingIsRead(page)
      await go(page, 'Contacts')
      await heading(page, 'Contacts').waitFor()
      await page.getByRole('table', { name: 'Contacts' }).waitFor()
      await nothingIsRead(page)
      // Once each: a question that one screen takes over from another is asked again.
      return [...new Set(asked)].toSorted()
    }
    expect(await visitBoth()).toEqual([])
    await page.clock.setFixedTime(start + 115_000)
    expect(await visitBoth()).toEqual([])
    await page.clock.setFixedTime(start + 3 * 60_000)
    expect(await visitBoth()).toEqual(['/categories', '/contacts'])
    await page.clock.setFixedTime(start + 6 * 60_000)
    expect(await visitBoth()).toEqual(['/categories', '/contacts', '/dashboard'])
    await visitor.leave()
  })
})
