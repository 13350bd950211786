import type { Page, Reply, Seen } from './site.ts'

const PLAIN_CONNECTION = /^(?:close|keep-alive)$/

/** In an order that does not depend on that of the request, and without what every connection says of itself. */
function settled(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(settled)
  if (typeof value !== 'object' || value === null) return value
  const pairs = Object.entries(value)
    .filter(([name, one]) => name !== 'connection' || !PLAIN_CONNECTION.test(String(one)))
    .sort(([a], [b]) => (a < b ? -1 : 1))
  // No name of a request is a property that objects have anyway.
  return Object.fromEntries(pairs.map(([name, one]) => [`.${name}`, settled(one)]))
}

/** Tells all that a handler can see of a request, in the body and in a header. */
export function mirror(seen: Seen): Reply {
  const [path] = seen.target().split('?')
  const text = JSON.stringify({
    path,
    query: settled(seen.query()),
    headers: settled(seen.headers()),
    views: settled(seen.views()),
  })
  return { headers: { 'content-type': 'application/json', 'x-mirror': encodeURIComponent(text) }, body: text }
}

/** The same, and what earlier middleware made of it. */
function mirrorAll(seen: Seen): Reply {
  const reply = mirror(seen)
  const derived = JSON.stringify([seen.derived(), seen.address()])
  return {
    headers: { ...reply.headers, 'x-derived': encodeURIComponent(derived) },
    body: `${String(reply.body)}\n${derived}`,
  }
}

/** A page of one user: it holds the secret of whoever the handler takes the client for. */
function own(seen: Seen): Reply {
  const user = seen.user()
  const reply = mirror(seen)
  return {
    headers: { ...reply.headers, 'x-owner': user?.secret ?? 'nobody' },
    body: `${String(reply.body)}\n${user === undefined ? 'nobody' : `${user.name} ${user.secret}`}`,
  }
}

/** A page of a role, which is all it depends on. */
function ofRole(seen: Seen): Reply {
  return { body: `for ${seen.user()?.role ?? 'nobody'} only` }
}

/** Pages with a free last part, so that cases do not meet. */
export const MIRRORS: readonly Page[] = [
  { path: '/public/:case', scope: 'public', reply: mirror },
  { path: '/varied/:case', scope: 'public', vary: ['x-tenant', 'user-agent'], reply: mirror },
  { path: '/chosen/:case', scope: 'public', query: ['a'], reply: mirror },
  { path: '/derived/:case', scope: 'public', reply: mirrorAll },
  { path: '/own/:case', scope: 'user', reply: own },
  { path: '/mine/:case', scope: 'user', type: 'mine', reply: own },
  { path: '/role/:case', scope: 'role', reply: ofRole },
  { path: '/ours/:case', scope: 'role', type: 'ours', reply: ofRole },
]
