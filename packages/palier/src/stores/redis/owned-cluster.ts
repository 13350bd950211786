import type { Clock } from '../../clock.ts'
import type { ConnectionListener } from '../../store.ts'
import { slotOfName } from './keys.ts'
import { createLane, type Lane } from './lane.ts'
import type { Open } from './open.ts'
import { type Args, type ClientPort, once, type Port, type Reply, reasonOf, type SendOptions } from './port.ts'
import { placeName, type Place } from './target.ts'
import { createSlotMap, primariesOf, type Shard, shardsOf } from './slots.ts'
import { movedTo } from './wire.ts'

/*
 * A cluster through one lane for each primary. The commands are routed here and not by the cluster clients, for two
 * reasons: those resend a command for seconds while a failover lasts, long after its caller was told it failed, and
 * they do not say before the next command succeeds that the nodes have changed.
 */
export interface OwnedCluster
  extends Pick<Port, 'send' | 'masters' | 'subscribe' | 'ready' | 'reconnect' | 'connections' | 'close'> {
  /** Looks up which node holds which slot, soon. */
  look(): void
}

export interface ClusterParts extends ConnectionListener {
  readonly clock: Clock
  readonly deadline: number
  readonly open: () => Promise<Open>
  readonly seed: Place
  readonly prove: (port: ClientPort) => Promise<void>
  trouble(error: unknown): void
}

/** Redirections of one command; more than a slot that is moving needs. */
const HOPS = 5
/** Milliseconds between looks while a node is missing: growing up to the second. */
const LOOKS = [0, 100, 200, 300, 500, 1000] as const
/** Slots that move one after the other are not looked up one by one. */
const MOVED_LOOK = 250

const missing = (why: string): Error => Object.assign(new Error(`not connected: ${why}`), { code: 'ENOTCONN' })

export function createOwnedCluster(parts: ClusterParts): OwnedCluster {
  const { clock, deadline } = parts
  const lanes = new Map<string, Lane>()
  const map = createSlotMap()
  let primaries: string | undefined
  let isReadyOwed = false
  let isStarted = false
  let isClosed = false
  let connections = 0
  let looks = 0
  let isLooking = false
  let nextLookAt: number | undefined
  let cancelLook: () => void = () => {}
  const seedName = placeName(parts.seed)

  function laneAt(host: string, port: number): Lane {
    const name = placeName({ host, port })
    const known = lanes.get(name)
    if (known !== undefined) return known
    const lane = createLane({
      ...parts,
      place: async () => ({ ...parts.seed, host, port, db: 0 }),
      follows: false,
      lost(reason) {
        parts.lost(`${name}: ${reason}`)
        looks = 0
        lookIn(0)
      },
      ready() {
        connections++
        if (isStarted) parts.ready()
      },
      trouble: error => parts.trouble(new Error(`${name}: ${reasonOf(error)}`, { cause: error })),
    })
    lanes.set(name, lane)
    return lane
  }

  const readyPorts = (): ClientPort[] => [...lanes.values()].flatMap(lane => lane.port() ?? [])
  const isWhole = (): boolean => map.names().every(name => lanes.get(name)?.port() !== undefined)

  function lookIn(ms: number): void {
    const at = clock.now() + ms
    if (isClosed || isLooking || (nextLookAt !== undefined && nextLookAt <= at)) return
    cancelLook()
    nextLookAt = at
    cancelLook = clock.after(ms, () => {
      nextLookAt = undefined
      isLooking = true
      const over = (): void => {
        isLooking = false
        if (primaries === undefined || !isWhole()) lookIn(LOOKS[Math.min(looks++, LOOKS.length - 1)] ?? 0)
        else looks = 0
      }
      lookUp().then(over, over)
    })
  }

  const within = <T>(work: Promise<T>): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      const cancel = clock.after(deadline, () => reject(new Error(`no answer within ${deadline} ms`)))
      work.then(resolve, reject).finally(cancel)
    })

  /** Never rejects: what could not be found out now is asked for again. */
  async function lookUp(): Promise<void> {
    if (readyPorts().length === 0) {
      // Every node known may have another address by now; the one that was configured leads to them.
      const seed = await laneAt(parts.seed.host, parts.seed.port).settled()
      if (seed === undefined) return
    }
    for (const [name, lane] of lanes) {
      const port = lane.port()
      if (port === undefined) continue
      try {
        const shards = shardsOf(await within(port.send(['CLUSTER', 'SLOTS'], {})), name)
        if (isClosed) return
        if (shards.length > 0) return await adopt(shards)
      } catch (error) {
        parts.trouble(new Error(`${name}: ${reasonOf(error)}`, { cause: error }))
      }
    }
  }

  /** A slot that moves takes its keys along; only another primary may know less than the one before. */
  function lost(reason: string): void {
    isReadyOwed = true
    parts.lost(reason)
  }

  async function adopt(shards: readonly Shard[]): Promise<void> {
    const next = primariesOf(shards)
    if (next !== primaries && primaries !== undefined) lost('the primaries of the cluster have changed')
    primaries = next
    map.fill(shards)
    const wanted = new Set(map.names())
    for (const [name, lane] of lanes) {
      if (wanted.has(name)) continue
      lanes.delete(name)
      lane.close().catch(parts.trouble)
    }
    const all = shards.map(({ host, port }) => laneAt(host, port))
    if (!isStarted) {
      await Promise.all(all.map(lane => lane.settled()))
      if (isClosed || readyPorts().length === 0) return
      isStarted = true
      parts.ready()
    } else if (isReadyOwed && readyPorts().length > 0) parts.ready()
    isReadyOwed = false
  }

  const laneFor = (key: string | undefined): Lane | undefined => {
    if (key !== undefined) return lanes.get(map.nameAt(slotOfName(key)) ?? '')
    return [...lanes.values()].find(lane => lane.port() !== undefined)
  }

  function send(args: Args, options: SendOptions): Promise<Reply> {
    const lane = laneFor(options.key)
    const port = lane?.port()
    if (port === undefined) {
      lookIn(LOOKS[1])
      const trouble = lane === undefined ? 'no node of the cluster serves this slot' : reasonOf(lane.trouble())
      return Promise.reject(missing(trouble))
    }
    const until = clock.now() + (options.within ?? deadline)
    return port.send(args, options).catch((error: unknown) => follow(error, args, options, until, HOPS))
  }

  /** What a node answered may mean that another one is to be asked; a write is not sent after its time. */
  async function follow(error: unknown, args: Args, options: SendOptions, until: number, hops: number): Promise<Reply> {
    const reason = reasonOf(error)
    const moved = movedTo(error, parts.seed.host)
    if (reason.startsWith('CLUSTERDOWN')) lookIn(LOOKS[1])
    if (moved === undefined) throw error
    if (!moved.ask && options.key !== undefined) {
      // Told before the command goes there: it may be the first that succeeds on a server just promoted.
      if (!map.names().includes(placeName(moved))) lost(`${placeName(moved)} is a primary now`)
      map.move(slotOfName(options.key), placeName(moved))
      lookIn(MOVED_LOOK)
    }
    const lane = laneAt(moved.host, moved.port)
    const port = lane.port() ?? (await lane.settled())
    const left = until - clock.now()
    if (port === undefined || hops === 0 || left <= 0) throw error
    const again = options.within === undefined ? options : { ...options, within: left }
    // Right before the command and on the same connection: it holds for the next command only.
    if (moved.ask) port.send(['ASKING'], {}).catch(() => {})
    return port.send(args, again).catch((next: unknown) => follow(next, args, options, until, hops - 1))
  }

  laneAt(parts.seed.host, parts.seed.port)
  lookIn(0)
  return {
    look: () => lookIn(0),
    ready: () => isStarted && readyPorts().length > 0,
    send,
    connections: () => connections,
    async masters() {
      if (map.names().length === 0) throw missing('no node of the cluster is known yet')
      return map.names().map(name => (args: Args) => {
        const lane = lanes.get(name)
        return lane?.port()?.send(args, {}) ?? Promise.reject(missing(reasonOf(lane?.trouble())))
      })
    },
    subscribe(channel, events) {
      // Plain pub/sub reaches every node of a cluster, so one node is enough to hear everything.
      const ports = readyPorts()
      const port = ports[Math.floor(Math.random() * ports.length)]
      if (port !== undefined) return port.subscribe(channel, events)
      const none = once(events, () => {})
      queueMicrotask(() => none.lost(`no node of the cluster is connected (${seedName})`))
      return none.stop
    },
    reconnect() {
      for (const lane of lanes.values()) {
        const port = lane.port()
        if (port === undefined) continue
        const answered = (): void => cancel()
        const cancel = clock.after(deadline, () => {
          if (lane.port() === port) lane.drop('the connection is silent')
        })
        port.send(['PING'], {}).then(answered, answered)
      }
    },
    async close() {
      isClosed = true
      cancelLook()
      await Promise.all([...lanes.values()].map(lane => lane.close()))
    },
  }
}
