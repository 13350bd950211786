import { type ManualClock, manualClock } from 'palier/testing'
import { afterEach, describe, expect, it } from 'vitest'
import { ADAPTERS } from './support/adapters.ts'
import { mirror } from './support/mirror.ts'
import { ALICE, BOB, CAROL, EVERYBODY, type Running, type Seen, type User } from './support/site.ts'
import { createValve, until, type Valve } from './support/valve.ts'
import { type Answer, open, send, type Wire } from './support/wire.ts'

const HOUR = 3_600_000
const MINUTE = 60_000

interface Stage {
  readonly site: Running
  readonly clock: ManualClock
  readonly valve: Valve
  /** What the handlers tell, until it is set anew. */
  state: { version: number; failure: 'none' | 'status' | 'throw' }
}

const opened: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const close of opened.splice(0)) await close()
})

async function stage(start: (typeof ADAPTERS)[number][1]): Promise<Stage> {
  const clock = manualClock()
  const valve = createValve()
  const state: Stage['state'] = { version: 1, failure: 'none' }
  const make = async (whose: string) => {
    const { version, failure } = state
    await valve.pass()
    if (failure === 'throw') throw new Error('on purpose')
    if (failure === 'status') return { status: 503, body: `failed ${whose}` }
    return { body: `version ${version} ${whose}` }
  }
  const ofUser = (seen: Seen) => make(seen.user()?.secret ?? 'nobody')
  const site = await start({
    cache: { clock },
    options: { clock },
    pages: [
      { path: '/me', scope: 'user', grace: HOUR, reply: ofUser },
      {
        path: '/errors',
        scope: 'user',
        grace: HOUR,
        reply: async seen => ({
          headers: { 'cache-control': 'max-age=60, stale-while-revalidate=0, stale-if-error=600' },
          ...(await ofUser(seen)),
        }),
      },
      { path: '/mine', scope: 'user', type: 'mine', grace: HOUR, reply: ofUser },
      { path: '/all', scope: 'public', grace: HOUR, tags: ['all'], reply: () => make('everybody') },
      {
        path: '/big',
        scope: 'public',
        reply: async () => {
          await valve.pass()
          return { chunks: Array.from({ length: 30 }, () => 'x'.repeat(100_000)) }
        },
      },
      {
        path: '/mirror',
        scope: 'public',
        grace: HOUR,
        reply: async seen => {
          const { version } = state
          const reply = mirror(seen)
          await valve.pass()
          return { ...reply, headers: { ...reply.headers, 'x-version': String(version) } }
        },
      },
    ],
    actions: [
      {
        path: '/logout',
        changes: { types: ['page', 'mine'] },
        run: () => {
          site.logins.delete(ALICE.secret)
          return { body: 'bye' }
        },
      },
      {
        path: '/change',
        changes: { tags: ['all'] },
        run: () => {
          state.version++
          return { body: 'changed' }
        },
      },
    ],
  })
  opened.push(async () => {
    valve.open()
    await site.close()
  })
  return { site, clock, valve, state }
}

/** Asks while time goes by: what is old is served only when the new one takes any time at all. */
async function pass({ site, clock }: Stage, wire: Wire): Promise<Answer> {
  let isOver = false
  const answer = send(site.port, wire).finally(() => {
    isOver = true
  })
  await until('the answer is there', async () => {
    await clock.advance(1)
    return isOver
  })
  return answer
}

function of(user: User | undefined, target: string, ...headers: (readonly [string, string])[]): Wire {
  return { target, headers: [...(user === undefined ? [] : [['Cookie', `login=${user.secret}`] as const]), ...headers] }
}

const post = (target: string): Wire => ({ target, method: 'POST', headers: [['Content-Length', '0']] })

function expectOwn(answer: Answer, user: User): void {
  const secrets = EVERYBODY.map(({ secret }) => secret).filter(secret => answer.all.includes(secret))
  expect([answer.status, secrets]).toEqual([200, [user.secret]])
}

describe.each(ADAPTERS)('%s', (_name, start) => {
  it.each(['/me', '/mine'])(
    '%s: fifty of one and fifty of another are each given their own, from two runs',
    async path => {
      const { site, valve } = await stage(start)
      valve.shut()
      const users = Array.from({ length: 100 }, (_one, i) => (i % 2 === 0 ? ALICE : BOB))
      const answers = users.map(user => send(site.port, of(user, path)))
      await until('both handlers run, and all have asked', () => valve.waiting() === 2 && site.asked() === 100)
      valve.open()
      for (const [i, answer] of (await Promise.all(answers)).entries()) expectOwn(answer, users[i] ?? CAROL)
      expect(site.runs(path)).toBe(2)
    },
  )

  it.each(['/me', '/all'])('%s: who waits for a client that goes away is answered all the same', async path => {
    const { site, valve } = await stage(start)
    valve.shut()
    const leader = open(site.port, of(ALICE, path))
    await until('the handler runs', () => valve.waiting() === 1)
    const followers = Array.from({ length: 5 }, () => send(site.port, of(ALICE, path)))
    const others = [send(site.port, of(BOB, path))]
    await until('all have asked', () => site.asked() === 7)
    leader.socket.resetAndDestroy()
    await leader.answer
    valve.open()
    const whose = path === '/me' ? ALICE.secret : 'everybody'
    for (const answer of await Promise.all(followers)) {
      expect([answer.status, answer.body.toString()]).toEqual([200, `version 1 ${whose}`])
    }
    for (const answer of await Promise.all(others)) {
      expect(answer.body.toString()).toBe(`version 1 ${path === '/me' ? BOB.secret : 'everybody'}`)
    }
    const after = await send(site.port, of(ALICE, path))
    expect([after.status, after.body.toString()]).toEqual([200, `version 1 ${whose}`])
  })

  it('a herd whose handler fails hears of it, and is not stuck with it', async () => {
    const { site, valve, state } = await stage(start)
    state.failure = 'throw'
    valve.shut()
    const herd = Array.from({ length: 6 }, () => send(site.port, '/all'))
    await until('the handler runs, and all have asked', () => valve.waiting() === 1 && site.asked() === 6)
    valve.open()
    expect((await Promise.all(herd)).map(({ status }) => status)).toEqual(herd.map(() => 500))
    state.failure = 'none'
    expect((await send(site.port, '/all')).body.toString()).toBe('version 1 everybody')
  })

  it('a herd that waits for more than is kept is given all of it', async () => {
    const { site, valve } = await stage(start)
    valve.shut()
    const herd = Array.from({ length: 4 }, () => send(site.port, '/big'))
    await until('the handler runs, and all have asked', () => valve.waiting() === 1 && site.asked() === 4)
    valve.open()
    for (const answer of await Promise.all(herd)) {
      expect([answer.status, answer.isWhole, answer.body.length]).toEqual([200, true, 3_000_000])
    }
  })

  it.each(['/me', '/mine'])('%s: a page made for a session that ended meanwhile is not kept', async path => {
    const { site, valve } = await stage(start)
    valve.shut()
    const running = send(site.port, of(ALICE, path))
    await until('the handler runs', () => valve.waiting() === 1)
    expect((await send(site.port, post('/logout'))).body.toString()).toBe('bye')
    valve.open()
    expect((await running).status).toBe(200)
    const after = await send(site.port, of(ALICE, path))
    expect([after.get('x-cache'), after.all.includes(ALICE.secret)]).toEqual(['BYPASS', false])
    site.logins.set(ALICE.secret, ALICE)
    expect((await send(site.port, of(ALICE, path))).get('x-cache')).toBe('MISS')
  })

  it('what was made before a change is never given after it', async () => {
    const { site, valve } = await stage(start)
    valve.shut()
    const early = Array.from({ length: 4 }, () => send(site.port, '/all'))
    await until('all have asked', () => valve.waiting() === 1 && site.asked() === 4)
    expect((await send(site.port, post('/change'))).body.toString()).toBe('changed')
    const late = Array.from({ length: 4 }, () => send(site.port, '/all'))
    await until('a second run has begun', () => valve.waiting() === 2)
    valve.open()
    for (const answer of await Promise.all(early)) expect(answer.status).toBe(200)
    for (const answer of await Promise.all(late)) expect(answer.body.toString()).toBe('version 2 everybody')
    expect((await send(site.port, '/all')).body.toString()).toBe('version 2 everybody')
  })

  it.each([
    ['/me', 'status'],
    ['/mine', 'status'],
    ['/errors', 'status'],
    ['/me', 'throw'],
    ['/errors', 'throw'],
  ] as const)('%s: when the handler fails by %s, what is old goes to its owner alone', async (path, failure) => {
    const all = await stage(start)
    const { site, clock, state } = all
    for (const user of [ALICE, BOB]) expectOwn(await send(site.port, of(user, path)), user)
    await clock.advance(6 * MINUTE)
    state.failure = failure
    for (let round = 0; round < 3; round++) {
      for (const user of [ALICE, BOB]) {
        const answer = await pass(all, of(user, path))
        expectOwn(answer, user)
        expect(answer.get('x-cache')).toBe('STALE')
      }
      const other = await pass(all, of(CAROL, path))
      expect(other.status).toBeGreaterThanOrEqual(500)
      for (const { secret } of [ALICE, BOB]) expect(other.all.includes(secret)).toBe(false)
    }
  })

  it('what is old is made anew for whom it belongs to', async () => {
    const all = await stage(start)
    const { site, clock, state } = all
    for (const user of [ALICE, BOB]) await send(site.port, of(user, '/me'))
    state.version = 2
    await clock.advance(6 * MINUTE)
    for (const user of [ALICE, BOB, ALICE, BOB]) {
      const old = await pass(all, of(user, '/me'))
      expectOwn(old, user)
      await until('the new one is there', async () => {
        const answer = await pass(all, of(user, '/me'))
        expectOwn(answer, user)
        return answer.get('x-cache') === 'HIT' && answer.body.toString().startsWith('version 2')
      })
    }
    expect(site.runs('/me')).toBe(4)
  })

  it('what is old is made anew without anything of the request that found it', async () => {
    const all = await stage(start)
    const { site, clock, state, valve } = all
    const neutral = await send(site.port, '/mirror')
    state.version = 2
    await clock.advance(6 * MINUTE)
    const asked = of(ALICE, '/mirror', ['X-Forwarded-Host', `${ALICE.secret}.test`], ['Referer', ALICE.secret])
    valve.shut()
    expect((await pass(all, asked)).get('x-cache')).toBe('STALE')
    await until('the handler runs', () => valve.waiting() === 1)
    valve.open()
    let latest = neutral
    await until('the new one is there', async () => {
      latest = await pass(all, { target: '/mirror' })
      return latest.get('x-version') === '2'
    })
    expect(latest.get('x-cache')).toBe('HIT')
    expect(latest.all.includes(ALICE.secret)).toBe(false)
    expect(latest.get('x-mirror')).toBe(neutral.get('x-mirror'))
  })
})
