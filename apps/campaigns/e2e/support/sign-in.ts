import type { Browser } from 'playwright-core'
import { until } from '../../../../packages/palier/test/support/redis-server.ts'
import { type Visitor, type VisitorOptions, visit } from './browser.ts'
import type { Site } from './site.ts'

/** While sessions have no backend a login is answered with 503, "try again shortly": on a machine full of tests that happens. */
async function logIn({ context }: Visitor, site: Site, role: keyof Site['people']): Promise<void> {
  await until(`somebody can log in as ${role}`, async () => {
    const answer = await context.request.post(`${site.url}/api/v1/auth/login`, { data: site.people[role] })
    if (!answer.ok() && answer.status() !== 503) throw new Error(`${answer.status()} ${await answer.text()}`)
    return answer.ok()
  })
}

/** A visitor who is logged in as somebody of that role, on a page of the application. */
export async function signIn(
  browser: Browser,
  site: Site,
  role: 'admin' | 'manager' | 'agent' = 'admin',
  { path = '/', ...options }: VisitorOptions & { readonly path?: string } = {},
): Promise<Visitor> {
  const visitor = await visit(browser, site.url, options)
  await logIn(visitor, site, role)
  await visitor.page.goto(`${site.url}/app${path}`)
  await visitor.page.getByRole('heading', { level: 1 }).waitFor()
  return visitor
}
