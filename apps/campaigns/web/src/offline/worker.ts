/// <reference lib="webworker" />
import type { WorkerMessage } from '../session/offline.ts'

/*
 * Keeps the application usable without a network: its files, and the last answers of a few reads. Online everything comes
 * from the server; a copy is given only when the server cannot be reached, and says so. Copies of answers belong to whoever
 * was logged in, and are deleted at the logout.
 */
declare const self: ServiceWorkerGlobalScope

const SCOPE = '/app/'
const DATA = 'data-1'
const SHELL_PREFIX = 'shell-'
/** Reads worth having without a network, as they are without a query. */
const KEPT_READS = new Set([
  '/api/v1/auth/me',
  '/api/v1/dashboard',
  '/api/v1/categories',
  '/api/v1/contacts',
  '/api/v1/campaigns',
  '/api/v1/messages/stats',
])
/** A network that does not answer by now is none, for the page itself. */
const PATIENCE_MS = 4000

async function shellName(): Promise<string> {
  const names = await caches.keys()
  return names.find(name => name.startsWith(SHELL_PREFIX)) ?? `${SHELL_PREFIX}none`
}

async function install(): Promise<void> {
  const answer = await fetch(`${SCOPE}offline.json`, { cache: 'no-store' })
  const text = await answer.text()
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))
  const version = [...new Uint8Array(digest).slice(0, 6)].map(byte => byte.toString(16).padStart(2, '0')).join('')
  const cache = await caches.open(SHELL_PREFIX + version)
  const files = (JSON.parse(text) as string[]).map(file => SCOPE + file)
  await cache.addAll([SCOPE, `${SCOPE}boot.js`, `${SCOPE}icon.svg`, ...files])
  const names = await caches.keys()
  const old = names.filter(name => name.startsWith(SHELL_PREFIX) && name !== SHELL_PREFIX + version)
  await Promise.all(old.map(name => caches.delete(name)))
  await self.skipWaiting()
}

/** The page from the network, or the kept one. */
async function page(request: Request): Promise<Response> {
  try {
    return await fetch(request, { signal: AbortSignal.timeout(PATIENCE_MS) })
  } catch (error) {
    const kept = await (await caches.open(await shellName())).match(SCOPE)
    if (kept === undefined) throw error
    return kept
  }
}

async function file(request: Request): Promise<Response> {
  const kept = await caches.match(request, { ignoreVary: true })
  return kept ?? (await fetch(request))
}

async function read(request: Request): Promise<Response> {
  try {
    const answer = await fetch(request)
    if (answer.status === 401) await caches.delete(DATA)
    else if (answer.ok) {
      const copy = answer.clone()
      await (await caches.open(DATA)).put(request, copy)
    }
    return answer
  } catch (error) {
    const kept = await (await caches.open(DATA)).match(request, { ignoreVary: true })
    if (kept === undefined) throw error
    const headers = new Headers(kept.headers)
    headers.set('x-offline', 'true')
    return new Response(kept.body, { status: kept.status, headers })
  }
}

self.addEventListener('install', event => event.waitUntil(install()))
self.addEventListener('activate', event => event.waitUntil(self.clients.claim()))
self.addEventListener('message', event => {
  if ((event.data as WorkerMessage).kind === 'forget') event.waitUntil(caches.delete(DATA))
})
self.addEventListener('fetch', event => {
  const { request } = event
  const url = new URL(request.url)
  if (request.method !== 'GET' || url.origin !== self.location.origin) return
  if (request.mode === 'navigate') {
    if (url.pathname.startsWith(SCOPE)) event.respondWith(page(request))
  } else if (url.pathname.startsWith(`${SCOPE}assets/`)) event.respondWith(file(request))
  else if (KEPT_READS.has(url.pathname)) event.respondWith(read(request))
})
