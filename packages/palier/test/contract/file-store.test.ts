import { afterAll, describe, test } from 'vitest'
import { manualClock } from '../../src/testing/clock.ts'
import { storeContract } from '../../src/testing/store-contract.ts'
import { busContract } from '../../src/testing/bus-contract.ts'
import { type FileStoreOptions, fileStore } from '../../src/stores/file/store.ts'
import { freshDir } from '../support/file-store.ts'

const leftovers: (() => void)[] = []
afterAll(() => {
  for (const remove of leftovers) remove()
})

const WAYS: readonly (readonly [string, Omit<FileStoreOptions, 'dir'>])[] = [
  ['sync', { io: 'sync' }],
  ['async', { io: 'async' }],
  ['durable and without eviction', { io: 'sync', evict: false, durable: true }],
]

for (const [name, options] of WAYS) {
  describe(`the file store keeps the store contract, ${name}`, () => {
    const make = async () => {
      const { dir, remove } = freshDir()
      leftovers.push(remove)
      const clock = manualClock()
      const store = fileStore({ dir, ...options, clock })
      const opened = [store]
      return {
        store,
        async second() {
          const other = fileStore({ dir, ...options, clock })
          opened.push(other)
          return other
        },
        passTime: (ms: number) => clock.advance(ms),
        realTime: false,
        async close() {
          await Promise.all(opened.map(each => each.close()))
          remove()
        },
      }
    }
    for (const each of storeContract(make)) test(each.name, each.run)
  })
}

describe('the journal keeps the bus contract', () => {
  const make = async () => {
    const { dir, remove } = freshDir()
    leftovers.push(remove)
    const clock = manualClock()
    const stores = [fileStore({ dir, clock }), fileStore({ dir, clock })] as const
    const [first, second, other] = [stores[0].openBus('c'), stores[1].openBus('c'), stores[1].openBus('other')]
    return {
      first,
      second,
      other,
      async settle(until: () => boolean) {
        for (let round = 0; !until(); round++) {
          if (round === 100) throw new Error('not so after 100 rounds')
          await clock.advance(100)
          for (const bus of [first, second, other]) bus.poll()
        }
      },
      async close() {
        await Promise.all([first, second, other].map(bus => bus.close()))
        await Promise.all(stores.map(store => store.close()))
        remove()
      },
    }
  }
  // Nothing stands between a cache and its journal that could be cut: file-bus.test.ts takes the directory away.
  for (const each of busContract(make)) if (each.needs === undefined) test(each.name, each.run)
})
