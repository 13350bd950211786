import { EventEmitter } from 'node:events'
import { type SessionStoreOptions, settle } from './options.ts'
import type { Base } from './kept.ts'
import { createStore, type SessionStore, type StoredSession } from './store.ts'

/*
 * @fastify/session makes a session object of its own from what `get` gives, and copies the named fields alone. The options
 * of the cookie are spread into what the object keeps under a symbol, and so carry a symbol of ours along: not a field, not in
 * its JSON, not in the cookie that is sent. A plugin that did not do so (11.1 does) would make the later of two saves win.
 */
const READ = Symbol('palier session')

interface Read {
  readonly id: string
  readonly base: Base
}

function readOf(session: object): Read | undefined {
  for (const symbol of Object.getOwnPropertySymbols(session)) {
    const options = (session as Readonly<Record<symbol, unknown>>)[symbol]
    if (typeof options === 'object' && options !== null && READ in options) return options[READ] as Read
  }
  const { cookie } = session as { readonly cookie?: unknown }
  return typeof cookie === 'object' && cookie !== null && READ in cookie ? (cookie[READ] as Read) : undefined
}

/**
 * A store for @fastify/session, on a Palier cache: `app.register(fastifySession, { store: fastifySessionStore(), secret })`.
 * That plugin saves on every response as long as `rolling` is on: a session that was not changed is only touched. Throws
 * PALIER_BAD_OPTION naming the option that is wrong. Close it when the server has closed:
 * `app.addHook('onClose', () => store.close())`.
 */
export function fastifySessionStore<S = StoredSession>(
  options: SessionStoreOptions = {},
): SessionStore<S> & EventEmitter {
  const settled = settle(options)
  const store = new EventEmitter()
  const own = createStore<S>(settled, {
    show({ id, base, fields }) {
      const read: Read = { id, base }
      const shown = base.cookie === undefined ? fields : { ...fields, cookie: { ...base.cookie, [READ]: read } }
      return shown as S
    },
    baseOf(id, session) {
      const read = readOf(session)
      return read?.id === id ? read.base : undefined
    },
    leave: ['sessionId', 'encryptedSessionId'],
    emit: (event, told) => void store.emit(event, told),
  })
  return Object.assign(store, own)
}
