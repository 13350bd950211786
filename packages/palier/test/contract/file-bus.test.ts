import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Bus } from '../../src/bus.ts'
import { fileStore } from '../../src/stores/file/store.ts'
import type { SharedStore } from '../../src/store.ts'
import { manualClock } from '../../src/testing/clock.ts'
import { freshDir, startWorker } from '../support/file-store.ts'
import { until } from '../support/redis-server.ts'

let dir: string
let removeAll: () => void
let store: SharedStore
const opened: Bus[] = []

beforeEach(() => {
  const fresh = freshDir()
  dir = fresh.dir
  removeAll = fresh.remove
  // The smallest budget has the shortest journal segments: 16 KiB.
  store = fileStore({ dir, maxBytes: 1024 * 1024 })
})

afterEach(async () => {
  await Promise.all(opened.splice(0).map(bus => bus.close()))
  await store.close()
  removeAll()
})

interface Ear {
  readonly bus: Bus
  readonly heard: string[]
  readonly losses: string[]
}

function openBus(): Bus {
  const bus = store.openBus('c')
  opened.push(bus)
  return bus
}

async function listen(): Promise<Ear> {
  const ear = { bus: openBus(), heard: [] as string[], losses: [] as string[] }
  await ear.bus.attach({ message: text => void ear.heard.push(text), lost: reason => void ear.losses.push(reason) })
  return ear
}

const channelDir = (): string => join(dir, 'bus', readdirSync(join(dir, 'bus'))[0] ?? '')

const segments = (): number[] =>
  readdirSync(channelDir())
    .filter(name => name.endsWith('.log'))
    .map(name => Number.parseInt(name, 10))
    .sort((a, b) => a - b)

const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => `${i} ${'x'.repeat(200)}`)

describe('the journal rotates', () => {
  test('and listeners follow through many segments without a loss; old segments go', async () => {
    const [a, b, speaker] = [await listen(), await listen(), openBus()]
    const texts = numbered(1_000)
    for (const [i, text] of texts.entries()) {
      await speaker.publish(text)
      if (i % 10 === 0) a.bus.poll()
      if (i % 60 === 0) b.bus.poll()
    }
    for (const ear of [a, b]) {
      expect(ear.bus.poll()).toBe(true)
      expect(ear.heard).toEqual(texts)
      expect(ear.losses).toEqual([])
    }
    expect(segments().at(-1)).toBeGreaterThan(10)
    expect(segments().length).toBeLessThanOrEqual(3)
  })

  test('and two speakers in turn lose nothing and keep their order', async () => {
    const ear = await listen()
    const [left, right] = [openBus(), openBus()]
    const texts = numbered(400)
    for (const text of texts) {
      await left.publish(`l${text}`)
      await right.publish(`r${text}`)
      if (text.startsWith('7') || text[1] === '7') ear.bus.poll()
    }
    ear.bus.poll()
    for (const [name, sent] of [
      ['l', texts.map(text => `l${text}`)],
      ['r', texts.map(text => `r${text}`)],
    ] as const) {
      expect(ear.heard.filter(text => text.startsWith(name)).map(text => text.slice(0, 5))).toEqual(
        sent.map(text => text.slice(0, 5)),
      )
    }
    expect(ear.losses).toEqual([])
  })

  test('and a speaker that slept meanwhile speaks where everybody listens', async () => {
    const [ear, sleeper, speaker] = [await listen(), openBus(), openBus()]
    await sleeper.publish('before')
    for (const text of numbered(300)) {
      await speaker.publish(text)
      ear.bus.poll()
    }
    await sleeper.publish('after')
    ear.bus.poll()
    expect(ear.heard[0]).toBe('before')
    expect(ear.heard.at(-1)).toBe('after')
    expect(ear.losses).toEqual([])
  })

  test('and a listener left so far behind that its next segment is gone says so, and hears again', async () => {
    const [ear, speaker] = [await listen(), openBus()]
    for (const text of numbered(1_000)) await speaker.publish(text)
    expect(ear.bus.poll()).toBe(true)
    expect(ear.losses).toEqual(['the next part of the journal is gone'])
    const behind = ear.heard.length
    await speaker.publish('again')
    ear.bus.poll()
    expect(ear.heard.slice(behind)).toEqual(['again'])
  })

  test('and one that was killed between its two steps leaves no listener where nobody speaks', async () => {
    const [early, speaker] = [await listen(), openBus()]
    await speaker.publish('one')
    writeFileSync(join(channelDir(), '2.log'), '')
    const late = await listen()
    await speaker.publish('two')
    for (const ear of [early, late]) ear.bus.poll()
    expect(early.heard).toEqual(['one', 'two'])
    expect(late.heard).toEqual(['two'])
    expect([...early.losses, ...late.losses]).toEqual([])
  })
})

describe('what is wrong in the journal is reported', () => {
  test('a damaged line; whose line was glued to it says it again', async () => {
    const [ear, speaker] = [await listen(), openBus()]
    await speaker.publish('one')
    appendFileSync(join(channelDir(), '1.log'), '01234567 torn')
    await speaker.publish('two')
    await speaker.publish('three')
    ear.bus.poll()
    expect(ear.heard).toEqual(['one', 'two', 'three'])
    expect(ear.losses).toEqual(['a damaged line in the journal'])
  })

  test('a message that vanished', async () => {
    const [ear, speaker] = [await listen(), openBus()]
    for (const text of ['one', 'two', 'three']) await speaker.publish(text)
    const file = join(channelDir(), '1.log')
    const lines = readFileSync(file, 'utf8').split('\n')
    writeFileSync(file, [lines[0], lines[2], ''].join('\n'))
    ear.bus.poll()
    expect(ear.heard).toEqual(['one', 'three'])
    expect(ear.losses).toEqual(['a message is missing from the journal'])
  })

  test('a journal that became shorter', async () => {
    const [ear, speaker] = [await listen(), openBus()]
    await speaker.publish('one')
    ear.bus.poll()
    writeFileSync(join(channelDir(), '1.log'), '')
    expect(ear.bus.poll()).toBe(true)
    expect(ear.losses).toEqual(['the journal became shorter'])
    await speaker.publish('two')
    ear.bus.poll()
    expect(ear.heard).toEqual(['one', 'two'])
  })

  test('a directory that cannot be had again: no trust, and a publish that rejects', async () => {
    const ear = await listen()
    rmSync(dir, { recursive: true })
    writeFileSync(dir, 'in the way')
    expect(ear.bus.poll()).toBe(false)
    await expect(ear.bus.publish('x')).rejects.toMatchObject({ code: 'PALIER_STORE_FAILED' })
    rmSync(dir)
    mkdirSync(dir, { mode: 0o700 })
    expect(ear.bus.poll()).toBe(true)
    expect(ear.losses).toEqual(['the journal was removed'])
  })
})

test('trust lasts as long as the bound says, and no longer', async () => {
  const clock = manualClock()
  const own = fileStore({ dir, clock })
  const bus = own.openBus('c')
  await bus.attach({ message: () => undefined, lost: () => undefined })
  expect(bus.trustedUntil).toBe(clock.now() + bus.bound)
  await clock.advance(1_000)
  expect(bus.trustedUntil).toBeLessThan(clock.now())
  expect(bus.poll()).toBe(true)
  expect(bus.trustedUntil).toBe(clock.now() + bus.bound)
  await bus.close()
  await own.close()
})

test('two other processes are heard at the first look, in their order, and are peers until they are killed', async () => {
  await store.close()
  store = fileStore({ dir })
  const ear = await listen()
  const workers = await Promise.all(['a', 'b'].map(name => startWorker('file-bus-worker.ts', [dir, name])))
  try {
    expect(await Promise.all(workers.map(worker => worker.ask('attach')))).toEqual(['attached', 'attached'])
    await until('three peers', () => ear.bus.peers() === 3)
    expect(await Promise.all(workers.map(worker => worker.ask('say 200')))).toEqual(['said', 'said'])
    // What is published stands in the journal: nobody who looks from now on misses it.
    expect(ear.bus.poll()).toBe(true)
    expect(ear.heard).toHaveLength(400)
    for (const name of ['a', 'b']) {
      const numbers = ear.heard.filter(text => text.startsWith(name)).map(text => Number(text.split(' ')[1]))
      expect(numbers).toEqual(Array.from({ length: 200 }, (_, i) => i))
    }
    expect(ear.losses).toEqual([])
    await openBus().publish('from here')
    expect(await Promise.all(workers.map(worker => worker.ask('heard')))).toEqual(['201 1', '201 1'])
    await workers[0]?.kill()
    await until('two peers', () => ear.bus.peers() === 2)
  } finally {
    await Promise.all(workers.map(worker => worker.kill()))
  }
})
