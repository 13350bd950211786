// node scripts/page-speed.mjs: how long the pages take and what they transfer, in a real Chromium on this machine.
import type { Browser, Page } from 'playwright-core'
import { launchBrowser } from './support/browser.ts'
import { signIn } from './support/sign-in.ts'
import { startSite } from './support/site.ts'

const RUNS = 15

interface Visit {
  /** Until the page has a heading: the shell and the screen are there. Milliseconds. */
  readonly shell: number
  /** Until its numbers are there. */
  readonly numbers: number
  readonly bytes: number
}

async function load(page: Page, url: string): Promise<Visit> {
  const session = await page.context().newCDPSession(page)
  await session.send('Network.enable')
  let bytes = 0
  session.on('Network.loadingFinished', ({ encodedDataLength }) => {
    bytes += encodedDataLength
  })
  await page.goto(url, { waitUntil: 'commit' })
  await page.getByRole('heading', { level: 1, name: 'Dashboard' }).waitFor()
  const shell = await page.evaluate(() => performance.now())
  await page.locator('.kpis').waitFor()
  const numbers = await page.evaluate(() => performance.now())
  await page.waitForLoadState('load')
  await session.detach()
  return { shell, numbers, bytes }
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN

function say(name: string, visits: readonly Visit[]): void {
  const ms = (pick: (visit: Visit) => number): string => `${Math.round(median(visits.map(pick)))} ms`
  const kilobytes = Math.round(median(visits.map(visit => visit.bytes)) / 1000)
  console.log(
    `${name.padEnd(14)} shell ${ms(one => one.shell)}, numbers ${ms(one => one.numbers)}, ${kilobytes} kB (medians of ${visits.length})`,
  )
}

async function measure(browser: Browser, url: string, signInAgain: () => ReturnType<typeof signIn>): Promise<void> {
  const first: Visit[] = []
  const second: Visit[] = []
  for (let i = 0; i < RUNS; i++) {
    const { page, context } = await signInAgain()
    const session = await context.newCDPSession(page)
    await session.send('Network.clearBrowserCache')
    first.push(await load(page, url))
    second.push(await load(page, url))
    await context.close()
  }
  say('first visit', first)
  say('second visit', second)
  const share = median(second.map(one => one.bytes)) / median(first.map(one => one.bytes))
  console.log(`the second transfers ${(share * 100).toFixed(1)} % of the first; ${browser.version()}`)
}

const [browser, site] = await Promise.all([launchBrowser(), startSite({ data: { contacts: 2000, messages: 10_000 } })])
try {
  await measure(browser, `${site.url}/app/`, () => signIn(browser, site, 'admin', { path: '/account' }))
} finally {
  await browser.close()
  await site.close()
}
