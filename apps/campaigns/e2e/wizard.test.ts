import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { until } from '../../../packages/palier/test/support/redis-server.ts'
import { bundled } from '../test/support/bundled.ts'
import { findBarriers, launchBrowser, overflowOf, visit } from './support/browser.ts'

const MAIN = await bundled(new URL('../server/main.ts', import.meta.url))
const LOGIN = { email: 'ops@example.org', password: 'a quiet evening by the sea' }

let browser: Browser
beforeAll(async () => {
  browser = await launchBrowser()
})
afterAll(() => browser.close())

/** The application as it is started for the first time, with its installation. */
async function startSetup(): Promise<{ readonly url: string; readonly directory: string }> {
  const directory = mkdtempSync(join(tmpdir(), 'campaigns-setup-'))
  const child = spawn(process.execPath, [MAIN], {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'] ?? '',
      PORT: '0',
      DATA_DIR: join(directory, 'data'),
      PALIER_SETUP: '1',
      SIMULATOR: 'off',
    },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
  onTestFinished(async () => {
    if (child.exitCode === null) {
      child.kill('SIGKILL')
      await once(child, 'close')
    }
    rmSync(directory, { recursive: true, force: true })
  })
  const address = (): string | undefined => /campaigns +(http:\/\/\S+?),/.exec(output)?.[1]
  await until('it listens', () => address() !== undefined, 30_000)
  return { url: address() ?? '', directory }
}

const LOOKS = [
  ['Français', 'dark'],
  ['English', 'light'],
] as const

const press = async (page: Page, name: string): Promise<void> => {
  await page.getByRole('button', { name, exact: true }).first().click()
  await page.waitForLoadState()
}

describe('the first start', () => {
  test('leads through the installation to a proof on the running application, and is closed for good', {
    timeout: 120_000,
  }, async () => {
    const { url, directory } = await startSetup()
    const visitor = await visit(browser, url)
    const { page } = visitor
    const found: string[] = []
    /** What is in the way on this screen, in both themes and languages, wide and narrow. */
    const look = async (heading: string): Promise<void> => {
      await page.getByRole('heading', { level: 1, name: heading }).waitFor()
      for (const [language, colorScheme] of LOOKS) {
        // Before the page is loaded anew: colours that are on their way are neither theme's.
        await page.emulateMedia({ colorScheme })
        await press(page, language)
        found.push(...(await findBarriers(page)).map(text => `${heading} ${language} ${colorScheme}: ${text}`))
        await page.setViewportSize({ width: 320, height: 700 })
        const over = await overflowOf(page)
        if (over > 0) found.push(`${heading} ${language}: ${over} pixels wider than 320`)
        await page.setViewportSize({ width: 1280, height: 900 })
      }
    }
    await page.goto(url)
    await look('Unlock the installation')
    await page.getByLabel('Token').fill('not the token')
    await press(page, 'Unlock')
    await page.getByLabel('Token').fill(readFileSync(join(directory, 'data/.palier/setup-token'), 'utf8').trim())
    await press(page, 'Unlock')
    await look('Your server')
    await press(page, 'Detect, test and propose')
    await page.getByText('Under way').waitFor({ state: 'detached', timeout: 60_000 })

    await page.goto(`${url}/setup/database`)
    await look('Database')
    await press(page, 'Try it and use it')
    for (const [path, heading] of [
      ['storage', 'Storage check'],
      ['redis', 'Find Redis'],
      ['measure', 'Measure'],
      ['proposal', 'Proposal'],
      ['types', 'What to cache'],
    ] as const) {
      await page.goto(`${url}/setup/${path}`)
      await look(heading)
      // A Redis of this machine may have been found, and is none of the test's business.
      const files = page.locator('[name="choose"][value="disk"]')
      if (path === 'proposal' && (await files.count()) > 0) {
        await files.first().evaluate(button => (button as HTMLElement).click())
        await page.waitForLoadState()
      }
    }
    await press(page, 'Save and continue')
    await look('Administrator')
    await page.getByLabel('E-mail').fill(LOGIN.email)
    for (const field of await page.locator('input[type="password"]').all()) await field.fill(LOGIN.password)
    await press(page, 'Create')
    await look('Review and apply')
    await press(page, 'Apply')
    await page.getByRole('button', { name: 'Keep', exact: true }).waitFor({ timeout: 30_000 })
    await press(page, 'Keep')
    await look('Live proof')
    await press(page, 'Prove it')
    await page.getByText('The cache serves').waitFor({ timeout: 30_000 })
    expect(await page.getByRole('main').innerText()).toMatch(/MISS[\s\S]*HIT[\s\S]*MISS/)
    await press(page, 'Finish and close the installation')
    await page.getByRole('heading', { name: 'The installation is closed' }).waitFor()
    expect((await page.goto(`${url}/setup/`))?.status()).toBe(404)

    await page.goto(url)
    await page.getByLabel('E-mail').fill(LOGIN.email)
    await page.getByLabel('Password', { exact: true }).fill(LOGIN.password)
    await press(page, 'Log in')
    await page.getByRole('heading', { level: 1, name: 'Dashboard' }).waitFor()
    expect(found).toEqual([])
    await visitor.leave(/status of (401|403|404|422)/)
  })
})
