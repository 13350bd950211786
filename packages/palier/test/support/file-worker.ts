import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs'
import { decodeRecord, recordHead } from '../../src/record.ts'
import { fileStore } from '../../src/stores/file/store.ts'
import { fileRecord, textOf } from './file-store.ts'

/*
 * What several processes do to one directory at the same time. `file-worker.ts MODE DIR NUMBER MILLISECONDS SCRATCH`
 * prints `ready`, works for so long at least once a line came in, and prints what it saw as one line of JSON.
 */
const [mode = '', dir = '', number = '0', duration = '1000', scratch = ''] = process.argv.slice(2)
const id = Number(number)
const KEYS = ['k0', 'k1', 'k2']
const LONG = 600_000
const problems: string[] = []
const counts: Record<string, number> = {}

const count = (what: string): void => {
  counts[what] = (counts[what] ?? 0) + 1
}
const pick = (limit: number): number => Math.floor(Math.random() * limit)
const pause = (ms: number): Promise<void> => new Promise(resolve => void setTimeout(resolve, ms))

const options = mode === 'churn' ? { maxBytes: 16 * 1024 * 1024, maxFiles: 5_000 } : {}
const store = fileStore({
  dir,
  ...options,
  onEvent(event) {
    if (event.kind === 'fault' && event.fault !== 'full') problems.push(`${event.operation}: ${String(event.cause)}`)
  },
})

/** Adds one to a counter kept in a record: only the holder of the lease may, so no commit that is true is ever lost. */
async function counter(key: string): Promise<void> {
  const token = `${id}-${Math.random()}`
  const before = await store.get(key)
  const claimed = await store.claim(key, {
    token,
    ttl: pick(20) === 0 ? 1 : LONG,
    ...(before === undefined ? {} : { seen: recordHead(before.bytes) }),
    ...(pick(10) === 0 ? { steal: true } : {}),
  })
  if (!claimed.granted) return count('refused')
  const record = claimed.record && decodeRecord(claimed.record.bytes)
  const value = record === undefined ? 0 : Number(textOf(record.payload))
  if (pick(4) === 0) await pause(pick(3))
  if (pick(10) === 0) {
    await store.release(key, token)
    return count('released')
  }
  const done = await store.commit(key, token, fileRecord(key, String(value + 1)), LONG)
  count(done ? `committed ${key}` : 'lost')
}

/**
 * The source of a key is a file that only grows; its version is its length. Whoever changes it deletes the key and
 * then notes the version in its own slot. From then on no reader may see an older one.
 */
const SLOTS = 8
const sourceOf = (key: string): number => openSync(`${scratch}/source-${key}`, 'a+', 0o600)
const sources = new Map(mode === 'source' || mode === 'writer' ? KEYS.map(key => [key, sourceOf(key)]) : [])
const slots = mode === 'source' || mode === 'writer' ? openSync(`${scratch}/slots`, 'r+') : -1

const versionOf = (key: string): number => fstatSync(sources.get(key) ?? -1).size

function promisedVersion(key: string): number {
  const bytes = Buffer.alloc(8 * SLOTS)
  readSync(slots, bytes, 0, bytes.length, KEYS.indexOf(key) * bytes.length)
  return Math.max(...Array.from({ length: SLOTS }, (_, i) => bytes.readDoubleBE(i * 8)))
}

function promise(key: string, version: number): void {
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleBE(version)
  writeSync(slots, bytes, 0, 8, (KEYS.indexOf(key) * SLOTS + id) * 8)
}

async function change(key: string, byset: boolean): Promise<void> {
  writeSync(sources.get(key) ?? -1, '.')
  const version = versionOf(key)
  if (byset) await store.set(key, fileRecord(key, String(version)), LONG)
  else await store.delete([key])
  promise(key, version)
  count(byset ? 'set' : 'deleted')
}

async function check(key: string): Promise<void> {
  const promised = promisedVersion(key)
  const found = await store.get(key)
  if (found === undefined) return count('absent')
  const record = decodeRecord(found.bytes)
  if (record === undefined) return void problems.push('a torn record')
  const version = Number(textOf(record.payload))
  if (version < promised) problems.push(`${key}: read ${version} after ${promised} was promised`)
  count('read')
}

async function load(key: string): Promise<void> {
  const token = `${id}-${Math.random()}`
  const steal = pick(10) === 0
  const { granted } = await store.claim(key, { token, ttl: LONG, ...(steal ? { steal } : {}) })
  if (!granted) return count('refused')
  const version = versionOf(key)
  if (pick(3) === 0) await pause(pick(2))
  count((await store.commit(key, token, fileRecord(key, String(version)), LONG)) ? 'committed' : 'lost')
}

/** All change by deleting; in mode `writer` number 0 alone changes, and sets as well. */
async function source(key: string): Promise<void> {
  const act = pick(10)
  if (mode === 'writer' ? id === 0 : act < 2) await change(key, mode === 'writer' && act < 5)
  else if (act < 6) await load(key)
  else await check(key)
}

/** Writes and reads more than the budget holds. */
async function churn(): Promise<void> {
  const key = `churn:${pick(3_000)}`
  if (pick(2) === 0) {
    const found = await store.get(key)
    const record = found && decodeRecord(found.bytes)
    if (found !== undefined && record === undefined) problems.push('a torn record')
    else if (record !== undefined && textOf(record.payload) !== key) problems.push('a wrong value')
    return count(found === undefined ? 'miss' : 'hit')
  }
  if (pick(10) === 0) return store.delete([key])
  try {
    await store.set(key, fileRecord(key, key, pick(20) === 0 ? 300_000 : pick(30_000)), LONG)
    count('set')
  } catch {
    // The event told already what kind of refusal it was.
    count('refused')
    await pause(5)
  }
}

const MIB = 1024 * 1024

/** Numbers 0 and 1 write a mebibyte under one key, over and over; the others read it. */
async function large(): Promise<void> {
  if (id < 2) {
    await store.set('large', fileRecord('large', `${id}:${pick(1_000)}`, MIB), LONG)
    return count('set')
  }
  const found = await store.get('large')
  if (found === undefined) return count('absent')
  const record = decodeRecord(found.bytes)
  if (record?.payload.length !== MIB) problems.push('a torn record')
  count('read')
}

/** Steps that a lane takes at least, so that a busy machine makes a run longer and not emptier. */
const ENOUGH = mode === 'large' ? 50 : 300

async function work(): Promise<void> {
  const end = performance.now() + Number(duration)
  const lane = async (): Promise<void> => {
    for (let step = 0; step < ENOUGH || performance.now() < end; step++) {
      const key = KEYS[pick(KEYS.length)] ?? ''
      if (mode === 'counter') await counter(key)
      else if (mode === 'churn') await churn()
      else if (mode === 'large') await large()
      else await source(key)
      if (step % 20 === 0) await pause(0)
    }
  }
  await Promise.all([lane(), lane()])
}

/** Holds a lease, and writes until it is killed. */
async function victim(): Promise<void> {
  await store.claim('held', { token: `victim-${id}`, ttl: 1_000 })
  process.stdout.write('held\n')
  for (let i = 0; ; i++) {
    const key = `victim:${i % 20}`
    if (i % 3 === 0) await store.claim(key, { token: `${id}-${i}`, ttl: 100, steal: true })
    await store.set(key, fileRecord(key, key, 20_000), LONG)
    if (i % 50 === 0) await pause(0)
  }
}

process.stdout.write('ready\n')
process.stdin.once('data', () => {
  const run = async (): Promise<void> => {
    if (mode === 'victim') await victim()
    await work()
    for (const fd of sources.values()) closeSync(fd)
    await store.close()
    process.stdout.write(`${JSON.stringify({ problems: problems.slice(0, 10), counts })}\n`)
    process.stdin.destroy()
  }
  run().catch((error: unknown) => {
    process.stdout.write(`${JSON.stringify({ problems: [String(error)], counts })}\n`)
    process.exitCode = 1
    process.stdin.destroy()
  })
})
