import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Journal } from '../../src/journal.ts'
import { openOutboxJournal } from '../../src/stores/file/outbox-journal.ts'
import { manualClock } from '../../src/testing/clock.ts'
import { freshDir, startWorker, tree, type Worker } from '../support/file-store.ts'

let base: string
let dir: string
let removeAll: () => void
let opened: Journal[]
let workers: Worker[]
let faults: string[]

beforeEach(() => {
  const fresh = freshDir()
  base = fresh.dir
  dir = join(base, 'cache')
  removeAll = fresh.remove
  opened = []
  workers = []
  faults = []
})

afterEach(async () => {
  await Promise.all(workers.map(worker => worker.kill()))
  await Promise.allSettled(opened.map(journal => journal.close()))
  removeAll()
})

function open(options: { readonly channel?: string; readonly ahead?: number } = {}): Journal {
  const clock = manualClock(Date.now() + (options.ahead ?? 0))
  const journal = openOutboxJournal({
    dir,
    channel: options.channel ?? 'c',
    clock,
    onFault: (operation, cause) => void faults.push(`${operation}: ${String(cause)}`),
  })
  opened.push(journal)
  return journal
}

async function startOther(): Promise<Worker> {
  const worker = await startWorker('file-outbox-worker.ts', [dir, 'c'])
  workers.push(worker)
  return worker
}

/** Lets another process append these lines and killed. */
async function leaveDead(lines: readonly string[]): Promise<void> {
  const worker = await startOther()
  expect(await worker.ask(`append ${lines.join(' ')}`)).toBe('"done"')
  await worker.kill()
}

const inherited = async (journal: Journal): Promise<readonly string[]> => (await journal.inherit()).lines

const files = (): string[] =>
  tree(join(dir, 'outbox'))
    .filter(name => !name.endsWith('/'))
    .map(name => join(dir, 'outbox', name))

function onlyFile(): string {
  const [file, ...others] = files()
  if (file === undefined || others.length > 0) throw new Error(`expected one file, found ${others.length + 1}`)
  return file
}

describe('the outbox journal', () => {
  test('makes nothing before the first line, and then for its owner alone', async () => {
    const journal = open()
    expect(await inherited(journal)).toEqual([])
    await journal.append([])
    await journal.clear()
    expect(existsSync(dir)).toBe(false)
    await journal.append(['k:a'])
    for (const name of tree(dir)) expect([name, lstatSync(join(dir, name)).mode & 0o077]).toEqual([name, 0])
    expect(lstatSync(dir).mode & 0o777).toBe(0o700)
    expect(files()).toHaveLength(1)
  })

  test('gives any text back as it was, each line once', async () => {
    const before = open()
    const lines = ['k:a\nb', 's:\u0000', 'p:["*"]', 'ключ 🔑', '', 'x'.repeat(200_000)]
    await Promise.all(lines.map(line => before.append([line, 'k:twice'])))
    await before.close()
    expect([...(await inherited(open()))].sort()).toEqual([...lines, 'k:twice'].sort())
  })

  test('is left to the next one by close, also in this process; settled lines are gone', async () => {
    const before = open()
    await before.append(['k:1', 'k:2'])
    await before.close()
    await before.close()
    const next = open()
    const legacy = await next.inherit()
    expect(legacy.lines).toEqual(['k:1', 'k:2'])
    expect(files()).toHaveLength(1)
    await legacy.settle()
    await legacy.settle()
    expect(files()).toEqual([])
    expect(await inherited(next)).toEqual([])
    await expect(before.append(['k:3'])).rejects.toMatchObject({ code: 'PALIER_CLOSED' })
  })

  test('forgets what was appended before clear and keeps what was appended after, however close', async () => {
    const journal = open()
    const done = [journal.append(['k:1']), journal.clear(), journal.append(['k:2']), journal.append(['k:3'])]
    await Promise.all(done)
    await journal.close()
    expect(await inherited(open())).toEqual(['k:2', 'k:3'])
  })

  test('leaves no file behind a clear', async () => {
    const journal = open()
    for (let i = 0; i < 3; i++) {
      await journal.append(['k:1'])
      await journal.clear()
      expect(files()).toEqual([])
    }
  })

  test('syncs appends made together once', async () => {
    const journal = open()
    await journal.append(['k:first'])
    // Behind a sync under way all the others wait, and share the next.
    const order: string[] = []
    await Promise.all(
      Array.from({ length: 500 }, async (_, i) => {
        await journal.append([`k:${i}`])
        order.push(`k:${i}`)
      }),
    )
    expect(order).toEqual(Array.from({ length: 500 }, (_, i) => `k:${i}`))
    await journal.close()
    expect(await inherited(open())).toHaveLength(501)
  })

  test('keeps channels apart', async () => {
    const before = open({ channel: 'c' })
    await before.append(['k:1'])
    await before.close()
    expect(await inherited(open({ channel: '../c' }))).toEqual([])
    expect(await inherited(open({ channel: 'c' }))).toEqual(['k:1'])
  })

  test('refuses options that make no sense', () => {
    expect(() => openOutboxJournal({ dir: '', channel: 'c' })).toThrow('dir')
  })
})

describe('between processes', () => {
  test('what was acknowledged is inherited when its process was killed, at any moment', async () => {
    for (let round = 0; round < 4; round++) {
      const worker = await startOther()
      let last = await worker.ask(`spam r${round} ${1 + round * 3}`)
      const acked = [last]
      for (let i = 0; i < 25 * round; i++) acked.push((last = await worker.next()))
      await worker.kill()
      const legacy = await open().inherit()
      expect(acked.filter(line => !legacy.lines.includes(line))).toEqual([])
      await legacy.settle()
    }
    expect(files()).toEqual([])
    expect(faults).toEqual([])
  })

  test("two that live do not take each other's lines", async () => {
    const worker = await startOther()
    await worker.ask('append k:theirs')
    const mine = open()
    await mine.append(['k:mine'])
    expect(await inherited(mine)).toEqual([])
    expect(await worker.ask('inherit')).toBe('[]')
    await worker.kill()
    expect(await inherited(mine)).toEqual(['k:theirs'])
  })

  test('two may inherit the same lines and settle them both', async () => {
    await leaveDead(['k:1', 'k:2'])
    const [a, b] = [await open().inherit(), await open().inherit()]
    expect(b.lines).toEqual(a.lines)
    await Promise.all([a.settle(), b.settle()])
    expect(files()).toEqual([])
  })

  test('settling removes only what was read', async () => {
    await leaveDead(['k:1'])
    const journal = open()
    const legacy = await journal.inherit()
    await leaveDead(['k:2'])
    await journal.append(['k:3'])
    await legacy.settle()
    expect(await inherited(open())).toEqual(['k:2'])
    expect(files()).toHaveLength(2)
  })

  test('a process number that means another process now is a dead owner', async () => {
    const worker = await startOther()
    await worker.ask('append k:1')
    const file = onlyFile()
    // As if the number had been used before: the same process, but one that was started at another time.
    rewriteHead(file, owner => ({ ...owner, born: '1' }))
    expect(await inherited(open())).toEqual(['k:1'])
    rewriteHead(file, owner => ({ ...owner, boot: 'before' }))
    expect(await inherited(open())).toEqual(['k:1'])
  })

  test('the lines of another host are taken after ten minutes of silence', async () => {
    const before = open()
    await before.append(['k:1'])
    rewriteHead(onlyFile(), owner => ({ ...owner, host: 'elsewhere' }))
    expect(await inherited(open())).toEqual([])
    expect(await inherited(open({ ahead: 590_000 }))).toEqual([])
    expect(await inherited(open({ ahead: 610_000 }))).toEqual(['k:1'])
    // Written by a clock that runs ahead: no later than the silence by ours.
    expect(await inherited(open({ ahead: -610_000 }))).toEqual(['k:1'])
  })

  test('an owner taken for dead that still writes loses nothing', async () => {
    const alive = await startOther()
    await alive.ask('append k:1')
    rewriteHead(onlyFile(), owner => ({ ...owner, born: owner.born.replaceAll(/\d/g, '0') }))
    const legacy = await open().inherit()
    expect(legacy.lines).toEqual(['k:1'])
    await alive.ask('append k:2')
    await legacy.settle()
    // The file had grown since it was read, so all of it stays.
    expect(await inherited(open())).toEqual(['k:1', 'k:2'])
    const again = await open().inherit()
    await again.settle()
    expect(files()).toEqual([])
    expect(await alive.ask('append k:3')).toBe('"done"')
    await alive.kill()
    expect(await inherited(open())).toContain('k:3')
  })

  test('a directory that is removed is made again, with all that waits', async () => {
    const worker = await startOther()
    await worker.ask('append k:1')
    rmSync(dir, { recursive: true })
    await worker.ask('append k:2')
    await worker.kill()
    expect(await inherited(open())).toEqual(['k:1', 'k:2'])
  })
})

/** Changes what the file says of its owner. The time of its last change stays. */
function rewriteHead(file: string, change: (owner: { readonly born: string }) => object): void {
  const { mtimeMs } = statSync(file)
  const [head = '', ...lines] = readFileSync(file, 'utf8').split('\n')
  const page = JSON.parse(head.slice(9)) as { owner: { born: string } }
  writeFileSync(file, [line({ ...page, owner: change(page.owner) }), ...lines].join('\n'))
  utimesSync(file, mtimeMs / 1000, mtimeMs / 1000)
}

function line(value: unknown): string {
  const body = JSON.stringify(value)
  return `${crc32(body).toString(16).padStart(8, '0')} ${body}`
}

describe('damage and strangers', () => {
  test('a torn end is left out, whatever was cut off', async () => {
    await leaveDead(['k:1', 'k:2', 'k:3'])
    const file = onlyFile()
    const whole = readFileSync(file)
    const starts = [...whole.entries()].filter(([, byte]) => byte === 10).map(([at]) => at + 1)
    const [headEnd = 0, ...ends] = starts
    for (let length = whole.length; length >= headEnd; length--) {
      truncateSync(file, length)
      const safe = ends.filter(end => end <= length).length
      expect(
        await open()
          .inherit()
          .then(({ lines }) => lines),
      ).toEqual(['k:1', 'k:2', 'k:3'].slice(0, safe))
      if (safe === 0) break
    }
    expect(faults).toEqual([])
  })

  test('a flipped byte costs its line at most; that a line was lost is told', async () => {
    await leaveDead(['k:1', 'k:2', 'k:3'])
    const file = onlyFile()
    const whole = readFileSync(file)
    const headEnd = whole.indexOf(10) + 1
    for (let at = headEnd; at < whole.length - 1; at++) {
      const damaged = Buffer.from(whole)
      damaged[at] = (damaged[at] ?? 0) ^ 0x04
      writeFileSync(file, damaged)
      const lines = await inherited(open())
      expect(lines.every(found => ['k:1', 'k:2', 'k:3'].includes(found))).toBe(true)
      // A newline that is one no more joins two lines.
      expect(lines.length).toBeGreaterThanOrEqual(1)
      expect(lines.length).toBeLessThan(3)
    }
    expect(faults.length).toBeGreaterThan(0)
    expect(faults.every(fault => /damaged/.test(fault))).toBe(true)
  })

  test('without a head to tell the owner the lines are taken after the silence', async () => {
    await leaveDead(['k:1'])
    const file = onlyFile()
    const bytes = readFileSync(file)
    bytes[3] = (bytes[3] ?? 0) ^ 1
    writeFileSync(file, bytes)
    expect(await inherited(open())).toEqual([])
    expect(await inherited(open({ ahead: 610_000 }))).toEqual(['k:1'])
  })

  test('a file without a whole line is removed, names of others are left alone and links are not followed', async () => {
    await leaveDead(['k:1'])
    const file = onlyFile()
    const channel = join(file, '..')
    const elsewhere = join(base, 'elsewhere.log')
    renameSync(file, elsewhere)
    symlinkSync(elsewhere, file)
    writeFileSync(join(channel, 'notes.log'), readFileSync(elsewhere))
    writeFileSync(join(channel, `1-${'a'.repeat(20)}.left`), 'no line')
    mkdirSync(join(channel, `2-${'a'.repeat(20)}.left`))
    expect(await inherited(open())).toEqual([])
    expect(readdirSync(channel).sort()).toEqual(
      [file.slice(channel.length + 1), `2-${'a'.repeat(20)}.left`, 'notes.log'].sort(),
    )
    expect(existsSync(elsewhere)).toBe(true)
    expect(faults).toEqual([])
  })

  test('a link in the place of a directory is neither written nor read through', async () => {
    const elsewhere = join(base, 'elsewhere')
    mkdirSync(elsewhere, { mode: 0o700 })
    mkdirSync(dir, { mode: 0o700 })
    symlinkSync(elsewhere, join(dir, 'outbox'))
    await expect(open().append(['k:1'])).rejects.toMatchObject({ code: 'PALIER_STORE_FAILED' })
    await expect(open().inherit()).rejects.toMatchObject({ code: 'PALIER_STORE_FAILED' })
    rmSync(dir, { recursive: true })
    symlinkSync(elsewhere, dir)
    await expect(open().append(['k:1'])).rejects.toThrow('symbolic link')
    expect(tree(elsewhere)).toEqual([])
  })

  test('a directory everybody may write to is refused', async () => {
    mkdirSync(dir)
    chmodSync(dir, 0o777)
    await expect(open().append(['k:1'])).rejects.toThrow('everybody may write')
    await expect(open().inherit()).rejects.toThrow('everybody may write')
  })
})
