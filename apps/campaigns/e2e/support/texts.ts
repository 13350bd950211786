import type { Page } from 'playwright-core'
import type { Site } from './site.ts'

/** The texts of the page that are its own, with those that only screen readers say; not what people wrote. */
export const textsOf = (page: Page): Promise<readonly string[]> =>
  page.evaluate(() => {
    const isForeign = (element: Element | null): boolean =>
      element?.closest(
        '[lang="en"] [lang], code, pre, option, textarea, iframe, noscript, figure, .phone, td, th[scope="row"], time',
      ) !== null
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    const texts: string[] = []
    for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
      const other = node.parentElement?.closest('[lang]')
      const isOther = other !== null && other !== undefined && other !== document.documentElement
      if (!isForeign(node.parentElement) && !isOther) texts.push(node.textContent?.trim() ?? '')
    }
    for (const element of document.querySelectorAll('[aria-label], [title], [placeholder]')) {
      for (const name of ['aria-label', 'title', 'placeholder']) {
        const text = element.getAttribute(name)?.trim()
        if (text !== undefined && !isForeign(element) && element.closest('[lang]') === document.documentElement)
          texts.push(text)
      }
    }
    return texts
  })

/** What people wrote, and is the same in every language. */
export async function writtenByPeople(site: Site): Promise<string> {
  const { reader } = site.services.database
  const [campaigns, pages, categories, contacts, templates, messages] = await Promise.all([
    reader.selectFrom('campaigns').selectAll().execute(),
    reader.selectFrom('content').selectAll().execute(),
    reader.selectFrom('categories').selectAll().execute(),
    reader.selectFrom('contacts').select('name').execute(),
    reader.selectFrom('templates').selectAll().execute(),
    reader.selectFrom('messages').selectAll().execute(),
  ])
  const { namespace } = site.services.caching.cache.status()
  return JSON.stringify([campaigns, pages, categories, contacts, templates, messages, namespace])
}

/** A sentence, or what could be one: not a name, a number or a code. */
const LEAST_WORDS = 3

/** The sentences that are in both, and that nobody wrote. */
export function sameSentences(some: readonly string[], others: readonly string[], written: string): readonly string[] {
  const known = new Set(others)
  const isSentence = (text: string): boolean => (text.match(/\p{L}{2,}/gu)?.length ?? 0) >= LEAST_WORDS
  const isWritten = (text: string): boolean =>
    written.includes(JSON.stringify(text).slice(1, -1)) || /\w[@_]\w|.{80}…$/.test(text)
  return [...new Set(some)].filter(text => known.has(text) && isSentence(text) && !isWritten(text))
}
