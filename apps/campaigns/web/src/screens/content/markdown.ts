import MarkdownIt from 'markdown-it'
import { createElement, Fragment, type ReactNode } from 'react'

/** The same rules as the server's: what is seen here is what visitors get. */
const markdown = new MarkdownIt({ html: false, linkify: true, typographer: false })

type Token = ReturnType<typeof markdown.parse>[number]

const TAGS: ReadonlySet<string> = new Set([
  ...['p', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'ul', 'ol', 'li', 'blockquote', 'hr', 'br', 'pre', 'code'],
  ...['em', 'strong', 's', 'a', 'img', 'table', 'thead', 'tbody', 'tr', 'th', 'td'],
])
const ELSEWHERE = /^(?:[a-z][a-z0-9+.-]*:|\/\/)/i
const ALIGNED = /^text-align:(left|center|right)$/

interface PreviewOptions {
  /** Shown instead of a picture of another origin, which this page may not load. */
  readonly foreignPicture: (alt: string, url: string) => ReactNode
}

function propsOf({ tag, attrs }: Token): Record<string, unknown> {
  const props: Record<string, unknown> = {}
  for (const [name, given] of attrs ?? []) {
    const value = String(given)
    if (name === 'style') {
      const align = ALIGNED.exec(value)?.[1]
      if (align !== undefined) props['style'] = { textAlign: align }
    } else if (name === 'class') props['className'] = value
    else if (['href', 'title', 'src', 'alt', 'start'].includes(name)) props[name] = value
  }
  // A link of the preview never takes the editor away.
  if (tag === 'a') return { ...props, target: '_blank', rel: 'noopener noreferrer nofollow' }
  return props
}

interface Open {
  readonly token: Token
  readonly children: ReactNode[]
}

function leafOf(token: Token, key: number, options: PreviewOptions): ReactNode {
  const { type, content, tag } = token
  if (type === 'inline') return createElement(Fragment, { key }, ...elementsOf(token.children ?? [], options))
  if (type === 'text') return content
  if (type === 'softbreak') return '\n'
  if (type === 'code_inline') return createElement('code', { key }, content)
  if (type === 'fence' || type === 'code_block')
    return createElement('pre', { key }, createElement('code', null, content))
  if (type === 'image') {
    const src = String(token.attrGet('src') ?? '')
    const title = token.attrGet('title')
    if (ELSEWHERE.test(src)) return createElement(Fragment, { key }, options.foreignPicture(content, src))
    return createElement('img', { key, src, alt: content, loading: 'lazy', ...(title !== null && { title }) })
  }
  return TAGS.has(tag) ? createElement(tag, { key, ...propsOf(token) }) : content
}

function elementsOf(tokens: readonly Token[], options: PreviewOptions): ReactNode[] {
  const root: ReactNode[] = []
  const open: Open[] = []
  for (const [key, token] of tokens.entries()) {
    if (token.nesting === 1) {
      open.push({ token, children: [] })
      continue
    }
    const siblings = (): ReactNode[] => open.at(-1)?.children ?? root
    if (token.nesting === 0) {
      siblings().push(leafOf(token, key, options))
      continue
    }
    const done = open.pop()
    if (done === undefined) continue
    // Paragraphs of a tight list are there and not shown.
    const isShown = !done.token.hidden && TAGS.has(done.token.tag)
    const element = isShown
      ? createElement(done.token.tag, { key, ...propsOf(done.token) }, ...done.children)
      : createElement(Fragment, { key }, ...done.children)
    siblings().push(element)
  }
  return root
}

/** A text in Markdown as elements: no HTML is ever made of it, so nothing in it can be run. */
export function renderPreview(text: string, options: PreviewOptions): ReactNode {
  return createElement(Fragment, null, ...elementsOf(markdown.parse(text, {}), options))
}

const LONGEST = 160

/** What search engines are told a page is about: its first words, without marks. */
export function describePage(text: string): string {
  const parts: string[] = []
  let length = 0
  for (const token of markdown.parse(text, {})) {
    for (const { type, content } of token.children ?? []) {
      if (type !== 'text' && type !== 'code_inline') continue
      parts.push(content)
      length += content.length
    }
    if (length > LONGEST) break
    if (token.type === 'inline') parts.push(' ')
  }
  const plain = parts.join('').replaceAll(/\s+/g, ' ').trim()
  if (plain.length <= LONGEST) return plain
  const cut = plain.slice(0, LONGEST)
  return `${cut.slice(0, Math.max(cut.lastIndexOf(' '), 1)).replace(/[\ud800-\udbff]$/, '')}…`
}
