import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Context as HonoContext, Hono } from 'hono'
import { fetchCache, honoCache } from '../../../src/index.ts'
import { baseOf, optionsOf, serverOf, typeOf } from './base.ts'
import { grouped, type Page, type Reply, type Running, type Seen, type Site, type User, whoIs } from './site.ts'

type Handle = (request: Request) => Response | Promise<Response>

/** A `Request` of what Node has parsed; undefined for what is no URL. */
function requestOf(incoming: IncomingMessage, signal: AbortSignal): Request | undefined {
  const target = incoming.url ?? ''
  const absolute = /^https?:\/\//i.test(target) ? target : `http://${incoming.headers.host ?? 'none'}${target}`
  const headers = new Headers()
  for (let i = 0; i < incoming.rawHeaders.length; i += 2) {
    headers.append(incoming.rawHeaders[i] ?? '', incoming.rawHeaders[i + 1] ?? '')
  }
  try {
    return new Request(absolute, { method: incoming.method ?? 'GET', headers, signal })
  } catch {
    return undefined
  }
}

/** The usual bridge between Node's server and a fetch-style application. */
async function bridge(handle: Handle, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const gone = new AbortController()
  outgoing.on('close', () => gone.abort())
  const request = requestOf(incoming, gone.signal)
  if (request === undefined) {
    outgoing.writeHead(400).end()
    return
  }
  let response: Response
  try {
    response = await handle(request)
  } catch {
    outgoing.writeHead(500).end('failed')
    return
  }
  const headers: string[] = []
  for (const [name, value] of response.headers) headers.push(name, value)
  try {
    outgoing.writeHead(response.status, headers)
    if (response.body !== null && incoming.method !== 'HEAD') {
      for await (const chunk of response.body) outgoing.write(chunk)
    }
    outgoing.end()
  } catch {
    outgoing.destroy()
  }
}

function seenOf(request: Request, derived: () => unknown, user: User | undefined, beside: () => unknown): Seen {
  const url = (): URL => new URL(request.url)
  return {
    method: request.method,
    target: () => `${url().pathname}${url().search}`,
    headers: () => Object.fromEntries(request.headers),
    views: () => ({ origin: url().origin, referrer: request.referrer, cookies: request.headers.getSetCookie() }),
    query: () => grouped([...url().searchParams].flat()),
    derived,
    beside,
    address: () => 'unknown',
    user: () => user,
  }
}

function responseOf(reply: Reply): Response {
  const { status = 200, chunks, body = '' } = reply
  const headers = new Headers()
  for (const [name, value] of Object.entries(reply.headers ?? {})) {
    for (const one of Array.isArray(value) ? value : [value]) headers.append(name, one)
  }
  const isBodiless = status === 204 || status === 304
  if (chunks === undefined) {
    const bytes = typeof body === 'string' ? body : new Uint8Array(body)
    return new Response(isBodiless ? null : bytes, { status, headers })
  }
  const left = [...chunks]
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      const chunk = left.shift()
      if (chunk !== undefined) controller.enqueue(new Uint8Array(Buffer.from(chunk)))
      else if (reply.last === 'destroy') controller.error(new Error('the body was cut off'))
      else controller.close()
    },
  })
  return new Response(isBodiless ? null : stream, { status, headers })
}

const targetOf = (request: Request): string => request.url.slice(new URL(request.url).origin.length)

function matcher(path: string): (request: Request) => boolean {
  const pattern = new RegExp(`^${path.replace(/:\w+/g, '[^/]+')}$`)
  return request => pattern.test(new URL(request.url).pathname)
}

/** Handlers without a framework. Who asks is known from the request alone. */
export function startFetch(site: Site): Promise<Running> {
  const base = baseOf(site)
  const { cacheResponse, invalidates } = fetchCache(base.cache, site.options)
  const userOf = (request: Request): User | undefined =>
    whoIs(base.logins, name => request.headers.get(name) ?? undefined)
  const answerWith =
    (path: string, make: Page['reply']): Handle =>
    async request => {
      base.count(path)
      return responseOf(
        await make(
          seenOf(
            request,
            () => userOf(request),
            userOf(request),
            () => undefined,
          ),
        ),
      )
    }
  const routes = [
    ...site.pages.map(page => {
      const cached = cacheResponse(typeOf(page), optionsOf<Request>(page, { user: userOf, target: targetOf }))
      return { isPost: false, matches: matcher(page.path), handle: cached(answerWith(page.path, page.reply)) }
    }),
    ...(site.actions ?? []).map(({ path, changes, run }) => {
      return { isPost: true, matches: matcher(path), handle: invalidates(changes)(answerWith(path, run)) }
    }),
  ]
  const handle: Handle = request => {
    const route = routes.find(({ isPost, matches }) => isPost === (request.method === 'POST') && matches(request))
    return route === undefined ? new Response('not here', { status: 404 }) : route.handle(request)
  }
  return base.run(serverOf((incoming, outgoing) => void bridge(handle, incoming, outgoing)))
}

type Environment = { Variables: { user: User | undefined; session: unknown } }
type Context = HonoContext<Environment>

export function startHono(site: Site): Promise<Running> {
  const base = baseOf(site)
  const app = new Hono<Environment>()
  const { cacheResponse, invalidates } = honoCache(base.cache, {
    ...site.options,
    fetch: async request => app.fetch(request),
  })
  app.use(async (context, next) => {
    const user = whoIs(base.logins, name => context.req.header(name))
    context.set('user', user)
    context.set('session', { of: user?.secret })
    await next()
  })
  app.onError((_error, context) => context.text('failed', 500))
  const answerWith = (path: string, make: Page['reply']) => async (context: Context) => {
    base.count(path)
    const derived = (): unknown => [context.get('user'), context.get('session'), context.req.header()]
    return responseOf(await make(seenOf(context.req.raw, derived, context.get('user'), () => context.var)))
  }
  for (const page of site.pages) {
    const read = {
      user: (context: Context) => context.get('user'),
      target: (context: Context) => targetOf(context.req.raw),
    }
    app.get(
      page.path,
      cacheResponse<Context>(typeOf(page), optionsOf<Context>(page, read)),
      answerWith(page.path, page.reply),
    )
  }
  for (const { path, changes, run } of site.actions ?? []) {
    app.post(path, invalidates<Context>(changes), answerWith(path, run))
  }
  return base.run(
    serverOf((incoming, outgoing) => void bridge(async request => app.fetch(request), incoming, outgoing)),
  )
}
