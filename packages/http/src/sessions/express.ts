import { type SessionStoreOptions, settle } from './options.ts'
import type { Base } from './kept.ts'
import { createStore, type SessionStore, type StoredSession } from './store.ts'

/** What is asked of the function that `express-session` exports. */
export interface ExpressSession<Store extends object> {
  readonly Store: abstract new () => Store
}

interface InheritedStore {
  emit(event: string, told: unknown): boolean
  createSession(request: object, session: object): object
}

/**
 * A store for express-session, on a Palier cache: `session({ store: expressSessionStore(session), resave: false,
 * saveUninitialized: false, secret })`. It extends `session.Store`, and never emits `disconnect`, for without a store
 * express-session would go on as if nobody had a session. `resave` may be either: what was not changed is not saved over what
 * others changed. Throws PALIER_BAD_OPTION naming the option that is wrong. Close it when the server has closed.
 */
export function expressSessionStore<Store extends object>(
  session: ExpressSession<Store>,
  options: SessionStoreOptions = {},
): Store & SessionStore {
  const settled = settle(options)
  const Inherited = session.Store as new () => Store & InheritedStore
  const store = new Inherited()
  const inherited = store.createSession
  const bases = new WeakMap<object, { readonly id: string; readonly base: Base }>()
  const own = createStore<StoredSession>(settled, {
    show({ id, base, fields }) {
      const shown = base.cookie === undefined ? fields : { ...fields, cookie: { ...base.cookie } }
      bases.set(shown, { id, base })
      return shown
    },
    baseOf(id, shown) {
      const known = bases.get(shown)
      return known?.id === id ? known.base : undefined
    },
    leave: [],
    emit: (event, told) => void store.emit(event, told),
  })
  return Object.assign(store, own, {
    /** As inherited; the session object is known to come from what was read. */
    createSession(request: object, shown: object): object {
      const known = bases.get(shown)
      const made = inherited.call(store, request, shown)
      if (known !== undefined) bases.set(made, known)
      return made
    },
  })
}
