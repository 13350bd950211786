import { PalierError } from '../../errors.ts'
import type { Limits, Locks } from '../../guard.ts'
import type { ConnectionListener, SharedStore } from '../../store.ts'
import type { Subscription } from './bus.ts'
import type { Server } from './server.ts'
import type { Wire } from './wire.ts'

const absent = (): Promise<never> =>
  Promise.reject(new PalierError('PALIER_STORE_FAILED', 'locks and limits are not simulated'))
const LOCKS: Locks = { acquire: absent, renew: absent, release: absent }
const LIMITS: Limits = { take: absent, count: absent, reset: absent }

interface Parts {
  readonly name: string
  readonly node: number
  readonly wire: Wire
  readonly subscription: Subscription
  /** True: a directory, which has no connections to lose and cannot be taken over. */
  readonly local: boolean
  /** What happened, for a reader; absent when nobody reads. */
  readonly note: ((text: () => string) => void) | undefined
}

/** A `SharedStore` whose every call goes over the wire. */
export function createStore({ name, node, wire, subscription, local, note }: Parts): SharedStore {
  const call = <T>(what: string, command: (server: Server) => T): Promise<T> => {
    if (note === undefined) return wire.call(command)
    const told = wire.call(server => {
      const result = command(server)
      // Heartbeats say something only when they fail.
      if (!QUIET.has(what)) note(() => `${what} done -> ${shown(result)}`)
      return result
    })
    told.catch((error: unknown) => note(() => `${what} failed: ${String(error)}`))
    return told
  }
  return {
    name,
    locks: LOCKS,
    limits: LIMITS,
    get: key => call(`get ${key}`, server => server.get(key)),
    getMany: keys => call(`getMany ${keys.join(' ')}`, server => keys.map(key => server.get(key))),
    claim: (key, claim) => call(`claim ${key}`, server => server.claim(node, key, claim)),
    commit: (key, token, bytes, ttl) => call(`commit ${key}`, server => server.commit(node, key, token, bytes, ttl)),
    renew: (key, token, ttl) => call(`renew ${key}`, server => server.renew(key, token, ttl)),
    release: (key, token) => call(`release ${key}`, server => server.release(key, token)),
    set: (key, bytes, ttl) => call(`set ${key}`, server => server.set(node, key, bytes, ttl)),
    delete: keys => call(`delete ${keys.join(' ')}`, server => server.delete(node, keys)),
    async *scan(prefix) {
      yield await call('scan', server => server.keys(prefix))
    },
    usage: prefix => call('usage', server => server.usage(prefix)),
    openBus: () => subscription.open(),
    ...(!local && {
      watch: (listener: ConnectionListener) => wire.watch(listener),
      identity: () => call('identity', server => server.identity),
      reconnect: () => wire.reconnect(),
    }),
    close: () => Promise.resolve(),
  }
}

const QUIET: ReadonlySet<string> = new Set(['get palier:trial', 'identity'])

/** What came back, in a word. */
function shown(result: unknown): string {
  if (result === undefined) return 'nothing'
  if (Array.isArray(result)) return result.map(shown).join(' ')
  if (typeof result !== 'object' || result === null) return JSON.stringify(result)
  const { record, granted, bytes } = result as { record?: unknown; granted?: boolean; bytes?: Uint8Array }
  if (granted !== undefined) return `${granted ? 'granted' : 'not granted'}, ${shown(record)}`
  return bytes === undefined ? JSON.stringify(result) : payloadOf(bytes)
}

/** The end of a record is its payload, plain JSON in a simulation. */
function payloadOf(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString('latin1')
  return /\{[^{}]*\}$/.exec(text)?.[0] ?? text.slice(-16)
}
