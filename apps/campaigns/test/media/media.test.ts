import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import fastify from 'fastify'
import sharp from 'sharp'
import { describe, expect, onTestFinished, test } from 'vitest'
import { guard } from '../../server/access/guard.ts'
import { sessions } from '../../server/access/sessions.ts'
import { buildApp } from '../../server/app.ts'
import { createWorkLoop } from '../../server/jobs/work-loop.ts'
import { discardHandler } from '../../server/media/handlers.ts'
import { mediaRoutes } from '../../server/media/routes.ts'
import { discardMedia } from '../../server/media/store.ts'
import type { Services } from '../../server/services.ts'
import { compileValidator } from '../../server/validation.ts'
import { type Caller, startApp } from '../support/app.ts'
import { ENGINES } from '../support/engines.ts'
import { picture, pixelBomb, upload } from './support/upload.ts'

const URL = '/api/v1/media'

/** All files below the directory of pictures. */
function files(directory: string): string[] {
  const root = join(directory, 'data', 'media')
  return existsSync(root)
    ? readdirSync(root, { recursive: true })
        .map(String)
        .filter(name => name.includes('.'))
        .sort()
    : []
}

async function work(services: Services): Promise<void> {
  const worker = createWorkLoop(services, { handlers: [discardHandler], drains: [], ticks: [] })
  await worker.runUntilIdle()
  await worker.close()
}

async function put(caller: Caller, bytes: Buffer) {
  const answer = await upload(caller, bytes)
  expect(answer.statusCode).toBe(201)
  return answer.json()
}

describe('a picture', () => {
  test('is kept as WebP in its own size and three widths, upright, without what the camera wrote into it', async () => {
    const admin = await startApp()
    const jpeg = await sharp({ create: { width: 2000, height: 1000, channels: 3, background: '#aa3311' } })
      .jpeg()
      .withExif({ IFD0: { Copyright: 'SECRET-OWNER' }, IFD3: { GPSLatitude: '48/1 51/1 30/1' } })
      .withMetadata({ orientation: 6 })
      .toBuffer()
    expect(jpeg.includes('Exif')).toBe(true)
    const answer = await upload(admin, jpeg, {
      filename: '../../Été\u0001 .svg',
      type: 'image/svg+xml',
      alt: ' A  red wall ',
    })
    expect(answer.statusCode).toBe(201)
    const made = answer.json()
    expect(made).toMatchObject({ alt: 'A  red wall', mime: 'image/webp', width: 1000, height: 2000, processed: true })
    expect(made.variants.map((variant: { width: number; height: number }) => [variant.width, variant.height])).toEqual([
      [480, 960],
      [960, 1920],
      [1000, 2000],
    ])
    for (const url of [made.url, ...made.variants.map((variant: { url: string }) => variant.url)]) {
      const { statusCode, headers, rawPayload } = await admin.app.inject({ url })
      expect(statusCode).toBe(200)
      expect(headers).toMatchObject({
        'content-type': 'image/webp',
        'cache-control': 'public, max-age=31536000, immutable',
        'x-content-type-options': 'nosniff',
        'content-length': String(rawPayload.length),
      })
      const { exif, format } = await sharp(rawPayload).metadata()
      expect([format, exif, rawPayload.includes('SECRET')]).toEqual(['webp', undefined, false])
      const again = await admin.app.inject({ url, headers: { 'if-none-match': String(headers.etag) } })
      expect([again.statusCode, again.body]).toEqual([304, ''])
    }
    const list = (await admin.get(URL)).json()
    expect(list).toEqual({ items: [made], next_cursor: null })
  })

  test('is known by its bytes, not by its name, and refused when they are not those of a picture', async () => {
    const admin = await startApp()
    const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>')
    const png = await picture(20, 20)
    const refused = [
      [svg, 415],
      [Buffer.from('<!doctype html><script>alert(1)</script>'), 415],
      [Buffer.from('GIF88a with something behind it'), 415],
      [Buffer.alloc(0), 415],
      [png.subarray(0, 40), 422],
      [Buffer.concat([png.subarray(0, 8), Buffer.alloc(200, 7)]), 422],
      [pixelBomb(60_000), 422],
      [pixelBomb(8000), 422],
    ] as const
    for (const [bytes, status] of refused) {
      const answer = await upload(admin, bytes)
      expect(answer.statusCode).toBe(status)
      expect(answer.json().detail).toMatch(/^body\.file: expected/)
    }
    const large = await upload(admin, Buffer.concat([png, Buffer.alloc(10 * 1024 * 1024)]))
    expect([large.statusCode, large.json().errors[0].field]).toEqual([413, 'body.file'])
    const form = await admin.post(URL, { file: 'x' })
    expect(form.statusCode).toBe(415)
    expect((await upload(admin, png, { alt: 'x'.repeat(301) })).statusCode).toBe(400)
    expect(files(admin.directory)).toEqual([])
    const noise = sharp(randomBytes(600 * 600 * 3), { raw: { width: 600, height: 600, channels: 3 } })
    expect((await upload(admin, await noise.png().toBuffer())).statusCode).toBe(201)
    const formats = { jpeg: 'jpg', gif: 'gif', webp: 'webp', avif: 'avif' } as const
    for (const format of ['jpeg', 'gif', 'webp', 'avif'] as const) {
      const bytes = await sharp(png).toFormat(format).toBuffer()
      expect((await upload(admin, bytes, { filename: `x.${formats[format]}.exe` })).json()).toMatchObject({
        width: 20,
        height: 20,
      })
    }
  })

  test('is stored as it came where nothing can turn it into WebP, and the answer says so', async () => {
    const admin = await startApp()
    const bare = fastify().setValidatorCompiler(compileValidator)
    onTestFinished(() => bare.close())
    const { services } = admin
    await bare.register(sessions, { services })
    await bare.register(guard, { services })
    await bare.register(mediaRoutes, { services, prefix: URL, process: null })
    const send: Caller['send'] = options =>
      bare.inject({ ...options, headers: { ...options.headers, authorization: `Bearer ${admin.key}` } })
    const png = await picture(30, 30)
    const made = (await upload({ send }, png, { filename: 'x.gif' })).json()
    expect(made).toMatchObject({ processed: false, mime: 'image/png', width: null, variants: [], size: png.length })
    const { headers, rawPayload } = await admin.app.inject({ url: made.url })
    expect([headers['content-type'], rawPayload.equals(png)]).toEqual(['image/png', true])
  })
})

describe('the files of pictures', () => {
  test('are all that can be asked for below /media, however the path is written', async () => {
    const admin = await startApp()
    const { directory, services } = admin
    const { url } = await put(admin, await picture(10, 10))
    const path = url.slice('/media/'.length)
    for (const name of ['secret', 'media/secret.webp', `media/${path}.aside`])
      writeFileSync(join(directory, 'data', name), 'SECRET')
    const server = await buildApp(services, { mostLag: 0 })
    onTestFinished(() => server.close())
    await server.listen({ port: 0, host: '127.0.0.1' })
    const { port } = server.server.address() as AddressInfo
    // Not inject and not fetch: they tidy paths up before they send them.
    const ask = (path: string) =>
      new Promise<{ status: number | undefined; body: string }>((resolve, reject) => {
        const sent = request({ port, host: '127.0.0.1', path }, response => {
          let body = ''
          response.on('data', part => (body += String(part)))
          response.on('end', () => resolve({ status: response.statusCode, body }))
        })
        sent.on('error', reject).end()
      })
    expect((await ask(url)).status).toBe(200)
    const [folder = '', file = ''] = path.split('/')
    const attempts = [
      ...[
        '../secret',
        '..%2fsecret',
        '%2e%2e/secret',
        '%2e%2e%2fsecret',
        '..%5csecret',
        '..\\secret',
        '%252e%252e%252fsecret',
      ],
      ...[
        'secret.webp',
        './secret.webp',
        `${folder}/../secret.webp`,
        `${folder}/../../secret`,
        `${folder}%2f..%2f..%2fsecret`,
      ],
      ...[
        `${path}.aside`,
        `${path}%00`,
        `${path}%00.png`,
        `${path}/`,
        `${folder}//${file}`,
        `/${path}`,
        `${folder}/${file.toUpperCase()}`,
      ],
      ...[
        '/etc/passwd',
        '%2fetc%2fpasswd',
        '....//....//secret',
        '..;/secret',
        '%c0%ae%c0%ae/secret',
        '',
        '.',
        '%',
        '%zz',
      ],
      ...[
        `00/${file}`,
        path.replace('.webp', '.svg'),
        path.replace('.webp', '.html'),
        path.replace('.webp', '-99999.webp'),
      ],
    ]
    for (const attempt of attempts) {
      const { status = 0, body } = await ask(`/media/${attempt}`)
      expect([attempt, [400, 404, 414].includes(status), body.includes('SECRET')]).toEqual([attempt, true, false])
    }
  })

  test('are shared by equal uploads, and go with the last of them', async () => {
    const admin = await startApp()
    const bytes = await picture(600, 300)
    const [first, second] = [await put(admin, bytes), await put(admin, bytes)]
    expect(second.url).toBe(first.url)
    const kept = files(admin.directory)
    expect(kept).toHaveLength(3)
    expect((await admin.delete(`${URL}/${first.id}`)).statusCode).toBe(204)
    await work(admin.services)
    expect(files(admin.directory)).toEqual(kept)
    expect((await admin.app.inject({ url: second.url })).statusCode).toBe(200)
    await admin.delete(`${URL}/${second.id}`)
    await work(admin.services)
    expect(files(admin.directory)).toEqual([])
    expect((await admin.app.inject({ url: second.url })).statusCode).toBe(404)
  })

  test('are there for every row, whatever is discarded beside an upload, and after a death in between', async () => {
    const admin = await startApp()
    const bytes = await picture(40, 40)
    const first = await put(admin, bytes)
    const { path: whole, sha256 } = await admin.services.database.writer
      .selectFrom('media')
      .select(['path', 'sha256'])
      .executeTakeFirstOrThrow()
    const discarded = { sha256, paths: files(admin.directory) }
    await admin.delete(`${URL}/${first.id}`)
    for (let round = 0; round < 8; round++) {
      const [made] = await Promise.all([
        put(admin, bytes),
        discardMedia(admin.services, discarded),
        discardMedia(admin.services, discarded),
      ])
      expect((await admin.app.inject({ url: made.url })).statusCode).toBe(200)
      expect((await admin.delete(`${URL}/${made.id}`)).statusCode).toBe(204)
    }
    const last = await put(admin, bytes)
    // As a process leaves it that died after it had set the file aside.
    await admin.services.media.setAside(whole)
    expect((await admin.app.inject({ url: last.url })).statusCode).toBe(404)
    expect(await discardMedia(admin.services, discarded)).toBe(false)
    expect((await admin.app.inject({ url: last.url })).statusCode).toBe(200)
    expect(files(admin.directory)).toEqual(discarded.paths)
  })
})

describe.each(ENGINES)('pictures on %s', engine => {
  test('in use are deleted by force only; pages show them as they are, from the cache too', async () => {
    const admin = await startApp({ engine })
    const [cover, inline] = [
      await put(admin, await picture(20, 20)),
      await put(admin, await picture(20, 20, '#ff0000')),
    ]
    const page = (
      await admin.post('/api/v1/content', { title: 'Wall', body: `![x](${inline.url})`, cover_media_id: cover.id })
    ).json()
    const path = `/api/v1/content/${page.id}`
    await admin.post(`${path}/publish`)
    // The draft has another cover by now; visitors still see this one.
    await admin.patch(path, { version: 1, cover_media_id: null })
    const shown = async () => (await admin.app.inject({ url: `/p/${page.slug}` })).body
    expect(await shown()).toContain(
      `<img src="${cover.url}" alt="" loading="lazy" decoding="async" width="20" height="20">`,
    )
    expect(await shown()).toContain(`srcset="${cover.variants[0].url} 20w"`)
    await admin.patch(`${URL}/${cover.id}`, { alt: 'A "wall"' })
    expect(await shown()).toContain('alt="A &quot;wall&quot;"')

    for (const { id } of [cover, inline]) {
      const refused = await admin.delete(`${URL}/${id}`)
      expect([refused.statusCode, refused.json().pages]).toEqual([409, [page.id]])
    }
    expect((await admin.delete(`${URL}/${cover.id}?force=true`)).statusCode).toBe(204)
    expect(await shown()).not.toContain('<picture>')
    await admin.post(`${path}/restore/1`)
    expect((await admin.get(path)).json().cover).toBe(null)
    await work(admin.services)
    expect(files(admin.directory).some(file => cover.url.includes(file))).toBe(false)
    const history = await admin.services.database.writer
      .selectFrom('admin_history')
      .select('action')
      .where('entity', '=', 'media')
      .where('entity_id', '=', cover.id)
      .orderBy('id')
      .execute()
    expect(history.map(row => row.action)).toEqual(['create', 'update', 'delete'])
  })
})

describe('pictures', () => {
  test('are changed and deleted by who uploaded them, and by those who publish', async () => {
    const admin = await startApp()
    const [agent, colleague, manager] = [await admin.as('agent'), await admin.as('agent'), await admin.as('manager')]
    const { id } = await put(agent, await picture(10, 10))
    expect((await colleague.patch(`${URL}/${id}`, { alt: 'x' })).statusCode).toBe(403)
    expect((await colleague.delete(`${URL}/${id}`)).statusCode).toBe(403)
    expect((await agent.patch(`${URL}/${id}`, { alt: 'mine' })).json().alt).toBe('mine')
    expect((await agent.patch(`${URL}/${id}`, { uploaded_by: 'x' })).statusCode).toBe(400)
    await agent.post('/api/v1/content', { title: 'x', cover_media_id: id })
    expect((await agent.delete(`${URL}/${id}?force=true`)).statusCode).toBe(403)
    expect((await manager.delete(`${URL}/${id}?force=true`)).statusCode).toBe(204)
    expect((await manager.delete(`${URL}/${id}`)).statusCode).toBe(404)
    expect((await upload({ send: options => admin.app.inject(options) }, await picture(10, 10))).statusCode).toBe(401)
  })
})
