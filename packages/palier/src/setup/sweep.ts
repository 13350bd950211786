import { namespacePrefix } from '../key.ts'
import type { SharedStore } from '../store.ts'

/** Takes away everything below a namespace of our own; entries would expire by themselves, stamps only after a month. */
export async function sweep(store: SharedStore, namespace: string): Promise<void> {
  try {
    for await (const keys of store.scan(namespacePrefix(namespace))) await store.delete(keys)
  } catch {
    // The store failed, which is told elsewhere; what it kept expires.
  }
}
