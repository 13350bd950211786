import type { Cache } from 'palier'
import type { TestRun } from './api.ts'

/** The last runs of the tests, newest first, for all processes. */
export interface Runs {
  /** Rejects with PALIER_STORE_* when the backend cannot answer. */
  read(): Promise<readonly TestRun[]>
  /** Resolves with those that were there before; rejects as `read` does. */
  add(run: TestRun): Promise<readonly TestRun[]>
}

const ID = 'runs'
const KEPT = 400 * 86_400_000
const MOST = 20

export function createRuns(cache: Pick<Cache, 'documents'>): Runs {
  const documents = cache.documents<readonly TestRun[]>('palier-console-tests')
  return {
    read: async () => (await documents.read(ID))?.value ?? [],
    async add(run) {
      let earlier: readonly TestRun[] = []
      await documents.change(ID, before => {
        earlier = before?.value ?? []
        return { value: [run, ...earlier].slice(0, MOST), ttl: KEPT }
      })
      return earlier
    },
  }
}
