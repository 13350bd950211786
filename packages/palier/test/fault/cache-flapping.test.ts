import { once } from 'node:events'
import { connect } from 'node:net'
import { expect, test } from 'vitest'
import {
  allOut,
  allUp,
  allWell,
  faultRoom,
  measured,
  NEVER,
  nextReturn,
  onRedis,
  percentile,
  timed,
} from '../support/fault-room.ts'
import { until } from '../support/redis-server.ts'

const room = faultRoom()

const wait = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

/** What keeps a process busy or alive: sockets, pipes, timers. */
const handles = (): number => process.getActiveResourcesInfo().length

test('Redis comes and goes every 300 ms: no storm of connections, no leak, and every value is a right one', async () => {
  const server = await room.redis()
  const path = await room.proxy(server.port)
  const [a, b] = [await room.cache(onRedis(path)), await room.cache(onRedis(path))]
  await allWell(a, b)
  const before = { handles: handles(), accepted: path.accepted() }
  const links: string[] = []
  a.on('link', ({ state }) => links.push(state))
  /** The lowest number each key may still have anywhere once everybody is back, and at any time in `a`, who writes. */
  const versions = new Map<string, number>()
  const wrong: string[] = []
  const slow: number[] = []
  let flapping = true
  const flaps = (async (): Promise<void> => {
    for (let up = false; flapping; up = !up) {
      await path.mode(up ? 'pass' : 'refuse')
      await wait(300)
    }
    await path.mode('pass')
  })()
  const endAt = performance.now() + 6000
  for (let n = 1; performance.now() < endAt; n++) {
    const key = `key${n % 10}`
    const took = await timed(async () => {
      if (n % 3 === 0) await a.delete(key)
      else await a.set(key, n)
    })
    versions.set(key, n)
    const seen = await a.get<number>(key)
    if (seen !== undefined && (seen !== n || n % 3 === 0)) wrong.push(`${key} was ${seen} after ${n}`)
    const loaded = await b.getOrSet(`load${n % 5}`, () => 'loaded')
    if (loaded !== 'loaded') wrong.push(`load was ${loaded}`)
    slow.push(took)
    await wait(5)
  }
  flapping = false
  await flaps
  const recovery = await timed(() => allUp(a, b))
  measured(
    'flapping: writes, p99 ms, slowest ms',
    `${slow.length} ${percentile(slow, 0.99).toFixed(1)} ${Math.max(...slow).toFixed(0)}`,
  )
  measured(
    'flapping: connections in 6 s for two caches, recovery ms',
    `${path.accepted() - before.accepted} ${recovery.toFixed(0)}`,
  )
  expect(wrong).toEqual([])
  expect(links.filter(state => state === 'open').length).toBeGreaterThan(3)
  for (const [key, version] of versions) {
    for (const cache of [a, b]) expect([undefined, version]).toContain(await cache.get(key))
  }
  // Ten gaps of 300 ms, two caches, three connections each, and some that were refused: a storm would be thousands.
  expect(path.accepted() - before.accepted).toBeLessThan(400)
  await allWell(a, b)
  await until('no more handles are left than there were', () => handles() <= before.handles + 4, NEVER)
})

test('connections are cut again and again: nothing that was deleted is ever read by who deleted it', async () => {
  const server = await room.redis()
  const path = await room.proxy(server.port)
  const [a, b] = [await room.cache(onRedis(path)), await room.cache(onRedis(path))]
  await allWell(a, b)
  let cutting = true
  const cuts = (async (): Promise<void> => {
    while (cutting) {
      await path.mode('cut')
      await wait(40)
    }
  })()
  for (let round = 0; round < 150; round++) {
    const key = `key${round}`
    await a.set(key, 'old')
    await b.get(key)
    const { local } = await a.delete(key)
    expect(local).toBe(true)
    expect(await a.get(key)).toBeUndefined()
    await wait(2)
    expect(await a.get(key)).toBeUndefined()
  }
  cutting = false
  await cuts
  await allWell(a, b)
  for (let round = 0; round < 150; round++) {
    for (const cache of [a, b]) expect(await cache.get(`key${round}`)).toBeUndefined()
  }
})

test('the password is changed and put back: nobody hangs, deletions wait, and nothing needs a restart', async () => {
  const server = await room.redis({ password: 'first' })
  const a = await room.cache(onRedis(server))
  const b = await room.cache(onRedis(server))
  await allWell(a, b)
  await a.set('key', 'old')
  expect(await b.get('key')).toBe('old')
  const admin = await server.ask('ACL SETUSER admin on >admin allkeys allchannels allcommands')
  expect(admin).toBe('+OK')
  const returned = nextReturn(a, b)
  await server.ask('ACL SETUSER default resetpass >second')
  const killed = await askAsAdmin(server.port, 'CLIENT KILL USER default')
  expect(killed).toMatch(/^:\d+/)
  await allOut(a, b)
  expect(await a.delete('key')).toEqual({ local: true, shared: 'pending' })
  expect(await a.get('key')).toBeUndefined()
  const took = await timed(async () => {
    for (let i = 0; i < 50; i++) expect(await a.getOrSet(`key${i}`, () => i)).toBe(i)
  })
  measured('50 misses with a wrong password, ms', took)
  expect(took).toBeLessThan(5000)
  expect(a.status().state).toBe('DEGRADED')
  await until('status says why', () => /password|WRONGPASS|NOAUTH/i.test(a.status().reason), 10_000)
  expect(JSON.stringify(a.status())).not.toContain('first')
  await askAsAdmin(server.port, 'ACL SETUSER default resetpass >first')
  measured('password put back: to in use, ms', await timed(returned))
  for (const cache of [a, b]) expect(await cache.get('key')).toBeUndefined()
})

async function askAsAdmin(port: number, command: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let text = ''
  socket.on('data', chunk => (text += String(chunk)))
  socket.write(`AUTH admin admin\r\n${command}\r\n`)
  await until('two replies', () => text.split('\r\n').length > 2, NEVER)
  socket.end()
  await once(socket, 'close')
  return text.split('\r\n')[1] ?? ''
}
