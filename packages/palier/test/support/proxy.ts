import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { freePort } from './ports.ts'

/*
 * A TCP proxy on a free loopback port, for faults of the path and not of the server.
 *
 * pass        everything goes through
 * refuse      nothing listens, and every connection was reset
 * blackhole   packets vanish: connections stay open or are accepted, and nothing is carried. What was sent meanwhile
 *             arrives when the mode changes, as TCP would have it
 * half-open   every connection there is has lost its other side without a word: it stays open and nothing sent on it
 *             is ever answered, whatever the mode is later; so is every one made in this mode
 * cut         every connection is reset once; new ones go through
 * delay:N     each piece arrives N milliseconds later than it was sent, in both directions
 */
export type ProxyMode = 'pass' | 'refuse' | 'blackhole' | 'half-open' | 'cut' | `delay:${number}`

export interface Proxy {
  readonly port: number
  readonly url: string
  /** Connections accepted so far. */
  accepted(): number
  mode(next: ProxyMode): Promise<void>
  /** Where new connections lead from now on; those there are stay where they are. */
  retarget(port: number): void
  close(): Promise<void>
}

interface Pair {
  readonly ends: readonly [Socket, Socket]
  isDead: boolean
  /** What a blackhole holds back. */
  readonly held: (() => void)[]
}

export async function startProxy(options: { readonly port: number }): Promise<Proxy> {
  // Ours also while it refuses.
  const port = await freePort()
  const pairs = new Set<Pair>()
  let target = options.port
  let mode: ProxyMode = 'pass'
  let accepted = 0
  let server: Server | undefined

  function carry(pair: Pair, to: Socket, piece: Buffer): void {
    const write = (): void => {
      if (!pair.isDead && to.writable) to.write(piece)
    }
    if (pair.isDead) return
    if (mode === 'blackhole') pair.held.push(write)
    else if (mode.startsWith('delay:')) setTimeout(write, Number(mode.slice('delay:'.length)))
    else write()
  }

  function accept(near: Socket): void {
    accepted++
    const far = connect(target, '127.0.0.1')
    const pair: Pair = { ends: [near, far], isDead: mode === 'half-open', held: [] }
    pairs.add(pair)
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on('data', piece => carry(pair, to, piece))
      from.on('error', () => {})
      from.on('close', () => {
        const end = (): void => void to.destroy()
        // The end of a connection is a packet like any other, unless it is the near side that is gone for good.
        if (from === far && pair.isDead) return
        if (from === far && mode === 'blackhole') pair.held.push(end)
        else end()
        if (from === near) pairs.delete(pair)
      })
    }
  }

  async function listen(): Promise<void> {
    const next = createServer(accept)
    next.listen(port, '127.0.0.1')
    await once(next, 'listening')
    server = next
  }

  function reset(): void {
    for (const pair of pairs) for (const end of pair.ends) end.resetAndDestroy()
    pairs.clear()
  }

  async function stopListening(): Promise<void> {
    const old = server
    server = undefined
    if (old === undefined) return
    const closed = once(old, 'close')
    old.close()
    reset()
    await closed
  }

  await listen()
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    accepted: () => accepted,
    async mode(next) {
      mode = next === 'cut' ? 'pass' : next
      if (next === 'cut') reset()
      if (next === 'half-open') for (const pair of pairs) pair.isDead = true
      if (next !== 'blackhole') for (const pair of pairs) for (const release of pair.held.splice(0)) release()
      if (next === 'refuse') await stopListening()
      else if (server === undefined) await listen()
    },
    retarget(next) {
      target = next
    },
    async close() {
      await stopListening()
      reset()
    },
  }
}
