import { execFileSync } from 'node:child_process'
import { closeSync, mkdirSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { PalierError } from '../../src/errors.ts'
import type { SharedStore } from '../../src/store.ts'
import { fileRecord, tree, watchedStore } from './file-store.ts'
import { until } from './redis-server.ts'

/*
 * Full and read-only disks, real ones, and a process without file handles. A disk is a small file system in memory,
 * mounted in a mount namespace of this process alone, so that it is gone with it however it ends. `file-mounts.ts SCENARIO DIR` prints what happened as JSON.
 */
const [scenario = '', dir = ''] = process.argv.slice(2)
const LONG = 600_000
const keys: readonly string[] = Array.from({ length: 60 }, (_, i) => `key:${i}`)

const mount = (...args: readonly string[]): void => void execFileSync('mount', args)

const outcome = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'done',
    (error: unknown) => (error instanceof PalierError ? error.code : `another error: ${String(error)}`),
  )

async function readable(store: SharedStore): Promise<number> {
  return (await store.getMany(keys)).filter(found => found !== undefined).length
}

/** Fills the disk with something that is not ours, by `fill`, and takes it away again with `free`. */
async function full(fill: () => void, free: () => void): Promise<Record<string, unknown>> {
  const { store, events } = watchedStore({ dir })
  for (const key of keys) await store.set(key, fileRecord(key, key, 3_000), LONG)
  fill()
  const refused = await outcome(store.set('late', fileRecord('late', 'x', 200_000), LONG))
  const entriesWhileFull = await readable(store)
  const claimed = await outcome(store.claim('key:absent', { token: 't', ttl: 1_000 }))
  const deleted = await outcome(store.delete(['key:1', 'key:2']))
  const gone = (await store.getMany(['key:1', 'key:2'])).every(found => found === undefined)
  await until('the sweep that the refusal asked for is over', () => events.some(({ kind }) => kind === 'swept'))
  const swept = events.flatMap(event => (event.kind === 'swept' ? [event.swept.evicted] : []))[0] ?? 0
  free()
  await until(
    'it is written again',
    async () => (await outcome(store.set('late', fileRecord('late', 'x'), LONG))) === 'done',
  )
  const faults = [...new Set(events.flatMap(event => (event.kind === 'fault' ? [event.fault] : [])))]
  await store.close()
  const leftovers = tree(dir).filter(name => /\.[tc]\/?$/.test(name))
  return { refused, entriesWhileFull, claimed, deleted, gone, evictedSome: swept > 0, faults, leftovers }
}

async function fullOfBytes(): Promise<Record<string, unknown>> {
  mount('-t', 'tmpfs', '-o', 'size=4m,mode=0700', 'none', dir)
  const ballast = `${dir}/ballast`
  const fill = (): void => {
    try {
      writeFileSync(ballast, Buffer.alloc(8 * 1024 * 1024))
    } catch {
      // Full is what it was to become.
    }
  }
  return full(fill, () => rmSync(ballast))
}

async function fullOfFiles(): Promise<Record<string, unknown>> {
  mount('-t', 'tmpfs', '-o', 'size=64m,nr_inodes=400,mode=0700', 'none', dir)
  const ballast = `${dir}/ballast`
  const fill = (): void => {
    mkdirSync(ballast)
    try {
      for (let i = 0; i < 1_000; i++) writeFileSync(`${ballast}/${i}`, '')
    } catch {
      // Full is what it was to become.
    }
  }
  return full(fill, () => rmSync(ballast, { recursive: true }))
}

async function readOnly(): Promise<Record<string, unknown>> {
  mount('-t', 'tmpfs', '-o', 'size=4m,mode=0700', 'none', dir)
  const { store, events } = watchedStore({ dir })
  for (const key of keys) await store.set(key, fileRecord(key, key), LONG)
  mount('-o', 'remount,ro', dir)
  const other = watchedStore({ dir }).store
  const report = {
    set: await outcome(store.set('key:1', fileRecord('key:1', 'new'), LONG)),
    deletePresent: await outcome(store.delete(['key:1'])),
    deleteAbsent: await outcome(store.delete(['key:absent'])),
    entries: await readable(store),
    entriesOfANewStore: await readable(other),
    claimed: await outcome(store.claim('key:absent', { token: 't', ttl: 1_000 })),
    faults: [...new Set(events.flatMap(event => (event.kind === 'fault' ? [event.fault] : [])))],
    afterwards: '',
  }
  mount('-o', 'remount,rw', dir)
  report.afterwards = await outcome(store.delete(['key:1']))
  await store.close()
  await other.close()
  return report
}

async function outOfHandles(): Promise<Record<string, unknown>> {
  const { store, events } = watchedStore({ dir })
  for (const key of keys) await store.set(key, fileRecord(key, key), LONG)
  execFileSync('prlimit', ['--pid', String(process.pid), '--nofile=60:'])
  const held: number[] = []
  try {
    for (;;) held.push(openSync('/dev/null', 'r'))
  } catch {
    // None is left.
  }
  const report = {
    entries: await readable(store),
    claimed: await outcome(store.claim('key:1', { token: 't', ttl: 1_000 })),
    set: await outcome(store.set('key:1', fileRecord('key:1', 'new'), LONG)),
    deleted: await outcome(store.delete(['key:2'])),
    faults: [...new Set(events.flatMap(event => (event.kind === 'fault' ? [event.fault] : [])))],
    afterwards: 0,
  }
  for (const fd of held) closeSync(fd)
  report.afterwards = await readable(store)
  await store.close()
  return report
}

const scenarios: Readonly<Record<string, () => Promise<Record<string, unknown>>>> = {
  fullOfBytes,
  fullOfFiles,
  readOnly,
  outOfHandles,
}
const run = scenarios[scenario]
if (run === undefined) throw new Error(`no scenario ${scenario}`)
run().then(
  report => process.stdout.write(JSON.stringify(report)),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
    process.exitCode = 1
  },
)
