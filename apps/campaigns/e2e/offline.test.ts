import { createHash } from 'node:crypto'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildApp } from '../server/app.ts'
import { launchBrowser } from './support/browser.ts'
import { figure, shows } from './support/shown.ts'
import { signIn } from './support/sign-in.ts'
import { type Site, startSite } from './support/site.ts'

const BUILT = fileURLToPath(new URL('../dist/web/', import.meta.url))

let browser: Browser
let site: Site
let contacts: number

beforeAll(async () => {
  ;[browser, site] = await Promise.all([launchBrowser(), startSite({ data: { contacts: 40, messages: 100 } })])
  contacts = (await site.services.database.reader.selectFrom('contacts').select('id').execute()).length
})
afterAll(async () => {
  await browser.close()
  await site.close()
})

/** What the browser keeps: of each cache, the paths in it. */
const kept = (page: Page): Promise<Readonly<Record<string, readonly string[]>>> =>
  page.evaluate(async () => {
    const names = await caches.keys()
    const paths = names.map(async name => {
      const requests = await (await caches.open(name)).keys()
      return [name, requests.map(request => new URL(request.url).pathname)] as const
    })
    return Object.fromEntries(await Promise.all(paths))
  })

/** Somebody whose browser has the worker, and with it a copy of the dashboard. */
async function visitTwice() {
  const visitor = await signIn(browser, site, 'manager', { serviceWorkers: 'allow' })
  const { page } = visitor
  await page.waitForFunction(() => navigator.serviceWorker.controller !== null)
  await page.reload()
  await shows(figure(page, 'Contacts'), contacts)
  return visitor
}

const portOf = ({ url }: Site): number => Number(new URL(url).port)

async function stopListening({ app: { server } }: Site): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  server.closeAllConnections()
  await closed
}

async function listenAgain(from: Site): Promise<void> {
  const { server } = from.app
  server.listen(portOf(from), '127.0.0.1')
  await once(server, 'listening')
}

const UNREACHABLE =
  /ERR_FAILED|ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET|ERR_INCOMPLETE_CHUNKED_ENCODING/
const banner = (page: Page) => page.getByText('You are offline', { exact: true })

describe('without a network', () => {
  test('the page loads with the last figures, marked as such; with the network they are read anew', async () => {
    const visitor = await visitTwice()
    const { page } = visitor
    await stopListening(site)
    await page.reload()
    await banner(page).waitFor()
    await shows(figure(page, 'Contacts'), contacts)
    await page.getByText(/^Last copy of this browser/).waitFor()
    await page.goto(`${site.url}/app/categories`)
    await page.getByRole('heading', { level: 1, name: 'Categories' }).waitFor()
    await banner(page).waitFor()
    await listenAgain(site)
    await page.goto(`${site.url}/app/`)
    await shows(figure(page, 'Contacts'), contacts)
    expect(await banner(page).count()).toBe(0)
    await visitor.leave(UNREACHABLE)
  })

  test('after the logout the browser keeps the shell, and nothing of the person', async () => {
    const visitor = await visitTwice()
    const { page } = visitor
    expect(Object.values(await kept(page)).flat()).toContain('/api/v1/dashboard')
    await page.getByRole('banner').getByRole('button', { name: 'The manager' }).click()
    await page.getByRole('button', { name: 'Log out' }).click()
    await page.getByRole('heading', { name: 'Log in' }).waitFor()
    const after = await kept(page)
    expect(Object.keys(after)).toEqual([expect.stringMatching(/^shell-/)])
    expect(
      Object.values(after)
        .flat()
        .filter(path => !path.startsWith('/app/')),
    ).toEqual([])
    await stopListening(site)
    await page.reload()
    await page.getByRole('heading', { name: 'Log in' }).waitFor()
    expect(await figure(page, 'Contacts').count()).toBe(0)
    await listenAgain(site)
    await visitor.leave(new RegExp(`status of 401|${UNREACHABLE.source}`))
  })

  test('a new build takes the place of the kept one', async () => {
    const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex')
    const list = readFileSync(join(BUILT, 'offline.json'), 'utf8')
    const worker = readFileSync(join(BUILT, 'worker.js'), 'utf8')
    // Or no browser would ever know of another build.
    expect(worker).toContain(digestOf(list))

    const visitor = await visitTwice()
    const { page } = visitor
    const [before] = Object.keys(await kept(page)).filter(name => name.startsWith('shell-'))
    const directory = mkdtempSync(join(tmpdir(), 'campaigns-build-'))
    cpSync(BUILT, directory, { recursive: true, filter: path => !/\.(br|gz)$/.test(path) })
    const next = JSON.stringify([...(JSON.parse(list) as string[]), 'assets/next.js'])
    const index = readFileSync(join(BUILT, 'index.html'), 'utf8')
    writeFileSync(join(directory, 'assets/next.js'), '')
    writeFileSync(join(directory, 'offline.json'), next)
    writeFileSync(join(directory, 'worker.js'), worker.replace(digestOf(list), digestOf(next)))
    writeFileSync(join(directory, 'index.html'), index.replace('</head>', '<meta name="build" content="next"></head>'))
    await site.app.close()
    const app = await buildApp(site.services, { mostLag: 0, pages: directory })
    try {
      await app.listen({ port: portOf(site), host: '127.0.0.1' })
      await page.reload()
      await expect
        .poll(async () => Object.keys(await kept(page)).filter(name => name.startsWith('shell-')), { timeout: 10_000 })
        .not.toContain(before)
      const shells = Object.entries(await kept(page)).filter(([name]) => name.startsWith('shell-'))
      expect(shells.map(([, paths]) => paths.includes('/app/assets/next.js'))).toEqual([true])
    } finally {
      await app.close()
      rmSync(directory, { recursive: true, force: true })
    }
    await page.reload()
    await banner(page).waitFor()
    expect(await page.locator('meta[name="build"]').getAttribute('content')).toBe('next')
    await visitor.leave(UNREACHABLE)
  })
})
