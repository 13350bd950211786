import { spawn } from 'node:child_process'
import { once } from 'node:events'
import sync, {
  appendFileSync,
  promises as fs,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { fileStore } from '../../src/stores/file/store.ts'
import { manualClock } from '../../src/testing.ts'
import { freshDir, tree } from '../support/file-store.ts'
import { until } from '../support/redis-server.ts'

const LONG = 600_000
const ends: (() => unknown)[] = []
afterEach(async () => {
  vi.restoreAllMocks()
  for (const end of ends.splice(0).reverse()) await end()
})

/** A directory, a clock moved by hand, and as many stores on the two as are asked for. */
function setup() {
  const { dir, remove } = freshDir()
  const clock = manualClock()
  ends.push(remove)
  const open = (own = dir) => {
    const store = fileStore({ dir: own, clock })
    ends.push(() => store.close())
    return store
  }
  return { dir, clock, open, store: open() }
}

/** The directory of the one lock there is. */
function lockDir(dir: string): string {
  const [name, ...others] = readdirSync(join(dir, 'locks')).filter(each => !each.endsWith('.c'))
  if (name === undefined || others.length > 0) throw new Error(`locks: ${name} ${others.join(' ')}`)
  return join(dir, 'locks', name)
}

const numbers = (path: string): number[] =>
  readdirSync(path)
    .filter(name => name.startsWith('g.'))
    .map(name => Number(name.slice(2)))
    .sort((a, b) => a - b)

/** Puts a generation in front, as another process would: what the last one says, but for `change`. */
function forge(path: string, change: object): number {
  const last = numbers(path).at(-1) ?? 0
  const page = JSON.parse(readFileSync(join(path, `g.${last}`), 'utf8')) as { held: object }
  writeFileSync(join(path, `g.${last + 1}`), JSON.stringify({ ...page, held: { ...page.held, ...change } }))
  return last + 1
}

/** A process that is there and does nothing, as `/proc` shows it. */
async function bystander() {
  const child = spawn('sleep', ['1000'], { stdio: 'ignore' })
  ends.push(() => child.kill('SIGKILL'))
  await once(child, 'spawn')
  const pid = child.pid ?? 0
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  return { child, pid, born: stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '' }
}

describe('the owner of a lock in a directory', () => {
  test('holds it while its process lives, and no longer', async () => {
    const { dir, store, open } = setup()
    expect(await store.locks.acquire('job', 'a', LONG)).toBeGreaterThan(0)
    const { child, pid, born } = await bystander()
    const fence = forge(lockDir(dir), { pid, born })
    expect(await open().locks.acquire('job', 'b', LONG)).toBeUndefined()
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect(await open().locks.acquire('job', 'b', LONG)).toBe(fence + 1)
  })

  test('is dead when its number belongs to a process that was started at another time', async () => {
    const { dir, store, open } = setup()
    await store.locks.acquire('job', 'a', LONG)
    const { pid } = await bystander()
    forge(lockDir(dir), { pid, born: '1' })
    expect(await open().locks.acquire('job', 'b', LONG)).toBeGreaterThan(0)
  })

  test('is dead when it has ended and its parent has not asked how', async () => {
    const { dir, store, open } = setup()
    await store.locks.acquire('job', 'a', LONG)
    // The shell becomes a program that never asks for its child, which ends after that: a shell might ask.
    const parent = spawn('sh', ['-c', 'sleep 0.2 & echo $!; exec sleep 1000'], { stdio: ['ignore', 'pipe', 'ignore'] })
    ends.push(() => parent.kill('SIGKILL'))
    const [said] = (await once(parent.stdout, 'data')) as [Buffer]
    const stat = (): string[] => {
      const text = readFileSync(`/proc/${Number(said)}/stat`, 'latin1')
      return text.slice(text.lastIndexOf(')') + 2).split(' ')
    }
    await until('the child is a zombie', () => stat()[0] === 'Z')
    forge(lockDir(dir), { pid: Number(said), born: stat()[19] ?? '' })
    expect(await open().locks.acquire('job', 'b', LONG)).toBeGreaterThan(0)
  })

  test('on another machine holds it until nothing has changed for its ttl', async () => {
    const { dir, clock, store, open } = setup()
    await store.locks.acquire('job', 'a', LONG)
    const path = lockDir(dir)
    const away = { boot: 'another boot', time: 'another boot', owner: 'away', ttl: 10_000, until: 1 }
    forge(path, away)
    const other = open()
    expect(await other.locks.acquire('job', 'b', LONG)).toBeUndefined()
    await clock.advance(9_000)
    expect(await other.locks.acquire('job', 'b', LONG)).toBeUndefined()
    forge(path, away)
    await clock.advance(2_000)
    expect(await other.locks.acquire('job', 'b', LONG)).toBeUndefined()
    await clock.advance(9_999)
    expect(await other.locks.acquire('job', 'b', LONG)).toBeUndefined()
    await clock.advance(1)
    expect(await other.locks.acquire('job', 'b', LONG)).toBeGreaterThan(0)
  })

  test('in another container of this machine holds it until its time is over', async () => {
    const { dir, clock, store, open } = setup()
    await store.locks.acquire('job', 'a', 10_000)
    forge(lockDir(dir), { space: 'pid:[1]', pid: 999_999_999 })
    expect(await open().locks.acquire('job', 'b', LONG)).toBeUndefined()
    await clock.advance(10_001)
    expect(await open().locks.acquire('job', 'b', LONG)).toBeGreaterThan(0)
  })

  test('loses it when the directory is removed under it', async () => {
    const { dir, store, open } = setup()
    const fence = (await store.locks.acquire('job', 'a', LONG)) ?? 0
    rmSync(dir, { recursive: true })
    expect(await store.locks.renew('job', 'a', LONG)).toBe(false)
    expect(await store.locks.release('job', 'a')).toBe(false)
    expect((await store.limits.take('key', { limit: 1, window: LONG }, 1)).allowed).toBe(true)
    rmSync(dir, { recursive: true })
    expect(await store.locks.acquire('job', 'b', LONG)).toBeGreaterThan(0)
    expect(await open().locks.acquire('job', 'c', LONG)).toBeUndefined()
    expect(fence).toBeGreaterThan(0)
  })

  test('is unknown when its generation cannot be read, and then has a minute', async () => {
    const { dir, clock, store, open } = setup()
    await store.locks.acquire('job', 'a', LONG)
    const path = lockDir(dir)
    const last = numbers(path).at(-1) ?? 0
    for (const text of ['', '{"v":1,"held":{"bo', '{"v":2}']) {
      writeFileSync(join(path, `g.${last + 1}`), text)
      const other = open()
      expect(await other.locks.acquire('job', 'b', LONG)).toBeUndefined()
      await clock.advance(59_999)
      expect(await other.locks.acquire('job', 'b', LONG)).toBeUndefined()
    }
    const other = open()
    expect(await other.locks.acquire('job', 'b', LONG)).toBeUndefined()
    await clock.advance(60_001)
    expect(await other.locks.acquire('job', 'b', LONG)).toBe(last + 2)
  })
})

describe('the generations of a lock', () => {
  test('are a bounded number of private files, and nothing else stays', async () => {
    const { dir, store } = setup()
    for (let i = 0; i < 50; i++) {
      await store.locks.acquire('job', 'a', LONG)
      await store.locks.renew('job', 'a', LONG)
      await store.locks.release('job', 'a')
    }
    const path = lockDir(dir)
    expect(readdirSync(path).every(name => name.startsWith('g.'))).toBe(true)
    expect(numbers(path).length).toBeLessThanOrEqual(31)
    expect(statSync(path).mode & 0o777).toBe(0o700)
    expect(statSync(join(path, `g.${numbers(path)[0]}`)).mode & 0o777).toBe(0o600)
  })

  test('refuse a process that was stopped before its link while the name it wants was made and removed', async () => {
    const { dir, store, open } = setup()
    await store.locks.acquire('job', 'a', LONG)
    await store.locks.release('job', 'a')
    const late = open()
    await late.get('-')
    const link = fs.link
    let go = (): void => {}
    const stopped = new Promise<void>(resolve => {
      vi.spyOn(fs, 'link').mockImplementationOnce(async (from, to) => {
        resolve()
        await new Promise<void>(resume => {
          go = resume
        })
        return link(from, to)
      })
    })
    const asked = late.locks.acquire('job', 'late', LONG)
    await stopped
    for (let i = 0; i < 40; i++) {
      await store.locks.acquire('job', 'a', LONG)
      await store.locks.release('job', 'a')
    }
    const fence = (await store.locks.acquire('job', 'a', LONG)) ?? 0
    go()
    expect(await asked).toBeUndefined()
    expect(await store.locks.renew('job', 'a', LONG)).toBe(true)
    expect(numbers(lockDir(dir)).at(-1)).toBe(fence + 1)
    expect(numbers(lockDir(dir)).length).toBeLessThanOrEqual(31)
  })

  test('begin anew, above the old, when a lock was not used for long and is taken away', async () => {
    const { dir, clock, store, open } = setup()
    const first = (await store.locks.acquire('old', 'a', LONG)) ?? 0
    await store.locks.release('old', 'a')
    const path = lockDir(dir)
    await store.locks.acquire('held', 'a', LONG * 100)
    const hours = (count: number): number => Date.now() / 1000 - count * 3_600
    writeFileSync(join(path, 't.left-behind'), '')
    utimesSync(join(path, 't.left-behind'), hours(2), hours(2))
    for (const name of readdirSync(join(dir, 'locks'))) utimesSync(join(dir, 'locks', name), hours(2), hours(2))
    await store.locks.acquire('other', 'a', LONG)
    await clock.advance(61_000)
    await store.locks.release('other', 'a')
    expect(readdirSync(join(dir, 'locks'))).toHaveLength(2)
    expect(await open().locks.acquire('held', 'b', LONG)).toBeUndefined()
    expect(await open().locks.acquire('old', 'b', LONG)).toBeGreaterThan(first + 1)
  })
})

describe('the limits of a directory', () => {
  const rate = { limit: 3, window: LONG }
  const MARKER = `${crc32('m').toString(16).padStart(8, '0')} m\n`

  /** The newest log of the only key there is. */
  function logOf(dir: string): { readonly name: string; readonly n: number; readonly path: string } {
    const [last = ''] = readdirSync(join(dir, 'limits')).sort((a, b) => Number(b.slice(3)) - Number(a.slice(3)))
    return { name: last.slice(0, 2), n: Number(last.slice(3)), path: join(dir, 'limits', last) }
  }

  test('need a bounded number of small private files without the keys in them, and forget keys asked for long ago', async () => {
    const { dir, clock } = setup()
    const store = fileStore({ dir, clock, maxBytes: 1024 * 1024 })
    ends.push(() => store.close())
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 2_000; i++) await store.limits.take(`secret-${round}-${i}`, rate, 1)
      const files = readdirSync(join(dir, 'limits'))
      expect(files.length).toBeLessThanOrEqual(2 * 32)
      let bytes = 0
      for (const name of files) {
        expect(readFileSync(join(dir, 'limits', name), 'utf8')).not.toContain('secret')
        const { mode, size } = statSync(join(dir, 'limits', name))
        expect(mode & 0o777).toBe(0o600)
        bytes += size
      }
      expect(bytes).toBeLessThan(32 * 10_000)
      await clock.advance(LONG)
    }
    expect((await store.limits.take('secret-2-1999', rate, 0)).remaining).toBe(2)
    expect((await store.limits.take('secret-2-0', rate, 0)).remaining).toBe(3)
  })

  test('are the same for all processes through any number of logs', async () => {
    const { dir, clock, open } = setup()
    const small = () => {
      const store = fileStore({ dir, clock, maxBytes: 1024 * 1024 })
      ends.push(() => store.close())
      return store.limits
    }
    const [one, two, three] = [small(), small(), small()]
    const wide = { limit: 400, window: LONG }
    const taken: Promise<boolean>[] = []
    for (let i = 0; i < 400; i++) {
      for (const limits of [one, two, three]) taken.push(limits.take('key', wide, 1).then(each => each.allowed))
    }
    expect((await Promise.all(taken)).filter(Boolean)).toHaveLength(400)
    expect(logOf(dir).n).toBeGreaterThan(3)
    expect((await open().limits.take('key', wide, 0)).remaining).toBe(0)
  })

  test('go on after a process was killed between ending a log and making the next', async () => {
    const { dir, store, open } = setup()
    await store.limits.take('key', rate, 2)
    const { n, path } = logOf(dir)
    appendFileSync(path, MARKER)
    appendFileSync(path, readFileSync(path))
    expect((await open().limits.take('key', rate, 1)).remaining).toBe(0)
    expect((await store.limits.take('key', rate, 1)).allowed).toBe(false)
    expect(logOf(dir).n).toBe(n + 1)
  })

  test('count a request in the next log when the old one was ended just before it was written', async () => {
    const { dir, store, open } = setup()
    await store.limits.take('key', rate, 1)
    const { name, n, path } = logOf(dir)
    const write = sync.writeSync as (fd: number, line: Buffer) => number
    vi.spyOn(sync, 'writeSync').mockImplementationOnce((fd, line) => {
      const counted = readFileSync(path)
      appendFileSync(path, MARKER)
      writeFileSync(join(dir, 'limits', `${name}.${n + 1}`), counted)
      return write(fd, line as unknown as Buffer)
    })
    expect((await store.limits.take('key', rate, 1)).remaining).toBe(1)
    expect((await open().limits.take('key', rate, 0)).remaining).toBe(1)
  })

  test('leave a log alone that another process made first, with what it has counted there', async () => {
    const { dir, store, open } = setup()
    await store.limits.take('key', rate, 1)
    const { name, n, path } = logOf(dir)
    const counted = readFileSync(path)
    appendFileSync(path, MARKER)
    const link = sync.linkSync
    vi.spyOn(sync, 'linkSync').mockImplementationOnce((from, to) => {
      writeFileSync(join(dir, 'limits', `${name}.${n + 1}`), Buffer.concat([counted, counted]))
      link(from, to)
    })
    expect((await store.limits.take('key', rate, 1)).remaining).toBe(0)
    expect((await open().limits.take('key', rate, 0)).remaining).toBe(0)
    expect(readdirSync(join(dir, 'limits'))).toEqual([`${name}.${n + 1}`])
  })

  test('count what another process could write only in part once, and what was glued to it as well', async () => {
    const { dir, store, open } = setup()
    await store.limits.take('key', rate, 1)
    const { path } = logOf(dir)
    appendFileSync(path, readFileSync(path).subarray(0, 40))
    expect((await store.limits.take('key', rate, 1)).remaining).toBe(1)
    expect((await open().limits.take('key', rate, 1)).remaining).toBe(0)
  })

  test('lose what was counted when a log is damaged or removed, and go on', async () => {
    const { dir, store } = setup()
    await store.limits.take('key', rate, 2)
    writeFileSync(logOf(dir).path, 'x\0nothing')
    expect((await store.limits.take('key', rate, 1)).remaining).toBe(2)
    rmSync(logOf(dir).path)
    expect((await store.limits.take('key', rate, 1)).remaining).toBe(2)
    expect((await store.limits.take('key', rate, 1)).remaining).toBe(1)
  })

  test('never meet in a first log that was made anew while the others had gone on', async () => {
    const { dir, store, open } = setup()
    await store.limits.take('key', rate, 2)
    const { name, n, path } = logOf(dir)
    const late = open()
    await late.get('-')
    const list = sync.readdirSync
    // The late one saw no log; before it makes the first, the others are at the second.
    vi.spyOn(sync, 'readdirSync')
      .mockImplementationOnce(list)
      .mockImplementationOnce(() => {
        sync.renameSync(path, join(dir, 'limits', `${name}.${n + 1}`))
        return []
      })
    expect((await late.limits.take('key', rate, 1)).remaining).toBe(0)
    expect(readdirSync(join(dir, 'limits'))).toEqual([`${name}.${n + 1}`])
  })

  test('do not keep anybody waiting for a clock that was turned back', async () => {
    const { clock, store } = setup()
    await store.limits.take('key', rate, 3)
    clock.jumpWall(-10 * LONG)
    const { allowed, retryAfter } = await store.limits.take('key', rate, 1)
    expect([allowed, retryAfter <= 2 * LONG]).toEqual([false, true])
    await clock.advance(retryAfter)
    expect((await store.limits.take('key', rate, 1)).allowed).toBe(true)
  })

  test('keep their counts through any number of logs, and for a store that comes later', async () => {
    const { dir, store, open } = setup()
    const first = open()
    for (let i = 1; i <= 3_000; i++) {
      const one = i % 2 === 0 ? store : first
      expect((await one.limits.count('key', LONG, 1)).count).toBe(i)
    }
    expect(logOf(dir).n).toBeGreaterThan(1)
    expect((await open().limits.count('key', LONG, -1)).count).toBe(2_999)
    expect(readFileSync(logOf(dir).path, 'utf8')).not.toContain('key')
  })

  test('end a count in time when the clock was turned back', async () => {
    const { clock, store, open } = setup()
    await store.limits.count('key', LONG, 3)
    clock.jumpWall(-10 * LONG)
    expect(await open().limits.count('key', LONG, 0)).toEqual({ count: 3, resetAfter: LONG })
    expect(await store.limits.count('key', LONG, 1)).toEqual({ count: 4, resetAfter: LONG })
    await clock.advance(LONG)
    expect((await store.limits.count('key', LONG, 1)).count).toBe(1)
  })

  test('are not shown among the entries of the store', async () => {
    const { dir, store } = setup()
    await store.limits.take('key', rate, 1)
    await store.locks.acquire('job', 'a', LONG)
    expect(await store.usage('')).toEqual({ entries: 0, bytes: 0 })
    expect(tree(dir).some(name => name.startsWith('limits/'))).toBe(true)
  })
})
