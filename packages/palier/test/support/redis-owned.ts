import { systemClock } from '../../src/clock.ts'
import { createCommands } from '../../src/stores/redis/commands.ts'
import { ownedPort, type RedisEvent } from '../../src/stores/redis/owned.ts'
import { type RedisStore, storeOn } from '../../src/stores/redis/store.ts'
import { type RedisSentinel, targetOf } from '../../src/stores/redis/target.ts'

/** The clients that a store of its own connections may find installed. */
export const OWN_CLIENTS = ['redis', 'ioredis'] as const
export type OwnClient = (typeof OWN_CLIENTS)[number]

/** A store as it is when only one of the clients is installed, with all that it told of its connections. */
export interface Owned {
  readonly store: RedisStore
  readonly events: RedisEvent[]
  readonly losses: string[]
  readies(): number
  close(): Promise<void>
}

export interface OwnedOptions {
  readonly url?: string
  readonly sentinel?: RedisSentinel
  readonly deadline?: number
}

export function openOwned(client: OwnClient, options: OwnedOptions): Owned {
  const { deadline = 250 } = options
  const target = targetOf(options.url, undefined, options.sentinel)
  const events: RedisEvent[] = []
  const losses: string[] = []
  let readies = 0
  const port = ownedPort(
    target,
    systemClock,
    event => events.push(event),
    async () => client,
    deadline,
  )
  const commands = createCommands(port, systemClock, deadline, target.password)
  const store = storeOn(port, commands, systemClock, deadline)
  store.watch({ lost: reason => losses.push(reason), ready: () => readies++ })
  return { store, events, losses, readies: () => readies, close: () => store.close() }
}

/** What became of a call: `ok`, or the code of its error; with the milliseconds it took. */
export async function outcome(call: () => Promise<unknown>): Promise<{ readonly code: string; readonly ms: number }> {
  const begun = performance.now()
  const code = await call().then(
    () => 'ok',
    (error: unknown) =>
      typeof error === 'object' && error !== null && 'code' in error
        ? String(error.code)
        : `not ours: ${String(error)}`,
  )
  return { code, ms: performance.now() - begun }
}
