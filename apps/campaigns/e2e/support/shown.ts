import type { Locator, Page } from 'playwright-core'
import { expect } from 'vitest'

const POLL = { timeout: 10_000, interval: 20 }

/** "1,234 contacts", "45 %" or "12": the first number in a text. */
export const numberIn = (text: string): number =>
  Number(/\d[\d,.\s\u202F\u00A0]*/.exec(text)?.[0].replaceAll(/\D/g, ''))

/** One of the large numbers of a screen, by its name. */
export const figure = (page: Page, name: string): Locator =>
  page.locator('.stat', { has: page.getByRole('term').getByText(name, { exact: true }) }).locator('.value')

/** A bar of a list of bars, by its name. */
export const bar = (page: Page, name: string): Locator =>
  page.locator('.bars').getByRole('listitem').filter({ hasText: name })

/** Waits until a number is shown there. */
export async function shows(place: Locator, expected: number): Promise<void> {
  await expect.poll(async () => numberIn((await place.innerText()).split('\n').at(-1) ?? ''), POLL).toBe(expected)
}

/** Waits until no question of the page is under way. */
export async function nothingIsRead(page: Page): Promise<void> {
  await page.waitForFunction(() => document.querySelector('.reading-line[data-on]') === null)
}

/** Goes by keyboard to something on the page, as a person would who has no pointer. */
export async function tabTo(page: Page, target: Locator, most = 80): Promise<void> {
  for (let i = 0; i < most; i++) {
    if (await target.evaluate(element => element === document.activeElement)) return
    await page.keyboard.press('Tab')
  }
  throw new Error(`not reached by ${most} presses of Tab: ${target.toString()}`)
}

/** Every text that a place of the page has had since, the first one included. */
export async function historyOf(page: Page, selector: string): Promise<() => Promise<readonly string[]>> {
  const key = `history of ${selector}`
  await page.evaluate(
    ({ selector: where, key: name }) => {
      const seen: string[] = []
      Object.assign(globalThis, { [name]: seen })
      const look = (): void => {
        const text = document.querySelector(where)?.textContent ?? ''
        if (seen.at(-1) !== text) seen.push(text)
      }
      look()
      new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true })
    },
    { selector, key },
  )
  return () => page.evaluate(name => (globalThis as unknown as Record<string, readonly string[]>)[name] ?? [], key)
}
