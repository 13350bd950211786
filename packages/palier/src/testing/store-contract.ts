import type { ContractCase, StoreUnderTest } from './case.ts'
import { keyCases } from './store-keys.ts'
import { leaseCases } from './store-leases.ts'
import { modelCases } from './store-model.ts'
import { raceCases } from './store-races.ts'
import { recordCases } from './store-records.ts'

export interface StoreContractOptions {
  /** Where the randomised cases begin; by default different on each run and named when a case fails. */
  readonly seed?: number
}

/**
 * The rules of `SharedStore` as cases to run with any test runner. Each case calls `make` for an empty store and
 * closes it. The cases use real randomness only in the randomised ones, and no fixed waits but through `passTime`.
 */
export function storeContract(make: () => Promise<StoreUnderTest>, options: StoreContractOptions = {}): ContractCase[] {
  const seed = options.seed ?? Math.floor(Math.random() * 2 ** 32)
  const sentences = [...recordCases(), ...keyCases(), ...leaseCases(), ...raceCases(), ...modelCases(seed)]
  return sentences.map(([name, trial]) => ({
    name,
    async run() {
      const under = await make()
      try {
        await trial(under)
      } finally {
        await under.close()
      }
    },
  }))
}
