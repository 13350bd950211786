import { startChild } from './children.ts'
import type { Verdict } from './harness.ts'
import { HEAP_KEEPERS } from './heap-keepers.ts'
import type { HeapResult, HeapTask } from './memory-child.ts'
import { versionOf } from './surroundings.ts'
import type { RunOptions, Table, TableResult } from './table.ts'

const LRU = 'lru-cache with ttl'
const PALIER = 'palier'

async function run({ quick, say }: RunOptions): Promise<TableResult> {
  const entries = quick ? 20_000 : 1_000_000
  const results = new Map<string, HeapResult>()
  const chosen = quick ? HEAP_KEEPERS.filter(({ name }) => name === LRU || name === PALIER) : HEAP_KEEPERS
  for (const { name } of chosen) {
    say(`filling ${name} with ${entries} entries`)
    const task: HeapTask = { keeper: name, entries }
    const child = await startChild<HeapResult>('./memory-child.ts', task)
    results.set(name, await child.go())
  }
  const lru = results.get(LRU)
  const rows = HEAP_KEEPERS.flatMap(({ name, package: from }) => {
    const result = results.get(name)
    if (result === undefined || lru === undefined) return []
    const { bytesPerEntry, fillMs, kept, keptAfter, over, finished } = result
    return [
      [
        name,
        from === undefined ? '' : versionOf(from),
        bytesPerEntry.toFixed(0),
        `${(bytesPerEntry / lru.bytesPerEntry).toFixed(2)}x`,
        `${((fillMs * 1000) / entries).toFixed(2)} µs`,
        String(kept),
        keptAfter === undefined
          ? 'no bound'
          : finished
            ? String(keptAfter)
            : `${keptAfter}; given up after ${over} more`,
      ],
    ]
  })
  return {
    works: [],
    facts: [
      {
        name: 'memory of small entries',
        what: `heap of ${entries} entries of a short key and a small object, key and value included, each contestant in a process of its own; then a tenth more than the bound is put in`,
        columns: [
          'contestant',
          'version',
          'bytes per entry',
          'to lru-cache',
          'put, each',
          'kept',
          'kept, bound passed',
        ],
        rows,
        verdicts: verdicts(results, entries),
      },
    ],
    missing: [],
  }
}

function verdicts(results: ReadonlyMap<string, HeapResult>, entries: number): Verdict[] {
  const [own, lru] = [results.get(PALIER), results.get(LRU)]
  if (own === undefined || lru === undefined) return []
  const share = own.bytesPerEntry / lru.bytesPerEntry
  return [
    { text: 'palier needs no more than lru-cache with ttl', met: share <= 1, figure: `${share.toFixed(2)}x` },
    {
      text: 'the bound of entries is never passed',
      met: own.peak <= entries,
      figure: `${own.peak} of ${entries} at the most`,
    },
    {
      text: 'the bound of bytes is never passed, by the estimate of the library',
      met: own.bytes !== undefined && own.bytes.peak <= own.bytes.bound,
      figure:
        own.bytes === undefined
          ? 'not measured'
          : `${own.bytes.peak} of ${own.bytes.bound}; ${own.bytes.heap} on the heap`,
    },
  ]
}

export const memory: Table = { name: 'memory', title: 'Memory: bytes per entry, and whether bounds hold', run }
