/*
 * Somebody who installs with a browser that runs no script: pages, cookies, redirects and forms, as they stand in the HTML.
 */

export interface Sent {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | undefined
}

export interface Got {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

export interface Page extends Got {
  /** Where the redirects ended. */
  readonly path: string
  /** The text without its tags, white space folded. */
  readonly words: string
}

export interface Visitor {
  open(path: string): Promise<Page>
  /** Sends the form that has this button, as the page shows it, with these fields filled in; follows where it leads. */
  press(act: string, fields?: Readonly<Record<string, string>>): Promise<Page>
  /** The same, but as the answer came: no redirect is followed. */
  send(act: string, fields?: Readonly<Record<string, string>>, headers?: Readonly<Record<string, string>>): Promise<Got>
  /** Reloads, as the page itself asks for, until the work is done. */
  settled(): Promise<Page>
  readonly page: Page
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&amp;': '&',
  '&lt;': '<',
  '&gt;': '>',
  '&quot;': '"',
  '&#39;': "'",
}
const decoded = (text: string): string =>
  text.replaceAll(/&(?:amp|lt|gt|quot|#39);/g, entity => ENTITIES[entity] ?? entity)

function attribute(tag: string, name: string): string | undefined {
  const found = new RegExp(`\\s${name}="([^"]*)"`).exec(tag)?.[1]
  return found === undefined ? undefined : decoded(found)
}

/** What a browser would send of a form that nobody has touched. */
function fieldsOf(form: string): Map<string, string> {
  const fields = new Map<string, string>()
  for (const [tag] of form.matchAll(/<input\b[^>]*>/g)) {
    const name = attribute(tag, 'name')
    const type = attribute(tag, 'type')
    const isChosen = (type !== 'radio' && type !== 'checkbox') || /\schecked/.test(tag)
    if (name !== undefined && isChosen) fields.set(name, attribute(tag, 'value') ?? '')
  }
  for (const [whole, options = ''] of form.matchAll(/<select\b[^>]*>([\s\S]*?)<\/select>/g)) {
    const name = attribute(whole, 'name')
    const chosen = /<option\b[^>]*\sselected[^>]*>/.exec(options)?.[0] ?? /<option\b[^>]*>/.exec(options)?.[0]
    if (name !== undefined && chosen !== undefined) fields.set(name, attribute(chosen, 'value') ?? '')
  }
  return fields
}

const wordsOf = (html: string): string =>
  decoded(html.replaceAll(/<head>[\s\S]*?<\/head>|<svg[\s\S]*?<\/svg>/g, '').replaceAll(/<[^>]+>/g, ' ')).replaceAll(
    /[ \t\r\n]+/g,
    ' ',
  )

export interface VisitorOptions {
  /** The origin that a browser would name. */
  readonly origin: string
  readonly language?: string
  readonly submit: (sent: Sent) => Promise<Got>
}

export function createVisitor({ origin, language = 'en', submit }: VisitorOptions): Visitor {
  const cookies = new Map<string, string>()
  let page: Page = { status: 0, headers: new Headers(), text: '', path: '/', words: '' }

  const ask = async (
    method: Sent['method'],
    path: string,
    body?: string,
    more: Readonly<Record<string, string>> = {},
  ): Promise<Got> => {
    const headers = {
      'accept-language': language,
      ...(cookies.size > 0 && { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') }),
      ...(body !== undefined && { origin, 'content-type': 'application/x-www-form-urlencoded' }),
      ...more,
    }
    const got = await submit({ method, path, headers, body })
    for (const line of got.headers.getSetCookie()) {
      const [name = '', value = ''] = (line.split(';', 1)[0] ?? '').split('=', 2)
      cookies.set(name, value)
    }
    return got
  }
  const follow = async (got: Got, path: string): Promise<Page> => {
    const location = got.headers.get('location')
    if (got.status < 300 || got.status >= 400 || location === null) {
      page = { ...got, path, words: wordsOf(got.text) }
      return page
    }
    const next = new URL(location, `${origin}${path}`)
    return follow(await ask('GET', next.pathname + next.search), next.pathname)
  }
  const formWith = (act: string): { readonly path: string; readonly fields: Map<string, string> } => {
    const forms = [...page.text.matchAll(/<form\b[^>]*>[\s\S]*?<\/form>/g)].map(([form]) => form)
    const form = forms.find(one => one.includes(`name="act" value="${act}"`))
    if (form === undefined)
      throw new Error(`no button "${act}" on ${page.path} (${page.status}): ${page.words.slice(0, 2000)}`)
    const action = attribute(/<form\b[^>]*>/.exec(form)?.[0] ?? '', 'action') ?? page.path
    return { path: new URL(action, `${origin}${page.path}`).pathname, fields: fieldsOf(form) }
  }
  const send: Visitor['send'] = (act, fields = {}, headers = {}) => {
    const form = formWith(act)
    for (const [name, value] of [...Object.entries(fields), ['act', act] as const]) form.fields.set(name, value)
    const body = new URLSearchParams([...form.fields])
    return ask('POST', form.path, body.toString(), headers)
  }
  const settled = async (): Promise<Page> => {
    const end = performance.now() + 60_000
    while (page.text.includes('http-equiv="refresh"') && page.text.includes('data-run')) {
      if (performance.now() > end) throw new Error(`still at work: ${page.words.slice(0, 500)}`)
      await new Promise(resolve => setTimeout(resolve, 100))
      await follow(await ask('GET', page.path), page.path)
    }
    return page
  }
  return {
    get page() {
      return page
    },
    open: async path => follow(await ask('GET', path), path),
    send,
    settled,
    async press(act, fields) {
      const { path } = formWith(act)
      await follow(await send(act, fields), path)
      return settled()
    },
  }
}
