import { makeNamespace } from './namespace.ts'
import { startProxy } from './proxy.ts'
import { type DurableServer, durableServer, pause } from './server.ts'

/** A running Redis, and the way it is taken from those who use `url`. */
export interface Scene {
  readonly url: string
  /** Past the fault, for whoever watches. */
  readonly direct: { readonly host: string; readonly port: number }
  start(): Promise<void>
  /** Resolves when the fault is there. */
  strike(): Promise<void>
  /** Resolves when Redis could be used again. */
  heal(): Promise<void>
  close(): Promise<void>
}

export interface Fault {
  readonly name: string
  readonly what: string
  readonly outageMs: number
  /** It comes and goes: there is no time at which the breaker has to be open. */
  readonly unsteady?: boolean
  /** Throws with the reason where the fault cannot be made. */
  open(): Promise<Scene>
}

const LONG_MS = 15_000
const FLAP_MS = 300

const urlOf = ({ host, port }: { readonly host: string; readonly port: number }): string => `redis://${host}:${port}`

function sceneOf(
  server: DurableServer,
  { strike, heal }: Pick<Scene, 'strike' | 'heal'>,
  extra: { readonly url?: string; close?(): Promise<void> } = {},
): Scene {
  const direct = { host: server.host, port: server.port }
  return {
    url: extra.url ?? urlOf(direct),
    direct,
    start: () => server.start(),
    strike,
    heal,
    async close() {
      await extra.close?.()
      await server.stop()
    },
  }
}

const refused: Fault = {
  name: 'refused',
  what: 'redis-server is killed (kill -9): connections are reset, the port is closed; it comes back with its data',
  outageMs: LONG_MS,
  async open() {
    const server = await durableServer()
    return sceneOf(server, { strike: () => server.kill(), heal: () => server.start() })
  },
}

const hung: Fault = {
  name: 'hung',
  what: 'redis-server is stopped (SIGSTOP): connections stay open, new ones are accepted by the kernel, nothing answers',
  outageMs: LONG_MS,
  async open() {
    const server = await durableServer()
    return sceneOf(server, { strike: async () => server.freeze(), heal: async () => server.thaw() })
  },
}

const partitioned: Fault = {
  name: 'partitioned',
  what: 'redis-server in a network namespace of its own; every packet to it is dropped, none is answered',
  outageMs: LONG_MS,
  async open() {
    const namespace = makeNamespace()
    try {
      const server = await durableServer(namespace.host, namespace.within)
      const scene = sceneOf(server, { strike: async () => namespace.drop(), heal: async () => namespace.pass() })
      return {
        ...scene,
        async close() {
          await scene.close()
          namespace.remove()
        },
      }
    } catch (error) {
      namespace.remove()
      throw error
    }
  },
}

const halfOpen: Fault = {
  name: 'half-open',
  what: 'a proxy swallows all that is written, on connections new and old; afterwards new ones work, the old ones never again',
  outageMs: LONG_MS,
  async open() {
    const server = await durableServer()
    const proxy = await startProxy(server)
    const act = { strike: () => proxy.mode('swallow'), heal: () => proxy.mode('pass') }
    return sceneOf(server, act, { url: `redis://127.0.0.1:${proxy.port}`, close: () => proxy.stop() })
  },
}

const flapping: Fault = {
  name: 'flapping',
  what: `a proxy resets every connection and refuses new ones for ${FLAP_MS} ms, lets them through for ${FLAP_MS} ms, and so on`,
  outageMs: 9000,
  unsteady: true,
  async open() {
    const server = await durableServer()
    const proxy = await startProxy(server)
    const stop = new AbortController()
    let loop = Promise.resolve()
    const flap = async (): Promise<void> => {
      for (;;) {
        await proxy.mode('refuse')
        await pause(FLAP_MS)
        await proxy.mode('pass')
        // Here and nowhere else, so that the end of the fault is the moment at which connections pass again.
        if (stop.signal.aborted) return
        await pause(FLAP_MS)
      }
    }
    const act = {
      strike: async () => {
        loop = flap()
      },
      heal: async () => {
        stop.abort()
        await loop
      },
    }
    const close = async (): Promise<void> => {
      await act.heal()
      await proxy.stop()
    }
    return sceneOf(server, act, { url: `redis://127.0.0.1:${proxy.port}`, close })
  },
}

export const FAULTS: readonly Fault[] = [refused, hung, partitioned, halfOpen, flapping]
