import { describe, expect, test, vi } from 'vitest'
import { findPage, listPages } from '../../server/content/queries.ts'
import { type Caller, queriesOf, startApp } from '../support/app.ts'
import { ENGINES, freshDatabase } from '../support/engines.ts'
import { freshDirectory } from '../support/fresh-directory.ts'

const URL = '/api/v1/content'

interface Made {
  readonly id: string
  readonly slug: string
  readonly version: number
}

async function make(caller: Caller, fields: object = {}): Promise<Made> {
  const answer = await caller.post(URL, { title: 'Été à la plage', body: 'Sand.', ...fields })
  expect(answer.statusCode).toBe(201)
  return answer.json()
}

describe.each(ENGINES)('pages on %s', engine => {
  test('are saved in versions, of which visitors see the published one only', async () => {
    const admin = await startApp({ engine })
    const { get, patch, post } = admin
    const page = await make(admin)
    expect(page).toMatchObject({ slug: 'ete-a-la-plage', version: 1, status: 'draft', author_name: 'The admin' })
    const open = `/api/v1/pages/${page.slug}`
    expect((await admin.app.inject({ url: open })).statusCode).toBe(404)

    await post(`${URL}/${page.id}/publish`)
    expect((await admin.app.inject({ url: open })).json()).toMatchObject({ html: '<p>Sand.</p>\n', version: 1 })
    await patch(`${URL}/${page.id}`, { version: 1, body: 'Sea.' })
    expect((await get(`${URL}/${page.id}`)).json()).toMatchObject({
      body: 'Sea.',
      version: 2,
      published_version: 1,
      status: 'published',
    })
    expect((await admin.app.inject({ url: open })).json().html).toBe('<p>Sand.</p>\n')

    await post(`${URL}/${page.id}/publish`, { version: 2 })
    expect((await admin.app.inject({ url: open })).json().html).toBe('<p>Sea.</p>\n')
    const restored = await post(`${URL}/${page.id}/restore/1`, { version: 2 })
    expect(restored.json()).toMatchObject({ body: 'Sand.', version: 3, published_version: 2 })
    const saves = (await get(`${URL}/${page.id}/revisions?limit=2`)).json()
    expect(saves.items.map((save: Made) => save.version)).toEqual([3, 2])
    const rest = (await get(`${URL}/${page.id}/revisions?limit=2&cursor=${saves.next_cursor}`)).json()
    expect(rest).toMatchObject({ items: [{ version: 1, author_name: 'The admin' }], next_cursor: null })
    expect((await get(`${URL}/${page.id}/revisions/2`)).json().body).toBe('Sea.')
    expect((await get(`${URL}/${page.id}/revisions/9`)).statusCode).toBe(404)

    await post(`${URL}/${page.id}/unpublish`)
    expect((await admin.app.inject({ url: open })).statusCode).toBe(404)
    expect((await admin.delete(`${URL}/${page.id}`)).statusCode).toBe(204)
    expect((await get(`${URL}/${page.id}`)).statusCode).toBe(404)
    const { revisions } = await admin.services.database.writer
      .selectFrom('content_revisions')
      .select(({ fn }) => fn.countAll<number>().as('revisions'))
      .executeTakeFirstOrThrow()
    expect(revisions).toBe(0)
  })

  test('saved by two at once are saved by one of them, and no save is lost in silence', async () => {
    const admin = await startApp({ engine })
    const { id } = await make(admin)
    const saves = await Promise.all(
      Array.from({ length: 6 }, (_, index) => admin.patch(`${URL}/${id}`, { version: 1, body: `by ${index}` })),
    )
    expect(
      saves
        .map(save => String(save.statusCode))
        .sort()
        .join(' '),
    ).toBe('200 409 409 409 409 409')
    const refused = saves.find(save => save.statusCode === 409)?.json()
    expect(refused.errors[0]).toMatchObject({ field: 'body.version', received: '1' })
    const winner = saves.find(save => save.statusCode === 200)?.json()
    expect((await admin.get(`${URL}/${id}`)).json()).toEqual(winner)
    expect((await admin.get(`${URL}/${id}/revisions`)).json().items).toHaveLength(2)
    expect((await admin.get(`${URL}/${id}/revisions/2`)).json().body).toBe(winner.body)
  })

  test('made at once of one title get an address each; one that was asked for is refused when taken', async () => {
    const admin = await startApp({ engine })
    const made = await Promise.all(Array.from({ length: 5 }, () => make(admin)))
    const expected = ['ete-a-la-plage', ...[2, 3, 4, 5].map(number => `ete-a-la-plage-${number}`)]
    expect(made.map(page => page.slug).sort()).toEqual(expected)
    const taken = await admin.post(URL, { title: 'Other', slug: ' Été à la PLAGE! ' })
    expect([taken.statusCode, taken.json().errors[0].field]).toEqual([409, 'body.slug'])
    const [first, second] = made
    const moved = await admin.patch(`${URL}/${first?.id}`, { version: 1, slug: second?.slug ?? '' })
    expect([moved.statusCode, moved.json().errors[0].field]).toEqual([409, 'body.slug'])
    expect((await make(admin, { title: '山田' })).slug).toMatch(/^page-[0-9a-f]{12}$/)
    expect((await admin.post(URL, { title: 'x', slug: '!!' })).statusCode).toBe(400)
  })

  test('are the same from the cache and without it, after each write and in another process', async () => {
    const url = await freshDatabase(engine)
    const directory = freshDirectory()
    const one = await startApp({ url, directory })
    const other = await startApp({ url, directory })
    const { database, cursors } = other.services
    const page = await make(one)
    const path = `${URL}/${page.id}`
    const check = async (): Promise<void> => {
      await other.get(URL)
      await other.get(path)
      const list = await other.get(URL)
      const single = await other.get(path)
      expect([list.headers['x-cache'], single.headers['x-cache']]).toEqual(['HIT', 'HIT'])
      const plain = await listPages(database.writer, cursors, { limit: 50 })
      expect(list.json()).toEqual(JSON.parse(JSON.stringify(plain)))
      const row = await findPage(database.writer, page.id)
      expect(single.json()).toEqual(row)
    }
    // The other process hears of a write with the next message in the directory.
    const compare = (): Promise<void> => vi.waitFor(check, 5000)
    await compare()
    await one.patch(path, { version: 1, title: 'New', body: 'new' })
    await compare()
    await one.post(`${path}/publish`)
    await compare()
    await make(one, { title: 'Second' })
    await compare()
    await one.post(`${path}/restore/1`)
    await compare()
    expect(await queriesOf(database, () => other.get(`/p/${page.slug}`))).toHaveLength(2)
    expect(await queriesOf(database, () => other.get(`/p/${page.slug}`))).toHaveLength(0)
    await one.post(`${path}/unpublish`)
    await vi.waitFor(async () => expect((await other.get(`/p/${page.slug}`)).statusCode).toBe(404))
  })
})

describe('pages', () => {
  test('are written by agents as drafts of their own, and published by managers', async () => {
    const admin = await startApp()
    const [agent, colleague, manager] = [await admin.as('agent'), await admin.as('agent'), await admin.as('manager')]
    const { id } = await make(agent)
    const path = `${URL}/${id}`
    expect((await colleague.get(path)).statusCode).toBe(200)
    const refused = [
      await colleague.patch(path, { version: 1, body: 'mine' }),
      await colleague.post(`${path}/restore/1`),
      await colleague.delete(path),
      await agent.post(`${path}/publish`),
      await agent.post(`${path}/unpublish`),
    ]
    expect(refused.map(answer => answer.statusCode)).toEqual([403, 403, 403, 403, 403])
    expect((await agent.patch(path, { version: 1, body: 'own' })).statusCode).toBe(200)
    expect((await manager.patch(path, { version: 2, body: 'better' })).statusCode).toBe(200)
    expect((await manager.post(`${path}/publish`)).statusCode).toBe(200)
    expect((await agent.patch(path, { version: 3, body: 'late' })).statusCode).toBe(403)
    expect((await agent.delete(path)).statusCode).toBe(403)
    // Nobody becomes an author, or publishes, by naming more fields.
    for (const extra of [{ author_id: colleague.userId }, { status: 'published' }, { published_version: 1 }]) {
      expect((await agent.post(URL, { title: 'x', ...extra })).statusCode).toBe(400)
    }
  })

  test('are listed in one query with authors and covers, a page at a time, by status, author and words', async () => {
    const admin = await startApp({ cache: false })
    const agent = await admin.as('agent')
    for (let index = 0; index < 21; index++)
      await make(index % 3 === 0 ? agent : admin, { title: `Page ${index}`, body: 'Sand' })
    const { database } = admin.services
    expect(
      await queriesOf(database, () => listPages(database.reader, admin.services.cursors, { limit: 50 })),
    ).toHaveLength(1)
    const seen: string[] = []
    let cursor = ''
    do {
      const page = (await admin.get(`${URL}?limit=8${cursor}`)).json()
      seen.push(...page.items.map((item: { title: string }) => item.title))
      cursor = page.next_cursor === null ? '' : `&cursor=${page.next_cursor}`
    } while (cursor !== '')
    expect(seen).toEqual(Array.from({ length: 21 }, (_, index) => `Page ${20 - index}`))
    expect((await admin.get(`${URL}?author=${agent.userId}`)).json().items).toHaveLength(7)
    expect((await admin.get(`${URL}?q=sand%20page%2017`)).json().items).toMatchObject([{ title: 'Page 17' }])
    expect((await admin.get(`${URL}?q=zzz`)).json()).toEqual({ items: [], next_cursor: null })
    const { id } = (await admin.get(`${URL}?limit=1`)).json().items[0]
    await admin.post(`${URL}/${id}/publish`)
    expect((await admin.get(`${URL}?status=published`)).json().items).toHaveLength(1)
    const { next_cursor } = (await admin.get(`${URL}?limit=8`)).json()
    expect((await admin.get(`${URL}?limit=8&status=draft&cursor=${next_cursor}`)).statusCode).toBe(400)
  })

  test('refuse a cover that does not exist, a title of nothing, a text with a NUL', async () => {
    const { post } = await startApp()
    const bad = [
      [{ title: 'x', cover_media_id: 'nowhere' }, 'body.cover_media_id'],
      [{ title: ' ' }, 'body.title'],
      [{ title: 'x'.repeat(201) }, 'body.title'],
      [{ title: 'x', body: 'a\u0000b' }, 'body.body'],
      [{ title: 'x', body: 'y'.repeat(200_001) }, 'body.body'],
    ] as const
    for (const [body, field] of bad) {
      const answer = await post(URL, body)
      expect([answer.statusCode, answer.json().errors[0].field]).toEqual([400, field])
    }
  })
})

const TEXT = `# Hello

<script>alert(1)</script> <img src=x onerror=alert(1)>

[bad](javascript:alert(1)) [data](data:text/html;base64,AA) [good](https://example.org/?a=1&b="2") [here](/p/other)

![a picture](/media/aa.webp)
`

describe('a published page', () => {
  test('is HTML without anything that runs, whatever its text and title say', async () => {
    const admin = await startApp()
    const { id, slug } = await make(admin, { title: '</title><script>1</script>', body: TEXT })
    await admin.post(`${URL}/${id}/publish`)
    await admin.patch('/api/v1/settings', { company_name: '"><b>Acme' })
    const { body, headers } = await admin.app.inject({ url: `/p/${slug}` })
    expect(body).not.toMatch(/<script|<img src=x|href="(?:javascript|data):|<b>/)
    expect(body).toContain('<title>&lt;/title&gt;&lt;script&gt;1&lt;/script&gt; · &quot;&gt;&lt;b&gt;Acme</title>')
    expect(body).toContain(
      '<a href="https://example.org/?a=1&amp;b=%222%22" rel="noopener noreferrer nofollow">good</a>',
    )
    expect(body).toContain('<a href="/p/other">here</a>')
    expect(body).toContain('<img src="/media/aa.webp" alt="a picture" loading="lazy">')
    expect(body).toMatch(/<meta name="description" content="Hello &lt;script&gt;alert\(1\)/)
    expect(body).toMatch(new RegExp(`<link rel="canonical" href="https?://[^"]+/p/${slug}">`))
    expect(headers['content-security-policy']).toContain("default-src 'none'")
    expect(headers['content-security-policy']).not.toContain('unsafe')
    expect(headers['content-type']).toBe('text/html; charset=utf-8')
  })

  test('is sent once to who has it, and is not asked from the database twice', async () => {
    const admin = await startApp()
    const { id, slug } = await make(admin)
    await admin.post(`${URL}/${id}/publish`)
    const first = await admin.app.inject({ url: `/p/${slug}` })
    expect(first.headers['cache-control']).toBe('public, max-age=0, s-maxage=60, must-revalidate')
    const { etag = '' } = first.headers
    const again = await admin.app.inject({ url: `/p/${slug}`, headers: { 'if-none-match': `W/"x", ${etag}` } })
    expect([again.statusCode, again.body, again.headers['x-cache']]).toEqual([304, '', 'HIT'])
    await admin.patch('/api/v1/settings', { company_name: 'Acme' })
    const after = await admin.app.inject({ url: `/p/${slug}`, headers: { 'if-none-match': etag } })
    expect([after.statusCode, after.body.includes('Acme')]).toEqual([200, true])
    for (const bad of ['/p/UPPER', '/p/a--b', '/p/..%2f..%2fsecret', `/p/${'x'.repeat(150)}`, '/p/%00']) {
      expect([400, 404, 414]).toContain((await admin.app.inject({ url: bad })).statusCode)
    }
  })
})
