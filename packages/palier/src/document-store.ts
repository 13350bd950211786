import { pause, within } from './clock.ts'
import { type Core, reportError } from './core.ts'
import { type Document, type Documents, MARK_TTL, markOf, type Revision } from './documents.ts'
import { toMilliseconds } from './duration.ts'
import { badOption, PalierError } from './errors.ts'
import { closedError } from './guard-room.ts'
import { invalidate, type Receipt } from './invalidate.ts'
import { checkName, documentKey } from './key.ts'
import { LEASE_TTL, newToken } from './lease.ts'
import { decodeRecord, encodeRecord } from './record.ts'
import { readValue, type Snapshot, takeSnapshot } from './snapshot.ts'
import type { SharedStore, StoredRecord } from './store.ts'
import { documentTarget } from './targets.ts'
import { scanned } from './walk.ts'

const TRIES = 200
/** So many tries are made without a rest: whoever was in between is usually done. */
const AT_ONCE = 4
/** Later ones rest for so many times what a try takes at most: the farther the backend, the rarer each must try for one to get through. */
const LONGEST_REST = 64
/** Documents read at a time. */
const BATCH = 100

interface Kept {
  readonly snapshot: Snapshot
  readonly version: number
  readonly remaining: number
}

/** What is stored under a key: nothing, the mark of a deleted document, or a document. */
type Found = Kept | 'deleted' | undefined

/** `memory`: where documents live when nothing is shared. Throws PALIER_BAD_KEY. */
export function createDocuments<V>(core: Core, memory: SharedStore, deadline: number, name: string): Documents<V> {
  checkName('documents', name)
  const prefix = documentKey(core.namespace, name, '')
  const fullOf = (id: string): string => {
    checkName('id', id)
    return prefix + id
  }

  /** An answer is owed within the deadline even while the backend is being looked for. */
  const settled = (): Promise<void> =>
    within(
      core.clock,
      deadline,
      () => core.settled,
      () => {
        throw new PalierError('PALIER_STORE_FAILED', 'the backend is still being looked for')
      },
    )

  const checkOpen = (): void => {
    if (core.closed.signal.aborted) throw closedError()
  }

  /** What the backend failed with, told; after the end of the cache that is all there is to say. */
  const failure = (error: unknown): unknown => {
    if (core.closed.signal.aborted) return closedError()
    reportError(core, 'document', error)
    return error
  }

  const atBackend = async <T>(kind: 'read' | 'call', operation: (store: SharedStore) => Promise<T>): Promise<T> => {
    checkOpen()
    await settled()
    const { link } = core.home
    try {
      return await (link === undefined ? operation(memory) : link[kind](operation))
    } catch (error) {
      throw failure(error)
    }
  }

  /** Deleted here, and the backend has not heard of it yet. */
  const isPending = (full: string): boolean => core.home.outbox.find(documentTarget(full)) !== undefined

  const decode = async (full: string, record: StoredRecord | undefined): Promise<Found> => {
    if (record === undefined) return undefined
    try {
      const head = decodeRecord(record.bytes)
      if (head === undefined || head.key !== full) throw new PalierError('PALIER_DAMAGED', 'a document is damaged')
      if (head.mark === 0) return 'deleted'
      const snapshot = await core.codec.decode(head.payload, head.form, head.size)
      return { snapshot, version: head.mark, remaining: record.remaining }
    } catch (error) {
      reportError(core, 'document', error)
      return undefined
    }
  }

  /** A copy for one reader. */
  const documentOf = ({ snapshot, version, remaining }: Kept): Document<V> => ({
    value: readValue(snapshot) as V,
    version,
    remaining,
  })

  const keptOf = (revision: Revision<V>, version: number): Kept => {
    if (typeof revision !== 'object' || revision === null) throw badOption('revision', 'an object', revision)
    const remaining = toMilliseconds('ttl', revision.ttl)
    return { snapshot: takeSnapshot(revision.value, core.limits), version, remaining }
  }

  const encode = async (full: string, { snapshot, version, remaining: ttl }: Kept): Promise<Uint8Array> => {
    const { form, size, payload } = await core.codec.encode(snapshot, { compressAbove: 1024 })
    const head = { key: full, createdAt: core.clock.wall(), ttl, grace: 0, cost: 0, mark: version, form, size }
    return encodeRecord({ ...head, writer: core.id, stamps: [] }, payload)
  }

  /** One try to change what is there. Undefined: somebody was in between. */
  const attempt = async (
    full: string,
    decide: (before: Document<V> | undefined) => Revision<V> | undefined,
  ): Promise<{ readonly now: Document<V> | undefined } | undefined> => {
    const token = newToken()
    const claim = { token, ttl: LEASE_TTL, steal: true }
    const { record } = await atBackend('call', store => store.claim(full, claim))
    const release = (): void => void atBackend('call', store => store.release(full, token)).catch(() => undefined)
    const before = await decode(full, record)
    if (before === 'deleted' || isPending(full)) {
      release()
      return { now: undefined }
    }
    try {
      const revision = decide(before && documentOf(before))
      if (revision === undefined) {
        release()
        return { now: before && documentOf(before) }
      }
      const next = keptOf(revision, (before?.version ?? 0) + 1)
      const bytes = await encode(full, next)
      const done = await atBackend('call', store => store.commit(full, token, bytes, next.remaining))
      return done ? { now: documentOf(next) } : undefined
    } catch (error) {
      release()
      throw error
    }
  }

  /** Pages of keys. */
  async function* keys(): AsyncGenerator<readonly string[]> {
    checkOpen()
    await settled()
    const { link } = core.home
    try {
      yield* link === undefined ? memory.scan(prefix) : scanned(link, prefix)
    } catch (error) {
      throw failure(error)
    }
  }

  return {
    async read(id) {
      const full = fullOf(id)
      checkOpen()
      // What was deleted here is known to be gone, whether the backend answers or not.
      if (isPending(full)) return undefined
      const found = await decode(full, await atBackend('read', store => store.get(full)))
      return found === undefined || found === 'deleted' || isPending(full) ? undefined : documentOf(found)
    },
    async change(id, decide) {
      const full = fullOf(id)
      if (typeof decide !== 'function') throw badOption('decide', 'a function', decide)
      checkOpen()
      for (let tries = 0; tries < TRIES; tries++) {
        if (isPending(full)) return undefined
        const startedAt = core.clock.now()
        const done = await attempt(full, decide)
        if (done !== undefined) return done.now
        if (tries < AT_ONCE) continue
        const took = Math.max(1, core.clock.now() - startedAt)
        const longest = took * Math.min(LONGEST_REST, 2 ** (tries - AT_ONCE + 1))
        await pause(core.clock, Math.ceil(Math.random() * longest))
      }
      throw new PalierError('PALIER_STORE_FAILED', `a document of "${name}" is changed by others without end`)
    },
    async delete(id): Promise<Receipt> {
      const full = fullOf(id)
      checkOpen()
      await core.settled
      const { home } = core
      if (home.link !== undefined) return { local: true, shared: await invalidate(core, home, [documentTarget(full)]) }
      await memory.set(full, markOf(core, full), MARK_TTL)
      return { local: true, shared: 'none' }
    },
    async *all() {
      for await (const page of keys()) {
        for (let from = 0; from < page.length; from += BATCH) {
          const some = page.slice(from, from + BATCH)
          const records = await atBackend('read', store => store.getMany(some))
          const found = await Promise.all(some.map((full, i) => decode(full, records[i])))
          yield some.flatMap((full, i) => {
            const one = found[i]
            return one === undefined || one === 'deleted' || isPending(full)
              ? []
              : [{ ...documentOf(one), id: full.slice(prefix.length) }]
          })
        }
      }
    },
  }
}
