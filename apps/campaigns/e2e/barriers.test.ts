import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findBarriers, type Language, launchBrowser, overflowOf, type Theme, visit } from './support/browser.ts'
import { consoleScreens } from './support/console-screens.ts'
import { goTo, type Screen, screensOf } from './support/screens.ts'
import { signIn } from './support/sign-in.ts'
import { type Site, startSite } from './support/site.ts'
import { sameSentences, textsOf, writtenByPeople } from './support/texts.ts'

let browser: Browser
let site: Site

beforeAll(async () => {
  ;[browser, site] = await Promise.all([launchBrowser(), startSite({ data: { contacts: 120, messages: 800 } })])
})
afterAll(async () => {
  await browser.close()
  await site.close()
})

interface Look {
  readonly language: Language
  readonly theme: Theme
}

/** What each screen said, by its name. */
const texts = { en: new Map<string, readonly string[]>(), fr: new Map<string, readonly string[]>() }

/** What is wrong with the screens, by name, in a wide and a narrow window. */
async function look(screens: readonly Screen[], how: Look, below = '/app'): Promise<readonly string[]> {
  const found: string[] = []
  const visitor = screens.every(screen => screen.isPublic === true)
    ? await visit(browser, site.url, how)
    : await signIn(browser, site, 'admin', { ...how, path: '/account' })
  const { page } = visitor
  for (const screen of screens) {
    await page.setViewportSize({ width: 1280, height: 900 })
    await goTo(page, site, screen, below)
    const barriers = await findBarriers(page)
    texts[how.language].set(screen.name, await textsOf(page))
    await page.setViewportSize({ width: 320, height: 700 })
    const over = await overflowOf(page)
    found.push(...barriers.map(text => `${screen.name}: ${text}`))
    if (over > 0) found.push(`${screen.name}: ${over} pixels wider than 320`)
  }
  // Whoever is not logged in is asked who they are once.
  await visitor.leave(/status of 401/)
  return found
}

// Each language in one theme: the words of a screen do not change its colours, nor do its colours its structure.
describe.each([
  { language: 'en', theme: 'light' },
  { language: 'fr', theme: 'dark' },
] as const)('$theme and in $language', how => {
  test('every screen and dialog is without a barrier, complains of nothing and fits into 320 pixels', {
    timeout: 120_000,
  }, async () => {
    const screens = await screensOf(site)
    const own = screens.filter(({ isPublic }) => isPublic !== true)
    // Side by side: much of a visit is waiting.
    const found = await Promise.all([
      look(
        screens.filter(({ isPublic }) => isPublic === true),
        how,
      ),
      look(
        own.filter((_, i) => i % 2 === 0),
        how,
      ),
      look(
        own.filter((_, i) => i % 2 === 1),
        how,
      ),
      look(consoleScreens(), how, '/admin/cache'),
    ])
    expect(found.flat()).toEqual([])
  })
})

test('no sentence is in English where French was asked for', async () => {
  const written = await writtenByPeople(site)
  expect(texts.fr.size).toBeGreaterThan(35)
  const same = [...texts.fr].flatMap(([name, french]) =>
    sameSentences(french, texts.en.get(name) ?? [], written).map(text => `${name}: ${text}`),
  )
  expect(same).toEqual([])
})
