import type { Clock } from '../../clock.ts'
import { isUnusable } from './faults.ts'
import { createLane } from './lane.ts'
import { loadClient, type Open, openerOf } from './open.ts'
import { createOwnedCluster, type OwnedCluster } from './owned-cluster.ts'
import { type ClientPort, once, type Port, type Reply, reasonOf } from './port.ts'
import { createSentinels } from './sentinel.ts'
import { addressOf, type Place, placeName, safeCauseFor, type Target } from './target.ts'
import { createSpacing, createWatchers } from './watchers.ts'

/*
 * Connections of the store's own: one lane to a server or to whom the sentinels name, or, when the server turns out
 * to be a node of a cluster, a lane to each of its primaries.
 */

/** What happened to the store's own connections. */
export type RedisEvent =
  | {
      readonly kind: 'ready'
      readonly client: 'redis' | 'ioredis'
      readonly mode: 'standalone' | 'cluster' | 'sentinel'
    }
  /** Once for each reason, until a connection is ready. */
  | { readonly kind: 'trouble'; readonly why: string }

type Choose = () => Promise<'redis' | 'ioredis'>

const textOf = (reply: Reply): string => (Buffer.isBuffer(reply) ? reply.toString('utf8') : String(reply))

/** Rejects when the server is there but of no use: loading, asking for a password, held up by a script. */
async function proveUsable(port: ClientPort): Promise<void> {
  try {
    await port.send(['PING'], {})
  } catch (error) {
    // A user that may not PING may still do all a cache needs; a connection that broke says so itself.
    if (isUnusable(error)) throw error
  }
}

const info = (port: ClientPort, section: string): Promise<string | undefined> =>
  port.send(['INFO', section], {}).then(textOf, () => undefined)

async function isClusterNode(port: ClientPort): Promise<boolean> {
  const told = await info(port, 'cluster')
  if (told !== undefined) return told.includes('cluster_enabled:1')
  return port.send(['CLUSTER', 'SLOTS'], {}).then(
    reply => Array.isArray(reply) && reply.length > 0,
    () => false,
  )
}

/** Trouble as it is told: each reason once, until there is none. */
function createTroubles(target: Target, onEvent: ((event: RedisEvent) => void) | undefined) {
  const told = new Set<string>()
  let last: string | undefined
  return {
    last: () => last,
    end() {
      told.clear()
      last = undefined
    },
    report(error: unknown) {
      last = `${addressOf(target)}: ${safeCauseFor(error, target).message}`
      if (told.has(last)) return
      told.add(last)
      onEvent?.({ kind: 'trouble', why: last })
    },
  }
}

/** Loads the client at the first attempt, and again at the next one if that failed. */
function createOpener(choose: Choose) {
  let loaded: 'redis' | 'ioredis' = 'redis'
  let open: Open | undefined
  return {
    client: () => loaded,
    async open(): Promise<Open> {
      if (open !== undefined) return open
      loaded = await choose()
      open = await openerOf(loaded)
      return open
    },
  }
}

/** The server itself, or whoever the sentinels name; then it must say that it is a primary. */
function createFinder(target: Target, clock: Clock) {
  const { sentinel, ...place } = target
  if (sentinel === undefined) return { follows: false, place: async (): Promise<Place> => place, close: () => {} }
  const sentinels = createSentinels(target, sentinel, clock)
  return {
    follows: true,
    place: () => sentinels.primary(),
    close: () => sentinels.close(),
    async verify(port: ClientPort): Promise<void> {
      const role = /^role:(\w+)/m.exec((await info(port, 'replication')) ?? '')?.[1]
      if (role !== 'slave') return
      sentinels.distrust()
      throw new Error('the server named by the sentinels is a replica')
    },
  }
}

export function ownedPort(
  target: Target,
  clock: Clock,
  onEvent: ((event: RedisEvent) => void) | undefined,
  choose: Choose = loadClient,
  deadline = 250,
): Port {
  const opener = createOpener(choose)
  const troubles = createTroubles(target, onEvent)
  const finder = createFinder(target, clock)
  const watchers = createWatchers()
  const mayDoubt = createSpacing(clock)
  let cluster: OwnedCluster | undefined
  let isNode = false
  let isClosed = false
  let connections = 0

  function announce(): void {
    troubles.end()
    const mode = cluster !== undefined ? 'cluster' : target.sentinel === undefined ? 'standalone' : 'sentinel'
    onEvent?.({ kind: 'ready', client: opener.client(), mode })
    watchers.ready()
  }

  const parts = {
    clock,
    deadline,
    open: opener.open,
    lost(reason: string) {
      watchers.lost(`${reason} (${addressOf(target)})`)
    },
    trouble: troubles.report,
  }
  const lane = createLane({
    ...parts,
    place: finder.place,
    follows: finder.follows,
    async prove(port) {
      await proveUsable(port)
      if (finder.verify !== undefined) await finder.verify(port)
      else isNode = await isClusterNode(port)
    },
    ready() {
      connections++
      if (isNode) becomeCluster()
      else announce()
    },
  })

  function becomeCluster(): void {
    if (isClosed) return
    cluster = createOwnedCluster({ ...parts, seed: target, prove: proveUsable, ready: announce })
    lane.close().catch(troubles.report)
  }

  const notYet = (): Error => new Error(troubles.last() ?? `${placeName(target)}: not connected yet`)
  return {
    get client() {
      return opener.client()
    },
    get isCluster() {
      return cluster !== undefined
    },
    keepsOrder: true,
    keyPrefix: '',
    ready: () => cluster?.ready() ?? lane.port() !== undefined,
    trouble() {
      const last = troubles.last()
      if (last !== undefined || cluster !== undefined || lane.trouble() === undefined) return last
      return `${addressOf(target)}: ${reasonOf(lane.trouble())}`
    },
    send(args, options) {
      const port = cluster ?? lane.port()
      return port === undefined ? Promise.reject(notYet()) : port.send(args, options)
    },
    async masters() {
      const port = cluster ?? lane.port()
      if (port === undefined) throw notYet()
      return port.masters()
    },
    watch: watchers.add,
    doubt(reason) {
      if (!mayDoubt()) return
      if (cluster === undefined) return lane.drop(reason)
      watchers.lost(reason)
      cluster.look()
      watchers.ready()
    },
    reconnect() {
      if (cluster === undefined) lane.drop('the connection is silent')
      else cluster.reconnect()
    },
    connections: () => connections + (cluster?.connections() ?? 0),
    subscribe(channel, events) {
      const port = cluster ?? lane.port()
      if (port !== undefined) return port.subscribe(channel, events)
      const none = once(events, () => {})
      queueMicrotask(() => none.lost(notYet().message))
      return none.stop
    },
    async close() {
      isClosed = true
      finder.close()
      await Promise.all([lane.close(), cluster?.close()])
    },
  }
}
