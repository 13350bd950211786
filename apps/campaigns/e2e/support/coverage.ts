import { randomUUID } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'

/** Where Chromium's counts go, for `scripts/page-coverage.mjs`; nothing is counted where it is not set. */
const INTO = process.env['PAGE_COVERAGE']

/** Counts what the page runs of its scripts, over all that it loads. Returns what keeps the counts; the page must still be open. */
export async function countLines(page: Page): Promise<() => Promise<void>> {
  if (INTO === undefined) return async () => undefined
  await page.coverage.startJSCoverage({ resetOnNavigation: false })
  return async () => {
    if (page.isClosed()) return
    const counts = await page.coverage.stopJSCoverage()
    mkdirSync(INTO, { recursive: true })
    const kept = counts.map(({ url, functions }) => ({ url, functions }))
    writeFileSync(join(INTO, `${randomUUID()}.json`), JSON.stringify(kept))
  }
}
