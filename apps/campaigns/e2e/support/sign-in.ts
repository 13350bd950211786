import type { Browser } from 'playwright-core'
import { type Visitor, type VisitorOptions, visit } from './browser.ts'
import type { Site } from './site.ts'

/** A visitor who is logged in as somebody of that role, on a page of the application. */
export async function signIn(
  browser: Browser,
  site: Site,
  role: 'admin' | 'manager' | 'agent' = 'admin',
  { path = '/', ...options }: VisitorOptions & { readonly path?: string } = {},
): Promise<Visitor> {
  const visitor = await visit(browser, site.url, options)
  const answer = await visitor.context.request.post(`${site.url}/api/v1/auth/login`, { data: site.people[role] })
  if (!answer.ok()) throw new Error(`login as ${role}: ${answer.status()} ${await answer.text()}`)
  await visitor.page.goto(`${site.url}/app${path}`)
  await visitor.page.getByRole('heading', { level: 1 }).waitFor()
  return visitor
}
