// npm run demo:outage: a bad day for Redis, told while it happens. Two processes share a cache on a redis-server that
// this script starts, kills, starts again, freezes and thaws. Whatever the library promises is checked on the way; the
// exit code is 1 when any of it did not happen.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { endWith, ensureReady, redisServer, temporaryDirectory } from './redis.mjs'

const CALL_BUDGET_MS = 250
/** Timers fire late on a busy machine. */
const SLACK_MS = 50
const HEAL_BUDGET_MS = 1500
const PATIENCE_MS = 20_000
const KEY = 'price:42'

/** A process with a cache: reads prices through it. The "database" is a file that both processes read. */
async function participant({ redisUrl, dir, database }) {
  const { createCache } = await import('palier')
  const cache = createCache({ namespace: 'shop', redisUrl, dir, logger: false })
  const states = []
  cache.on('state', ({ state, reason }) => states.push({ at: Date.now(), state, reason }))
  await cache.ready()
  let asked = 0
  const load = async () => {
    asked++
    return JSON.parse(readFileSync(database, 'utf8')).price
  }
  return {
    async read(key) {
      const startedAt = performance.now()
      const { value, tier } = await cache.fetch(key, load)
      return { value, tier, ms: performance.now() - startedAt }
    },
    /** Many reads, one after the other: of new keys, or of one key again and again. */
    async readMany({ count, key, everyMs = 0 }) {
      const before = asked
      const times = []
      const values = {}
      let failed = 0
      for (let i = 0; i < count; i++) {
        const startedAt = performance.now()
        try {
          const value = await cache.getOrSet(key ?? `new:${process.pid}:${startedAt}`, load)
          values[value] = (values[value] ?? 0) + 1
        } catch {
          failed++
        }
        times.push(performance.now() - startedAt)
        if (everyMs > 0) await pause(everyMs)
      }
      times.sort((a, b) => a - b)
      return { count, failed, asked: asked - before, median: times[count >> 1], slowest: times.at(-1), values }
    },
    async delete(key) {
      const startedAt = performance.now()
      const receipt = await cache.delete(key)
      return { receipt, ms: performance.now() - startedAt }
    },
    status: async () => cache.status(),
    /** The changes of state since they were last asked for. */
    states: async () => states.splice(0),
    close: () => cache.close(),
  }
}

/** The same verbs, spoken to another process. */
async function startParticipant(task) {
  const child = fork(fileURLToPath(import.meta.url), ['--participant', JSON.stringify(task)], {
    execArgv: ['--unhandled-rejections=strict'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  endWith(child)
  const waiting = new Map()
  const exited = once(child, 'exit').then(([code, signal]) => {
    for (const { reject } of waiting.values()) reject(new Error(`a process ended (${signal ?? code})`))
    return code
  })
  child.on('message', ({ id, result, error }) => {
    const { resolve, reject } = waiting.get(id)
    waiting.delete(id)
    if (error === undefined) resolve(result)
    else reject(new Error(error))
  })
  const expect = id => new Promise((resolve, reject) => waiting.set(id, { resolve, reject }))
  await expect(0)
  let next = 1
  return {
    exited,
    ask(verb, detail) {
      const id = next++
      child.send({ id, verb, task: detail })
      return expect(id)
    },
  }
}

async function narrate() {
  await ensureReady('packages/palier')
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130))
  const dir = temporaryDirectory('palier-demo-')
  const startedAt = performance.now()
  const redis = await redisServer()
  await redis.start()
  const database = join(dir, 'database.json')
  const setPrice = price => writeFileSync(database, JSON.stringify({ price }))
  setPrice(100)
  const task = name => ({ redisUrl: redis.url, dir: join(dir, name), database })
  const a = await startParticipant(task('a'))
  const b = await startParticipant(task('b'))
  const day = createDay({ redis, a, b, setPrice })
  await day.morning()
  await day.killed()
  await day.back()
  await day.frozen()
  await day.thawed()
  await day.evening()
  await redis.stop()
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(0)
  const { broken } = day
  console.log(
    `\n${seconds} s. ${broken.length === 0 ? 'Everything that is promised has happened.' : 'NOT as promised:'}`,
  )
  for (const text of broken) console.log(`  - ${text}`)
  process.exitCode = broken.length === 0 ? 0 : 1
}

const ms = value => `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ms`
const say = (what, text) => console.log(`   ${what.padEnd(34)} ${text}`)
const title = text => console.log(`\n${text}`)

function createDay({ redis, a, b, setPrice }) {
  const broken = []
  const promise = (holds, text) => {
    if (holds) return
    broken.push(text)
    console.log(`   NOT AS PROMISED: ${text}`)
  }
  const sayRead = (who, { value, tier, ms: took }) => say(`${who} reads ${KEY}`, `${value}, from ${tier}, ${ms(took)}`)
  const saidMany = ({ count, failed, median, slowest, asked }) =>
    `${count} reads, ${failed} failed, median ${ms(median)}, slowest ${ms(slowest)}, source asked ${asked} times`

  async function sayStatus(who, one) {
    const { state, reason, backend, outbox, tiers } = await one.ask('status')
    say(`status of ${who}`, `${state} on ${backend}, ${outbox.pending} invalidations waiting`)
    say('', reason)
    for (const { name, state: ofTier, nextTryIn } of tiers) {
      say('', `${name}: ${ofTier}${nextTryIn === undefined ? '' : `, next try in ${Math.round(nextTryIn)} ms`}`)
    }
    return state
  }

  async function readsGoOn(who, one) {
    const many = await one.ask('readMany', { count: 100 })
    say(`${who} reads new keys`, saidMany(many))
    promise(many.failed === 0, `no read of ${who} fails`)
    promise(many.slowest <= CALL_BUDGET_MS + SLACK_MS, `no read of ${who} waits longer than ${CALL_BUDGET_MS} ms`)
  }

  async function priceChanges(to) {
    title(`   The price changes to ${to} in the database, and A deletes what is cached.`)
    setPrice(to)
    const { receipt, ms: took } = await a.ask('delete', KEY)
    say(`A deletes ${KEY}`, `{ local: ${receipt.local}, shared: '${receipt.shared}' }, ${ms(took)}`)
    promise(receipt.local && receipt.shared === 'pending', 'the receipt says done here, pending for Redis')
    const read = await a.ask('read', KEY)
    sayRead('A', read)
    promise(read.value === to, 'A never again reads the price it has deleted')
    await sayStatus('A', a)
  }

  /** Follows both from the moment Redis can be used again until they are healthy. */
  async function recovers(healedAt, price) {
    const seen = []
    const early = { a: {}, b: {} }
    const count = (into, { value }) => (into[value] = (into[value] ?? 0) + 1)
    const since = () => Date.now() - healedAt
    const tellChanges = async () => {
      for (const [who, one] of Object.entries({ A: a, B: b })) {
        for (const change of await one.ask('states')) {
          seen.push({ who, ...change })
          say(`${change.at - healedAt} ms after`, `${who} ${change.state}: ${change.reason}`)
        }
      }
    }
    let used
    let delivered
    let healthy = false
    for (let turn = 0; !(healthy && used && delivered) && since() < PATIENCE_MS; turn++) {
      count(early.a, await a.ask('read', KEY))
      count(early.b, await b.ask('read', KEY))
      // What A has just loaded can reach B through Redis only: each has a directory of its own.
      await a.ask('read', `fresh:${price}:${turn}`)
      const { tier } = await b.ask('read', `fresh:${price}:${turn}`)
      if (tier === 'redis') used ??= since()
      const [ofA, ofB] = await Promise.all([a.ask('status'), b.ask('status')])
      if (ofA.outbox.pending === 0) delivered ??= since()
      healthy = ofA.state === 'HEALTHY' && ofB.state === 'HEALTHY'
      await tellChanges()
    }
    await tellChanges()
    say('deletion delivered to Redis', `${delivered} ms after Redis came back`)
    say('B finds in Redis what A loads', `${used} ms after Redis came back`)
    promise(delivered <= HEAL_BUDGET_MS, `the deletion is delivered ${HEAL_BUDGET_MS} ms after Redis came back`)
    promise(used <= HEAL_BUDGET_MS, `Redis is in use ${HEAL_BUDGET_MS} ms after it came back`)
    for (const who of ['A', 'B']) {
      const states = seen.filter(one => one.who === who).map(({ state }) => state)
      const warming = states.indexOf('WARMING')
      promise(warming >= 0 && states.indexOf('HEALTHY', warming) > warming, `${who} goes through WARMING to HEALTHY`)
    }
    const old = values =>
      Object.entries(values).reduce((sum, [value, n]) => (Number(value) === price ? sum : sum + n), 0)
    say('old prices until then', `A ${old(early.a)}, B ${old(early.b)}`)
    promise(old(early.a) === 0, 'A reads no old price while it recovers')
    const [ofA, ofB] = await Promise.all([a, b].map(one => one.ask('readMany', { count: 300, key: KEY, everyMs: 5 })))
    const right = ({ values, count: n }) => `${values[price] ?? 0} of ${n} right`
    say('both read on', `A ${right(ofA)}, B ${right(ofB)}`)
    promise(ofA.values[price] === ofA.count && ofB.values[price] === ofB.count, 'no stale read after the recovery')
  }

  return {
    broken,
    async morning() {
      title(`1. Redis runs on port ${redis.port}. Two processes, A and B, share a cache on it.`)
      sayRead('A', await a.ask('read', KEY))
      const read = await b.ask('read', KEY)
      sayRead('B', read)
      promise(read.tier === 'redis', 'B finds in Redis what A has loaded')
      sayRead('A', await a.ask('read', KEY))
      promise((await sayStatus('A', a)) === 'HEALTHY', 'A is healthy')
      await Promise.all([a.ask('states'), b.ask('states')])
    },
    async killed() {
      title('2. kill -9. Redis is gone; what it knew is on its disk, the price of 100 too.')
      await redis.kill()
      await readsGoOn('A', a)
      await readsGoOn('B', b)
      promise((await sayStatus('A', a)) === 'DEGRADED', 'A says that it is degraded')
      await priceChanges(120)
      sayRead('B', await b.ask('read', KEY))
      await Promise.all([a.ask('states'), b.ask('states')])
    },
    async back() {
      title('3. Redis is started again. Nobody restarts A or B.')
      await redis.start()
      await recovers(Date.now(), 120)
    },
    async frozen() {
      title('4. Redis freezes (SIGSTOP): connections stay open, nothing answers.')
      redis.freeze()
      await readsGoOn('A', a)
      await pause(2000)
      await readsGoOn('A', a)
      await readsGoOn('B', b)
      promise((await sayStatus('A', a)) === 'DEGRADED', 'A says that it is degraded')
      await priceChanges(150)
      await Promise.all([a.ask('states'), b.ask('states')])
    },
    async thawed() {
      title('5. Redis thaws (SIGCONT).')
      redis.thaw()
      await recovers(Date.now(), 150)
    },
    async evening() {
      title('6. Both are closed, and end by themselves.')
      await Promise.all([a.ask('close'), b.ask('close')])
      const codes = await Promise.all([a.exited, b.exited])
      say('exit codes', codes.join(' and '))
      promise(
        codes.every(code => code === 0),
        'a closed cache keeps no process alive',
      )
    },
  }
}

if (process.send !== undefined && process.argv[2] === '--participant') {
  const self = await participant(JSON.parse(process.argv[3]))
  const answer = async ({ id, verb, task }) => {
    try {
      process.send({ id, result: await self[verb](task) })
    } catch (error) {
      process.send({ id, error: String(error) })
    }
    // Its cache is closed and nothing else keeps it: once nobody listens, it ends by itself.
    if (verb === 'close') process.disconnect()
  }
  process.on('message', asked => void answer(asked))
  process.on('disconnect', () => void setTimeout(() => process.exit(1), 5000).unref())
  process.send({ id: 0 })
} else {
  await narrate()
}
