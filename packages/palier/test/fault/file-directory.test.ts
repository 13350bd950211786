import { execFile } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createLayout } from '../../src/stores/file/layout.ts'
import { probeDirectory } from '../../src/stores/file/probe.ts'
import { fileStore } from '../../src/stores/file/store.ts'
import { compiled } from '../support/compiled.ts'
import { fileRecord, freshDir, tree, watchedStore } from '../support/file-store.ts'

const LONG = 600_000
const isRoot = process.geteuid?.() === 0
const refused = { code: 'PALIER_STORE_FAILED' }

let base: string
let dir: string
let remove: () => void

beforeEach(() => {
  const fresh = freshDir()
  base = fresh.dir
  dir = join(base, 'cache')
  remove = fresh.remove
})
afterEach(() => remove())

async function refusal(path: string): Promise<string> {
  const result = await probeDirectory(path)
  if (result.ok) throw new Error('the directory was accepted')
  const store = fileStore({ dir: path })
  await expect(store.set('k', fileRecord('k', 'x'), LONG)).rejects.toMatchObject(refused)
  await expect(store.get('k')).rejects.toMatchObject(refused)
  await store.close()
  return result.why
}

describe('a directory that cannot serve is refused with a plain reason, by the probe and by the first operation', () => {
  test('a file stands there, or on the way', async () => {
    writeFileSync(dir, 'not a directory')
    expect(await refusal(dir)).toContain('a file stands in the way')
    expect(await refusal(join(dir, 'below'))).toContain('a file stands in the way')
    expect(readFileSync(dir, 'utf8')).toBe('not a directory')
  })

  test('everybody may write to it', async () => {
    mkdirSync(dir)
    chmodSync(dir, 0o777)
    expect(await refusal(dir)).toContain('everybody may write')
  })

  test('it is a symbolic link', async () => {
    mkdirSync(join(base, 'elsewhere'), 0o700)
    symlinkSync(join(base, 'elsewhere'), dir)
    expect(await refusal(dir)).toContain('symbolic link')
    expect(tree(join(base, 'elsewhere'))).toEqual([])
  })

  test('it belongs to somebody else', async () => {
    // Only root can give a directory away; anybody else finds one of root's at the root of the tree.
    if (isRoot) {
      mkdirSync(dir, 0o700)
      chownSync(dir, 12_345, 12_345)
    }
    expect(await refusal(isRoot ? dir : '/usr')).toContain('belongs to another user')
  })

  test('its deny rule under a web root is not one', async () => {
    const served = join(base, 'public_html', 'cache')
    mkdirSync(served, { recursive: true, mode: 0o700 })
    writeFileSync(join(served, '.htaccess'), 'Options +Indexes\n')
    expect(await refusal(served)).toContain('under the web root "public_html"')
  })
})

describe('a directory that can serve', () => {
  test('is made with rights for its owner alone, and measured', async () => {
    const result = await probeDirectory(join(dir, 'deep', 'er'))
    expect(result).toMatchObject({ ok: true, network: false })
    expect(result.ok && result.micros).toBeGreaterThan(0)
    expect(lstatSync(join(dir, 'deep', 'er')).mode & 0o777).toBe(0o700)
    expect(tree(join(dir, 'deep', 'er'))).toEqual([])
  })

  test('under a web root gets a deny rule', async () => {
    const served = join(base, 'www', 'cache')
    expect(await probeDirectory(served)).toMatchObject({ ok: true })
    expect(readFileSync(join(served, '.htaccess'), 'utf8')).toContain('Require all denied')
    expect(await probeDirectory(served)).toMatchObject({ ok: true })
  })

  test('holds nothing others may read', async () => {
    const store = fileStore({ dir })
    await store.set('k', fileRecord('k', 'x'), LONG)
    await store.claim('l', { token: 't', ttl: LONG })
    await store.openBus('c').publish('x')
    for (const name of tree(dir)) expect([name, lstatSync(join(dir, name)).mode & 0o077]).toEqual([name, 0])
    expect(readFileSync(join(dir, 'CACHEDIR.TAG'), 'utf8')).toMatch(/^Signature: 8a477f597d28d172789f06886806bc55\n/)
    await store.close()
  })

  test('keeps its entries over a restart', async () => {
    const before = fileStore({ dir })
    await before.set('k', fileRecord('k', 'x'), LONG)
    await before.close()
    await expect(before.get('k')).rejects.toMatchObject({ code: 'PALIER_CLOSED' })
    const after = fileStore({ dir })
    expect((await after.get('k'))?.remaining).toBeGreaterThan(LONG - 60_000)
    expect(await after.usage('')).toMatchObject({ entries: 1 })
    await after.close()
  })
})

describe('what is put into the directory behind the back of the store', () => {
  const pathOf = (key: string): string => createLayout(dir).entry(key)

  test('a file cut short and the file of another key are absent, told once and removed', async () => {
    const { store, events } = watchedStore({ dir })
    const bytes = fileRecord('k', 'value')
    await store.set('k', bytes, LONG)
    await store.set('other', fileRecord('other', 'value'), LONG)
    const whole = readFileSync(pathOf('k'))
    const damages = [...Array.from({ length: 12 }, (_, i) => whole.subarray(0, i * 7)), readFileSync(pathOf('other'))]
    for (const damaged of damages) {
      writeFileSync(pathOf('k'), damaged)
      expect(await store.get('k')).toBeUndefined()
      expect(await store.get('k')).toBeUndefined()
      expect(existsSync(pathOf('k'))).toBe(false)
    }
    expect(events.flatMap(event => (event.kind === 'fault' ? [event.fault] : []))).toEqual(damages.map(() => 'damaged'))
    writeFileSync(pathOf('k'), whole)
    expect((await store.get('k'))?.bytes).toEqual(bytes)
    expect((await store.get('other'))?.bytes).toBeDefined()
    await store.close()
  })

  test('the record of a newer version is absent, and left alone', async () => {
    const { store, events } = watchedStore({ dir })
    await store.set('k', fileRecord('k', 'value'), LONG)
    const newer = readFileSync(pathOf('k'))
    newer[24 + 2] = 3
    writeFileSync(pathOf('k'), newer)
    expect(await store.get('k')).toBeUndefined()
    expect(readFileSync(pathOf('k'))).toEqual(newer)
    expect(events.filter(({ kind }) => kind === 'fault')).toEqual([])
    await store.close()
  })

  test('a link in the place of an entry is not followed, neither for reading nor for writing', async () => {
    const store = fileStore({ dir })
    await store.set('k', fileRecord('k', 'x'), LONG)
    const secret = join(base, 'secret')
    writeFileSync(secret, readFileSync(pathOf('k')))
    rmSync(pathOf('k'))
    symlinkSync(secret, pathOf('k'))
    expect(await store.get('k')).toBeUndefined()
    await store.set('k', fileRecord('k', 'new'), LONG)
    expect(lstatSync(pathOf('k')).isFile()).toBe(true)
    expect(readFileSync(secret).includes('new')).toBe(false)
    await store.close()
  })

  test('a link in the place of a shard is neither written through nor swept through', async () => {
    const store = fileStore({ dir })
    await store.set('k', fileRecord('k', 'x'), LONG)
    const shard = join(pathOf('j'), '..')
    const elsewhere = join(base, 'elsewhere')
    mkdirSync(elsewhere)
    writeFileSync(join(elsewhere, 'f'.repeat(64)), 'not expired, not ours')
    rmSync(shard, { recursive: true, force: true })
    symlinkSync(elsewhere, shard)
    await expect(store.set('j', fileRecord('j', 'x'), LONG)).rejects.toMatchObject(refused)
    await store.sweep?.()
    expect(tree(elsewhere)).toEqual(['f'.repeat(64)])
    await store.close()
  })

  test('foreign files and directories are left alone and disturb nothing', async () => {
    const store = fileStore({ dir })
    await store.set('k', fileRecord('k', 'x'), LONG)
    const shard = join(pathOf('k'), '..')
    const foreign = ['.DS_Store', 'core', `${'a'.repeat(64)}.bak`, 'A'.repeat(64)]
    for (const name of foreign) writeFileSync(join(shard, name), 'foreign')
    mkdirSync(join(shard, 'b'.repeat(64)))
    mkdirSync(join(dir, 'v1', 'zz'))
    const swept = await store.sweep?.()
    expect(swept).toMatchObject({ expired: 0, evicted: 0, debris: 0, entries: 1 })
    for (const name of [...foreign, 'b'.repeat(64)]) expect(existsSync(join(shard, name))).toBe(true)
    const keys: string[] = []
    for await (const batch of store.scan('')) keys.push(...batch)
    expect(keys).toEqual(['k'])
    await store.close()
  })

  test('the directory is removed while the store is open: misses, then it is made again', async () => {
    const { store } = watchedStore({ dir })
    const bus = store.openBus('c')
    const losses: string[] = []
    await bus.attach({ message: () => undefined, lost: reason => void losses.push(reason) })
    await store.set('k', fileRecord('k', 'x'), LONG)
    await store.claim('l', { token: 't', ttl: LONG })
    rmSync(dir, { recursive: true })
    expect(await store.get('k')).toBeUndefined()
    expect(await store.commit('l', 't', fileRecord('l', 'late'), LONG)).toBe(false)
    await store.delete(['k'])
    await store.set('k', fileRecord('k', 'new'), LONG)
    expect((await store.get('k'))?.bytes).toBeDefined()
    expect((await store.claim('l', { token: 'u', ttl: LONG })).granted).toBe(true)
    expect(await store.commit('l', 'u', fileRecord('l', 'x'), LONG)).toBe(true)
    expect(bus.poll()).toBe(true)
    expect(losses).toEqual(['the journal was removed'])
    await bus.close()
    await store.close()
  })
})

describe('a disk or a process of its own', () => {
  /** Root needs only a mount namespace; anybody else a user namespace too. */
  const happens = async (scenario: string): Promise<Record<string, unknown>> => {
    mkdirSync(dir, 0o700)
    const namespaces = isRoot ? ['--mount'] : ['--user', '--map-root-user', '--mount']
    const script = await compiled(new URL('../support/file-mounts.ts', import.meta.url))
    const command = [process.execPath, script, scenario, dir]
    // Whoever is root in a user namespace may write everywhere; the user outside needs none to be refused.
    const [file, args] =
      scenario === 'notAllowed' && !isRoot
        ? [process.execPath, command.slice(1)]
        : ['unshare', [...namespaces, ...command]]
    const { stdout } = await promisify(execFile)(file, args)
    return JSON.parse(stdout) as Record<string, unknown>
  }

  for (const scenario of ['fullOfBytes', 'fullOfFiles']) {
    test(`${scenario}: writes are refused, reading and deleting go on, room is made, writing comes back`, async () => {
      expect(await happens(scenario)).toEqual({
        refused: 'PALIER_STORE_REFUSED',
        entriesWhileFull: 60,
        // The sweep that the refusal asked for may have made room by then.
        claimed: expect.stringMatching(/^(done|PALIER_STORE_REFUSED)$/) as string,
        deleted: 'done',
        gone: true,
        evictedSome: true,
        faults: ['full'],
        leftovers: [],
      })
    })
  }

  test('readOnly: reading goes on, a delete that cannot be done is refused, an absent key needs none', async () => {
    expect(await happens('readOnly')).toEqual({
      set: 'PALIER_STORE_REFUSED',
      deletePresent: 'PALIER_STORE_REFUSED',
      deleteAbsent: 'done',
      // The one that could not be deleted is not read by this process any more.
      entries: 59,
      entriesOfANewStore: 60,
      claimed: 'PALIER_STORE_REFUSED',
      faults: ['readonly'],
      entriesWhenWritable: 59,
      afterwards: 'done',
      rewritten: 60,
    })
  })

  test('notAllowed: a directory without rights for its user is read, and deletes of what it keeps are refused', async () => {
    expect(await happens('notAllowed')).toEqual({
      set: 'PALIER_STORE_REFUSED',
      deletePresent: 'PALIER_STORE_REFUSED',
      read: 'absent',
      others: 59,
      journal: 'PALIER_STORE_REFUSED',
      afterwards: ['done', 'done', 'read'],
    })
  })

  test('manyTombstones: more refused deletes than are kept make the store read nothing, until it can be written', async () => {
    expect(await happens('manyTombstones')).toEqual({ refused: 10_050, read: 0, readWhenWritten: 50 })
  })

  for (const scenario of ['journalFullOfBytes', 'journalFullOfFiles']) {
    test(`${scenario}: appends are refused, what was acknowledged stays, and appends work again`, async () => {
      expect(await happens(scenario)).toEqual({
        refused: ['PALIER_STORE_REFUSED', 'PALIER_STORE_REFUSED'],
        freshRefused: 'PALIER_STORE_REFUSED',
        files: 1,
        afterwards: 'done',
        inherited: ['k:before', 'k:after'],
      })
    })
  }

  test('journalReadOnly: appends are refused, what the dead left is read and kept, and all works again', async () => {
    expect(await happens('journalReadOnly')).toEqual({
      inherited: ['k:dead'],
      refused: ['PALIER_STORE_REFUSED', 'PALIER_STORE_REFUSED'],
      // There is nothing to be cleared.
      clear: 'done',
      afterwards: ['done', 'done'],
      left: 1,
    })
  })

  test('outOfHandles: reads give nothing, writes are refused, deleting needs no handle, all comes back', async () => {
    expect(await happens('outOfHandles')).toEqual({
      entries: 0,
      claimed: 'PALIER_STORE_FAILED',
      set: 'PALIER_STORE_FAILED',
      deleted: 'done',
      faults: ['busy'],
      afterwards: 59,
    })
  })
})
