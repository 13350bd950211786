import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import type { Address } from './address.ts'

/** A way to a server that can be cut without touching the server: a relay in this process, on a loopback port of its own. */
export interface Relay {
  readonly port: number
  /** Connections are reset and none is taken any more. */
  cut(): Promise<void>
  mend(): Promise<void>
  close(): Promise<void>
}

export async function startRelay({ host, port: target }: Address): Promise<Relay> {
  const ends = new Set<Socket>()
  let server: Server | undefined

  function join(from: Socket, to: Socket): void {
    ends.add(from)
    from.on('error', () => undefined)
    from.on('close', () => {
      ends.delete(from)
      to.destroy()
    })
    from.pipe(to)
  }

  async function listen(port: number): Promise<number> {
    const next = createServer(near => {
      const far = host.startsWith('/') ? connect({ path: host }) : connect({ host, port: target })
      join(near, far)
      join(far, near)
    })
    next.listen(port, '127.0.0.1')
    await once(next, 'listening')
    server = next
    const address = next.address()
    return typeof address === 'object' && address !== null ? address.port : port
  }

  async function cut(): Promise<void> {
    const old = server
    server = undefined
    if (old === undefined) return
    const closed = once(old, 'close')
    old.close()
    for (const end of ends) {
      // A unix socket knows no reset.
      if (end.remoteAddress === undefined) end.destroy()
      else end.resetAndDestroy()
    }
    await closed
  }

  const port = await listen(0)
  return {
    port,
    cut,
    async mend() {
      if (server === undefined) await listen(port)
    },
    close: cut,
  }
}
