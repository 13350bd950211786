import type { ServerResponse } from 'node:http'
import type { FastifyPluginAsync } from 'fastify'
import { Problem } from '../problem.ts'
import type { Services } from '../services.ts'
import { createStamps, type Stamp } from './stamps.ts'

/** Proxies close what is silent for a minute. */
const BEAT_MS = 25_000
/** Of one process: each costs a socket. */
const MOST_LISTENERS = 1000
/** A listener that does not read holds what it was told in our memory: beyond this it is cut off and comes back. */
const MOST_UNREAD = 64 * 1024

const lineOf = ({ number, at, tags }: Stamp): string =>
  `id: ${number}\nevent: stamps\ndata: ${JSON.stringify({ at, tags })}\n\n`

const resetOf = (number: number): string => `id: ${number}\nevent: reset\ndata: {}\n\n`

/**
 * `GET /events`: server-sent stamps. Each says which tags were deleted and when; a browser then asks again for what it
 * shows of them. Who was away is told what it missed (`Last-Event-ID`), or `reset` when nobody can know.
 */
export const eventRoutes: FastifyPluginAsync<{ services: Services }> = async (app, { services }) => {
  const { caching, now } = services
  const stamps = createStamps(caching, now)
  const open = new Set<ServerResponse>()
  const beat = setInterval(() => {
    for (const response of open) response.write(': beat\n\n')
  }, BEAT_MS)
  beat.unref()
  const end = (): void => {
    clearInterval(beat)
    for (const response of open) response.end()
    stamps.close()
  }
  // Before the server waits for its connections to end: these would never.
  app.addHook('preClose', async () => end())

  const schema = { tags: ['operations'], summary: 'What became old, as server-sent events' }
  app.get('/events', { config: { access: 'member' }, schema }, (request, reply) => {
    if (open.size >= MOST_LISTENERS) throw new Problem(503, 'Too many pages are listening. Try again later.')
    reply.hijack()
    const response = reply.raw
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      // nginx would gather the events until they fill a buffer.
      'x-accel-buffering': 'no',
    })
    const lastSeen = Number(request.headers['last-event-id'] ?? Number.NaN)
    const missed = Number.isNaN(lastSeen) ? [] : stamps.since(lastSeen)
    response.write('retry: 2000\n\n')
    if (missed === undefined) response.write(resetOf(stamps.last))
    else for (const stamp of missed) response.write(lineOf(stamp))
    open.add(response)
    const stop = stamps.listen(stamp => {
      response.write(lineOf(stamp))
      if (response.writableLength > MOST_UNREAD) response.destroy()
    })
    response.once('close', () => {
      stop()
      open.delete(response)
    })
  })
}
