import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm, rmdir } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { DISK_BUDGET, readDisk } from '../advice/disk.ts'
import { bytesText } from '../advice/words.ts'
import { badOption } from '../errors.ts'
import { claimDirectory } from '../stores/file/probe.ts'
import type { Fact, Quota, StorageInput, StorageResult } from './contract.ts'
import { type Room, sentence, fact } from './room.ts'
import type { Saved } from './state.ts'
import { TESTS, type Trial, tryOut } from './storage-tests.ts'

const PETABYTE = 2 ** 50
/** Two files more than the 500 that a store needs at least. */
const LEAST_FILES = 500
const LEAST_BYTES = 2 ** 20
/** A small entry and its share of the file system: two kilobytes rounded up to a block. */
const ENTRY_BYTES = 4096

function count(name: string, value: unknown, least: number): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least && value <= PETABYTE) return value
  throw badOption(name, `a whole number from ${least}`, value)
}

function checkedQuota(quota: Quota): Quota {
  for (const name of ['filesUsed', 'filesLimit', 'bytesUsed', 'bytesLimit'] as const) {
    if (quota[name] !== undefined) count(`quota.${name}`, quota[name], 0)
  }
  for (const unit of ['files', 'bytes'] as const) {
    const [used, limit] = [quota[`${unit}Used`], quota[`${unit}Limit`]]
    if (used !== undefined && limit !== undefined && used > limit) {
      throw badOption(`quota.${unit}Used`, `at most quota.${unit}Limit (${limit})`, used)
    }
  }
  return quota
}

/** What was given now over what was given before. Throws PALIER_BAD_OPTION. */
export function storageChoice(saved: Saved, { dir, quota, budget }: StorageInput): Saved['storage'] {
  if (dir !== undefined && (dir.trim() === '' || dir.includes('\0') || dir.length > 1000)) {
    throw badOption('dir', 'a path of 1 to 1000 characters', dir)
  }
  if (budget?.files !== undefined) count('budget.files', budget.files, LEAST_FILES)
  if (budget?.bytes !== undefined) count('budget.bytes', budget.bytes, LEAST_BYTES)
  return {
    ...saved.storage,
    ...(dir !== undefined && { dir: dir.trim() }),
    ...(quota !== undefined && { quota: checkedQuota(quota) }),
    ...(budget !== undefined && { budget }),
  }
}

function cacheDirectory({ directory, environment }: Room, choice: Saved['storage']): string {
  const named = choice.dir ?? environment['CACHE_DIR']
  return resolve(directory, named === undefined || named === '' ? join('.palier', 'cache') : named)
}

/** A tenth of what remains, but never more than a store takes by itself nor less than it needs. */
async function budgetOf(dir: string, { quota = {}, budget = {} }: Saved['storage']): Promise<StorageResult['budget']> {
  const disk = await readDisk(dir).catch(() => undefined)
  const left = (limit: number | undefined, used: number | undefined): number | undefined =>
    limit === undefined ? undefined : limit - (used ?? 0)
  const tenth = (room: number, most: number, least: number): number =>
    Math.max(least, Math.min(most, Math.floor(room / 10)))
  const filesLeft = left(quota.filesLimit, quota.filesUsed) ?? disk?.freeFiles ?? Number.POSITIVE_INFINITY
  const bytesLeft = left(quota.bytesLimit, quota.bytesUsed) ?? disk?.freeBytes ?? Number.POSITIVE_INFINITY
  const files = budget.files ?? tenth(filesLeft, DISK_BUDGET.maxFiles, LEAST_FILES)
  const bytes = budget.bytes ?? tenth(bytesLeft, DISK_BUDGET.maxBytes, LEAST_BYTES)
  const entries = Number(Math.min(files, Math.floor(bytes / ENTRY_BYTES)).toPrecision(2))
  const tight = files > filesLeft || bytes > bytesLeft
  const values = { n: entries, files, size: bytesText(bytes) }
  return { files, bytes, entries, text: sentence(tight ? 'storage.budget.tight' : 'storage.budget.is', values) }
}

/** The topmost of the directories that `mkdir` made is taken away again when nothing is in it. */
async function removeEmpty(dir: string, top: string | undefined): Promise<void> {
  if (top === undefined) return
  for (let path = dir; path.length >= top.length; path = dirname(path)) {
    const gone = await rmdir(path).then(
      () => true,
      () => false,
    )
    if (!gone) return
  }
}

async function runTests(room: Room, dir: string): Promise<readonly Trial[]> {
  const place = await mkdtemp(join(dir, `palier-setup-${randomBytes(3).toString('hex')}-`))
  await room.state.update(saved => ({ ...saved, litter: [...saved.litter, place] }))
  const trials: Trial[] = []
  try {
    for (const [id, test] of TESTS) {
      const trial = await tryOut(id, test, { room, dir, place })
      trials.push(trial)
      room.tell(trials.length / TESTS.length, trial.row.text, { fact: trial.row })
      room.signal.throwIfAborted()
    }
  } finally {
    await rm(place, { recursive: true, force: true, maxRetries: 3 })
    await room.state.update(saved => ({ ...saved, litter: saved.litter.filter(one => one !== place) }))
  }
  return trials
}

/** Makes the directory if need be, tests it and gives it a budget. */
export async function checkStorage(room: Room, input: StorageInput): Promise<StorageResult> {
  const choice = storageChoice(room.saved, input)
  const dir = cacheDirectory(room, choice)
  const budget = await budgetOf(dir, choice)
  const quota = choice.quota ?? {}
  const refused = (row: Fact): StorageResult => ({
    ...{ dir, usable: false, tests: [row], kind: 'unknown', visibleAfter: undefined, quota, budget },
  })
  // Why it cannot be made is what claiming it says.
  const made = await mkdir(dir, { recursive: true, mode: 0o700 }).catch(() => undefined)
  try {
    const claimed = await claimDirectory(dir)
    if (claimed !== undefined) {
      const text = sentence('storage.claim.refused', { why: claimed.why })
      return refused(fact('create', 'bad', 'storage.create', text, { evidence: claimed.hint }))
    }
    const trials = await runTests(room, dir)
    const tests = trials.map(one => one.row)
    return {
      dir,
      usable: tests.every(row => row.verdict !== 'bad'),
      tests,
      kind: trials.find(one => one.kind !== undefined)?.kind ?? 'unknown',
      visibleAfter: trials.find(one => one.visibleAfter !== undefined)?.visibleAfter,
      quota,
      budget,
    }
  } catch (error) {
    room.signal.throwIfAborted()
    const text = sentence('storage.refused', { errno: error instanceof Error ? error.message : 'unknown' })
    return refused(fact('create', 'bad', 'storage.create', text))
  } finally {
    await removeEmpty(dir, made)
  }
}
