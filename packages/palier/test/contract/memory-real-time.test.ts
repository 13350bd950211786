import { describe, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { storeContract } from '../../src/testing.ts'

async function underTest() {
  const store = memoryStore()
  return {
    store,
    second: async () => store.connect(),
    async passTime(ms: number) {
      const until = systemClock.now() + ms
      while (systemClock.now() < until) await new Promise(resolve => void setTimeout(resolve, 5))
    },
    realTime: true,
    close: () => store.close(),
  }
}

describe('the memory store keeps the contract on the real clock too', () => {
  for (const { name, run } of storeContract(underTest)) test.concurrent(name, run)
})
