/**
 * What the library's own suite is made of, for the authors of stores and for applications that want to see how they
 * behave when a store fails: a clock moved by hand, the contracts as lists of cases, and a store that fails on demand.
 */
export { type BusUnderTest, busContract } from './testing/bus-contract.ts'
export type { ContractCase, StoreUnderTest } from './testing/case.ts'
export { type ManualClock, manualClock } from './testing/clock.ts'
export { type LimitContractOptions, limitContract, lockContract } from './testing/guard-contract.ts'
export { type FaultRule, type FaultTarget, type FaultyStore, faulty } from './testing/faulty.ts'
export { type Shrunk, shrink } from './testing/simulate/shrink.ts'
export { type Report, simulate, type SimulateOptions } from './testing/simulate/simulate.ts'
export { type StoreContractOptions, storeContract } from './testing/store-contract.ts'
export { nearStore } from './stores/memory.ts'
export type { NearRecord, NearSpace, NearStore } from './store.ts'
