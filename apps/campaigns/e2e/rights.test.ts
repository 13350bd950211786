import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { launchBrowser } from './support/browser.ts'
import { goTo, screensOf } from './support/screens.ts'
import { signIn } from './support/sign-in.ts'
import { type Site, startSite } from './support/site.ts'

let browser: Browser
let site: Site

beforeAll(async () => {
  ;[browser, site] = await Promise.all([launchBrowser(), startSite({ data: { contacts: 40, messages: 200 } })])
})
afterAll(async () => {
  await browser.close()
  await site.close()
})

describe('language and theme', () => {
  test('are kept once they are chosen, also for the next visit', async () => {
    const visitor = await signIn(browser, site, 'agent')
    const { page } = visitor
    await page.getByRole('button', { name: 'Language and theme' }).click()
    await page.getByRole('button', { name: 'Français' }).click()
    await page.getByRole('heading', { level: 1, name: 'Tableau de bord' }).waitFor()
    await page.getByRole('button', { name: 'Langue et thème' }).click()
    await page.getByRole('button', { name: 'Sombre' }).click()
    const appearance = () =>
      page.evaluate(() => [document.documentElement.lang, document.documentElement.dataset['theme']])
    expect(await appearance()).toEqual(['fr', 'dark'])
    await page.reload()
    await page.getByRole('heading', { level: 1, name: 'Tableau de bord' }).waitFor()
    expect(await appearance()).toEqual(['fr', 'dark'])
    const background = await page.evaluate(() => getComputedStyle(document.body).backgroundColor)
    expect(
      background
        .match(/\d+/g)
        ?.map(Number)
        .every(part => part < 60),
    ).toBe(true)
    await visitor.leave()
  })
})

describe('an agent', () => {
  test('finds every screen, sees why what they may not do is off, and never an error', async () => {
    const visitor = await signIn(browser, site, 'agent')
    const { page } = visitor
    await page.getByRole('navigation', { name: 'Main' }).waitFor()
    const links = page.getByRole('navigation', { name: 'Main' }).getByRole('link')
    const offered = await links.evaluateAll(all => all.map(link => link.getAttribute('href')))
    const isOffered = ({ path }: { readonly path: string }): boolean =>
      offered.some(href => path === '/account' || (href !== '/app/' && `/app${path}`.startsWith(href ?? '?')))
    const all = await screensOf(site)
    const screens = all.filter(screen => screen.isPublic !== true && screen.open === undefined && isOffered(screen))
    expect(screens.length).toBeGreaterThan(10)
    const silent: string[] = []
    for (const screen of screens) {
      await goTo(page, site, screen)
      for (const off of await page.getByRole('main').locator('button[aria-disabled="true"], button:disabled').all()) {
        const reason = (await off.getAttribute('title')) ?? (await off.getAttribute('aria-describedby'))
        if (reason === null || reason === '') silent.push(`${screen.name}: ${await off.innerText()}`)
      }
      const failures = await page.getByRole('alert').allInnerTexts()
      silent.push(...failures.map(text => `${screen.name}: ${text}`))
    }
    expect(silent).toEqual([])
    await page.goto(`${site.url}/app/contacts`)
    const bulk = page.getByRole('link', { name: 'Import' }).or(page.getByRole('button', { name: 'Import' }))
    expect(await bulk.first().getAttribute('aria-disabled')).toBe('true')
    await visitor.leave()
  })

  test('who types an address that is not for them is told so, and nothing is asked for', async () => {
    const visitor = await signIn(browser, site, 'agent')
    const { page } = visitor
    for (const [path, heading] of [
      ['/users', 'Users'],
      ['/history', 'History'],
    ] as const) {
      await page.goto(`${site.url}/app${path}`)
      await page.getByRole('heading', { level: 1, name: heading }).waitFor()
      await page.getByText('Your role does not open this screen').waitFor()
    }
    await visitor.leave()
  })
})
