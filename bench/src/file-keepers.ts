import { closeSync, openSync, readSync, renameSync, unlinkSync, writeSync } from 'node:fs'
import { mkdir, readFile, rename, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { BentoCache, bentostore } from 'bentocache'
import { fileDriver } from 'bentocache/drivers/file'
import cacache from 'cacache'
import { Keyv } from 'keyv'
import { KeyvFile } from 'keyv-file'
import { createCache } from 'palier'
import { createStorage } from 'unstorage'
import fsStorage from 'unstorage/drivers/fs'
import type { Keeper, KeeperKind } from './keeper.ts'

/*
 * Whoever keeps one file per entry, with nothing kept in this process. The limits are the calls themselves: one file
 * per key in one directory, a write being a temporary file that is renamed, which is the least that readers of another
 * process can live with.
 */

const HOUR = 3_600_000

type Kind = KeeperKind<string>

function nameless(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
  throw error
}

function readPooled(path: string, pool: Buffer): unknown {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (error) {
    return nameless(error)
  }
  try {
    const length = readSync(file, pool, 0, pool.length, 0)
    return JSON.parse(pool.toString('utf8', 0, length))
  } finally {
    closeSync(file)
  }
}

function writeRenamed(path: string, temporary: string, text: string): void {
  const file = openSync(temporary, 'w')
  try {
    writeSync(file, text)
  } finally {
    closeSync(file)
  }
  renameSync(temporary, path)
}

export const SYNC = 'synchronous calls, JSON'
export const ASYNC = 'promise calls, JSON'

const rawSync: Kind = {
  name: SYNC,
  role: 'limit',
  note: 'open, read into a pooled buffer, close; write, rename',
  async open(dir) {
    await mkdir(dir, { recursive: true })
    const pool = Buffer.allocUnsafe(1 << 17)
    let writes = 0
    return {
      get: async key => readPooled(join(dir, key), pool),
      set: async (key, value) =>
        writeRenamed(join(dir, key), join(dir, `${process.pid}-${writes++}.tmp`), JSON.stringify(value)),
      delete: async key => unlinkSync(join(dir, key)),
      close: async () => undefined,
    }
  },
}

const rawAsync: Kind = {
  name: ASYNC,
  role: 'limit',
  note: 'readFile; writeFile, rename',
  async open(dir) {
    await mkdir(dir, { recursive: true })
    let writes = 0
    return {
      get: async key => {
        try {
          return JSON.parse(await readFile(join(dir, key), 'utf8')) as unknown
        } catch (error) {
          return nameless(error)
        }
      },
      async set(key, value) {
        const temporary = join(dir, `${process.pid}-${writes++}.tmp`)
        await writeFile(temporary, JSON.stringify(value))
        await rename(temporary, join(dir, key))
      },
      delete: key => unlink(join(dir, key)),
      close: async () => undefined,
    }
  },
}

function palier(compress: boolean): Kind {
  return {
    name: compress ? 'palier' : 'palier, compress: false',
    role: 'palier',
    package: 'palier',
    ...(compress && { note: 'its default: compressed above 1 KB' }),
    async open(dir) {
      const defaults = { ttl: HOUR, near: false as const, ...(!compress && { compress: false as const }) }
      const cache = createCache({
        namespace: 'files',
        backend: 'filesystem',
        dir,
        logger: false,
        detectBudget: '10s',
        defaults,
      })
      const { backend, why } = await cache.ready()
      if (backend !== 'filesystem') throw new Error(why)
      return {
        get: key => cache.get(key),
        set: (key, value) => cache.set(key, value),
        delete: key => cache.delete(key),
        close: () => cache.close(),
      }
    },
  }
}

const bento: Kind = {
  name: 'bentocache, file driver',
  role: 'peer',
  package: 'bentocache',
  async open(directory) {
    const tiers = bentostore().useL2Layer(fileDriver({ directory, pruneInterval: false }))
    const cache = new BentoCache({ default: 'main', ttl: '1h', stores: { main: tiers } })
    return {
      get: key => cache.get({ key }),
      set: (key, value) => cache.set({ key, value }),
      delete: key => cache.delete({ key }),
      close: () => cache.disconnectAll(),
    }
  },
}

const keyvFile: Kind = {
  name: 'keyv + keyv-file, separatedFile',
  role: 'peer',
  package: 'keyv-file',
  async open(filename) {
    const cache = new Keyv({ store: new KeyvFile({ filename, separatedFile: true }), ttl: HOUR })
    return {
      get: key => cache.get(key),
      set: (key, value) => cache.set(key, value),
      delete: key => cache.delete(key),
      close: () => cache.disconnect(),
    }
  },
}

const contentAddressed: Kind = {
  name: 'cacache',
  role: 'peer',
  package: 'cacache',
  note: 'an index file and a content file per entry, with integrity',
  async open(dir) {
    const keeper: Keeper = {
      async get(key) {
        try {
          const { data } = await cacache.get(dir, key, { memoize: false })
          return JSON.parse(data.toString('utf8')) as unknown
        } catch (error) {
          return nameless(error)
        }
      },
      set: (key, value) => cacache.put(dir, key, JSON.stringify(value), { memoize: false }),
      delete: key => cacache.rm.entry(dir, key),
      close: async () => undefined,
    }
    return keeper
  },
}

const unstorage: Kind = {
  name: 'unstorage, fs',
  role: 'peer',
  package: 'unstorage',
  async open(base) {
    const storage = createStorage({ driver: fsStorage({ base }) })
    return {
      get: key => storage.getItem(key),
      set: (key, value) => storage.setItem(key, value),
      delete: key => storage.removeItem(key),
      close: () => storage.dispose(),
    }
  },
}

export const FILE_KEEPERS: readonly Kind[] = [
  rawSync,
  rawAsync,
  palier(true),
  palier(false),
  bento,
  keyvFile,
  contentAddressed,
  unstorage,
]
