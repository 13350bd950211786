import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  closeSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { PalierError } from '../../src/errors.ts'
import { openOutboxJournal } from '../../src/stores/file/outbox-journal.ts'
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

const fillWith = (ballast: string) => (): void => {
  try {
    writeFileSync(ballast, Buffer.alloc(8 * 1024 * 1024))
  } catch {
    // Full is what it was to become.
  }
}

async function fullOfBytes(): Promise<Record<string, unknown>> {
  mount('-t', 'tmpfs', '-o', 'size=4m,mode=0700', 'none', dir)
  return full(fillWith(`${dir}/ballast`), () => rmSync(`${dir}/ballast`))
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
    entriesWhenWritable: 0,
    afterwards: '',
    rewritten: 0,
  }
  mount('-o', 'remount,rw', dir)
  report.entriesWhenWritable = await readable(store)
  report.afterwards = await outcome(store.delete(['key:1']))
  await store.set('key:1', fileRecord('key:1', 'new'), LONG)
  report.rewritten = await readable(store)
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

/** As a user who may not write there; root may write everywhere. */
async function notAllowed(): Promise<Record<string, unknown>> {
  const { uid, gid } = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : lstatSync(dir)
  chmodSync(dirname(dir), 0o755)
  chownSync(dir, uid, gid)
  process.setgid?.(gid)
  process.setuid?.(uid)
  const { store } = watchedStore({ dir })
  const journal = openOutboxJournal({ dir, channel: 'c' })
  for (const key of keys) await store.set(key, fileRecord(key, key), LONG)
  const parts = [dir, ...['v1', 'state', 'bus'].map(name => `${dir}/${name}`)]
  const shards = readdirSync(`${dir}/v1`).map(name => `${dir}/v1/${name}`)
  for (const path of [...shards, ...parts]) chmodSync(path, 0o500)
  const report = {
    set: await outcome(store.set('key:2', fileRecord('key:2', 'new'), LONG)),
    deletePresent: await outcome(store.delete(['key:1'])),
    read: (await store.get('key:1')) === undefined ? 'absent' : 'read',
    others: await readable(store),
    journal: await outcome(journal.append(['k:1'])),
    afterwards: [] as string[],
  }
  for (const path of [...shards, ...parts]) chmodSync(path, 0o700)
  report.afterwards.push(await outcome(store.delete(['key:1'])))
  report.afterwards.push(await outcome(store.set('key:1', fileRecord('key:1', 'new'), LONG)))
  report.afterwards.push((await store.get('key:1')) === undefined ? 'absent' : 'read')
  await store.close()
  await journal.close()
  return report
}

async function manyTombstones(): Promise<Record<string, unknown>> {
  mount('-t', 'tmpfs', '-o', 'size=128m,mode=0700', 'none', dir)
  const { store } = watchedStore({ dir })
  const many = Array.from({ length: 10_100 }, (_, i) => `key:${i}`)
  for (const key of many) await store.set(key, fileRecord(key, key), LONG)
  mount('-o', 'remount,ro', dir)
  let refused = 0
  for (const key of many.slice(50)) if ((await outcome(store.delete([key]))) === 'PALIER_STORE_REFUSED') refused++
  const read = await readable(store)
  mount('-o', 'remount,rw', dir)
  await store.delete(many.slice(50))
  const report = { refused, read, readWhenWritten: (await store.getMany(many)).filter(one => one !== undefined).length }
  await store.close()
  return report
}

/** A journal that has a line when the disk fills up, and one that has none yet. */
async function journalFull(fill: () => void, free: () => void): Promise<Record<string, unknown>> {
  const large = 'x'.repeat(300_000)
  const journal = openOutboxJournal({ dir, channel: 'c' })
  await journal.append(['k:before'])
  fill()
  const refused = [await outcome(journal.append([`k:${large}`])), await outcome(journal.append([`k:${large}`, 'k:2']))]
  const fresh = openOutboxJournal({ dir, channel: 'c' })
  const freshRefused = await outcome(fresh.append([`k:${large}`]))
  const files = tree(`${dir}/outbox`).filter(name => !name.endsWith('/')).length
  free()
  const afterwards = await outcome(journal.append(['k:after']))
  await journal.close()
  const { lines } = await fresh.inherit()
  await fresh.close()
  return { refused, freshRefused, files, afterwards, inherited: lines }
}

async function journalFullOfBytes(): Promise<Record<string, unknown>> {
  mount('-t', 'tmpfs', '-o', 'size=1m,mode=0700', 'none', dir)
  return journalFull(fillWith(`${dir}/ballast`), () => rmSync(`${dir}/ballast`))
}

async function journalFullOfFiles(): Promise<Record<string, unknown>> {
  // Lines go on in the file that is there; what fails is to write so much into it.
  mount('-t', 'tmpfs', '-o', 'size=256k,nr_inodes=8,mode=0700', 'none', dir)
  return journalFull(
    () => {
      try {
        for (let i = 0; i < 10; i++) writeFileSync(`${dir}/ballast-${i}`, '')
      } catch {
        // Full is what it was to become.
      }
    },
    () => {
      for (const name of readdirSync(dir)) if (name.startsWith('ballast')) rmSync(`${dir}/${name}`)
    },
  )
}

async function journalReadOnly(): Promise<Record<string, unknown>> {
  mount('-t', 'tmpfs', '-o', 'size=1m,mode=0700', 'none', dir)
  const dead = openOutboxJournal({ dir, channel: 'c' })
  await dead.append(['k:dead'])
  await dead.close()
  mount('-o', 'remount,ro', dir)
  const journal = openOutboxJournal({ dir, channel: 'c' })
  const legacy = await journal.inherit()
  const refused = [await outcome(journal.append(['k:1'])), await outcome(legacy.settle())]
  const clear = await outcome(journal.clear())
  mount('-o', 'remount,rw', dir)
  const afterwards = [await outcome(legacy.settle()), await outcome(journal.append(['k:2']))]
  const left = tree(`${dir}/outbox`).filter(name => !name.endsWith('/')).length
  await journal.close()
  return { inherited: legacy.lines, refused, clear, afterwards, left }
}

const scenarios: Readonly<Record<string, () => Promise<Record<string, unknown>>>> = {
  fullOfBytes,
  fullOfFiles,
  readOnly,
  outOfHandles,
  notAllowed,
  manyTombstones,
  journalFullOfBytes,
  journalFullOfFiles,
  journalReadOnly,
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
