export { type NearOptions, nearStore } from './memory-near.ts'
export { type MemoryOptions, type MemoryStore, memoryStore } from './memory-shared.ts'
