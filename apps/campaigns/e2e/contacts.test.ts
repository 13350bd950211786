import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { launchBrowser } from './support/browser.ts'
import { hold } from './support/held.ts'
import { bar, figure, historyOf, nothingIsRead, numberIn, shows, tabTo } from './support/shown.ts'
import { signIn } from './support/sign-in.ts'
import { type Site, startSite } from './support/site.ts'

let browser: Browser
let site: Site
let category: { readonly id: string; readonly name: string }

beforeAll(async () => {
  ;[browser, site] = await Promise.all([launchBrowser(), startSite({ data: { contacts: 40, messages: 100 } })])
  category = await site.services.database.reader
    .selectFrom('categories')
    .select(['id', 'name'])
    .orderBy('id')
    .limit(1)
    .executeTakeFirstOrThrow()
})
afterAll(async () => {
  await browser.close()
  await site.close()
})

/** What the database has: all contacts, and those of the category. */
async function counted(): Promise<{ readonly all: number; readonly members: number }> {
  const { reader } = site.services.database
  const contacts = await reader.selectFrom('contacts').select('id').execute()
  const members = await reader
    .selectFrom('contact_categories')
    .select('contact_id')
    .where('category_id', '=', category.id)
    .execute()
  return { all: contacts.length, members: members.length }
}

const total = (page: Page) => page.locator('.page-head p')
const found = (page: Page) => page.getByRole('status').filter({ hasText: /^\d+ found$/ })
const row = (page: Page, name: string) => page.getByRole('row').filter({ hasText: name })
const saving = (page: Page, name: string) => row(page, name).getByText('Saving…')
const message = (page: Page, text: string | RegExp) => page.getByRole('region', { name: 'Messages' }).getByText(text)
const go = (page: Page, name: string) =>
  page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name, exact: true }).click()

async function fillNew(page: Page, name: string, phone: string): Promise<void> {
  await page.getByRole('button', { name: 'New contact' }).click()
  const drawer = page.getByRole('dialog', { name: 'New contact' })
  await drawer.getByLabel('Name', { exact: true }).fill(name)
  await drawer.getByLabel('Phone').fill(phone)
  await drawer.getByLabel(category.name, { exact: true }).check()
  await drawer.getByRole('button', { name: 'Add the contact' }).click()
  await drawer.waitFor({ state: 'detached' })
}

async function choose(page: Page, name: string, action: 'Edit' | 'Delete'): Promise<void> {
  await row(page, name)
    .getByRole('button', { name: `Actions for ${name}` })
    .click()
  await page
    .getByRole('group', { name: `Actions for ${name}` })
    .getByRole('button', { name: action, exact: true })
    .click()
}

async function remove(page: Page, name: string): Promise<void> {
  await choose(page, name, 'Delete')
  await page
    .getByRole('dialog', { name: `Delete ${name}?` })
    .getByRole('button', { name: 'Delete' })
    .click()
}

/** Everything that counts contacts says the same: the list, the category, the dashboard. */
async function everywhere(page: Page, all: number, members: number): Promise<void> {
  await shows(total(page), all)
  await go(page, 'Dashboard')
  await shows(figure(page, 'Contacts'), all)
  await shows(bar(page, category.name), members)
  await go(page, 'Contacts')
  await page.getByRole('table', { name: 'Contacts' }).waitFor()
}

describe('contacts', () => {
  test('appear, change and go before the server has answered, and are counted so at once', async () => {
    const visitor = await signIn(browser, site, 'admin', { path: '/contacts' })
    const { page } = visitor
    const before = await counted()
    await shows(total(page), before.all)

    const creating = await hold(page, 'POST', /\/contacts$/)
    await fillNew(page, 'Zoé Early', '+33 6 12 00 00 01')
    const [create] = await creating.came(1)
    await saving(page, 'Zoé Early').waitFor()
    await everywhere(page, before.all + 1, before.members + 1)
    expect(await counted()).toEqual(before)
    await create?.letGo()
    await message(page, 'Zoé Early is added.').waitFor()
    await saving(page, 'Zoé Early').waitFor({ state: 'detached' })
    await everywhere(page, before.all + 1, before.members + 1)
    expect(await counted()).toEqual({ all: before.all + 1, members: before.members + 1 })

    const editing = await hold(page, 'PATCH', /\/contacts\//)
    await choose(page, 'Zoé Early', 'Edit')
    const drawer = page.getByRole('dialog', { name: 'Edit Zoé Early' })
    await drawer.getByLabel('Name', { exact: true }).fill('Zoé Late')
    await drawer.getByLabel(category.name, { exact: true }).uncheck()
    await drawer.getByRole('button', { name: 'Save' }).click()
    const [edit] = await editing.came(1)
    await saving(page, 'Zoé Late').waitFor()
    await everywhere(page, before.all + 1, before.members)
    await edit?.letGo()
    await message(page, 'Zoé Late is saved.').waitFor()

    const deleting = await hold(page, 'DELETE', /\/contacts\//)
    await remove(page, 'Zoé Late')
    const [gone] = await deleting.came(1)
    await row(page, 'Zoé Late').waitFor({ state: 'detached' })
    await everywhere(page, before.all, before.members)
    await gone?.letGo()
    await message(page, 'Zoé Late is deleted.').waitFor()
    await everywhere(page, before.all, before.members)
    expect(await counted()).toEqual(before)
    await visitor.leave()
  })

  test('are as they were when the network fails; what was typed is kept for another try', async () => {
    const visitor = await signIn(browser, site, 'admin', { path: '/contacts' })
    const { page } = visitor
    const before = await counted()
    await shows(total(page), before.all)
    const creating = await hold(page, 'POST', /\/contacts$/)
    await fillNew(page, 'Noor Lost', '+33 6 12 00 00 02')
    const [create] = await creating.came(1)
    await shows(total(page), before.all + 1)
    await create?.fail()
    await message(page, /Noor Lost was not added\. The server cannot be reached/).waitFor()
    await row(page, 'Noor Lost').waitFor({ state: 'detached' })
    await everywhere(page, before.all, before.members)

    await creating.end()
    await page.getByRole('button', { name: 'Try again' }).click()
    const drawer = page.getByRole('dialog', { name: 'New contact' })
    expect(await drawer.getByLabel('Name', { exact: true }).inputValue()).toBe('Noor Lost')
    expect(await drawer.getByLabel('Phone').inputValue()).toBe('+33 6 12 00 00 02')
    expect(await drawer.getByLabel(category.name, { exact: true }).isChecked()).toBe(true)
    await drawer.getByRole('button', { name: 'Add the contact' }).click()
    await message(page, 'Noor Lost is added.').waitFor()
    await everywhere(page, before.all + 1, before.members + 1)

    const deleting = await hold(page, 'DELETE', /\/contacts\//)
    await remove(page, 'Noor Lost')
    const [gone] = await deleting.came(1)
    await row(page, 'Noor Lost').waitFor({ state: 'detached' })
    await gone?.fail()
    await message(page, /Noor Lost is shown as before\. The server cannot be reached/).waitFor()
    await row(page, 'Noor Lost').waitFor()
    await everywhere(page, before.all + 1, before.members + 1)
    expect(await counted()).toEqual({ all: before.all + 1, members: before.members + 1 })
    await visitor.leave(/ERR_CONNECTION_FAILED/)
  })

  test('several at once, answered in another order and one not at all: no number is ever off by one', async () => {
    const visitor = await signIn(browser, site, 'admin', { path: `/contacts?category=${category.id}` })
    const { page } = visitor
    const before = await counted()
    await shows(total(page), before.all)
    await shows(found(page), before.members)
    const victim = (await page.getByRole('rowheader').first().getByRole('link').innerText()).trim()
    const totals = await historyOf(page, '.page-head p')
    const counts = await historyOf(page, 'main > p[role="status"]')
    const creating = await hold(page, 'POST', /\/contacts$/)
    const deleting = await hold(page, 'DELETE', /\/contacts\//)
    await fillNew(page, 'Ada One', '+33 6 12 00 00 11')
    await fillNew(page, 'Bea Two', '+33 6 12 00 00 12')
    await remove(page, victim)
    const [first, second] = await creating.came(2)
    const [gone] = await deleting.came(1)
    await shows(total(page), before.all + 1)
    await gone?.letGo()
    await second?.letGo()
    await message(page, 'Bea Two is added.').waitFor()
    await message(page, `${victim} is deleted.`).waitFor()
    await first?.fail()
    await message(page, /Ada One was not added/).waitFor()
    await row(page, 'Ada One').waitFor({ state: 'detached' })
    await saving(page, 'Bea Two').waitFor({ state: 'detached' })
    await nothingIsRead(page)
    const numbers = (texts: readonly string[]): readonly number[] => texts.filter(text => /\d/.test(text)).map(numberIn)
    const steps = (from: number): readonly number[] => [from, from + 1, from + 2, from + 1, from]
    expect(numbers(await totals())).toEqual(steps(before.all))
    expect(numbers(await counts())).toEqual(steps(before.members))
    expect(await counted()).toEqual(before)
    expect(await row(page, victim).count()).toBe(0)
    await everywhere(page, before.all, before.members)
    await visitor.leave(/ERR_CONNECTION_FAILED/)
  })

  test('by keyboard alone: made, found, opened, changed; the focus comes back', async () => {
    const visitor = await signIn(browser, site, 'manager', { path: '/contacts' })
    const { page } = visitor
    const { keyboard } = page
    await page.getByRole('table', { name: 'Contacts' }).waitFor()
    const making = page.getByRole('button', { name: 'New contact' })
    await tabTo(page, making)
    await keyboard.press('Enter')
    await page.getByRole('dialog', { name: 'New contact' }).waitFor()
    await keyboard.type('Keya Board')
    await keyboard.press('Tab')
    await keyboard.type('+33 6 12 00 00 21')
    await keyboard.press('Enter')
    await message(page, 'Keya Board is added.').waitFor()
    await tabTo(page, making)
    await keyboard.press('j')
    const link = row(page, 'Keya Board').getByRole('link', { name: 'Keya Board' })
    await expect.poll(() => link.evaluate(element => element === document.activeElement)).toBe(true)
    const actions = row(page, 'Keya Board').getByRole('button', { name: 'Actions for Keya Board' })
    await tabTo(page, actions, 5)
    await keyboard.press('Enter')
    await keyboard.press('Enter')
    await page.getByRole('dialog', { name: 'Edit Keya Board' }).waitFor()
    await keyboard.press('ControlOrMeta+a')
    await keyboard.type('Keya Bord')
    await keyboard.press('Enter')
    await message(page, 'Keya Bord is saved.').waitFor()
    await row(page, 'Keya Bord').waitFor()
    await expect
      .poll(() => row(page, 'Keya Bord').evaluate(element => element.contains(document.activeElement)))
      .toBe(true)
    await visitor.leave()
  })
})
