import { describe, expect, test } from 'vitest'
import type { Bus } from '../../src/bus.ts'
import type { Claim, SharedStore } from '../../src/store.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { busContract, type ContractCase, manualClock, storeContract } from '../../src/testing.ts'

/** The cases that fail, by name. */
async function failing(cases: readonly ContractCase[]): Promise<string[]> {
  const names: string[] = []
  for (const { name, run } of cases) await run().catch(() => names.push(name))
  return names
}

function storeWith(defect: (store: SharedStore) => Partial<SharedStore>) {
  return async () => {
    const clock = manualClock()
    const backing = memoryStore({ clock })
    const spoilt = (store: SharedStore): SharedStore => ({ ...store, ...defect(store) })
    return {
      store: spoilt(backing),
      second: async () => spoilt(backing.connect()),
      passTime: (ms: number) => clock.advance(ms),
      realTime: false,
      close: () => backing.close(),
    }
  }
}

const tick = (): Promise<void> => Promise.resolve()

/** Each is a fault that a store in use somewhere has, or had. */
const DEFECTS: Record<string, (store: SharedStore) => Partial<SharedStore>> = {
  'commits whoever holds the lease': s => ({ commit: (key, _, bytes, ttl) => s.set(key, bytes, ttl).then(() => true) }),
  'checks the lease and then writes, in two steps': s => ({
    async commit(key, token, bytes, ttl) {
      if (!(await s.renew(key, token, ttl))) return false
      await tick()
      await s.set(key, bytes, ttl)
      return true
    },
  }),
  'stores under a lease and forgets to end it': s => ({
    async commit(key, token, bytes, ttl) {
      const done = await s.commit(key, token, bytes, ttl)
      if (done) await s.claim(key, { token, ttl, steal: true })
      return done
    },
  }),
  'grants a claim whatever is stored': s => ({
    async claim(key, claim) {
      const record = await s.get(key)
      const { granted } = await s.claim(key, { ...claim, steal: true })
      return { record, granted }
    },
  }),
  'ignores what a claim has seen': s => ({ claim: (key, { token, ttl }) => s.claim(key, { token, ttl }) }),
  'takes any record seen for the present one': s => ({
    async claim(key, claim: Claim) {
      const record = await s.get(key)
      return s.claim(key, claim.seen && record ? { ...claim, seen: record.bytes.subarray(4, 16) } : claim)
    },
  }),
  'does not let a lease be stolen': s => ({ claim: (key, { steal: _, ...claim }) => s.claim(key, claim) }),
  'keeps the lease when a key is deleted': s => ({
    async delete(keys) {
      for (const key of keys) await s.set(key, new Uint8Array(1), 1)
    },
  }),
  'renews for anybody': s => ({ renew: () => Promise.resolve(true), release: s.release }),
  'never renews': () => ({ renew: () => Promise.resolve(false) }),
  'releases for anybody': s => ({
    release: key => s.claim(key, { token: 'void', ttl: 1, steal: true }).then(() => s.release(key, 'void')),
  }),
  'does not release': () => ({ release: () => Promise.resolve() }),
  'folds the case of keys': s => ({
    get: key => s.get(key.toLowerCase()),
    set: (key, ...rest) => s.set(key.toLowerCase(), ...rest),
  }),
  'cuts long keys': s => ({
    get: key => s.get(key.slice(0, 4_000)),
    set: (key, ...rest) => s.set(key.slice(0, 4_000), ...rest),
  }),
  'cleans keys for the file system': s => {
    const clean = (key: string): string => key.replace(/[/\\:]/g, '_')
    return { get: key => s.get(clean(key)), set: (key, ...rest) => s.set(clean(key), ...rest) }
  },
  'answers getMany without the gaps': s => ({ getMany: async keys => (await s.getMany(keys)).filter(Boolean) }),
  'answers getMany once per key': s => ({ getMany: keys => s.getMany([...new Set(keys)]) }),
  'forgets the ttl': s => ({ set: (key, bytes) => s.set(key, bytes, 1e9) }),
  'counts the ttl in seconds': s => ({ set: (key, bytes, ttl) => s.set(key, bytes, Math.ceil(ttl / 1_000) * 1_000) }),
  'says the ttl instead of what remains': s => ({
    get: async key => {
      const found = await s.get(key)
      return found && { ...found, remaining: 600_000 }
    },
  }),
  'scans by pattern': s => ({
    async *scan(prefix) {
      const pattern = new RegExp(`^${prefix.replace(/[.\\]/g, '\\$&').replaceAll('*', '.*').replaceAll('?', '.')}`)
      for await (const keys of s.scan('')) yield keys.filter(key => pattern.test(key))
    },
  }),
  'ends a scan after the first batch': s => ({
    async *scan(prefix) {
      for await (const keys of s.scan(prefix)) {
        yield keys
        return
      }
    },
  }),
  'counts the keys of every prefix': s => ({ usage: () => s.usage('') }),
  'cannot keep an empty payload': s => ({
    set: (key, bytes, ttl) => (bytes.length > 60 ? s.set(key, bytes, ttl) : Promise.resolve()),
  }),
  'keeps bytes as text': s => ({
    set: (key, bytes, ttl) => s.set(key, Buffer.from(Buffer.from(bytes).toString('utf8')), ttl),
  }),
  'reads in two pieces': s => ({
    async get(key) {
      const first = await s.get(key)
      await tick()
      const rest = await s.get(key)
      if (!first || !rest) return rest
      const bytes = Buffer.concat([first.bytes.subarray(0, 60), rest.bytes.subarray(60)])
      return { bytes, remaining: rest.remaining }
    },
  }),
  'cannot be closed twice': s => {
    let closed = false
    return {
      close: async () => {
        if (closed) throw new Error('closed already')
        closed = true
        await s.close()
      },
    }
  },
}

describe('the store contract notices a store that', () => {
  for (const [name, defect] of Object.entries(DEFECTS)) {
    test(name, async () => {
      expect(await failing(storeContract(storeWith(defect), { seed: 1 }))).not.toEqual([])
    })
  }

  test('does nothing wrong: then every case holds, whatever the seed', async () => {
    for (let seed = 0; seed < 5; seed++)
      expect(
        await failing(
          storeContract(
            storeWith(() => ({})),
            { seed },
          ),
        ),
      ).toEqual([])
  })
})

test('the randomised case names its seed and fails again with it', async () => {
  const make = storeWith(s => ({ release: () => Promise.resolve(), set: s.set }))
  const failure = async (seed?: number): Promise<string> => {
    const cases = storeContract(make, seed === undefined ? {} : { seed }).filter(({ name }) => name.includes('model'))
    expect(cases).toHaveLength(1)
    return cases[0]?.run().then(() => 'held', String) ?? 'absent'
  }
  const first = await failure()
  const seed = Number(/seed (\d+)/.exec(first)?.[1])
  expect(await failure(seed)).toBe(first)
})

test('the cases of the contracts have different names', () => {
  const names = [...storeContract(storeWith(() => ({}))), ...busContract(busesWith(bus => bus))].map(({ name }) => name)
  expect(new Set(names).size).toBe(names.length)
})

function busesWith(
  spoil: (bus: Bus, channel: string, open: (channel: string) => Bus) => Bus,
  breakLink?: () => Promise<void>,
) {
  return async () => {
    const store = memoryStore({ clock: manualClock() })
    const open = (channel: string): Bus => spoil(store.openBus(channel), channel, name => store.openBus(name))
    return {
      first: open('c'),
      second: open('c'),
      other: open('d'),
      async settle(until: () => boolean) {
        for (let turn = 0; turn < 50 && !until(); turn++) await tick()
        if (!until()) throw new Error('it did not come about')
      },
      ...(breakLink === undefined ? {} : { breakLink }),
      close: () => store.close(),
    }
  }
}

const over = (bus: Bus, changed: Partial<Bus>): Bus => ({
  trustedUntil: Infinity,
  bound: bus.bound,
  attach: listener => bus.attach(listener),
  publish: text => bus.publish(text),
  poll: () => bus.poll(),
  peers: () => bus.peers(),
  close: () => bus.close(),
  ...changed,
})

const BUS_DEFECTS: Record<string, Parameters<typeof busesWith>[0]> = {
  'hears itself': bus => {
    let hear: ((text: string) => void) | undefined
    return over(bus, {
      attach: listener => {
        hear = text => listener.message(text)
        return bus.attach(listener)
      },
      publish: text => {
        hear?.(text)
        return bus.publish(text)
      },
    })
  },
  'mixes channels': (_, __, open) => over(open('one for all'), {}),
  'breaks texts at newlines': bus =>
    over(bus, { publish: async text => void (await Promise.all(text.split('\n').map(bus.publish))) }),
  'drops every hundredth message': bus => {
    let count = 0
    return over(bus, { publish: text => (++count % 100 === 0 ? Promise.resolve() : bus.publish(text)) })
  },
  'turns the order round': bus => {
    const held: string[] = []
    return over(bus, {
      publish: async text => {
        held.push(text)
        await tick()
        const last = held.pop()
        if (last !== undefined) await bus.publish(last)
      },
    })
  },
  'is trusted before it listens': bus => over(bus, { poll: () => true }),
  'never is trusted': bus => over(bus, { poll: () => false }),
  'counts no peers': bus => over(bus, { peers: () => 1 }),
  'publishes when closed': (bus, channel, open) => over(bus, { publish: text => open(channel).publish(text) }),
  'goes on listening when closed': bus => over(bus, { close: () => Promise.resolve() }),
  'reports losses where there are none': bus =>
    over(bus, {
      attach: listener =>
        bus.attach({
          message: text => {
            listener.lost('perhaps')
            listener.message(text)
          },
          lost: () => undefined,
        }),
    }),
}

describe('the bus contract notices a bus that', () => {
  for (const [name, defect] of Object.entries(BUS_DEFECTS)) {
    test(name, async () => {
      const cases = busContract(busesWith(defect)).filter(({ needs }) => needs === undefined)
      expect(await failing(cases)).not.toEqual([])
    })
  }

  test('says nothing of a broken link', async () => {
    const cases = busContract(
      busesWith(
        bus => bus,
        async () => undefined,
      ),
    ).filter(({ needs }) => needs !== undefined)
    expect(await failing(cases)).toEqual(cases.map(({ name }) => name))
  })

  test('a case whose need is not met rejects, and says what it needs', async () => {
    const [needy] = busContract(busesWith(bus => bus)).filter(({ needs }) => needs === 'breakLink')
    await expect(needy?.run()).rejects.toThrow('this case needs breakLink')
  })
})
