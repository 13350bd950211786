import { parse } from 'csv-parse/sync'
import { expect, test } from 'vitest'
import { createWorker } from '../../server/jobs/worker.ts'
import { setStage } from '../campaigns/stage.ts'
import { startApp } from '../support/app.ts'

/** How spreadsheets would see it: cells by commas, by semicolons and by tabs, whatever is quoted. */
function cellsOf(csv: string): readonly string[] {
  const records: string[][] = parse(csv, { bom: true, relax_column_count: true })
  return [...records.flat(), ...records.flat().flatMap(cell => cell.split(/[;\t\r\n]/))]
}

const FORMULA = /^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/
const PHONE = /^\+\d{8,15}$/

const formulasIn = (csv: string): readonly string[] =>
  cellsOf(csv).filter(cell => FORMULA.test(cell) && !PHONE.test(cell))

const EVIL = [
  '=1+1',
  '+1+1',
  '-1+1',
  '@SUM(A1)',
  "'=1",
  'x;=HYPERLINK("//evil")',
  '\uff1d1+1',
  'a\n=cmd',
  '"=1"',
  "x;'=1",
]

test('no file that a spreadsheet opens holds a formula of a stranger, and our own come back as they were', async () => {
  const stage = await setStage({ contacts: 0 })
  for (const [index, name] of EVIL.entries()) {
    const body = { name, phone: `+3361234560${index}`, attributes: { '=Name': name } }
    expect((await stage.post('/api/v1/contacts', body)).statusCode).toBe(201)
  }
  for (const name of ['=Press', '@Home', "'-Team"]) await stage.post('/api/v1/categories', { name })
  const { items: categories } = (await stage.get('/api/v1/categories')).json<{ items: { id: string }[] }>()
  const { items: people } = (await stage.get('/api/v1/contacts')).json<{ items: { id: string }[] }>()
  for (const { id } of categories) {
    await stage.put(`/api/v1/categories/${id}/contacts`, { contact_ids: people.map(person => person.id) })
  }
  const whole = await stage.get('/api/v1/contacts/export')
  expect(whole.headers['content-disposition']).toMatch(/^attachment; filename="contacts-[\d-]+\.csv"$/)
  expect(formulasIn(whole.body)).toEqual([])

  const id = await stage.draft({ category_ids: categories.slice(0, 1).map(category => category.id) })
  await stage.services.database.writer.updateTable('contacts').set({ opt_in_at: 1 }).execute()
  await stage.order(id, 'start')
  await stage.work()
  const report = await stage.get(`/api/v1/campaigns/${id}/export`)
  expect(parse(report.body, { bom: true })).toHaveLength(1 + EVIL.length)
  expect(formulasIn(report.body)).toEqual([])

  const headers = { 'content-type': 'text/csv' }
  const payload = `name,phone,email\n${EVIL.map(name => `"${name.replaceAll('"', '""')}",+3361234560x,=1`).join('\n')}`
  const job = (await stage.send({ method: 'POST', url: '/api/v1/contacts/import', headers, payload })).json<{
    id: string
  }>()
  // The whole file again, into another site: what was written is what is read.
  const other = await startApp()
  await other.send({ method: 'POST', url: '/api/v1/contacts/import', headers, payload: whole.body })
  for (const { services } of [stage, other]) {
    const worker = createWorker(services)
    await worker.runUntilIdle()
    await worker.close()
  }
  const errors = await stage.get(`/api/v1/contacts/import/${job.id}/errors.csv`)
  expect(parse(errors.body, { bom: true })).toHaveLength(1 + EVIL.length)
  expect(formulasIn(errors.body)).toEqual([])
  interface Person {
    readonly name: string
    readonly attributes: Record<string, string>
    readonly categories: readonly { readonly name: string }[]
  }
  const listed = async ({ get }: Pick<typeof other, 'get'>): Promise<string[]> =>
    (await get('/api/v1/contacts'))
      .json<{ items: Person[] }>()
      .items.map(person =>
        JSON.stringify([person.name, person.attributes, person.categories.map(each => each.name).sort()]),
      )
      .sort()
  expect(await listed(other)).toEqual(await listed(stage))
})

test('an upload with one endless line is refused in bounded memory, and says where it stopped', async () => {
  const app = await startApp()
  const headers = { 'content-type': 'text/csv' }
  const send = (payload: string) => app.send({ method: 'POST', url: '/api/v1/contacts/import', headers, payload })
  expect((await send('x'.repeat(8 * 1024 * 1024))).statusCode).toBe(422)
  expect((await send(`name,phone,${'attr:a,'.repeat(20_000)}`)).statusCode).toBe(422)
  const job = await send(`name,phone\nAda,+33612345678\n"${'x'.repeat(8 * 1024 * 1024)}`)
  expect(job.statusCode).toBe(202)
  const worker = createWorker(app.services)
  await worker.runUntilIdle()
  await worker.close()
  const state = (await app.get(`/api/v1/contacts/import/${job.json<{ id: string }>().id}`)).json()
  expect(state).toMatchObject({ created: 1, stopped_at_line: 3 })
})

const SCRIPTS = [
  '<script>alert(1)</script>',
  '<img src=x onerror=alert(1)>',
  '"><svg/onload=alert(1)>',
  '[a](javascript:alert(1)) [b](  JaVaScRiPt:alert(1)) [c](java\nscript:alert(1)) [d](&#106;avascript:alert(1))',
  '[e](data:text/html;base64,PHNjcmlwdD4=) [f](vbscript:x) [g](file:///etc/passwd)',
  '<javascript:alert(1)> <data:text/html,x> javascript:alert(1)',
  '![x](javascript:alert(1)) ![y](https://example.com/"onerror="alert(1)) ![z](x "\\" onerror=\\"alert(1)")',
  '[x](//evil.example.com) [y](/\\\\evil.example.com) <https://evil.example.com/"onclick="x>',
  '[x]: javascript:alert(1)\n\n[x] [a][x]',
  '`</code><script>` \u2028\u2029 </article></body><script>',
].join('\n\n')

const TAG =
  /<(?!\/?(?:p|a|img|code|pre|em|strong|h1|time|article|ul|ol|li|br|hr|blockquote|html|head|body|title|meta|link|style|picture|source)\b|!doctype)/i
const HANDLER = /<\w+(?:\s+[\w:-]+(?:="[^"]*")?)*\s+on\w+\s*=/i
const BAD_ADDRESS = /(?:href|src)="\s*(?:javascript|vbscript|data|file):/i

test('nothing that people write becomes a script on a page, or a page where data was asked for', async () => {
  const app = await startApp()
  const evil = '</title><script>alert(1)</script>"\'`'
  await app.patch('/api/v1/settings', { company_name: evil })
  const made = await app.post('/api/v1/content', { title: evil, body: SCRIPTS, slug: 'evil' })
  const { id, slug } = made.json<{ id: string; slug: string }>()
  expect((await app.post(`/api/v1/content/${id}/publish`)).statusCode).toBe(200)
  const page = await app.app.inject({ url: `/p/${slug}` })
  expect(page.statusCode).toBe(200)
  for (const html of [
    page.body,
    (await app.app.inject({ url: `/api/v1/pages/${slug}` })).json<{ html: string }>().html,
  ]) {
    // What is escaped is text; what is left are tags.
    for (const bad of [TAG, HANDLER, BAD_ADDRESS]) expect(html.match(bad)?.[0]).toBeUndefined()
    expect(html).toContain('rel="noopener noreferrer nofollow"')
  }
  expect(page.headers['content-security-policy']).toMatch(
    /^default-src 'none'; img-src 'self' https:; style-src 'sha256-/,
  )
  expect(page.headers['content-security-policy']).not.toMatch(/script-src|unsafe|\*/)

  const path = `/api/v1/${encodeURIComponent('<script>alert(1)</script>')}`
  for (const url of [
    path,
    `/p/%3Cscript%3E`,
    `/api/v1/contacts?limit=%3Cscript%3E`,
    `/api/v1/settings/%3Cimg%20src=x%3E`,
  ]) {
    const answer = await app.send({
      method: url.includes('settings') ? 'DELETE' : 'GET',
      url,
      headers: { accept: 'text/html' },
    })
    expect(answer.headers['content-type']).toContain('application/problem+json')
    expect(answer.headers['x-content-type-options']).toBe('nosniff')
    expect(answer.headers['content-security-policy']).toContain("default-src 'none'")
  }
  for (const url of ['/app/', '/docs/']) {
    const { headers } = await app.app.inject({ url })
    expect([url, String(headers['content-type'])]).toEqual([url, expect.stringContaining('text/html')])
    const policy = String(headers['content-security-policy'])
    expect([url, /script-src[^;]*('unsafe-inline'|'unsafe-eval'|\*|https:|data:)/.test(policy)]).toEqual([url, false])
  }
  const contact = await app.post('/api/v1/contacts', { name: evil, phone: '+33612345678' })
  expect(contact.headers['content-type']).toBe('application/json; charset=utf-8')
  const challenge = await app.app.inject({
    url: '/webhooks/whatsapp?hub.mode=subscribe&hub.verify_token=x&hub.challenge=%3Cscript%3E',
  })
  expect([challenge.statusCode, challenge.headers['content-type']]).toEqual([
    400,
    expect.stringContaining('problem+json'),
  ])
})
