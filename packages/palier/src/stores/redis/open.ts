import type { Redis } from 'ioredis'
import type { createClient } from 'redis'
import { PalierError } from '../../errors.ts'
import { ioredisPort, isIoRedis } from './ioredis.ts'
import { nodeRedisPort } from './node-redis.ts'
import type { ClientPort } from './port.ts'
import { isSocketPath, type Place } from './target.ts'

/*
 * One connection through whichever client is installed. The client is left nothing to decide: it keeps no queue of
 * commands for later (a write must not leave long after its caller was told it failed), sends nothing twice, and is
 * over for good when its connection is; the lane opens another client then.
 */
export interface Connection {
  readonly port: ClientPort
  /** The server has taken the credentials. Rejects when that failed. */
  readonly connected: Promise<void>
  /** Ends it without a further word. */
  end(): void
}

/** `over` is called once, as soon as the client knows, unless `end` was called first. `patience` is for connecting. */
export type Open = (place: Place, patience: number, over: (error: unknown) => void) => Connection

const isMissing = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND'

/** Which client is installed, loaded and ready for use; `redis` is preferred. */
export async function loadClient(): Promise<'redis' | 'ioredis'> {
  for (const [client, load] of [
    ['redis', () => import('redis')],
    ['ioredis', () => import('ioredis')],
  ] as const) {
    try {
      await load()
      return client
    } catch (error) {
      if (!isMissing(error)) throw error
    }
  }
  throw new PalierError('PALIER_STORE_FAILED', `no Redis client is installed: npm install redis (or ioredis)`)
}

export async function openerOf(client: 'redis' | 'ioredis'): Promise<Open> {
  return client === 'redis'
    ? nodeRedisOpener((await import('redis')).createClient)
    : ioredisOpener((await import('ioredis')).Redis)
}

const credentials = ({ username, password }: Place) => ({
  ...(username === undefined ? {} : { username }),
  ...(password === undefined ? {} : { password }),
})

/** Ends the client at the first sign that it is over, and says so once. */
function ending(destroy: () => void, over: (error: unknown) => void) {
  let isOver = false
  const end = (): boolean => {
    if (isOver) return false
    isOver = true
    destroy()
    return true
  }
  return {
    isOver: () => isOver,
    end: () => void end(),
    finish(error: unknown): void {
      if (end()) over(error)
    },
  }
}

const closed = (): Error => new Error('connection closed')

function nodeRedisOpener(make: typeof createClient): Open {
  return (place, patience, over) => {
    const { host, port, tls } = place
    const client = make({
      ...credentials(place),
      database: place.db,
      disableOfflineQueue: true,
      socket: {
        ...(isSocketPath(host) ? { path: host } : { host, port }),
        connectTimeout: patience,
        reconnectStrategy: false,
        ...(tls ? { tls: true as const } : {}),
      },
    })
    const destroy = (): void => {
      try {
        client.destroy()
      } catch {
        // Version 5 throws when there is no connection to destroy, which is what was asked for.
      }
    }
    const { isOver, end, finish } = ending(destroy, over)
    client.on('error', finish)
    client.on('end', () => finish(closed()))
    const connected = client.connect().then(() => {
      if (!isOver()) return
      // Ended while its socket was being made, which the client does not undo by itself.
      destroy()
      throw closed()
    })
    connected.catch(finish)
    return { port: nodeRedisPort(client), connected, end }
  }
}

/** ioredis ends a connection politely first; a silent server would keep it for two seconds. */
const POLITE = 50

function ioredisOpener(Client: typeof Redis): Open {
  return (place, patience, over) => {
    const { host, port, db, tls } = place
    const client = new Client({
      ...credentials(place),
      ...(tls ? { tls: {} } : {}),
      ...(isSocketPath(host) ? { path: host } : { host, port }),
      db,
      lazyConnect: true,
      connectTimeout: patience,
      disconnectTimeout: POLITE,
      // Both would come between us and the first error: the lane asks for itself whether the server can be used.
      enableReadyCheck: false,
      disableClientInfo: true,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      autoResubscribe: false,
      maxRetriesPerRequest: 0,
      retryStrategy: () => null,
    })
    const { end, finish } = ending(() => client.disconnect(), over)
    client.on('error', finish)
    client.on('close', () => finish(closed()))
    client.on('end', () => finish(closed()))
    const seen: object = client
    if (!isIoRedis(seen))
      throw new PalierError('PALIER_STORE_FAILED', 'the installed ioredis is not one this store knows')
    const connected = client.connect()
    // Why it failed came before this, through `error`.
    connected.catch(finish)
    return { port: ioredisPort(seen), connected, end }
  }
}
