import { describe, test } from 'vitest'
import { memoryStore } from '../../src/stores/memory.ts'
import { busContract, manualClock, storeContract } from '../../src/testing.ts'

async function underTest() {
  const clock = manualClock()
  const store = memoryStore({ clock })
  return {
    store,
    second: async () => store.connect(),
    passTime: (ms: number) => clock.advance(ms),
    realTime: false,
    close: () => store.close(),
  }
}

async function busesUnderTest() {
  const clock = manualClock()
  const store = memoryStore({ clock })
  const [first, second, other] = [store.openBus('c'), store.connect().openBus('c'), store.openBus('other')]
  return {
    first,
    second,
    other,
    async settle(until: () => boolean) {
      for (let turn = 0; turn < 100 && !until(); turn++) await clock.advance(10)
      if (!until()) throw new Error('what was awaited did not come about')
    },
    async close() {
      for (const bus of [first, second, other]) await bus.close()
      await store.close()
    },
  }
}

describe('the memory store keeps the contract of every shared store', () => {
  for (const { name, run } of storeContract(underTest)) test(name, run)
})

describe('the bus of the memory store keeps the contract of every bus', () => {
  // A call in the same process has no link that could break.
  for (const { name, needs, run } of busContract(busesUnderTest)) if (needs === undefined) test(name, run)
})
