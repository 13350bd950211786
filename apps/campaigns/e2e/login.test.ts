import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findBarriers, launchBrowser, visit } from './support/browser.ts'
import { nothingIsRead } from './support/shown.ts'
import { signIn } from './support/sign-in.ts'
import { type Site, startSite } from './support/site.ts'

let browser: Browser
let site: Site

beforeAll(async () => {
  ;[browser, site] = await Promise.all([launchBrowser(), startSite({ data: { contacts: 60, messages: 300 } })])
})
afterAll(async () => {
  await browser.close()
  await site.close()
})

describe('the way in', () => {
  test('by keyboard alone: a wrong password is said, the right one leads to where one wanted to go', async () => {
    const visitor = await visit(browser, site.url)
    const { page } = visitor
    await page.goto(`${site.url}/app/categories`)
    await page.getByRole('heading', { name: 'Log in' }).waitFor()
    await page.keyboard.type('admin@example.org')
    await page.keyboard.press('Tab')
    await page.keyboard.type('not the password at all')
    await page.keyboard.press('Enter')
    await page.getByText('The address or the password is not right.').waitFor()
    await page.getByLabel('Password', { exact: true }).focus()
    await page.keyboard.press('ControlOrMeta+a')
    await page.keyboard.type(site.people.admin.password)
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { level: 1, name: 'Categories' }).waitFor()
    expect(new URL(page.url()).pathname).toBe('/app/categories')
    await visitor.leave(/status of 401/)
  })

  test('in French and dark, with nothing in the way of anybody', async () => {
    const visitor = await visit(browser, site.url, { theme: 'dark', language: 'fr', width: 320 })
    await visitor.page.goto(`${site.url}/app/login`)
    await visitor.page.getByRole('heading', { name: 'Se connecter' }).waitFor()
    expect(await findBarriers(visitor.page)).toEqual([])
    await visitor.leave(/status of 401/)
  })

  test('a session that has ended leads back to the login and then to the same place', async () => {
    const visitor = await signIn(browser, site, 'manager', { path: '/contacts' })
    await visitor.page.getByRole('table', { name: 'Contacts' }).waitFor()
    await nothingIsRead(visitor.page)
    await visitor.context.clearCookies()
    await visitor.page.getByRole('link', { name: 'Campaigns', exact: true }).last().click()
    await visitor.page.getByText('Your session has ended.').waitFor()
    await visitor.leave(/status of 401/)
  })
})
