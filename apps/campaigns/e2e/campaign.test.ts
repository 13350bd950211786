import { readFile } from 'node:fs/promises'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { recountRows } from '../demo/recount.ts'
import { launchBrowser } from './support/browser.ts'
import { bar, figure, historyOf, numberIn, shows } from './support/shown.ts'
import { signIn } from './support/sign-in.ts'
import { type Site, startSite } from './support/site.ts'

const PEOPLE = 200

let browser: Browser
let site: Site

beforeAll(async () => {
  ;[browser, site] = await Promise.all([launchBrowser(), startSite({ byHand: true })])
})
afterAll(async () => {
  await browser.close()
  await site.close()
})

/** Two of each of the simulator's kinds of people; one line that is refused. */
function csvOfPeople(): Buffer {
  const lines = Array.from(
    { length: PEOPLE },
    (_, i) => `Person ${i},+3361${String(i).padStart(7, '0')},person.${i}@example.org,Customers,yes`,
  )
  return Buffer.from(`name,phone,email,categories,opt_in\n${lines.join('\n')}\nNobody,12,,Customers,yes\n`)
}

/** One campaign as the database has it; its counters are those of its rows. */
async function counted(name: string) {
  const { reader } = site.services.database
  expect(await recountRows(reader)).toEqual([])
  return reader.selectFrom('campaigns').selectAll().where('name', '=', name).executeTakeFirstOrThrow()
}

const STEPS = [
  ['Audience', 'total'],
  ['Sent', 'sent'],
  ['Delivered', 'delivered'],
  ['Read', 'read'],
  ['Replied', 'interacted'],
  ['Message 2 sent', 'message2_sent'],
] as const

const isStep = (name: string) => new RegExp(`^${name}\\s*\\d`)

/** The page says of each step what the database has. */
async function funnelIs(page: Page, row: Awaited<ReturnType<typeof counted>>): Promise<void> {
  const funnel = page.getByRole('region', { name: 'From the audience to Message 2' }).getByRole('listitem')
  for (const [name, column] of STEPS) {
    const place = funnel.filter({ hasText: isStep(name) })
    await expect.poll(async () => numberIn((await place.innerText()).split('\n')[1] ?? '')).toBe(row[column])
  }
  await shows(figure(page, 'Failed'), row.failed_count - row.no_interaction_count)
  await shows(figure(page, 'No answer'), row.no_interaction_count)
}

describe('a campaign', () => {
  test('from a file of people to its report, live, with the numbers of the rows at each step', async () => {
    const visitor = await signIn(browser, site, 'admin', { path: '/contacts/import' })
    const { page } = visitor
    await page
      .getByLabel('Drop a CSV file here')
      .setInputFiles({ name: 'people.csv', mimeType: 'text/csv', buffer: csvOfPeople() })
    await page.getByRole('table', { name: 'First lines of the file' }).getByText('Person 0', { exact: true }).waitFor()
    await page.getByRole('button', { name: 'Import', exact: true }).click()
    await page.getByText('Waiting for its turn').waitFor()
    await page.getByRole('progressbar', { name: 'Import' }).waitFor()
    await site.settle()
    await page.getByText('Finished', { exact: true }).waitFor()
    expect(await page.getByRole('progressbar', { name: 'Import' }).getAttribute('aria-valuenow')).toBe('100')
    await shows(figure(page, 'Added'), PEOPLE)
    await shows(figure(page, 'Refused'), 1)
    await page.getByRole('table', { name: 'Refused lines' }).getByRole('row').filter({ hasText: 'phone' }).waitFor()

    await page.getByRole('link', { name: 'Campaigns', exact: true }).last().click()
    await page.getByRole('link', { name: /Make the first campaign/ }).click()
    await page.getByRole('button', { name: 'Sync with WhatsApp' }).click()
    await site.settle()
    await page
      .getByRole('combobox', { name: 'Template' })
      .getByText(/^spring_offer/)
      .first()
      .waitFor({ state: 'attached' })
    await page.getByLabel('Name', { exact: true }).fill('Summer')
    await page.getByLabel(/^Customers/).check()
    const offer = await page
      .getByRole('combobox', { name: 'Template' })
      .getByText(/^spring_offer/)
      .first()
      .getAttribute('value')
    await page.getByRole('combobox', { name: 'Template' }).selectOption(offer)
    const [first, second] = ['1', '2'].map(name => page.getByRole('group', { name: `Placeholder ${name}` }))
    await first?.getByLabel('Filled with').selectOption('name')
    await first?.getByLabel('If the contact has none').fill('you')
    await second?.getByLabel('Text', { exact: true }).fill('30 June')
    await page.getByRole('group', { name: 'Kind of message' }).getByRole('button', { name: 'Text' }).click()
    await page
      .getByRole('region', { name: 'Message 2', exact: true })
      .getByLabel('Text', { exact: true })
      .fill('Thank you, {{first_name}}!')
    await page.getByLabel('Messages per minute').fill('60000')
    const preview = page.getByRole('figure', { name: /as a contact would read them/ })
    await preview
      .getByText(/Person \d+.*30 June/s)
      .first()
      .waitFor()
    await preview.getByText('Thank you, Person!').waitFor()
    await page.getByRole('button', { name: 'Save draft' }).first().click()
    await page.getByText(`${PEOPLE} contacts can be written to`).waitFor()
    await page.getByRole('link', { name: 'Review and start' }).first().click()

    await page.getByRole('button', { name: 'Start', exact: true }).click()
    const dialog = page.getByRole('dialog', { name: 'Start “Summer” now?' })
    await dialog.getByText(`Message 1 goes to ${PEOPLE} contacts`).waitFor()
    await dialog.getByRole('button', { name: 'Start' }).click()
    await page.getByText('The campaign has started.').waitFor()
    const states = await historyOf(page, '.run-state')
    const before = page.url()
    await site.settle()
    const sent = await counted('Summer')
    expect(sent).toMatchObject({ queued: 0, interacted: 0 })
    await funnelIs(page, sent)
    site.later(1)
    await site.settle()
    const running = await counted('Summer')
    expect(running.interacted).toBeGreaterThan(20)
    expect(running.message2_sent).toBe(running.interacted)
    await funnelIs(page, running)
    await page.getByText('Waiting for answers').first().waitFor()
    const failures = page.getByRole('table', { name: 'Reasons of failure, most frequent first' })
    await failures.getByText('131026').waitFor()
    const numbers = await failures.getByRole('row').locator('td.number').allInnerTexts()
    expect(numbers.map(numberIn).reduce((sum, one) => sum + one, 0)).toBe(
      running.failed_count + running.message2_failed,
    )

    site.later(25)
    await site.settle()
    await page
      .getByText(/^Ended on/)
      .first()
      .waitFor()
    const ended = await counted('Summer')
    expect(ended.status).toBe('completed')
    expect(ended.no_interaction_count).toBeGreaterThan(0)
    await funnelIs(page, ended)
    expect(page.url()).toBe(before)
    expect((await states()).at(-1)).toMatch(/^Ended on/)

    await page.getByRole('link', { name: 'Report' }).click()
    await shows(figure(page, 'Audience'), PEOPLE)
    const loading = page.waitForEvent('download')
    await page.getByRole('link', { name: 'Download CSV' }).click()
    const csv = await readFile(await (await loading).path(), 'utf8')
    const lines = csv.trim().split('\n')
    expect(lines.length - 1).toBe(PEOPLE)
    const silent = lines.filter(line => line.includes('no_interaction')).length
    expect(silent).toBe(ended.no_interaction_count)

    await page.getByRole('link', { name: 'Dashboard', exact: true }).click()
    const all = await site.services.database.reader.selectFrom('messages').select('status').execute()
    await shows(figure(page, 'Messages'), all.length)
    const problems = all.filter(({ status }) => status === 'failed' || status === 'no_interaction')
    await shows(figure(page, 'Failed or silent'), problems.length)
    await shows(bar(page, 'Customers'), PEOPLE)
    await visitor.leave()
  })
})
