// Plain node:http, with the cache in front of the listener: a hit never enters the application.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createConsole, nodeConsole } from '@palier/console'
import { limitRequests, nodeCache } from '@palier/http'
import { createCache, createMonitor } from 'palier'
import { serve } from './ending.ts'
import { addProduct, listProducts } from './products.ts'

const cache = createCache({ namespace: 'shop', types: { page: { ttl: '5m', grace: '1h' } } })
const monitor = createMonitor(cache)
const ops = nodeConsole(createConsole(cache, { monitor }), { mount: '/ops' })
const limit = limitRequests(cache.limiter('write', { limit: 5, window: '1m', onOutage: 'local' }))

function send(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' })
  response.end(JSON.stringify(value))
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) {
    text += String(chunk)
    if (text.length > 10_000) return undefined
  }
  try {
    return JSON.parse(text)
  } catch {
    // Not JSON: told like any other wrong body.
    return undefined
  }
}

async function create(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = (await bodyOf(request)) as { name?: unknown } | undefined
  const product = addProduct(body?.name)
  if (product === undefined) return send(response, 400, { error: 'name: expected a text' })
  // Before the answer: whoever has it sees the change.
  await cache.deleteByTag('products')
  send(response, 201, product)
}

function listener(request: IncomingMessage, response: ServerResponse): void {
  const { method, url = '/' } = request
  const fail = (error: unknown): void => {
    console.error(error)
    if (response.headersSent) response.destroy()
    else send(response, 500, { error: 'something went wrong' })
  }
  if (url === '/ops' || url.startsWith('/ops/')) ops(request, response)
  else if (url === '/products' && method === 'GET') send(response, 200, listProducts())
  else if (url === '/products' && method === 'POST') {
    limit(request, response, error => {
      if (error === undefined) create(request, response).catch(fail)
      else fail(error)
    })
  } else send(response, 404, { error: 'no such page' })
}

const PRODUCTS = { type: 'page', scope: 'public', tags: ['products'], query: [] } as const
const { listen } = nodeCache(cache)

serve(createServer(listen(listener, ({ url }) => (url === '/products' ? PRODUCTS : undefined))), [monitor, cache])
