import { request } from 'node:http'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { startApp, type TestApp } from '../support/app.ts'
import { freshDirectory } from '../support/fresh-directory.ts'
import { freshDatabase } from '../support/engines.ts'

interface Listener {
  readonly text: () => string
  readonly status: () => number | undefined
  readonly ended: () => boolean
}

/** Listens over a real connection, as a browser would. */
async function listen(app: TestApp, headers: Readonly<Record<string, string>> = {}): Promise<Listener> {
  const server = app.app.server.listening ? app.app.server.address() : undefined
  const address =
    server !== null && typeof server === 'object'
      ? `http://127.0.0.1:${server.port}`
      : await app.app.listen({ port: 0 })
  let text = ''
  let status: number | undefined
  let ended = false
  const asked = request(
    `${address}/events`,
    { headers: { authorization: `Bearer ${app.key}`, ...headers } },
    answer => {
      status = answer.statusCode
      answer.setEncoding('utf8')
      answer.on('data', (chunk: string) => (text += chunk))
      answer.on('close', () => (ended = true))
    },
  )
  asked.on('error', () => (ended = true))
  asked.end()
  onTestFinished(() => void asked.destroy())
  await vi.waitFor(() => expect(status).toBeDefined())
  return { text: () => text, status: () => status, ended: () => ended }
}

const stampsIn = (text: string): { tags: string[] }[] =>
  [...text.matchAll(/event: stamps\ndata: (.*)\n/g)].map(([, data]) => JSON.parse(data ?? '{}'))

describe('GET /events', () => {
  test('tells what a write made old, here and in another process on the same cache', async () => {
    const directory = freshDirectory()
    const url = await freshDatabase('sqlite')
    const one = await startApp({ directory, url })
    const other = await startApp({ directory, url })
    const listener = await listen(one)
    expect(listener.status()).toBe(200)
    const made = (await one.post('/api/v1/categories', { name: 'Press' })).json()
    await other.patch(`/api/v1/categories/${made.id}`, { name: 'Radio' })
    await vi.waitFor(() => {
      const tags = stampsIn(listener.text()).filter(stamp => stamp.tags.includes(`category:${made.id}`))
      expect(tags.length).toBeGreaterThanOrEqual(2)
    })
  })

  test('gives an answer a stamp that is older than the event which made it old', async () => {
    const app = await startApp()
    const listener = await listen(app)
    const shown = Number((await app.get('/api/v1/categories')).headers['x-stamp'])
    await app.post('/api/v1/categories', { name: 'Press' })
    await vi.waitFor(() => expect(stampsIn(listener.text())).not.toEqual([]))
    const [stamp] = stampsIn(listener.text()) as unknown as readonly [{ readonly at: number }]
    expect(shown).toBeLessThanOrEqual(stamp.at)
  })

  test('tells who was away what they missed, and to start afresh when nobody can know', async () => {
    const app = await startApp()
    const first = await listen(app)
    await app.post('/api/v1/categories', { name: 'Press' })
    await vi.waitFor(() => expect(stampsIn(first.text())).not.toEqual([]))
    const seen = Number(/id: (\d+)/.exec(first.text())?.[1])
    await app.post('/api/v1/categories', { name: 'Radio' })
    const back = await listen(app, { 'last-event-id': String(seen) })
    await vi.waitFor(() => expect(stampsIn(back.text())).not.toEqual([]))
    expect(back.text()).toContain(`id: ${seen + 1}`)
    expect(back.text()).not.toContain('event: reset')
    const stranger = await listen(app, { 'last-event-id': '7' })
    await vi.waitFor(() => expect(stranger.text()).toContain('event: reset'))
  })

  test('is for members, and ends when the server closes', async () => {
    const app = await startApp()
    expect((await app.app.inject({ url: '/events' })).statusCode).toBe(401)
    const listener = await listen(app)
    await app.app.close()
    await vi.waitFor(() => expect(listener.ended()).toBe(true))
  })
})
