import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, join } from 'node:path'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { expect } from 'vitest'
import { countLines } from './coverage.ts'

export type Theme = 'light' | 'dark'
export type Language = 'en' | 'fr'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']
const MAC = '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'

function findBrowser(): string {
  const places = (process.env['PATH'] ?? '').split(delimiter).flatMap(dir => NAMES.map(name => join(dir, name)))
  const found = [process.env['CHROMIUM'], ...places, MAC].find(path => path !== undefined && existsSync(path))
  if (found === undefined)
    throw new Error('No Chromium on the PATH. Install it (Debian: apt-get install chromium), or set CHROMIUM.')
  return found
}

/** A real Chromium without a window. The caller closes it. */
export async function launchBrowser(): Promise<Browser> {
  const args = [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ]
  return chromium.launch({ executablePath: findBrowser(), args })
}

export interface VisitorOptions {
  readonly theme?: Theme
  readonly language?: Language
  readonly width?: number
  readonly height?: number
  /** Service workers are off unless a test is about them: what one test cached is no part of the next. */
  readonly serviceWorkers?: 'allow' | 'block'
}

/**
 * Sessions are answered with 503 while their backend does not answer in time, which happens on a machine full of tests; the
 * pages ask again, and what they show in the end is what a test is about.
 */
const BUSY = /status of 503/

/** Longer than anything on a page may take, on a machine that is busy with other tests. */
const PATIENCE_MS = 25_000

/** Somebody in front of a browser, in a profile of their own. */
export interface Visitor {
  readonly page: Page
  readonly context: BrowserContext
  /** What went wrong unseen: errors of scripts and of the console, requests to other origins, refused by the policy or not. */
  readonly complaints: string[]
  /** Fails with what went wrong unseen, but for what the test has caused on purpose. */
  leave(expected?: RegExp): Promise<void>
}

/** Opens a profile. `url`: where everything must come from. */
export async function visit(browser: Browser, url: string, options: VisitorOptions = {}): Promise<Visitor> {
  const { theme = 'light', language = 'en', width = 1280, height = 900, serviceWorkers = 'block' } = options
  const context = await browser.newContext({
    viewport: { width, height },
    locale: language === 'fr' ? 'fr-FR' : 'en-GB',
    colorScheme: theme,
    reducedMotion: 'reduce',
    serviceWorkers,
  })
  const complaints: string[] = []
  const origin = new URL(url).origin
  context.on('request', request => {
    const { protocol, origin: to } = new URL(request.url())
    if (to !== origin && protocol.startsWith('http')) complaints.push(`request to another origin: ${request.url()}`)
  })
  const page = await context.newPage()
  page.setDefaultTimeout(PATIENCE_MS)
  page.on('console', message => {
    if (message.type() === 'error') complaints.push(`console: ${message.text()}`)
  })
  page.on('pageerror', error => complaints.push(`error: ${error.message}`))
  const keepCounts = await countLines(page)
  return {
    page,
    context,
    complaints,
    async leave(expected) {
      await keepCounts()
      await context.close()
      expect(complaints.filter(text => !BUSY.test(text) && expected?.test(text) !== true)).toEqual([])
    },
  }
}

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

interface AxeResult {
  readonly violations: readonly {
    readonly id: string
    readonly help: string
    readonly nodes: readonly { readonly target: readonly string[]; readonly failureSummary?: string }[]
  }[]
}

/** What axe finds on the page as it is now, or in its open dialog, by the rules of WCAG 2.2 AA, one line for each place. */
export async function findBarriers(page: Page): Promise<string[]> {
  // Under the page's policy a script tag would be refused; the debugger may evaluate.
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(axeSource)
  const result = await page.evaluate(async () => {
    // A colour on its way to another is neither.
    await Promise.all(document.getAnimations().map(animation => animation.finished.catch(() => undefined)))
    const { axe } = window as unknown as {
      axe: { run(context: Document | Element, options: object): Promise<unknown> }
    }
    const runOnly = { type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }
    const place = document.querySelector('dialog[open]') ?? document
    return (await axe.run(place, { runOnly, resultTypes: ['violations'] })) as AxeResult
  })
  return result.violations.flatMap(({ id, nodes }) =>
    nodes.map(
      ({ target, failureSummary = '' }) => `${id}: ${target.join(' ')}: ${failureSummary.replaceAll(/\s+/g, ' ')}`,
    ),
  )
}

/** By how many pixels the page is wider than its window: 0, or something sticks out. */
export async function overflowOf(page: Page): Promise<number> {
  return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
}
