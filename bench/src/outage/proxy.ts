import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'

/**
 * A TCP proxy on a loopback port. `pass`: bytes go through. `refuse`: the port is closed and every connection reset.
 * `swallow`: connections are accepted and nothing that is written reaches anybody. A connection that was once
 * swallowed stays so for ever, as one does whose other end has lost it; only a new one can be of use.
 */
export interface Proxy {
  readonly port: number
  mode(mode: 'pass' | 'refuse' | 'swallow'): Promise<void>
  stop(): Promise<void>
}

interface Pair {
  readonly near: Socket
  readonly far: Socket | undefined
}

export async function startProxy(target: { readonly host: string; readonly port: number }): Promise<Proxy> {
  const pairs = new Set<Pair>()
  let swallowing = false
  const drop = (pair: Pair): void => {
    pairs.delete(pair)
    // A reset of a socket that is shutting down fails in libuv and leaves a handle that Node cannot clean up at exit.
    if (pair.near.writableEnded) pair.near.destroy()
    else pair.near.resetAndDestroy()
    pair.far?.destroy()
  }
  const swallow = ({ near, far }: Pair): void => {
    near.removeAllListeners('data')
    near.on('data', () => undefined)
    far?.removeAllListeners('data')
    far?.removeAllListeners('close')
    far?.destroy()
  }
  const accept = (near: Socket): void => {
    const far = swallowing ? undefined : connect(target.port, target.host)
    const pair: Pair = { near, far }
    pairs.add(pair)
    near.on('data', data => far?.write(data))
    far?.on('data', data => near.write(data))
    for (const socket of far === undefined ? [near] : [near, far]) {
      socket.setNoDelay(true)
      socket.on('error', () => undefined)
      socket.on('close', () => drop(pair))
    }
  }
  let server: Server | undefined
  const listen = async (port: number): Promise<number> => {
    server = createServer(accept).listen(port, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('no port was given')
    return address.port
  }
  const close = async (): Promise<void> => {
    const closing = server
    server = undefined
    if (closing === undefined) return
    closing.close()
    for (const pair of pairs) drop(pair)
    await once(closing, 'close')
  }
  const port = await listen(0)
  return {
    port,
    async mode(mode) {
      swallowing = mode === 'swallow'
      if (mode === 'refuse') return close()
      if (swallowing) for (const pair of pairs) swallow(pair)
      if (server === undefined) await listen(port)
    },
    stop: close,
  }
}
