import { pause, within } from './clock.ts'
import { type Core, reportError } from './core.ts'
import { type Document, type Documents, MARK_TTL, markOf, type Revision } from './documents.ts'
import { toMilliseconds } from './duration.ts'
import { PalierError } from './errors.ts'
import { closedError } from './guard-room.ts'
import { invalidate, type Receipt } from './invalidate.ts'
import { checkName, documentKey } from './key.ts'
import { LEASE_TTL, newToken } from './lease.ts'
import { decodeRecord, encodeRecord } from './record.ts'
import { readValue, takeSnapshot } from './snapshot.ts'
import type { SharedStore, StoredRecord } from './store.ts'
import { documentTarget } from './targets.ts'

const TRIES = 200
/** So many tries are made without a rest: whoever was in between is usually done. */
const AT_ONCE = 4
const LONGEST_REST = 20
/** Documents read at a time. */
const BATCH = 100

/** What is stored under a key: nothing, the mark of a deleted document, or a document. */
type Found<V> = Document<V> | 'deleted' | undefined

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

  const atBackend = async <T>(operation: (store: SharedStore) => Promise<T>): Promise<T> => {
    if (core.closed.signal.aborted) throw closedError()
    await settled()
    const { link } = core.home
    try {
      return await (link === undefined ? operation(memory) : link.call(operation))
    } catch (error) {
      if (core.closed.signal.aborted) throw closedError()
      reportError(core, 'document', error)
      throw error
    }
  }

  /** Deleted here, and the backend has not heard of it yet. */
  const isPending = (full: string): boolean => core.home.outbox.find(documentTarget(full)) !== undefined

  const decode = async (full: string, record: StoredRecord | undefined): Promise<Found<V>> => {
    if (record === undefined) return undefined
    try {
      const head = decodeRecord(record.bytes)
      if (head === undefined || head.key !== full) throw new PalierError('PALIER_DAMAGED', 'a document is damaged')
      if (head.mark === 0) return 'deleted'
      const snapshot = await core.codec.decode(head.payload, head.form, head.size)
      return { value: readValue(snapshot) as V, version: head.mark, remaining: record.remaining }
    } catch (error) {
      reportError(core, 'document', error)
      return undefined
    }
  }

  const encode = async (full: string, { value, ttl }: Revision<V>, version: number): Promise<Uint8Array> => {
    toMilliseconds('ttl', ttl)
    const encoded = await core.codec.encode(takeSnapshot(value, core.limits), { compressAbove: 1024 })
    const { form, size, payload } = encoded
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
    const { record } = await atBackend(store => store.claim(full, claim))
    const before = await decode(full, record)
    const release = (): void => void atBackend(store => store.release(full, token)).catch(() => undefined)
    if (before === 'deleted' || isPending(full)) {
      release()
      return { now: undefined }
    }
    try {
      const next = decide(before)
      if (next === undefined) {
        release()
        return { now: before }
      }
      const version = (before?.version ?? 0) + 1
      const bytes = await encode(full, next, version)
      if (!(await atBackend(store => store.commit(full, token, bytes, next.ttl)))) return undefined
      return { now: { value: readValue(takeSnapshot(next.value, core.limits)) as V, version, remaining: next.ttl } }
    } catch (error) {
      release()
      throw error
    }
  }

  return {
    async read(id) {
      const full = fullOf(id)
      const found = await decode(full, await atBackend(store => store.get(full)))
      return found === 'deleted' || isPending(full) ? undefined : found
    },
    async change(id, decide) {
      const full = fullOf(id)
      for (let tries = 0; tries < TRIES; tries++) {
        const done = await attempt(full, decide)
        if (done !== undefined) return done.now
        if (tries >= AT_ONCE) await pause(core.clock, Math.ceil(Math.random() * LONGEST_REST))
      }
      throw new PalierError('PALIER_STORE_FAILED', `a document of "${name}" is changed by others without end`)
    },
    async delete(id): Promise<Receipt> {
      const full = fullOf(id)
      if (core.closed.signal.aborted) throw closedError()
      await core.settled
      const { home } = core
      if (home.link !== undefined) return { local: true, shared: await invalidate(core, home, [documentTarget(full)]) }
      await memory.set(full, markOf(core, full), MARK_TTL)
      return { local: true, shared: 'none' }
    },
    async *all() {
      await atBackend(() => Promise.resolve())
      const store = core.home.link?.store ?? memory
      for await (const keys of store.scan(prefix)) {
        for (let from = 0; from < keys.length; from += BATCH) {
          const some = keys.slice(from, from + BATCH)
          const records = await atBackend(one => one.getMany(some))
          const found = await Promise.all(some.map((full, i) => decode(full, records[i])))
          yield some.flatMap((full, i) => {
            const one = found[i]
            return one === undefined || one === 'deleted' || isPending(full)
              ? []
              : [{ ...one, id: full.slice(prefix.length) }]
          })
        }
      }
    },
  }
}
