import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findBarriers, launchBrowser, overflowOf, visit } from './support/browser.ts'
import { goTo, screensOf } from './support/screens.ts'
import { signIn } from './support/sign-in.ts'
import { type Site, startSite } from './support/site.ts'

let browser: Browser
let site: Site

beforeAll(async () => {
  ;[browser, site] = await Promise.all([launchBrowser(), startSite({ data: { contacts: 120, messages: 800 } })])
})
afterAll(async () => {
  await browser.close()
  await site.close()
})

const THEMES = ['light', 'dark'] as const

describe.each(['en', 'fr'] as const)('every screen in %s', language => {
  test('has no barrier in either theme, complains of nothing and fits into 320 pixels', {
    timeout: 180_000,
  }, async () => {
    const screens = await screensOf(site)
    const found: string[] = []
    const look = async (isPublic: boolean): Promise<void> => {
      const visitor = isPublic
        ? await visit(browser, site.url, { language })
        : await signIn(browser, site, 'admin', { language })
      const { page } = visitor
      for (const screen of screens.filter(one => (one.isPublic === true) === isPublic)) {
        await page.setViewportSize({ width: 1280, height: 900 })
        await goTo(page, site, screen)
        for (const colorScheme of THEMES) {
          await page.emulateMedia({ colorScheme })
          const barriers = await findBarriers(page)
          found.push(...barriers.map(text => `${screen.name} ${colorScheme}: ${text}`))
        }
        await page.setViewportSize({ width: 320, height: 700 })
        const over = await overflowOf(page)
        if (over > 0) found.push(`${screen.name}: ${over} pixels wider than 320`)
      }
      // Whoever is not logged in is asked who they are once.
      await visitor.leave(/status of 401/)
    }
    await look(true)
    await look(false)
    expect(found).toEqual([])
  })
})
