// npm run screenshots [-- name…]: every screen, in both themes and languages, wide and narrow, into screenshots/.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { launchBrowser, type Language, type Theme, visit } from './support/browser.ts'
import { consoleScreens } from './support/console-screens.ts'
import { goTo, type Screen, screensOf } from './support/screens.ts'
import { signIn } from './support/sign-in.ts'
import { type Site, startSite } from './support/site.ts'

const INTO = 'screenshots'
const WIDTHS = { wide: 1280, narrow: 390 } as const
const only = process.argv.slice(2)

interface Look {
  readonly theme: Theme
  readonly language: Language
  readonly width: keyof typeof WIDTHS
}

function* looks(): Generator<Look> {
  for (const theme of ['light', 'dark'] as const) {
    for (const language of ['en', 'fr'] as const) {
      for (const width of ['wide', 'narrow'] as const) yield { theme, language, width }
    }
  }
}

async function photograph(browser: Browser, site: Site, screens: readonly Screen[], look: Look, below: string) {
  const { theme, language, width } = look
  const options = { theme, language, width: WIDTHS[width], height: width === 'wide' ? 900 : 844 }
  for (const isPublic of [true, false]) {
    const chosen = screens.filter(one => (one.isPublic === true) === isPublic)
    if (chosen.length === 0) continue
    const { page, context } = isPublic
      ? await visit(browser, site.url, options)
      : await signIn(browser, site, 'admin', options)
    for (const screen of chosen) {
      await goTo(page, site, screen, below)
      const path = join(INTO, `${screen.name}-${width}-${theme}-${language}.png`)
      await page.screenshot({ path, fullPage: screen.open === undefined })
      console.log(path)
    }
    await context.close()
  }
}

mkdirSync(INTO, { recursive: true })
const [browser, site] = await Promise.all([launchBrowser(), startSite({ data: { contacts: 800, messages: 6000 } })])
try {
  const wanted = (screens: readonly Screen[]): readonly Screen[] =>
    screens.filter(({ name }) => only.length === 0 || only.some(part => name.includes(part)))
  const [own, consoles] = [wanted(await screensOf(site)), wanted(consoleScreens())]
  for (const look of looks()) {
    await photograph(browser, site, own, look, '/app')
    await photograph(browser, site, consoles, look, '/admin/cache')
  }
} finally {
  await browser.close()
  await site.close()
}
