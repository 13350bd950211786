import fc from 'fast-check'
import { renderToStaticMarkup } from 'react-dom/server'
import { expect, test } from 'vitest'
import { describeMarkdown, renderMarkdown } from '../../server/content/markdown.ts'
import type { Page } from '../../web/src/data/content.ts'
import { diffLines, foldEqual } from '../../web/src/screens/content/diff.ts'
import { changesOf, draftOf, follow, isInConflict } from '../../web/src/screens/content/draft.ts'
import { describePage, renderPreview } from '../../web/src/screens/content/markdown.ts'
import { applyMark, insertPicture, type Mark } from '../../web/src/screens/content/marking.ts'
import { pagesSearch } from '../../web/src/screens/content/search.ts'

const PIECES = [
  ...['# Title', '## Part', 'plain', '**bold**', '*it*', '`code`', '~~gone~~', '\n', '\n\n', '- item', '1. first'],
  ...['  - deep', '> quoted', '```\nfence\n```', '    indented', '---', '[a](https://example.org/x)', '[b](/p/b "t")'],
  ...['![pic](/media/ab/c.webp)', '<script>alert(1)</script>', '<b>tag</b>', '[x](javascript:alert(1))', 'www.x.org'],
  ...['| a | b |\n|---|:-:|\n| 1 | 2 |', '\\*', '&amp; & "quotes" ‘’', 'line  \nbreak', '🙂', ' '],
]
const markdowns = fc.array(fc.constantFrom(...PIECES), { maxLength: 24 }).map(pieces => pieces.join(''))

/** What both ways of rendering may write differently without meaning anything else. */
const bare = (html: string): string =>
  html
    .replaceAll('&#x27;', "'")
    .replaceAll('/>', '>')
    .replaceAll(/ (?:rel|target|loading|class)="[^"]*"/g, '')
    .replaceAll(/style="text-align:\s?(\w+);?"/g, 'style="text-align:$1"')
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/> | <(?=\/?(?:p|ul|ol|li|h\d|pre|table|t\w+|blockquote|hr)\b)/g, match => match.trim())

const previewOf = (text: string): string =>
  renderToStaticMarkup(renderPreview(text, { foreignPicture: (alt, url) => `[${alt} ${url}]` }))

test('the preview is what visitors get, for any text, and no text becomes markup', () => {
  fc.assert(
    fc.property(markdowns, text => {
      const preview = previewOf(text)
      expect(bare(preview)).toBe(bare(renderMarkdown(text)))
      expect(preview).not.toMatch(/<script|<b>|href="javascript/)
      expect(describePage(text)).toBe(describeMarkdown(text))
    }),
    { numRuns: 300 },
  )
})

test('a picture of another origin is not loaded, and a link leaves the editor where it is', () => {
  expect(previewOf('![far](https://example.org/a.png)')).toBe('<p>[far https://example.org/a.png]</p>')
  expect(previewOf('[a](/p/a)')).toContain('target="_blank" rel="noopener noreferrer nofollow"')
})

test('a comparison holds both texts whole, and folding hides equal lines only', () => {
  const texts = fc.array(fc.constantFrom('a', 'b', 'c', ''), { maxLength: 30 }).map(lines => lines.join('\n'))
  fc.assert(
    fc.property(texts, texts, (before, after) => {
      const lines = diffLines(before, after)
      const side = (kind: 'removed' | 'added'): string =>
        lines
          .filter(line => line.kind === 'same' || line.kind === kind)
          .map(line => line.text)
          .join('\n')
      expect(side('removed')).toBe(before)
      expect(side('added')).toBe(after)
      const folded = foldEqual(lines)
      const changed = (list: typeof folded): number =>
        list.filter(line => line.kind === 'added' || line.kind === 'removed').length
      expect(changed(folded)).toBe(changed(lines))
      const count = folded.reduce((sum, line) => sum + (line.kind === 'skipped' ? line.count : 1), 0)
      expect(count).toBe(before === after ? 0 : lines.length)
    }),
  )
})

test('a mark that is put on and taken off leaves the text and the selection as they were', () => {
  const marks: readonly Mark[] = ['bold', 'italic', 'code', 'heading', 'list', 'numbers', 'quote']
  const text = fc.stringMatching(/^[a-z \n]{1,30}$/)
  fc.assert(
    fc.property(text, fc.nat(30), fc.nat(30), fc.constantFrom(...marks), (plain, one, other, mark) => {
      const [start = 0, end = 0] = [one, other].map(at => Math.min(at, plain.length)).toSorted((a, b) => a - b)
      const marked = applyMark({ text: plain, start, end }, mark)
      expect(marked.text.length).toBeGreaterThan(plain.length)
      expect(applyMark(marked, mark).text).toBe(plain)
    }),
  )
})

test('marks are as Markdown has them', () => {
  const at = (text: string, start: number, end: number) => ({ text, start, end })
  expect(applyMark(at('say it', 4, 6), 'bold')).toEqual(at('say **it**', 6, 8))
  expect(applyMark(at('**it**', 2, 4), 'italic').text).toBe('***it***')
  expect(applyMark(at('a\nb\nc', 0, 3), 'numbers').text).toBe('1. a\n2. b\nc')
  expect(applyMark(at('see here', 4, 8), 'link')).toEqual(at('see [here](https://)', 11, 19))
  expect(insertPicture(at('one\ntwo', 3, 3), 'a [b]', '/media/x.webp').text).toBe(
    'one\n\n![a \\[b\\]](/media/x.webp)\n\ntwo',
  )
})

const PAGE: Page = {
  ...{ id: 'p', slug: 'a-page', title: 'A page', body: 'Text', status: 'draft', cover: null, version: 2 },
  ...{ author_id: null, author_name: null, published_version: null, published_at: null, created_at: 1, updated_at: 2 },
}
const NEWER = { ...PAGE, version: 3, body: 'Theirs' }

test('only what differs is sent', () => {
  const before = draftOf(PAGE)
  expect(changesOf(before, before)).toEqual({})
  expect(changesOf(before, { ...before, title: 'B', cover: null })).toEqual({ title: 'B' })
  const cover = { media_id: 'm', alt: '', url: '/media/x', width: null, height: null, variants: [] }
  expect(changesOf({ ...before, cover }, before)).toEqual({ cover_media_id: null })
})

test('a newer version is followed while nothing is written, and never over what is', () => {
  const idle = { base: PAGE, draft: draftOf(PAGE) }
  expect(follow(idle, NEWER)).toEqual({ base: NEWER, draft: draftOf(NEWER) })
  expect(isInConflict(idle, NEWER)).toBe(false)
  const writing = { base: PAGE, draft: { ...draftOf(PAGE), body: 'Mine' } }
  expect(follow(writing, NEWER)).toEqual(writing)
  expect(isInConflict(writing, NEWER)).toBe(true)
  // An answer that was on its way while this one was saved is no news.
  expect(follow({ base: NEWER, draft: draftOf(NEWER) }, PAGE).base).toBe(NEWER)
  expect(isInConflict(writing, PAGE)).toBe(false)
})

test('an address says which pages are shown, and nothing else', () => {
  expect(pagesSearch({ q: 'sale', status: 'draft', more: 1 })).toEqual({ q: 'sale', status: 'draft' })
  expect(pagesSearch({ q: '', status: 'deleted' })).toEqual({})
})
