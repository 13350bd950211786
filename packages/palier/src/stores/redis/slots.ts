import type { Reply } from './port.ts'
import { placeName } from './target.ts'

/** A range of slots and the primary that holds it, as CLUSTER SLOTS tells. */
export interface Shard {
  readonly from: number
  readonly to: number
  readonly host: string
  readonly port: number
  /** The node's own name, which it keeps when its address changes. */
  readonly id: string
}

const SLOTS = 16_384

const textOf = (reply: Reply): string => (Buffer.isBuffer(reply) ? reply.toString('utf8') : String(reply ?? ''))
const listOf = (reply: Reply): readonly Reply[] => (Array.isArray(reply) ? (reply as readonly Reply[]) : [])

/** The answer to CLUSTER SLOTS. A node that does not know its own address stands for the one that was asked. */
export function shardsOf(reply: Reply, asked: string): Shard[] {
  const askedHost = asked.replace(/:\d+$/, '').replace(/^\[|\]$/g, '')
  return listOf(reply)
    .map(range => {
      const [from, to, primary] = listOf(range)
      const [host, port, id] = listOf(primary)
      const named = textOf(host)
      const isUnknown = named === '' || named === '?'
      return {
        from: Number(from),
        to: Number(to),
        host: isUnknown ? askedHost : named,
        port: Number(port),
        id: textOf(id),
      }
    })
    .filter(({ from, to, port }) => from >= 0 && to < SLOTS && port > 0)
}

/** The same text for the same nodes with the same slots, whatever the order of the answer. */
export function signatureOf(shards: readonly Shard[]): string {
  return shards
    .map(({ from, to, host, port, id }) => `${from}-${to} ${placeName({ host, port })} ${id}`)
    .sort()
    .join(', ')
}

/** The same text for the same primaries, whichever slots they hold. */
export function primariesOf(shards: readonly Shard[]): string {
  const names = new Set(shards.map(shard => `${placeName(shard)} ${shard.id}`))
  return [...names].sort().join(', ')
}

/** Which primary holds which slot, by `host:port`. */
export interface SlotMap {
  nameAt(slot: number): string | undefined
  names(): readonly string[]
  move(slot: number, name: string): void
  fill(shards: readonly Shard[]): void
}

export function createSlotMap(): SlotMap {
  let slots = new Array<string | undefined>(SLOTS)
  let names: readonly string[] = []
  return {
    nameAt: slot => slots[slot],
    names: () => names,
    move(slot, name) {
      slots[slot] = name
      if (!names.includes(name)) names = [...names, name]
    },
    fill(shards) {
      slots = new Array<string | undefined>(SLOTS)
      for (const shard of shards) slots.fill(placeName(shard), shard.from, shard.to + 1)
      names = [...new Set(shards.map(placeName))]
    },
  }
}
