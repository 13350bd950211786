import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type RedisServer, startRedis } from './redis-server.ts'

const here = dirname(fileURLToPath(import.meta.url))

/** The version in the package.json of an installed package, as this package finds it. */
export function versionOf(name: string): string {
  for (let dir = dirname(here); dir !== dirname(dir); dir = dirname(dir)) {
    try {
      const text = readFileSync(join(dir, 'node_modules', name, 'package.json'), 'utf8')
      return (JSON.parse(text) as { version: string }).version
    } catch {
      // Not in this node_modules: the next one up is asked.
    }
  }
  throw new Error(`${name} is not installed`)
}

/** What the figures depend on. */
export interface Machine {
  readonly date: string
  readonly node: string
  readonly cpu: string
  readonly cpus: number
  readonly platform: string
  /** Processes wanting the CPU in the minute before: above 0.5 of something else, figures are only ratios at best. */
  readonly loadBefore: number
}

export function machine(): Machine {
  return {
    date: new Date().toISOString().slice(0, 16).replace('T', ' '),
    node: process.version,
    cpu: cpus()[0]?.model ?? 'unknown',
    cpus: availableParallelism(),
    platform: `${process.platform} ${process.arch}`,
    loadBefore: Number((loadavg()[0] ?? 0).toFixed(2)),
  }
}

/** The Redis server of a run, started when the first table asks for it. */
export interface Servers {
  /** Undefined when redis-server is not installed; then what needs it is left out, and said so. */
  redis(): Promise<RedisServer | undefined>
  stop(): Promise<void>
}

export function createServers(): Servers {
  let starting: Promise<RedisServer | undefined> | undefined
  return {
    redis: () => (starting ??= startRedis()),
    async stop() {
      await (await starting)?.stop()
    },
  }
}
