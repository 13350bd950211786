import { stat } from 'node:fs/promises'
import { type Cache, createCache, type Document, type Documents } from 'palier'
import { SESSION_FILES } from './cache.ts'

/** Where sessions were kept before the cache moved to Redis. */
interface Previous<V> {
  /** Carries the document over, if there is one, and gives it as it lies in Redis now. */
  carry(id: string): Promise<Document<V> | undefined>
  /** What still lies there; undefined when nothing does, or when there is no such place. */
  documents(): Promise<Documents<V> | undefined>
  close(): Promise<void>
}

interface PreviousOptions {
  readonly cache: Cache
  readonly name: string
  readonly previous: Cache | false | undefined
  readonly onError: (error: unknown) => void
}

/** A place that was found empty is not looked at again for so long. */
const LOOK_AGAIN = 5 * 60_000

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    found => found.isDirectory(),
    () => false,
  )
}

/** The files that the cache itself keeps its documents in when it finds no Redis. */
async function filesOf(cache: Cache): Promise<Cache | undefined> {
  const { namespace, configuration } = cache.status()
  const dir = configuration['dir']?.value
  if (dir === undefined || !(await isDirectory(dir))) return undefined
  return createCache({ namespace, dir, backend: 'filesystem', enabled: true, files: SESSION_FILES, logger: false })
}

async function isEmpty(documents: Documents<unknown>): Promise<boolean> {
  for await (const some of documents.all()) if (some.length > 0) return false
  return true
}

export function createPrevious<V>({ cache, name, previous, onError }: PreviousOptions): Previous<V> {
  const here = cache.documents<V>(name)
  let opened: Cache | undefined
  let moved = false
  let looked: { readonly until: number; readonly found: Promise<Documents<V> | undefined> } | undefined

  /** Sessions move to Redis and never the other way; once they have, an outage of Redis does not change that. */
  const hasMoved = (): boolean => {
    moved ||= cache.status().backend === 'redis'
    return moved
  }

  const look = async (): Promise<Documents<V> | undefined> => {
    const place = previous === undefined ? (opened ??= await filesOf(cache)) : previous
    if (place === undefined || place === false) return undefined
    const documents = place.documents<V>(name)
    if (!(await isEmpty(documents))) return documents
    await opened?.close()
    opened = undefined
    return undefined
  }

  const documents = async (): Promise<Documents<V> | undefined> => {
    if (previous === false || !hasMoved()) return undefined
    const now = performance.now()
    if (looked === undefined || looked.until <= now) {
      const found = look()
      looked = { until: now + LOOK_AGAIN, found }
      // What could not be looked at was not found empty.
      found.catch(() => (looked = undefined))
    }
    return looked.found
  }

  return {
    documents,
    async carry(id) {
      const there = await documents()
      const found = await there?.read(id)
      if (there === undefined || found === undefined) return undefined
      const ttl = Math.max(1, Math.floor(found.remaining))
      const now = await here.change(id, before => (before === undefined ? { value: found.value, ttl } : undefined))
      // It counts where it is now, whatever becomes of what it was; a deletion here is one there too.
      await there.delete(id).catch(onError)
      return now
    },
    async close() {
      await looked?.found.catch(() => undefined)
      await opened?.close()
    },
  }
}
