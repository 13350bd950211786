import { PalierError } from '../../errors.ts'
import type { SharedStore, StoredRecord } from '../../store.ts'
import type { Commands } from './commands.ts'
import { isMoving } from './faults.ts'
import { encodeKey, slotOf, valueName } from './keys.ts'
import type { Port, Reply } from './port.ts'
import type { Scripts } from './scripts.ts'

/*
 * Reads in few commands. A record comes with its remaining time from one script, so the two belong together, and reads
 * asked for within one tick travel in one script call: many at once cost less than as many plain GETs.
 */

/** Keys of one script call: enough to make its cost vanish among them, few enough not to hold the server up. */
const CHUNK = 64

/** Positions in a list of keys. */
export type Part = readonly number[]

/** Groups of keys that may travel in one command: of one slot on a cluster, of bounded size anywhere. */
export function partsOf(encoded: readonly string[], isCluster: boolean, limit: number): Part[] {
  const parts: Part[] = []
  const open = new Map<number, number[]>()
  for (const [i, key] of encoded.entries()) {
    const slot = isCluster ? slotOf(key) : 0
    const part = open.get(slot)
    if (part !== undefined && part.length < limit) part.push(i)
    else {
      const fresh = [i]
      open.set(slot, fresh)
      parts.push(fresh)
    }
  }
  return parts
}

export function asRecord(value: Reply, remaining: Reply): StoredRecord | undefined {
  if (!Buffer.isBuffer(value)) return undefined
  const left = Number(remaining)
  return left > 0 ? { bytes: value, remaining: left } : undefined
}

export function listOf(reply: Reply): readonly Reply[] {
  if (!Array.isArray(reply)) throw new PalierError('PALIER_STORE_FAILED', 'redis gave an answer of the wrong shape')
  return reply as readonly Reply[]
}

interface Asked {
  readonly encoded: string
  resolve(record: StoredRecord | undefined): void
  reject(error: unknown): void
}

export function createReader(commands: Commands, scripts: Scripts, port: Port): Pick<SharedStore, 'get' | 'getMany'> {
  const readOne = (encoded: string): Promise<StoredRecord | undefined> =>
    commands
      .run(scripts.getOne, [valueName(encoded)], [])
      .then(reply => (reply === null ? undefined : asRecord(listOf(reply)[0], listOf(reply)[1])))

  async function readAll(encoded: readonly string[]): Promise<(StoredRecord | undefined)[]> {
    const records = new Array<StoredRecord | undefined>(encoded.length).fill(undefined)
    await commands.connected()
    const ask = async (part: Part): Promise<void> => {
      const names = part.map(i => valueName(encoded[i] ?? ''))
      try {
        const reply = listOf(await commands.run(scripts.get, names, []))
        for (const [n, i] of part.entries()) records[i] = asRecord(reply[2 * n], reply[2 * n + 1])
      } catch (error) {
        if (!isMoving(error)) throw error
        const each = await Promise.all(part.map(i => readOne(encoded[i] ?? '')))
        for (const [n, i] of part.entries()) records[i] = each[n]
      }
    }
    await Promise.all(partsOf(encoded, port.isCluster, CHUNK).map(ask))
    return records
  }

  let gathering: Asked[] = []

  /** Runs after the microtasks of the moment, so callers woken together are gathered too. */
  function flush(): void {
    const asked = gathering
    gathering = []
    const [first] = asked
    if (first !== undefined && asked.length === 1) {
      readOne(first.encoded).then(first.resolve, first.reject)
      return
    }
    readAll(asked.map(each => each.encoded)).then(
      records => {
        for (const [i, each] of asked.entries()) each.resolve(records[i])
      },
      (error: unknown) => {
        for (const each of asked) each.reject(error)
      },
    )
  }

  return {
    get(key) {
      const encoded = encodeKey(key)
      // On a cluster keys seldom share a slot, and the client gathers the commands per node itself.
      if (port.isCluster) return readOne(encoded)
      return new Promise((resolve, reject) => {
        if (gathering.length === 0) process.nextTick(flush)
        gathering.push({ encoded, resolve, reject })
      })
    },
    getMany: keys => readAll(keys.map(encodeKey)),
  }
}
