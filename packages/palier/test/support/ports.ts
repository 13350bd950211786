import { once } from 'node:events'
import { createServer, type Server } from 'node:net'

/*
 * Ports to listen on that stay ours while nothing listens on them: a server that was killed or refuses for a while has its
 * port back. The system hands the ports from 32768 on to outgoing connections, of which tests make thousands: one of
 * them would take the port meanwhile, or a client that tries to reach it would be connected to itself.
 */
const FIRST = 10_000
const END = 32_768

async function listenOn(port: number): Promise<Server | undefined> {
  const server = createServer()
  try {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    return server
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') return undefined
    throw error
  }
}

/** Different ports that were free a moment ago. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const held = new Map<number, Server>()
  while (held.size < count) {
    const port = FIRST + Math.floor(Math.random() * (END - FIRST))
    const server = await listenOn(port)
    if (server !== undefined) held.set(port, server)
  }
  await Promise.all([...held.values()].map(server => once(server.close(), 'close')))
  return [...held.keys()]
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const [port = 0] = await freePorts(1)
  return port
}
