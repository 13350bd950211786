import { createHash, randomBytes } from 'node:crypto'
import { mkdir, open, readFile, rename, rm, stat, statfs, utimes, writeFile } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { webRootOf } from '../advice/disk.ts'
import { isErrno } from '../stores/file/errors.ts'
import { isNetwork } from '../stores/file/io.ts'
import type { Fact, StorageResult, Verdict } from './contract.ts'
import { errnoOf, readIfThere } from './files.ts'
import { startChild } from './processes.ts'
import { fact, type Room, sentence } from './room.ts'
import type { WordKey } from './words/en.ts'

/*
 * The fourteen tests of a directory. Each makes its own files in a directory of its own and says in one row what it
 * saw; an errno is a row, never an error.
 */

export interface Trial {
  readonly row: Fact
  readonly kind?: StorageResult['kind']
  readonly visibleAfter?: number
}

/** `place`: the directory of the tests. `dir`: the directory of the cache, above it. */
interface Bench {
  readonly room: Room
  readonly dir: string
  readonly place: string
}

type Test = (bench: Bench) => Promise<
  Omit<Trial, 'row'> & {
    readonly verdict: Verdict
    readonly key: WordKey
    readonly values?: Record<string, string | number>
    readonly evidence?: string
    readonly advice?: WordKey
  }
>

const FOUR_MEGABYTES = 4 * 2 ** 20

const wide = (place: string): string => join(place, randomBytes(6).toString('hex'))

async function create({ place }: Bench): ReturnType<Test> {
  const path = wide(place)
  await writeFile(path, 'palier', { flag: 'wx', mode: 0o600 })
  const good = (await readFile(path, 'utf8')) === 'palier'
  return { verdict: good ? 'good' : 'bad', key: good ? 'storage.create.good' : 'storage.create.bad' }
}

async function exclusive({ place }: Bench): ReturnType<Test> {
  const path = wide(place)
  const tries = await Promise.allSettled(Array.from({ length: 8 }, () => open(path, 'wx', 0o600)))
  const won = tries.filter(one => one.status === 'fulfilled')
  for (const one of won) await one.value.close()
  return won.length === 1
    ? { verdict: 'good', key: 'storage.exclusive.good' }
    : { verdict: 'bad', key: 'storage.exclusive.bad', values: { n: won.length } }
}

async function renameOver({ place }: Bench): ReturnType<Test> {
  const [from, to] = [wide(place), wide(place)]
  await writeFile(to, 'old', { mode: 0o600 })
  await writeFile(from, 'new', { mode: 0o600 })
  await rename(from, to)
  const good = (await readFile(to, 'utf8')) === 'new' && (await readIfThere(from)) === undefined
  return { verdict: good ? 'good' : 'bad', key: good ? 'storage.rename.good' : 'storage.rename.bad' }
}

async function visibility({ room, place }: Bench): ReturnType<Test> {
  const started = await startChild(room)
  if (!started.ok) return { verdict: 'unknown', key: started.why.key, values: { ...started.why.values } }
  try {
    const path = wide(place)
    await started.child.ask({ act: 'watch', path, within: 6000 })
    const began = Date.now()
    await writeFile(path, '', { mode: 0o600 })
    const at = await started.child.ask({ act: 'seen' })
    if (typeof at !== 'number') return { verdict: 'bad', key: 'storage.visible.never', values: { seconds: 6 } }
    const ms = Math.max(0, at - began)
    const late = ms > 1000
    return {
      verdict: late ? 'warning' : 'good',
      key: late ? 'storage.visible.late' : 'storage.visible.good',
      values: { ms },
      visibleAfter: ms,
    }
  } finally {
    await started.child.kill()
  }
}

async function granularity({ place }: Bench): ReturnType<Test> {
  const path = wide(place)
  await writeFile(path, '', { mode: 0o600 })
  const asked = 1_700_000_000.123
  await utimes(path, asked, asked)
  const { mtimeMs } = await stat(path)
  const off = Math.abs(mtimeMs - asked * 1000)
  if (off < 2) return { verdict: 'good', key: 'storage.mtime.good' }
  return { verdict: 'note', key: 'storage.mtime.coarse', values: { ms: Math.round(off) } }
}

async function skew({ place }: Bench): ReturnType<Test> {
  const path = wide(place)
  const before = Date.now()
  await writeFile(path, '', { mode: 0o600 })
  const { mtimeMs } = await stat(path)
  // Some disks keep whole seconds, and kernels give the time of their last tick.
  const off = mtimeMs < before ? Math.min(0, mtimeMs - before + 1000) : Math.max(0, mtimeMs - Date.now())
  const large = Math.abs(off) > 1000
  return large
    ? { verdict: 'warning', key: 'storage.skew.off', values: { ms: Math.round(off) } }
    : { verdict: 'good', key: 'storage.skew.good' }
}

async function unlinkOpen({ place }: Bench): ReturnType<Test> {
  const path = wide(place)
  await writeFile(path, 'palier', { mode: 0o600 })
  const handle = await open(path, 'r')
  try {
    await rm(path)
    const good = (await handle.readFile('utf8')) === 'palier'
    return { verdict: good ? 'good' : 'note', key: good ? 'storage.unlink.good' : 'storage.unlink.bad' }
  } finally {
    await handle.close()
  }
}

async function longName({ place }: Bench): ReturnType<Test> {
  const path = join(place, 'n'.repeat(200))
  await writeFile(path, '', { mode: 0o600 })
  return { verdict: 'good', key: 'storage.long.good', values: { n: 200 } }
}

async function modes({ place }: Bench): ReturnType<Test> {
  const path = wide(place)
  await writeFile(path, '', { mode: 0o600 })
  const dir = wide(place)
  await mkdir(dir, { mode: 0o700 })
  const [file, folder] = [(await stat(path)).mode & 0o777, (await stat(dir)).mode & 0o777]
  const good = (file & 0o077) === 0 && (folder & 0o077) === 0
  const values = { file: file.toString(8).padStart(4, '0'), dir: folder.toString(8).padStart(4, '0') }
  return { verdict: good ? 'good' : 'warning', key: good ? 'storage.mode.good' : 'storage.mode.open', values }
}

const MAGIC: Readonly<Record<number, StorageResult['kind']>> = {
  0x01021994: 'memory',
  0x858458f6: 'memory',
  0x794c7630: 'overlay',
}

async function kindOf({ place }: Bench): ReturnType<Test> {
  const { type } = await statfs(place)
  const kind = MAGIC[type] ?? ((await isNetwork(place)) ? 'network' : 'local')
  const verdict: Verdict = kind === 'local' ? 'good' : kind === 'network' ? 'warning' : 'note'
  return { verdict, key: `storage.kind.${kind}`, evidence: `statfs type 0x${type.toString(16)}`, kind }
}

async function bigWrite({ place }: Bench): ReturnType<Test> {
  const bytes = randomBytes(FOUR_MEGABYTES)
  const path = wide(place)
  const began = performance.now()
  await writeFile(path, bytes, { mode: 0o600, flush: true })
  const ms = Math.max(1, Math.round(performance.now() - began))
  const hash = (data: Buffer): string => createHash('sha256').update(data).digest('hex')
  const good = hash(await readFile(path)) === hash(bytes)
  const rate = Number((FOUR_MEGABYTES / 2 ** 20 / (ms / 1000)).toPrecision(2))
  return {
    verdict: good ? 'good' : 'bad',
    key: good ? 'storage.write.good' : 'storage.write.bad',
    values: { ms, rate },
  }
}

/** Quotas may speak up as late as `close`: what was closed without an error must be there in full. */
async function closing({ place }: Bench): ReturnType<Test> {
  const path = wide(place)
  const handle = await open(path, 'wx', 0o600)
  try {
    await handle.write(Buffer.alloc(64 * 1024, 1))
  } finally {
    await handle.close()
  }
  const { size } = await stat(path)
  const good = size === 64 * 1024
  return { verdict: good ? 'good' : 'bad', key: good ? 'storage.close.good' : 'storage.close.bad' }
}

/** The address a file of the directory would have; undefined when it is under no web root. */
function addressOf({ dir, room }: Bench): URL | undefined {
  const { baseUrl, webRoot } = room.options
  if (baseUrl === undefined) return undefined
  const named = webRootOf(dir)
  const root =
    webRoot ?? (named === undefined ? undefined : dir.slice(0, dir.indexOf(`${sep}${named}`) + named.length + 1))
  if (root === undefined || !`${dir}${sep}`.startsWith(`${root}${sep}`)) return undefined
  return new URL(
    `${baseUrl.replace(/\/$/, '')}/${dir
      .slice(root.length + 1)
      .split(sep)
      .map(encodeURIComponent)
      .join('/')}/`,
  )
}

async function exposed(bench: Bench): ReturnType<Test> {
  const { place, room } = bench
  const base = addressOf(bench)
  if (base === undefined) {
    const known = webRootOf(bench.dir) !== undefined
    return known
      ? { verdict: 'warning', key: 'storage.exposed.untold' }
      : { verdict: 'good', key: 'storage.exposed.outside' }
  }
  const name = randomBytes(12).toString('hex')
  await writeFile(join(place, `${name}.txt`), name, { mode: 0o644 })
  const url = new URL(`${place.slice(bench.dir.length + 1)}/${name}.txt`, base)
  const answer = await fetch(url, {
    redirect: 'manual',
    signal: AbortSignal.any([room.signal, AbortSignal.timeout(4000)]),
  })
  const shown = answer.ok && (await answer.text()).includes(name)
  return shown
    ? { verdict: 'bad', key: 'storage.exposed.yes', evidence: url.href, advice: 'storage.exposed.advice' }
    : { verdict: 'good', key: 'storage.exposed.no', values: { status: answer.status } }
}

/** Whether the directory is part of what a deploy replaces: a checkout, or the tree of the package. */
async function deploys({ dir, room }: Bench): ReturnType<Test> {
  const inside = `${dir}${sep}`.startsWith(`${room.directory}${sep}`)
  if (!inside) return { verdict: 'good', key: 'storage.deploy.outside' }
  const shape = room.saved.results.server?.shape
  if (shape === 'container' || shape === 'kubernetes') return { verdict: 'warning', key: 'storage.deploy.container' }
  return { verdict: 'note', key: 'storage.deploy.inside', evidence: room.directory }
}

export const TESTS: readonly (readonly [string, Test])[] = [
  ['create', create],
  ['exclusive', exclusive],
  ['rename', renameOver],
  ['visible', visibility],
  ['mtime', granularity],
  ['skew', skew],
  ['unlink', unlinkOpen],
  ['long', longName],
  ['mode', modes],
  ['kind', kindOf],
  ['write', bigWrite],
  ['close', closing],
  ['exposed', exposed],
  ['deploy', deploys],
]

/** Without these a cache cannot live in a directory. */
const NEEDED: readonly string[] = ['create', 'exclusive', 'rename', 'write', 'close']

export async function tryOut(id: string, test: Test, bench: Bench): Promise<Trial> {
  const label: WordKey = `storage.${id}` as WordKey
  try {
    const { verdict, key, values, evidence, advice, ...more } = await test(bench)
    const row = fact(id, verdict, label, sentence(key, values), {
      evidence,
      advice: advice === undefined ? undefined : sentence(advice),
    })
    return { row, ...more }
  } catch (error) {
    bench.room.signal.throwIfAborted()
    const full = isErrno(error, 'ENOSPC', 'EDQUOT')
    const verdict: Verdict = full || NEEDED.includes(id) ? 'bad' : 'unknown'
    const text = sentence(full ? 'storage.full' : NEEDED.includes(id) ? 'storage.refused' : 'cannotCheck', {
      errno: errnoOf(error),
    })
    return { row: fact(id, verdict, label, text) }
  }
}
