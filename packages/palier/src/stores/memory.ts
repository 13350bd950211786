export { memoryGuards } from './memory-guards.ts'
export { nearStore } from './memory-near.ts'
export { type MemoryStore, memoryStore } from './memory-shared.ts'
