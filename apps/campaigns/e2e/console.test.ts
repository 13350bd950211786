import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RedisServer, startRedis } from '../../../packages/palier/test/support/redis-server.ts'
import { launchBrowser, visit } from './support/browser.ts'
import { signIn } from './support/sign-in.ts'
import { type Site, startSite } from './support/site.ts'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))

let browser: Browser
let redis: RedisServer
let site: Site

beforeAll(async () => {
  ;[browser, redis] = await Promise.all([launchBrowser(), startRedis()])
  site = await startSite({ backend: 'redis', redisUrl: redis.url, data: { contacts: 40, messages: 100 } })
})
afterAll(async () => {
  await browser.close()
  await site.close()
  await redis.stop()
})

const CONSOLE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'"
const APP_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; font-src 'none'; manifest-src 'self'; worker-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

async function openConsole(role: 'admin' | 'manager', place = '/') {
  const visitor = await signIn(browser, site, role, { path: '/account' })
  const answer = await visitor.page.goto(`${site.url}/admin/cache/#${place}`)
  await visitor.page.getByRole('heading', { level: 1 }).waitFor()
  const dashboard = async (): Promise<string | undefined> => {
    const read = await visitor.context.request.get(`${site.url}/api/v1/dashboard`)
    return read.headers()['x-cache']
  }
  return { ...visitor, policy: answer?.headers()['content-security-policy'], dashboard }
}

/** A process that has just begun has first to fill its memory. */
const FINE = /Healthy|Warming/
const state = (page: Page, name: string | RegExp) =>
  page.getByRole('banner').getByRole('status').filter({ hasText: name }).waitFor({ timeout: 20_000 })
const inUse = (page: Page, name: string) =>
  page.getByRole('banner').getByText(`In use: ${name}`).waitFor({ state: 'attached', timeout: 20_000 })

describe('the console of the application', () => {
  test('shows an outage of Redis and its end, with the reason and the next try, without being loaded again', async () => {
    const { page, policy, leave } = await openConsole('admin')
    expect(policy).toBe(CONSOLE_POLICY)
    await inUse(page, 'Redis')
    await state(page, FINE)
    let loads = 0
    page.on('load', () => void ++loads)
    await redis.kill()
    await page.getByText(/^Redis has been unreachable since/).waitFor({ timeout: 20_000 })
    await page.getByText('Reads are served from disk.').waitFor()
    await page
      .getByText(/Next try in|Trying now/)
      .first()
      .waitFor()
    await state(page, 'Degraded')
    await inUse(page, 'Disk')
    await page.getByRole('link', { name: 'Alerts' }).click()
    await page.getByText('Redis is down').first().waitFor({ timeout: 20_000 })
    await page.getByRole('link', { name: 'Overview' }).click()
    await redis.restart()
    await page.getByText(/^Redis has been unreachable since/).waitFor({ state: 'detached', timeout: 20_000 })
    await inUse(page, 'Redis')
    // How it is judged stays for a minute what the outage made of it; what it uses does not.
    await page.getByRole('link', { name: 'Backend' }).click()
    await page.getByRole('main').getByText('In use: Redis').first().waitFor()
    expect(loads).toBe(0)
    await leave()
  })

  test('clears a type in two steps, with what it costs, and puts it back', async () => {
    const { page, dashboard, leave } = await openConsole('admin', '/clear?kind=type&type=dashboard')
    await dashboard()
    expect(await dashboard()).toBe('HIT')
    await page.getByRole('button', { name: 'Preview' }).click()
    await page.getByRole('heading', { name: 'Preview: type dashboard' }).waitFor()
    await page.getByRole('heading', { name: 'What it costs' }).waitFor()
    await page.getByText('It can be put back for 10 minutes.').waitFor()
    await page.getByRole('button', { name: /^Clear \d+ entr/ }).click()
    await page
      .getByText(/\d+ entr(y|ies) cleared\./)
      .first()
      .waitFor()
    await page.getByRole('region', { name: 'Messages' }).getByRole('button', { name: 'Undo' }).click()
    await page.getByText('Put back: type dashboard.').waitFor()
    expect(await dashboard()).toBe('HIT')
    await page.getByRole('button', { name: 'Preview' }).click()
    await page.getByRole('button', { name: /^Clear \d+ entr/ }).click()
    await page
      .getByText(/\d+ entr(y|ies) cleared\./)
      .first()
      .waitFor()
    expect(await dashboard()).toBe('MISS')
    await leave()
  })

  test('changes how long a type lives after a preview, and takes it back', async () => {
    const { page, context, leave } = await openConsole('admin', '/types')
    const ttl = async (): Promise<number | undefined> => {
      const answer = await context.request.get(`${site.url}/admin/cache/api/cache/config`)
      return ((await answer.json()) as { types: Record<string, { ttl: number }> }).types['dashboard']?.ttl
    }
    const before = await ttl()
    await page.getByRole('button', { name: 'dashboard', exact: true }).click()
    const drawer = page.getByRole('dialog', { name: 'dashboard' })
    await drawer.getByLabel('Lifetime (TTL)', { exact: true }).fill('7')
    await drawer.getByRole('button', { name: 'Preview' }).click()
    await drawer.getByText(/Values served fresh (would be )?up to 7\s?m/).waitFor()
    await drawer.getByRole('button', { name: 'Plan the change' }).click()
    await page.keyboard.press('Escape')
    const planned = page.getByRole('region', { name: 'Planned changes' })
    await planned.getByText('1 change', { exact: true }).waitFor()
    await planned.getByRole('button', { name: 'Apply' }).click()
    await page.getByText(/1 change applied/).waitFor()
    expect(await ttl()).toBe(7 * 60_000)
    await page.getByRole('region', { name: 'Messages' }).getByRole('button', { name: 'Undo' }).click()
    await page.getByText('The times are again as they were.').waitFor()
    expect(await ttl()).toBe(before)
    await leave()
  })

  test('lets a viewer see everything, and says why what they may not is off', async () => {
    const { page, leave } = await openConsole('manager', '/clear')
    const off = page.getByRole('button', { name: 'Preview' })
    expect(await off.getAttribute('aria-disabled')).toBe('true')
    await page.getByText('Only operators and administrators can do this.').first().waitFor({ state: 'attached' })
    await page.goto(`${site.url}/admin/cache/#/types`)
    await page.getByRole('button', { name: 'dashboard', exact: true }).click()
    const plan = page.getByRole('dialog', { name: 'dashboard' }).getByRole('button', { name: 'Plan the change' })
    expect(await plan.getAttribute('aria-disabled')).toBe('true')
    await page.getByText('Only administrators can do this.').first().waitFor()
    await leave()
  })

  test('and the application answer with exactly the policy that is documented', async () => {
    const visitor = await signIn(browser, site, 'admin')
    const [app, manage] = await Promise.all(
      ['/app/', '/admin/cache/'].map(path => visitor.context.request.get(site.url + path)),
    )
    expect(app?.headers()['content-security-policy']).toBe(APP_POLICY)
    expect(manage?.headers()['content-security-policy']).toBe(CONSOLE_POLICY)
    await visitor.leave()
  })
})

/** The example in a process of its own, with its token; it ends with the returned function. */
async function startExample() {
  const directory = mkdtempSync(join(tmpdir(), 'console-example-'))
  const env = { ...process.env, PORT: '0', CACHE_DIR: directory, CACHE_BACKEND: 'filesystem' }
  const child = spawn(process.execPath, ['--import', 'tsx', '--conditions=source', 'examples/express.ts'], {
    ...{ cwd: ROOT, env },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const url = await new Promise<string>((resolve, reject) => {
    let printed = ''
    child.stdout.on('data', (chunk: Buffer) => {
      printed += chunk.toString()
      const found = /listening on (http:\S+)/.exec(printed)?.[1]
      if (found !== undefined) resolve(found)
    })
    child.once('exit', code => reject(new Error(`the example ended with ${code}: ${printed}`)))
  })
  return {
    url,
    token: () => readFileSync(join(directory, '.palier/console-token'), 'utf8').trim(),
    async end() {
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

describe('the console in a plain Express application', () => {
  test('opens with the token of its file, below any mount', async () => {
    const example = await startExample()
    try {
      const visitor = await visit(browser, example.url)
      const { page } = visitor
      await page.goto(`${example.url}/ops`)
      await page.getByRole('heading', { name: 'The console is locked' }).waitFor()
      await page.getByLabel('Console token', { exact: true }).fill(example.token())
      await page.getByRole('button', { name: 'Open the console' }).click()
      await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor()
      await inUse(page, 'Disk')
      await visitor.leave(/status of 401/)
    } finally {
      await example.end()
    }
  })
})
