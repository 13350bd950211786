import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { launchBrowser } from './support/browser.ts'
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

interface Arrived {
  readonly path: string
  /** On the wire, with headers; 0 from the browser's own copy. */
  readonly wire: number
  /** The body alone: as it came, and as it is. */
  readonly sent: number
  readonly whole: number
}

/** Everything that arrives while the page is loaded, as the browser counts it. */
async function arrivalsOf(page: Page, load: () => Promise<unknown>): Promise<readonly Arrived[]> {
  const session = await page.context().newCDPSession(page)
  await session.send('Network.enable')
  const paths = new Map<string, string>()
  const cached = new Set<string>()
  const whole = new Map<string, number>()
  const sent = new Map<string, number>()
  const arrived: Arrived[] = []
  session.on('Network.responseReceived', ({ requestId, response }) => {
    paths.set(requestId, new URL(response.url).pathname)
    if (response.fromDiskCache === true) cached.add(requestId)
  })
  session.on('Network.dataReceived', ({ requestId, dataLength, encodedDataLength }) => {
    whole.set(requestId, (whole.get(requestId) ?? 0) + dataLength)
    sent.set(requestId, (sent.get(requestId) ?? 0) + encodedDataLength)
  })
  session.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
    const path = paths.get(requestId)
    if (path === undefined || path === '/events') return
    arrived.push({
      path,
      wire: cached.has(requestId) ? 0 : encodedDataLength,
      sent: sent.get(requestId) ?? 0,
      whole: whole.get(requestId) ?? 0,
    })
  })
  await load()
  await page.getByRole('heading', { level: 1, name: 'Dashboard' }).waitFor()
  await page.waitForFunction(() => document.querySelector('[aria-busy="true"], .skeleton') === null)
  await page.getByRole('group', { name: /Messages per day/ }).waitFor()
  await session.detach()
  return arrived
}

const wireOf = (arrived: readonly Arrived[]): number => arrived.reduce((sum, one) => sum + one.wire, 0)

describe('what a visit weighs', () => {
  test('the second one transfers at most 15 % of the first, and texts at least 70 % less than they are', async () => {
    const visitor = await signIn(browser, site, 'admin', { path: '/account' })
    const { page } = visitor
    // A profile that has been nowhere: what the login page brought is gone again.
    const session = await page.context().newCDPSession(page)
    await session.send('Network.clearBrowserCache')
    const first = await arrivalsOf(page, () => page.goto(`${site.url}/app/`))
    const second = await arrivalsOf(page, () => page.goto(`${site.url}/app/`))
    const texts = first.filter(one => /\.(js|css)$/.test(one.path))
    expect(texts.length).toBeGreaterThan(3)
    const bytes = (part: 'sent' | 'whole'): number => texts.reduce((sum, one) => sum + one[part], 0)
    const [sent, whole] = [bytes('sent'), bytes('whole')]
    console.log(`first ${wireOf(first)} bytes, second ${wireOf(second)}; texts ${sent} of ${whole}`)
    expect(wireOf(second) / wireOf(first)).toBeLessThanOrEqual(0.15)
    expect(sent / whole).toBeLessThanOrEqual(0.3)
    await visitor.leave()
  })

  test('no screen is loaded with another: each comes when it is wanted', async () => {
    const visitor = await signIn(browser, site, 'admin')
    const { page } = visitor
    const loaded = (): Promise<string[]> =>
      page.evaluate(() => performance.getEntriesByType('resource').map(entry => new URL(entry.name).pathname))
    await page.getByRole('group', { name: /Messages per day/ }).waitFor()
    expect((await loaded()).filter(path => /\/(contacts|campaign|settings)-/.test(path))).toEqual([])
    await page.getByRole('link', { name: 'Contacts', exact: true }).click()
    await page.getByRole('heading', { level: 1, name: 'Contacts' }).waitFor()
    expect((await loaded()).some(path => /\/contacts-/.test(path))).toBe(true)
    await visitor.leave()
  })
})
