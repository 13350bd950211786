import MarkdownIt from 'markdown-it'

/**
 * Text of editors as HTML for visitors. Tags in it are text; addresses of scripts are no links (markdown-it's own rule);
 * links to elsewhere tell nobody where the visitor came from.
 */
const markdown = new MarkdownIt({ html: false, linkify: true, typographer: false })

const ELSEWHERE = /^(?:[a-z][a-z0-9+.-]*:|\/\/)/i

markdown.core.ruler.push('safe_links', state => {
  for (const token of state.tokens.flatMap(block => block.children ?? [])) {
    if (token.type === 'link_open' && ELSEWHERE.test(String(token.attrGet('href')))) {
      token.attrSet('rel', 'noopener noreferrer nofollow')
    }
    if (token.type === 'image') token.attrSet('loading', 'lazy')
  }
})

export function renderMarkdown(text: string): string {
  return markdown.render(text)
}

const LONGEST_DESCRIPTION = 160

/** The first words of the text, without marks, cut between two of them. */
export function describeMarkdown(text: string): string {
  const parts: string[] = []
  let length = 0
  for (const token of markdown.parse(text, {})) {
    for (const child of token.children ?? []) {
      if (child.type !== 'text' && child.type !== 'code_inline') continue
      parts.push(child.content)
      length += child.content.length
    }
    if (length > LONGEST_DESCRIPTION) break
    if (token.type === 'inline') parts.push(' ')
  }
  const plain = parts.join('').replace(/\s+/g, ' ').trim()
  if (plain.length <= LONGEST_DESCRIPTION) return plain
  const cut = plain.slice(0, LONGEST_DESCRIPTION)
  return `${cut.slice(0, Math.max(cut.lastIndexOf(' '), 1)).replace(/[\ud800-\udbff]$/, '')}…`
}
